"""A CommonJS program for Node whose output order must be worked out by hand, another one for each seed.

Its order is the same in every run: every pair whose order Node leaves open (a timer and an immediate of the main
module, two pieces of I/O under way at once) is kept out. And every program tells the right model of the loop from the
wrong ones that people bring along (`tests/lab/test_looporder.py` has them).

A plan is a list of statements, each a tuple: ("log", label), ("async", statements before `await`, statements after it),
or ("tick" | "micro" | "then" | "timeout" | "immediate" | "io", the callback's statements).
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from backendlab.lab import node

Statement = tuple[Any, ...]

CALLS = {
    "tick": ("process.nextTick(() => {", "});"),
    "micro": ("queueMicrotask(() => {", "});"),
    "then": ("Promise.resolve().then(() => {", "});"),
    "timeout": ("setTimeout(() => {", "}, 0);"),
    "immediate": ("setImmediate(() => {", "});"),
    "io": ("readFile(__filename, () => {", "});"),
}


def plan(seed: int) -> list[Statement]:
    """The program of this seed as statements; its labels are single letters, in no order."""
    rng = random.Random(f"looporder {seed}")
    letters = rng.sample("ABCDEFGHJKLMNPQRSTUVWXYZ", 24)

    def log() -> Statement:
        return ("log", letters.pop())

    def then_or_micro(*body: Statement) -> Statement:
        return (rng.choice(["then", "micro"]), list(body))

    def tick(*body: Statement) -> Statement:
        return ("tick", list(body))

    immediates = [("immediate", [log(), rng.choice([tick, then_or_micro])(log())]), ("immediate", [log()])]
    timers = [("timeout", [log()])]
    soon = [rng.choice([tick, then_or_micro])(log())]
    inside = _shuffled(rng, immediates, timers, soon, [log()])
    first = rng.choice([tick, then_or_micro])(log())
    ticks = [tick(log(), then_or_micro(log())), tick(log())]
    microtasks = [then_or_micro(log(), tick(log())), rng.choice([("async", [log()], [log()]), then_or_micro(log())])]
    if microtasks[1][0] != "async":
        microtasks.insert(rng.randrange(3), ("async", [log()], [log()]))
    timeouts = [("timeout", [log(), first]), ("timeout", [("io", inside)])]
    here = [log()]
    while True:
        program = _shuffled(rng, ticks, microtasks, timeouts, here)
        kinds = [kind for kind, *_ in program if kind in ("tick", "then", "micro", "async")]
        if kinds[0] != "tick" and "tick" in kinds:  # below a microtask: else one common queue would give the same order
            return program


def _shuffled(rng: random.Random, *lists: list[Statement]) -> list[Statement]:
    """The statements of all the lists in random order, each list's own order kept."""
    turns = [i for i, one in enumerate(lists) for _ in one]
    rng.shuffle(turns)
    rest = [iter(one) for one in lists]
    return [next(rest[turn]) for turn in turns]


def labels(program: list[Statement]) -> list[str]:
    """The labels from top to bottom, as they stand in the text."""
    found = []
    for kind, *parts in program:
        found += [parts[0]] if kind == "log" else [label for body in parts for label in labels(body)]
    return found


def source(seed: int) -> str:
    """The program of this seed as JavaScript. It prints one label a line."""
    return "\n".join(["const { readFile } = require('node:fs');", "", *_lines(plan(seed))]) + "\n"


def _lines(program: list[Statement]) -> list[str]:
    written: list[str] = []
    for kind, *parts in program:
        bodies = [["  " + line for line in _lines(body)] for body in parts] if kind != "log" else []
        if kind == "log":
            written.append(f"console.log('{parts[0]}');")
        elif kind == "async":
            written += ["(async () => {", *bodies[0], "  await null;", *bodies[1], "})();"]
        else:
            opening, closing = CALLS[kind]
            written += [opening, *bodies[0], closing]
    return written


def order(seed: int) -> list[str]:
    """The labels of this seed's program in the order in which Node prints them: `run` without starting Node."""
    queues: dict[str, deque[list[Statement]]] = {kind: deque() for kind in CALLS}
    queues["then"] = queues["micro"]
    printed: list[str] = []

    def perform(statements: list[Statement]) -> None:
        for kind, *parts in statements:
            if kind == "log":
                printed.append(parts[0])
            elif kind == "async":
                perform(parts[0])
                queues["micro"].append(parts[1])
            else:
                queues[kind].append(parts[0])

    def settle() -> None:
        while queues["tick"] or queues["micro"]:
            for kind in ("tick", "micro"):
                while queues[kind]:
                    perform(queues[kind].popleft())

    perform(plan(seed))
    settle()
    while any(queues.values()):
        for phase in ("timeout", "io", "immediate"):
            for _ in range(len(queues[phase])):
                perform(queues[phase].popleft())
                settle()
    return printed


def run(seed: int) -> list[str]:
    """Run the program of this seed in Node: the labels in the order in which they are printed."""
    file = node.save(f"looporder-{seed}.cjs", source(seed))
    return node.run(str(file)).stdout.split()
