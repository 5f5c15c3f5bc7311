# Misconception: a coroutine costs nothing until it runs. All are made at the start, and some are never awaited.
async def bounded_gather(factories, limit):
    coroutines = [factory() for factory in factories]
    slots = asyncio.Semaphore(limit)

    async def run(coroutine):
        async with slots:
            return await coroutine

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run(coroutine)) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
