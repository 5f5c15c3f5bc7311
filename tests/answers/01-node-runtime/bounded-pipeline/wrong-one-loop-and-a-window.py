# Misconception: awaiting the source and the head of the line in turns is as good as both. Each keeps the other waiting.
from collections import deque


async def pipeline(source, work, sink, *, workers):
    window, count, open_, free = deque(), 0, True, asyncio.Semaphore(workers)

    async def handle(item):
        async with free:
            return await work(item)

    async def fill():
        nonlocal open_
        while open_ and len(window) < 2 * workers - 1:
            try:
                item = await anext(source)
            except StopAsyncIteration:
                open_ = False
            else:
                window.append(asyncio.create_task(handle(item)))
            if window and window[0].done():
                return

    try:
        await fill()
        while window:
            result = await window[0]
            await sink(result)
            window.popleft()
            count += 1
            del result
            await fill()
        return count
    finally:
        for task in window:
            task.cancel()
        await asyncio.gather(*window, return_exceptions=True)
        await source.aclose()
