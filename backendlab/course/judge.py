"""Run exercises' tests on answers: the tests in one process, the student's code in another, in a sandbox.

Only plain data crosses between them (`backendlab.student`): the answer never meets the tests' code. Both are forked
from a process that has imported what lessons need and run the lesson's set-up (`backendlab.course.forkserver`), so that
a run costs little more than what the answer and its tests do.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nbformat import NotebookNode

from backendlab import bundles, parts
from backendlab.course import around, lesson, sandbox
from backendlab.parts import ROOT
from backendlab.trouble import Trouble


@dataclass(frozen=True)
class Limits:
    """Seconds that one exercise may take: the answer's own cell; all of it, tests included. And what it may use."""

    answer: float = 30.0
    whole: float = 180.0
    bounds: sandbox.Bounds = field(default_factory=sandbox.Bounds)


LIMITS = Limits()
# Answers that are best under way at once: many wait half of their time, for timers or for another process of theirs.
AT_ONCE = 2 * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
_Inbox = queue.SimpleQueue[dict[str, Any] | None]
Answer = str | around.Answer  # an answer cell's text, alone or with what stands around it
TOO_LATE = "was not tried: the time for the whole submission was used up before"


@dataclass(frozen=True)
class Outcome:
    """What one test said: `passed`, `failed` (the answer is wrong), `not done`, or `broken` (the test itself is)."""

    test: str
    points: float
    result: str
    message: str = ""
    kind: str = ""
    seconds: float = 0.0

    @property
    def hidden(self) -> bool:
        return not self.test.endswith("-check")


