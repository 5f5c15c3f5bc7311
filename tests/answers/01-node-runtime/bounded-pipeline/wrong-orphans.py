# Misconception: an error that leaves the function ends what it started. Feeder and workers run on.
async def pipeline(source, work, sink, *, workers):
    line, slots, count = asyncio.Queue(maxsize=workers), asyncio.Semaphore(workers), 0

    async def handle(item):
        async with slots:
            return await work(item)

    async def feed():
        try:
            async for item in source:
                await line.put(asyncio.create_task(handle(item)))
        finally:
            await line.put(None)

    feeder = asyncio.create_task(feed())
    while task := await line.get():
        await sink(await task)
        count += 1
    await feeder
    return count
