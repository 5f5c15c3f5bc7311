"""What students handed in, read as what it is: files that anyone may have written anything into.

Of a submission only text is taken: that of its answer cells, by grade_id, and of the code cells that the student added
(`backendlab.course.around`). Its tags, points, tests, kernel, links and other files change nothing, because nothing
else of it is ever looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from backendlab.course import around

LARGEST_NOTEBOOK = 20 << 20  # bytes; a lesson with all its figures has one
LARGEST_ANSWER = 200_000  # characters; the longest reference answer has three thousand


@dataclass
class Submission:
    """One student's submission of one lesson. `trouble` says why it can't be graded, or is empty."""

    student: str
    path: Path
    answers: dict[str, str] = field(default_factory=dict)
    places: list[around.Place] = field(default_factory=list)
    timestamp: datetime | None = None
    notes: list[str] = field(default_factory=list)
    trouble: str = ""

    @property
    def digest(self) -> str:
        """What is graded, as one number: it changes when the submission does."""
        kept = json.dumps([self.student, self.answers, self.places, str(self.timestamp), self.trouble], sort_keys=True)
        return hashlib.sha256(kept.encode("utf-8", "surrogatepass")).hexdigest()


class Unreadable(Exception):
    """Why a submission's notebook can't be graded: one sentence, for the student and the instructor."""


def read(student: str, folder: Path, name: str, released: set[str]) -> Submission:
    """The submission in `folder`, whatever state it is in. Never raises for what is in the folder.

    `released`: the text of every code cell of the release, by which a student's own cells are told.
    """
    path = folder / f"{name}.ipynb"
    found = Submission(student, path)
    try:
        found.timestamp = _timestamp(folder / "timestamp.txt")
    except Exception as error:  # dateutil fails in many ways on what is no time
        found.notes.append(f"timestamp.txt is not a time ({_short(error)}): taken as handed in without one")
    try:
        text, notes = _text(path)
        cells = _cells(text)
        found.answers, more = _answers(cells)
        found.notes += [*notes, *more]
        found.places = around.places(cells, released)
    except Unreadable as error:
        found.trouble = str(error)
    except OSError as error:
        found.trouble = f"{path.name} can't be read: {error.strerror}"
    except RecursionError:
        found.trouble = f"{path.name} is JSON too deeply nested to be a notebook"
    return found


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _text(path: Path) -> tuple[str, list[str]]:
    """The text of a regular file that is the student's own, no link, no pipe, of a sensible size; and notes on it."""
    notes = []
    for part in (path.parent.parent, path.parent, path):
        if part.is_symlink():
            raise Unreadable(f"{part.name} is a link to somewhere else, not the student's own file")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Unreadable(_missing(path)) from None
    except OSError as error:
        raise Unreadable(f"{path.name} can't be read: {error.strerror}") from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable(f"{path.name} is not a file")
        if about.st_nlink > 1:
            said = f"{path.name} is another name of a file that lies elsewhere (a hard link)"
            # The one who made a link to another's file must not cost that other, whose file it is, the points.
            if path.parent.stat().st_uid != about.st_uid:
                raise Unreadable(f"{said}, of another owner")
            notes.append(said)
        if about.st_size > LARGEST_NOTEBOOK:
            raise Unreadable(f"{path.name} has {about.st_size >> 20} MiB; at most {LARGEST_NOTEBOOK >> 20} are read")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(LARGEST_NOTEBOOK + 1)
    finally:
        os.close(descriptor)
    if not content.strip():
        raise Unreadable(f"{path.name} is empty")
    try:
        return content.decode("utf-8-sig"), notes
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path.name} is not UTF-8 text (byte {error.start})") from None


def _missing(path: Path) -> str:
    others = sorted(there.name for there in path.parent.glob("*.ipynb"))[:5]
    beside = f"; beside it: {', '.join(others)}" if others else ""
    return f"there is no {path.name} in the submission{beside}"


def _cells(text: str) -> list[Any]:
    try:
        notebook = json.loads(text)
    except ValueError as error:
        raise Unreadable(f"it is not a notebook: its JSON breaks off or is damaged ({_short(error)})") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("it is not a notebook of format 4: it has no list of cells")
    return cells


def _answers(cells: list[Any]) -> tuple[dict[str, str], list[str]]:
    """The text of every answer cell by grade_id, and what the instructor may want to know."""
    parts: dict[str, list[str]] = {}
    notes = []
    for cell in cells:
        name = around.answer_id(cell)
        if name is None:
            continue
        parts.setdefault(name, []).append(around.source_of(cell))
    answers = {}
    for name, texts in parts.items():
        answer, count = around.together(texts)
        if count > 1:
            notes.append(f"{name}: {count} cells have this id and are taken together")
        if len(answer) > LARGEST_ANSWER:
            notes.append(f"{name}: has {len(answer)} characters and is not graded; at most {LARGEST_ANSWER} are")
            answer = "raise AssertionError('this answer is too long to be graded')"
        answers[name] = answer
    return answers, notes


def _timestamp(path: Path) -> datetime | None:
    from nbgrader.utils import parse_utc

    if path.is_symlink():
        raise Unreadable("it is a link")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("it is not a file")
        text = os.read(descriptor, 200).decode("utf-8", "replace").strip()
    finally:
        os.close(descriptor)
    return parse_utc(text) if text else None


def is_name(student: str) -> bool:
    """Can this be a student's name? nbgrader's pages show it as it is, and anyone may hand in under any name."""
    return student.isprintable() and not set(student) & set('<>&"`')


def find(submitted: Path, name: str, pattern: re.Pattern[str] | None = None) -> Iterator[tuple[str, Path]]:
    """The students who handed in this lesson, and their folders, in order of their names."""
    if not submitted.is_dir():
        return
    for folder in sorted(submitted.iterdir()):
        there = folder / name
        if folder.name.startswith(".") or (pattern and not pattern.fullmatch(folder.name)):
            continue
        try:
            handed_in = there.is_dir() or there.is_symlink()
        except OSError:  # a folder that we may not look into: `read` says so
            handed_in = True
        if handed_in:
            yield folder.name, there
