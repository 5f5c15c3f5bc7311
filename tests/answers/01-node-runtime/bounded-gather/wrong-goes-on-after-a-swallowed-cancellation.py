# Misconception: a cancelled lane stops. If its job swallows the cancellation and returns, the lane takes the next job.
async def bounded_gather(factories, limit):
    results, todo = [None] * len(factories), list(enumerate(factories))

    async def lane():
        while todo:
            i, factory = todo.pop(0)
            try:
                results[i] = await factory()
            except BaseException:
                todo.clear()
                raise

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(lane())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return results
