"""`backendlab build`: source/ to notebooks/ and release/, and the traps of jupytext, papermill and nbgrader."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from backendlab.course import build, lesson
from backendlab.course.plugins import STUBS, ClearSolutionsByLanguage
from backendlab.parts import ROOT
from tests.course.conftest import NAME, command, edit, files, run

PAGE, TARGET = f"notebooks/{NAME}.ipynb", f"release/{NAME}/{NAME}.ipynb"


def cells(root: Path, path: str = PAGE) -> dict[str, nbformat.NotebookNode]:
    """The cells of a notebook by their ids."""
    return {cell.id: cell for cell in nbformat.read(root / path, as_version=4).cells}


def outputs(root: Path) -> list[object]:
    return [cell.outputs for cell in cells(root).values() if cell.cell_type == "code"]


# ---- made again, and kept up to date --------------------------------------------------------------------------------


def test_made_again_it_is_the_same_bytes_measured_outputs_aside(made: Path) -> None:
    before, measured = files(made), outputs(made)
    build.build(NAME, made, force=True)
    assert files(made).keys() == before.keys()
    assert files(made)[TARGET] == before[TARGET]
    assert outputs(made) != measured

    def comparable(data: bytes) -> str:
        notebook = nbformat.reads(data.decode(), as_version=4)
        for cell in notebook.cells:
            if "nbval-ignore-output" in lesson.tags(cell):
                cell.outputs = []
        return lesson.text_of(notebook)

    assert comparable(files(made)[PAGE]) == comparable(before[PAGE])


def test_it_is_not_executed_again_when_nothing_has_changed(made: Path) -> None:
    before = files(made)
    assert "not executed again" in build.build(NAME, made)
    assert files(made) == before
    assert build.check(NAME, made) == []


def test_a_change_of_prose_reaches_the_notebook_and_keeps_its_figures(made: Path) -> None:
    measured = outputs(made)
    edit(made, "Two experiments", "Two small experiments")
    assert "not executed again" in build.build(NAME, made)
    assert outputs(made) == measured
    assert b"Two small experiments" in files(made)[PAGE]
    assert b"Two small experiments" in files(made)[TARGET]
    assert build.check(NAME, made) == []


def test_it_is_executed_again_when_a_module_that_it_imports_has_changed(made: Path) -> None:
    measured = outputs(made)
    module = made / "backendlab" / "lab" / "figures.py"
    module.write_text(module.read_text() + "\n# another figure\n")
    assert "executed in" in build.build(NAME, made)
    assert outputs(made) != measured
    assert build.check(NAME, made) == []


def test_a_cell_run_and_saved_in_jupyterlab_is_no_reason_to_execute_again(made: Path) -> None:
    notebook = nbformat.read(made / PAGE, as_version=4)
    notebook.metadata["language_info"] = {"name": "python", "version": "3.13.1"}
    nbformat.write(notebook, made / PAGE)
    assert "not executed again" in build.build(NAME, made)
    assert build.check(NAME, made) == []


STALE = {
    "the source's code": lambda root: edit(root, "range(5)", "range(6)"),
    "the source's prose": lambda root: edit(root, "Two experiments", "Two small experiments"),
    "the points": lambda root: edit(root, "points: 2", "points: 4"),
    "an imported module": lambda root: (root / "backendlab" / "lab" / "expect.py").write_text("# emptied\n"),
    "a script that an imported module names": lambda root: (root / "backendlab/lab/js/harness.mjs").write_text("//\n"),
    "the notebook's code": lambda root: _replace(root / PAGE, "range(5)", "range(6)"),
    "the notebook's prose": lambda root: _replace(root / PAGE, "Two experiments", "No experiments"),
    "the notebook's tags": lambda root: _replace(root / PAGE, "raises-exception", "raises"),
    "the release": lambda root: _replace(root / TARGET, "Two experiments", "No experiments"),
    "no notebook": lambda root: (root / PAGE).unlink(),
    "no release": lambda root: (root / TARGET).unlink(),
}  # fmt: skip


def _replace(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.parametrize("what", STALE)
def test_check_finds_what_is_stale_and_writes_nothing(made: Path, what: str) -> None:
    STALE[what](made)
    before = files(made)
    problems = build.check(NAME, made)
    assert problems
    assert all(f"backendlab build {NAME}" in problem for problem in problems)
    assert files(made) == before


def test_check_is_content_when_a_module_that_is_not_imported_changes(made: Path) -> None:
    (made / "backendlab" / "lab" / "another.py").write_text("# a later section's\n")
    assert build.check(NAME, made) == []


def test_the_command_s_exit_status_says_whether_all_is_up_to_date(made: Path) -> None:
    assert run(made, "build", "--check") == (0, f"up to date: {NAME}\n")
    shutil.copy(made / PAGE, made / "notebooks" / "91-gone.ipynb")
    status, printed = run(made, "build", "--check")
    assert status == 1
    assert "91-gone.ipynb has no source/91-gone.md" in printed


def test_imports_are_found_however_they_are_written(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e", "unused"):
        path = tmp_path / "backendlab" / "lab" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import backendlab.lab.e\n" if name == "d" else f"'{name}'\n")
    (tmp_path / "backendlab" / "__init__.py").touch()
    (tmp_path / "backendlab" / "lab" / "figures.toml").touch()
    sources = [
        "%matplotlib inline\nfrom backendlab.lab import (\n    a,\n    b as other,\n)",
        "if True:\n    !ls\n    import json, backendlab.lab.c",
        "%load_ext backendlab.lab.d",
        "%%node\nimport nothing from 'backendlab/lab/unused.py'; `backendlab.lab.unused`",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    found = [path.name for path in lesson.imports(notebook, tmp_path)]
    assert found == ["__init__.py", "a.py", "b.py", "c.py", "d.py", "e.py"]


# ---- what students get, and what learners get -----------------------------------------------------------------------


def test_no_answer_reaches_the_release_and_no_hidden_test_either(made: Path) -> None:
    released, page = ((made / path).read_text() for path in (TARGET, PAGE))
    for line in ("first_of_page", "sorted(letters)", "twiceAsLarge"):
        assert line not in released
        assert line in page
    for line in ("page=9", "page=-4", "in_the_alphabet", "untouched_array"):
        assert line not in released
        assert line not in page
    for word in ("SOLUTION", "HIDDEN", "jupytext"):
        assert word not in released + page


def test_reference_answers_are_folded_away_after_their_tests(made: Path) -> None:
    order = list(cells(made))
    for exercise, line in (("paginate", "first_of_page"), ("order", "sorted(letters)"), ("double-all", "twiceAsLarge")):
        cell = cells(made)[f"{exercise}-answer"]
        assert re.fullmatch(
            r"<details><summary>[^<]+</summary>\n\n```\w+\n.*\n```\n\n</details>", cell.source, flags=re.S
        )
        assert [one.id for one in cells(made).values() if line in one.source] == [cell.id]
        assert order.index(cell.id) == order.index(f"{exercise}-hidden") + 1


def test_hints_are_folded_away_too(made: Path) -> None:
    hint = "<details><summary>Hint</summary>\n\nWhich index does page 1 begin at?\n\n</details>"
    for path in (PAGE, TARGET):
        assert hint in [cell.source for cell in cells(made, path).values()]


def test_a_javascript_stub_keeps_its_magic_and_throws_the_twin_of_NotImplementedError(made: Path) -> None:
    for path in (PAGE, TARGET):
        assert cells(made, path)["double-all"].source.splitlines() == [
            "%%node --save double-all.mjs",
            "export function doubleAll(numbers) {",
            *(f"  {line}" for line in STUBS["javascript"].splitlines()),
            "}",
        ]
        assert cells(made, path)["order"].source.splitlines() == ["# order = [...]", *STUBS["python"].splitlines()]


def test_a_whole_cell_s_stub_keeps_its_magic_too() -> None:
    mark = {"grade": False, "grade_id": "x", "locked": False, "schema_version": 3, "solution": True, "task": False}
    stubs = {"%%node --save a.mjs": "javascript", "%%writefile a.py": "python"}
    for magic, language in stubs.items():
        cell = nbformat.v4.new_code_cell(f"{magic}\nthe whole answer", metadata={"nbgrader": mark})
        clear = ClearSolutionsByLanguage(code_stub=STUBS)
        made, _ = clear.preprocess_cell(cell, {"language": "python"}, 0)
        assert made.source == f"{magic}\n{STUBS[language]}"


def test_ids_are_permanent(made: Path) -> None:
    before = list(cells(made))
    assert {"paginate", "paginate-check", "paginate-hidden", "order", "double-all", "parameters"} <= set(before)
    edit(made, "## 90.2 Your turn", "A paragraph more.\n\n+++\n\n## 90.2 Your turn")
    notebook, release = build.make(NAME, made)
    assert [identity for identity in (cell.id for cell in notebook.cells) if identity in before] == before
    assert len(notebook.cells) == len(before) + 1
    assert {cell.id for cell in release.cells} <= {cell.id for cell in notebook.cells}


def test_nothing_of_this_machine_or_this_moment_is_stamped_on_them(made: Path) -> None:
    for path in (PAGE, TARGET):
        notebook = nbformat.read(made / path, as_version=4)
        assert set(notebook.metadata) <= {"kernelspec", "backendlab"}
        for cell in notebook.cells:
            assert set(cell.metadata) <= {"nbgrader", "tags", "deletable", "editable"}
            assert cell.metadata.get("tags") != []
        text = (made / path).read_text()
        for stamp in ("papermill", "iopub", "start_time", str(ROOT), str(Path.home()), "/tmp/", "ipykernel_"):
            assert stamp not in text.replace("(ipykernel)", "")


def test_run_all_on_an_untouched_lesson_reaches_its_end_with_kind_words(made: Path) -> None:
    code = [cell for cell in cells(made).values() if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert code[-1].outputs[0].text == "the end is reached\n"
    errors = [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert len(errors) == 4  # three visible checks, and the one answer that is a value
    for error in errors:
        assert error.ename in {"NotImplementedError", "NotDone"}
        assert "not done yet" in error.evalue or "not defined yet" in error.evalue


def test_a_text_beside_nbgrader_s_notebook_is_never_released(made: Path) -> None:
    lesson.write(lesson.read(NAME, made), made / "source" / NAME / f"{NAME}.ipynb")
    shutil.copy(made / "source" / f"{NAME}.md", made / "source" / NAME)
    build.generate_assignment(made, NAME)
    assert [path.name for path in (made / "release" / NAME).iterdir()] == [f"{NAME}.ipynb"]


def test_nbgrader_s_own_generate_assignment_makes_the_release_that_we_make(made: Path) -> None:
    ours = (made / TARGET).read_bytes()
    lesson.write(lesson.read(NAME, made), made / "source" / NAME / f"{NAME}.ipynb")
    made = build.generate_assignment(made, NAME)
    assert lesson.text_of(made).encode() == ours


# ---- what is refused ------------------------------------------------------------------------------------------------

OPEN = "```{code-cell} ipython3\n"
PROSE = "The letters of"
CODE = "moments = [time"
REFUSED = {  # what is changed in the source, and what the error says of it
    "a marker in prose": (PROSE, "Keep the ### BEGIN SOLUTION line", "begins with 'Keep"),
    "a marker in an experiment": (CODE, f"# END HIDDEN TESTS\n{CODE}", "which nbgrader takes for a marker"),
    "a hidden test in an answer": ('"""The items', '### BEGIN HIDDEN TESTS\n    """The items', "the cell paginate "),
    "a marker within a line": ("    ### BEGIN SOLUTION\n", "    x = '### BEGIN SOLUTION'\n", "within a line"),
    "a marker that is never closed": ("    ### END SOLUTION\n", "", "in the wrong order: BEGIN"),
    "a marking scheme": ("# order = [...]", "# BEGIN MARK SCHEME", "no cell may have it"),
    "the same id twice": ("grade_id: order,", "grade_id: paginate,", "two cells have the grade_id paginate"),
    "an id that is none": ("grade_id: order,", "grade_id: the order,", "'the order'"),
    "a filter of metadata": ("  formats:", "  cell_metadata_filter: -all\n  formats:", "cell_metadata_filter"),
    "no language": ("  language: python\n", "", "language: python"),
    "a misspelt code cell": (OPEN, OPEN.replace("cell", "cel"), "swallowed a code cell"),
    "a fence left open": (PROSE, f"```python\nx = 1\n\n{PROSE}", "swallowed a code cell"),
    "a fence within a code cell": (CODE, f"x = '''\n```\n'''\n{CODE}", "swallowed a code cell"),
    "a code cell in a list": (PROSE, f"- so\n\n  {OPEN}  x = 1\n  ```\n\n{PROSE}", "swallowed a code cell"),
    "a header after a blank line": ("---\ntags: [param", "\n---\ntags: [param", "header among its code"),
    "a header that is no YAML": ("tags: [parameters, setup]", "tags: [parameters", "MyST"),
    "tags that are no list": (":tags: [setup]", ":tags: setup", "not of type 'array'"),
    "words after +++": (PROSE, f"+++ and so on\n\n{PROSE}", "MyST"),
    "an empty Markdown cell": ("Python has a function for it.\n", "", "nothing follows"),
    "a test without points": ("points: 1, ", "", "the cell paginate-check is a test without points"),
    "what nbgrader itself refuses": ("schema_version: 3", "schema_version: 4", "Schema version is too new: 4"),
    "a test of no exercise": ("grade_id: order-hidden", "grade_id: ordr-hidden", "ordr-hidden belongs to no exercise"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_quietly_become_something_else_is_refused_by_name(bare: Path, what: str) -> None:
    old, new, said = REFUSED[what]
    edit(bare, old, new)
    before = files(bare)
    with pytest.raises(lesson.LessonError, match=re.escape(said)):
        build.make(NAME, bare)
    assert files(bare) == before


def test_line_ends_of_windows_change_nothing(bare: Path) -> None:
    made = build.make(NAME, bare)
    path = bare / "source" / f"{NAME}.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert build.make(NAME, bare) == made


def test_blank_lines_around_a_cell_change_nothing(bare: Path) -> None:
    made = build.make(NAME, bare)
    edit(bare, "%%node --save", "\n\n\n%%node --save")
    edit(bare, "The same in JavaScript", "\n\nThe same in JavaScript")
    assert build.make(NAME, bare) == made


def test_what_looks_like_a_marker_of_myst_may_stand_in_a_code_block(bare: Path) -> None:
    block = "```diff\n+++ b/file\n--- a/file\n+++\n```"
    edit(bare, "The letters of", f"{block}\n\nThe letters of")
    assert any(block in cell.source for cell in build.make(NAME, bare)[1].cells)


# ---- a build that fails ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("raise OSError('no such luck')", "begins with .raise OSError.*failed: OSError: no such luck"),
        ("import os; os.kill(os.getpid(), 9)", "the kernel died in .* begins with 'import os"),
    ],
)
def test_an_experiment_that_fails_is_named_and_nothing_is_written(made: Path, statement: str, said: str) -> None:
    edit(made, "moments = [time", f"{statement}\nmoments = [time")
    before = files(made)
    with pytest.raises(lesson.LessonError, match=said):
        build.build(NAME, made)
    assert files(made) == before


