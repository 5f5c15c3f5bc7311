"""Sessions of PostgreSQL whose interleaving is scripted, step by step.

    steps = interleave.play(dsn, '''
        T1: BEGIN
        T2: BEGIN
        T1: UPDATE stock SET n = n - 1 WHERE id = 1
        T2: UPDATE stock SET n = n - 1 WHERE id = 1   -- blocks
        T1: COMMIT
        T2: COMMIT
    ''')

Nothing is left to luck: the next step is taken only when every session either has ended its statement or waits for
another one's lock, as `pg_blocking_pids` says it. A statement that waits goes on in a later step, by itself. What a
script promises after `--` is checked: `blocks`, `fails 40001` (an SQLSTATE), or `blocks, fails 40001`; a statement
without a promise must neither wait nor fail. `explore` runs a script whose ending is what it is to find out, on these
sessions or on SQLite's (`interleave_sqlite`).

Sources: postgresql.org/docs/18, functions-info (pg_blocking_pids), explicit-locking, errcodes-appendix.
"""

from __future__ import annotations

import contextlib
import re
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd
import psycopg

PATIENCE = 60.0  # seconds for one step; far more than any takes, so that a mistake in a script ends

Rows = list[tuple[Any, ...]]


class ScriptError(AssertionError):
    """A script can't go on, or did not do what it promised. The message names the step."""

    def _render_traceback_(self) -> list[str]:
        return [f"ScriptError: {self}"]


@dataclass
class Step:
    """One statement of one session, and what became of it.

    `number`: from 1, in the order of the script; `blocked`: did it wait for a lock when its step was over (a wait that
    the server broke at once, as a deadlock, shows only as a failure); `after`: the number of the step that let it go on
    (its own if it never waited, None while it waits); `sqlstate`: "" unless it failed; `rows`: what it gave (None if it
    gives none); `count`: how many rows it touched.
    """

    number: int
    session: str
    sql: str
    blocked: bool = False
    after: int | None = None
    sqlstate: str = ""
    message: str = ""
    rows: Rows | None = None
    count: int = -1

    @property
    def outcome(self) -> str:
        """In words: `done`, `fails 40001`, `waits`, `waits, done after step 5`, `waits, fails 40001 after step 5`."""
        if self.after is None:
            return "waits"
        ended = f"fails {self.sqlstate}" if self.sqlstate else "done"
        return f"waits, {ended} after step {self.after}" if self.blocked else ended

    def promised(self) -> str:
        """What a script has to say of this step after its `--`."""
        return ", ".join([*["blocks"] * self.blocked, *[f"fails {self.sqlstate}"] * bool(self.sqlstate)])


@dataclass
class _Session:
    connection: psycopg.Connection
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "session"))
    running: tuple[Step, Future[None]] | None = None

    @property
    def pid(self) -> int:
        return self.connection.info.backend_pid

    def execute(self, step: Step, values: Sequence[Any] | None) -> None:
        try:
            cursor = self.connection.execute(step.sql, values)
            step.rows = cursor.fetchall() if cursor.description else None
            step.count = cursor.rowcount
        except psycopg.Error as error:
            step.sqlstate = error.sqlstate or "connection lost"
            step.message = (error.diag.message_primary or str(error)).strip()


class Sessions:
    """Named sessions of one database, each a connection of its own. Use it in a `with` block.

    `steps` is what they have done so far. Transactions are the script's own: `BEGIN` and `COMMIT` are steps.
    """

    def __init__(self, dsn: str):
        self.dsn = dsn
        self.steps: list[Step] = []
        self._sessions: dict[str, _Session] = {}
        self._observer = psycopg.connect(dsn, autocommit=True)

    def run(self, session: str, sql: str, values: Sequence[Any] | None = None) -> Step:
        """Give a session its next statement; returns when it has ended, or waits for another session's lock.

        Raises `ScriptError` if the session still waits in an earlier statement.
        """
        if session not in self._sessions:
            self._sessions[session] = _Session(psycopg.connect(self.dsn, autocommit=True))
        one = self._sessions[session]
        step = Step(len(self.steps) + 1, session, sql)
        if one.running:
            blockers = ", ".join(self.waits().get(session, [])) or "nobody"
            raise ScriptError(
                f"step {step.number}: {session} can't run {_short(sql)}: its step {one.running[0].number} "
                f"({_short(one.running[0].sql)}) still waits for {blockers}"
            )
        self.steps.append(step)
        one.running = step, one.thread.submit(one.execute, step, values)
        self._settle()
        step.blocked = one.running is not None
        return step

    def waits(self) -> dict[str, list[str]]:
        """Who waits for whom now: the sessions that wait for a lock, each with those that it waits for."""
        names = {one.pid: name for name, one in self._sessions.items()}
        waiting = {one.pid for one in self._sessions.values() if one.running}
        found = self._observer.execute(
            "SELECT pid, pg_blocking_pids(pid) FROM unnest(%s::int[]) AS pid", [list(waiting)]
        )
        return {names[pid]: [names.get(b, f"pid {b}") for b in blockers] for pid, blockers in found if blockers}

    def _settle(self) -> None:
        """Wait until each statement has ended or waits for a lock, and no circle of waiting is left to be broken."""
        last, pause = time.monotonic() + PATIENCE, 0.0005
        while True:
            for one in self._sessions.values():
                if one.running and one.running[1].done():
                    one.running[1].result()
                    one.running[0].after = len(self.steps)
                    one.running = None
            running = {name for name, one in self._sessions.items() if one.running}
            waits = self.waits() if running else {}
            if running <= set(waits) and not _in_circle(waits):
                return
            if time.monotonic() > last:
                busy = ", ".join(sorted(running - set(waits) or running))
                raise ScriptError(f"step {len(self.steps)}: nothing has happened for {PATIENCE:g} s; running: {busy}")
            time.sleep(pause)
            pause = min(pause * 2, 0.02)

    def close(self) -> None:
        """End all sessions; what they had not committed is undone."""
        for one in self._sessions.values():
            if one.running:
                with contextlib.suppress(psycopg.Error):
                    one.connection.cancel_safe()
            one.thread.shutdown(wait=True)
            one.connection.close()
        self._observer.close()

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def play(dsn: str, script: str) -> list[Step]:
    """Run a script, a line a step (`T1: SELECT …  -- what it promises`), and say what became of each step.

    Raises `ScriptError` at the first step that did not keep its promise.
    """
    with Sessions(dsn) as sessions:
        promises = []
        for name, sql, promise in parse(script):
            promises.append(promise)
            sessions.run(name, sql)
            _check(sessions.steps, promises, ended=False)
        _check(sessions.steps, promises, ended=True)
        return sessions.steps


