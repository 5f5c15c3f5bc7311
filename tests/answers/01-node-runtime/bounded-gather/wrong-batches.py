# Misconception: batches of `limit` are a bound of `limit`. Each batch waits for its slowest job.
async def bounded_gather(factories, limit):
    results = []
    for first in range(0, len(factories), limit):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(factory()) for factory in factories[first : first + limit]]
        results += [task.result() for task in tasks]
    return results
