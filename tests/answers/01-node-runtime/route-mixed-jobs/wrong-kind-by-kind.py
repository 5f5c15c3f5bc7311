# One kind at a time: each gather waits for its slowest job before the next kind may start.
async def route_jobs(jobs, threads, processes):
    loop, results = asyncio.get_running_loop(), [None] * len(jobs)
    for kind in ("holds", "releases", "blocks", "awaits"):
        chosen = [k for k, job in enumerate(jobs) if job.kind == kind]
        pool = processes if kind == "holds" else threads
        started = [
            jobs[k].call(*jobs[k].args) if kind == "awaits" else loop.run_in_executor(pool, jobs[k].call, *jobs[k].args)
            for k in chosen
        ]
        for k, result in zip(chosen, await asyncio.gather(*started, return_exceptions=True), strict=True):
            results[k] = result
    return results
