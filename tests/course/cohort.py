"""A course with a release, and students who hand in: what the tests of grading begin from."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from nbgrader.api import Gradebook

from tests.course.conftest import LESSONS, NAME, make_course, run

CELLS = [f"{exercise}-{kind}" for exercise in ("paginate", "order", "double-all") for kind in ("check", "hidden")]
KEPT = LESSONS / "answers" / NAME
RIGHT = {
    "paginate": (KEPT / "paginate" / "right-islice.py").read_text(),
    "order": "order = sorted(letters)",
    "double-all": "%%node --save double-all.mjs\n" + (KEPT / "double-all" / "right-loop.mjs").read_text(),
}
Notebook = dict[str, Any]


def released(root: Path) -> Path:
    """A course in this folder whose lesson has been released."""
    make_course(root)
    status, printed = run(root, "release", NAME, "--cohort", "a", "--seed", "3")
    assert status == 0, printed
    return root


class Course:
    """A course of its own, with a release; `hand_in` writes submissions, `grade` grades them."""

    def __init__(self, root: Path):
        self.root = root

    def copy(self, to: Path) -> Course:
        shutil.copytree(self.root, to, symlinks=True)
        return Course(to)

    def folder(self, student: str) -> Path:
        return self.root / "submitted" / student / NAME

    def hand_in(
        self,
        student: str,
        answers: dict[str, str] | None = None,
        change: Callable[[Notebook], object] | None = None,
        timestamp: str = "",
    ) -> Path:
        """What a student with these answers hands in (RIGHT ones if none are said), changed as they have changed it."""
        notebook = json.loads((self.root / "release" / NAME / f"{NAME}.ipynb").read_text())
        for cell in notebook["cells"]:
            cell["source"] = (RIGHT if answers is None else answers).get(cell["id"], cell["source"])
        if change:
            change(notebook)
        return self.write(student, json.dumps(notebook), timestamp)

    def write(self, student: str, text: str | bytes, timestamp: str = "") -> Path:
        path = self.folder(student) / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if timestamp:
            (path.parent / "timestamp.txt").write_text(timestamp)
        return path

    def grade(self, *words: str) -> tuple[int, str]:
        return run(self.root, "grade", NAME, *words)

    def nbgrader(self, *words: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "IPYTHON"))}
        environment["PYTHONPATH"] = str(self.root)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        line = ["nbgrader", *words]
        done = subprocess.run(line, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def gradebook(self) -> Gradebook:
        return Gradebook(f"sqlite:///{self.root / 'gradebook.db'}", "backend-interview")

    def scores(self) -> dict[str, list[float | None]]:
        """Each student's scores, test by test in the lesson's order; None where a person must look."""
        with self.gradebook() as book:
            found = {}
            for submission in book.assignment_submissions(NAME):
                grades = book.find_submission_notebook(NAME, NAME, submission.student_id).grades
                by_name = {grade.name: None if grade.needs_manual_grade else grade.score for grade in grades}
                found[submission.student_id] = [by_name[name] for name in CELLS]
        return found

    def comments(self, student: str) -> dict[str, str | None]:
        with self.gradebook() as book:
            return {one.name: one.comment for one in book.find_submission_notebook(NAME, NAME, student).comments}

    def rows(self) -> dict[str, dict[str, str]]:
        """The CSV, by student."""
        import csv

        with (self.root / "autograded" / f"{NAME}.csv").open(newline="") as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    def said(self, student: str) -> dict[str, str]:
        """What stands under each test's cell in the autograded notebook."""
        path = self.root / "autograded" / student / NAME / f"{NAME}.ipynb"
        found = {}
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code" and cell["id"] in CELLS:
                parts = ["".join(one.get("text", one.get("traceback", []))) for one in cell["outputs"]]
                found[cell["id"]] = "".join(parts)
        return found


# ---- what students do to a notebook ---------------------------------------------------------------------------------


def code(text: str) -> Notebook:
    """A code cell as JupyterLab makes it when a student adds one."""
    return {"cell_type": "code", "id": f"x{abs(hash(text)):x}"[:12], "metadata": {}, "source": text} | {
        "outputs": [],
        "execution_count": None,
    }


def at(notebook: Notebook, name: str) -> int:
    return next(place for place, cell in enumerate(notebook["cells"]) if cell["id"] == name)


def above(name: str, *cells: str) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        place = at(notebook, name)
        notebook["cells"][place:place] = map(code, cells)

    return change


def below(name: str, *cells: str) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        place = at(notebook, name) + 1
        notebook["cells"][place:place] = map(code, cells)

    return change


def without(*names: str) -> Callable[[Notebook], None]:
    def change(notebook: Notebook) -> None:
        notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in names]

    return change


def last_exercise_first(notebook: Notebook) -> None:
    """Moves the exercise double-all, answer and tests, above all others."""
    names = ["double-all", "double-all-check", "double-all-hidden"]
    moved = [notebook["cells"][at(notebook, name)] for name in names]
    without(*names)(notebook)
    place = at(notebook, "paginate")
    notebook["cells"][place:place] = moved


def split(name: str, line: int) -> Callable[[Notebook], None]:
    """Splits a cell before this line, as JupyterLab does: both halves keep the metadata."""

    def change(notebook: Notebook) -> None:
        place = at(notebook, name)
        first = notebook["cells"][place]
        second = copy.deepcopy(first)
        lines = first["source"].splitlines(keepends=True)
        first["source"], second["source"] = "".join(lines[:line]).rstrip("\n"), "".join(lines[line:])
        second["id"] = f"{name}-second-half"
        notebook["cells"].insert(place + 1, second)

    return change


def doubled(name: str) -> Callable[[Notebook], None]:
    """Copies and pastes a cell below itself."""

    def change(notebook: Notebook) -> None:
        place = at(notebook, name)
        notebook["cells"].insert(place + 1, {**copy.deepcopy(notebook["cells"][place]), "id": f"{name}-copy"})

    return change


# ---- a run that is disturbed ----------------------------------------------------------------------------------------


def start(course: Course, *words: str) -> subprocess.Popen[str]:
    """`backendlab grade` in a process group of its own, as a terminal starts it."""
    line = [sys.executable, "-m", "backendlab.cli", "grade", NAME, *words]
    environment = {**os.environ, "PYTHONPATH": str(course.root)}
    return subprocess.Popen(
        line,
        cwd=course.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a grading, and only its first process, as the kernel does when memory is short; wait until all is gone."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == [], "a killed grading has left processes behind"


def everything(course: Course) -> dict[str, object]:
    """All that grading leaves, but for the ids that the gradebook gives to its rows."""
    made = sorted((course.root / "autograded").rglob("*.ipynb"))
    with course.gradebook() as book:
        comments = {one.student_id: course.comments(one.student_id) for one in book.assignment_submissions(NAME)}
    return {
        "scores": course.scores(),
        "comments": comments,
        "table": course.rows(),
        "notebooks": {str(path.relative_to(course.root)): path.read_text() for path in made},
    }
