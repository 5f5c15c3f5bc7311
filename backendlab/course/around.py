"""The cells of a student's own around an answer, and which of them the answer needs.

nbgrader runs a notebook from top to bottom, so an honest student may put a helper into a cell of their own, use an
earlier answer in a later one, or write the answer below the cell that was meant for it. Grading runs one answer alone,
and brings along what that needs: the cells that define a name (or save a file) which it mentions, or which they mention
in turn. All else (trials, prints, experiments) is not run.

What is needed is found out where the answer runs, in the sandbox: to read Python that nobody trusts can take a process
down.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import re
import symtable
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

ANSWER, TEST, OWN = "answer", "test", "own"
BUILT_IN = frozenset(dir(builtins))
LARGEST_OWN = 200_000  # characters of all a student's own cells together

Place = tuple[str, str]  # (ANSWER, grade_id), (TEST, grade_id) or (OWN, the cell's text)


@dataclass(frozen=True)
class Answer:
    """The text of an answer's cell with what stands around it in the notebook. `stub`: as the cell was released.

    `before`: earlier answers (True) and own cells (False) above it. `after`: own cells below it, above its first test.
    """

    text: str
    stub: str = ""
    before: tuple[tuple[str, bool], ...] = ()
    after: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def places(cells: Iterable[Any], released: set[str]) -> list[Place]:
    """The notebook's answers, tests and own code cells, in order. Takes cells as JSON, whatever they may be.

    A code cell is the student's own if it isn't nbgrader's and its text doesn't stand in the release.
    """
    found: list[Place] = []
    left = LARGEST_OWN
    for cell in cells:
        name = answer_id(cell)
        test = None if name else _test_id(cell)
        if name:
            found.append((ANSWER, name))
        elif test:
            found.append((TEST, test))
        elif isinstance(cell, dict) and cell.get("cell_type") == "code" and not _is_nbgraders(cell):
            text = source_of(cell).strip()
            if text and text not in released and len(text) <= left:
                left -= len(text)
                found.append((OWN, text))
    return found


def answer_id(cell: Any) -> str | None:
    """The grade_id of an answer cell, or None for any other cell, or for what is no cell."""
    mark = _mark(cell)
    name = mark.get("grade_id")
    return name if isinstance(name, str) and mark.get("solution") is True and mark.get("grade") is not True else None


def _test_id(cell: Any) -> str | None:
    mark = _mark(cell)
    name = mark.get("grade_id")
    return name if isinstance(name, str) and mark.get("grade") is True else None


def _mark(cell: Any) -> dict[str, Any]:
    with contextlib.suppress(TypeError, KeyError, AttributeError):
        mark = cell["metadata"]["nbgrader"]
        if isinstance(mark, dict):
            return mark
    return {}


def _is_nbgraders(cell: dict[str, Any]) -> bool:
    return "grade_id" in _mark(cell)


def source_of(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair is valid JSON, and nothing else


def together(texts: Iterable[str]) -> tuple[str, int]:
    """One answer of cells with one id, as JupyterLab leaves them when it splits or doubles a cell, and of how many.

    A doubled cell counts once; of a cell in parts, the first part's magic line stands for all.
    """
    first, *rest = list(dict.fromkeys(text for text in texts if text.strip())) or [""]
    magic = first.partition("\n")[0]
    if magic.startswith("%%"):
        rest = [text.removeprefix(magic + "\n") for text in rest]
    return "\n".join([first, *rest]), 1 + len(rest)


def answer(where: list[Place], answers: Mapping[str, str], stubs: Mapping[str, str], name: str) -> Answer:
    """The answer to the exercise `name` with what stands around it. Where its cell is missing, it is empty."""
    first_test = next((at for at, (kind, text) in enumerate(where) if kind == TEST and _belongs(text, name, stubs)), -1)
    at = where.index((ANSWER, name)) if (ANSWER, name) in where else max(first_test, 0)
    before = [
        (answers.get(text, ""), True) if kind == ANSWER else (text, False)
        for kind, text in where[:at]
        if kind in (ANSWER, OWN)
    ]
    after = [text for kind, text in where[at:first_test] if kind == OWN] if first_test > at else []
    return Answer(answers.get(name, ""), stubs.get(name, ""), tuple(before), tuple(after))


def _belongs(test: str, name: str, stubs: Mapping[str, str]) -> bool:
    """Is it a test of this exercise? The one with the longest name owns it, as in `lesson.exercises`."""
    return name == max((there for there in stubs if test.startswith(f"{there}-")), key=len, default="")


# ---- in the sandbox -------------------------------------------------------------------------------------------------


def needed(given: Answer, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Of the cells above the answer and of those below it, the ones it needs. `known`: names that the set-up defines.

    An earlier answer isn't brought for a name that the set-up defines as well: it will have imported it again.
    """
    known = set(known)
    own, mentioned = _names(given.text)
    asked_for = own | _names(given.stub)[0]  # what tests look for: a cell below that defines it goes over the answer
    wanted = mentioned - own
    own_cells = given.after or not all(is_answer for _, is_answer in given.before)
    if given.text.strip() and not own_cells and not wanted - known - BUILT_IN:
        return [], []  # the common case, at the cost of reading one cell
    above = [(text, *_names(text), is_answer) for text, is_answer in given.before]
    below = [(text, *_names(text)) for text in given.after]
    if not given.text.strip():
        wanted |= asked_for
    chosen_above: set[int] = set()
    chosen_below: set[int] = set()
    while True:
        before = len(chosen_above), len(chosen_below)
        for at, (_, defined, mentioned, is_answer) in enumerate(above):
            if "*" in defined or (defined - known if is_answer else defined) & wanted:
                chosen_above.add(at)
                wanted |= mentioned - defined
        for at, (_, defined, mentioned) in enumerate(below):
            if "*" in defined or defined & (wanted | asked_for):
                chosen_below.add(at)
                wanted |= mentioned - defined
        if before == (len(chosen_above), len(chosen_below)):
            return [above[at][0] for at in sorted(chosen_above)], [below[at][0] for at in sorted(chosen_below)]


