"""The lag probe: what it promises about its plan, its gaps and its cost, and the loop that turns its own clock."""

import asyncio
import time

import pytest

from backendlab.lab import lag

LOOPS = ["asyncio", "uvloop"]


def hold(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def probed(interval, *holds):
    async with lag.Probe(interval) as probe:
        began = time.perf_counter()
        for seconds in holds:
            await asyncio.sleep(3 * interval)
            hold(seconds)
            await asyncio.sleep(3 * interval)
        elapsed = time.perf_counter() - began
    return probe, elapsed


@pytest.mark.parametrize("kind", LOOPS)
def test_a_block_is_in_the_largest_gap_and_in_the_largest_lag(kind):
    probe, _ = lag.run(probed, 0.005, 0.05, 0.02, loop=kind)
    assert max(probe.gaps) >= 0.05
    assert max(probe.lags) >= 0.05 - 2 * 0.005
    assert min(probe.lags) >= 0


@pytest.mark.parametrize("kind", LOOPS)
def test_every_planned_tick_counts_once_however_long_the_loop_was_held(kind):
    probe, elapsed = lag.run(probed, 0.004, 0.1, 0.1, loop=kind)
    assert abs(len(probe.lags) - elapsed / 0.004) <= 2
    assert len(probe.gaps) < len(probe.lags)


def test_a_block_that_ends_the_measurement_is_seen():
    async def main():
        async with lag.Probe(0.005) as probe:
            hold(0.05)
        return probe

    probe = lag.run(main)
    assert max(probe.gaps) >= 0.05
    assert len(probe.lags) >= 9


def test_nothing_of_the_probe_stays_on_the_loop_and_errors_pass():
    async def main():
        probe = lag.Probe(0.002)
        try:
            async with probe:
                await asyncio.sleep(0.01)
                raise LookupError
        except LookupError:
            seen = len(probe.lags)
        await asyncio.sleep(0.02)
        return seen, len(probe.lags), len(asyncio.all_tasks())

    seen, later, tasks = lag.run(main)
    assert seen == later
    assert tasks == 1


def test_the_probe_knows_what_it_costs():
    probe, _ = lag.run(probed, 0.01, 0.0, 0.0, 0.0)
    assert 0 < probe.cost < 0.1


def test_percentiles_are_values_that_occurred():
    assert lag.percentile([3.0, 1.0, 2.0, 4.0], 50) == 2.0
    assert lag.percentile([3.0, 1.0, 2.0, 4.0], 100) == 4.0
    with pytest.raises(ValueError, match="no tick"):
        lag.percentile([], 50)


def test_an_interval_must_be_above_zero():
    with pytest.raises(ValueError, match="above 0"):
        lag.Probe(0)


def test_run_returns_raises_and_knows_its_loops():
    async def name():
        return type(asyncio.get_running_loop()).__module__

    async def fail():
        raise KeyError("x")

    assert lag.run(name, loop="uvloop").startswith("uvloop")
    assert lag.run(name).startswith("asyncio")
    with pytest.raises(KeyError):
        lag.run(fail)
    with pytest.raises(ValueError, match="not 'twisted'"):
        lag.run(name, loop="twisted")


def test_a_turned_clock_takes_no_time_and_wakes_late():
    async def main():
        loop = asyncio.get_running_loop()
        times = []
        for _ in range(3):
            await asyncio.sleep(1000)
            times.append(loop.time())
        loop.hold(5)
        return times, loop.time()

    began = time.perf_counter()
    times, end = lag.run(main, loop=lambda: lag.TurnedClock(wakes_every=300))
    assert (times, end) == ([1200, 2400, 3600], 3605)
    assert time.perf_counter() - began < 100


def test_a_turned_clock_ends_what_keeps_it_awake():
    async def main():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="kept awake"):
        lag.run(main, loop=lambda: lag.TurnedClock(wakes_every=1))
