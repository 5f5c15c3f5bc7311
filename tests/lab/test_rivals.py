"""Clients of a database that a test drives to where they meet."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from backendlab.lab import rivals
from backendlab.lab.services import postgres
from backendlab.student import NotDone, local


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server(deadlock_timeout="30ms") as started:
        yield started


@pytest.fixture
def watch(server: postgres.Server) -> Iterator[psycopg.Connection]:
    with server.connect(autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS test")
        connection.execute("CREATE TABLE test (id int PRIMARY KEY, n int)")
        connection.execute("INSERT INTO test VALUES (1, 0), (2, 0)")
        yield connection


def both(connection: psycopg.Connection, first: int, second: int) -> str:
    with connection.transaction():
        for row in (first, second):
            connection.execute("UPDATE test SET n = n + 1 WHERE id = %s", [row])
    return "done"


def one_by_one(url: str, watch: psycopg.Connection) -> Any:
    def scene(until: rivals.Until) -> Iterator[None]:
        with psycopg.connect(url) as one, psycopg.connect(url) as two:
            for row, holder in ((1, one), (2, two)):
                holder.execute("SELECT 1 FROM test WHERE id = %s FOR UPDATE", [row])
            yield
            for holder in (one, two):
                until(watch, rivals.stuck)
                holder.rollback()

    return scene


def test_a_deadlock_is_forced_and_counted(server: postgres.Server, watch: psycopg.Connection) -> None:
    asked = [{"calls": [[1, 2]]}, {"calls": [[2, 1]]}]
    before = rivals.deadlocks(watch)
    gave = rivals.run(local({"both": both}), "both", server.dsn(), asked, one_by_one(server.dsn(), watch))
    assert rivals.deadlocks(watch) == before + 1
    assert sorted(bool(one[0]["raised"]) for one in gave) == [False, True]
    (raised,) = (one[0] for one in gave if one[0]["raised"])
    assert "DeadlockDetected" in raised["raised"]
    assert "deadlock detected" in raised["said"]


def test_in_one_order_there_is_none(server: postgres.Server, watch: psycopg.Connection) -> None:
    asked = [{"calls": [[1, 2]]}, {"calls": [[1, 2], [1, 2]]}]
    before = rivals.deadlocks(watch)
    gave = rivals.run(local({"both": both}), "both", server.dsn(), asked, one_by_one(server.dsn(), watch))
    assert [[call["value"] for call in one] for one in gave] == [["done"], ["done", "done"]]
    assert rivals.deadlocks(watch) == before
    assert watch.execute("SELECT n FROM test").fetchall() == [(3,), (3,)]


def test_a_gate_holds_a_client_back(server: postgres.Server, watch: psycopg.Connection) -> None:
    saw = []

    def scene(until: rivals.Until) -> Iterator[None]:
        with server.connect(autocommit=True) as gate:
            gate.execute("SELECT pg_advisory_lock(7)")
            yield
            saw.append(until(watch, lambda state: state == {0: "done", 1: "waits"}))
            gate.execute("SELECT pg_advisory_unlock(7)")

    asked = [{"calls": [[1, 2]]}, {"calls": [[2, 1]], "gate": 7}]
    gave = rivals.run(local({"both": both}), "both", server.dsn(), asked, scene)
    assert saw == [True]
    assert [one[0]["value"] for one in gave] == ["done", "done"]


def test_how_a_connection_was_left(server: postgres.Server, watch: psycopg.Connection) -> None:
    def leave(connection: psycopg.Connection, how: str) -> None:
        if how == "CLOSED":
            connection.close()
        elif how != "IDLE":
            connection.execute("SELECT 1" if how == "INTRANS" else "SELECT 1 / 0")

    ways = ["IDLE", "INTRANS", "INERROR", "CLOSED"]
    (gave,) = rivals.run(local({"leave": leave}), "leave", server.dsn(), [{"calls": [[way] for way in ways]}])
    assert [one["left"] for one in gave] == ways


def test_no_answer_yet_is_said_kindly(server: postgres.Server) -> None:
    def todo(connection: psycopg.Connection) -> None:
        raise NotImplementedError

    for names in ({}, {"todo": todo}):
        with pytest.raises(NotDone):
            rivals.run(local(names), "todo", server.dsn(), [{"calls": [[]]}])
