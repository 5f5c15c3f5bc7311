# Written as one loop that waits for whatever comes first: the next item, any work in the window, or the sink.
async def pipeline(source, work, sink, *, workers):
    window, count, taking, sinking, open_ = collections.deque(), 0, None, None, True
    free = asyncio.Semaphore(workers)

    async def take():
        try:
            return [await anext(source)]
        except StopAsyncIteration:
            return []

    async def handle(item):
        async with free:
            return await work(item)

    try:
        while True:
            if open_ and taking is None and len(window) + (sinking is not None) < 2 * workers:
                taking = asyncio.ensure_future(take())
            if sinking is None and window and window[0].done():
                sinking = asyncio.ensure_future(sink(window.popleft().result()))
            pending = [task for task in (taking, sinking, *window) if task and not task.done()]
            if not pending:
                return count
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if sinking in done:
                sinking, count = None, count + 1
            if taking in done:
                window.extend(asyncio.ensure_future(handle(item)) for item in taking.result())
                taking, open_ = None, bool(taking.result())
            del done, task
    finally:
        left = [task for task in (taking, sinking, *window) if task]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await source.aclose()
