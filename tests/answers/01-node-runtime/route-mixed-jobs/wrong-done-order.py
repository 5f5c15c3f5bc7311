# Results as they come: the order is that of finishing.
async def route_jobs(jobs, threads, processes):
    loop, results = asyncio.get_running_loop(), []

    async def run(job):
        try:
            if job.kind == "awaits":
                results.append(await job.call(*job.args))
            else:
                pool = processes if job.kind == "holds" else threads
                results.append(await loop.run_in_executor(pool, job.call, *job.args))
        except Exception as error:
            results.append(error)

    await asyncio.gather(*map(run, jobs))
    return results
