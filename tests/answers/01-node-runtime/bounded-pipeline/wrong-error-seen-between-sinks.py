# Misconception: looking for a failure before each result is at once. The sink that is waiting now is not interrupted.
async def pipeline(source, work, sink, *, workers):
    room, hands, line, count = asyncio.Semaphore(2 * workers), asyncio.Semaphore(workers), asyncio.Queue(), 0
    failed = asyncio.get_running_loop().create_future()

    async def handle(item):
        try:
            async with hands:
                return await work(item)
        except Exception as error:
            if not failed.done():
                failed.set_result(error)

    async def feed(begun):
        try:
            await room.acquire()
            async for item in source:
                begun.append(asyncio.create_task(handle(item)))
                line.put_nowait(begun[-1])
                begun[:] = [task for task in begun if not task.done()]
                await room.acquire()
            line.put_nowait(None)
        except Exception as error:
            if not failed.done():
                failed.set_result(error)

    async def first(task):
        await asyncio.wait({task, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            raise failed.result()
        return task.result()

    begun = []
    feeder = asyncio.create_task(feed(begun))
    getter = None
    try:
        while True:
            getter = asyncio.create_task(line.get())
            if (task := await first(getter)) is None:
                return count
            await sink(await first(task))
            del task
            count += 1
            room.release()
    finally:
        left = [feeder, *begun, *([getter] if getter else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await source.aclose()
