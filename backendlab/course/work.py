"""A learner's work in a notebook: their answers, told apart from stubs, kept safe, and put back.

What is kept lies in `.backendlab/` in the clone, outside git's sight.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from nbformat import NotebookNode

from backendlab.course import around, lesson
from backendlab.parts import ROOT

HOME = ROOT / ".backendlab"


def answers(notebook: NotebookNode) -> dict[str, str]:
    """The text of every answer cell, by the exercise's id. A cell that JupyterLab split or doubled counts as one."""
    found: dict[str, list[str]] = {}
    for cell in notebook.cells:
        name = lesson.grade_id(cell)
        if name and lesson.is_answer(cell):
            found.setdefault(name, []).append(cell.source)
    return {name: texts[0] if len(texts) == 1 else around.together(texts)[0] for name, texts in found.items()}


def written(notebook: NotebookNode, fresh: NotebookNode) -> dict[str, str]:
    """The answers of `notebook` that are no longer the stubs of `fresh`."""
    stubs = answers(fresh)
    return {name: text for name, text in answers(notebook).items() if text.strip() and text != stubs.get(name)}


def keep(notebook: NotebookNode, fresh: NotebookNode, name: str) -> Path | None:
    """Write the learner's answers of a notebook to a file of their own; None where there are none."""
    found = written(notebook, fresh)
    if not found:
        return None
    path = HOME / "answers" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False))
    return path


def put_back(notebook: NotebookNode, kept: dict[str, str]) -> list[str]:
    """Put answers into a notebook's answer cells; returns the ids that found no cell."""
    left = dict(kept)
    for cell in notebook.cells:
        name = lesson.grade_id(cell)
        if name in left and lesson.is_answer(cell):
            cell.source = left.pop(name)
    return sorted(left)
