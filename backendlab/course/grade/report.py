"""What an instructor sees: progress, a table at the end, a CSV, and which checks failed in which ways, as a picture."""

from __future__ import annotations

import csv
import re
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from backendlab.course import lesson
from backendlab.course.grade.plain import printable
from backendlab.course.grade.submissions import Submission
from backendlab.course.judge import Outcome

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # what a spreadsheet's formula begins with
MOST_WRONG_RESULTS = 3  # of a check, that the picture names
KINDS = ("passed", "failed", "not done", "broken")
COLOURS = {"passed": "#0072b2", "failed": "#d55e00", "not done": "#999999", "broken": "#f0e442"}  # Okabe and Ito's


class Results:
    """What one run found. `failed`: could not be graded; `held`: graded, but a person must look at a part."""

    def __init__(self, name: str, exercises: list[lesson.Exercise], whole: int):
        self.name, self.exercises, self.whole = name, exercises, whole
        self.started = time.monotonic()
        self.done = 0
        self.failed: dict[str, str] = {}
        self.held: dict[str, list[str]] = {}
        self.notes: dict[str, list[str]] = {}
        self.unchanged: list[str] = []
        self.refused: list[str] = []
        self.seen: set[str] = set()
        self.scores: list[dict[str, object]] = []
        self.results: dict[str, Counter[str]] = {}
        self.wrong: dict[str, Counter[str]] = {}
        self._shown = 0.0

    @property
    def waiting(self) -> int:
        return self.whole - self.done

    def add(self, submission: Submission, outcomes: dict[str, list[Outcome]], trouble: str) -> None:
        self.done += 1
        self.seen.add(submission.student)
        if submission.notes:
            self.notes[submission.student] = submission.notes
        if trouble:
            self.failed[submission.student] = trouble
        for outcome in [outcome for said in outcomes.values() for outcome in said]:
            self.results.setdefault(outcome.test, Counter())[outcome.result] += 1
            if outcome.result == "failed":
                self.wrong.setdefault(outcome.test, Counter())[_summary(outcome.message)] += 1
            if outcome.result == "broken":
                self.held.setdefault(submission.student, []).append(f"{outcome.test}: {outcome.message}")
        self.progress()

    def progress(self) -> None:
        """One line, written over where someone watches; else a line now and then."""
        now = time.monotonic()
        watched = sys.stderr.isatty()
        if not watched and now < self._shown + 10.0 and self.waiting:
            return
        self._shown = now
        spent = now - self.started
        left = spent / self.done * self.waiting
        parts = [f"{self.name}: {self.done} of {self.whole} graded"]
        parts += [f"{len(self.failed)} could not be"] if self.failed else []
        parts += [f"{len(self.held)} held"] if self.held else []
        parts += [f"{60 * self.done / spent:.0f} a minute, {_span(left)} left"] if self.waiting and spent else []
        print(
            f"\r{', '.join(parts)}\x1b[K" if watched else ", ".join(parts), end="" if watched else "\n", file=sys.stderr
        )
        sys.stderr.flush()

    def finish(self) -> None:
        if self.whole and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)

    def table(self) -> str:
        """What happened, whom it happened to, and how many passed each exercise's tests."""
        spent = time.monotonic() - self.started
        lines = [f"{self.name}: {self.done} graded in {_span(spent)}, {len(self.unchanged)} unchanged"]
        if self.results:
            lines.append(f"\n  {'test':34} {'points':>6} {'passed':>7} {'failed':>7} {'not done':>9} {'held':>5}")
        for exercise in self.exercises:
            for test in exercise.tests:
                counts = self.results.get(test.metadata.nbgrader.grade_id)
                if counts:
                    row = " ".join(f"{counts[kind]:>{width}}" for kind, width in zip(KINDS, (7, 7, 9, 5), strict=True))
                    lines.append(f"  {test.metadata.nbgrader.grade_id:34} {test.metadata.nbgrader.points:>6g} {row}")
        lines += _block("Could not be graded (no score, and marked so):", self.failed)
        if self.refused:
            shown = ", ".join(map(ascii, self.refused[:5]))
            lines += ["", f"{len(self.refused)} folder(s) can't be a student's name, and were left alone: {shown}"]
        held = {student: "; ".join(_first_line(one) for one in said) for student, said in self.held.items()}
        lines += _block("Held (a test of ours broke; needs a person):", held)
        lines += _block("Noted:", {student: "; ".join(said) for student, said in self.notes.items()})
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Scores as CSV (one row a student, one column a test), and the picture beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = ["student", "score", "max_score", "late_penalty", "state", "timestamp"]
        columns += [test.metadata.nbgrader.grade_id for exercise in self.exercises for test in exercise.tests]
        part = path.with_name(f".{path.name}.part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            for row in self.scores:
                writer.writerow({key: _for_spreadsheets(value) for key, value in row.items()})
        part.replace(path)
        if self.results:
            self.draw(path.with_suffix(".png"))

    def draw(self, path: Path) -> None:
        """A bar for every test: how many passed, failed, did not do it; the commonest wrong results beside it."""
        import matplotlib

        matplotlib.use("agg")
        import matplotlib.pyplot as plt

        tests = [t.metadata.nbgrader.grade_id for e in self.exercises for t in e.tests]
        tests = [test for test in tests if test in self.results]
        height = 0.56 * len(tests) + 1.1
        figure, (bars, words) = plt.subplots(
            1, 2, figsize=(15, height), sharey=True, width_ratios=(1, 1.9), layout="constrained"
        )
        left = dict.fromkeys(tests, 0)
        for kind in KINDS:
            widths = [self.results[test][kind] for test in tests]
            if any(widths):
                label = "held" if kind == "broken" else kind
                bars.barh(tests, widths, left=list(left.values()), color=COLOURS[kind], label=label, height=0.72)
                left = {test: left[test] + self.results[test][kind] for test in tests}
        for place, test in enumerate(tests):
            common = self.wrong.get(test, Counter()).most_common(MOST_WRONG_RESULTS)
            said = "\n".join(f"{count:>4}× {_cut(text)}" for count, text in ((n, t) for t, n in common))
            words.text(0, place, said, va="center", fontsize=7.5, family="monospace", parse_math=False)
        most = max(left.values())
        bars.set_ylim(len(tests) - 0.5, -0.5)
        bars.set_xlim(0, most)
        bars.set_xticks([0, most // 2, most] if most > 1 else [0, most])
        bars.set_xlabel("submissions", loc="left")
        bars.spines[["top", "right"]].set_visible(False)
        bars.set_title(f"{self.name}: what passed, what failed …", loc="left", fontsize=11)
        words.set_title("… and how: the commonest wrong results", loc="left", fontsize=11)
        words.set_axis_off()
        figure.legend(loc="outside lower left", ncols=4, frameon=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # letters that no font here has: boxes stand for them
            figure.savefig(path, dpi=110)
        plt.close(figure)


def _cut(text: str, width: int = 100) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _block(title: str, said: dict[str, str]) -> list[str]:
    if not said:
        return []
    shown = list(said.items())[:20]
    more = [f"  … and {len(said) - len(shown)} more"] if len(said) > len(shown) else []
    return ["", title, *(f"  {_one_line(student)}: {_one_line(text)[:300]}" for student, text in shown), *more]


def _one_line(text: str) -> str:
    """Text by others, as a part of a line that only shows it."""
    return " ".join(printable(text).split())


def _summary(message: str) -> str:
    """A message short enough to be counted: alike where only numbers and addresses differ."""
    return re.sub(r"0x[0-9a-f]+", "0x…", _first_line(printable(message)))[:110]


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _for_spreadsheets(value: object) -> object:
    """Text that a spreadsheet would take for a formula is told to be text. With full-width signs it is one as well."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
