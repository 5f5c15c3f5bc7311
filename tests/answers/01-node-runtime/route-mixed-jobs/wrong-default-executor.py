# "asyncio.to_thread is how it is done today." It uses the loop's own pool: its size is not what the caller gave.
async def route_jobs(jobs, threads, processes):
    def start(job):
        if job.kind == "awaits":
            return job.call(*job.args)
        if job.kind == "holds":
            return asyncio.get_running_loop().run_in_executor(processes, job.call, *job.args)
        return asyncio.to_thread(job.call, *job.args)

    return await asyncio.gather(*(start(job) for job in jobs), return_exceptions=True)
