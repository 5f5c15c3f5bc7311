"""How fast is a cohort graded: `backendlab grade` beside `nbgrader autograde`, and beside the least that it could take.

    python bench/grading.py --quick     # nine minutes: 10 and 50 submissions
    python bench/grading.py             # 10, 50, 200 and 1,000
    python bench/grading.py --minutes 30    # the same, without what would end later
    python bench/grading.py --json      # one object, for a machine to read

Submissions of a lesson (the first, unless `--lesson` says otherwise), of four kinds in turn: all right, every second
answer right and the others not begun, untouched, and all right but slow. They are graded by

1. `nbgrader autograde`, which runs the whole notebook, experiments too;
2. the same, with the experiments' cells skipped by one setting of nbclient's;
3. `backendlab grade --workers 1`, and `--workers 2`;
4. `backendlab grade` as it is: two workers for each core;
5. the limit: no notebook, no sandbox, no gradebook, no dask. One process has run the set-up and forks for each answer;
   the fork runs the answer and its tests together; as many forks at a time as 4 has workers. What was left untouched
   is not run, which is what 3 and 4 do.

What makes it fair:

- All sides run in one go, in turn, each in a copy of a course in a temporary folder, which is removed afterwards.
- nbgrader has no parallel option, so it gets one process. It takes so long that a submission or two of it must do: its
  rate is counted from the moment when it begins with the first one, so without the seconds that it takes to start, and
  each kind counts as much as in the mix. The others' times are those of whole commands.
- No two submissions of a kind are the same text: each answer ends in a comment with its number.
- Before any ratio is believed, all sides must have given each kind the same points in every test; else exit status 1.

A worker judges one exercise at a time. `workers_gain` is how many times faster two are than one, by the time of the
whole command, a few seconds of which are its start, which no worker can shorten.

Memory is the sum of PSS (pages shared by n processes count 1/n each) of the command and all processes below it, the
students' included, sampled every half second or less often; its highest value, and that of the command itself, in which
a cohort's size would show.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from backendlab.course import lesson
from backendlab.course.judge import AT_ONCE
from backendlab.parts import ROOT

CORES = os.cpu_count() or 1
KINDS = ("right", "half", "untouched", "slow")
SLOW = {  # what a slow answer begins with: processor time that no grader can save
    "py": "import time\n_until = time.process_time() + 0.25\nwhile time.process_time() < _until:\n    pass\n",
    "js": "for (const until = performance.now() + 50; performance.now() < until; );\n",
}
QUICK, FULL = (10, 50), (10, 50, 200, 1000)
QUICK_PAIR, FULL_PAIR = 20, 50  # submissions for one worker beside two
QUICK_MINUTES = 8.75  # what would end later is left out, and said to be

Scores = dict[str, dict[str, float]]  # by student, by test


@dataclass
class Measured:
    """One command's run: how long, how much memory, and what it found."""

    side: str
    count: int
    seconds: float
    scores: Scores
    peak_mb: float = 0.0
    own_mb: float = 0.0
    each: dict[str, float] = field(
        default_factory=dict
    )  # seconds by student, where the command says when it begins one

    @property
    def a_submission(self) -> float:
        return self.seconds / self.count


# ---- a course -------------------------------------------------------------------------------------------------------


