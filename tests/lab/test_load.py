import asyncio

import numpy as np
import pandas as pd
import pytest
from aiohttp import web

from backendlab.lab import load, process


def run(handler, *args, **options):
    """What the generator measures of a server of one handler, in the same process."""

    async def serve_and_load():
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", process.free_port())
        await site.start()
        try:
            return await load.open_loop(site.name, *args, **options)
        finally:
            await runner.cleanup()

    app = web.Application()
    app.add_routes([web.route("*", "/", handler)])
    return asyncio.run(serve_and_load())


async def at_once(request):
    return web.Response(headers={"Server-Timing": "db;dur=1.5, app;dur=3"})


def test_a_row_for_every_request_in_the_order_they_were_due():
    frame = run(at_once, 100, 0.5, arrivals="even")
    assert len(frame) == 50
    assert np.allclose(frame["due"], np.arange(50) / 100)
    assert (frame["status"] == 200).all()
    assert (frame["server_ms"] == 1.5).all()
    assert (frame["due"] <= frame["sent"]).all()
    assert (frame["sent"] < frame["done"]).all()
    assert np.allclose(frame["latency_ms"], 1e3 * (frame["done"] - frame["due"]))
    assert frame.attrs["started"] > 1.7e9


def test_the_loop_is_open_and_a_stall_is_in_the_latency_of_all_who_were_due_meanwhile():
    arrived = []

    async def stalls_until_ten_have_come(request):
        arrived.append(asyncio.Event())
        if len(arrived) == 10:
            for event in arrived:
                event.set()
        await asyncio.wait_for(arrived[0].wait(), 30)
        return web.Response()

    frame = run(stalls_until_ten_have_come, 50, 0.4, arrivals="even")
    assert (frame["status"] == 200).all()  # a closed loop with fewer than ten users would wait for ever
    assert (frame["done"][:10] >= frame["sent"][9]).all()
    assert frame["latency_ms"][0] >= 1e3 * 9 / 50


def test_random_arrivals_have_the_rate_and_repeat_with_the_seed():
    times = load.due_times(1000, 10, seed=3)
    assert 9_500 < len(times) < 10_500
    assert (np.diff(times) > 0).all()
    assert times[-1] < 10
    assert 0.9 < np.diff(times).std() * 1000 < 1.1  # exponential: the deviation of the gaps is their mean
    assert (times == load.due_times(1000, 10, seed=3)).all()
    assert not np.array_equal(times[:9], load.due_times(1000, 10, seed=4)[:9])


def test_unknown_arrivals_are_refused():
    with pytest.raises(ValueError, match="expected"):
        load.due_times(1, 1, arrivals="bursts")


def test_a_failed_request_is_a_row():
    nobody = f"http://127.0.0.1:{process.free_port()}/"
    frame = asyncio.run(load.open_loop(nobody, 50, 0.1, arrivals="even"))
    assert len(frame) == 5
    assert (frame["status"] == 0).all()
    assert set(frame["error"]) == {"ClientConnectorError"}
    assert frame["server_ms"].isna().all()


def test_a_late_answer_is_a_row():
    async def never(request):
        await asyncio.sleep(60)

    frame = run(never, 20, 0.1, arrivals="even", timeout=0.2)
    assert set(frame["error"]) <= {"TimeoutError", "ServerTimeoutError", "ConnectionTimeoutError"}
    assert (frame["status"] == 0).all()


def test_what_is_sent_is_up_to_the_caller():
    async def echo(request):
        return web.Response(status=201 if (await request.json())["n"] == 1 else 400)

    assert set(run(echo, 20, 0.2, method="POST", json={"n": 1})["status"]) == {201}


def test_no_request_is_an_empty_table():
    frame = run(at_once, 10, 0.0)
    assert list(frame.columns) == ["due", "sent", "done", "latency_ms", "server_ms", "status", "error"]
    assert frame.empty


def test_percentiles():
    frame = pd.DataFrame({"latency_ms": [1.0, 2, 3, 4, 100], "server": list("aaaab")})
    assert load.percentiles(frame, q=(50, 100)).to_dict("records") == [{"p50": 3.0, "p100": 100.0}]
    assert load.percentiles(frame, by="server", q=(50, 99.9)).loc["a", "p50"] == 2.5
