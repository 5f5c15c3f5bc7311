# Takes "sleep one interval, again and again" for a plan: each late tick moves all later ones.
class LagProbe:
    def __init__(self, interval):
        self.interval, self.lags = interval, []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.watch())
        return self

    async def __aexit__(self, *exc_info):
        self.task.cancel()

    async def watch(self):
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(self.interval)
            self.lags.append(loop.time() - before - self.interval)
