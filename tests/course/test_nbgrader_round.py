"""The whole round with nbgrader's own commands, over its file-system exchange: from the release to fetched feedback.

Under CI, or with BACKENDLAB_ROUND=01-node-runtime, the round is gone with a real lesson too (minutes: nbgrader runs
every experiment of every submission).
"""

import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import psutil
import pytest
from nbgrader.api import Gradebook

from backendlab.course import lesson
from backendlab.parts import ROOT
from tests.course.conftest import LESSONS, NAME

REAL = os.environ.get("BACKENDLAB_ROUND", "01-node-runtime" if os.environ.get("CI") else "")


class Round:
    """A course and an exchange in a temporary folder; `nbgrader` runs a command as the instructor or as a student."""

    def __init__(self, root: Path, name: str):
        self.root, self.name, self.folder = root, name, root.parent
        (self.folder / "shim").mkdir()
        # jsonschema compiles a grammar with this, for two seconds a command, if it can import it.
        (self.folder / "shim" / "rfc3987_syntax.py").write_text("raise ImportError")
        (self.folder / "exchange").mkdir()
        (self.folder / "exchange").chmod(0o777)

    def nbgrader(self, *words: str, student: str = "") -> str:
        """Its output. A student works in a folder of their own, where there is no nbgrader_config.py."""
        where = self.folder / student if student else self.root
        where.mkdir(exist_ok=True)
        who = ["--course", "backend-interview", "--student", student] if student else []
        home = self.folder / "homes" / (student or "instructor")
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "IPYTHON"))},
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder / 'shim'}",
        }
        home.mkdir(exist_ok=True, parents=True)
        line = ["nbgrader", *words, f"--Exchange.root={self.folder / 'exchange'}", *who]
        done = subprocess.run(line, cwd=where, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def notebook_of(self, student: str) -> Path:
        return self.folder / student / self.name / f"{self.name}.ipynb"

    def write_answers(self, student: str, answers: dict[str, str]) -> None:
        notebook = nbformat.read(self.notebook_of(student), as_version=4)
        for cell in notebook.cells:
            cell.source = answers.get(cell.id, cell.source)
        nbformat.write(notebook, self.notebook_of(student))

    def scores(self, student: str) -> dict[str, float]:
        with Gradebook(f"sqlite:///{self.root / 'gradebook.db'}", "backend-interview") as gradebook:
            submission = gradebook.find_submission_notebook(self.name, self.name, student)
            return {grade.name: grade.score for grade in submission.grades}

    def go(self, answers: dict[str, dict[str, str]]) -> dict[str, dict[str, float]]:
        """The whole round with these students; returns their scores, cell by cell."""
        source = lesson.read(self.name, self.root)
        lesson.write(source, self.root / "source" / self.name / f"{self.name}.ipynb")
        self.nbgrader("generate_assignment", self.name)
        self.nbgrader("release_assignment", self.name)
        assert f"backend-interview {self.name}" in self.nbgrader("list", student=next(iter(answers)))
        for student, given in answers.items():
            self.nbgrader("fetch_assignment", self.name, student=student)
            self.write_answers(student, given)
            self.nbgrader("submit", self.name, student=student)
        self.nbgrader("collect", self.name)
        self.nbgrader("autograde", self.name)
        self.nbgrader("generate_feedback", self.name)
        self.nbgrader("release_feedback", self.name)
        for student in answers:
            self.nbgrader("fetch_feedback", self.name, student=student)
        return {student: self.scores(student) for student in answers}

    def feedback(self, student: str) -> Path:
        (page,) = (self.folder / student / self.name / "feedback").rglob("*.html")
        return page


class Text(HTMLParser):
    """The words of a page, without its styles and scripts."""

    def __init__(self, page: str):
        super().__init__()
        self.words: list[str] = []
        self.silent = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.silent += tag in {"style", "script"}

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in {"style", "script"}

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words += data.split()

    def __str__(self) -> str:
        return " ".join(self.words)


def solutions(root: Path, name: str) -> dict[str, str]:
    return {exercise.id: exercise.answer.source for exercise in lesson.exercises(lesson.read(name, root))}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Round, dict[str, dict[str, float]]]:
    """The small lesson's round: one student has all right, one a half, one wrote nothing."""
    root = tmp_path_factory.mktemp("round") / "course"
    (root / "source").mkdir(parents=True)
    shutil.copy(LESSONS / f"{NAME}.md", root / "source")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    right = solutions(root, NAME)
    half = {"paginate": right["paginate"], "order": (LESSONS / f"answers/{NAME}/order/wrong-as-drawn.py").read_text()}
    there = Round(root, NAME)
    before = set(psutil.Process().children(recursive=True))
    scores = there.go({"ada": right, "ben": half, "cleo": {}})
    _, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=10)
    assert alive == []
    return there, scores


def test_scores_are_exactly_those_expected(small: tuple[Round, dict[str, dict[str, float]]]) -> None:
    cells = [
        "paginate-check",
        "paginate-hidden",
        "order-check",
        "order-hidden",
        "double-all-check",
        "double-all-hidden",
    ]
    points = {
        "ada": [1, 2, 1, 2, 1, 2],
        "ben": [1, 2, 1, 0, 0, 0],  # the letters are there, but in the wrong order; no JavaScript
        "cleo": [0, 0, 0, 0, 0, 0],
    }
    assert small[1] == {student: dict(zip(cells, row, strict=True)) for student, row in points.items()}


@pytest.mark.parametrize(("student", "score"), [("ada", "9.0"), ("ben", "4.0"), ("cleo", "0.0")])
def test_feedback_opens_and_says_the_score(
    small: tuple[Round, dict[str, dict[str, float]]], student: str, score: str
) -> None:
    page = small[0].feedback(student)
    words = str(Text(page.read_text()))
    assert f"(Score: {score} / 9.0)" in words
    if student == "ben":
        assert "two letters stand the wrong way round" in words


def test_what_was_fetched_has_no_hidden_test(small: tuple[Round, dict[str, dict[str, float]]]) -> None:
    fetched = small[0].notebook_of("cleo").read_bytes()
    assert fetched == (small[0].root / "release" / NAME / f"{NAME}.ipynb").read_bytes()
    assert b"in_the_alphabet" not in fetched


def test_validate_passes_what_is_right_and_names_what_is_not(
    small: tuple[Round, dict[str, dict[str, float]]],
) -> None:
    """A test that shows a number would be partial credit for nbgrader, and Validate would call a right answer wrong."""
    there = small[0]
    assert "Success! Your notebook passes all the tests." in there.nbgrader("validate", str(there.notebook_of("ada")))
    said = there.nbgrader("validate", str(there.notebook_of("ben")))
    assert "VALIDATION FAILED ON 1 CELL(S)" in said
    assert "double_all" in said
    assert "not done yet" in said


@pytest.mark.skipif(not REAL, reason="BACKENDLAB_ROUND=01-node-runtime runs the round with a real lesson (minutes)")
def test_the_round_with_a_real_lesson(tmp_path: Path) -> None:
    root = tmp_path / "course"
    (root / "source").mkdir(parents=True)
    shutil.copy(ROOT / "source" / f"{REAL}.md", root / "source")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    solved = solutions(root, REAL)
    left = next(iter(solved))
    del solved[left]  # one student must do, for nbgrader takes minutes for each: all right but one, which is not begun
    scores = Round(root, REAL).go({"ada": solved})
    expected = {
        test.id: float(test.metadata.nbgrader.points) if exercise.id in solved else 0.0
        for exercise in lesson.exercises(lesson.read(REAL, root))
        for test in exercise.tests
    }
    assert scores == {"ada": expected}
