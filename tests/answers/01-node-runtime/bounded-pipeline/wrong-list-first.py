# Misconception: the source has to be read before the work can be shared out. It is in memory as a whole.
async def pipeline(source, work, sink, *, workers):
    items = [item async for item in source]
    slots = asyncio.Semaphore(workers)

    async def handle(item):
        async with slots:
            return await work(item)

    tasks = [asyncio.create_task(handle(item)) for item in items]
    for task in tasks:
        await sink(await task)
    return len(items)
