"""A course of its own for each test: the lesson 90-mini, its kept answers, and this package, in a folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backendlab.parts import ROOT
from tests.conftest import LESSON as NAME
from tests.conftest import Clone

LESSONS = Path(__file__).parent / "lessons"


def make_course(root: Path) -> Path:
    """A clone as the commands see one: source/, the kept answers, the package and nbgrader's settings."""
    (root / "source").mkdir(parents=True)
    shutil.copy(LESSONS / f"{NAME}.md", root / "source")
    shutil.copytree(LESSONS / "answers" / NAME, root / "tests" / "answers" / NAME)
    shutil.copytree(ROOT / "backendlab", root / "backendlab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "nbgrader_config.py", root)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    return root


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A course in which nothing has been made yet."""
    return make_course(tmp_path / "course")


@pytest.fixture
def made(course: Clone, tmp_path: Path) -> Path:
    """A course whose notebook and release are made."""
    root = make_course(tmp_path / "course")
    for part in ("notebooks", "release"):
        shutil.copytree(course.folder / part, root / part)
    return root


def edit(root: Path, old: str, new: str) -> None:
    """Change the lesson's source, which must have `old` in it."""
    path = root / "source" / f"{NAME}.md"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def files(root: Path) -> dict[str, bytes]:
    """All that is made in a course: path and bytes."""
    made = [path for part in ("notebooks", "release", "source") for path in (root / part).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(made)}


def command(root: Path, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """`backendlab WORDS` in that course, with the course's own copy of this package."""
    line = [*before, sys.executable, "-m", "backendlab.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.Popen(
        line, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(root: Path, *words: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
    """Its exit status and what it printed."""
    with command(root, *words, before=before) as process:
        printed, _ = process.communicate(timeout=240)
    return process.returncode, printed
