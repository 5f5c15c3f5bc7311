# Pools are given all they are to do first; then the coroutines are started; then everything is waited for.
async def route_jobs(jobs, threads, processes):
    loop = asyncio.get_running_loop()
    where = {"holds": processes, "blocks": threads, "releases": threads}
    futures = {
        k: loop.run_in_executor(where[job.kind], job.call, *job.args) for k, job in enumerate(jobs) if job.kind in where
    }
    futures |= {k: asyncio.ensure_future(job.call(*job.args)) for k, job in enumerate(jobs) if job.kind == "awaits"}
    if futures:
        await asyncio.wait(futures.values())
    return [futures[k].exception() or futures[k].result() for k in range(len(jobs))]
