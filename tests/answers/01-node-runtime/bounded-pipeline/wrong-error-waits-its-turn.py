# Misconception: an error comes in its turn. It waits in line behind a stuck item, and the call with it.
async def pipeline(source, work, sink, *, workers):
    line, free = asyncio.Queue(maxsize=max(1, 2 * workers - 2)), asyncio.Semaphore(workers)
    begun = set()

    async def handle(item):
        async with free:
            return await work(item)

    async def feed():
        try:
            async for item in source:
                task = asyncio.ensure_future(handle(item))
                del item
                begun.add(task)
                await line.put(task)
        except Exception as error:
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            await line.put(failed)
        await line.put(None)

    feeder = asyncio.create_task(feed())
    count = 0
    try:
        while (task := await line.get()) is not None:
            result = await task
            await sink(result)
            begun.discard(task)
            count += 1
        return count
    finally:
        for task in (feeder, *begun):
            task.cancel()
        await asyncio.gather(feeder, *begun, return_exceptions=True)
        await source.aclose()
