"""`backendlab build`: source/*.md into notebooks/ (executed, with figures) and release/ (what students get).

Built by jupytext (text to notebook), nbgrader (answers and hidden tests out), papermill (execution). Made again, the
results are the same bytes, measured outputs aside. A lesson is executed again only when its source, or what it imports,
has changed: its notebook carries the fingerprint of both.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from backendlab.course import lesson
from backendlab.parts import ROOT

HELP = "make notebooks/ and release/ from source/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 01-node-runtime or 1 (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where what is there is out of date")
    parser.add_argument("--force", action="store_true", help="execute again even where nothing has changed")


def run(args: argparse.Namespace) -> int:
    chosen = [lesson.resolve(word) for word in args.lessons] or lesson.names()
    stale = 0
    for name in chosen:
        stale += _check(name) if args.check else _build(name, force=args.force)
    return 1 if stale else 0


# ---- the release ----------------------------------------------------------------------------------------------------


def release_notebook(source: NotebookNode, name: str) -> NotebookNode:
    """The assignment as students get it: nbgrader's `generate_assignment`, in a course of its own."""
    with tempfile.TemporaryDirectory(prefix="backendlab-course-") as folder:
        root = Path(folder)
        lesson.write(source, root / "source" / name / f"{name}.ipynb")
        made = generate_assignment(root, name, f"sqlite:///{root / 'gradebook.db'}")
    return clean(made)


def generate_assignment(root: Path, name: str, db_url: str | None = None) -> NotebookNode:
    """Run nbgrader's `generate_assignment` in the course folder `root`; returns the released notebook.

    Raises `LessonError` with nbgrader's own words if it refuses.
    """
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    from backendlab.course.plugins import configure

    config = Config()
    configure(config)
    config.CourseDirectory.root = str(root)
    if db_url:
        config.CourseDirectory.db_url = db_url
    # nbgrader starts alembic by its bare name, and this may run without the environment being activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    result = NbGraderAPI(config=config).generate_assignment(name, force=True, create=True)
    if not result["success"]:
        raise lesson.LessonError(f"nbgrader refused {name}:\n{result.get('log', '')}\n{result.get('error', '')}")
    return nbformat.read(root / "release" / name / f"{name}.ipynb", as_version=4)


def clean(notebook: NotebookNode) -> NotebookNode:
    """Take out the stamps of papermill and JupyterLab: time, paths of this machine, empty notes."""
    for key in ("papermill", "celltoolbar", "widgets"):
        notebook.metadata.pop(key, None)
    version = notebook.metadata.get("language_info", {}).get("version")
    if version:  # the lesson holds for more than the Python it was built with
        notebook.metadata["language_info"].pop("version")
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")
    return notebook


# ---- the lesson's notebook ------------------------------------------------------------------------------------------


def lesson_notebook(source: NotebookNode, release: NotebookNode) -> NotebookNode:
    """The notebook that a learner works in: the release, with each reference answer folded away after its tests."""
    answers = {exercise.tests[-1]["id"]: exercise for exercise in lesson.exercises(source)}
    notebook = nbformat.from_dict(release)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if "experiment" in lesson.tags(cell) and "fact" not in lesson.tags(cell):
            cell.metadata["tags"] = sorted({*lesson.tags(cell), "nbval-ignore-output"})  # measured, never twice alike
        if exercise := answers.get(cell["id"]):
            cells.append(_folded_answer(exercise))
    notebook.cells = cells
    lesson.identify(notebook.cells)
    notebook.metadata["backendlab"] = {"fingerprint": fingerprint(source)}
    return notebook


def _folded_answer(exercise: lesson.Exercise) -> NotebookNode:
    kept = [line for line in exercise.answer.source.splitlines() if not _is_marker(line)]
    code = "\n".join(line for line in kept if not line.startswith("%%node"))
    language = {"js": "js", "py": "python"}[exercise.language]
    text = f"<details><summary>Reference answer (try first)</summary>\n\n```{language}\n{code}\n```\n\n</details>"
    return nbformat.v4.new_markdown_cell(text, metadata={"tags": ["answer"], "editable": False, "deletable": False})


def _is_marker(line: str) -> bool:
    return "BEGIN SOLUTION" in line or "END SOLUTION" in line


def fingerprint(source: NotebookNode) -> str:
    """A hash of a lesson's text and of the code it imports: what its measured outputs depend on."""
    digest = hashlib.sha256(lesson.text_of(source).encode())
    for path in lesson.imports(source):
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:24]


