# Written without a TaskGroup: a set of running tasks, refilled by asyncio.wait.
async def bounded_gather(factories, limit):
    factories = list(factories)
    results, place, running, position = {}, {}, set(), 0
    try:
        while running or position < len(factories):
            while position < len(factories) and len(running) < limit:
                task = asyncio.ensure_future(factories[position]())
                place[task] = position
                running.add(task)
                position += 1
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            failed = sorted((t for t in done if t.exception()), key=place.get)
            if failed:
                raise failed[0].exception()
            for task in done:
                results[place[task]] = task.result()
        return [results[i] for i in range(len(factories))]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
