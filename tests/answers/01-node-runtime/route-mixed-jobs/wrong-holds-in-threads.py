# A thread protects the loop from any job. (Not from a C call that keeps the GIL until it returns.)
async def route_jobs(jobs, threads, processes):
    def start(job):
        if job.kind == "awaits":
            return job.call(*job.args)
        return asyncio.get_running_loop().run_in_executor(threads, job.call, *job.args)

    return await asyncio.gather(*(start(job) for job in jobs), return_exceptions=True)
