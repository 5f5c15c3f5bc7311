"""The ten scripts, and the histories made of them, are what they say: each is played."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backendlab.lab import anomalies, interleave, interleave_sqlite
from backendlab.lab.services import postgres


@pytest.fixture(scope="module")
def sessions() -> Iterator[interleave.Sessions]:
    with postgres.server() as server, interleave.Sessions(server.dsn()) as opened:
        yield opened


def ending(sessions: interleave.Explorable, table: tuple[str, ...], script: str, begin: str) -> str:
    for statement in table:
        sessions.run("T3", statement)
    return anomalies.verdict(script, interleave.explore(sessions, script, begin))


@pytest.mark.parametrize("level", anomalies.LEVELS)
def test_postgres_is_as_the_record_says(sessions: interleave.Sessions, level: str) -> None:
    told, _ = anomalies.record("hermitage")
    manual, _ = anomalies.record("manual")
    begin = f"BEGIN ISOLATION LEVEL {level}"
    found = {
        (name, level): ending(sessions, anomalies.TABLE, one.script, begin) != "allowed"
        for name, one in anomalies.ANOMALIES.items()
    }
    assert (len(told), len(manual)) == (30, 12)
    assert manual.items() <= told.items()
    assert found == {cell: prevented for cell, prevented in told.items() if cell[1] == level}


def test_a_weaker_database_would_be_told_from_a_stronger_one() -> None:
    """Every script's `sees`, taken for what came, is an anomaly; anything else, or a failure, is none."""
    for one in anomalies.ANOMALIES.values():
        steps: list[interleave.Step | None] = []
        for number, line in enumerate(one.script.splitlines(), 1):
            sql, _, sees = line.partition("  -- sees ")
            rows = None if not sees else [] if sees == "nothing" else [tuple(row.split()) for row in sees.split(", ")]
            steps.append(interleave.Step(number, line[:2], sql[4:], after=number, rows=rows))
        assert anomalies.verdict(one.script, steps) == "allowed"
        failing = steps[-1]
        assert failing
        failing.sqlstate = "40001"
        assert anomalies.verdict(one.script, steps) == "aborted 40001"
        failing.sqlstate, failing.blocked = "", True
        reading = next(step for step in steps if step and step.rows is not None)
        reading.rows = [("other",)]
        assert anomalies.verdict(one.script, steps) == "blocked"


@pytest.mark.parametrize("journal", interleave_sqlite.JOURNALS)
@pytest.mark.parametrize("begin", ["DEFERRED", "IMMEDIATE"])
def test_sqlite_prevents_all_and_says_how(tmp_path: Path, journal: str, begin: str) -> None:
    found = {}
    for name, one in anomalies.ANOMALIES.items():
        with interleave_sqlite.Sessions(tmp_path / f"{name}.db", journal) as sessions:
            found[name] = ending(sessions, anomalies.TABLE, one.script, f"BEGIN {begin}")
    if begin == "IMMEDIATE":
        assert set(found.values()) == {"blocked"}
        return
    code = {"rollback": "SQLITE_BUSY", "WAL": "SQLITE_BUSY_SNAPSHOT"}[journal]
    aborted = [name for name, how in found.items() if how == f"aborted {code}"]
    assert aborted == ["P4", "G2-item", "G2"]
    free = {"rollback": ["G1a"], "WAL": ["G1a", "G1b", "PMP", "G-single"]}[journal]  # what needs no waiting
    assert [name for name, how in found.items() if how == "prevented"] == free
    assert "allowed" not in found.values()


def test_histories_are_true(sessions: interleave.Sessions) -> None:
    """Below the level that is said to prevent it a history comes about as it is told; there and above it doesn't."""
    told = [one for seed in range(16) for one in anomalies.histories(seed)]
    forms = {(one.anomaly, *(line[4:10] for line in one.script.splitlines())): one for one in told}
    assert {name for name, *_ in forms} == {*anomalies.ANOMALIES, "none"}
    for one in forms.values():
        if one.level is None:
            continue
        first = anomalies.LEVELS.index(one.level)
        for at, level in enumerate(anomalies.LEVELS):
            came = ending(sessions, one.table, one.script, f"BEGIN ISOLATION LEVEL {level}")
            assert (came == "allowed") == (at < first), f"{one.text}\nat {level}: {came}"


def test_a_harmless_history_comes_about_at_every_level(sessions: interleave.Sessions) -> None:
    harmless = [one for seed in range(8) for one in anomalies.histories(seed) if one.anomaly == "none"]
    assert len(harmless) == 8
    for one in harmless:
        begin = "BEGIN ISOLATION LEVEL SERIALIZABLE"
        assert ending(sessions, one.table, one.script, begin) == "allowed", one.text  # all that is told came


def test_histories_differ_by_seed_and_stay() -> None:
    texts = [anomalies.show(anomalies.histories(seed)) for seed in range(20)]
    assert len(set(texts)) == 20
    assert texts == [anomalies.show(anomalies.histories(seed)) for seed in range(20)]
    for seed in range(20):
        levels = [one.level for one in anomalies.histories(seed)]
        assert [levels.count(level) for level in (*anomalies.LEVELS, None)] == [2, 2, 1, 1]
