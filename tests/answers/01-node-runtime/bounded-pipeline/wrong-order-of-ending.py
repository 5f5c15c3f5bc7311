# Misconception: workers that each take, work and sink keep the order. They sink in the order of ending.
async def pipeline(source, work, sink, *, workers):
    count, reading, writing = 0, asyncio.Lock(), asyncio.Lock()

    async def worker():
        nonlocal count
        while True:
            async with reading:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
            result = await work(item)
            async with writing:
                await sink(result)
                count += 1

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return count
