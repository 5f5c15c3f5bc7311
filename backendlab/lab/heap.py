"""Heap snapshots of Node: what is in them by constructor, what two of them differ in, and who holds an object.

A snapshot is a graph: nodes (objects, strings, closures, code) and edges (who refers to whom), as V8 writes it after
a full garbage collection, so that all in it is reachable. Its layout is in its own `meta`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backendlab.lab.inspector import Session

# What V8 calls a node that is not an object of a named class, in the words of DevTools' heap view.
KINDS = {
    "array": "(array)",
    "bigint": "(bigint)",
    "closure": "(closure)",
    "code": "(compiled code)",
    "concatenated string": "(string)",
    "hidden": "(system)",
    "number": "(number)",
    "object shape": "(object shape)",
    "regexp": "RegExp",
    "sliced string": "(string)",
    "string": "(string)",
    "symbol": "(symbol)",
    "synthetic": "(system)",
}


@dataclass(frozen=True)
class Snapshot:
    """One snapshot. `nodes` and `edges` have a row each; `types`, `names`, `edge_types` say what their numbers mean."""

    nodes: pd.DataFrame
    edges: pd.DataFrame
    types: list[str]
    edge_types: list[str]
    strings: np.ndarray[Any, Any]


def read(source: str | Path) -> Snapshot:
    """Read a `.heapsnapshot` file."""
    raw = json.loads(Path(source).read_text())
    meta = raw["snapshot"]["meta"]
    nodes = pd.DataFrame(np.array(raw["nodes"]).reshape(-1, len(meta["node_fields"])), columns=meta["node_fields"])
    edges = pd.DataFrame(np.array(raw["edges"]).reshape(-1, len(meta["edge_fields"])), columns=meta["edge_fields"])
    edges["to"] = edges["to_node"] // len(meta["node_fields"])
    edges["from"] = np.repeat(np.arange(len(nodes)), nodes["edge_count"])
    strings = np.array(raw["strings"], dtype=object)
    return Snapshot(nodes, edges, meta["node_types"][0], meta["edge_types"][0], strings)


async def take(session: Session, path: str | Path) -> Path:
    """Write a snapshot of the process at the other end of a session to `path`. It stands still meanwhile."""
    await session.call("HeapProfiler.enable")
    await session.call("HeapProfiler.takeHeapSnapshot", timeout=120.0, reportProgress=False)
    chunks = [event["chunk"] for event in session.take("HeapProfiler.addHeapSnapshotChunk")]
    Path(path).write_text("".join(chunks))
    return Path(path)


async def used(session: Session) -> int:
    """Bytes of live JavaScript objects in the process at the other end, after a full garbage collection."""
    await session.call("HeapProfiler.collectGarbage")
    return int((await session.call("Runtime.getHeapUsage"))["usedSize"])


def constructors(snapshot: Snapshot) -> pd.DataFrame:
    """Per constructor: how many `objects`, and their own `bytes` (shallow size: not what they refer to)."""
    grouped = snapshot.nodes.groupby(_labels(snapshot))["self_size"].agg(["count", "sum"])
    grouped.columns = ["objects", "bytes"]
    return grouped.rename_axis("constructor")


def compare(before: Snapshot, after: Snapshot) -> pd.DataFrame:
    """Per constructor, most bytes added first: objects and bytes in each, `objects_added` and `bytes_added`."""
    both = constructors(before).add_suffix("_before").join(constructors(after).add_suffix("_after"), how="outer")
    both = both.fillna(0).astype(int)
    for what in ("objects", "bytes"):
        both[f"{what}_added"] = both[f"{what}_after"] - both[f"{what}_before"]
    return both.sort_values("bytes_added", ascending=False)


def held_by(snapshot: Snapshot, constructor: str) -> list[str]:
    """The shortest chain of strong references from a root of the garbage collector to an object of a constructor.

    Each link is `name of the reference → what it leads to`, the object itself last. Of many such objects it is one of
    the nearest. `ValueError` if there is none.
    """
    labels = _labels(snapshot)
    wanted = np.flatnonzero((labels == constructor).to_numpy())
    edges = snapshot.edges
    weak = edges["type"] == snapshot.edge_types.index("weak")
    start, end = edges.loc[~weak, "from"].to_numpy(), edges.loc[~weak, "to"].to_numpy()
    numbers = edges.index[~weak].to_numpy()
    via = np.full(len(labels), -1)  # the edge by which a node was reached first
    via[0] = -2
    frontier = np.array([0])
    is_in = np.zeros(len(labels), dtype=bool)
    while len(frontier) and not (via[wanted] != -1).any():
        is_in[:] = False
        is_in[frontier] = True
        out = is_in[start] & (via[end] == -1)
        via[end[out]] = numbers[out]
        frontier = np.unique(end[out])
    reached = wanted[via[wanted] != -1]
    if not len(reached):
        raise ValueError(f"no {constructor!r} is reachable in this snapshot")
    chain = []
    at = int(reached[0])
    while via[at] >= 0:
        edge = edges.loc[via[at]]
        chain.append(f"{_edge_name(snapshot, edge)} → {labels.iloc[at]}")
        at = int(edge["from"])
    return chain[::-1]


def _edge_name(snapshot: Snapshot, edge: pd.Series) -> str:
    name = edge["name_or_index"]
    numbered = snapshot.edge_types[edge["type"]] in ("element", "hidden")
    return f"[{name}]" if numbered else str(snapshot.strings[name])


def _labels(snapshot: Snapshot) -> pd.Series:
    names = pd.Series(snapshot.strings[snapshot.nodes["name"]], index=snapshot.nodes.index, dtype=object)
    kinds = snapshot.nodes["type"].map(lambda number: KINDS.get(snapshot.types[number]))
    return kinds.where(kinds.notna(), names)
