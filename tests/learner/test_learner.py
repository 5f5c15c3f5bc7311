"""A learner on their own: check, hint, progress, update."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from nbformat import v4

from backendlab.course import lesson
from backendlab.course.judge import Outcome
from backendlab.learner.check import report
from backendlab.parts import ROOT

COURSE = ROOT / "tests" / "course"
PAGINATE = "def paginate(items, page, size):\n"
SLICE = "    return items[(page - 1) * size : page * size]\n"
GUARD = "    if page < 1:\n        raise ValueError('pages are counted from 1')\n"


def solutions() -> dict[str, str]:
    text = (COURSE / "lessons" / "90-mini.md").read_text()
    assert "order = sorted(letters)" in text
    return {
        "paginate": PAGINATE + GUARD + SLICE,
        "order": "order = sorted(letters)",
        "double-all": "%%node --save double-all.mjs\nexport const doubleAll = (all) => all.map((one) => 2 * one);\n",
    }


def test_an_untouched_notebook_is_not_done_and_not_wrong(clone):
    before = clone.notebook.read_bytes()
    said = clone.run("check", "90")
    assert said.returncode == 1
    assert [line[0] for line in said.stdout.splitlines()[:3]] == ["○", "○", "○"], said.stdout
    assert "backendlab hint 90-mini paginate" in said.stdout
    assert clone.notebook.read_bytes() == before


def test_a_wrong_answer_is_told_what_was_expected_and_what_came(clone):
    clone.answer("paginate", PAGINATE + SLICE)
    said = clone.run("check", "90", "paginate").stdout
    assert "✗  paginate: 1 of 3" in said
    assert "check: passed" in said
    assert "hidden test: paginate([1, 2, 3], page=-4, size=2): expected ValueError, but it returned []" in said


def test_of_several_hidden_tests_each_says_which_it_is():
    said = [("five-check", "passed"), ("five-hidden-orders", "passed"), ("five-hidden-account", "failed")]
    outcomes = [Outcome(test, 1, result, "no CORS" if result == "failed" else "") for test, result in said]
    lines = report("90-mini", SimpleNamespace(id="five"), outcomes).splitlines()
    assert [line.strip() for line in lines[1:]] == [
        "check: passed",
        "hidden test (orders): passed",
        "hidden test (account): no CORS",
    ]


def test_a_misspelt_name_is_a_mistake_and_says_which_name_is_missing(clone):
    clone.answer("paginate", PAGINATE.replace("paginate", "pageinate") + SLICE)
    said = clone.run("check", "90", "paginate").stdout
    assert "✗  paginate: 0 of 3" in said
    assert "`paginate` is not defined" in said


def test_a_hidden_value_is_not_given_away(clone):
    clone.answer("order", "order = letters")
    said = clone.run("check", "90", "order").stdout
    assert "two letters stand the wrong way round" in said
    assert not any(f"'{letter}'" in said for letter in "abcdefgh"), said


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (PAGINATE + "return items", "IndentationError"),
        ("import os\nos._exit(0)", "ended the process"),
        (PAGINATE + "    return {1, 2}", "not plain data"),
        (PAGINATE + "    1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_answer_is_one_clear_line_and_the_others_count(clone, answer, words):
    for exercise, text in solutions().items():
        clone.answer(exercise, text)
    clone.answer("paginate", answer)
    said = clone.run("check", "90").stdout
    assert words in said
    assert "✓  order" in said
    assert "✓  double-all" in said


def test_all_right(clone):
    for exercise, text in solutions().items():
        clone.answer(exercise, text)
    said = clone.run("check", "90")
    assert said.returncode == 0, said.stdout
    assert said.stdout.endswith("9 of 9 points\n")
    shown = clone.run("progress").stdout
    assert "3 of 3" in shown
    assert "all done" in shown


def test_progress_is_outside_gits_sight_and_outlives_the_notebook(clone):
    clone.answer("order", "order = sorted(letters)")
    clone.run("check", "90")
    clone.git("checkout", "--", "notebooks")
    shown = clone.run("progress").stdout
    assert "1 of 3" in shown
    assert "next: paginate" in shown
    assert (clone.folder / ".backendlab" / "progress.png").read_bytes().startswith(b"\x89PNG")
    assert clone.git("status", "--porcelain") == ""


def test_an_unreadable_record_is_set_aside(clone):
    record = clone.folder / ".backendlab" / "progress.json"
    record.parent.mkdir()
    record.write_text("{half")
    assert clone.run("progress").returncode == 0
    assert record.with_suffix(".json.unreadable").read_text() == "{half"


@pytest.mark.parametrize("content", [b"", b"not a notebook", b"\xff\xfe\x00", b'{"cells": 3}'])
def test_what_is_not_a_notebook_is_said_in_a_sentence(clone, content):
    clone.notebook.write_bytes(content)
    said = clone.run("check", "90")
    assert said.returncode == 1
    assert "is not a notebook that can be read" in said.stderr
    assert "Traceback" not in said.stderr


def test_unknown_names_list_the_known_ones(clone):
    assert "There are: 90-mini" in clone.run("check", "77").stderr
    assert "There are: paginate, order, double-all" in clone.run("hint", "90", "pagination").stderr


def test_hints_come_on_request(clone):
    assert "Which index does page 1 begin at?" in clone.run("hint", "90", "paginate").stdout
    assert "Which index" not in clone.run("hint", "90").stdout


def test_an_update_keeps_the_answers_and_says_so(newer):
    clone = newer(lambda text: text.replace("90.2 Your turn", "90.2 Now you"))
    clone.answer("paginate", PAGINATE + SLICE)
    said = clone.run("update")
    assert said.returncode == 0, said.stderr
    assert "your answers are in the new one: paginate" in said.stdout
    assert clone.answer_of("paginate") == PAGINATE + SLICE
    assert "Now you" in clone.notebook.read_text()


def test_an_answer_whose_exercise_is_gone_is_kept_aside(newer):
    clone = newer(lambda text: text.replace("grade_id: order", "grade_id: sequence"))
    clone.answer("order", "order = 'mine'")
    said = clone.run("update").stdout
    assert "no longer in the lesson, so only in that copy: order" in said
    kept = next((clone.folder / ".backendlab" / "kept").glob("*.ipynb"))
    assert "order = 'mine'" in json.dumps(json.loads(kept.read_text()))


def test_an_update_that_fails_leaves_the_notebooks_as_they_were(clone):
    clone.answer("order", "order = 'mine'")
    before = clone.notebook.read_bytes()
    clone.git("remote", "set-url", "origin", str(clone.folder / "nowhere"))
    said = clone.run("update")
    assert said.returncode == 1
    assert "your notebooks are as they were" in said.stderr
    assert clone.notebook.read_bytes() == before


def test_an_update_refuses_to_overwrite_changes_of_the_course_itself(clone):
    (clone.folder / "nbgrader_config.py").write_text("# mine\n")
    said = clone.run("update")
    assert said.returncode == 1
    assert "nbgrader_config.py" in said.stderr
    assert (clone.folder / "nbgrader_config.py").read_text() == "# mine\n"


def test_a_build_does_not_overwrite_answers_unasked(clone):
    clone.answer("order", "order = 'mine'")
    before = clone.notebook.read_bytes()
    said = clone.run("build", "90")
    assert said.returncode == 1
    assert "holds answers, so nothing was written" in said.stderr
    assert clone.notebook.read_bytes() == before
    forced = clone.run("build", "90", "--force")
    assert forced.returncode == 0, forced.stderr
    kept = next((clone.folder / ".backendlab" / "answers").glob("*.json"))
    assert json.loads(kept.read_text()) == {"order": "order = 'mine'"}


def test_a_cell_split_in_jupyterlab_still_counts_as_one_answer(clone):
    notebook = lesson.open_notebook(clone.notebook)
    cell = next(cell for cell in notebook.cells if cell["id"] == "paginate")
    cell.source = PAGINATE + GUARD
    rest = cell.copy()
    rest["id"], rest["source"] = "split", SLICE
    notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    lesson.write(notebook, clone.notebook)
    assert "✓  paginate: 3 of 3" in clone.run("check", "90", "paginate").stdout


def test_cells_of_a_learners_own_come_along_where_an_answer_needs_them(clone):
    notebook = lesson.open_notebook(clone.notebook)
    place = next(at for at, cell in enumerate(notebook.cells) if cell["id"] == "paginate")
    notebook.cells[place].source = PAGINATE + GUARD + "    return window(items, (page - 1) * size, size)\n"
    helper = "def window(items, begin, size):\n    return items[begin:][:size]\n"
    notebook.cells.insert(place, v4.new_code_cell("while True:\n    pass"))  # a trial that nobody needs is not run
    notebook.cells.insert(place, v4.new_code_cell(helper))
    lesson.write(notebook, clone.notebook)
    assert "✓  paginate: 3 of 3" in clone.run("check", "90", "paginate").stdout


NO_SANDBOX = """
import sys
from backendlab.course import sandbox
sandbox.why_not = lambda: "this machine is a toaster"
from backendlab import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def test_where_there_is_no_sandbox_ones_own_answers_are_checked_all_the_same(clone):
    for exercise, text in solutions().items():
        clone.answer(exercise, text)
    environment = {**os.environ, "PYTHONPATH": str(clone.folder)}
    words = [sys.executable, "-c", NO_SANDBOX, "check", "90"]
    said = subprocess.run(words, cwd=clone.folder, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "9 of 9 points" in said.stdout
