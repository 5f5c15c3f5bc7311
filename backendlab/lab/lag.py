"""How late is an event loop? A probe of asyncio and uvloop, a place for a loop of one's own, and a loop to test with.

The probe plans a tick every `interval` seconds from the moment it is entered and notes how late each one ran. The plan
never moves: a late tick does not delay the next, and a tick that came due while the loop was held is not lost; it has
waited too, and counts with what it waited. (A histogram with one sample for each tick *that ran* forgets those, and its
median stays small however long the loop was held: https://github.com/nodejs/node/issues/34661.)

    async with lag.Probe(interval=0.005) as probe:
        await work()
    print(lag.percentile(probe.lags, 99))  # seconds
"""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any


class Probe:
    """Measure the running loop for as long as the `async with` block lasts. All times in seconds, by `perf_counter`.

    `lags`: for each planned tick, in order, how late it was; never negative. A callback that held the loop for `b`
    seconds shows as a largest lag between `b - interval` and `b`, give or take a timer's rounding.
    `gaps`: the time from each tick that ran to the next one that ran. A block lies wholly between two ticks, so the
    largest gap is never below the longest block; an idle loop's gaps are about `interval`. It is what Node's
    `monitorEventLoopDelay` records.
    `cost`: the share of the elapsed time that the probe's own callback spent, in CPU time. (The kernel's work of waking
    an idle loop for a tick is not in it; a loop that is busy is awake anyway.)

    Timers are not exact even on an idle loop: asyncio rounds its wait up to whole milliseconds (epoll's unit), uvloop
    rounds a timer to the nearest one, so that a tick can also run up to a millisecond early.
    """

    def __init__(self, interval: float = 0.005):
        if not interval > 0:
            raise ValueError(f"the interval between two ticks is in seconds and above 0, not {interval!r}")
        self.interval = interval
        self.lags: list[float] = []
        self.gaps: list[float] = []
        self._cpu = 0.0

    @property
    def cost(self) -> float:
        return self._cpu / (self._last - self._start)

    async def __aenter__(self) -> Probe:
        self._loop = asyncio.get_running_loop()
        self._start = self._last = time.perf_counter()
        self._planned = 1  # ticks planned so far; the last of them is the one that is awaited
        self._due = self._start + self.interval
        self._handle = self._loop.call_later(self.interval, self._tick)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._handle.cancel()
        now = time.perf_counter()
        if self._due <= now:  # the block ended before the loop could run the tick that was due
            self._note(now)

    def _tick(self) -> None:
        began = time.thread_time()
        now = time.perf_counter()
        self._note(now)
        self._handle = self._loop.call_later(self._due - now, self._tick)
        self._cpu += time.thread_time() - began

    def _note(self, now: float) -> None:
        self.gaps.append(now - self._last)
        self._last = now
        due = self._due
        self.lags.append(now - due if now > due else 0.0)
        while True:  # those that came due meanwhile
            self._planned += 1
            due = self._start + self._planned * self.interval
            if due > now:
                break
            self.lags.append(now - due)
        self._due = due


def percentile(values: Sequence[float], q: float) -> float:
    """The smallest of `values` that at least `q` percent of them don't exceed (nearest rank, as HDR histograms do)."""
    if not values:
        raise ValueError("there is nothing to take a percentile of: the probe saw no tick; let it run longer")
    return sorted(values)[max(0, math.ceil(q / 100 * len(values)) - 1)]


class TurnedClock(asyncio.SelectorEventLoop):
    """A loop whose clock is turned instead of waited for: a test of timers that takes no time and always ends the same.

    Whenever the loop has nothing to do until its next timer, `time()` jumps there, rounded up to a multiple of
    `wakes_every` seconds (real loops wake late too). `hold(seconds)` is what a callback does that keeps the loop that
    long. `turns` counts the iterations; a thousand of them without waiting once end the loop with `RuntimeError`.
    """

    def __init__(self, wakes_every: float):
        self._now, self._wakes_every, self.turns, self._restless = 0.0, wakes_every, 0, 0
        super().__init__(_TurningSelector(self))

    def time(self) -> float:
        return self._now

    def hold(self, seconds: float) -> None:
        self._now += seconds

    def _wait(self, seconds: float | None) -> float:
        """Turn the clock; returns how long to wait for other threads, really."""
        self.turns += 1
        self._restless = self._restless + 1 if seconds == 0 else 0
        if self._restless > 1000:
            self._restless = 0
            raise RuntimeError("the loop is kept awake: 1,000 turns without waiting once")
        if seconds is None:  # no timer at all: only another thread can go on
            return 1.0
        if seconds > 0:
            self._now = math.ceil((self._now + seconds) / self._wakes_every) * self._wakes_every
        return 0.0


class _TurningSelector(selectors.DefaultSelector):
    def __init__(self, loop: TurnedClock):
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        return super().select(self._loop._wait(timeout))


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """A new event loop, `"asyncio"` or `"uvloop"`. Close it."""
    if kind == "asyncio":
        return asyncio.new_event_loop()
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    raise ValueError(f"there are the loops 'asyncio' and 'uvloop', not {kind!r}")


def run(
    main: Callable[..., Coroutine[Any, Any, Any]],
    *args: Any,
    loop: str | Callable[[], asyncio.AbstractEventLoop] = "asyncio",
) -> Any:
    """Run `main(*args)` on a new loop in a thread of its own and return what it returns.

    `loop` is `"asyncio"`, `"uvloop"` or a function that makes a loop. The loop of a notebook's kernel has work of its
    own and is running already; this one has nothing else to do. An interrupt of the kernel cancels it.
    """
    runner = asyncio.Runner(loop_factory=(lambda: new_loop(loop)) if isinstance(loop, str) else loop)
    ended: dict[str, Any] = {}
    task: dict[str, asyncio.Task[Any]] = {}

    async def noted() -> Any:
        task["main"] = asyncio.current_task()  # type: ignore[assignment]
        return await main(*args)

    def target() -> None:
        try:
            with runner:
                ended["value"] = runner.run(noted())
        except BaseException as error:
            ended["error"] = error

    thread = threading.Thread(target=target, name="a loop of its own", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        if "main" in task and thread.is_alive():
            task["main"].get_loop().call_soon_threadsafe(task["main"].cancel)
            thread.join(5.0)
        raise
    if "error" in ended:
        raise ended["error"]
    return ended["value"]
