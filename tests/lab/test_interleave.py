"""Scripted sessions: who runs what, who must wait, who must fail."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from backendlab.lab import interleave
from backendlab.lab.services import postgres


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server(deadlock_timeout="50ms") as started:
        yield started


@pytest.fixture
def dsn(server: postgres.Server) -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS test")
        connection.execute("CREATE TABLE test (id int PRIMARY KEY, value int)")
        connection.execute("INSERT INTO test VALUES (1, 10), (2, 20)")
    return server.dsn()


def test_a_statement_that_waits_goes_on_when_it_may(dsn: str) -> None:
    steps = interleave.play(
        dsn,
        """
        T1: BEGIN
        T2: BEGIN
        T1: UPDATE test SET value = value + 1 WHERE id = 1
        T2: UPDATE test SET value = value + 1 WHERE id = 1  -- blocks
        T3: SELECT value FROM test WHERE id = 1
        T1: COMMIT
        T2: COMMIT
        T3: SELECT value FROM test WHERE id = 1
        """,
    )
    assert [step.after for step in steps] == [1, 2, 3, 6, 5, 6, 7, 8]
    assert steps[3].outcome == "waits, done after step 6"
    assert steps[3].count == 1
    assert [steps[4].rows, steps[7].rows] == [[(10,)], [(12,)]]


def test_a_failure_has_its_sqlstate(dsn: str) -> None:
    steps = interleave.play(
        dsn,
        """
        T1: BEGIN ISOLATION LEVEL REPEATABLE READ
        T2: BEGIN ISOLATION LEVEL REPEATABLE READ
        T1: SELECT value FROM test WHERE id = 1
        T2: SELECT value FROM test WHERE id = 1
        T1: UPDATE test SET value = 11 WHERE id = 1
        T2: UPDATE test SET value = 12 WHERE id = 1  -- blocks, fails 40001
        T1: COMMIT
        T2: ROLLBACK
        """,
    )
    assert steps[5].outcome == "waits, fails 40001 after step 7"
    assert "concurrent update" in steps[5].message


def test_a_deadlock_is_waited_for(dsn: str) -> None:
    with interleave.Sessions(dsn) as sessions:
        for name, one in (("T1", 1), ("T2", 2)):
            sessions.run(name, "BEGIN")
            sessions.run(name, "UPDATE test SET value = 0 WHERE id = %s", [one])
        assert sessions.run("T1", "UPDATE test SET value = 0 WHERE id = 2").blocked
        assert sessions.waits() == {"T1": ["T2"]}
        sessions.run("T2", "UPDATE test SET value = 0 WHERE id = 1")
        assert sorted(step.sqlstate for step in sessions.steps[-2:]) == ["", "40P01"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("T1: SELECT 1  -- blocks", "step 1, T1: SELECT 1: expected: blocks; came: it went through"),
        ("T1: SELECT 1  -- fails 40001", "expected: fails 40001; came: it went through"),
        ("T1: SELECT 1/0", "expected: it goes through; came: fails 22012 (division by zero)"),
        ("T1 SELECT 1", "line 1 of the script is not"),
        ("T1: SELECT 1  -- hangs", "line 1 of the script is not"),
    ],
)
def test_a_promise_that_is_not_kept_is_told(dsn: str, line: str, said: str) -> None:
    with pytest.raises(interleave.ScriptError) as raised:
        interleave.play(dsn, line)
    assert said in str(raised.value)


def test_a_session_that_waits_takes_no_other_statement(dsn: str) -> None:
    with interleave.Sessions(dsn) as sessions:
        sessions.run("T1", "BEGIN")
        sessions.run("T1", "LOCK TABLE test")
        sessions.run("T2", "SELECT * FROM test")
        with pytest.raises(interleave.ScriptError, match=r"step 4: T2 can't run SELECT 2: its step 3 .* waits for T1"):
            sessions.run("T2", "SELECT 2")
    with psycopg.connect(dsn, autocommit=True) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
        end = time.monotonic() + 30  # the server ends a session a moment after its client has gone
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < end
            time.sleep(0.02)


def test_explore_puts_a_waiting_sessions_later_steps_off(dsn: str) -> None:
    script = """
        T1: UPDATE test SET value = 11 WHERE id = 1
        T2: UPDATE test SET value = 12 WHERE id = 1
        T2: UPDATE test SET value = 22 WHERE id = 2
        T1: UPDATE test SET value = 21 WHERE id = 2
        T1: COMMIT
        T2: COMMIT
        T3: SELECT value FROM test ORDER BY id
    """
    with interleave.Sessions(dsn) as sessions:
        became = interleave.explore(sessions, script)
        assert [step.blocked for step in became if step] == [False, True, False, False, False, False, False]
        second, third, fourth = became[1:4]
        assert second and third and fourth and second.after and third.after  # noqa: PT018
        assert second.after > fourth.number
        assert third.number > fourth.number
        assert became[-1]
        assert became[-1].rows == [(12,), (22,)]
        again = interleave.explore(sessions, "T1: SELECT 1")  # nobody is left in a transaction
        assert again[0]
        assert sessions.run("T0", "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'").rows == [(0,)]


def test_explore_takes_no_more_of_a_session_that_failed(dsn: str) -> None:
    script = """
        T1: SELECT value FROM test WHERE id = 1
        T2: UPDATE test SET value = 12 WHERE id = 1
        T2: COMMIT
        T1: UPDATE test SET value = 11 WHERE id = 1
        T1: COMMIT
    """
    with interleave.Sessions(dsn) as sessions:
        became = interleave.explore(sessions, script, begin="BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert [step and step.outcome for step in became] == ["done", "done", "done", "fails 40001", None]


def test_explore_says_who_still_waits(dsn: str) -> None:
    script = "T1: UPDATE test SET value = 1\nT2: UPDATE test SET value = 2"
    with interleave.Sessions(dsn) as sessions, pytest.raises(interleave.ScriptError, match="T2 still waits"):
        interleave.explore(sessions, script)
