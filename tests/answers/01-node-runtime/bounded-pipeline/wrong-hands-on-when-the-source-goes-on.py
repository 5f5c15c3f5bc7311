# Misconception: one loop over the source is enough. What is finished waits until the source gives its next item.
async def pipeline(source, work, sink, *, workers):
    window, hands, count = collections.deque(), asyncio.Semaphore(workers), 0

    async def handle(item):
        async with hands:
            return await work(item)

    async def hand_on():
        nonlocal count
        await sink(await window[0])
        window.popleft()
        count += 1

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            async for item in source:
                window.append(group.create_task(handle(item)))
                del item
                while window and (window[0].done() or len(window) == 2 * workers):
                    await hand_on()
            while window:
                await hand_on()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return count
