# A task instead of a timer; the plan begins on entering, and leaving waits for the task's end.
class LagProbe:
    def __init__(self, interval):
        self.interval = interval
        self.lags = []

    async def __aenter__(self):
        self.start = asyncio.get_running_loop().time()
        self.task = asyncio.create_task(self.watch())
        return self

    async def __aexit__(self, kind, error, trace):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.catch_up()

    async def watch(self):
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.start + (len(self.lags) + 1) * self.interval - loop.time())
            self.catch_up()

    def catch_up(self):
        now = asyncio.get_running_loop().time()
        planned = int((now - self.start) / self.interval)
        for k in range(len(self.lags) + 1, planned + 1):
            self.lags.append(now - (self.start + k * self.interval))