def test_an_experiment_runs_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cell = nbformat.v4.new_code_cell("open('litter', 'w').write('x')\n__import__('os').getcwd()")
    done = build.execute(nbformat.v4.new_notebook(cells=[cell]), NAME)
    assert "backendlab-run-" in done.cells[0].outputs[0].data["text/plain"]
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_so_without_a_traceback(made: Path) -> None:
    edit(made, "The same in JavaScript", "Keep to the ### BEGIN SOLUTION line")
    status, printed = run(made, "build")
    assert status == 1
    assert printed.startswith(f"{NAME}.md: the Markdown cell")
    assert "Traceback" not in printed


def test_an_interrupted_build_leaves_the_old_files_and_no_kernel(made: Path, tmp_path: Path) -> None:
    sign = tmp_path / "kernel"
    wait = f"import os, pathlib\npathlib.Path({str(sign)!r}).write_text(str(os.getpid()))\ntime.sleep(600)"
    edit(made, "moments = [time", f"{wait}\nmoments = [time")
    before = files(made)
    with command(made, "build") as process:
        assert _until(lambda: sign.exists() and sign.read_text())
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert files(made) == before
    assert _until(lambda: not psutil.pid_exists(int(sign.read_text())))


def _until(holds: object, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_damaged_notebook_is_named(made: Path) -> None:
    (made / PAGE).write_text('<<<<<<< HEAD\n{"cells": []')
    with pytest.raises(lesson.LessonError, match=f"{NAME}.ipynb is not a notebook that can be read"):
        build.build(NAME, made)


# ---- without a network, and held against a fresh run ----------------------------------------------------------------


def test_a_lesson_is_made_without_a_network(made: Path) -> None:
    cut_off = ("bwrap", "--dev-bind", "/", "/", "--unshare-net")
    if shutil.which("bwrap") is None or subprocess.run([*cut_off, "true"], check=False).returncode:
        if "CI" in os.environ:
            pytest.fail("bubblewrap is missing: apt-get install bubblewrap")
        pytest.skip("needs bubblewrap: sudo apt-get install bubblewrap")
    measured = outputs(made)
    status, printed = run(made, "build", "--force", before=cut_off)
    assert status == 0, printed
    assert outputs(made) != measured


def test_nbval_compares_facts_and_only_runs_measurements(made: Path) -> None:
    _replace(made / PAGE, "five readings took", "5 readings took")
    wrong = made / "notebooks" / "wrong.ipynb"
    shutil.copy(made / PAGE, wrong)
    _replace(wrong, '"[] is what lies', '"[3] is what lies')
    words = ["--nbval", "-p", "no:cacheprovider", "--junit-xml", "report.xml", "-o", "addopts=", "notebooks"]
    environment = {**os.environ, "PYTHONPATH": str(made)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=made,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    code = sum(cell.cell_type == "code" for cell in cells(made).values())
    assert f"1 failed, {2 * code - 1} passed" in done.stdout, done.stdout
    assert re.findall(r"^FAILED (\S+?)::", done.stdout, flags=re.M) == ["notebooks/wrong.ipynb"]


def test_the_notebook_is_valid_and_its_figure_is_small(made: Path) -> None:
    nbformat.validate(json.loads((made / PAGE).read_text()))
    figures = [o for cell in outputs(made) for o in cell if "image/png" in o.get("data", {})]  # type: ignore[attr-defined]
    assert len(figures) == 1
    assert figures[0].data["text/plain"] == "<Figure>"
    assert (made / PAGE).stat().st_size < 100_000
