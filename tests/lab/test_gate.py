"""The gate: whoever reads before writing meets the worst order of events, in every run."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import psycopg
import pytest

from backendlab.lab import gate
from backendlab.lab.services import postgres


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with postgres.server() as started:
        with started.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE stock (n int)")
            connection.execute("INSERT INTO stock VALUES (10)")
        yield started.dsn()


async def sell(dsn: str, sessions: int, lock: str, times: float = 1) -> int:
    """Each session sells one of ten by reading and writing; what is left."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as admin:
        await admin.execute("UPDATE stock SET n = 10")

        async def one(connection: psycopg.AsyncConnection, hold: Callable[[], Awaitable[None]]) -> None:
            async with connection, connection.transaction():
                found = await (await connection.execute(f"SELECT n FROM stock {lock}")).fetchone()
                assert found
                await hold()
                await connection.execute("UPDATE stock SET n = %s", [found[0] - 1])

        async with gate.of_postgres(dsn) as at_gate:
            connections = [await psycopg.AsyncConnection.connect(dsn) for _ in range(sessions)]
            holds = [at_gate.join(each.info.backend_pid, times) for each in connections]
            await asyncio.gather(*map(one, connections, holds))
        left = await (await admin.execute("SELECT n FROM stock")).fetchone()
        assert left
        return left[0]


def test_whoever_does_not_lock_reads_before_anybody_writes(dsn: str) -> None:
    for _ in range(3):
        assert asyncio.run(sell(dsn, 6, "")) == 9


def test_whoever_waits_for_a_lock_does_not_keep_the_gate_shut(dsn: str) -> None:
    assert asyncio.run(sell(dsn, 6, "FOR UPDATE")) == 4


def test_it_opens_for_all_together_and_lets_go_of_who_has_passed_often_enough() -> None:
    async def passed() -> tuple[list[str], int]:
        order: list[str] = []

        async def one(name: str, hold: Callable[[], Awaitable[None]]) -> None:
            for step in range(3):
                order.append(f"{name}{step}")
                await hold()
            at_gate.leave(name)

        async with gate.of_tasks() as at_gate:
            holds = [at_gate.join("a"), at_gate.join("b", times=1)]
            await asyncio.gather(*map(one, "ab", holds))
            return order, at_gate.openings

    order, openings = asyncio.run(passed())
    assert sorted(order[:2]) == ["a0", "b0"]  # nobody goes on before both are there
    assert order.index("b2") < order.index("a2")  # b walks past from then on; a waits at its second opening
    assert openings == 3


def test_a_session_that_never_comes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PATIENCE", 0.1)

    async def stuck() -> None:
        async with gate.of_tasks() as at_gate:
            at_gate.join("never comes")
            await at_gate.join("comes")()

    with pytest.raises(gate.GateError, match="never comes"):
        asyncio.run(stuck())
