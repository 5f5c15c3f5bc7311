"""`backendlab grade` as an instructor uses it: the same scores as nbgrader's where nbgrader is right, and the rest of
nbgrader goes on from there.
"""

import contextlib
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client

from backendlab.course.grade.command import alone
from tests.course.cohort import (
    KEPT,
    RIGHT,
    Course,
    above,
    below,
    doubled,
    everything,
    kill,
    last_exercise_first,
    released,
    split,
    start,
    without,
)
from tests.course.conftest import NAME, edit, make_course, run
from tests.course.test_nbgrader_round import Text


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
    """The same submissions graded by `backendlab grade` and, in a copy of the course, by `nbgrader autograde`."""
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


# ---- nbgrader goes on from there ------------------------------------------------------------------------------------

LATE = """
from nbgrader.plugins import LateSubmissionPlugin


class OnePointAnHour(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late // 3600
"""


@pytest.fixture(scope="module")
def followed(pristine: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """Graded, with late penalties by a plug-in of the course's; then nbgrader's feedback and export."""
    course = pristine.copy(tmp_path_factory.mktemp("followed") / "course")
    (course.root / "late.py").write_text(LATE)
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("\nc.AssignLatePenalties.plugin_class = 'late.OnePointAnHour'\n")
    with course.gradebook() as book:
        book.update_or_create_assignment(NAME, duedate="2026-11-01 12:00:00 UTC")
    course.hand_in("ada", RIGHT, timestamp="2026-11-01 11:00:00 UTC")
    course.hand_in("ben", HONEST["half"][0], timestamp="2026-11-01 14:30:00 UTC")
    course.hand_in("cleo", {**RIGHT, **kept("paginate", "wrong-page-zero.py")}, timestamp="yesterday, I think")
    course.write("dan", "not JSON", timestamp="2026-11-01 14:30:00 UTC")
    status, printed = course.grade()
    assert status == 1, printed
    assert "cleo: timestamp.txt is not a time" in printed
    course.nbgrader("generate_feedback", NAME)
    course.nbgrader("export")
    return course


def test_penalties_for_lateness_are_the_courses_own(followed: Course) -> None:
    rows = followed.rows()
    assert [float(rows[who]["late_penalty"]) for who in ("ada", "ben", "cleo")] == [0, 2, 0]
    assert [float(rows[who]["score"]) for who in ("ada", "ben", "cleo")] == [9, 4, 6]


def test_export_has_the_same_scores(followed: Course) -> None:
    with (followed.root / "grades.csv").open(newline="") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {who: float(rows[who]["score"]) for who in rows} == {"ada": 9, "ben": 2, "cleo": 6, "dan": 0}
    assert float(rows["ben"]["late_submission_penalty"]) == 2


def feedback(course: Course, student: str) -> str:
    return (course.root / "feedback" / student / NAME / f"{NAME}.html").read_text()


def test_feedback_says_what_was_expected_and_what_came(followed: Course) -> None:
    words = {who: str(Text(feedback(followed, who))) for who in ("ada", "ben", "cleo")}
    assert words["ada"].count("✓ passed") == 6
    assert "(Score: 9.0 / 9.0)" in words["ada"]
    assert "(Score: 2.0 / 9.0)" in words["ben"]
    assert "✗ Failed (hidden test): 0 of 2 points order: two letters stand the wrong way round" in words["ben"]
    assert "✗ Not done yet (check): 0 of 1 points" in words["ben"]
    assert "paginate([1, 2, 3], page=2, size=2): expected [3], got []" in words["cleo"]


def test_feedback_has_no_hidden_test_unless_it_is_asked_for(followed: Course) -> None:
    for who in ("ada", "ben", "cleo", "dan"):
        text = feedback(followed, who)
        assert "in_the_alphabet" not in text
        assert "untouched_array" not in text
    assert "in_the_alphabet" not in (followed.root / "autograded/ben/90-mini/90-mini.ipynb").read_text()


def test_hidden_tests_are_shown_where_it_is_asked_for(cohort: Course) -> None:
    cohort.hand_in("ben", HONEST["half"][0])
    status, printed = cohort.grade("--show-hidden-tests")
    assert status == 0, printed
    assert "in_the_alphabet" in (cohort.root / "autograded/ben/90-mini/90-mini.ipynb").read_text()


# ---- what can't be graded, and what need not be ---------------------------------------------------------------------


def test_a_broken_submission_is_marked_and_its_old_score_is_not_kept(cohort: Course) -> None:
    for student in ("ada", "ben"):
        cohort.hand_in(student)
    assert cohort.grade()[0] == 0
    assert cohort.scores() == {"ada": ALL, "ben": ALL}

    cohort.write("ada", '{"cells": [')
    cohort.hand_in("cleo", HONEST["half"][0])
    status, printed = cohort.grade()
    assert status == 1
    assert "2 graded in" in printed
    assert "1 unchanged" in printed
    assert "ada: it is not a notebook: its JSON breaks off or is damaged" in printed
    assert cohort.scores() == {"ada": [None] * 6, "ben": ALL, "cleo": HONEST["half"][2]}
    assert all("Not graded: it is not a notebook" in (said or "") for said in cohort.comments("ada").values())
    rows = cohort.rows()
    assert {who: rows[who]["state"] for who in rows} == {"ada": "needs a person", "ben": "graded", "cleo": "graded"}
    assert float(rows["ada"]["score"]) == 0
    cohort.nbgrader("generate_feedback", NAME)
    words = str(Text(feedback(cohort, "ada")))
    assert "Not graded. This submission could not be graded: it is not a notebook" in words

    status, printed = cohort.grade()  # nothing has changed, and it is still to be seen
    assert status == 1, printed
    assert "ada: it is not a notebook" in printed

    cohort.hand_in("ada")
    status, printed = cohort.grade()
    assert status == 0, printed
    assert cohort.scores()["ada"] == ALL
    assert cohort.comments("ada") == dict.fromkeys(RIGHT)
    assert cohort.rows()["ada"]["state"] == "graded"


def graded(printed: str) -> tuple[int, int]:
    """How many were graded in a run, and how many were unchanged."""
    found = re.search(r"(\d+) graded in .*, (\d+) unchanged", printed)
    assert found, printed
    return int(found[1]), int(found[2])


def test_only_what_has_changed_is_graded_again(cohort: Course) -> None:
    for student in ("ada", "ben", "cleo"):
        cohort.hand_in(student)
    assert graded(cohort.grade()[1]) == (3, 0)
    before = everything(cohort)
    assert graded(cohort.grade()[1]) == (0, 3)
    assert everything(cohort) == before
    cohort.hand_in("ben", HONEST["half"][0])
    assert graded(cohort.grade("--students", "ada|cleo")[1]) == (0, 2)
    assert graded(cohort.grade()[1]) == (1, 2)
    assert cohort.scores() == {"ada": ALL, "ben": HONEST["half"][2], "cleo": ALL}
    cohort.hand_in("ben", HONEST["half"][0], below("order", "order = sorted(letters)"))  # a cell of one's own counts
    assert graded(cohort.grade()[1]) == (1, 2)
    assert cohort.scores()["ben"] == [1, 2, 1, 2, 0, 0]
    assert graded(cohort.grade("--force")[1]) == (3, 0)


def test_where_tests_have_changed_since_it_says_so(cohort: Course) -> None:
    cohort.hand_in("ada")
    assert cohort.grade()[0] == 0
    edit(cohort.root, "page=9, size=2), []", "page=8, size=2), []")
    assert run(cohort.root, "release", NAME, "--cohort", "a", "--seed", "3")[0] == 0
    status, printed = cohort.grade()
    assert status == 0
    assert graded(printed) == (0, 1)
    assert "1 unchanged submission(s) were graded with other tests; --force grades them anew." in printed
    assert graded(cohort.grade("--force")[1]) == (1, 0)
    assert "other tests" not in cohort.grade()[1]


# ---- what it is told wrongly ----------------------------------------------------------------------------------------

NO_SANDBOX = """
import sys
from backendlab.course import sandbox
sandbox.why_not = lambda: "this machine is a toaster"
from backendlab import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def one_sentence(printed: str) -> str:
    assert "Traceback" not in printed
    assert len(printed.splitlines()) <= 2, printed
    return printed


def test_what_is_asked_wrongly_is_said_in_one_sentence(cohort: Course) -> None:
    status, printed = cohort.grade()
    assert (status, "There is no submission of 90-mini in" in one_sentence(printed)) == (1, True), printed
    cohort.hand_in("ada")
    for words, said in {
        ("--students", "a["): "--students 'a[' is not a regular expression",
        ("--students", "z.*"): "There is no submission of 90-mini of students that match 'z.*'",
        ("--workers", "0"): "--workers wants at least 1",
        ("--scheduler", "tcp://127.0.0.1:9"): "There is no dask scheduler at tcp://127.0.0.1:9",
        ("--csv", "/proc/scores.csv"): "The scores can't be written to /proc/scores.csv",
    }.items():
        status, printed = cohort.grade(*words)
        assert status == 1, printed
        assert said in printed
        if words[0] != "--csv":
            one_sentence(printed)
        assert "Traceback" not in printed
    status, printed = run(cohort.root, "grade", "91")
    assert status == 1
    assert "There is no lesson called '91'" in one_sentence(printed)


def test_a_lesson_that_was_not_released_is_not_graded(tmp_path: Path) -> None:
    root = make_course(tmp_path / "course")
    status, printed = run(root, "grade", NAME)
    assert status == 1
    assert "90-mini has not been released from here" in one_sentence(printed)


def test_two_gradings_at_once_are_not_begun(cohort: Course) -> None:
    cohort.hand_in("ada")
    with alone(cohort.root / ".backendlab"):
        status, printed = cohort.grade()
    assert status == 1
    assert f"Another `backendlab grade` is at work here (process {os.getpid()})" in one_sentence(printed)


def test_without_a_sandbox_nothing_is_graded_unless_asked_for(cohort: Course) -> None:
    cohort.hand_in("ada")
    words = [sys.executable, "-c", NO_SANDBOX, "grade", NAME]
    environment = {**os.environ, "PYTHONPATH": str(cohort.root)}
    done = subprocess.run(words, cwd=cohort.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Nothing was graded: this machine is a toaster" in one_sentence(done.stderr)
    assert cohort.scores() == {}
    words += ["--unsafe"]
    done = subprocess.run(words, cwd=cohort.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cohort.scores() == {"ada": ALL}


def test_a_folder_that_is_no_name_is_left_alone(cohort: Course) -> None:
    cohort.hand_in("ada")
    for name in ("<img src=x onerror=alert(1)>", "line\nbreak", "\udcff"):
        shutil.copytree(cohort.folder("ada"), cohort.root / "submitted" / name / NAME)
    status, printed = cohort.grade()
    assert status == 1
    assert "3 folder(s) can't be a student's name, and were left alone" in printed
    assert cohort.scores() == {"ada": ALL}


# ---- interrupted, killed, spread ------------------------------------------------------------------------------------

SLOW = {**RIGHT, "order": "import time\ntime.sleep(0.5)\norder = sorted(letters)"}


def test_an_interrupt_lets_what_is_being_graded_end(cohort: Course) -> None:
    for number in range(7):
        cohort.hand_in(f"s{number:02}", SLOW)
    process = start(cohort, "--workers", "1")
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "1 of 7 graded" in line:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to all of its processes
            break
    printed = "".join([*lines, process.communicate(timeout=120)[0]])
    assert process.returncode == 130, printed
    waiting = re.search(r"Interrupted: (\d+) submission\(s\) are not graded yet", printed)
    assert waiting, printed
    left = int(waiting[1])
    assert 1 <= left < 7
    assert len(cohort.scores()) == 7 - left
    status, printed = cohort.grade()
    assert status == 0, printed
    assert graded(printed) == (left, 7 - left)
    assert cohort.scores() == {f"s{number:02}": ALL for number in range(7)}


def test_scores_of_a_regrade_that_was_interrupted_are_not_taken_for_new(cohort: Course) -> None:
    cohort.hand_in("ada")
    assert cohort.grade()[0] == 0
    cohort.hand_in("ada", SLOW)
    cohort.hand_in("ben", SLOW)
    process = start(cohort)
    while not (cohort.root / ".backendlab" / "workers").exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    rows = cohort.rows()
    done = {who for who in rows if rows[who]["state"] == "graded"}
    assert rows["ada"]["state"] in ("graded", "waits to be graded")
    assert f"Interrupted: {2 - len(done)} submission(s) are not graded yet" in printed
    assert cohort.grade()[0] == 0
    assert {row["state"] for row in cohort.rows().values()} == {"graded"}


def test_a_grading_killed_three_times_ends_as_an_undisturbed_one(cohort: Course, tmp_path: Path) -> None:
    kinds = ["right", "half", "untouched", "wrong in one way", "helpers in cells of their own"]
    for number in range(15):
        answers, change, _ = HONEST[kinds[number % len(kinds)]]
        cohort.hand_in(f"s{number:02}", answers, change)
    cohort.write("broken", "{")
    calm = cohort.copy(tmp_path / "calm")
    assert calm.grade()[0] == 1
    moments = random.Random(7)
    for _ in range(3):
        process = start(cohort)
        time.sleep(moments.uniform(2.5, 7.0))
        kill(process)
    status, printed = cohort.grade()
    assert status == 1, printed
    assert everything(cohort) == everything(calm)


@contextlib.contextmanager
def machines(folder: Path, root: Path, count: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A dask scheduler and workers, each a process of its own as on machines of their own; the scheduler's address."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    about = folder / "scheduler.json"
    begin = [sys.executable, "-m"]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", "--scheduler-file", str(about), "--nthreads", "1", "--no-nanny"]
    worker += ["--no-dashboard", "--local-directory", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, "env": environment}
    processes = [subprocess.Popen([*begin, *scheduler, "--scheduler-file", str(about)], **quiet)]
    try:
        processes += [subprocess.Popen([*begin, *worker], **quiet) for _ in range(count)]
        end = time.monotonic() + 60
        while not about.exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        address = json.loads(about.read_text())["address"]
        with Client(address) as client:
            if count:
                client.wait_for_workers(count, timeout=60)
        yield address, processes[1:]
    finally:
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def test_a_machine_that_is_lost_costs_no_submission(cohort: Course, tmp_path: Path) -> None:
    for number in range(16):
        cohort.hand_in(f"s{number:02}", SLOW if number % 2 else RIGHT)
    with machines(tmp_path, cohort.root, 2) as (address, workers):
        process = start(cohort, "--scheduler", address)
        assert process.stdout
        for line in process.stdout:
            if "1 of 16 graded" in line:
                workers[0].kill()
                break
        printed, _ = process.communicate(timeout=120)
        assert process.returncode == 0, printed
        assert graded(printed) == (16, 0)
        assert cohort.scores() == {f"s{number:02}": ALL for number in range(16)}
        with Client(address) as client:
            names = client.run(lambda dask_worker: [n for n in dask_worker.plugins if "backendlab" in n])
        assert list(names.values()) == [[]]


def test_a_scheduler_without_workers_or_with_another_course_is_told(cohort: Course, tmp_path: Path) -> None:
    cohort.hand_in("ada")
    with machines(tmp_path, cohort.root, 0) as (address, _):
        status, printed = cohort.grade("--scheduler", address)
    assert status == 1
    assert "has no worker" in one_sentence(printed)
    other = cohort.copy(tmp_path / "other")
    (other.root / "backendlab" / "course" / "more.py").write_text("")
    with machines(tmp_path, other.root, 1) as (address, _):
        status, printed = cohort.grade("--scheduler", address)
    assert status == 1
    assert "has another version of this course" in one_sentence(printed)
    assert cohort.scores() == {}
