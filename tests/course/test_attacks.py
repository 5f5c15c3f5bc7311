"""Submissions that are after points, others' answers or the machine, graded among honest ones: nothing comes of it.

What they are stands in `attacks.py`; docs/attacks.md is the same as a table. They are graded in two runs, one with
limits so short that it may be waited for; each attack is then a test of its own.
"""

import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import psutil
import pytest
from nbgrader.api import Gradebook

from backendlab.course import lesson, sandbox
from backendlab.course.judge import ForkServer, setup_of
from backendlab.parts import ROOT
from backendlab.trouble import Trouble
from tests.course import attacks
from tests.course.attacks import EVERY, LOOKS, NAME, NAMES, RIGHT, RIGHT_JS, Attack
from tests.course.conftest import make_course, run

pytestmark = pytest.mark.skipif(bool(sandbox.why_not()), reason="there is no sandbox here")

HONEST = ("ann", "mia", "zoe")  # before, among and after the others
MARK = f"{os.getpid()}"
LIMITS = {False: ("--timeout", "60"), True: ("--timeout", "8", "--memory", "512")}
OUTCOMES = ["paginate-check", "paginate-hidden", "order-check", "order-hidden", "double-all-check", "double-all-hidden"]


class Graded:
    """A course with attacks in it, graded once; what was there before and after, and what was told."""

    def __init__(self, course: Path, folder: Path, canary: Path, port: int, students: dict[str, Attack], *, slow: bool):
        self.course, self.students, self.canary = course, students, canary
        self.home, self.tmp = folder / "home", folder / "tmp"
        self.words = {"@COURSE@": str(course), "@HOME@": str(self.home), "@CANARY@": str(canary)}
        self.words |= {"@PORT@": str(port), "@MARK@": MARK}
        for made in (self.home, self.tmp):
            made.mkdir()
        (self.home / "canary").write_text("sings")
        self.released = json.loads((course / "release" / NAME / f"{NAME}.ipynb").read_text())
        for student in HONEST:
            self.hand_in(student, {"paginate": RIGHT} if slow else {"paginate": RIGHT, "double-all": RIGHT_JS})
        if not slow:
            for student in (*attacks.NO_NAMES, *attacks.HIDDEN):
                self.hand_in(student, {"paginate": RIGHT})
        for student, attack in students.items():
            self.hand_in(student, {attack.exercise: attack.answer} if attack.answer else {}, attack)
        self.before = self.state()
        words = [sys.executable, "-m", "backendlab.cli", "grade", NAME, "--workers", "2", *LIMITS[slow]]
        self.environment = {**os.environ, "PYTHONPATH": str(course), "HOME": str(self.home), "TMPDIR": str(self.tmp)}
        self.environment["GRADERS_SECRET"] = "secret-of-the-grader"
        done = subprocess.run(words, cwd=course, env=self.environment, capture_output=True, check=False, timeout=600)
        self.status, self.printed = done.returncode, (done.stdout + done.stderr).decode(errors="surrogateescape")
        assert "Scores: " in self.printed, self.printed[-6000:]
        self.after = self.state()
        self.left = [path.name for path in self.tmp.iterdir()]
        ours = [process for process in psutil.process_iter() if self.is_ours(process)]
        _, self.processes = psutil.wait_procs(ours, timeout=10)  # a killed process takes its time where many run

    def hand_in(self, student: str, answers: dict[str, str], attack: Attack | None = None) -> None:
        """Write a submission with the stub's place taken by answers; cells without an answer are left out."""
        notebook = json.loads(json.dumps(self.released))
        for cell in notebook["cells"]:
            mark = cell["metadata"].get("nbgrader", {})
            if mark.get("solution") and not (attack and not attack.answer):
                cell["source"] = self.filled(answers.get(mark["grade_id"], ""))
        kept = [cell for cell in notebook["cells"] if cell["source"]]  # so that nothing is run for nothing
        notebook["cells"] = kept
        folder = self.course / "submitted" / student / NAME
        folder.mkdir(parents=True)
        content = attack.notebook(notebook) if attack and attack.notebook else None
        (folder / f"{NAME}.ipynb").write_bytes(content if content is not None else json.dumps(notebook).encode())
        if attack and attack.folder:
            attack.folder(folder)

    def filled(self, text: str) -> str:
        for name, value in self.words.items():
            text = text.replace(name, value)
        return text

    def state(self) -> dict[str, str]:
        """Of all that no submission may change: each path, and what it is."""
        there = [*self.home.glob("[!.]*"), self.canary]
        for part in ("source", "submitted", "release", "backendlab"):
            there += [path for path in (self.course / part).rglob("*") if "__pycache__" not in path.parts]
        return {os.fsdecode(path): what_is(path) for path in there if path.name != "__pycache__"}

    def is_ours(self, process: psutil.Process) -> bool:
        """Was it started by the grading, and is it still there?"""
        try:
            marked = any(f"600.0{MARK}" in word or f"outlives {MARK}" in word for word in process.cmdline())
            return marked or process.environ().get("TMPDIR") == str(self.tmp)
        except psutil.Error:
            return False

    def rows(self) -> dict[str, dict[str, str]]:
        with (self.course / "autograded" / f"{NAME}.csv").open(newline="", encoding="utf-8") as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    def gradebook(self) -> dict[str, tuple[float, bool, float]]:
        """Score, whether a person must look, and how much there was to get, by student."""
        with Gradebook(f"sqlite:///{self.course / 'gradebook.db'}", "backend-interview") as book:
            return {
                one.student_id: (one.score, one.needs_manual_grade, one.max_score)
                for one in book.assignment_submissions(NAME)
            }

    def comments(self, student: str) -> list[str]:
        with Gradebook(f"sqlite:///{self.course / 'gradebook.db'}", "backend-interview") as book:
            return [str(c.auto_comment) for c in book.find_submission_notebook(NAME, NAME, student).comments]

    def feedback(self, student: str) -> str:
        """All that is said of a submission in its graded notebook."""
        notebook = nbformat.read(self.course / "autograded" / student / NAME / f"{NAME}.ipynb", as_version=4)
        said = [cell.source for cell in notebook.cells if cell.id == "about-the-grading"]
        for cell in notebook.cells:
            for one in cell.get("outputs", []):
                said += one.get("traceback", []) or [one.get("text", "")]
        return "\n".join(said)