FILE = r"(?<![\w-])[\w-]+\.(?:mjs|cjs|js|json|py|sql|txt|csv)\b"


def _names(cell: str) -> tuple[set[str], set[str]]:
    """The names that a cell defines where others see them, and all it mentions. A file counts as a name."""
    magic, _, body = cell.partition("\n")
    if magic.startswith("%%"):
        saved = set(re.findall(FILE, magic))
        return saved, set(re.findall(FILE, body)) - saved
    code = _python(cell)
    tree = ast.parse(code)
    mentioned = _looked_up(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            mentioned |= set(re.findall(FILE, node.value))
    defined: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                defined.add(node.name)
            case ast.Import() | ast.ImportFrom():
                defined |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            case ast.Name(ctx=ast.Store()):
                defined.add(node.id)
            case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
                base: ast.AST = node
                while isinstance(base, ast.Attribute | ast.Subscript):
                    base = base.value
                if isinstance(base, ast.Name):
                    defined.add(base.id)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass  # names of its own
            case _:
                todo += ast.iter_child_nodes(node)
    return defined, mentioned


def _looked_up(code: str) -> set[str]:
    """The names that a cell looks for among its own and others' variables: a function's own are not among them."""
    found: set[str] = set()
    todo = [symtable.symtable(code, "cell", "exec")]
    while todo:
        scope = todo.pop()
        todo += scope.get_children()
        outermost = scope.get_type() == "module"
        found |= {s.get_name() for s in scope.get_symbols() if s.is_referenced() and (outermost or s.is_global())}
    return found


def _python(cell: str) -> str:
    """A cell as plain Python, magics and all; empty if it can't be."""
    from IPython.core.inputtransformer2 import TransformerManager

    for read in (str, TransformerManager().transform_cell):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            code = read(cell)
            ast.parse(code)
            symtable.symtable(code, "cell", "exec")
            return code
    return ""
