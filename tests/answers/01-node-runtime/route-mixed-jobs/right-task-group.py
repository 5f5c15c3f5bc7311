# A task for each job, in a task group; each catches its own exception, so that the group is never cancelled.
async def route_jobs(jobs, threads, processes):
    results = [None] * len(jobs)

    async def run(place, job):
        try:
            match job.kind:
                case "awaits":
                    results[place] = await job.call(*job.args)
                case "holds":
                    results[place] = await asyncio.wrap_future(processes.submit(job.call, *job.args))
                case _:
                    results[place] = await asyncio.wrap_future(threads.submit(job.call, *job.args))
        except Exception as error:
            results[place] = error

    async with asyncio.TaskGroup() as group:
        for place, job in enumerate(jobs):
            group.create_task(run(place, job))
    return results