def what_is(path: Path) -> str:
    about = path.lstat()
    if stat.S_ISREG(about.st_mode):
        return f"{about.st_mode:o} {about.st_size} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return f"{about.st_mode:o} {path.readlink() if path.is_symlink() else ''}"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course that is released, to be copied."""
    root = make_course(tmp_path_factory.mktemp("released") / "course")
    status, printed = run(root, "release", NAME, "--cohort", "autumn", "--seed", "7")
    assert status == 0, printed
    return root


def copied(released: Path, folder: Path) -> Path:
    return Path(shutil.copytree(released, folder / "course", symlinks=True))


@pytest.fixture(scope="module")
def canary() -> Iterator[tuple[Path, int]]:
    """A file in /tmp, and a port of the machine's own loopback (and an abstract socket) that is listened to."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        port = server.getsockname()[1]
        abstract.bind(f"\0backendlab-canary-{port}")
        abstract.listen()
        descriptor, name = tempfile.mkstemp(prefix="canary-", dir="/tmp")
        os.write(descriptor, b"sings")
        os.close(descriptor)
        yield Path(name), port
        Path(name).unlink()
        server.settimeout(0.0)
        with pytest.raises(BlockingIOError):  # nobody came
            server.accept()


def named(names: dict[str, str]) -> dict[str, Attack]:
    return {name: Attack(name, what, RIGHT, score=3.0) for name, what in names.items()}


@pytest.fixture(scope="module")
def quick(released: Path, canary: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Graded:
    folder = tmp_path_factory.mktemp("quick")
    students = {attack.student: attack for attack in [*EVERY, *attacks.looking()] if not attack.slow}
    return Graded(copied(released, folder), folder, *canary, {**students, **named(NAMES)}, slow=False)


@pytest.fixture(scope="module")
def slow(released: Path, canary: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Graded:
    folder = tmp_path_factory.mktemp("slow")
    students = {attack.student: attack for attack in EVERY if attack.slow}
    return Graded(copied(released, folder), folder, *canary, students, slow=True)


@pytest.fixture(scope="module", params=["quick", "slow"])
def graded(request: pytest.FixtureRequest) -> Graded:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("attack", EVERY, ids=lambda attack: attack.student)
def test_an_attack_gains_nothing(attack: Attack, request: pytest.FixtureRequest) -> None:
    if attack.folder is attacks.hard_link and os.geteuid() != 0:
        pytest.skip("only root can give the folder to another, and without another it is one's own file")
    there: Graded = request.getfixturevalue("slow" if attack.slow else "quick")
    score, needs_manual, most = there.gradebook()[attack.student]
    said = there.feedback(attack.student)
    assert most == 9.0
    assert needs_manual == attack.refused, said
    assert score == (attack.score or 0.0), said
    assert re.search(attack.told, said), said
    assert re.search(attack.printed, there.printed), there.printed
    if attack.refused:
        assert f"  {attack.student}: " in there.printed.partition("Could not be graded")[2]
        assert all(comment.startswith("Not graded: ") for comment in there.comments(attack.student))
        assert there.rows()[attack.student]["state"] == "needs a person"


@pytest.mark.parametrize("name", LOOKS)
def test_in_a_sandbox(name: str, quick: Graded) -> None:
    group = list(LOOKS).index(name) // attacks.A_LOOK_AT_A_TIME
    found = json.loads(re.search(r"raised ValueError: looked: (\{.*\})", quick.feedback(f"looks-{group}"))[1])
    assert re.fullmatch(LOOKS[name][1], found[name], re.DOTALL), found[name]


def test_the_honest_get_what_is_theirs(graded: Graded) -> None:
    scores = {student: graded.gradebook()[student][0] for student in HONEST}
    expected = 3.0 if len(graded.students) < 40 else 6.0
    assert scores == dict.fromkeys(HONEST, expected), {student: graded.feedback(student) for student in HONEST}


def test_nothing_else_has_changed(graded: Graded) -> None:
    paths = graded.before.keys() | graded.after.keys()
    changed = {path for path in paths if graded.before.get(path) != graded.after.get(path)}
    assert changed == set()


def test_nothing_is_left(graded: Graded) -> None:
    assert graded.left == []
    assert graded.processes == []


def test_everyone_is_in_the_gradebook_and_the_table_of_scores(graded: Graded) -> None:
    assert len(graded.gradebook()) == len(graded.rows()) == len(graded.students) + len(HONEST)
    assert graded.status == int(any(attack.refused for attack in graded.students.values()))


def test_folders_that_are_no_students(quick: Graded) -> None:
    """Those whose names nobody can bear are told of; hidden ones are nobody's, as they are for nbgrader."""
    assert not {*attacks.NO_NAMES, *attacks.HIDDEN} & quick.gradebook().keys()
    told = quick.printed.partition(f"{len(attacks.NO_NAMES)} folder(s) can't be a student's name")[2]
    assert [name for name in attacks.NO_NAMES if ascii(name) not in told] == []


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_strange_name_is_graded_and_shown_as_text(name: str, quick: Graded) -> None:
    score, needs_manual, _ = quick.gradebook()[name]
    assert (score, needs_manual) == (3.0, False)
    cell = quick.rows().get(name) or quick.rows()[f"'{name}"]
    assert cell["score"] == "3.0"
    assert cell["student"][0] not in "=+-@＝＋－＠"


