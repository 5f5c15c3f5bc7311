"""Sessions of SQLite that play the same scripts as those of `interleave`: `interleave.explore(sessions, script)`.

SQLite lets nobody wait in a queue. Who can't have a lock gets `SQLITE_BUSY`, and may ask again: that is all that its
busy timeout does. Here the timeout is 0 and the asking again is scripted: a statement that was told `SQLITE_BUSY` is
tried again after every step of the others. So, as in `interleave`, a step has *waited* if it went through later, and
it has *failed* if it never could:

- `SQLITE_BUSY_SNAPSHOT`: in WAL mode, the transaction has read a snapshot that others have overwritten since; as long
  as it lasts, it may not write any more;
- `SQLITE_BUSY` in a circle: in rollback mode, one transaction has read and wants to write, the other has written and
  can't commit while the first still reads. SQLite never makes the first wait, whatever its timeout: it is to roll back.

Sources: sqlite.org/lockingv3.html, sqlite.org/isolation.html, sqlite.org/rescode.html (busy_snapshot),
sqlite.org/c3ref/busy_handler.html.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from backendlab.lab.interleave import ScriptError, Step

JOURNALS = {"rollback": "delete", "WAL": "wal"}
"""SQLite's two ways to keep a transaction whole, and what `PRAGMA journal_mode` calls them."""


@dataclass
class _Session:
    connection: sqlite3.Connection
    has_read: bool = False  # in the transaction that is open now
    waiting: Step | None = None

    def execute(self, step: Step) -> bool:
        """Try a step; False if it is told that another session has the lock."""
        try:
            cursor = self.connection.execute(step.sql)
            step.rows = cursor.fetchall() if cursor.description else None
            step.count = cursor.rowcount
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
            if name == "SQLITE_BUSY":
                return False
            step.sqlstate, step.message = name, str(error)
        self.has_read = self.connection.in_transaction and (self.has_read or step.rows is not None)
        return True


class Sessions:
    """Named sessions of one database file, each a connection of its own. Use it in a `with` block.

    `journal`: `rollback` or `WAL`. `steps` is what they have done so far; a step's `sqlstate` is SQLite's name of the
    error. Transactions are the script's own.
    """

    def __init__(self, file: Path | str, journal: str):
        self.file = str(file)
        self.steps: list[Step] = []
        self._sessions: dict[str, _Session] = {}
        with_journal = sqlite3.connect(self.file)
        with_journal.execute(f"PRAGMA journal_mode = {JOURNALS[journal]}")
        with_journal.close()

    def run(self, session: str, sql: str) -> Step:
        """Give a session its next statement; returns when it has ended, or waits for another session's lock."""
        if session not in self._sessions:
            self._sessions[session] = _Session(sqlite3.connect(self.file, timeout=0, isolation_level=None))
            self._sessions[session].connection.execute("PRAGMA synchronous = OFF")  # what a power cut does isn't asked
        one = self._sessions[session]
        step = Step(len(self.steps) + 1, session, sql)
        if one.waiting:
            raise ScriptError(
                f"step {step.number}: {session} can't run {sql}: its step {one.waiting.number} still waits"
            )
        self.steps.append(step)
        one.waiting = step
        self._settle()
        step.blocked = one.waiting is not None
        return step

    def _settle(self) -> None:
        """Try what waits, until nothing moves; then break the circle, if all that holds a lock waits."""
        while True:
            waiting = [one for one in self._sessions.values() if one.waiting]
            moved = [one for one in waiting if one.waiting and one.execute(one.waiting)]
            if not moved and not (moved := self._never(waiting)):
                return
            for one in moved:
                assert one.waiting
                one.waiting.after, one.waiting = len(self.steps), None

    def _never(self, waiting: list[_Session]) -> list[_Session]:
        """Who can never go on: a reader that wants to write, with nobody to wait for. Its step is marked failed."""
        if any(one.connection.in_transaction and not one.waiting for one in self._sessions.values()):
            return []
        stuck = [one for one in waiting if one.waiting and one.has_read and one.waiting.sql.upper() != "COMMIT"]
        for one in stuck[:1]:
            assert one.waiting
            one.waiting.sqlstate, one.waiting.message = "SQLITE_BUSY", "database is locked"
        return stuck[:1]

    def close(self) -> None:
        """End all sessions; what they had not committed is undone."""
        for one in self._sessions.values():
            one.connection.close()

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
