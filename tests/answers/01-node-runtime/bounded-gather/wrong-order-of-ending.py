# Misconception: as_completed yields in the order given. It yields in the order of ending.
async def bounded_gather(factories, limit):
    slots = asyncio.Semaphore(limit)

    async def run(factory):
        async with slots:
            return await factory()

    results = []
    for next_done in asyncio.as_completed([run(factory) for factory in factories]):
        results.append(await next_done)
    return results
