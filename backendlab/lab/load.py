"""An open-loop load generator: requests go out when they are due, whether or not earlier ones have been answered.

A *closed* loop (so many users, each waiting for its answer before it asks again) slows down with the server, and so
leaves out the very requests that would have waited longest: "coordinated omission", as Gil Tene calls it
(https://github.com/giltene/wrk2#acknowledgements). Here latency counts from the moment a request was *due*, so that
time it spent waiting for a late generator, too, is in it.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
import numpy as np
import pandas as pd

_DURATION = re.compile(r"\bdur=([0-9.]+)")


def due_times(rate: float, seconds: float, *, arrivals: str = "poisson", seed: int = 1) -> np.ndarray:
    """When requests are due, in seconds from the start: `rate` a second on average, until `seconds`.

    "poisson": independent users, gaps exponentially distributed. "even": a metronome.
    """
    if arrivals == "even":
        return np.arange(math.ceil(rate * seconds)) / rate
    if arrivals != "poisson":
        raise ValueError(f'arrivals: expected "poisson" or "even", got {arrivals!r}')
    generator = np.random.default_rng(seed)
    enough = math.ceil(rate * seconds + 10 * math.sqrt(rate * seconds) + 10)
    times = np.cumsum(generator.exponential(1 / rate, enough))
    return times[times < seconds]


async def open_loop(
    url: str,
    rate: float,
    seconds: float,
    *,
    arrivals: str = "poisson",
    seed: int = 1,
    timeout: float = 30.0,
    method: str = "GET",
    **request: Any,
) -> pd.DataFrame:
    """Send requests at `rate` a second for `seconds`, wait for all answers, and return a row for each, in due order.

    Columns: `due`, `sent`, `done` (seconds from the start; `done - sent` is what a naive client would report);
    `latency_ms` (from `due` to `done`); `server_ms` (the first `dur` of the answer's Server-Timing header, or NaN);
    `status` (0 if there was no answer) and `error` (the exception's name, or ""). `attrs["started"]` is the start in
    seconds since 1970. A failed request is a row, never an exception. `request` goes to aiohttp (`json`, `headers` …).
    """
    due = due_times(rate, seconds, arrivals=arrivals, seed=seed)
    limits = aiohttp.ClientTimeout(total=timeout)
    # No limit of connections: with one, requests would queue in the client, and the loop would close.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=limits) as session:
        started, zero = time.time(), time.perf_counter()

        async def send(at: float) -> dict[str, Any]:
            row: dict[str, Any] = {"due": at, "sent": time.perf_counter() - zero}
            row |= {"server_ms": math.nan, "status": 0, "error": ""}
            try:
                async with session.request(method, url, **request) as response:
                    await response.read()
                    row["status"] = response.status
                    if found := _DURATION.search(response.headers.get("Server-Timing", "")):
                        row["server_ms"] = float(found[1])
            except (aiohttp.ClientError, TimeoutError, OSError) as caught:
                row["error"] = type(caught).__name__
            row["done"] = time.perf_counter() - zero
            row["latency_ms"] = (row["done"] - at) * 1e3
            return row

        sending = []
        try:
            for at in due.tolist():
                if (left := at - (time.perf_counter() - zero)) > 0:
                    await asyncio.sleep(left)
                sending.append(asyncio.create_task(send(at)))
            rows = await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()  # only after an interrupt is there anything left to cancel
    columns = ["due", "sent", "done", "latency_ms", "server_ms", "status", "error"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs["started"] = started
    return frame


def percentiles(
    frame: pd.DataFrame,
    column: str = "latency_ms",
    *,
    by: str | Sequence[str] | None = None,
    q: Sequence[float] = (50, 95, 99),
) -> pd.DataFrame:
    """Percentiles of a column, named p50, p95 …; a row for each value of `by`, or one row in all."""
    shares = np.array(q) / 100
    names = [f"p{share:g}" for share in q]
    if by is None:
        return pd.DataFrame([frame[column].quantile(shares).to_list()], columns=names)
    keys = [by] if isinstance(by, str) else list(by)
    table = frame.groupby(keys)[column].quantile(shares).unstack()
    table.columns = names
    return table
