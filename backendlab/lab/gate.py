"""The worst schedule for transactions that read and then write: nobody writes before everybody has read who can.

    async with gate.of_postgres(dsn) as at_gate:
        hold = at_gate.join(connection.info.backend_pid)  # this session takes part
        n = await read(connection)
        await hold()                                      # between its read and its write
        await write(connection, n - 1)
        at_gate.leave(connection.info.backend_pid)

Who comes to the gate is held there until every session that takes part is at the gate too, or waits in the database
for a lock: until nobody can go on without the held ones. Then all of them go on. No moment has to be hit, and no pause
has to be long enough: a race that this schedule can make happen happens in every run.

Sources: postgresql.org/docs/18, view-pg-locks (a row that is not `granted` is a session that waits).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

import psycopg

PATIENCE = 60.0  # seconds in which something must happen; far more than any step takes


class GateError(RuntimeError):
    """The sessions at the gate can't be let go: others that take part neither come to it, nor wait, nor leave."""

    def _render_traceback_(self) -> list[str]:
        return [f"GateError: {self}"]


class Gate:
    """A gate for sessions, each known by a name of its own (for PostgreSQL, the number of its server process).

    `waiting(names)` says which of these wait for a lock now. `openings` counts how often the gate has opened.
    """

    def __init__(self, waiting: Callable[[set[Hashable]], Awaitable[set[Hashable]]]):
        self._waiting = waiting
        self._members: dict[Hashable, float] = {}
        self._held: dict[Hashable, asyncio.Future[None]] = {}
        self._changed = asyncio.Event()
        self.openings = 0

    def join(self, name: Hashable, times: float = math.inf) -> Callable[[], Awaitable[None]]:
        """From now on the gate stays shut until this session is at it, waits, or has left; returns its way to the gate.

        After it has gone through so many times, it has left by itself, and walks past from then on.
        """
        self._members[name] = times
        self._changed.set()
        return lambda: self._hold(name)

    def leave(self, name: Hashable) -> None:
        """This session takes no part any more."""
        self._members.pop(name, None)
        self._changed.set()

    async def _hold(self, name: Hashable) -> None:
        if name not in self._members:
            return
        self._held[name] = asyncio.get_running_loop().create_future()
        self._changed.set()
        try:
            await self._held[name]
        finally:
            self._held.pop(name, None)

    def _open(self) -> None:
        self.openings += 1
        for name, one in self._held.items():
            self._members[name] -= 1
            if not self._members[name]:
                del self._members[name]
            if not one.done():
                one.set_result(None)
        self._held.clear()

    async def keep(self) -> None:
        """Open the gate whenever nobody else can go on. Runs until it is cancelled."""
        pause, since = 0.0005, time.monotonic()
        while True:
            moving = set(self._members) - set(
                self._held
            )  # before the database is asked: who waits then has not moved since
            if self._held and not (moving and moving - await self._waiting(moving)):
                self._open()
                pause, since = 0.0005, time.monotonic()
            elif self._held and time.monotonic() > since + PATIENCE:
                late = GateError(f"nothing happened for {PATIENCE:g} s; neither at the gate nor waiting: {moving}")
                for one in self._held.values():
                    if not one.done():
                        one.set_exception(late)
            if not self._held:
                self._changed.clear()
                await self._changed.wait()
                since = time.monotonic()
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.005)


@contextlib.asynccontextmanager
async def _kept(gate: Gate) -> AsyncIterator[Gate]:
    keeper = asyncio.create_task(gate.keep())
    try:
        yield gate
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper


@contextlib.asynccontextmanager
async def of_postgres(dsn: str) -> AsyncIterator[Gate]:
    """A gate for sessions of this PostgreSQL server; it looks through a session of its own."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as observer:

        async def waiting(pids: set[Hashable]) -> set[Hashable]:
            found = await observer.execute(
                "SELECT DISTINCT pid FROM pg_locks WHERE NOT granted AND pid = ANY(%s)", [list(pids)]
            )
            return {pid for (pid,) in await found.fetchall()}

        async with _kept(Gate(waiting)) as gate:
            yield gate


@contextlib.asynccontextmanager
async def of_tasks() -> AsyncIterator[Gate]:
    """A gate for sessions that never wait inside the database, such as SQLite's with `timeout=0`."""

    async def waiting(names: set[Hashable]) -> set[Hashable]:
        return set()

    async with _kept(Gate(waiting)) as gate:
        yield gate
