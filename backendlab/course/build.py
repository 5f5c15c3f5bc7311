"""`backendlab build`: source/*.md into notebooks/ (executed, with figures) and release/ (what students get).

Built by jupytext (text to notebook), nbgrader (answers and hidden tests out), papermill (execution). Made again, the
results are the same bytes, measured outputs aside. A lesson is executed again only when its code, or what it imports,
has changed: its notebook carries the fingerprint of both. Where only its prose has changed, the outputs stay.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image

from backendlab.course import lesson
from backendlab.parts import ROOT

LANGUAGES = {"py": "python", "js": "js"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 01-node-runtime or 1 (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where what is there is out of date")
    parser.add_argument("--force", action="store_true", help="execute again although nothing changed, or over answers")


def run(args: argparse.Namespace) -> int:
    chosen = [lesson.resolve(word) for word in args.lessons] or lesson.names()
    if not args.check:
        for name in chosen:
            print(build(name, force=args.force))
        return 0
    stale = [problem for name in chosen for problem in check(name)]
    if not args.lessons:
        stale += orphans()
    print("\n".join(stale) if stale else f"up to date: {', '.join(chosen)}")
    return 1 if stale else 0


# ---- the release ----------------------------------------------------------------------------------------------------


def release_notebook(source: NotebookNode, name: str) -> NotebookNode:
    """The assignment as students get it: nbgrader's `generate_assignment`, in a course of its own."""
    with tempfile.TemporaryDirectory(prefix="backendlab-course-") as folder:
        root = Path(folder)
        lesson.write(source, root / "source" / name / f"{name}.ipynb")
        made = generate_assignment(root, name, gradebook=False)
    return clean(made)


def generate_assignment(root: Path, name: str, *, gradebook: bool = True) -> NotebookNode:
    """Run nbgrader's `generate_assignment` in the course folder `root`; returns the released notebook.

    With `gradebook`, by the course's own settings, and its gradebook learns of it. Raises `LessonError` in nbgrader's
    words if it refuses.
    """
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    from backendlab.course import plugins

    if gradebook:
        config = plugins.load(root)
    else:
        config = Config()
        plugins.configure(config)
        config.CourseDirectory.root = str(root)
        config.GenerateAssignment.no_database, config.SaveCells.enabled = True, False
    # nbgrader starts alembic by its bare name, and this may run without the environment being activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    result = NbGraderAPI(config=config).generate_assignment(name, force=True, create=True)
    if not result["success"]:
        told = f"{result.get('log')}\n{result.get('error')}"
        errors = re.findall(r"^[\w.]*(?:Error|Exception): .*", told, flags=re.M) or [told]
        raise lesson.LessonError("\n".join([f"nbgrader refused {name}:", *dict.fromkeys(errors)]))
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


def lesson_notebook(source: NotebookNode, release: NotebookNode, root: Path = ROOT) -> NotebookNode:
    """The notebook that a learner works in: the release, with each reference answer folded away after its tests."""
    answers = {exercise.tests[-1]["id"]: exercise for exercise in lesson.exercises(source)}
    notebook = nbformat.from_dict(release)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if "parameters" in lesson.tags(cell):
            cell.metadata["editable"] = True  # locked in a release; a learner on their own may want EFFORT = "full"
        if lesson.is_answer(cell) or ("experiment" in lesson.tags(cell) and "fact" not in lesson.tags(cell)):
            cell.metadata["tags"] = sorted({*lesson.tags(cell), "nbval-ignore-output"})  # measured, or one's own
        if exercise := answers.get(cell["id"]):
            cells.append(_folded_answer(exercise))
    notebook.cells = cells
    notebook.metadata["backendlab"] = {"fingerprint": fingerprint(notebook, root)}
    return notebook