def execute(notebook: NotebookNode, name: str, *, parameters: dict[str, Any] | None = None) -> NotebookNode:
    """Run a notebook from a fresh kernel, by papermill, with a progress bar; returns it with its outputs.

    Raises `LessonError` naming the first cell that failed without being allowed to (tag `raises-exception`).
    """
    from papermill.engines import papermill_engines
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # debugpy's warning would stand in every lesson
    with tempfile.TemporaryDirectory(prefix="backendlab-run-") as folder:
        path = Path(folder) / f"{name}.ipynb"
        lesson.write(notebook, path)
        ready = load_notebook_node(str(path))
        if parameters:
            ready = parameterize_notebook(ready, parameters)
        engine = {"log_output": False, "start_timeout": 120, "stdout_file": None, "stderr_file": None}
        done = papermill_engines.execute_notebook_with_engine(
            None,
            ready,
            kernel_name="python3",
            progress_bar=sys.stderr.isatty() and {"desc": name},
            cwd=folder,
            **engine,
        )
    for cell in done.cells:
        if cell.cell_type == "code" and "raises-exception" not in lesson.tags(cell):
            for output in cell.outputs:
                if output.output_type == "error":
                    raise lesson.LessonError(_failure(name, cell, output))
    return clean(done)


def _failure(name: str, cell: NotebookNode, output: NotebookNode) -> str:
    import re

    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))[-3000:]
    first = cell.source.strip().splitlines()[0] if cell.source.strip() else ""
    return f"{name}: a cell failed: {output.ename}: {output.evalue}\nthe cell begins: {first}\n{trace}"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    bare = nbformat.from_dict(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


def tidy_outputs(notebook: NotebookNode) -> NotebookNode:
    """Small, portable outputs: adjacent prints joined, no repr of a figure beside its picture, no address of memory."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        joined: list[NotebookNode] = []
        for output in cell.outputs:
            if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
                joined[-1].text += output.text
                continue
            if "image/png" in output.get("data", {}):
                output.data = {"image/png": output.data["image/png"], "text/plain": "<Figure>"}
            joined.append(output)
        cell.outputs = joined
    return notebook


# ---- build and check ------------------------------------------------------------------------------------------------


def paths(name: str) -> tuple[Path, Path]:
    return ROOT / "notebooks" / f"{name}.ipynb", ROOT / "release" / name / f"{name}.ipynb"


def _make(name: str) -> tuple[NotebookNode, NotebookNode]:
    source = lesson.read(name)
    release = release_notebook(source, name)
    return lesson_notebook(source, release), release


def _build(name: str, *, force: bool) -> int:
    from backendlab.course import work

    started = time.monotonic()
    page, target = paths(name)
    notebook, release = _make(name)
    if page.exists():
        there = nbformat.read(page, as_version=4)
        if kept := work.keep(there, notebook, name):
            print(f"{name}: it held answers; they are kept in {kept.relative_to(ROOT)}")
        if not force and lesson.text_of(without_outputs(there)) == lesson.text_of(notebook):
            lesson.write(release, target)
            print(f"{name}: nothing changed, not executed again")
            return 0
    print(f"{name}: executing …", flush=True)
    executed = tidy_outputs(execute(notebook, name))
    executed.metadata = notebook.metadata
    lesson.write(executed, page)
    lesson.write(release, target)
    print(f"{name}: executed in {time.monotonic() - started:.0f} s, {page.stat().st_size / 1024:.0f} KiB")
    return 0


def _check(name: str) -> int:
    page, target = paths(name)
    notebook, release = _make(name)
    problems = []
    if not target.exists() or target.read_text() != lesson.text_of(release):
        problems.append(f"release/{name} is not what source/{name}.md makes")
    if not page.exists():
        problems.append(f"notebooks/{name}.ipynb is missing")
    else:
        there = nbformat.read(page, as_version=4)
        if there.metadata.get("backendlab") != notebook.metadata["backendlab"]:
            problems.append(f"notebooks/{name}.ipynb was executed with an older source/{name}.md or older imports")
        elif lesson.text_of(without_outputs(there)) != lesson.text_of(notebook):
            problems.append(f"notebooks/{name}.ipynb is not what source/{name}.md makes")
    for problem in problems:
        print(f"{problem}: run `backendlab build {name}`")
    if not problems:
        print(f"{name}: up to date")
    return len(problems)
