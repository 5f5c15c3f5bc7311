"""PostgreSQL's lock modes and which of them conflict, as its manual says: data in `lockmodes.toml`, with its source."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any, Literal

import pandas as pd

Level = Literal["table", "row"]


@functools.cache
def _all() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("lockmodes.toml").read_text(encoding="utf-8"))


def manual(level: Level) -> pd.DataFrame:
    """Must who asks for a mode (row) wait while another transaction holds a mode (column)? Weakest mode first.

    `level`: `table` for the eight modes of a table, `row` for the four of a row. Booleans; the caller may change them.
    """
    read = _all()[level]
    waits = [[mark == "X" for mark in line] for line in read["conflicts"]]
    return pd.DataFrame(
        waits, index=pd.Index(read["modes"], name="asked for"), columns=pd.Index(read["modes"], name="held")
    )


def source(level: Level) -> str:
    """Where the manual says so: the table's title and its address."""
    read = _all()[level]
    return f"{read['title']}, {read['source']}"
