# Misconception: return_exceptions=True handles errors. It puts them among the results, where nobody looks.
async def bounded_gather(factories, limit):
    slots = asyncio.Semaphore(limit)

    async def run(factory):
        async with slots:
            return await factory()

    return await asyncio.gather(*map(run, factories), return_exceptions=True)