class Explorable(Protocol):
    """Sessions that `explore` can run a script on: these of PostgreSQL, or those of `interleave_sqlite`."""

    def run(self, session: str, sql: str) -> Step: ...


def explore(sessions: Explorable, script: str, begin: str = "BEGIN") -> list[Step | None]:
    """Run a script whose ending isn't known, each session in a transaction that its first step begins with `begin`.

    A session that waits takes its later steps as soon as it goes on; one of which a statement fails is rolled back
    and takes no more, as in a program without retries. In the end, whoever still is in a transaction is rolled back.
    What stands after `--` is for the reader. Returns what became of each line of the script (None: never taken). The
    `BEGIN`s and roll-backs of its own are not among them; if a `BEGIN` waited, the step after it counts as waiting.
    """
    lines = [line.partition("--")[0].partition(":") for line in textwrap.dedent(script).strip().splitlines()]
    became: list[Step | None] = [None] * len(lines)
    left: dict[str, list[tuple[int | None, str]]] = {}  # what each session has yet to do: the line's index, its SQL
    last: dict[str, Step] = {}
    over: set[str] = set()
    begun: dict[str, Step] = {}

    def free(name: str) -> bool:
        return name not in last or last[name].after is not None

    def go_on() -> bool:
        """One statement of a session that may go on; False if there is none."""
        for name, todo in left.items():
            if free(name) and name in last and last[name].sqlstate and name not in over:
                over.add(name)
                sessions.run(name, "ROLLBACK")
                return True
            if free(name) and todo and name not in over:
                index, sql = todo.pop(0)
                last[name] = sessions.run(name, sql)
                if index is None:
                    begun[name] = last[name]
                else:
                    became[index] = last[name]
                return True
        return False

    for index, (name, _, sql) in enumerate(lines):
        left.setdefault(name.strip(), [(None, begin)]).append((index, sql.strip()))
        while go_on():
            pass
    if waiting := [name for name in left if not free(name)]:
        raise ScriptError(f"the script is over, and {', '.join(waiting)} still waits: end the other transactions in it")
    for name, step in last.items():
        if name not in over and step.sql.upper() not in ("COMMIT", "ROLLBACK"):
            sessions.run(name, "ROLLBACK")
        first = next((step for step in became if step and step.session == name), None)
        if first and begun[name].blocked:
            first.blocked = True
    return became


def parse(script: str) -> Iterator[tuple[str, str, str]]:
    """The lines of a script: session, statement, promise."""
    for number, line in enumerate(textwrap.dedent(script).strip().splitlines(), 1):
        if not line.strip():
            continue
        read = re.fullmatch(r"\s*(\w+):\s*(.+?)\s*(?:--\s*(.*?)\s*)?", line)
        if read is None or not re.fullmatch(r"(blocks)?(, )?(fails \w{5})?", read[3] or ""):
            raise ScriptError(f"line {number} of the script is not `session: statement  -- promise`: {line.strip()}")
        yield read[1], read[2], read[3] or ""


def _check(steps: Iterable[Step], promises: Sequence[str], *, ended: bool) -> None:
    for step, promise in zip(steps, promises, strict=True):
        said = step.promised()
        if said == promise or (step.after is None and not ended and promise.startswith("blocks")):
            continue
        came = said or "it went through"
        raise ScriptError(
            f"step {step.number}, {step.session}: {_short(step.sql)}: expected: {promise or 'it goes through'}; "
            f"came: {came}{f' ({step.message})' if step.message else ''}"
        )


def _in_circle(waits: dict[str, list[str]]) -> bool:
    """Does anyone wait, through others, for itself? Then the server's deadlock check is about to end it."""

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        left = [*waits.get(start, [])]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += waits.get(name, [])
        return found

    return any(name in reached(name) for name in waits)


def _short(sql: str, width: int = 70) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= width else f"{text[: width - 1]}…"


def frame(steps: Iterable[Step]) -> pd.DataFrame:
    """One row a step: `step`, `session`, `sql`, `rows`, `outcome`."""
    return pd.DataFrame(
        [{"step": s.number, "session": s.session, "sql": s.sql, "rows": s.rows, "outcome": s.outcome} for s in steps]
    ).set_index("step")
