# Reports the time since the last tick, as monitorEventLoopDelay does: an idle loop seems to be late by an interval.
class LagProbe:
    def __init__(self, interval):
        self.interval, self.lags = interval, []

    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        self.last, self.due = self.loop.time(), self.loop.time() + self.interval
        self.timer = self.loop.call_at(self.due, self.tick)
        return self

    async def __aexit__(self, *exc_info):
        self.timer.cancel()

    def tick(self):
        now = self.loop.time()
        self.lags.append(now - self.last)
        self.last = now
        self.due += self.interval
        self.timer = self.loop.call_at(self.due, self.tick)
