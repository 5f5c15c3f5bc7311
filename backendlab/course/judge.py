"""Run one exercise's tests on one answer: the tests in one process, the student's code in another.

Both are forked from a parent that has imported what lessons need, so that a run costs tenths of a second. Only plain
data crosses (`backendlab.student`): the answer never meets the tests' code. The set-up cells run in both.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from nbformat import NotebookNode

from backendlab import student
from backendlab.course import lesson


@dataclass(frozen=True)
class Limits:
    """Seconds that one exercise may take: the set-up cells and the answer's own cell; all of it, tests included."""

    answer: float = 30.0
    whole: float = 180.0


LIMITS = Limits()
READY = b"ready\n"


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


def preload() -> None:
    """Import what set-up cells import, once, before forking. Safe to call again."""
    import matplotlib

    matplotlib.use("agg")  # not by the environment, where a kernel started from here would find it and draw nothing
    for module in ("aiohttp", "matplotlib.pyplot", "pandas"):
        importlib.import_module(module)
    _shell()


def _shell() -> Any:
    """An IPython shell of this process's own: magics, top-level await, no history file, nothing printed."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    return InteractiveShell.instance(config=config)


def _become_quiet() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def _fork(work: Callable[[], None]) -> int:
    """Run `work` in a forked process that leads a group of its own and never returns here."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setpgid(0, 0)
        atexit._clear()  # the parent's farewells are not ours
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        work()
        code = 0
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()  # stops the servers that this process started
        os._exit(code)
    return 0


def _end(pid: int) -> None:
    """End a forked process and all of its group, and wait for it."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _run_cells(shell: Any, cells: Iterable[str]) -> BaseException | None:
    for source in cells:
        result = shell.run_cell(source)
        if error := result.error_before_exec or result.error_in_exec:
            return error
    return None


def _student_process(connection: socket.socket, setup: list[str], answer: str) -> None:
    _become_quiet()
    shell = _shell()
    if error := _run_cells(shell, setup):
        connection.sendall(f"the set-up cells failed here: {error!r}".encode().replace(b"\n", b" ") + b"\n")
        return
    error = _run_cells(shell, [answer])
    connection.sendall(READY)
    answers = student.Answers(shell.user_ns, student.describe(error) if error else None)
    student.serve_questions(connection, answers)


def _wait_for_answer(connection: socket.socket, seconds: float) -> str | None:
    """None when the answer's cell has run; else what went wrong with it, for the learner."""
    connection.settimeout(seconds)
    line = b""
    try:
        while not line.endswith(b"\n"):
            byte = connection.recv(1)
            if not byte:
                return "your cell ended the process it ran in"
            line += byte
    except TimeoutError:
        return f"your cell did not end within {seconds:g} s"
    except OSError:
        return "your cell ended the process it ran in"
    return None if line == READY else f"the cell did not run: {line[:300].decode(errors='replace')}"


def _judge_process(
    report: int, setup: list[str], answer: str, tests: list[tuple[str, float, str]], limits: Limits
) -> None:
    """Fork the student's process, ask it, and write one JSON line a test to the descriptor `report`."""
    ours, theirs = socket.socketpair()

    def answering() -> None:
        ours.close()
        os.close(report)
        _student_process(theirs, setup, answer)

    pid = _fork(answering)
    theirs.close()

    def give_up(*_: object) -> None:
        _end(pid)
        os._exit(1)

    signal.signal(signal.SIGTERM, give_up)  # the parent's word that this takes too long
    try:
        _become_quiet()
        shell = _shell()
        error = _run_cells(shell, setup)
        late = None if error else _wait_for_answer(ours, limits.answer)
        shell.push({"student": student.remote(ours)})
        for name, points, source in tests:
            started = time.monotonic()
            if error:
                outcome = Outcome(name, points, "broken", f"the set-up cells failed: {error!r}", type(error).__name__)
            elif late:
                outcome = Outcome(name, points, "failed", late, "AnswerError")
            else:
                result, message, kind = _run_test(shell, source)
                outcome = Outcome(name, points, result, message, kind, round(time.monotonic() - started, 3))
            os.write(report, json.dumps(asdict(outcome)).encode() + b"\n")
    finally:
        _end(pid)


