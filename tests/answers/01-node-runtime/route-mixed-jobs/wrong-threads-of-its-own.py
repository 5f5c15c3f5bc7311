# A thread for each job that blocks, "so that none has to wait": a thousand jobs are a thousand threads.
from concurrent.futures import ThreadPoolExecutor


async def route_jobs(jobs, threads, processes):
    loop = asyncio.get_running_loop()
    own = ThreadPoolExecutor(max(1, len(jobs)))
    pool_of = {"blocks": own, "releases": own, "holds": processes}

    def start(job):
        if job.kind == "awaits":
            return job.call(*job.args)
        return loop.run_in_executor(pool_of[job.kind], job.call, *job.args)

    try:
        return await asyncio.gather(*(start(job) for job in jobs), return_exceptions=True)
    finally:
        own.shutdown(wait=False)
