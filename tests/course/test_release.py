"""`backendlab release`: a cohort's own release, proved before it is written."""

import sqlite3

from backendlab.course import lesson

RELEASED = "release/90-mini/90-mini.ipynb"


def test_a_release_carries_its_cohorts_parameters_and_no_answer(clone):
    said = clone.run("release", "90", "--cohort", "autumn", "--seed", "7", "--effort", "full")
    assert said.returncode == 0, said.stdout + said.stderr
    notebook = lesson.open_notebook(clone.folder / RELEASED)
    injected = next(cell for cell in notebook.cells if "injected-parameters" in lesson.tags(cell))
    assert injected.source.splitlines()[1:] == ['COHORT = "autumn"', "SEED = 7", 'EFFORT = "full"']
    assert injected.metadata.nbgrader.locked
    assert not injected.metadata.editable
    text = (clone.folder / RELEASED).read_text()
    assert "sorted(letters)" not in text
    assert "in_the_alphabet" not in text
    assert str(clone.folder) not in text


def test_made_again_it_is_the_same_bytes(clone):
    words = ("release", "90", "--cohort", "autumn", "--seed", "7")
    clone.run(*words)
    first = (clone.folder / RELEASED).read_bytes()
    clone.run(*words)
    assert (clone.folder / RELEASED).read_bytes() == first


def test_nbgraders_gradebook_knows_it(clone):
    clone.run("release", "90", "--cohort", "autumn", "--seed", "7")
    with sqlite3.connect(clone.folder / "gradebook.db") as gradebook:
        assert gradebook.execute("select name from assignment").fetchall() == [("90-mini",)]


def test_another_seed_wants_another_answer(clone):
    """The answer that seed 1 wants fails under seed 7, in the notebook that a student of that cohort has."""
    clone.run("release", "90", "--cohort", "autumn", "--seed", "7")
    notebook = lesson.open_notebook(clone.folder / RELEASED)
    for cell in notebook.cells:
        if cell["id"] == "order":
            cell.source = "import random\norder = sorted(random.Random(1).sample('abcdefgh', 5))"
    lesson.write(notebook, clone.folder / "90-mini.ipynb")
    assert "✗  order: 1 of 3" in clone.run("check", "90-mini.ipynb", "order").stdout


def test_nothing_is_written_when_a_solution_fails_with_these_parameters(clone):
    source = clone.folder / "source" / "90-mini.md"
    source.write_text(
        source.read_text().replace("order = sorted(letters)", "order = sorted(letters) if SEED < 7 else []")
    )
    before = (clone.folder / RELEASED).read_bytes()
    said = clone.run("release", "90", "--cohort", "autumn", "--seed", "7")
    assert said.returncode == 1
    assert "order: solution: must pass" in said.stderr
    assert "Traceback" not in said.stderr
    assert (clone.folder / RELEASED).read_bytes() == before
    assert not (clone.folder / "gradebook.db").exists()
    assert clone.git("status", "--porcelain") == " M source/90-mini.md\n"
