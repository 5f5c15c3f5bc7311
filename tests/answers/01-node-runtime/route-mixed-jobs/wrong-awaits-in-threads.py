# Coroutines, too, go to a worker, with a loop of their own: now they are limited by the pool.
def run_alone(call, *args):
    return asyncio.run(call(*args))


async def route_jobs(jobs, threads, processes):
    loop = asyncio.get_running_loop()

    def start(job):
        if job.kind == "awaits":
            return loop.run_in_executor(threads, run_alone, job.call, *job.args)
        return loop.run_in_executor(processes if job.kind == "holds" else threads, job.call, *job.args)

    return await asyncio.gather(*(start(job) for job in jobs), return_exceptions=True)
