# A pool of processes is made for every call: new interpreters each time, beside those that were given and wait.
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context


async def route_jobs(jobs, threads, processes):
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as own:
        for one in [own.submit(int) for _ in range(2)]:
            await asyncio.wrap_future(one)
        pool_of = {"blocks": threads, "releases": threads, "holds": own}

        def start(job):
            if job.kind == "awaits":
                return job.call(*job.args)
            return loop.run_in_executor(pool_of[job.kind], job.call, *job.args)

        return await asyncio.gather(*(start(job) for job in jobs), return_exceptions=True)
