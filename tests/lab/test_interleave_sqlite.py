"""SQLite's sessions: who waits, who can never go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backendlab.lab import interleave, interleave_sqlite


@pytest.fixture(params=interleave_sqlite.JOURNALS)
def journal(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sessions(tmp_path: Path, journal: str) -> Iterator[interleave_sqlite.Sessions]:
    with interleave_sqlite.Sessions(tmp_path / "test.db", journal) as opened:
        opened.run("T0", "CREATE TABLE test (id int PRIMARY KEY, value int)")
        opened.run("T0", "INSERT INTO test VALUES (1, 10), (2, 20)")
        yield opened


def test_a_writer_waits_for_a_writer_and_goes_on(sessions: interleave_sqlite.Sessions) -> None:
    sessions.run("T1", "BEGIN IMMEDIATE")
    waiting = sessions.run("T2", "UPDATE test SET value = value + 1 WHERE id = 1")
    assert waiting.outcome == "waits"
    with pytest.raises(interleave.ScriptError, match="T2 can't run SELECT 1"):
        sessions.run("T2", "SELECT 1")
    sessions.run("T1", "UPDATE test SET value = 12 WHERE id = 1")
    assert waiting.after is None
    sessions.run("T1", "COMMIT")
    assert (waiting.sqlstate, waiting.count, waiting.blocked) == ("", 1, True)
    assert sessions.run("T0", "SELECT value FROM test WHERE id = 1").rows == [(13,)]


def test_a_reader_that_wants_to_write_can_never_go_on(sessions: interleave_sqlite.Sessions, journal: str) -> None:
    for name in ("T1", "T2"):
        sessions.run(name, "BEGIN")
        sessions.run(name, "SELECT value FROM test WHERE id = 1")
    sessions.run("T1", "UPDATE test SET value = 11 WHERE id = 1")
    upgrade = sessions.run("T2", "UPDATE test SET value = 12 WHERE id = 1")
    assert upgrade.outcome == "waits"
    commit = sessions.run("T1", "COMMIT")
    assert upgrade.sqlstate == {"rollback": "SQLITE_BUSY", "WAL": "SQLITE_BUSY_SNAPSHOT"}[journal]
    sessions.run("T2", "ROLLBACK")
    assert commit.sqlstate == ""
    assert commit.after is not None
    assert sessions.run("T0", "SELECT value FROM test WHERE id = 1").rows == [(11,)]


def test_a_mistake_in_sql_is_a_failure(sessions: interleave_sqlite.Sessions) -> None:
    step = sessions.run("T1", "SELECT nothing FROM test")
    assert step.outcome == "fails SQLITE_ERROR"
    assert "nothing" in step.message


def test_a_third_that_only_reads_is_no_circle(sessions: interleave_sqlite.Sessions, journal: str) -> None:
    """A commit waits for a reader in rollback mode, as long as that is not waiting itself."""
    sessions.run("T3", "BEGIN")
    sessions.run("T3", "SELECT * FROM test")
    sessions.run("T1", "BEGIN IMMEDIATE")
    sessions.run("T1", "UPDATE test SET value = 0")
    commit = sessions.run("T1", "COMMIT")
    assert commit.outcome == {"rollback": "waits", "WAL": "done"}[journal]
    sessions.run("T3", "COMMIT")
    assert commit.sqlstate == ""
    assert commit.after is not None
