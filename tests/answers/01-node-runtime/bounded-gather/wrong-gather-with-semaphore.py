# Misconception: gather stops the siblings when one job fails. They run on, and further ones start.
async def bounded_gather(factories, limit):
    slots = asyncio.Semaphore(limit)

    async def run(factory):
        async with slots:
            return await factory()

    return await asyncio.gather(*map(run, factories))