def test_what_the_instructor_sees_has_no_control_characters(graded: Graded) -> None:
    shown = re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\ud800-\udfff]", graded.printed)
    assert shown == []


class Scripts(HTMLParser):
    """What in a page would run, or be fetched, on behalf of the answer with `alert` in it."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"
        self.found += [f"{tag} {key}" for key, value in attrs if "alert" in (value or "") and key != "content"]

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside and 'alert("' in data:
            self.found.append(data)


def test_a_script_does_not_run_in_feedback(quick: Graded) -> None:
    words = [sys.executable, "-m", "nbgrader", "generate_feedback", NAME, "--student=script"]
    done = subprocess.run(words, cwd=quick.course, env=quick.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (quick.course / "feedback" / "script" / NAME / f"{NAME}.html").read_text()
    assert "alert(" in page
    assert Scripts(page).found == []


# ---- what is left where the grader's own processes are killed -------------------------------------------------------

SLEEPER = f"""
import subprocess, time
subprocess.Popen(["sleep", "600.0{MARK}"], start_new_session=True)
time.sleep(1.0)
{RIGHT}
"""


class Sleeper:
    """The process that an answer has started, and those that it was started by."""

    def __init__(self, process: psutil.Process):
        student = process.parent()
        first = student.parent()
        self.first, self.students_side = first, first.parent()
        self.waits_for_it = self.students_side.parent()  # outside of the jail's PID namespace
        self.judges_side = self.waits_for_it.parent()
        others = set(self.judges_side.children()) - {self.waits_for_it}
        self.judging = next(one for one in others if one.cmdline()[-2:] == self.judges_side.cmdline()[-2:])


def wait_for_sleeper() -> Sleeper:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, StopIteration, AttributeError):
                if process.cmdline() == ["sleep", f"600.0{MARK}"]:
                    return Sleeper(process)
        time.sleep(0.02)
    raise AssertionError("no answer was run")


def wait_until_gone(processes: list[psutil.Process], folder: Path) -> None:
    """Nothing that was started is there any more, and no directory, after a while."""
    _, left = psutil.wait_procs(processes, timeout=20)
    assert left == []
    deadline = time.monotonic() + 20
    while list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("which", "answers"),
    [
        ("judging", ["broken", "passed"]),
        ("students_side", "ended"),
        ("waits_for_it", "ended"),
        ("judges_side", "ended"),
        ("first", ["failed", "passed"]),
    ],
)
def test_a_process_of_the_judges_is_killed(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str, answers: list[str] | str
) -> None:
    """Nothing is left, and no answer is taken for wrong because of it: it is judged anew, or held."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = lesson.read(NAME, released)
    exercise = lesson.exercises(source)[0]
    with ForkServer(setup_of(source), isolate=True) as server:
        server.wait_until_ready()
        judging = server.judge([(exercise, SLEEPER), (exercise, RIGHT)])
        came: list[str] | str = []

        def judge_all() -> None:
            nonlocal came
            try:
                came = [outcomes[0].result for _, outcomes in judging]
            except Trouble:
                came = "ended"

        thread = threading.Thread(target=judge_all)
        thread.start()
        there = wait_for_sleeper()
        started = [*there.judges_side.children(recursive=True), there.judges_side]
        getattr(there, which).kill()
        thread.join(60)
    assert came == answers
    wait_until_gone(started, tmp_path)