def _folded_answer(exercise: lesson.Exercise) -> NotebookNode:
    kept = [line for line in exercise.answer.source.splitlines() if not _is_marker(line)]
    code = "\n".join(line for line in kept if not line.startswith("%%node"))
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`{3,}", code))])
    block = f"{fence}{LANGUAGES[exercise.language]}\n{code}\n{fence}"
    text = f"<details><summary>Reference answer (try first)</summary>\n\n{block}\n\n</details>"
    metadata = {"tags": ["answer"], "editable": False, "deletable": False}
    return nbformat.v4.new_markdown_cell(text, id=f"{exercise.id}-answer", metadata=metadata)


def _is_marker(line: str) -> bool:
    return "BEGIN SOLUTION" in line or "END SOLUTION" in line


def fingerprint(notebook: NotebookNode, root: Path = ROOT) -> str:
    """A hash of a lesson's code and of the code it imports: what its outputs depend on."""
    digest = hashlib.sha256()
    for cell in _code_cells(notebook):
        digest.update(f"\0{sorted(lesson.tags(cell))}\0{cell.source}".encode())
    for path in lesson.imports(notebook, root):
        digest.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:24]


def execute(notebook: NotebookNode, name: str, *, parameters: dict[str, Any] | None = None) -> NotebookNode:
    """Run a notebook from a fresh kernel, by papermill, with a progress bar; returns it with its outputs.

    Raises `LessonError` naming the first cell that failed without being allowed to (tag `raises-exception`).
    """
    from nbclient.exceptions import DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.parameterize import parameterize_notebook

    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # debugpy's warning would stand in every lesson
    ready = for_papermill(notebook)
    if parameters:
        ready = parameterize_notebook(ready, parameters)
    with tempfile.TemporaryDirectory(prefix="backendlab-run-") as folder:
        try:
            done = papermill_engines.execute_notebook_with_engine(
                None,
                ready,
                kernel_name="python3",
                progress_bar=sys.stderr.isatty() and {"desc": name},
                log_output=False,
                start_timeout=120,
                resources={"metadata": {"path": folder}},  # where nbclient reads the kernel's folder from
                extra_arguments=["--IPKernelApp.log_level=40"],  # it warns that 127.0.0.1 is not encrypted
            )
        except DeadKernelError:
            raise lesson.LessonError(f"{name}: the kernel died in {_last_started(ready)}") from None
    for cell in _code_cells(done):
        if "raises-exception" not in lesson.tags(cell):
            for output in cell.outputs:
                if output.output_type == "error":
                    raise lesson.LessonError(failure(name, cell, output))
    return clean(done)


def _last_started(notebook: NotebookNode) -> str:
    started = [cell for cell in _code_cells(notebook) if cell.metadata.get("papermill", {}).get("start_time")]
    return lesson.called(started[-1]) if started else "its start"


def for_papermill(notebook: NotebookNode) -> NotebookNode:
    """A notebook with the metadata that papermill expects to find, which it adds only to what it reads from a file."""
    from papermill.iorw import load_notebook_node

    with tempfile.TemporaryDirectory(prefix="backendlab-papermill-") as folder:
        path = Path(folder) / "notebook.ipynb"
        lesson.write(notebook, path)
        return load_notebook_node(str(path))


def failure(name: str, cell: NotebookNode, output: NotebookNode) -> str:
    """What a cell's error output says, with its traceback's end, as text for a terminal."""
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))[-3000:]
    return f"{name}: {lesson.called(cell)} failed: {output.ename}: {output.evalue}\n{trace}"


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    bare = nbformat.from_dict(notebook)
    for cell in _code_cells(bare):
        cell.outputs, cell.execution_count = [], None
    return bare


def with_outputs(notebook: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """`notebook` with the outputs of `executed`, whose code cells are the same."""
    for cell, there in zip(_code_cells(notebook), _code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = there.outputs, there.execution_count
    return notebook


def tidy_outputs(notebook: NotebookNode) -> NotebookNode:
    """Small, portable outputs: adjacent prints joined, no repr of a figure beside its picture, no address of memory."""
    for cell in _code_cells(notebook):
        joined: list[NotebookNode] = []
        for output in cell.outputs:
            if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
                joined[-1].text += output.text
                continue
            if "image/png" in output.get("data", {}):
                output.data = {"image/png": smaller(output.data["image/png"]), "text/plain": "<Figure>"}
            joined.append(output)
        for output in joined:
            if output.output_type == "stream":  # where the workspace lay this time tells a reader nothing
                output.text = re.sub(r"(file://)?/\S*/backendlab-work-[\w-]+/", "", output.text)
        cell.outputs = joined
    return notebook


def smaller(picture: str) -> str:
    """A PNG (base64) in 64 colours: a figure has few, and the history keeps every figure for ever."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    out = io.BytesIO()
    image.quantize(colors=64, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return min(picture, base64.b64encode(out.getvalue()).decode(), key=len)


# ---- build and check ------------------------------------------------------------------------------------------------


def paths(name: str, root: Path = ROOT) -> tuple[Path, Path]:
    """Where a lesson's notebook and its release stand."""
    return root / "notebooks" / f"{name}.ipynb", root / "release" / name / f"{name}.ipynb"


def make(name: str, root: Path = ROOT) -> tuple[NotebookNode, NotebookNode]:
    """A lesson's notebook, not executed, and its release."""
    source = lesson.read(name, root)
    release = release_notebook(source, name)
    return lesson_notebook(source, release, root), release


def build(name: str, root: Path = ROOT, *, force: bool = False) -> str:
    """Write a lesson's notebook and its release; returns what was done. A failure writes nothing.

    A notebook that someone has written answers into is left as it is, unless `force`: then they are kept in a file.
    """
    from backendlab.course import work

    started = time.monotonic()
    page, target = paths(name, root)
    notebook, release = make(name, root)
    there = lesson.open_notebook(page) if page.exists() else None
    said = ""
    if there and _worked_on(there) and not force:
        raise lesson.LessonError(
            f"{page} holds answers, so nothing was written. `backendlab update` puts them into a newer notebook; "
            "`backendlab build --force` keeps them in .backendlab/answers and makes the notebook anew."
        )
    if there and _worked_on(there) and (kept := work.keep(there, notebook, name)):
        said = f"{name}: it held answers; they are kept in {kept}\n"
    if there and not force and _same_code(there, notebook):
        made, did = with_outputs(notebook, there), "its code has not changed, so it was not executed again"
    else:
        print(f"{name}: executing …", flush=True)
        made = with_outputs(notebook, tidy_outputs(execute(notebook, name)))
        did = f"executed in {time.monotonic() - started:.0f} s"
    lesson.write(made, page)
    lesson.write(release, target)
    return f"{said}{name}: {did}"


def _worked_on(notebook: NotebookNode) -> bool:
    """Has someone written into an answer's cell? nbgrader's checksum of the stub stands in its metadata."""
    from nbgrader.utils import compute_checksum

    answers = [cell for cell in notebook.cells if lesson.is_answer(cell)]
    return any(cell.metadata.nbgrader.get("checksum") != compute_checksum(cell) for cell in answers)


def _same_code(there: NotebookNode, notebook: NotebookNode) -> bool:
    """Do the outputs of `there` hold for `notebook`: is it the same code, and nobody's answers among it?"""
    return there.metadata.get("backendlab") == notebook.metadata["backendlab"] and [
        cell.source for cell in _code_cells(there)
    ] == [cell.source for cell in _code_cells(notebook)]


def check(name: str, root: Path = ROOT) -> list[str]:
    """What of a lesson is not what its source makes: a sentence each, none if all is up to date. Writes nothing."""
    page, target = paths(name, root)
    notebook, release = make(name, root)
    problems = []
    if not target.exists():
        problems.append(f"release/{name}/{name}.ipynb is missing")
    elif target.read_text(encoding="utf-8") != lesson.text_of(release):
        problems.append(f"release/{name}/{name}.ipynb is not what source/{name}.md makes")
    if not page.exists():
        problems.append(f"notebooks/{name}.ipynb is missing")
    elif not _same_code(there := lesson.open_notebook(page), notebook):
        problems.append(f"notebooks/{name}.ipynb was executed with an older source/{name}.md or older imports")
    elif lesson.text_of(without_outputs(there)) != lesson.text_of(notebook):
        problems.append(f"notebooks/{name}.ipynb is not what source/{name}.md makes")
    return [f"{problem}: run `backendlab build {name}`" for problem in problems]


def orphans(root: Path = ROOT) -> list[str]:
    """Notebooks and releases whose source is gone: a sentence each."""
    made = [*(root / "notebooks").glob("*.ipynb"), *(path for path in (root / "release").glob("*") if path.is_dir())]
    names = lesson.names(root)
    return [
        f"{path.relative_to(root)} has no source/{path.stem}.md: remove it" for path in made if path.stem not in names
    ]
