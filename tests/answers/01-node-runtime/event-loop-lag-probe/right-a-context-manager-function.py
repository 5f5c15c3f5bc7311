# Closures and call_later instead of a class and call_at.
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Seen:
    lags: list = field(default_factory=list)


@asynccontextmanager
async def LagProbe(interval):
    loop = asyncio.get_running_loop()
    seen, due, handle = Seen(), loop.time() + interval, None

    def note(now):
        nonlocal due
        while now >= due:
            seen.lags.append(now - due)
            due += interval

    def tick():
        nonlocal handle
        note(loop.time())
        handle = loop.call_later(due - loop.time(), tick)

    handle = loop.call_later(interval, tick)
    try:
        yield seen
    finally:
        handle.cancel()
        note(loop.time())
