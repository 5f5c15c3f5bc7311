# Empties the two queues only when all timers or all immediates have run, as Node did before version 11.
from collections import deque

queues = {kind: deque() for kind in ("tick", "micro", "timeout", "io", "immediate")}
queues["then"] = queues["micro"]
printed = []


def perform(statements):
    for kind, *parts in statements:
        if kind == "log":
            printed.append(parts[0])
        elif kind == "async":
            perform(parts[0])
            queues["micro"].append(parts[1])
        else:
            queues[kind].append(parts[0])


def settle():
    while queues["tick"] or queues["micro"]:
        for kind in ("tick", "micro"):
            while queues[kind]:
                perform(queues[kind].popleft())


perform(looporder.plan(SEED))
settle()
while any(queues.values()):
    for phase in ("timeout", "io", "immediate"):
        for _ in range(len(queues[phase])):
            perform(queues[phase].popleft())
        settle()