def test_the_judge_and_then_the_command_are_killed(released: Path, tmp_path: Path) -> None:
    """A lost judge's submission is judged by another; after the command's own end, the next one grades the rest."""
    root, tmp = copied(released, tmp_path), tmp_path / "tmp"
    tmp.mkdir()
    notebook = json.loads((root / "release" / NAME / f"{NAME}.ipynb").read_text())
    notebook["cells"] = [source for source in notebook["cells"] if source["id"] == "paginate"]
    notebook["cells"][0]["source"] = SLEEPER
    for student in ("ann", "ben"):
        (root / "submitted" / student / NAME).mkdir(parents=True)
        (root / "submitted" / student / NAME / f"{NAME}.ipynb").write_text(json.dumps(notebook))
    words = [sys.executable, "-m", "backendlab.cli", "grade", NAME, "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp)}
    with (tmp_path / "said").open("w") as said:
        grading = subprocess.Popen(words, cwd=root, env=environment, stdout=said, stderr=said)
    there = wait_for_sleeper()
    of_the_judge = [there.judges_side, *there.judges_side.children(recursive=True)]
    there.judges_side.kill()
    psutil.wait_procs(of_the_judge, timeout=20)
    assert wait_for_sleeper().judges_side != there.judges_side
    started = psutil.Process(grading.pid).children(recursive=True)
    grading.kill()
    grading.wait(20)
    wait_until_gone([*of_the_judge, *started], tmp)
    subprocess.run(words, cwd=root, env=environment, check=True, capture_output=True)
    rows = (root / "autograded" / f"{NAME}.csv").read_text().splitlines()
    assert [row.split(",")[:2] for row in rows[1:]] == [["ann", "3.0"], ["ben", "3.0"]]
    wait_until_gone([], tmp)


def test_the_table_is_the_one_that_is_tested() -> None:
    """`python -m tests.course.attacks` writes it anew."""
    assert (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8") == attacks.table()
