# Written without a TaskGroup: a feeder, a drainer, and a future on which whatever fails first is told.
async def pipeline(source, work, sink, *, workers):
    room, hands, line = asyncio.Semaphore(2 * workers), asyncio.Semaphore(workers), asyncio.Queue()
    begun, failed = set(), asyncio.get_running_loop().create_future()

    def begin(coroutine):
        task = asyncio.create_task(coroutine)
        begun.add(task)
        task.add_done_callback(ended)
        return task

    def ended(task):
        begun.discard(task)
        if not task.cancelled() and task.exception() and not failed.done():
            failed.set_result(task.exception())

    async def handle(item):
        async with hands:
            return await work(item)

    async def feed():
        await room.acquire()
        async for item in source:
            line.put_nowait(begin(handle(item)))
            del item
            await room.acquire()
        line.put_nowait(None)

    async def drain():
        count = 0
        while (task := await line.get()) is not None:
            await sink(await task)
            count += 1
            room.release()
        return count

    begin(feed())
    drainer = begin(drain())
    try:
        await asyncio.wait({drainer, failed}, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            raise failed.result()
        return drainer.result()
    finally:
        left = list(begun)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await source.aclose()
