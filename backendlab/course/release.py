"""`backendlab release`: one lesson's release made anew for a cohort, with papermill's parameters.

Another seed changes the data that the answers depend on. Nothing is written unless, with exactly these parameters,
every reference solution passes and every stub fails as a stub should.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from nbformat import NotebookNode

from backendlab.course import build, contract, lesson
from backendlab.course.judge import judge_all, setup_of
from backendlab.parts import ROOT
from backendlab.trouble import Trouble


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 01-node-runtime or 1")
    parser.add_argument("--cohort", required=True, help="a name for the cohort, such as autumn")
    parser.add_argument(
        "--seed", required=True, type=int, help="the data of the exercises: another seed, other answers"
    )
    parser.add_argument("--effort", choices=("quick", "full"), default="quick", help="sizes of the experiments")


def run(args: argparse.Namespace) -> int:
    name = lesson.resolve(args.lesson)
    parameters = {"COHORT": args.cohort, "SEED": args.seed, "EFFORT": args.effort}
    source = parameterized(lesson.read(name), parameters)
    print(f"{name}: trying solutions and stubs with {', '.join(f'{k}={v!r}' for k, v in parameters.items())}")
    prove(source, name)
    lesson.write(source, ROOT / "source" / name / f"{name}.ipynb")
    made = build.clean(build.generate_assignment(ROOT, name))
    target = build.paths(name)[1]
    lesson.write(made, target)
    print(f"{name}: released for {args.cohort} in {target.parent.relative_to(ROOT)}; nbgrader's gradebook knows it.")
    print(f"Hand it out:  nbgrader release_assignment {name}")
    return 0


def parameterized(source: NotebookNode, parameters: dict[str, Any]) -> NotebookNode:
    """The source with papermill's injected cell, locked so that a submission can't change it."""
    from papermill.parameterize import parameterize_notebook

    made = parameterize_notebook(build.for_papermill(source), parameters)
    for cell in made.cells:
        if "injected-parameters" in lesson.tags(cell):
            mark = {"grade": False, "grade_id": "injected-parameters", "locked": True, "schema_version": 3}
            cell.metadata["nbgrader"] = {**mark, "solution": False, "task": False}
    lesson.identify(made.cells)
    return build.clean(made)


def prove(source: NotebookNode, name: str) -> None:
    """Raise `Trouble` unless the solutions pass and the stubs fail, with the parameters in `source`."""
    exercises = lesson.exercises(source)
    stubs = {lesson.grade_id(cell): cell.source for cell in build.release_notebook(source, name).cells}
    jobs = [
        (e, label, {"solution": e.answer.source, "stub": stubs[e.id]}[label])
        for e in exercises
        for label in ("solution", "stub")
    ]
    broken = []
    tried = judge_all(setup_of(source), [(exercise, text) for exercise, _, text in jobs], workers=2)
    for count, (place, outcomes) in enumerate(tried, 1):
        contract.progress(f"{count} of {len(jobs)} tried")
        exercise, label, _ = jobs[place]
        if said := contract.promise_broken(label, outcomes):
            broken.append(f"{exercise.id}: {label}: {said}")
    contract.progress("")
    if broken:
        print("\n".join(broken), file=sys.stderr)
        raise Trouble(
            f"{name} was not released: with these parameters {len(broken)} promise(s) of exercises don't hold."
        )
