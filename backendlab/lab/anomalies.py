"""The ten anomalies of transactions that run at once, each a script that `interleave.explore` plays.

What stands after `-- sees` is what a step gives if the anomaly happens. An anomaly *has happened* when all of that
came and no statement failed. Everything else is an ending that prevents it, in three ways: somebody was aborted,
somebody had to wait, or neither (`verdict`). `record` has what others say of PostgreSQL, kept in `anomalies.toml`.

`histories` are the same ten in other clothes, another six for each seed, for an exercise.

Sources of the names: Adya, Liskov and O'Neil 2000 (G0–G2), Berenson and others 1995 (P4), Bailis and others 2013 (OTV,
PMP), in the order in which Hermitage has them. The scripts are our own.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from backendlab.lab.interleave import Step

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
"""PostgreSQL's, from the weakest to the strongest. READ UNCOMMITTED is its READ COMMITTED under another name."""


class Anomaly(NamedTuple):
    """`called`: what people say; `means`: what has happened; `script`: how; `prevented_from`: PostgreSQL's level."""

    called: str
    means: str
    script: str
    prevented_from: str


# {t} is a table with the columns {k} and {v}, {x} and {y} are rows of it that begin with {a} and {b}; {p}, {q} and
# {big} are other numbers, {m} and {n} rows that are not there yet.
READ = "SELECT {v} FROM {t} WHERE {k} = "
BOTH = "SELECT {k}, {v} FROM {t} WHERE {k} IN ('{x}', '{y}') ORDER BY {k}"
LARGE = "SELECT {k} FROM {t} WHERE {v} >= {big} ORDER BY {k}"
WRITE = "UPDATE {t} SET {v} = "
HERE = " WHERE {k} = "

_ALL = {
    "G0": Anomaly(
        "dirty write",
        "two transactions overwrite each other's rows crosswise: what is left is neither's",
        f"""
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {WRITE}{{q}}{HERE}'{{x}}'
        T2: {WRITE}{{q}}{HERE}'{{y}}'
        T2: COMMIT
        T1: {WRITE}{{p}}{HERE}'{{y}}'
        T1: COMMIT
        T3: {BOTH}  -- sees {{x}} {{q}}, {{y}} {{p}}
        """,
        LEVELS[0],
    ),
    "G1a": Anomaly(
        "aborted read",
        "a transaction reads what another wrote and then rolled back: it never was",
        f"""
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {READ}'{{x}}'  -- sees {{p}}
        T1: ROLLBACK
        T2: COMMIT
        """,
        LEVELS[0],
    ),
    "G1b": Anomaly(
        "intermediate read",
        "a transaction reads a value that its writer overwrote itself before it committed",
        f"""
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {READ}'{{x}}'  -- sees {{p}}
        T1: {WRITE}{{q}}{HERE}'{{x}}'
        T1: COMMIT
        T2: COMMIT
        """,
        LEVELS[0],
    ),
    "G1c": Anomaly(
        "circular information flow",
        "each of two transactions has read what the other wrote: none can have been first",
        f"""
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {WRITE}{{q}}{HERE}'{{y}}'
        T1: {READ}'{{y}}'  -- sees {{q}}
        T2: {READ}'{{x}}'  -- sees {{p}}
        T1: COMMIT
        T2: COMMIT
        """,
        LEVELS[0],
    ),
    "OTV": Anomaly(
        "observed transaction vanishes",
        "a transaction sees one write of another that commits, and afterwards a row as it was before it",
        f"""
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T1: {WRITE}{{p}}{HERE}'{{y}}'
        T2: {WRITE}{{q}}{HERE}'{{x}}'
        T1: COMMIT
        T3: {READ}'{{x}}'  -- sees {{q}}
        T2: {WRITE}{{q}}{HERE}'{{y}}'
        T3: {READ}'{{y}}'  -- sees {{p}}
        T2: COMMIT
        T3: COMMIT
        """,
        LEVELS[0],
    ),
    "PMP": Anomaly(
        "phantom",
        "a transaction asks the same condition twice and finds other rows the second time",
        f"""
        T1: {LARGE}  -- sees nothing
        T2: INSERT INTO {{t}} VALUES ('{{m}}', {{big}})
        T2: COMMIT
        T1: {LARGE}  -- sees {{m}}
        T1: COMMIT
        """,
        LEVELS[1],
    ),
    "P4": Anomaly(
        "lost update",
        "two transactions read the same value, both write what they made of it: one write is gone",
        f"""
        T1: {READ}'{{x}}'  -- sees {{a}}
        T2: {READ}'{{x}}'  -- sees {{a}}
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {WRITE}{{q}}{HERE}'{{x}}'
        T1: COMMIT
        T2: COMMIT
        T3: {READ}'{{x}}'  -- sees {{q}}
        """,
        LEVELS[1],
    ),
    "G-single": Anomaly(
        "read skew",
        "a transaction sees one row as it was before another's commit, and then another row as it was after it",
        f"""
        T1: {READ}'{{x}}'  -- sees {{a}}
        T2: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {WRITE}{{q}}{HERE}'{{y}}'
        T2: COMMIT
        T1: {READ}'{{y}}'  -- sees {{q}}
        T1: COMMIT
        """,
        LEVELS[1],
    ),
    "G2-item": Anomaly(
        "write skew",
        "two transactions read the same rows and write different ones: each made the other's reason untrue",
        f"""
        T1: {BOTH}  -- sees {{x}} {{a}}, {{y}} {{b}}
        T2: {BOTH}  -- sees {{x}} {{a}}, {{y}} {{b}}
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T2: {WRITE}{{q}}{HERE}'{{y}}'
        T1: COMMIT
        T2: COMMIT
        T3: {BOTH}  -- sees {{x}} {{p}}, {{y}} {{q}}
        """,
        LEVELS[2],
    ),
    "G2": Anomaly(
        "write skew on a condition",
        "two transactions ask a condition, and each writes a row that would have changed the other's answer",
        f"""
        T1: {LARGE}  -- sees nothing
        T2: {LARGE}  -- sees nothing
        T1: INSERT INTO {{t}} VALUES ('{{m}}', {{big}})
        T2: INSERT INTO {{t}} VALUES ('{{n}}', {{big}})
        T1: COMMIT
        T2: COMMIT
        T3: {LARGE}  -- sees {{m}}, {{n}}
        """,
        LEVELS[2],
    ),
}

