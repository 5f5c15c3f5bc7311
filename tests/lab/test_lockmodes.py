"""The manual's tables of lock conflicts, as data."""

import pytest

from backendlab.lab import lockmodes

# src/backend/storage/lmgr/lock.c, LockConflicts: with how many modes each one conflicts
CONFLICTS = {"table": [1, 2, 4, 5, 5, 6, 7, 8], "row": [1, 2, 3, 4]}


@pytest.mark.parametrize("level", ["table", "row"])
def test_the_table_is_whole_and_symmetric(level: lockmodes.Level) -> None:
    waits = lockmodes.manual(level)
    assert list(waits.index) == list(waits.columns)
    assert waits.to_numpy().tolist() == waits.to_numpy().T.tolist()  # who conflicts, does so in either order
    assert waits.sum(axis=1).tolist() == CONFLICTS[level]


def test_known_pairs() -> None:
    table, row = lockmodes.manual("table"), lockmodes.manual("row")
    assert table.columns[table.loc["ACCESS SHARE"]].tolist() == ["ACCESS EXCLUSIVE"]
    assert not table.loc["SHARE", "SHARE"]
    assert table.loc["SHARE UPDATE EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"]
    assert not row.loc["FOR KEY SHARE", "FOR NO KEY UPDATE"]


def test_each_caller_gets_its_own_copy() -> None:
    first = lockmodes.manual("row")
    first.loc[:, :] = False
    assert lockmodes.manual("row").loc["FOR UPDATE", "FOR UPDATE"]


def test_the_source_is_a_page_of_the_manual() -> None:
    assert "https://www.postgresql.org/docs/18/explicit-locking.html" in lockmodes.source("table")
