# gather() waits for all of them. (It raises the first exception, and the results of the others are lost.)
async def route_jobs(jobs, threads, processes):
    loop = asyncio.get_running_loop()
    started = []
    for job in jobs:
        if job.kind == "awaits":
            started.append(job.call(*job.args))
        else:
            started.append(loop.run_in_executor(processes if job.kind == "holds" else threads, job.call, *job.args))
    return await asyncio.gather(*started)
