"""A CPU profile as a table: one row a call path, with the time in the function itself and in all that it called.

Read from Node's `.cpuprofile` (`node --cpu-prof`, or `Profiler.stop` of the DevTools protocol) and from the folded
stacks of `py-spy record --format raw`. Both are samples: every so often the stack was looked at, and the time until the
next look is given to that stack. A function that ran shorter than the interval may not be there at all.
Format: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile
"""

from __future__ import annotations

import contextlib
import json
import pstats
import re
import signal
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from backendlab.lab import figures, process


class Frame(NamedTuple):
    """A function as a profile names it: its name, the file it stands in ("" for the engine's own), its first line."""

    function: str
    file: str
    line: int


Stack = tuple[Frame, ...]

PY_SPY = "py-spy record"
STOOD_STILL = 50  # a sample counts as this many sampling intervals at most


def read(path: str | Path, *, fold: bool = False) -> pd.DataFrame:
    """The calls of a `.cpuprofile` file; see `calls`."""
    return calls(json.loads(Path(path).read_text()), fold=fold)


def calls(profile: dict[str, Any], *, fold: bool = False) -> pd.DataFrame:
    """The calls of a parsed `.cpuprofile`: one row a call path, parents before children, the longest first.

    Columns: `function`, `file`, `line` (from 1); `depth` (0 is the outermost frame); `parent` (a row number, -1 for
    none); `self_ms`, the time with this function on top of the stack; `total_ms`, the same plus all below it.
    `fold` makes one row of neighbouring frames that belong to one npm package, or to Node itself.
    """
    nodes = {node["id"]: node for node in profile["nodes"]}
    parents = {child: node["id"] for node in profile["nodes"] for child in node.get("children", [])}
    times = profile["startTime"] + np.cumsum(profile["timeDeltas"])
    lasted = np.diff(times, append=max(profile["endTime"], times[-1] if len(times) else 0)) / 1000
    # V8 looks at an idle process too. Where it didn't look for long, the whole process stood still (it was stopped, or
    # the machine was busy elsewhere), and the function that happened to be on top did not work all that time.
    longest = STOOD_STILL * float(np.median(lasted)) if len(lasted) else 0.0
    spent = pd.Series(lasted, dtype=float).clip(lower=0, upper=longest).groupby(np.asarray(profile["samples"])).sum()
    stacks: list[tuple[Stack, float]] = []
    for node_id, milliseconds in spent.items():
        frames = []
        at = node_id
        while at in parents:  # the root, "(root)", has none and is left out
            frames.append(_frame(nodes[at]["callFrame"]))
            at = parents[at]
        stacks.append((tuple(reversed(frames)), float(milliseconds)))
    return _table(stacks, fold)


def folded(text: str, milliseconds: float, *, fold: bool = False) -> pd.DataFrame:
    """The calls of folded stacks (`outer (file:line);inner (file:line) COUNT` a line); columns as in `calls`.

    `milliseconds` is the time that one sample stands for: 1000 / rate.
    """
    stacks = []
    for line in text.splitlines():
        names, _, count = line.rpartition(" ")
        if count.isdigit():
            stacks.append((tuple(map(_python_frame, names.split(";"))), int(count) * milliseconds))
    return _table(stacks, fold)


def lines(profile: dict[str, Any]) -> pd.DataFrame:
    """Self time by line of source, most first: `function` (as the profile names it), `file`, `line`, `self_ms`.

    A call that the compiler has inlined has no frame of its own: its time stands at the function it was inlined into.
    The line is still its own, so a line outside of the named function's text is the sign of it.
    """
    per_sample = (profile["endTime"] - profile["startTime"]) / 1000 / max(1, len(profile["samples"]))
    rows = [
        {**_frame(node["callFrame"])._asdict(), "line": at["line"], "self_ms": at["ticks"] * per_sample}
        for node in profile["nodes"]
        for at in node.get("positionTicks", [])
    ]
    table = pd.DataFrame(rows, columns=["function", "file", "line", "self_ms"])
    table = table.groupby(["function", "file", "line"], as_index=False).sum()
    return table.sort_values("self_ms", ascending=False, ignore_index=True)


