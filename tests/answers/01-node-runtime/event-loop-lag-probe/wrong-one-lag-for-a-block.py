# Thinks that a tick which came due while the loop was held can be skipped: one sample for a block, however long.
class LagProbe:
    def __init__(self, interval):
        self.interval, self.lags = interval, []

    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        self.due = self.loop.time() + self.interval
        self.timer = self.loop.call_at(self.due, self.tick)
        return self

    async def __aexit__(self, *exc_info):
        self.timer.cancel()

    def tick(self):
        now = self.loop.time()
        self.lags.append(now - self.due)
        while self.due <= now:
            self.due += self.interval
        self.timer = self.loop.call_at(self.due, self.tick)