class Course:
    """A lesson, released, in a folder; `copy` makes one like it with submissions."""

    def __init__(self, folder: Path, word: str):
        from backendlab.course import build, release

        self.folder, self.name = folder, lesson.resolve(word)
        self.root = folder / "course"
        (self.root / "source").mkdir(parents=True)
        shutil.copy(ROOT / "source" / f"{self.name}.md", self.root / "source")
        shutil.copytree(ROOT / "backendlab", self.root / "backendlab", ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("nbgrader_config.py", "package.json"):
            shutil.copy(ROOT / file, self.root)
        (self.root / "node_modules").symlink_to((ROOT / "node_modules").resolve())
        source = lesson.read(self.name)
        self.source = release.parameterized(source, {"COHORT": "bench", "SEED": 3, "EFFORT": "quick"})
        lesson.write(self.source, self.root / "source" / self.name / f"{self.name}.ipynb")
        self.released = build.clean(build.generate_assignment(self.root, self.name))
        self.exercises = lesson.exercises(self.source)

    def answers(self, kind: str, number: int) -> dict[str, str]:
        """The answers that a submission of this kind brings; what it leaves as it was is not among them."""
        chosen = {"right": self.exercises, "half": self.exercises[::2], "untouched": [], "slow": self.exercises}[kind]
        given = {}
        for exercise in chosen:
            magic, newline, body = _split(exercise.answer.source)
            slow = SLOW[exercise.language] if kind == "slow" else ""
            mark = {"py": "#", "js": "//"}[exercise.language]
            given[exercise.id] = f"{magic}{newline}{slow}{body}\n{mark} {kind} {number}"
        return given

    def submissions(self, count: int, kinds: tuple[str, ...] = KINDS) -> Iterator[tuple[str, dict[str, str]]]:
        for number in range(count):
            kind = kinds[number % len(kinds)]
            yield f"{kind}-{number:04}", self.answers(kind, number)

    @contextmanager
    def copy(self, count: int, kinds: tuple[str, ...] = KINDS) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder) as made:
            root = Path(made) / "course"
            shutil.copytree(self.root, root, symlinks=True)
            cells = {cell.id: cell.source for cell in self.released.cells}
            for student, given in self.submissions(count, kinds):
                for cell in self.released.cells:
                    cell.source = given.get(cell.id, cells[cell.id])
                lesson.write(self.released, root / "submitted" / student / self.name / f"{self.name}.ipynb")
            for cell in self.released.cells:
                cell.source = cells[cell.id]
            yield root


def _split(source: str) -> tuple[str, str, str]:
    """The magic's line of an answer's cell, if it has one, and the rest."""
    return source.partition("\n") if source.startswith("%%") else ("", "", source)


def environment(root: Path) -> dict[str, str]:
    """What a command in this course sees; it writes nothing outside of the folder around it."""
    around = root.parent
    (around / "shim").mkdir(exist_ok=True)
    # jsonschema compiles a grammar with this, for two seconds a command, if it can import it: not nbgrader's fault.
    (around / "shim" / "rfc3987_syntax.py").write_text("raise ImportError")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "IPYTHON"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    mine = {"HOME": str(around), "TMPDIR": str(around), "PATH": path}
    return {**kept, **mine, "PYTHONPATH": f"{root}{os.pathsep}{around / 'shim'}"}


def gradebook_scores(root: Path, name: str) -> Scores:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "backend-interview") as book:
        found = {}
        for submission in book.assignment_submissions(name):
            notebook = book.find_submission_notebook(name, name, submission.student_id)
            found[submission.student_id] = {grade.name: grade.score for grade in notebook.grades}
        return found


# ---- running a command ----------------------------------------------------------------------------------------------


