# Returns something true from __aexit__ (here: self, as __aenter__ does), which silences the block's errors.
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
        self.note()
        return self

    def tick(self):
        self.note()
        self.timer = self.loop.call_at(self.due, self.tick)

    def note(self):
        now = self.loop.time()
        while self.due <= now:
            self.lags.append(now - self.due)
            self.due += self.interval
