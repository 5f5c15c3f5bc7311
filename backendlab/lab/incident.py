"""A live incident on a PostgreSQL server: who waits for whom, as a picture, and one made on purpose.

Sources: postgresql.org/docs/18, functions-info (pg_blocking_pids), view-pg-locks, monitoring-stats (pg_stat_activity).
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from matplotlib.axes import Axes

from backendlab.lab import interleave

KINDS = ("row", "table", "busy", "modes")


def depths(edges: Mapping[Any, Sequence[Any]]) -> dict[Any, int]:
    """How far each is from one that waits for nobody; `edges`: who waits, with whom it waits for. No circles."""
    found: dict[Any, int] = {}

    def depth(name: Any, path: tuple[Any, ...] = ()) -> int:
        if name in path:
            raise ValueError(f"{name} waits, through others, for itself: a deadlock has no root")
        if name not in found:
            found[name] = max((depth(one, (*path, name)) + 1 for one in edges.get(name, ())), default=0)
        return found[name]

    for name in {*edges, *(one for blockers in edges.values() for one in blockers)}:
        depth(name)
    return found


def draw(ax: Axes, edges: Mapping[str, Sequence[str]], notes: Mapping[str, str], color: str = "C0") -> None:
    """The wait-for graph: an arrow from who waits to whom it waits for; the roots at the left, in `color`."""
    layers: dict[int, list[str]] = {}
    for name, depth in sorted(depths(edges).items()):
        layers.setdefault(depth, []).append(name)
    place = {
        name: (float(depth), (len(names) - 1) / 2 - row)
        for depth, names in layers.items()
        for row, name in enumerate(names)
    }
    boxes = {}
    for name, (x, y) in place.items():
        face = color if x == 0 else "white"
        box = {"boxstyle": "round,pad=0.4", "facecolor": face, "edgecolor": "0.3"}
        ink = "white" if x == 0 else "black"
        said = f"{name}\n{notes.get(name, '')}"
        boxes[name] = ax.text(x, y, said, ha="center", va="center", fontsize=8, color=ink, bbox=box).get_bbox_patch()
    for name, blockers in edges.items():
        for blocker in blockers:
            far = place[name][0] - place[blocker][0] - 1  # past how many layers: bent, or it would lie on theirs
            arrow = {"arrowstyle": "-|>", "color": "0.45", "shrinkA": 3, "shrinkB": 3}
            arrow |= {"patchA": boxes[name], "patchB": boxes[blocker], "connectionstyle": f"arc3,rad={0.4 * (far > 0)}"}
            ax.annotate("", place[blocker], place[name], arrowprops=arrow)
    ax.set_xlim(-0.5, max(layers) + 0.5)
    tall = max(len(names) for names in layers.values())
    ax.set_ylim(-tall / 2 - 0.1, tall / 2 + 0.1)
    ax.set_axis_off()


@contextlib.contextmanager
def running(url: str, kind: str, seed: int) -> Iterator[dict[str, Any]]:
    """An incident that goes on as long as the block; what is true of it: `pid`, `lock`, `statement`, `waiting`.

    `kind`: `row` (an idle transaction holds a row), `table` (an idle reader, a migration behind it), `busy` (the root
    is at work, and holds a row), `modes` (the root has read two tables and written to one; a CREATE INDEX waits on
    each: on the one for the root, on the other for others). Beside it: a lesser incident, an older idle transaction
    that blocks nobody. The tables are made anew.
    """
    draws = random.Random(f"{kind} {seed}")
    table, other = draws.sample(["parcel", "invoice", "ticket", "voucher", "booking", "shipment"], 2)
    row, tail = draws.randint(1, 4), draws.randint(2, 4)
    lock: list[str | None]
    with interleave.Sessions(url) as sessions, contextlib.ExitStack() as after:
        for name in (table, other):
            sessions.run("boss", f"DROP TABLE IF EXISTS {name}")
            sessions.run("boss", f"CREATE TABLE {name} AS SELECT id, 9 AS n FROM generate_series(1, 9) id")
        update = f"UPDATE {table} SET n = n - 1 WHERE id = "
        sessions.run("idler", "BEGIN")
        sessions.run("idler", f"UPDATE {other} SET n = 0 WHERE id = 9")
        sessions.run("lesser", "BEGIN")
        sessions.run("lesser", f"UPDATE {other} SET n = 1 WHERE id = 1")
        sessions.run("behind lesser", f"UPDATE {other} SET n = 2 WHERE id = 1")
        root = after.enter_context(psycopg.connect(url))
        pid = root.info.backend_pid
        if kind == "table":
            last = f"SELECT n FROM {table} WHERE id = {row}"
            root.execute(last)
            lock = ["relation", table, "AccessShareLock"]
            sessions.run("migration", f"ALTER TABLE {table} ADD note text")
            for number in range(tail):
                sessions.run(f"reader {number}", f"SELECT count(*) FROM {table}")
        elif kind == "modes":
            root.execute(f"SELECT n FROM {table} WHERE id = {row}")
            root.execute(f"{update}{row}")
            last = f"SELECT max(n) FROM {other}"
            root.execute(last)
            lock = ["relation", table, "RowExclusiveLock"]
            sessions.run("index lesser", f"CREATE INDEX ON {other} (n)")
            sessions.run("index", f"CREATE INDEX ON {table} (n)")
            for number in range(tail):
                sessions.run(f"behind {number}", f"{update}{row + 4}")
        else:
            root.execute(f"{update}{row}")
            last = f"SELECT max(n) FROM {other}"
            lock = ["transactionid", None, "ExclusiveLock"]
            if kind == "row":
                root.execute(last)
            else:
                last = f"SELECT pg_sleep(600 + {row})"
                thread = threading.Thread(target=_until_cancelled, args=[root, last])
                thread.start()
                after.callback(thread.join)
                after.callback(root.cancel_safe)
            sessions.run("middle", "BEGIN")
            sessions.run("middle", f"{update}{row + 4}")
            sessions.run("middle", f"{update}{row}")
            for number in range(tail):
                sessions.run(f"behind {number}", f"{update}{row + 4}")
        with psycopg.connect(url, autocommit=True) as look:
            seen = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND query = %s"
            for _ in range(6000):
                if look.execute(seen, [pid, last]).fetchone():
                    break
                look.execute("SELECT pg_sleep(0.005)")
            else:
                raise RuntimeError("the root of the incident did not begin its last statement within 30 s")
        yield {"pid": pid, "lock": lock, "statement": last, "waiting": tail + 1}


def _until_cancelled(connection: psycopg.Connection, statement: str) -> None:
    with contextlib.suppress(psycopg.Error):
        connection.execute(statement)