PLAIN = {"t": "account", "k": "name", "v": "euros", "x": "ann", "y": "bob", "a": 50, "b": 50, "p": 10, "q": 20}
PLAIN |= {"big": 100, "m": "cleo", "n": "dan"}


def _dress(script: str, words: dict[str, object]) -> str:
    """A script with these words in it, without indentation."""
    return "\n".join(line.strip() for line in script.strip().splitlines()).format(**words)


ANOMALIES = {name: one._replace(script=_dress(one.script, PLAIN)) for name, one in _ALL.items()}
"""By name, in Hermitage's order, on a table `account` of which ann and bob have 50 euros each (`TABLE`)."""

TABLE = (
    "DROP TABLE IF EXISTS account",
    "CREATE TABLE account (name text PRIMARY KEY, euros int NOT NULL)",
    "INSERT INTO account VALUES ('ann', 50), ('bob', 50)",
)
"""The statements that make it anew, in PostgreSQL and in SQLite."""


def record(who: str) -> tuple[dict[tuple[str, str], bool], str]:
    """What is written of PostgreSQL: (anomaly, level) → prevented, and where. `who`: `hermitage` (all 30 cells) or
    `manual` (12 of them, as far as its table names the same things).
    """
    kept = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())[who]
    found = {(name, level): level in levels for name, levels in kept["prevented"].items() for level in LEVELS}
    return found, kept["source"]


def seen(step: Step | None) -> str | None:
    """What a step gave, as a script says it: `50`, `ann 50, bob 50`, `nothing`; None if it was never taken."""
    if step is None or step.rows is None:
        return None
    return ", ".join(" ".join(map(str, row)) for row in step.rows) or "nothing"


def verdict(script: str, steps: Sequence[Step | None]) -> str:
    """`allowed` if the anomaly has happened; else how it was prevented: `aborted` with the error's name (several, if
    they differ), `blocked`, or plainly `prevented`.
    """
    failed = sorted({step.sqlstate for step in steps if step and step.sqlstate})
    promised = [re.search(r"-- sees (.+)", line) for line in script.splitlines()]
    if not failed and all(seen(step) == sees[1] for step, sees in zip(steps, promised, strict=True) if sees):
        return "allowed"
    if failed:
        return f"aborted {' '.join(failed)}"
    return "blocked" if any(step and step.blocked for step in steps) else "prevented"


# ---- histories, for an exercise -------------------------------------------------------------------------------------