class Memory(threading.Thread):
    """Samples the PSS of a process and all below it."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.root, self.peak, self.own = psutil.Process(pid), 0, 0
        self.over = threading.Event()

    def run(self) -> None:
        pause = 0.0
        while not self.over.wait(pause):
            began = time.thread_time()
            with suppress(psutil.Error):
                own = _pss(self.root.pid)
                below = sum(_pss(child.pid) for child in self.root.children(recursive=True))
                self.own, self.peak = max(self.own, own), max(self.peak, own + below)
            pause = max(0.5, 50 * (time.thread_time() - began))  # looking must cost what is looked at next to nothing


def _pss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()[0]) << 10
    except (OSError, IndexError):  # it has ended, or is another user's
        return 0


def command(words: list[str], root: Path, on_line: Callable[[str], None] = lambda _: None) -> tuple[float, Memory]:
    """Run a command in a course to its end: its seconds and its memory. `on_line` gets each line that it prints."""
    began = time.monotonic()
    process = subprocess.Popen(
        words, cwd=root, env=environment(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    memory = Memory(process.pid)
    memory.start()
    printed: list[str] = []
    assert process.stdout
    try:
        for line in process.stdout:
            printed.append(line)
            on_line(line)
        status = process.wait()
    finally:  # interrupted
        memory.over.set()
        process.terminate()
        process.wait()
        memory.join()
    if status != 0:
        raise SystemExit(f"{' '.join(words)} ended with status {status}:\n{''.join(printed[-40:])}")
    return time.monotonic() - began, memory


def nbgrader(course: Course, kinds: tuple[str, ...], *, skip: bool) -> Measured:
    with course.copy(len(kinds), kinds) as root:
        if skip:
            with (root / "nbgrader_config.py").open("a") as config:
                config.write('c.Execute.skip_cells_with_tag = "experiment"\n')
        begun: dict[str, float] = {}

        def on_line(line: str) -> None:
            if found := re.search(r"/submitted/([\w-]+)/", line):
                begun.setdefault(found[1], time.monotonic())

        seconds, memory = command(["nbgrader", "autograde", course.name], root, on_line)
        ends = [*sorted(begun.values())[1:], time.monotonic()]
        each = {
            student: end - start for (student, start), end in zip(sorted(begun.items(), key=_time), ends, strict=True)
        }
        side = "nbgrader, experiments skipped" if skip else "nbgrader"
        return Measured(
            side,
            len(kinds),
            seconds,
            gradebook_scores(root, course.name),
            memory.peak / 2**20,
            memory.own / 2**20,
            each,
        )


def _time(item: tuple[str, float]) -> float:
    return item[1]


def backendlab(course: Course, count: int, workers: int | None = None) -> Measured:
    """`workers`: None for as many as it chooses itself."""
    with course.copy(count) as root:
        words = [sys.executable, "-m", "backendlab.cli", "grade", course.name]
        seconds, memory = command([*words, *(["--workers", str(workers)] if workers else [])], root)
        return Measured(
            SIDES[workers], count, seconds, gradebook_scores(root, course.name), memory.peak / 2**20, memory.own / 2**20
        )


def bare(course: Course, count: int) -> Measured:
    """The limit: see `bare.py`."""
    from backendlab.course.judge import setup_of

    tests = {exercise.id: [(test.id, test.source) for test in exercise.tests] for exercise in course.exercises}
    points = {test.id: float(test.metadata.nbgrader.points) for one in course.exercises for test in one.tests}
    submissions = list(course.submissions(count))
    jobs = [(student, answer, tests[name]) for student, given in submissions for name, answer in given.items()]
    with tempfile.TemporaryDirectory(prefix="run-", dir=course.folder) as made:
        root = Path(made) / "course"
        root.mkdir()
        shutil.copytree(course.root / "backendlab", root / "backendlab")
        (root / "node_modules").symlink_to((ROOT / "node_modules").resolve())
        given = {"setup": setup_of(course.source), "jobs": jobs, "at_once": AT_ONCE}
        (root / "jobs.json").write_text(json.dumps(given))
        words = [sys.executable, "-P", str(Path(__file__).resolve().with_name("bare.py")), str(root)]
        seconds, memory = command(words, root)
        scores: Scores = {student: dict.fromkeys(points, 0.0) for student, _ in submissions}
        for place, (student, _, _) in enumerate(jobs):
            for test, result in json.loads((root / f"{place}.json").read_text()).items():
                scores[student][test] = points[test] if result == "passed" else 0.0
        return Measured("bare", count, seconds, scores, memory.peak / 2**20, memory.own / 2**20)


# ---- what it comes to -----------------------------------------------------------------------------------------------


def disagreements(runs: list[Measured]) -> list[str]:
    """Tests to which two sides gave a kind of submission different points, or one side did from one to the next."""
    seen: dict[tuple[str, str], dict[float, list[str]]] = {}
    for run in runs:
        for student, scores in run.scores.items():
            for test, score in scores.items():
                there = seen.setdefault((student.split("-")[0], test), {}).setdefault(score, [])
                if run.side not in there:
                    there.append(run.side)
    return [
        f"{kind}, {test}: " + "; ".join(f"{score:g} by {', '.join(sides)}" for score, sides in given.items())
        for (kind, test), given in seen.items()
        if len(given) > 1
    ]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def nbgrader_seconds(run: Measured) -> float:
    return mean(list(run.each.values()))


def report(runs: list[Measured]) -> dict[str, Any]:
    """The ratios, at the largest number of submissions that both sides of a ratio have graded."""

    def times(side: str) -> dict[int, Measured]:
        return {run.count: run for run in runs if run.side == side}

    whole, skipping = (next(run for run in runs if run.side == side) for side in (NBGRADER, SKIPPING))
    ours, one, two, limit = times(OURS), times(ONE), times(TWO), times("bare")
    largest = ours[max(ours)]
    both = max(set(ours) & set(limit))
    pair = max(set(one) & set(two), default=0)
    found: dict[str, Any] = {
        "times_nbgrader": round(nbgrader_seconds(whole) / largest.a_submission, 1),
        "times_nbgrader_skipping": round(nbgrader_seconds(skipping) / largest.a_submission, 1),
        "times_bare": round(ours[both].seconds / limit[both].seconds, 2),
        "submissions_per_minute": round(60 / largest.a_submission, 1),
        "peak_mb": round(largest.peak_mb),
        "workers_gain": round(one[pair].seconds / two[pair].seconds, 2) if pair else None,
        "cores": CORES,
        "submissions": largest.count,
        "nbgrader_seconds_each": {run.side: {k: round(v, 1) for k, v in run.each.items()} for run in (whole, skipping)},
        "workers": AT_ONCE,
        "seconds": {side: {n: round(run.seconds, 1) for n, run in times(side).items()} for side in SECONDS},
        "peak_mb_by_submissions": {n: round(run.peak_mb) for n, run in ours.items()},
        "own_mb_by_submissions": {n: round(run.own_mb) for n, run in ours.items()},
    }
    for side, there in ((OURS, ours), ("bare", limit)):
        if len(there) > 1:  # what one more submission takes: the start-up, most of it imports, is not in it
            few, many = there[min(there)], there[max(there)]
            more = round((many.seconds - few.seconds) / (many.count - few.count), 3)
            found.setdefault("seconds_each_more", {})[side] = more
    return found


NBGRADER, SKIPPING = "nbgrader", "nbgrader, experiments skipped"
ONE, TWO, OURS = "backendlab, 1 worker", "backendlab, 2 workers", "backendlab"
SIDES = {1: ONE, 2: TWO, None: OURS}
SECONDS = (ONE, TWO, OURS, "bare")


def row(run: Measured) -> str:
    each = nbgrader_seconds(run) if run.each else run.a_submission
    return (
        f"{run.side:32} {run.count:5} {run.seconds:8.1f} s {each:8.2f} s {60 / each:8.1f} "
        f"{run.peak_mb:8.0f} {run.own_mb:8.0f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 and 50 submissions, about nine minutes")
    parser.add_argument("--minutes", type=float, help="leave out what would end later (default: 8.75 with --quick)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--lesson", default="1", help="such as 01-node-runtime or 1 (default: 1)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a folder and a command of ours are to be ended with us
    begun = time.monotonic()
    minutes = args.minutes or (QUICK_MINUTES if args.quick else float("inf"))
    runs: list[Measured] = []
    left_out: list[str] = []

    def say(text: str) -> None:
        if not args.json:
            print(text, flush=True)

    def add(measure: Callable[[], Measured]) -> None:
        runs.append(measure())
        say(row(runs[-1]))

    def too_long(side: str, count: int) -> bool:
        """Would this run go beyond the minutes there are, by how long ours took, or what is like it, the last time?"""
        before = [run for run in runs if run.side == side] or [run for run in runs if run.side in (ONE, OURS)]
        if not before or time.monotonic() - begun + before[-1].a_submission * count <= 60 * minutes:
            return False
        left_out.append(f"{side} with {count}")
        return True

    with tempfile.TemporaryDirectory(prefix="backendlab-bench-") as folder:
        course = Course(Path(folder), args.lesson)
        say(f"{course.name}, {CORES} cores")
        say(f"{'':32} {'N':>5} {'in all':>10} {'each':>10} {'a minute':>8} {'MB: all':>8} {'command':>8}")
        add(lambda: nbgrader(course, ("right", "untouched") if args.quick else KINDS, skip=False))
        add(lambda: nbgrader(course, KINDS, skip=True))
        pair = QUICK_PAIR if args.quick else FULL_PAIR
        for count in QUICK if args.quick else FULL:
            if not too_long(OURS, count):
                add(partial(backendlab, course, count))
            if not too_long("bare", count):
                add(partial(bare, course, count))
            if count == QUICK[0] and CORES > 1:
                for workers in (1, 2):
                    if not too_long(SIDES[workers], pair):
                        add(partial(backendlab, course, pair, workers))
    found = report(runs)
    found["disagreements"], found["left_out"] = disagreements(runs), left_out
    if args.json:
        print(json.dumps(found))
    else:
        say("")
        for key, value in found.items():
            say(f"{key:26} {value}")
    return 1 if found["disagreements"] else 0


if __name__ == "__main__":
    sys.exit(main())
