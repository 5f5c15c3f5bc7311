# Misconception: a queue between producer and consumer is back-pressure. Without maxsize put never waits.
async def pipeline(source, work, sink, *, workers):
    line, slots, count = asyncio.Queue(), asyncio.Semaphore(workers), 0

    async def handle(item):
        async with slots:
            return await work(item)

    async def feed(group):
        async for item in source:
            await line.put(group.create_task(handle(item)))
        await line.put(None)

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            group.create_task(feed(group))
            while task := await line.get():
                await sink(await task)
                count += 1
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return count
