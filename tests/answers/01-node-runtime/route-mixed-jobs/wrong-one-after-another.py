# Every job in its right place, but awaited before the next one is started.
async def route_jobs(jobs, threads, processes):
    loop, results = asyncio.get_running_loop(), []
    for job in jobs:
        try:
            if job.kind == "awaits":
                results.append(await job.call(*job.args))
            else:
                pool = processes if job.kind == "holds" else threads
                results.append(await loop.run_in_executor(pool, job.call, *job.args))
        except Exception as error:
            results.append(error)
    return results
