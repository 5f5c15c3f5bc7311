"""The network that loses what it is told to, and the card network that books what it is asked to."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from backendlab.lab import lossy


def test_the_proxy_loses_what_is_planned_and_only_that() -> None:
    async def main() -> tuple[list[int], list[str]]:
        seen = []

        async def shop(request: web.Request) -> web.Response:
            seen.append(request.headers.get("Idempotency-Key", ""))
            return web.json_response({"path": request.path, **await request.json()}, status=201)

        app = web.Application()
        app.router.add_post("/{path}", shop)
        statuses = []
        fates = {"lamp": [lossy.REQUEST_LOST, lossy.ANSWER_LOST, lossy.ANSWERED]}
        async with (
            TestServer(app) as server,
            lossy.proxy(str(server.make_url("")).rstrip("/"), fates) as network,
            aiohttp.ClientSession(network) as http,
        ):
            for number in range(4):
                try:
                    headers = {"Idempotency-Key": str(number)}
                    async with http.post("/pay", json={"purchase": "lamp"}, headers=headers) as answer:
                        assert await answer.json() == {"path": "/pay", "purchase": "lamp"}
                        statuses.append(answer.status)
                except aiohttp.ClientError:
                    statuses.append(0)
        return statuses, seen

    assert asyncio.run(main()) == ([0, 0, 201, 201], ["1", "2", "3"])


@pytest.mark.parametrize("lost", [False, True], ids=["both reach the network", "the first is lost on its way"])
def test_two_copies_overlap_and_each_that_arrives_is_booked(lost: bool) -> None:
    async def main() -> tuple[list[object], int]:
        numbers = iter(range(2))
        async with lossy.card_network() as card, aiohttp.ClientSession() as http:

            async def send() -> object:
                if next(numbers) == 0 and lost:
                    return None
                async with http.post(card.url, json={"purchase": "lamp", "cents": 1}) as answer:
                    return answer.status

            return await card.overlap("lamp", send), card.charges["lamp"]

    assert asyncio.run(main()) == ([None, 201], 1) if lost else ([201, 201], 2)


def test_the_second_copy_is_sent_when_the_first_has_come_far_enough_each_time() -> None:
    async def main() -> list[int]:
        on_the_way: list[str] = []
        async with lossy.card_network() as card, aiohttp.ClientSession() as http:

            async def send() -> int:
                before = len(on_the_way)
                await asyncio.sleep(0.02)
                on_the_way.append("asks the network")
                async with http.post(card.url, json={"purchase": "lamp", "cents": 1}) as answer:
                    await answer.read()
                return before

            return [*await card.overlap("lamp", send), *await card.overlap("lamp", send)]

    assert asyncio.run(main()) == [0, 1, 2, 3]
