# Misconception: the source's error comes after its items. It is put in line behind them, where a stuck one holds it up.
async def pipeline(source, work, sink, *, workers):
    room, hands, line, count = asyncio.Semaphore(2 * workers), asyncio.Semaphore(workers), asyncio.Queue(), 0

    async def handle(item):
        async with hands:
            return await work(item)

    async def feed(group):
        await room.acquire()
        try:
            async for item in source:
                line.put_nowait(group.create_task(handle(item)))
                await room.acquire()
        except Exception as error:
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            line.put_nowait(failed)
        line.put_nowait(None)

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            group.create_task(feed(group))
            while (task := await line.get()) is not None:
                await sink(await task)
                count += 1
                room.release()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return count
