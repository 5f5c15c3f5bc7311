"""`backendlab check`: the hidden tests on a learner's own notebook, which is only read.

Says exercise by exercise what holds, what came and what was expected. Takes the answers' text out of the notebook and
runs it as a grader would: in a process of its own, with the lesson's own set-up and tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from backendlab.course import around, lesson, work
from backendlab.course.judge import AT_ONCE, Outcome, judge_all, setup_of
from backendlab.learner import record
from backendlab.parts import ROOT
from backendlab.trouble import Trouble


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 01-node-runtime or 1, or the path of a notebook")
    parser.add_argument("exercises", nargs="*", metavar="EXERCISE", help="only these (default: all)")
    parser.add_argument("--workers", type=int, default=AT_ONCE, help="exercises tried at once")


def run(args: argparse.Namespace) -> int:
    name, path = find(args.lesson)
    source = lesson.read(name)
    exercises = chosen(lesson.exercises(source), args.exercises)
    notebook = lesson.open_notebook(path)
    answers = work.answers(notebook)
    setup = setup_of(source)
    setup += [cell.source for cell in notebook.cells if "injected-parameters" in lesson.tags(cell)]
    there = [exercise for exercise in exercises if exercise.id in answers]
    outcomes: dict[str, list[Outcome]] = {}
    # Cells that the learner added come along where an answer needs them, as in grading.
    places = around.places(notebook.cells, {cell.source.strip() for cell in source.cells})
    names = {exercise.id: "" for exercise in lesson.exercises(source)}
    jobs = [(exercise, around.answer(places, answers, names, exercise.id)) for exercise in there]
    for place, result in judge_all(setup, jobs, workers=max(1, args.workers)):
        outcomes[there[place].id] = result
        if sys.stderr.isatty():
            print(f"\r{len(outcomes)} of {len(there)} exercises tried\x1b[K", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    for exercise in exercises:
        begun = "NotImplementedError" not in answers.get(exercise.id, "")
        print(report(name, exercise, outcomes.get(exercise.id), begun=begun))
    record.save(name, exercises, outcomes)
    earned = sum(points(result)[0] for result in outcomes.values())
    print(f"\n{earned:g} of {sum(exercise.points for exercise in exercises):g} points")
    passed = all(points(outcomes[e.id])[0] == e.points if e.id in outcomes else False for e in exercises)
    return 0 if passed else 1


def find(word: str) -> tuple[str, Path]:
    """The lesson and the notebook that a learner means: a lesson's name, or the path of a copy of its notebook."""
    path = Path(word)
    if path.suffix == ".ipynb":
        return lesson.resolve(path.stem), path
    name = lesson.resolve(word)
    return name, ROOT / "notebooks" / f"{name}.ipynb"


def chosen(exercises: list[lesson.Exercise], wanted: list[str]) -> list[lesson.Exercise]:
    known = [exercise.id for exercise in exercises]
    if unknown := [word for word in wanted if word not in known]:
        raise Trouble(f"There is no exercise called {unknown[0]!r} here. There are: {', '.join(known)}.")
    return [exercise for exercise in exercises if not wanted or exercise.id in wanted]


def points(outcomes: list[Outcome]) -> tuple[float, float]:
    """Points earned and points there are."""
    return sum(o.points for o in outcomes if o.result == "passed"), sum(o.points for o in outcomes)


def report(name: str, exercise: lesson.Exercise, outcomes: list[Outcome] | None, *, begun: bool = False) -> str:
    """What a learner reads of one exercise: a line, and a line for each test that did not pass.

    `begun`: the stub is gone, so that a name the tests look for in vain is a mistake, and not an exercise to be done.
    """
    if outcomes is None:
        return (
            f"?  {exercise.id}: its answer cell is not in this notebook (`backendlab update` brings the lesson's own)"
        )
    got, whole = points(outcomes)
    if all(outcome.result == "passed" for outcome in outcomes):
        return f"✓  {exercise.id}: {got:g} of {whole:g}"
    if not begun and all(outcome.result == "not done" for outcome in outcomes):
        return f"○  {exercise.id}: not done yet  (a hint: backendlab hint {name} {exercise.id})"
    lines = [f"✗  {exercise.id}: {got:g} of {whole:g}"]
    for outcome in outcomes:
        part = outcome.test.removeprefix(f"{exercise.id}-hidden").removeprefix("-")  # of several: which of them it is
        kind = f"hidden test ({part})" if outcome.hidden and part else "hidden test" if outcome.hidden else "check"
        if outcome.result == "passed":
            lines.append(f"     {kind}: passed")
        else:
            broke = "the test itself broke, which is our fault: " if outcome.result == "broken" else ""
            said = outcome.message.strip().replace("\n", "\n       ")
            lines.append(f"     {kind}: {broke}{said}")
    return "\n".join(lines)