def through(calls: pd.DataFrame, function: str) -> pd.DataFrame:
    """Only the call paths that pass through a function of that name; the totals of its callers are made anew."""
    paths: list[Stack] = []
    kept = []
    for row in _rows(calls):
        above = paths[row.parent] if row.parent >= 0 else ()
        paths.append((*above, Frame(row.function, row.file, row.line)))
        if any(frame.function == function for frame in paths[-1]):
            kept.append((paths[-1], row.self_ms))
    return _table(kept, fold=False)


def by_function(calls: pd.DataFrame) -> pd.DataFrame:
    """One row a function, most self time first: `self_ms`, `total_ms` (recursion counted once), `paths` to it."""
    key = ["function", "file", "line"]
    ancestors: list[set[tuple[Any, ...]]] = []
    outermost = []
    for row in _rows(calls):
        above = ancestors[row.parent] if row.parent >= 0 else set()
        name = (row.function, row.file, row.line)
        outermost.append(name not in above)
        ancestors.append(above | {name})
    counted = calls.assign(total_ms=calls["total_ms"] * np.array(outermost, dtype=float), paths=1)
    table = counted.groupby(key, as_index=False)[["self_ms", "total_ms", "paths"]].sum()
    return table.sort_values("self_ms", ascending=False, ignore_index=True)


def icicle(
    ax: Axes, calls: pd.DataFrame, *, mark: Collection[str] = (), hide: Collection[str] = (), least: float = 0.004
) -> None:
    """Draw calls as an icicle: a bar's width is its total time, its callees hang below it, the longest on the left.

    Functions named in `mark` are filled in strong colour, those in `hide` left out with all they called; bars
    narrower than `least` of the whole are not drawn.
    """
    shown = calls[~calls["function"].isin(hide)]
    whole = shown.loc[shown["parent"] < 0, "total_ms"].sum()
    starts: dict[int, float] = {}
    ends: dict[int, float] = {-1: 0.0}
    deepest = 0
    for number, row in zip(shown.index, _rows(shown), strict=True):
        if row.parent >= 0 and row.parent not in starts:
            continue
        starts[number] = ends[row.parent]
        ends[row.parent] += row.total_ms
        ends[number] = starts[number]
        if row.total_ms < least * whole:
            continue
        deepest = max(deepest, row.depth)
        marked = row.function in mark
        colour = figures.VERMILION if marked else "#b9d3e6" if row.file else "#dcdcd6"
        box = Rectangle((starts[number], row.depth), row.total_ms, 0.94, facecolor=colour, edgecolor="#fbfbf8", lw=0.8)
        ax.add_patch(box)
        _write(ax, row.function, starts[number], row.depth, row.total_ms / whole, "white" if marked else "#222222")
    ax.set_xlim(0, whole)
    ax.set_ylim(deepest + 1, 0)
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)


class PythonServer:
    """A Python server that is being profiled; made by `python`. `url`; after the block, `calls()` and `how`."""

    def __init__(self, server: process.Process, output: Path, how: str, milliseconds: float):
        self.url, self.how = server.url, how
        self._output, self._milliseconds = output, milliseconds

    def calls(self, *, fold: bool = False) -> pd.DataFrame:
        """The calls, columns as in `calls`. From cProfile, which keeps no stacks: flat, `total_ms` is the self time."""
        if self.how == PY_SPY:
            return folded(self._output.read_text(), self._milliseconds, fold=fold)
        stats = pstats.Stats(str(self._output)).stats  # type: ignore[attr-defined]
        flat = [((Frame(name, file, line),), own * 1e3) for (file, line, name), (_, _, own, *_) in stats.items()]
        return _table(flat, fold)