class ForkServer:
    """A process that has run a lesson's set-up cells and judges answers to its exercises. Use it in a `with` block.

    Several threads may have it judge at the same time. `isolate=False` runs answers without a sandbox: with all the
    rights of whoever grades.
    """

    def __init__(self, setup: list[str], *, isolate: bool):
        self.setup, self.broken = setup, ""
        bring_bundles(setup)
        self.connection, theirs = socket.socketpair()
        self.said = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "backendlab.course.forkserver", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env={**sandbox.environment(), "PYTHONPATH": str(ROOT), "TMPDIR": tempfile.gettempdir()},
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=self.said,
            start_new_session=True,  # an interrupt is ours to take, and to end it
        )
        theirs.close()
        self._numbers = itertools.count(1)
        self._sending, self._changing = threading.Lock(), threading.Lock()
        self._asked: dict[int, _Inbox] = {}  # by job: who waits for what is said of it
        self._ready, self._gone = threading.Event(), False
        self._send({"setup": setup, "isolate": isolate})
        self._reader = threading.Thread(target=self._read, name="fork server", daemon=True)
        self._reader.start()

    def _send(self, message: dict[str, Any]) -> None:
        with self._sending, contextlib.suppress(OSError):  # if it is gone, whoever waits for a reply is told
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def _read(self) -> None:
        """In a thread: hand every message to whoever waits for it."""
        with contextlib.suppress(OSError, ValueError), self.connection.makefile("rb") as lines:
            self.broken = json.loads(lines.readline()).get("broken", "")
            self._ready.set()
            for line in lines:
                message = json.loads(line)
                with self._changing:
                    inbox = self._asked.get(message["job"])  # none for a call that was broken off
                    if "end" in message:
                        self._asked.pop(message["job"], None)
                if inbox:
                    inbox.put(message)
        with self._changing:
            self._gone = True
            inboxes = set(self._asked.values())
        for inbox in inboxes:
            inbox.put(None)
        self._ready.set()

    def _submit(self, exercise: lesson.Exercise, answer: Answer, limits: Limits, inbox: _Inbox) -> int:
        """Have an answer judged: what is said of it goes into `inbox`, None if nothing will be said any more."""
        job = next(self._numbers)
        tests = [
            {"id": t.metadata.nbgrader.grade_id, "points": float(t.metadata.nbgrader.points), "source": t.source}
            for t in exercise.tests
        ]
        times = {"answer": limits.answer, "whole": limits.whole}
        given = (answer if isinstance(answer, around.Answer) else around.Answer(answer)).plain()
        with self._changing:
            self._asked[job] = inbox
            gone = self._gone
        if gone:
            inbox.put(None)
        self._send({"job": job, "tests": tests, "answer": given, "limits": times, "bounds": asdict(limits.bounds)})
        return job

    def judge(
        self,
        jobs: Sequence[tuple[lesson.Exercise, Answer]],
        *,
        workers: int = 1,
        may_begin: Callable[[int], bool] | None = None,
        limits: Limits = LIMITS,
        deadline: float = float("inf"),
    ) -> Iterator[tuple[int, list[Outcome]]]:
        """Run jobs, an exercise and an answer to it, at most `workers` at a time.

        Yields each job's place and the outcomes of its tests, as they come. After `deadline` (by `time.monotonic`) no
        answer is begun any more. Raises `Trouble` if the process is gone.
        In the place of `workers`, `may_begin` is asked before each whether it may begin beside so many; when it said
        yes, one is yielded later. It must say yes to 0.
        """
        if may_begin is None:
            may_begin = workers.__gt__
        waiting = list(enumerate(jobs))[::-1]
        running: dict[int, tuple[int, list[Outcome]]] = {}
        inbox: _Inbox = queue.SimpleQueue()
        try:
            while waiting or running:
                while waiting and may_begin(len(running)):
                    place, (exercise, answer) = waiting.pop()
                    if time.monotonic() > deadline:
                        yield place, [replace(o, result="failed", message=TOO_LATE) for o in broken(exercise, "")]
                        continue
                    running[self._submit(exercise, answer, limits, inbox)] = place, []
                if not running:
                    return
                message = inbox.get()
                if message is None:
                    raise Trouble(f"The process that judges answers ended. It said:\n{self._last_words()}")
                if "outcome" in message:
                    running[message["job"]][1].append(Outcome(**message["outcome"]))
                else:
                    yield running.pop(message["job"])
        finally:
            for job in running:  # of a call that is broken off
                with self._changing:
                    self._asked.pop(job, None)
                self._send({"drop": job})

    def wait_until_ready(self) -> None:
        """Raises `Trouble` if the set-up cells fail or no sandbox can be made."""
        self._ready.wait()
        if self.broken:
            raise Trouble(self.broken)
        if self._gone:
            raise Trouble(f"The process that judges answers ended. It said:\n{self._last_words()}")

    def _last_words(self) -> str:
        self.said.seek(0)
        return self.said.read()[-4000:].decode(errors="replace").strip() or "(nothing)"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)  # wakes the reader, too
        try:
            self.process.wait(10.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self.connection.close()
        self.said.close()

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def bring_bundles(setup: list[str]) -> None:
    """Fetch the npm bundles that set-up cells want, if they aren't here: where those run, there is no way to a network.

    Where it fails nothing is said: the set-up finds out as well, and the tests that need a bundle tell.
    """
    wanted = {name for cell in setup for name in re.findall(r"""\bnode\.bundle\(["'](\w+)["']\)""", cell)}
    for name in sorted(wanted & set(parts.bundles())):
        bundles.bring(name, lambda line: None)


@functools.cache
def can_isolate() -> bool:
    return not sandbox.why_not()


def judge_all(
    setup: list[str],
    jobs: Iterable[tuple[lesson.Exercise, Answer]],
    *,
    workers: int = 1,
    limits: Limits = LIMITS,
    isolate: bool | None = None,
) -> Iterator[tuple[int, list[Outcome]]]:
    """Run every job, an exercise and an answer to it, at most `workers` at a time.

    Yields each job's place and the outcomes of its tests, as they come. Never raises for what an answer does. Without
    `isolate`, answers are put into a sandbox where there is one: they are the course's own, or the learner's.
    """
    waiting = list(enumerate(jobs))
    if not waiting:
        return
    with ForkServer(setup, isolate=can_isolate() if isolate is None else isolate) as server:
        left = dict(waiting)
        try:
            server.wait_until_ready()
            for place, outcomes in server.judge([job for _, job in waiting], workers=workers, limits=limits):
                del left[place]
                yield place, outcomes
        except Trouble as trouble:
            for place, (exercise, _) in left.items():
                yield place, broken(exercise, str(trouble))


def broken(exercise: lesson.Exercise, why: str) -> list[Outcome]:
    """The outcome of every test of an exercise that could not be judged, and that is our fault."""
    marks = [test.metadata.nbgrader for test in exercise.tests]
    return [Outcome(mark.grade_id, float(mark.points), "broken", why) for mark in marks]


def not_begun(exercise: lesson.Exercise) -> list[Outcome]:
    """The outcome of every test on the exercise's stub, which needn't be run: no release without that proof."""
    marks = [test.metadata.nbgrader for test in exercise.tests]
    return [Outcome(mark.grade_id, float(mark.points), "not done", lesson.NOT_DONE, "NotDone") for mark in marks]


def judge(setup: list[str], exercise: lesson.Exercise, answer: Answer, *, limits: Limits = LIMITS) -> list[Outcome]:
    """The outcome of every test of `exercise` on an answer cell's text."""
    return next(outcomes for _, outcomes in judge_all(setup, [(exercise, answer)], limits=limits))


def setup_of(notebook: NotebookNode, parameters: dict[str, Any] | None = None) -> list[str]:
    """The text of the set-up cells, with `parameters` put in as papermill would: after the parameters cell."""
    from papermill.translators import PythonTranslator

    cells = []
    for cell in lesson.setup_cells(notebook):
        cells.append(cell.source)
        if parameters and "parameters" in lesson.tags(cell):
            cells.append(PythonTranslator.codify(parameters, "Parameters"))
    return cells
