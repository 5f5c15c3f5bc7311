# Misconception: a TaskGroup bounds what runs in it; and its ExceptionGroup is the job's error.
async def bounded_gather(factories, limit):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(factory()) for factory in factories]
    return [task.result() for task in tasks]
