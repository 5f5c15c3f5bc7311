# Processes are the safe place for everything that isn't a coroutine. (Connections, locks and buffers don't get there.)
async def route_jobs(jobs, threads, processes):
    def start(job):
        if job.kind == "awaits":
            return job.call(*job.args)
        return asyncio.get_running_loop().run_in_executor(processes, job.call, *job.args)

    return await asyncio.gather(*(start(job) for job in jobs), return_exceptions=True)
