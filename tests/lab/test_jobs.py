import asyncio
import time

import pytest

from backendlab.lab import jobs


def test_jobs_compute_what_they_say():
    assert jobs.count(1000) == jobs.total(1000) == 499_500
    assert jobs.digest(2) == jobs.digest(2) != jobs.digest(3)
    assert jobs.wait(0) is None


def test_timed_tells_waiting_from_computing():
    waited = jobs.timed(jobs.wait, 0.2)
    assert waited.wall >= 0.19 > 2 * waited.cpu
    computed = jobs.timed(jobs.total, jobs.sized(jobs.total, 0.1))
    assert computed.cpu > 2 * waited.cpu


def test_sized_grows_with_the_time_asked_for():
    assert 3 < jobs.sized(jobs.count, 0.2) / jobs.sized(jobs.count, 0.02) < 30


def test_cores_are_what_this_process_may_use():
    assert jobs.cores() >= 1


def test_pools_have_all_workers_running_and_can_be_used_from_the_start():
    with jobs.pools(3, 2) as (threads, processes):
        assert len(threads._threads) == 3
        assert len(processes._processes) == 2
        assert list(processes.map(jobs.total, [10, 11])) == [45, 55]


def test_meeting_needs_all_at_once_wherever_they_run(tmp_path):
    names, until = ["thread", "process", "loop"], time.time() + 60

    async def meet():
        loop = asyncio.get_running_loop()
        return await asyncio.gather(
            loop.run_in_executor(threads, jobs.meet, str(tmp_path), "thread", names, until),
            loop.run_in_executor(processes, jobs.meet, str(tmp_path), "process", names, until),
            jobs.meet_awaiting(str(tmp_path), "loop", names, until),
        )

    with jobs.pools(1, 1) as (threads, processes):
        assert asyncio.run(meet()) == names


def test_who_is_left_alone_says_for_whom_it_waited(tmp_path):
    with pytest.raises(TimeoutError, match="a was under way, but these had not begun: b, c"):
        jobs.meet(str(tmp_path), "a", ["a", "b", "c"], until=time.time())
