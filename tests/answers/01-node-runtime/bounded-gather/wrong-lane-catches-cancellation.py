# Misconception: CancelledError in a lane is its job's affair. The lane catches it and takes the next, until none is left.
async def bounded_gather(factories, limit):
    results, todo = [None] * len(factories), list(enumerate(factories))

    async def lane():
        while todo:
            i, factory = todo.pop(0)
            try:
                results[i] = await factory()
            except asyncio.CancelledError:
                continue
            except Exception:
                todo.clear()
                raise

    lanes = {asyncio.create_task(lane()) for _ in range(limit)}
    try:
        running = lanes
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        return results
    finally:
        while running := [task for task in lanes if not task.done()]:
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=0.05)
        for task in lanes:
            task.exception()
