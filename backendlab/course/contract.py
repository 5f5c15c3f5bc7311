"""`backendlab contract`: what every exercise promises, tried.

The stub fails with NotImplementedError and nothing else; the reference solution passes; every kept wrong answer fails a
hidden test; every kept answer written differently passes. CONTRIBUTING.md says where the kept answers stand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from backendlab.course import build, lesson
from backendlab.course.judge import AT_ONCE, LIMITS, Limits, Outcome, judge_all, setup_of
from backendlab.parts import ROOT

ENDINGS = {"py": ".py", "js": ".mjs"}
FEWEST = {"wrong": 2, "right": 1}


@dataclass(frozen=True)
class Trial:
    """One answer to one exercise, tried. `broken_promise` says what should have come and what came, or is empty."""

    exercise: str
    answer: str
    outcomes: list[Outcome]
    broken_promise: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 01-node-runtime or 1 (default: all)")
    parser.add_argument("--exercise", metavar="ID", help="only this one")
    parser.add_argument("--seed", type=int, help="with this cohort's seed instead of the lesson's own")
    parser.add_argument("--verbose", "-v", action="store_true", help="what every test said of every answer")
    parser.add_argument("--workers", type=int, default=AT_ONCE, help="answers tried at once")


def run(args: argparse.Namespace) -> int:
    broken = 0
    for name in [lesson.resolve(word) for word in args.lessons] or lesson.names():
        parameters = {} if args.seed is None else {"SEED": args.seed}
        kept = ROOT / "tests" / "answers" / name
        trials = list(try_all(lesson.read(name), name, kept, parameters, only=args.exercise, workers=args.workers))
        progress("")
        print(table(name, trials))
        for trial in trials:
            if trial.broken_promise:
                broken += 1
                print(f"\n{trial.exercise}: {trial.answer}: {trial.broken_promise}")
            if trial.broken_promise or args.verbose:
                for outcome in trial.outcomes:
                    said = f" {outcome.message}" if outcome.message else ""
                    print(f"    {trial.exercise}: {trial.answer}: {outcome.test}: {outcome.result}{said}")
    return 1 if broken else 0


def try_all(
    source: NotebookNode,
    name: str,
    kept: Path,
    parameters: dict[str, Any] | None = None,
    *,
    only: str | None = None,
    workers: int = 1,
    limits: Limits = LIMITS,
) -> Iterator[Trial]:
    """Every answer to every exercise of a lesson, with these parameters, as they end; then what is missing.

    `kept` is the folder of the lesson's kept answers. Raises `LessonError` if `only` is no exercise.
    """
    exercises = lesson.exercises(source)
    known = {exercise.id for exercise in exercises}
    if only and only not in known:
        raise lesson.LessonError(f"{name} has no exercise called {only!r}. There are: {', '.join(sorted(known))}.")
    stubs = {lesson.grade_id(cell): cell.source for cell in build.release_notebook(source, name).cells}
    chosen = [exercise for exercise in exercises if only in (None, exercise.id)]
    jobs = [
        (exercise, label, text)
        for exercise in chosen
        for label, text in [
            ("stub", stubs[exercise.id]),
            ("solution", exercise.answer.source),
            *kept_answers(exercise, kept / exercise.id),
        ]
    ]
    texts = [(exercise, text) for exercise, _, text in jobs]
    tried = judge_all(setup_of(source, parameters), texts, workers=max(1, workers), limits=limits)
    for count, (place, outcomes) in enumerate(tried, 1):
        progress(f"{name}: {count} of {len(jobs)} answers tried")
        exercise, label, _ = jobs[place]
        yield Trial(exercise.id, label, outcomes, promise_broken(label, outcomes))
    for exercise in chosen:
        for said in missing(exercise, kept / exercise.id):
            yield Trial(exercise.id, "what is kept", [], said)
    for folder in sorted(kept.glob("*")):
        if not only and folder.name not in known:
            yield Trial(folder.name, "what is kept", [], f"{name} has no exercise of this name")


def missing(exercise: lesson.Exercise, folder: Path) -> Iterator[str]:
    """What an exercise still needs beside its cells, and what lies there that no one would ever try."""
    if not exercise.hint:
        yield "has no hint"
    if not any(test["id"].endswith("-check") for test in exercise.tests):
        yield "has no visible check"
    labels = [label for label, _ in kept_answers(exercise, folder)]
    for kind, least in FEWEST.items():
        there = sum(label.startswith(f"{kind}-") for label in labels)
        if there < least:
            yield f"needs at least {least} kept {kind} answer(s), has {there}"
    form = rf"(wrong|right)-.+\{ENDINGS[exercise.language]}"
    for path in sorted(folder.glob("*")):
        if not re.fullmatch(form, path.name):
            yield f"{path.name} is not tried: a kept answer is called wrong-… or right-…{ENDINGS[exercise.language]}"


def progress(text: str) -> None:
    """One line that is written over, where someone watches."""
    if sys.stderr.isatty():
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)


def kept_answers(exercise: lesson.Exercise, folder: Path) -> list[tuple[str, str]]:
    """The answers kept beside the tests: (`wrong-…` or `right-…`, the whole answer cell)."""
    magic, _, _ = exercise.answer.source.partition("\n")
    first = f"{magic}\n" if exercise.language == "js" else ""
    ending = ENDINGS[exercise.language]
    paths = [path for kind in FEWEST for path in sorted(folder.glob(f"{kind}-*{ending}"))]
    return [(path.stem, first + path.read_text(encoding="utf-8")) for path in paths]


def promise_broken(label: str, outcomes: list[Outcome]) -> str:
    """What the contract says of this answer and what happened instead, or nothing."""
    if broken := [o.test for o in outcomes if o.result == "broken"]:
        return f"the test itself broke: {', '.join(broken)}"
    if label == "stub":
        other = [f"{o.test} {o.result} {o.message}".strip() for o in outcomes if o.result != "not done"]
        return f"must fail with NotImplementedError and nothing else, but {other[0]}" if other else ""
    if label.startswith("wrong"):
        if any(o.result == "failed" and o.hidden for o in outcomes):
            return ""
        return "fails no hidden test"
    failed = [o for o in outcomes if o.result != "passed"]
    return f"must pass, but {failed[0].test}: {failed[0].message}" if failed else ""


def table(name: str, trials: list[Trial]) -> str:
    """One line an exercise: stub, solution, how many kept wrong answers were caught, how many right ones passed."""
    lines = [f"{name:32} {'stub':8} {'solution':9} {'wrong caught':13} {'right passed':13} points"]
    for exercise in sorted({trial.exercise for trial in trials}):
        own = [trial for trial in trials if trial.exercise == exercise]

        def verdict(label: str, own: list[Trial] = own) -> str:
            return next(("broken" if t.broken_promise else "ok" for t in own if t.answer == label), "missing")

        def share(kind: str, own: list[Trial] = own) -> str:
            tried = [t for t in own if t.answer.startswith(f"{kind}-")]
            return f"{sum(not t.broken_promise for t in tried)} of {len(tried)}"

        points = sum(o.points for o in next((t.outcomes for t in own if t.outcomes), []))
        row = f"{verdict('stub'):8} {verdict('solution'):9} {share('wrong'):13} {share('right'):13} {points:g}"
        lines.append(f"  {exercise:30} {row}")
    return "\n".join(lines)
