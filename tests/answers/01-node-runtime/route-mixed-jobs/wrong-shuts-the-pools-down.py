# A pool is used with `with`. (Then it ends with the block, and the caller, who owns it, can't use it again.)
async def route_jobs(jobs, threads, processes):
    loop = asyncio.get_running_loop()
    with threads, processes:
        pool_of = {"holds": processes, "blocks": threads, "releases": threads}
        return await asyncio.gather(
            *(
                job.call(*job.args)
                if job.kind == "awaits"
                else loop.run_in_executor(pool_of[job.kind], job.call, *job.args)
                for job in jobs
            ),
            return_exceptions=True,
        )
