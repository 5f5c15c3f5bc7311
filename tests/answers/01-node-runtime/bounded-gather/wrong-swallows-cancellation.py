# Misconception: whatever ends a job is an error to be handled, CancelledError too. The caller's own is swallowed.
async def bounded_gather(factories, limit):
    results, todo, errors = [None] * len(factories), list(enumerate(factories)), []
    tasks = []

    async def lane():
        while todo:
            i, factory = todo.pop(0)
            try:
                results[i] = await factory()
            except BaseException as error:
                errors.append(error)
                todo.clear()
                for task in tasks:
                    task.cancel()

    tasks += [asyncio.create_task(lane()) for _ in range(limit)]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if errors and not isinstance(errors[0], asyncio.CancelledError):
        raise errors[0]
    return results
