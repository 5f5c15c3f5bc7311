# Misconception: a bound on what runs bounds the memory. The list of tasks holds every result to the end.
async def pipeline(source, work, sink, *, workers):
    room, hands, line, tasks = asyncio.Semaphore(2 * workers), asyncio.Semaphore(workers), asyncio.Queue(), []

    async def handle(item):
        async with hands:
            return await work(item)

    async def feed(group):
        await room.acquire()
        async for item in source:
            tasks.append(group.create_task(handle(item)))
            line.put_nowait(tasks[-1])
            await room.acquire()
        line.put_nowait(None)

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            group.create_task(feed(group))
            while task := await line.get():
                await sink(await task)
                room.release()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return len(tasks)
