# Thinks that a task starts when it is created: the plan begins only when the loop first comes to it.
class LagProbe:
    def __init__(self, interval):
        self.interval, self.lags, self.due = interval, [], None

    async def __aenter__(self):
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.create_task(self.watch())
        return self

    async def __aexit__(self, *exc_info):
        self.task.cancel()
        if self.due is not None:
            self.note()

    async def watch(self):
        self.due = self.loop.time() + self.interval
        while True:
            await asyncio.sleep(self.due - self.loop.time())
            self.note()

    def note(self):
        now = self.loop.time()
        while self.due <= now:
            self.lags.append(now - self.due)
            self.due += self.interval
