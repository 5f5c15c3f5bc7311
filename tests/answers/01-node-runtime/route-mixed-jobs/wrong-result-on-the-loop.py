# A future of a pool has a result() to ask for. (It waits in the loop's thread: whatever else is there stands still.)
async def route_jobs(jobs, threads, processes):
    pool_of = {"holds": processes, "blocks": threads, "releases": threads}
    futures = {k: pool_of[job.kind].submit(job.call, *job.args) for k, job in enumerate(jobs) if job.kind in pool_of}
    awaited = [job.call(*job.args) for job in jobs if job.kind == "awaits"]
    answers = iter(await asyncio.gather(*awaited, return_exceptions=True))
    return [futures[k].exception() or futures[k].result() if k in futures else next(answers) for k in range(len(jobs))]
