"""A lesson as the course sees it: cells of a notebook, and the exercises among them.

Nothing here knows what a lesson teaches. A lesson is `source/NN-name.md`; CONTRIBUTING.md says how
its cells are marked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from backendlab.parts import ROOT
from backendlab.trouble import Trouble

SETUP_TAGS = {"setup", "parameters", "injected-parameters"}


class LessonError(Trouble):
    """What is wrong with a lesson's source, for whoever writes it."""


def names(root: Path = ROOT) -> list[str]:
    """The lessons there are, in order: the names of `source/*.md` without the ending."""
    return sorted(path.stem for path in (root / "source").glob("[0-9][0-9]-*.md"))


def resolve(word: str, root: Path = ROOT) -> str:
    """The lesson meant by `01-node-runtime`, `01`, `1` or `node-runtime`. Raises `LessonError` else."""
    found = [name for name in names(root) if word in (name, name[:2], name[:2].lstrip("0"), name[3:])]
    if len(found) != 1:
        raise LessonError(f"There is no lesson called {word!r}. There are: {', '.join(names(root))}.")
    return found[0]


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def grade_id(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_test(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def is_answer(cell: NotebookNode) -> bool:
    mark = cell.metadata.get("nbgrader", {})
    return bool(mark.get("solution")) and not mark.get("grade")


@dataclass(frozen=True)
class Exercise:
    """One exercise: its permanent id, the answer's cell, its hint, and its tests in order (visible, then hidden)."""

    id: str
    answer: NotebookNode
    tests: list[NotebookNode] = field(default_factory=list)
    hint: str = ""
    title: str = ""

    @property
    def points(self) -> float:
        return sum(test.metadata.nbgrader.points for test in self.tests)

    @property
    def language(self) -> str:
        return "js" if self.answer.source.startswith("%%node") else "py"


def read(name: str, root: Path = ROOT) -> NotebookNode:
    """The notebook that `source/NAME.md` stands for, solutions and hidden tests in it, with permanent cell ids."""
    path = root / "source" / f"{name}.md"
    notebook = jupytext.read(path, fmt="md:myst")
    notebook.metadata.pop("jupytext", None)  # a pairing in a student's copy once brought the answers back
    identify(notebook.cells)
    return notebook


def identify(cells: Iterable[NotebookNode]) -> None:
    """Give every cell an id that stays when other cells come and go: its grade id, or a hash of what it says."""
    taken: set[str] = set()
    for cell in cells:
        stem = grade_id(cell) or f"{cell.cell_type}-{hashlib.sha256(cell.source.encode()).hexdigest()[:10]}"
        identity, count = stem[:60], 1
        while identity in taken:
            count += 1
            identity = f"{stem[:56]}-{count}"
        taken.add(identity)
        cell["id"] = identity


def setup_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that grading runs before an exercise, in order: no experiment is among them."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and tags(cell) & SETUP_TAGS]


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a lesson, in order. Raises `LessonError` where the cells don't make sense."""
    found: dict[str, Exercise] = {}
    heading = ""
    last = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{2,5} +(.+)$", cell.source, flags=re.M)
            heading = headings[-1] if headings else heading
            if "hint" in tags(cell) and last:
                found[last] = _with(found[last], hint=cell.source)
        name = grade_id(cell)
        if is_answer(cell) and name:
            if name in found:
                raise LessonError(f"two answer cells are called {name}")
            found[name] = Exercise(name, cell, title=heading)
            last = name
        elif is_test(cell) and name:
            owner = name.rsplit("-", 1)[0]
            owner = owner if owner in found else next((n for n in found if name.startswith(f"{n}-")), "")
            if not owner:
                raise LessonError(f"the test {name} belongs to no exercise before it")
            found[owner].tests.append(cell)
    for exercise in found.values():
        if not exercise.tests:
            raise LessonError(f"the exercise {exercise.id} has no test")
    return list(found.values())


def _with(exercise: Exercise, **changes: str) -> Exercise:
    return Exercise(**{**exercise.__dict__, **changes})


def imports(notebook: NotebookNode, root: Path = ROOT) -> list[Path]:
    """The files of this package that a lesson imports, directly or through one another, sorted."""
    todo = [("", cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    found: set[Path] = set()
    while todo:
        _, source = todo.pop()
        for module in _mentioned(source):
            base = root / Path(*module.split("."))
            for path in (base.with_suffix(".py"), base / "__init__.py"):
                if path.exists() and path not in found:
                    found.add(path)
                    todo.append((module, path.read_text()))
    assets = [
        path for folder in ("js",) for path in (root / "backendlab" / "lab" / folder).rglob("*") if path.is_file()
    ]
    return sorted([*found, *assets, *(root / "backendlab" / "lab").glob("*.toml")])


def _mentioned(source: str) -> Iterator[str]:
    """Modules of this package named by the import statements (and `%load_ext` lines) of a cell or a file."""
    for line in source.splitlines():
        match = re.match(r"\s*(?:%load_ext|import|from)\s+(backendlab[\w.]*)(?:\s+import\s+(.*))?", line)
        if not match:
            continue
        module, imported = match.groups()
        yield module
        for name in re.findall(r"\w+", (imported or "").split("#")[0]):
            yield f"{module}.{name}"


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as the same bytes every time: sorted keys, one trailing newline. Atomic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text_of(notebook))
    part.replace(path)


def text_of(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"