def _run_test(shell: Any, source: str) -> tuple[str, str, str]:
    """What a test's cell says: the result, its message, and the name of the error."""
    ran = shell.run_cell(source)
    error = ran.error_before_exec or ran.error_in_exec
    if error is None:
        if _is_number(ran.result):
            said = f"the test shows {ran.result!r}, which nbgrader takes for a part of its points: end it otherwise"
            return "broken", said, "PartialCredit"
        return "passed", "", ""
    kind = type(error).__name__
    if isinstance(error, NotImplementedError):
        return "not done", str(error), kind
    if isinstance(error, AssertionError | student.AnswerError):
        return "failed", str(error) or "the check failed and says nothing more", kind
    return "broken", "".join(traceback.format_exception(error))[-2000:], kind


def _is_number(value: Any) -> bool:
    try:
        float(repr(value))
    except ValueError:
        return False
    return True


@dataclass
class _Running:
    pid: int
    descriptor: int
    tests: list[tuple[str, float, str]]
    deadline: float
    said: bytes = b""

    def outcomes(self) -> list[Outcome]:
        there = [Outcome(**json.loads(line)) for line in self.said.split(b"\n")[:-1]]
        silent = "no word came in time, or the process that ran the test ended"
        return there + [Outcome(name, points, "broken", silent) for name, points, _ in self.tests[len(there) :]]


def _start(setup: list[str], exercise: lesson.Exercise, answer: str, limits: Limits) -> _Running:
    tests = [(t.metadata.nbgrader.grade_id, float(t.metadata.nbgrader.points), t.source) for t in exercise.tests]
    read_end, write_end = os.pipe()

    def judging() -> None:
        os.close(read_end)
        _judge_process(write_end, setup, answer, tests, limits)

    pid = _fork(judging)
    os.close(write_end)
    return _Running(pid, read_end, tests, time.monotonic() + limits.whole)


def judge_all(
    setup: list[str],
    jobs: Iterable[tuple[lesson.Exercise, str]],
    *,
    workers: int = 1,
    limits: Limits = LIMITS,
) -> Iterator[tuple[int, list[Outcome]]]:
    """Run every job, an exercise and the text of an answer's cell, at most `workers` at a time.

    Yields each job's place and the outcomes of its tests, as they come. Never raises for what an answer does. This
    process must have one thread only: it forks.
    """
    preload()
    waiting = list(enumerate(jobs))
    running: dict[int, tuple[int, _Running]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                place, (exercise, answer) = waiting.pop(0)
                one = _start(setup, exercise, answer, limits)
                running[one.descriptor] = place, one
            ready, _, _ = select.select(list(running), [], [], 1.0)
            for descriptor, (place, one) in list(running.items()):
                chunk = os.read(descriptor, 65536) if descriptor in ready else None
                one.said += chunk or b""
                if chunk == b"" or time.monotonic() > one.deadline:
                    _finish(running.pop(descriptor)[1])
                    yield place, one.outcomes()
    finally:
        for _, one in running.values():
            _finish(one)


def _finish(one: _Running) -> None:
    """End a judging process, which ends the student's; by force if it takes no word."""
    with contextlib.suppress(OSError):
        os.kill(one.pid, signal.SIGTERM)
    end = time.monotonic() + 2.0
    while select.select([one.descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
        if not os.read(one.descriptor, 65536):
            break
    os.close(one.descriptor)
    _end(one.pid)


def judge(setup: list[str], exercise: lesson.Exercise, answer: str, *, limits: Limits = LIMITS) -> list[Outcome]:
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
