"""Every program of `looporder` has one order, and no wrong model of the loop arrives at it."""

from collections import deque

import pytest

from backendlab.lab import looporder


class Loop:
    """Node's loop as this lesson explains it. Each subclass is an idea that people have of it instead."""

    def __init__(self):
        self.printed, self.ticks, self.micros = [], deque(), deque()
        self.timers, self.polled, self.immediates = deque(), deque(), deque()

    def run(self, statements):
        queues = {"tick": self.ticks, "timeout": self.timers, "immediate": self.immediates, "io": self.polled}
        for kind, *parts in statements:
            if kind == "log":
                self.printed.append(parts[0])
            elif kind == "async":
                self.call_async(*parts)
            elif kind in ("then", "micro"):
                self.micros.append(parts[0])
            else:
                queues[kind].append(parts[0])

    def call_async(self, before, after):
        self.run(before)
        self.micros.append(after)

    def settle(self):
        while self.ticks or self.micros:
            while self.ticks:
                self.run(self.ticks.popleft())
            while self.micros:
                self.run(self.micros.popleft())

    def phase(self, queue):
        for _ in range(len(queue)):
            self.run(queue.popleft())
            self.settle()

    def turn(self):
        self.phase(self.timers)
        self.phase(self.polled)
        self.phase(self.immediates)

    def order(self, program):
        self.run(program)
        self.settle()
        while self.timers or self.polled or self.immediates:
            self.turn()
        return self.printed


class MicrotasksBeforeTicks(Loop):
    def settle(self):
        while self.ticks or self.micros:
            while self.micros:
                self.run(self.micros.popleft())
            while self.ticks:
                self.run(self.ticks.popleft())


class MicrotasksFirstInTheMainModule(MicrotasksBeforeTicks):
    """What an ES module does."""

    def phase(self, queue):
        for _ in range(len(queue)):
            self.run(queue.popleft())
            Loop.settle(self)


class OneQueueForBoth(Loop):
    def __init__(self):
        super().__init__()
        self.micros = self.ticks


class TickCutsInBetweenMicrotasks(Loop):
    def settle(self):
        while self.ticks or self.micros:
            self.run((self.ticks or self.micros).popleft())


class MicrotasksAfterEachTick(Loop):
    def settle(self):
        while self.ticks or self.micros:
            if self.ticks:
                self.run(self.ticks.popleft())
            while self.micros:
                self.run(self.micros.popleft())


class TimersBeforeImmediatesAfterIO(Loop):
    def turn(self):
        self.phase(self.polled)
        self.phase(self.timers)
        self.phase(self.immediates)


class ImmediateIsImmediate(Loop):
    def settle(self):
        while self.immediates or self.ticks or self.micros:
            while self.immediates:
                self.run(self.immediates.popleft())
            super().settle()


class MicrotasksAfterTheWholePhase(Loop):
    """What Node did before version 11."""

    def phase(self, queue):
        for _ in range(len(queue)):
            self.run(queue.popleft())
        self.settle()


class AsyncFunctionStartsLater(Loop):
    def call_async(self, before, after):
        self.micros.append([*before, ("await", after)])

    def run(self, statements):
        for kind, *parts in statements:
            if kind == "await":
                self.micros.append(parts[0])
            else:
                super().run([(kind, *parts)])


class AwaitOfNothingGoesStraightOn(Loop):
    def call_async(self, before, after):
        self.run(before)
        self.run(after)


class ZeroTimerBeforeMicrotasks(Loop):
    def settle(self):
        while self.timers or self.ticks or self.micros:
            while self.timers:
                self.run(self.timers.popleft())
            super().settle()


class TopToBottom(Loop):
    def order(self, program):
        return looporder.labels(program)


def all_of(kind):
    return [kind, *(below for direct in kind.__subclasses__() for below in all_of(direct))]


WRONG = [model for model in all_of(Loop) if model is not Loop]
SEEDS = range(200)


@pytest.mark.parametrize("model", WRONG, ids=lambda model: model.__name__)
def test_a_wrong_model_never_gets_the_order_right(model):
    right = [seed for seed in SEEDS if model().order(looporder.plan(seed)) == Loop().order(looporder.plan(seed))]
    assert not right


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 8, 13, 21, 34])
def test_node_prints_what_the_model_of_the_lesson_says(seed):
    assert looporder.run(seed) == Loop().order(looporder.plan(seed))


def test_the_order_that_answers_are_compared_with_is_that_of_the_model():
    assert all(looporder.order(seed) == Loop().order(looporder.plan(seed)) for seed in SEEDS)


def test_each_label_stands_once_and_another_seed_is_another_program():
    sources = {looporder.source(seed) for seed in SEEDS}
    assert len(sources) == len(SEEDS)
    for seed in SEEDS:
        found = looporder.labels(looporder.plan(seed))
        assert len(set(found)) == len(found)
        assert 15 <= len(found) <= 20


def test_the_same_seed_is_the_same_program():
    assert looporder.source(7) == looporder.source(7)
