"""A clone of the course with one small lesson, in a git repository of its own, and a learner who works in it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backendlab.parts import ROOT

LESSON = "90-mini"

# A shell that starts `make test` in the background (`&`) has it ignore SIGINT, and so would every process started from
# here: then nothing that a test interrupts would be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


class Clone:
    """A copy of the course in a folder. `run` runs `backendlab …` there; `answer` writes into an answer's cell."""

    def __init__(self, folder: Path):
        self.folder, self.notebook = folder, folder / "notebooks" / f"{LESSON}.ipynb"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        command = [sys.executable, "-m", "backendlab.cli", *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def git(self, *words: str) -> str:
        who = ["-c", "user.name=learner", "-c", "user.email=learner@example.org"]
        command = ["git", *who, *words]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def answer(self, exercise: str, text: str) -> None:
        cells = json.loads(self.notebook.read_text())
        for cell in cells["cells"]:
            if cell["id"] == exercise:
                cell["source"] = text
        self.notebook.write_text(json.dumps(cells))

    def answer_of(self, exercise: str) -> str:
        cells = json.loads(self.notebook.read_text())["cells"]
        return next("".join(cell["source"]) for cell in cells if cell["id"] == exercise)


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The course as its authors publish it: built, and committed."""
    folder = tmp_path_factory.mktemp("course") / "clone"
    shutil.copytree(ROOT / "backendlab", folder / "backendlab", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", "nbgrader_config.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "source").mkdir()
    shutil.copy(ROOT / "tests" / "course" / "lessons" / f"{LESSON}.md", folder / "source")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    clone = Clone(folder)
    clone.git("init", "--quiet", "--initial-branch=main")
    built = clone.run("build")
    assert built.returncode == 0, built.stdout + built.stderr
    clone.git("add", "-A")
    clone.git("commit", "--quiet", "-m", "the course")
    return clone


@pytest.fixture
def clone(course: Clone, tmp_path: Path) -> Clone:
    """A learner's fresh clone of the course."""
    return _cloned(course, tmp_path)


@pytest.fixture
def newer(course: Clone, tmp_path: Path) -> Callable[[Callable[[str], str]], Clone]:
    """Makes a learner's clone whose origin has since moved on: give it a function that changes the lesson's source."""

    def make(change: Callable[[str], str]) -> Clone:
        origin = _cloned(course, tmp_path / "origin")
        learner = _cloned(origin, tmp_path / "learner")
        source = origin.folder / "source" / f"{LESSON}.md"
        source.write_text(change(source.read_text()))
        built = origin.run("build")
        assert built.returncode == 0, built.stdout + built.stderr
        origin.git("commit", "--quiet", "-am", "the course moves on")
        return learner

    return make


def _cloned(origin: Clone, where: Path) -> Clone:
    where.mkdir(parents=True, exist_ok=True)
    folder = where / "clone"
    subprocess.run(["git", "clone", "--quiet", str(origin.folder), str(folder)], check=True)
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return Clone(folder)
