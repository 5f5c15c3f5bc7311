# A list as a class attribute: one for all probes there ever were.
class LagProbe:
    lags = []  # noqa: RUF012

    def __init__(self, interval):
        self.interval = interval
        self.lags.clear()

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
        self.timer = self.loop.call_at(self.due, self.tick)

    def note(self):
        now = self.loop.time()
        while self.due <= now:
            self.lags.append(now - self.due)
            self.due += self.interval
