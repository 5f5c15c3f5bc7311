"""A network that loses requests and answers, and a card network that books what it is asked to: for topic 4.5.

Both run on the kernel's own loop and listen on a free port of 127.0.0.1. What is lost is planned beforehand, request by
request, so that every shop behind the proxy meets the same luck.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

ANSWERED, REQUEST_LOST, ANSWER_LOST = "answered", "request lost", "answer lost"

PATIENCE = 20.0  # seconds until a purchase that should be at the card network, or answered, is given up
T = TypeVar("T")


@contextlib.asynccontextmanager
async def proxy(upstream: str, fates: Mapping[str, Sequence[str]]) -> AsyncIterator[str]:
    """The address of a proxy before `upstream`, for as long as the block lasts.

    `fates[purchase]` says what becomes of the first, second, … request whose JSON body has that `purchase`: it is
    ANSWERED, or its connection is cut, before the shop gets it (REQUEST_LOST) or after the shop has answered
    (ANSWER_LOST). The client sees the same in both cases. A request beyond the list is answered.
    """
    seen: Counter[str] = Counter()

    async def forward(request: web.Request) -> web.Response:
        body = await request.json()
        number, planned = seen[body["purchase"]], fates.get(body["purchase"], ())
        seen[body["purchase"]] += 1
        fate = planned[number] if number < len(planned) else ANSWERED
        if fate == REQUEST_LOST:
            return _cut(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() == "idempotency-key"}
        async with shop.post(f"{upstream}{request.path}", json=body, headers=headers) as answer:
            content = await answer.read()
        if fate == ANSWER_LOST:
            return _cut(request)
        return web.Response(body=content, status=answer.status, content_type="application/json")

    app = web.Application()
    app.router.add_post("/{path:.*}", forward)
    everyone = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=everyone) as shop, TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


def _cut(request: web.Request) -> web.Response:
    """End the client's connection without a byte of an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


class CardNetwork:
    """Books every charge it is asked for, as a real one does: who asks twice, pays twice.

    `url` takes a POST of `{"purchase": …, "cents": …}`; `charges` counts what was booked for each purchase.
    """

    def __init__(self, url: str = ""):
        self.url = url
        self.charges: Counter[str] = Counter()
        self._held: dict[str, asyncio.Event] = {}
        self._asked: Counter[str] = Counter()

    async def _charge(self, request: web.Request) -> web.Response:
        order = await request.json()
        self._asked[order["purchase"]] += 1
        if gate := self._held.get(order["purchase"]):
            await gate.wait()
        self.charges[order["purchase"]] += 1
        return web.json_response({"charge": f"{order['purchase']}-{self.charges[order['purchase']]}"}, status=201)

    async def overlap(self, purchase: str, send: Callable[[], Awaitable[T]]) -> list[T]:
        """Send two copies of a purchase so that the second comes while the first is being charged; both results.

        The network books neither before each copy has come this far or was answered (or lost) on its way.
        """
        gate = self._held[purchase] = asyncio.Event()
        before, copies = self._asked[purchase], list[asyncio.Future[T]]()
        try:
            async with asyncio.timeout(PATIENCE):
                while len(copies) < 2:
                    copies.append(asyncio.ensure_future(send()))
                    while self._asked[purchase] - before + sum(copy.done() for copy in copies) < len(copies):
                        await asyncio.sleep(0.001)
            gate.set()
            return list(await asyncio.gather(*copies))
        finally:
            gate.set()
            del self._held[purchase]
            for copy in copies:
                copy.cancel()


@contextlib.asynccontextmanager
async def card_network() -> AsyncIterator[CardNetwork]:
    """A card network that listens for as long as the block lasts."""
    network = CardNetwork()
    app = web.Application()
    app.router.add_post("/charge", network._charge)
    async with TestServer(app) as server:
        network.url = str(server.make_url("/charge"))
        yield network
