# Keeps its percentiles up to date in the callback: the longer it runs, the more of the loop it takes.
import statistics


class LagProbe:
    def __init__(self, interval):
        self.interval, self.lags, self.p99 = interval, [], 0.0

    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        self.due = self.loop.time() + self.interval
        self.timer = self.loop.call_at(self.due, self.tick)
        return self

    async def __aexit__(self, *exc_info):
        self.timer.cancel()
        self.note()

    def tick(self):
        self.note()
        if len(self.lags) > 1:
            self.p99 = statistics.quantiles(self.lags, n=100)[98]
        self.timer = self.loop.call_at(self.due, self.tick)

    def note(self):
        now = self.loop.time()
        while self.due <= now:
            self.lags.append(now - self.due)
            self.due += self.interval
