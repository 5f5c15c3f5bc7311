# An asynccontextmanager without try/finally: an error of the block leaves the timer on the loop.
from contextlib import asynccontextmanager
from types import SimpleNamespace


@asynccontextmanager
async def LagProbe(interval):
    loop = asyncio.get_running_loop()
    probe = SimpleNamespace(lags=[], due=loop.time() + interval)

    def note():
        now = loop.time()
        while probe.due <= now:
            probe.lags.append(now - probe.due)
            probe.due += interval

    def tick():
        note()
        probe.timer = loop.call_at(probe.due, tick)

    probe.timer = loop.call_at(probe.due, tick)
    yield probe
    probe.timer.cancel()
    note()
