"""`backendlab grade` as an instructor uses it: the same scores as nbgrader's where nbgrader is right, and the rest of
nbgrader goes on from there.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.course.cohort import (
    KEPT,
    RIGHT,
    Course,
    above,
    below,
    doubled,
    last_exercise_first,
    released,
    split,
    without,
)


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    _, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=15)
    assert alive == []


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course(released(tmp_path_factory.mktemp("graded") / "course"))


@pytest.fixture
def cohort(pristine: Course, tmp_path: Path) -> Course:
    """A released course in which nobody has handed in yet."""
    return pristine.copy(tmp_path / "course")


def kept(exercise: str, name: str) -> dict[str, str]:
    magic = "%%node --save double-all.mjs\n" if exercise == "double-all" else ""
    return {exercise: magic + (KEPT / exercise / name).read_text()}


# ---- the same scores as nbgrader's ----------------------------------------------------------------------------------

HELPERS = {
    **RIGHT,
    "paginate": "def paginate(items, page, size):\n    return window(items, first(page, size), size)\n",
    "order": "order = list(by_letter(letters))",
    "double-all": "%%node --save double-all.mjs\nimport { twice } from './twice.mjs';\n"
    "export const doubleAll = (numbers) => numbers.map(twice);\n",
}
WINDOW = "import math\ndef window(items, begin, size):\n    return items[math.floor(begin):][:size]\n"
FIRST = "def first(page, size):\n    if page < 1:\n        raise ValueError(page)\n    return (page - 1) * size\n"


def with_helpers(notebook: dict) -> None:
    above("paginate", WINDOW, "print(paginate([1], 1, 1))", FIRST)(notebook)
    above("order", "def by_letter(letters):\n    return sorted(letters)\n")(notebook)
    above("double-all", "%%node --save twice.mjs\nexport const twice = (number) => 2 * number;\n")(notebook)


ALL, NONE = [1, 2] * 3, [0, 0] * 3
HONEST = {  # what a student hands in, and the scores, test by test, that both graders give
    "right": (RIGHT, None, ALL),
    "written differently": (
        {**RIGHT, **kept("order", "right-by-code.py"), "paginate": RIGHT["paginate"].replace("page <= 0", "page < 1")},
        None,
        ALL,
    ),
    "half": ({"paginate": RIGHT["paginate"], **kept("order", "wrong-as-drawn.py")}, None, [1, 2, 1, 0, 0, 0]),
    "untouched": ({}, None, NONE),
    "wrong in one way": (
        {
            **kept("paginate", "wrong-no-guard.py"),
            **kept("order", "wrong-backwards.py"),
            **kept("double-all", "wrong-in-place.mjs"),
        },
        None,
        [1, 0, 1, 0, 1, 0],
    ),
    "wrong in another": (
        {
            **kept("paginate", "wrong-page-zero.py"),
            "order": "order = letters[:2]",
            **kept("double-all", "wrong-square.mjs"),
        },
        None,
        NONE,
    ),
    "errors": (
        {
            "paginate": "def paginate(items, page, size):\n    return items[\n",
            "order": "order = sorted(leters)",
            "double-all": "%%node --save double-all.mjs\nexport const doubleAll = 1 / ;\n",
        },
        None,
        NONE,
    ),
    "other types": (
        {
            "paginate": "def paginate(items, page, size):\n    return tuple(items[(page - 1) * size :][:size])\n",
            "order": "order = ''.join(sorted(letters))",
            "double-all": "%%node --save double-all.mjs\nexport const doubleAll = (all) => all.map((n) => `${2 * n}`);",
        },
        None,
        [1, 0, 1, 0, 0, 0],
    ),
    "comments only": (
        {"paginate": "# I ran out of time", "order": "", "double-all": "%%node --save double-all.mjs\n// later\n"},
        None,
        NONE,
    ),
    "another order": (RIGHT, last_exercise_first, ALL),
    "a cell missing": (RIGHT, without("order"), [1, 2, 0, 0, 1, 2]),
    "helpers in cells of their own": (HELPERS, with_helpers, ALL),
    "trials in cells of their own": (
        RIGHT,
        below("double-all-hidden", "print(paginate('abc', 2, 2))", "1 / 0", "import time; time.sleep(0.1)"),
        ALL,
    ),
    "an earlier answer used again": (
        {**RIGHT, "order": "order = paginate(sorted(letters), 1, len(letters))"},
        None,
        ALL,
    ),
    "written below the cell meant for it": (
        {key: RIGHT[key] for key in ("order", "double-all")},
        below("paginate", RIGHT["paginate"], "paginate('abc', 1, 1)"),
        ALL,
    ),
    "written above the cell meant for it": (
        {key: RIGHT[key] for key in ("order", "double-all")},
        above("paginate", RIGHT["paginate"]),
        [0, 0, 1, 2, 1, 2],  # the stub below it has the last word
    ),
}

WARNS = "import warnings\n\ndef paginate(items, page, size):\n    warnings.warn(f'page {page}')\n" + (
    "    if page < 1:\n        raise ValueError(page)\n    return items[(page - 1) * size :][:size]\n"
)
ABORTED = None  # nbgrader's run ends there: this student, and those after it, have no score
DIFFERENT = {  # what a student hands in; our scores; nbgrader's
    "a warning on stderr": ({**RIGHT, "paginate": WARNS}, None, ALL, [0, 0, 1, 2, 1, 2]),
    "an answer below its tests": (
        {**RIGHT},
        lambda notebook: notebook["cells"].append(
            notebook["cells"].pop(next(at for at, cell in enumerate(notebook["cells"]) if cell["id"] == "order"))
        ),
        ALL,
        [1, 2, 0, 0, 1, 2],
    ),
    "a test missing": (RIGHT, without("order-check", "paginate-hidden"), ALL, [1, None, None, 2, 1, 2]),
    "a cell split in two": (RIGHT, split("paginate", 5), ALL, ABORTED),
    "a cell doubled": (RIGHT, doubled("paginate"), ALL, ABORTED),
}


@pytest.fixture(scope="module")
def graded_twice(pristine: Course, tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Course]:
    """The same submissions, graded by `backendlab grade` and in a second copy of the course by `nbgrader autograde`."""
    folder = tmp_path_factory.mktemp("twice")
    ours, theirs = pristine.copy(folder / "ours"), pristine.copy(folder / "theirs")
    for what, (answers, change, *_) in {**HONEST, **DIFFERENT}.items():
        ours.hand_in(what, answers, change)
        if DIFFERENT.get(what, (0,))[-1] is not ABORTED:
            theirs.hand_in(what, answers, change)
    status, printed = ours.grade()
    assert status == 0, printed
    theirs.nbgrader("autograde", "90-mini")
    return ours, theirs


@pytest.mark.parametrize("what", HONEST)
def test_an_honest_submission_has_the_score_that_nbgrader_gives(graded_twice: tuple[Course, Course], what: str) -> None:
    ours, theirs = graded_twice
    assert ours.scores()[what] == HONEST[what][2], ours.said(what)
    assert theirs.scores()[what] == HONEST[what][2]


@pytest.mark.parametrize("what", DIFFERENT)
def test_where_nbgrader_costs_an_honest_student_points_or_stops(
    graded_twice: tuple[Course, Course], what: str, cohort: Course
) -> None:
    ours, theirs = graded_twice
    answers, change, expected, nbgraders = DIFFERENT[what]
    assert ours.scores()[what] == expected, ours.said(what)
    if nbgraders is not ABORTED:
        assert theirs.scores()[what] == nbgraders
        return
    cohort.hand_in("ada", answers, change)
    with pytest.raises(AssertionError, match="exists multiple times"):
        cohort.nbgrader("autograde", "90-mini")


def test_cells_of_a_students_own_are_shown_where_they_stood(graded_twice: tuple[Course, Course]) -> None:
    import json

    path = graded_twice[0].root / "autograded" / "helpers in cells of their own" / "90-mini" / "90-mini.ipynb"
    cells = json.loads(path.read_text())["cells"]
    names = [cell["id"] for cell in cells]
    place = names.index("paginate")
    assert ["".join(cell["source"]) for cell in cells[place - 3 : place]] == [
        WINDOW.strip(),
        "print(paginate([1], 1, 1))",
        FIRST.strip(),
    ]


def test_no_response_is_said_only_where_there_is_none(graded_twice: tuple[Course, Course]) -> None:
    ours = graded_twice[0]
    assert ours.comments("untouched") == dict.fromkeys(RIGHT, "No response.")
    assert ours.comments("half")["double-all"] == "No response."
    assert set(ours.comments("right").values()) == {None}
    assert ours.comments("written below the cell meant for it")["paginate"] is None
    assert ours.comments("written above the cell meant for it")["paginate"] == "No response."
