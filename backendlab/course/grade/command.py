"""`backendlab grade`: grade what a cohort handed in.

Takes submitted/, writes autograded/ and the gradebook, as `nbgrader autograde` would; nbgrader's feedback, formgrader
and export go on from there. Answers run in a sandbox, side by side. It may be interrupted, or killed, at any moment:
what was graded stays graded, and the next run goes on with the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backendlab.course import lesson, sandbox
from backendlab.course.grade import report, submissions
from backendlab.course.grade.submissions import Submission
from backendlab.course.judge import AT_ONCE, LIMITS, Outcome
from backendlab.parts import ROOT
from backendlab.trouble import Trouble

if TYPE_CHECKING:  # their modules import nbgrader and dask, which takes seconds
    from backendlab.course.grade.record import Recorder
    from backendlab.course.grade.spread import Assignment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 01-node-runtime or 1")
    parser.add_argument("--students", metavar="REGEX", help="only students whose whole name matches (default: all)")
    parser.add_argument("--workers", type=int, default=AT_ONCE, metavar="N", help="exercises at a time")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="a running dask scheduler, such as tcp://10.0.0.7:8786")
    parser.add_argument("--force", action="store_true", help="grade unchanged submissions anew as well")
    parser.add_argument("--timeout", type=float, default=LIMITS.whole, metavar="S", help="seconds for one exercise")
    parser.add_argument("--submission-timeout", type=float, default=900.0, metavar="S", help="seconds for a submission")
    parser.add_argument("--memory", type=int, default=LIMITS.bounds.memory >> 20, metavar="MIB", help="for an exercise")
    parser.add_argument("--show-hidden-tests", action="store_true", help="print hidden tests' source in the feedback")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where the scores go (default: autograded/LESSON.csv)")
    parser.add_argument(
        "--unsafe",
        action="store_true",
        help="run students' code with all your rights, where this machine has no sandbox",
    )


def run(args: argparse.Namespace) -> int:
    if args.workers < 1 or args.timeout <= 0 or args.submission_timeout <= 0 or args.memory < 256:
        raise Trouble("--workers wants at least 1, the timeouts more than 0 seconds, --memory at least 256 MiB.")
    why = "" if args.unsafe else sandbox.why_not()
    if why and not args.scheduler:
        raise Trouble(
            f"Nothing was graded: {why}. Grade on Linux (5.12 or newer, user namespaces allowed), or add --unsafe if "
            "every student may do on this machine, with your rights, whatever they like."
        )
    name = lesson.resolve(args.lesson)
    try:
        pattern = re.compile(args.students) if args.students else None
    except re.error as error:
        raise Trouble(f"--students {args.students!r} is not a regular expression: {error}") from None
    with alone(ROOT / ".backendlab"), _stopping() as stopped:
        return grade(args, name, pattern, stopped)


def grade(args: argparse.Namespace, name: str, pattern: re.Pattern[str] | None, stopped: _Stop) -> int:
    from backendlab.course import build
    from backendlab.course.grade import record, spread  # they import nbgrader and dask: seconds

    course = record.course(ROOT)
    path = course.folder("source", ".", name) / f"{name}.ipynb"
    if not path.exists():
        raise Trouble(
            f"{name} has not been released from here ({path} is missing): run `backendlab release {name} --cohort NAME`"
        )
    released = spread.assignment(path, name)
    source = lesson.open_notebook(path)
    shown = source if args.show_hidden_tests else build.release_notebook(source, name)
    folder = course.students_folder("submitted")
    there = dict(submissions.find(folder, name, pattern))
    refused = [student for student in there if not submissions.is_name(student)]
    found = [
        submissions.read(student, place, name, released.released)
        for student, place in there.items()
        if student not in refused
    ]
    if not there:
        which = f" of students that match {args.students!r}" if pattern else ""
        raise Trouble(f"There is no submission of {name}{which} in {folder}. `nbgrader collect {name}` brings them.")
    with record.Recorder(course, name, shown, released) as recorder:
        todo: list[tuple[Submission, dict[str, str]]] = []
        done: list[tuple[Submission, dict[str, str]]] = []
        known = recorder.known()
        for one in found:
            made_from = recorder.made_from(one.student) if one.student in known else {}
            same = made_from.get("submission") == one.digest
            (done if same and not args.force else todo).append((one, made_from))
        older = [one.student for one, made_from in done if made_from.get("tests") != released.digest]
        results = report.Results(name, released.exercises, len(todo))
        results.refused = refused
        for one, _ in done:
            results.unchanged.append(one.student)
            if one.trouble:
                results.failed[one.student] = one.trouble
        if older:
            print(f"{len(older)} unchanged submission(s) were graded with other tests; --force grades them anew.")
        if todo:
            _grade_all(args, [one for one, _ in todo], released, recorder, results, stopped, isolate=not args.unsafe)
        results.scores = recorder.scores(waiting={one.student for one, _ in todo} - results.seen)
    results.finish()
    target = args.csv or course.students_folder("autograded") / f"{name}.csv"
    print(results.table())
    try:
        results.write(target)
    except OSError as error:
        raise Trouble(
            f"The scores can't be written to {target} ({error.strerror}). The gradebook has them; --csv names a file."
        ) from None
    print(f"Scores: {target}")
    if todo:
        if results.results:
            print(f"Which checks failed, and how: {target.with_suffix('.png')}")
        print(f"Go on with:  nbgrader generate_feedback {name}   (or look: nbgrader's formgrader in JupyterLab)")
    if stopped():
        print(f"Interrupted: {results.waiting} submission(s) are not graded yet. The same command goes on with them.")
        return 130
    return 1 if results.failed or results.held or refused else 0


def _grade_all(
    args: argparse.Namespace,
    todo: list[Submission],
    released: Assignment,
    recorder: Recorder,
    results: report.Results,
    stopped: _Stop,
    *,
    isolate: bool,
) -> None:
    from backendlab.course.grade import spread

    limits = replace(LIMITS, whole=args.timeout, answer=min(LIMITS.answer, 0.8 * args.timeout))
    limits = replace(limits, bounds=replace(limits.bounds, memory=args.memory << 20))
    by_name = {one.student: one for one in todo}
    for one in todo:
        recorder.begin(one)
    for one in [one for one in todo if one.trouble]:
        recorder.save(one, {})
        results.add(one, {}, one.trouble)
    ready = [one for one in todo if not one.trouble]
    if not ready:
        return
    grading = spread.Grading(released, limits, args.submission_timeout, isolate=isolate)
    with spread.cluster(args.workers, args.scheduler) as client:
        for student, said in spread.grade_all(client, grading, ready, stopped):
            one = by_name[student]
            outcomes: dict[str, list[Outcome]] = {} if isinstance(said, str) else said
            trouble = said if isinstance(said, str) else ""
            recorder.save(one, outcomes, trouble)
            results.add(one, outcomes, trouble)


class _Stop:
    """Has the person asked to stop? The first Ctrl-C lets what is being graded end; the second doesn't."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        return bool(self.asked)

    def ask(self, *_: object) -> None:
        self.asked += 1
        if self.asked > 1:
            raise KeyboardInterrupt
        print("\nStopping: what is being graded ends first (Ctrl-C again: at once).", file=sys.stderr)


@contextlib.contextmanager
def _stopping() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the course's grading lock: two gradings at once would write the same files."""
    folder.mkdir(exist_ok=True)
    with (folder / "grade.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Trouble(f"Another `backendlab grade` is at work here (process {file.read().strip()}).") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
