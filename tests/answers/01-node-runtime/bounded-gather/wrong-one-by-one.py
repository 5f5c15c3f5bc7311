# Misconception: "at most limit" is met by one after the other.
async def bounded_gather(factories, limit):
    return [await factory() for factory in factories]
