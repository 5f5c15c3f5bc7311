"""Jobs that wait, hold the GIL or release it, importable by another process, and the pools to run them in.

What each does to Python's global interpreter lock (CPython 3.11–3.13, the standard build):

- `wait` sleeps in the kernel: no core, no lock.
- `count` is a loop of bytecode: it holds the lock, and gives it up when another thread has waited a switch interval.
- `total` is one call into C that holds the lock until it returns.
- `digest` is one call into C that releases the lock while it computes (`Py_BEGIN_ALLOW_THREADS` in
  https://github.com/python/cpython/blob/v3.13.0/Modules/_hashopenssl.c).
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


def wait(seconds: float) -> None:
    """Wait, as a blocking call to a database does."""
    time.sleep(seconds)


def count(n: int) -> int:
    """0 + 1 + … + (n - 1), in bytecode."""
    total = 0
    for i in range(n):
        total += i
    return total


def total(n: int) -> int:
    """0 + 1 + … + (n - 1), in one call into C."""
    return sum(range(n))


def digest(rounds: int) -> str:
    """A password's hash, in OpenSSL."""
    return hashlib.pbkdf2_hmac("sha256", b"correct horse", b"battery staple", rounds).hex()


class Timed(NamedTuple):
    """What a job returned, and its seconds: on the wall's clock, and of a core (CPU time of its own thread)."""

    value: Any
    wall: float
    cpu: float


def timed(job: Callable[..., Any], *args: Any) -> Timed:
    """Run `job(*args)` here and measure it."""
    wall, cpu = time.perf_counter(), time.thread_time()
    value = job(*args)
    return Timed(value, time.perf_counter() - wall, time.thread_time() - cpu)


def sized(job: Callable[[int], Any], seconds: float) -> int:
    """How large the argument of a job must be for it to need about `seconds` of a core of this machine."""
    size = 1_000
    while (cpu := min(timed(job, size).cpu for _ in range(3))) < 0.004:
        size *= 2
    return max(1, round(size * seconds / cpu))


def cores() -> int:
    """The cores that this process may use at once, by its affinity.

    A container's quota of CPU time is none of them: it bounds the time over a period of 100 ms, not what runs at once.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def warm(pool: Executor, workers: int) -> None:
    """Return when all workers of a pool are running, so that their start isn't measured with the jobs.

    Each gets a job that waits for the others; quick ones would all be taken by the first worker to start.
    """
    import tempfile  # here, because what the processes are forked from imports this module

    names, until = [str(k) for k in range(workers)], time.time() + 60
    with tempfile.TemporaryDirectory() as folder:
        for met in [pool.submit(meet, folder, name, names, until) for name in names]:
            met.result()


@contextlib.contextmanager
def pools(threads: int, processes: int) -> Iterator[tuple[ThreadPoolExecutor, ProcessPoolExecutor]]:
    """A pool of threads and one of processes, both with all their workers running.

    The processes are forked by one that has only imported this module: a fork of this process would copy locks that
    other threads hold, and to start each anew takes ten times as long.
    """
    clean = multiprocessing.get_context("forkserver")
    clean.set_forkserver_preload([__name__])
    with ThreadPoolExecutor(threads) as in_threads, ProcessPoolExecutor(processes, mp_context=clean) as in_processes:
        warm(in_threads, threads)
        warm(in_processes, processes)
        yield in_threads, in_processes


@dataclass(frozen=True)
class Job:
    """A piece of work, and what kind it is; see the exercise `route-mixed-jobs`."""

    kind: str
    call: Callable[..., Any]
    args: tuple[Any, ...] = ()


def meet(folder: str, name: str, others: Collection[str], until: float) -> str:
    """Say in `folder` that job `name` has begun; return `name` when all `others` have, wherever they run.

    So jobs that meet were under way at the same time. Raises `TimeoutError` at `until` (seconds since 1970).
    """
    Path(folder, name).touch()
    while _missing(folder, name, others, until):
        time.sleep(0.02)
    return name


async def meet_awaiting(folder: str, name: str, others: Collection[str], until: float) -> str:
    """`meet` for a job on the event loop."""
    import asyncio  # here, as above; this would double the time that it takes

    Path(folder, name).touch()
    while _missing(folder, name, others, until):
        await asyncio.sleep(0.02)
    return name


def _missing(folder: str, name: str, others: Collection[str], until: float) -> set[str]:
    missing = set(others).difference(file.name for file in Path(folder).iterdir())
    if missing and time.time() > until:
        raise TimeoutError(f"{name} was under way, but these had not begun: {', '.join(sorted(missing))}")
    return missing
