# Misconception: gather over batches is a pipeline. The sink waits for the batch, the batch for its slowest.
async def pipeline(source, work, sink, *, workers):
    count, batch = 0, []

    async def flush():
        nonlocal count
        for result in await asyncio.gather(*map(work, batch)):
            await sink(result)
            count += 1
        batch.clear()

    async for item in source:
        batch.append(item)
        if len(batch) == workers:
            await flush()
    await flush()
    return count