@contextlib.contextmanager
def python(file: Path, *, rate: int = 100) -> Iterator[PythonServer]:
    """Run a Python server (it listens on `PORT`) under py-spy, with `rate` samples a second, until the block ends.

    Where py-spy may not look into another process (macOS without root, some containers), under cProfile instead.
    """
    output = file.with_suffix(".profile")
    words = [str(Path(sysconfig.get_path("scripts"), "py-spy")), "record", "--format", "raw", "--function"]
    words += ["--rate", str(rate), "--output", str(output), "--", sys.executable, str(file)]
    how = PY_SPY
    try:
        server = process.start(words, port=True)
    except process.StartError:
        how = "cProfile: py-spy is not permitted here (self time only, no stacks)"
        server = process.start([sys.executable, "-m", "cProfile", "-o", str(output), str(file)], port=True)
    with server:
        yield PythonServer(server, output, how, 1000 / rate)
        profiled = psutil.Process(server.pid)
        for program in profiled.children() if how == PY_SPY else [profiled]:
            program.send_signal(signal.SIGINT)  # a clean end; py-spy writes when its program has ended
        server.wait(20)


def _write(ax: Axes, name: str, left: float, row: int, share: float, colour: str) -> None:
    """A bar's name, cut to what fits in its share of the panel's width."""
    room = int(share * ax.get_window_extent().width / 6.4)
    if room >= 3:
        text = name if len(name) <= room else f"{name[: room - 1]}…"
        ax.annotate(
            text, (left, row + 0.5), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8.5, color=colour
        )


def _rows(calls: pd.DataFrame) -> Iterator[Any]:
    """The rows as named tuples; typed loosely, as a table's cells are."""
    return iter(calls.itertuples(index=False))


def _frame(call: dict[str, Any]) -> Frame:
    file = call["url"].removeprefix("file://")
    return Frame(call["functionName"] or "(anonymous)", file, call["lineNumber"] + 1)


def _python_frame(text: str) -> Frame:
    match = re.fullmatch(r"(.*) \((.*?)(?::(\d+))?\)", text)
    return Frame(match[1], match[2], int(match[3] or 0)) if match else Frame(text, "", 0)


def _folded(stack: Stack) -> Stack:
    """Neighbouring frames of one npm package, or of Node, become a single frame named after it."""
    short: list[Frame] = []
    for frame in stack:
        if match := re.search(r".*(?:node_modules|site-packages)/((?:@[^/]+/)?[^/]+)", frame.file):
            frame = Frame(f"({match[1]})", match[0], 0)
        elif frame.file.startswith("node:"):
            frame = Frame("(node)", "node:", 0)
        elif match := re.match(r"(\w+)/.*\.py$", frame.file):  # py-spy shortens a package's path to this
            frame = Frame(f"({match[1]})", match[1], 0)
        if not short or short[-1] != frame or not frame.function.startswith("("):
            short.append(frame)
    return tuple(short)


def _table(stacks: Iterable[tuple[Stack, float]], fold: bool) -> pd.DataFrame:
    own: dict[Stack, float] = {}
    for stack, milliseconds in stacks:
        stack = _folded(stack) if fold else stack
        for depth in range(1, len(stack)):
            own.setdefault(stack[:depth], 0.0)
        own[stack] = own.get(stack, 0.0) + milliseconds
    own.pop((), None)
    total = dict(own)
    below: dict[Stack, list[Stack]] = {}
    for stack in sorted(own, key=len, reverse=True):
        below.setdefault(stack[:-1], []).append(stack)
        if len(stack) > 1:
            total[stack[:-1]] += total[stack]
    rows: list[dict[str, Any]] = []

    waiting = [(stack, -1) for stack in sorted(below.get((), []), key=total.__getitem__)]
    while waiting:
        stack, parent = waiting.pop()
        number = len(rows)
        times = {"self_ms": own[stack], "total_ms": total[stack]}
        rows.append({**stack[-1]._asdict(), "depth": len(stack) - 1, "parent": parent, **times})
        waiting += [(child, number) for child in sorted(below.get(stack, []), key=total.__getitem__)]
    return pd.DataFrame(rows, columns=["function", "file", "line", "depth", "parent", "self_ms", "total_ms"])
