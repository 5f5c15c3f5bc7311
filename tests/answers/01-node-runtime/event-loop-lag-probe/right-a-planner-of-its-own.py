# Another division of labour: a planner that counts whole intervals, and a probe that only arms timers.
class Planner:
    def __init__(self, clock, interval):
        self.clock, self.interval, self.start, self.done = clock, interval, clock(), 0

    def overdue(self):
        now = self.clock() - self.start
        late, self.done = (
            [now - k * self.interval for k in range(self.done + 1, int(now // self.interval) + 1)],
            max(self.done, int(now // self.interval)),
        )
        return late

    def next(self):
        return self.start + (self.done + 1) * self.interval


class LagProbe:
    def __init__(self, interval):
        self._interval = interval
        self.lags = []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self._planner = Planner(loop.time, self._interval)
        self._arm(loop)
        return self

    def _arm(self, loop):
        self._handle = loop.call_at(self._planner.next(), self._fire, loop)

    def _fire(self, loop):
        self.lags += self._planner.overdue()
        self._arm(loop)

    async def __aexit__(self, *_):
        self._handle.cancel()
        self.lags.extend(self._planner.overdue())
