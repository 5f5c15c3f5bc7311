# Misconception: a bound on the work bounds the memory. Results wait in a reorder buffer that nobody bounds.
async def pipeline(source, work, sink, *, workers):
    ready, turn, numbers, reading = {}, 0, iter(range(10**9)), asyncio.Lock()

    async def worker():
        nonlocal turn
        while True:
            async with reading:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    return
                number = next(numbers)
            ready[number] = await work(item)
            while turn in ready and number <= turn:
                await sink(ready.pop(turn))
                turn += 1
                number = turn

    try:
        async with contextlib.aclosing(source), asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return turn
