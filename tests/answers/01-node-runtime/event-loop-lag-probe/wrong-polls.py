# Looks many times an interval whether a tick is due: exact, and never lets the loop rest.
class LagProbe:
    def __init__(self, interval):
        self.interval, self.lags = interval, []

    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        self.due = self.loop.time() + self.interval
        self.task = asyncio.create_task(self.watch())
        return self

    async def __aexit__(self, *exc_info):
        self.task.cancel()
        self.note()

    async def watch(self):
        while True:
            await asyncio.sleep(self.interval / 100)
            self.note()

    def note(self):
        now = self.loop.time()
        while self.due <= now:
            self.lags.append(now - self.due)
            self.due += self.interval