_VARIANTS: dict[str, list[str]] = {  # the same anomalies, told in another way
    "G1a": [
        f"""
        T1: {WRITE}{{p}}{HERE}'{{x}}'
        T1: {WRITE}{{q}}{HERE}'{{y}}'
        T2: {READ}'{{y}}'  -- sees {{q}}
        T2: COMMIT
        T1: ROLLBACK
        """
    ],
    "PMP": [
        f"""
        T1: SELECT {{k}} FROM {{t}} WHERE {{v}} < {{big}} ORDER BY {{k}}  -- sees {{x}}, {{y}}
        T2: DELETE FROM {{t}}{HERE}'{{y}}'
        T2: COMMIT
        T1: SELECT {{k}} FROM {{t}} WHERE {{v}} < {{big}} ORDER BY {{k}}  -- sees {{x}}
        T1: COMMIT
        """
    ],
    "P4": [
        f"""
        T1: {READ}'{{x}}'  -- sees {{a}}
        T2: {READ}'{{x}}'  -- sees {{a}}
        T2: {WRITE}{{p}}{HERE}'{{x}}'
        T2: COMMIT
        T1: {WRITE}{{q}}{HERE}'{{x}}'
        T1: COMMIT
        T3: {READ}'{{x}}'  -- sees {{q}}
        """
    ],
    "G2-item": [
        f"""
        T1: {READ}'{{x}}'  -- sees {{a}}
        T2: {READ}'{{y}}'  -- sees {{b}}
        T2: {WRITE}{{q}}{HERE}'{{x}}'
        T1: {WRITE}{{p}}{HERE}'{{y}}'
        T2: COMMIT
        T1: COMMIT
        T3: {BOTH}  -- sees {{x}} {{q}}, {{y}} {{p}}
        """
    ],
    "G2": [
        f"""
        T1: SELECT count(*) FROM {{t}} WHERE {{v}} >= {{big}}  -- sees 0
        T1: INSERT INTO {{t}} VALUES ('{{m}}', {{big}})
        T2: SELECT count(*) FROM {{t}} WHERE {{v}} >= {{big}}  -- sees 0
        T2: INSERT INTO {{t}} VALUES ('{{n}}', {{big}})
        T2: COMMIT
        T1: COMMIT
        T3: {LARGE}  -- sees {{m}}, {{n}}
        """
    ],
}
_HARMLESS = [  # what only looks like one: as if one had run after the other
    f"""
    T1: {READ}'{{x}}'  -- sees {{a}}
    T2: {WRITE}{{p}}{HERE}'{{x}}'
    T2: COMMIT
    T1: {READ}'{{y}}'  -- sees {{b}}
    T1: COMMIT
    T3: {BOTH}  -- sees {{x}} {{p}}, {{y}} {{b}}
    """,
    f"""
    T1: {READ}'{{x}}'  -- sees {{a}}
    T2: {READ}'{{x}}'  -- sees {{a}}
    T2: {WRITE}{{q}}{HERE}'{{y}}'
    T1: COMMIT
    T2: COMMIT
    T3: {BOTH}  -- sees {{x}} {{a}}, {{y}} {{q}}
    """,
]
_STORIES = [
    ("account", "name", "euros", ["ann", "bob", "cleo", "dan", "eve", "finn"]),
    ("stock", "item", "pieces", ["anvil", "bell", "chair", "drill", "easel", "fan"]),
    ("room", "door", "beds", ["east", "garden", "north", "south", "tower", "west"]),
    ("flight", "code", "seats", ["BA1", "EI7", "KL4", "LH9", "SK3", "TP5"]),
]


class History(NamedTuple):
    """One history. `anomaly`: its name, or `none`; `level`: the weakest that prevents it, None if nothing went wrong;
    `table`: the statements that make its table; `script`: as those above; `text`: what a learner is shown.
    """

    letter: str
    anomaly: str
    level: str | None
    table: tuple[str, ...]
    script: str

    @property
    def text(self) -> str:
        lines = [line.replace("  -- sees ", "  → ") for line in self.script.splitlines()]
        return "\n".join([f"{self.letter}.  {self.table[-1]}", *(f"    {line}" for line in lines)])


def histories(seed: int) -> list[History]:
    """Six histories for this seed: two that every level of PostgreSQL prevents, two that READ COMMITTED allows, one
    that only SERIALIZABLE prevents, and one in which nothing went wrong.
    """
    rng = random.Random(f"anomalies {seed}")
    chosen = rng.sample(["G0", "G1a", "G1b", "G1c", "OTV"], 2) + rng.sample(["PMP", "P4", "G-single"], 2)
    chosen += [rng.choice(["G2-item", "G2"]), "none"]
    rng.shuffle(chosen)
    return [_history(rng, letter, name) for letter, name in zip("ABCDEF", chosen, strict=True)]


def _history(rng: random.Random, letter: str, name: str) -> History:
    table, key, value, rows = rng.choice(_STORIES)
    x, y, m, n = [*sorted(rng.sample(rows[:4], 2)), *rows[4:]]
    a, b, p, q = rng.sample(range(2, 50), 4)
    words = {
        "t": table,
        "k": key,
        "v": value,
        "x": x,
        "y": y,
        "a": a,
        "b": b,
        "p": p,
        "q": q,
        "m": m,
        "n": n,
        "big": 60,
    }
    forms = _HARMLESS if name == "none" else [_ALL[name].script, *_VARIANTS.get(name, [])]
    script = _dress(rng.choice(forms), words)
    first, second = rng.sample(["T1", "T2"], 2)
    script = re.sub(r"^T([12]):", lambda found: f"{first if found[1] == '1' else second}:", script, flags=re.MULTILINE)
    made = (
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} ({key} text PRIMARY KEY, {value} int NOT NULL)",
        f"INSERT INTO {table} VALUES ('{x}', {a}), ('{y}', {b})",
    )
    return History(letter, name, None if name == "none" else _ALL[name].prevented_from, made, script)


def show(told: Iterable[History]) -> str:
    """The texts of some histories, below one another."""
    return "\n\n".join(one.text for one in told)
