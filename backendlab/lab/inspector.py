"""Node's inspector from outside: a small client of the Chrome DevTools Protocol.

The process is started with `--inspect=127.0.0.1:0` (a free port). Methods, parameters and events are those of the
protocol: https://chromedevtools.github.io/devtools-protocol/v8/. Whoever reaches the port can run any code in the
process, so it is opened on 127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from backendlab.lab import process


class InspectorError(RuntimeError):
    """The process has no inspector open, refused a method, or did not answer in time."""


class Session:
    """One connection to one process. Made by `attach`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self._socket = socket
        self._number = 0
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: deque[tuple[str, dict[str, Any]]] = deque()
        self._came = asyncio.Condition()
        self._closed = False

    async def call(self, method: str, *, timeout: float = 30.0, **params: Any) -> dict[str, Any]:
        """Call a method, such as `call("Runtime.evaluate", expression="process.version")`, and return its result."""
        self._number += 1
        number = self._number
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        try:
            reply = await asyncio.wait_for(answer, timeout)
        except TimeoutError:
            raise InspectorError(f"{method}: no answer within {timeout:g} s") from None
        finally:
            self._asked.pop(number, None)
        if "error" in reply:
            raise InspectorError(f"{method}: {reply['error']['message']}")
        return reply["result"]

    async def wait(self, event: str, timeout: float = 30.0) -> dict[str, Any]:
        """The parameters of the next event of that name; one that has come before and was not asked for counts."""
        try:
            async with asyncio.timeout(timeout), self._came:
                await self._came.wait_for(lambda: self._closed or any(name == event for name, _ in self._events))
        except TimeoutError:
            raise InspectorError(f"{event} did not come within {timeout:g} s") from None
        for item in self._events:
            if item[0] == event:
                self._events.remove(item)
                return item[1]
        raise InspectorError(f"the process closed its inspector before {event} came")

    def take(self, event: str) -> list[dict[str, Any]]:
        """The parameters of all events of that name that have come so far; they are forgotten here."""
        taken = [params for name, params in self._events if name == event]
        self._events = deque(item for item in self._events if item[0] != event)
        return taken

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if answer := self._asked.get(said.get("id")):
                if not answer.done():
                    answer.set_result(said)
            elif "method" in said:
                async with self._came:
                    self._events.append((said["method"], said.get("params", {})))
                    self._came.notify_all()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(InspectorError("the process closed its inspector"))
        async with self._came:
            self._closed = True
            self._came.notify_all()


def address(server: process.Process) -> str | None:
    """The WebSocket URL at which a process started with `--inspect` listens, from what it printed; None if not yet."""
    found = re.search(r"Debugger listening on (ws://\S+)", server.output())
    return found[1] if found else None


@contextlib.asynccontextmanager
async def attach(server: process.Process, timeout: float = 10.0) -> AsyncIterator[Session]:
    """Connect to the inspector of a running process, and let go of it at the end of the block (it runs on then)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while address(server) is None and server.alive:
                await asyncio.sleep(0.02)
    url = address(server)
    if url is None:
        raise InspectorError("the process has no inspector open: start it with flags=['--inspect=127.0.0.1:0']")
    async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
        session = Session(socket)
        reader = asyncio.create_task(session._read())
        try:
            yield session
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
