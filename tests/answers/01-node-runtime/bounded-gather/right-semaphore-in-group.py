# Written with a semaphore inside a TaskGroup: every job a task, `limit` of them let in, none after a failure.
async def bounded_gather(factories, limit):
    slots, failed = asyncio.Semaphore(limit), asyncio.Event()

    async def run(factory):
        async with slots:
            if failed.is_set():
                return None
            try:
                return await factory()
            except Exception:
                failed.set()
                raise

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(factory)) for factory in factories]
    except* Exception as errors:
        first = errors.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise first
