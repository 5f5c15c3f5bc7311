# Inside `async def` everything is concurrent.
async def route_jobs(jobs, threads, processes):
    async def run(job):
        value = job.call(*job.args)
        return await value if asyncio.iscoroutine(value) else value

    return await asyncio.gather(*(run(job) for job in jobs), return_exceptions=True)
