# Misconception: a generator that nobody reads any more closes itself. Its finally runs when the collector finds it.
async def pipeline(source, work, sink, *, workers):
    room, hands, line, count = asyncio.Semaphore(2 * workers), asyncio.Semaphore(workers), asyncio.Queue(), 0

    async def handle(item):
        async with hands:
            return await work(item)

    async def feed(group):
        await room.acquire()
        async for item in source:
            line.put_nowait(group.create_task(handle(item)))
            await room.acquire()
        line.put_nowait(None)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed(group))
            while task := await line.get():
                await sink(await task)
                count += 1
                room.release()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return count
