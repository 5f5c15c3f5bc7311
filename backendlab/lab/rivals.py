"""An answer's function as many clients of one database call it, with a scene played beside them.

    def scene(until):
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM account WHERE id = 1 FOR UPDATE")
            yield                                # up to here before the clients start, the rest beside them
            until(watch, rivals.stuck)          # all have ended, or wait for a lock
            other.rollback()

    gave = rivals.run(student, "transfer", url, [{"calls": [[1, 2, 10]]}, {"calls": [[2, 1, 5]]}], scene)

So a test forces what is to meet: it looks at who waits (`pg_blocking_pids`), and no result hangs on how fast anyone is.

Sources: postgresql.org/docs/18, functions-info (pg_blocking_pids), monitoring-stats (pg_stat_activity).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from backendlab.student import Student

State = dict[int, str]
Until = Callable[..., Any]

STATES = """SELECT application_name, pg_blocking_pids(pid) <> '{}' FROM pg_stat_activity
            WHERE datname = current_database() AND application_name ~ '^(client|done) '"""

DRIVER = """
import threading

import psycopg

SETTINGS = "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction%'"

def settings(connection):
    kept = {name: str(getattr(connection, name)) for name in ("autocommit", "isolation_level", "read_only")}
    kept |= dict(connection.execute(SETTINGS).fetchall())
    connection.rollback()
    return kept

def driver(url, clients):
    answer = ANSWER
    connections = [
        psycopg.connect(url, application_name=f"client {i}", options=client.get("options", ""))
        for i, client in enumerate(clients)
    ]
    given, undone = [[] for _ in clients], []
    before = [settings(connection) for connection in connections]

    def one(i):
        connection = connections[i]
        if "gate" in clients[i]:
            connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", [clients[i]["gate"]])
            connection.commit()
        for arguments in clients[i]["calls"]:
            came = {"value": None, "raised": None, "said": "", "changed": []}
            try:
                came["value"] = answer(connection, *arguments)
            except NotImplementedError as error:
                undone.append(error)
                break
            except Exception as error:
                came["raised"] = [kind.__name__ for kind in type(error).__mro__]
                came["said"] = f"{type(error).__name__}: {error}"
            came["left"] = "CLOSED" if connection.closed else connection.info.transaction_status.name
            given[i].append(came)
            if connection.closed:
                return
            connection.rollback()
        if given[i]:
            given[i][-1]["changed"] = sorted(name for name, _ in before[i].items() ^ settings(connection).items())
        connection.execute("SELECT set_config('application_name', %s, false)", [f"done {i}"])
        connection.commit()

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    if undone:
        raise undone[0]
    return given
"""


def run(
    student: Student,
    function: str,
    url: str,
    clients: Sequence[dict[str, Any]],
    scene: Callable[[Until], Iterator[None]] | None = None,
) -> list[list[dict[str, Any]]]:
    """Call `function(connection, *arguments)` as each client says, all clients at the same time; what every call gave.

    A client is a thread with a psycopg connection of its own: `calls`, the arguments of one call after the other;
    `options` of its session, such as `-c enable_seqscan=off`; `gate`, the number of an advisory lock: it starts when it
    gets that, shared. A call gave `value`; or `raised`, the names of the error's class and its bases, and what
    it `said`; and it `left` the connection IDLE, INTRANS, INERROR or CLOSED. A client's last call
    tells what has `changed`: names of settings of its session (`lock_timeout`) or connection (`autocommit`) that aren't
    as they were.

    `scene(until)` is a generator: what stands before its `yield` is done before the clients start, the rest beside
    them. `until(watch, holds, patience=5.0)` looks at the clients through the connection `watch` (autocommit) until
    `holds({client: "works" | "waits" | "done"})` or all clients have ended, at most for `patience` seconds, and returns
    what `holds` said last. Whoever `waits` waits for another session's lock.
    """
    over = threading.Event()

    def until(watch: psycopg.Connection, holds: Callable[[State], Any], patience: float = 5.0) -> Any:
        last = time.monotonic() + patience
        while True:
            said = holds(states(watch))
            if said or over.is_set() or time.monotonic() > last:
                return said
            time.sleep(0.002)

    playing = iter(scene(until)) if scene else iter(())
    next(playing, None)
    with ThreadPoolExecutor(1, "scene") as stage:
        beside = stage.submit(list, playing)
        try:
            given: list[list[dict[str, Any]]] = student.drive(
                DRIVER.replace("ANSWER", function), url=url, clients=list(clients)
            )
        finally:
            over.set()
            beside.result()
    return given


def states(watch: psycopg.Connection) -> State:
    """What each client does: `works`, `waits` for another session's lock, or is `done`. Who has hung up is missing."""
    found = {}
    for name, waits in watch.execute(STATES).fetchall():
        said, number = name.split()
        found[int(number)] = "waits" if waits else {"client": "works"}.get(said, said)
    return found


def stuck(state: State) -> bool:
    """Have all clients come as far as they can? Each has ended, or waits for a lock."""
    return bool(state) and "works" not in state.values()


def deadlocks(watch: psycopg.Connection, patience: float = 5.0) -> int:
    """How many deadlocks the server has had to break in this database, after the clients have hung up.

    A session counts its own when it ends, if not before.
    """
    last = time.monotonic() + patience
    while states(watch) and time.monotonic() < last:
        time.sleep(0.002)
    count = watch.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    return count[0] if count else 0
