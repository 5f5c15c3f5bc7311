# Misconception: one item at a time is the safe pipeline. Nothing is ever done at the same time.
async def pipeline(source, work, sink, *, workers):
    count = 0
    async with contextlib.aclosing(source):
        async for item in source:
            await sink(await work(item))
            count += 1
    return count
