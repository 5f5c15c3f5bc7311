# Thinks that cancelling the timer is all there is to do on leaving: a block that holds the loop to the end is not seen.
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
        while self.due <= now:
            self.lags.append(now - self.due)
            self.due += self.interval
        self.timer = self.loop.call_at(self.due, self.tick)
