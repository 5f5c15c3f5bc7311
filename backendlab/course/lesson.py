"""A lesson as the course sees it: cells of a notebook, and the exercises among them.

Nothing here knows what a lesson teaches. A lesson is `source/NN-name.md`; CONTRIBUTING.md says how
its cells are marked.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
from jupytext.myst import MystMetadataParsingError
from nbformat import NotebookNode

from backendlab.parts import ROOT
from backendlab.trouble import Trouble

NOT_DONE = "not done yet: your answer goes where it says YOUR CODE HERE"  # what a stub says, and its tests then
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
    """The notebook that `source/NAME.md` stands for, solutions and hidden tests in it, with permanent cell ids.

    Raises `LessonError` for what jupytext or nbgrader would quietly make something else of.
    """
    path = root / "source" / f"{name}.md"
    text = path.read_text(encoding="utf-8")
    try:
        notebook = jupytext.reads(text, fmt="md:myst")
    except (MystMetadataParsingError, nbformat.ValidationError) as error:
        raise LessonError(f"{path.name} can't be read as MyST: {str(error).strip()}") from None
    pairing = notebook.metadata.pop("jupytext", {})  # in a student's copy it once brought the answers back
    for cell in notebook.cells:
        cell.source = cell.source.strip("\n")  # so that a magic is a cell's first line
    if wrong := [*_wrong_with_the_header(notebook, pairing), *_wrong_with_the_text(text), *_wrong_with_cells(notebook)]:
        raise LessonError("\n".join(f"{path.name}: {said}" for said in wrong))
    identify(notebook.cells)
    return notebook


def called(cell: NotebookNode) -> str:
    """A cell as an error message names it: by its grade id, or by how it begins."""
    begin = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    kind = "Markdown" if cell.cell_type == "markdown" else cell.cell_type
    name = grade_id(cell)
    return f"the cell {name}" if name else f"the {kind} cell that begins with {begin[:60]!r}"


def _wrong_with_the_header(notebook: NotebookNode, pairing: dict[str, object]) -> Iterator[str]:
    if "cell_metadata_filter" in pairing:
        yield "its header has a cell_metadata_filter, by which jupytext drops nbgrader's marks: take it out"
    if notebook.metadata.get("kernelspec", {}).get("language") != "python":
        yield "its header needs a kernelspec with `language: python`: nbgrader chooses the stub by it"


def _wrong_with_the_text(text: str) -> Iterator[str]:
    for empty in re.finditer(r"^(\+\+\+ +\{.*\})\n\s*(?=^\+\+\+|^`{3,}\{code-cell\})", text, flags=re.M):
        yield f"nothing follows {empty[1]}: jupytext drops an empty Markdown cell and its tags"


# A marker of nbgrader's, and the cells it may stand in. nbgrader looks for these words in every line of every cell.
MARKERS = {"SOLUTION": "an answer", "HIDDEN TESTS": "a test", "MARK SCHEME": "no"}


def _wrong_with_cells(notebook: NotebookNode) -> Iterator[str]:
    ids: set[str] = set()
    for cell in notebook.cells:
        name = grade_id(cell)
        if name is not None:
            if name in ids:
                yield f"two cells have the grade_id {name}"
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,56}", name):
                yield f"the grade_id {name!r} can't be a cell's id: letters, digits, - and _, at most 56"
            ids.add(name)
        if is_test(cell) and not isinstance(cell.metadata.nbgrader.get("points"), int | float):
            yield f"{called(cell)} is a test without points"
        if "{code-cel" in cell.source:
            yield f"{called(cell)} has swallowed a code cell: is a fence before it open, or indented?"
        if cell.cell_type == "code" and re.match(r"---$|:?(tags|nbgrader): ", cell.source, flags=re.M):
            yield f"{called(cell)} has its header among its code: it must follow the opening fence, between two ---"
        home = "SOLUTION" if is_answer(cell) else "HIDDEN TESTS" if is_test(cell) else ""
        for marker, place in MARKERS.items():
            yield from _wrong_with_markers(cell, marker, place, allowed=marker == home)


def _wrong_with_markers(cell: NotebookNode, marker: str, place: str, *, allowed: bool) -> Iterator[str]:
    found = [line for line in cell.source.splitlines() if re.search(f"(BEGIN|END) {marker}", line)]
    if found and not allowed:
        yield f"{called(cell)} has {found[0].strip()!r}, which nbgrader takes for a marker; {place} cell may have it"
    elif mixed := [line for line in found if not re.fullmatch(rf"\s*(#+|//) (BEGIN|END) {marker}\s*", line)]:
        yield f"{called(cell)} has a marker of nbgrader's within a line: {mixed[0].strip()!r}"
    elif (order := ["BEGIN" in line for line in found]) != [True, False] * (len(found) // 2):
        said = " ".join("BEGIN" if begin else "END" for begin in order)
        yield f"{called(cell)} has the markers of {marker} in the wrong order: {said}"


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
            owner = max((there for there in found if name.startswith(f"{there}-")), key=len, default="")
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
    """The files of this package that a lesson depends on, sorted.

    They are the modules that it imports, directly or through one another, and the scripts and data of
    `backendlab/lab` that one of them names.
    """
    package = root / "backendlab" / "lab"
    assets = [path for path in package.rglob("*") if path.suffix in {".js", ".mjs", ".toml", ".json", ".sql"}]
    todo = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    found: set[Path] = set()
    while todo:
        source = todo.pop()
        named = [path for path in assets if path.name in source]
        for module in _mentioned(source):
            base = root / Path(*module.split("."))
            named += [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()]
        todo += [path.read_text(encoding="utf-8") for path in named if path not in found]
        found.update(named)
    return sorted(found)


def _mentioned(source: str) -> set[str]:
    """The modules of this package, and the packages around them, that a cell or a file imports or loads as magics."""
    loaded = re.findall(r"^\s*%load_ext +(backendlab[\w.]*)", source, flags=re.M)
    plain = "" if source.startswith("%%") else re.sub(r"^(\s*)[%!].*", r"\1pass", source, flags=re.M)
    try:
        tree = ast.parse(plain)
    except SyntaxError:  # not Python: another language's cell, or one that is meant to fail
        tree = ast.Module([], [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            loaded += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            loaded += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    words = [name.split(".") for name in loaded if name.split(".")[0] == "backendlab"]
    return {".".join(word[:length]) for word in words for length in range(1, len(word) + 1)}


def write(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as the same bytes every time: sorted keys, one trailing newline. Atomic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text_of(notebook), encoding="utf-8")
    part.replace(path)


def open_notebook(path: Path) -> NotebookNode:
    """Read a notebook that someone may have damaged. Raises `LessonError` with its path if it is none."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LessonError(
            f"There is no notebook {path}. `git checkout -- notebooks` brings the course's own."
        ) from None
    except (OSError, ValueError) as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LessonError(
            f"{path} is not a notebook that can be read ({said}): set it aside, then run this again."
        ) from None


def parse(text: str) -> NotebookNode:
    """A notebook from its JSON. Raises `ValueError` for what is none, whatever it is instead."""
    try:
        notebook = nbformat.reads(text, as_version=4)
        for cell in notebook.cells:
            cell.cell_type, cell.source, cell.metadata  # noqa: B018  (nbformat only warns when these are missing)
    except Exception as error:  # nbformat's readers fail in many ways on JSON of another shape
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return notebook


def text_of(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"
