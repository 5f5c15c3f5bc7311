"""`backendlab contract`: each way in which an exercise can break its promises is caught, and no real lesson does."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backendlab.course import build, contract, lesson
from backendlab.course.judge import Limits, Outcome, judge, judge_all, not_begun, setup_of
from tests.course.conftest import NAME, edit, run

QUICK = Limits(answer=8.0, whole=20.0)


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    _, alive = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=10)
    assert alive == []


def broken(root: Path, exercise: str) -> dict[str, str]:
    """What the contract says of an exercise's answers: nothing of those that keep their promise."""
    kept = root / "tests" / "answers" / NAME
    trials = contract.try_all(lesson.read(NAME, root), NAME, kept, only=exercise, workers=2)
    return {trial.answer: trial.broken_promise for trial in trials if trial.broken_promise}


def test_the_small_lesson_keeps_its_promises(bare: Path) -> None:
    assert {exercise: broken(bare, exercise) for exercise in ("paginate", "order", "double-all")} == {
        "paginate": {},
        "order": {},
        "double-all": {},
    }


def keep(exercise: str, file: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / "tests" / "answers" / NAME / exercise / file).write_text(text)


def drop(exercise: str, file: str) -> Callable[[Path], object]:
    return lambda root: (root / "tests" / "answers" / NAME / exercise / file).unlink()


def change(old: str, new: str) -> Callable[[Path], object]:
    return lambda root: edit(root, old, new)


RIGHT = """
def paginate(items, page, size):
    if page < 1:
        raise ValueError
    return items[(page - 1) * size :][:size]
"""

BREAKS = {  # what is done to the lesson; the exercise, the answer, and what the contract says of it
    "a stub that passes a test": (
        change(
            'expect.equal(student.call("paginate", [1, 2, 3], page=2',
            'dict(given=0) or expect.equal(student.call("paginate", [1, 2, 3], page=2',
        ),
        ("paginate", "stub", "paginate-check passed"),
    ),
    "a stub that is no Python": (
        change(
            "# order = [...]\n### BEGIN SOLUTION\norder = sorted(letters)\n### END SOLUTION",
            "order = [\n### BEGIN SOLUTION\n*sorted(letters)\n### END SOLUTION\n]",
        ),
        ("order", "stub", "SyntaxError"),
    ),
    "a stub that fails of itself": (
        change("    ### BEGIN SOLUTION\n", "    items[page]\n    ### BEGIN SOLUTION\n"),
        ("paginate", "stub", "IndexError"),
    ),
    "a solution that fails": (
        change("(page - 1) * size\n", "page * size\n"),
        ("paginate", "solution", "must pass, but paginate-check: paginate([1, 2, 3], page=2, size=2): expected [3]"),
    ),
    "a wrong answer that passes": (
        keep("paginate", "wrong-not-at-all.py", RIGHT),
        ("paginate", "wrong-not-at-all", "fails no hidden test"),
    ),
    "a wrong answer that only a visible check finds": (
        change('expect.raises(student, "ValueError", "paginate", [1, 2, 3], page=-4, size=2)\n', ""),
        ("paginate", "wrong-no-guard", "fails no hidden test"),
    ),
    "a right answer that fails": (
        keep("double-all", "right-not-quite.mjs", "export const doubleAll = (numbers) => numbers.map(String);\n"),
        ("double-all", "right-not-quite", "must pass, but double-all-check"),
    ),
    "too few wrong answers": (
        drop("order", "wrong-backwards.py"),
        ("order", "what is kept", "needs at least 2 kept wrong answer(s), has 1"),
    ),
    "no right answer": (
        drop("order", "right-by-code.py"),
        ("order", "what is kept", "needs at least 1 kept right answer(s), has 0"),
    ),
    "a kept answer that no one would try": (
        keep("order", "worng.py", ""),
        ("order", "what is kept", "worng.py is not tried"),
    ),
    "no hint": (
        change('+++ {"tags": ["hint"]}\n\nPython has', "+++\n\nPython has"),
        ("order", "what is kept", "has no hint"),
    ),
    "a test that is broken": (
        change("in_the_alphabet = sorted", "in_the_alphabet = srted"),
        ("order", "solution", "the test itself broke: order-hidden"),
    ),
    "a test that shows a number, for nbgrader a part of the points": (
        change("### END HIDDEN TESTS\n```\n\nThe letters", "0.5\n### END HIDDEN TESTS\n```\n\nThe letters"),
        ("paginate", "solution", "the test itself broke: paginate-hidden"),
    ),
    "set-up cells that fail": (
        change("letters = random.Random(SEED)", "letters = 1 / 0; random.Random(SEED)"),
        ("order", "solution", "the test itself broke: order-check"),
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_the_contract_catches(bare: Path, what: str) -> None:
    harm, (exercise, answer, said) = BREAKS[what]
    harm(bare)
    found = broken(bare, exercise)
    assert said in found.get(answer, ""), found


def test_the_command_names_what_is_broken_and_exits_with_1(bare: Path) -> None:
    (bare / "tests" / "answers" / NAME / "renamed").mkdir()
    status, printed = run(bare, "contract", "--workers", "2")
    assert status == 1
    assert "renamed: what is kept: 90-mini has no exercise of this name" in printed
    assert "paginate                       ok       ok        2 of 2        1 of 1        3" in printed


def test_a_test_belongs_to_the_exercise_with_the_longest_name(bare: Path) -> None:
    edit(bare, "grade_id: double-all,", "grade_id: order-two,")
    for test in ("check", "hidden"):
        edit(bare, f"grade_id: double-all-{test}", f"grade_id: order-two-{test}-1")
    found = {exercise.id: len(exercise.tests) for exercise in lesson.exercises(lesson.read(NAME, bare))}
    assert found == {"paginate": 2, "order": 2, "order-two": 2}


# ---- answers that do harm -------------------------------------------------------------------------------------------

HARMFUL = {  # an answer, and what the visible check's message says of it
    "it hangs at once": ("while True: pass\n", "did not end within 2 s"),
    "it ends the process": ("import os; os._exit(0)\n", "ended the process"),
    "it is killed": ("import os; os.kill(os.getpid(), 9)\n", "ended the process"),
    "it breaks the interpreter": (
        "import ctypes, faulthandler\nfaulthandler.disable()\nctypes.string_at(0)\n",
        "ended the process",
    ),
    "it ends the process when asked": ("def paginate(*_, **__): import os; os._exit(0)\n", "ended the process"),
    "it calls exit when asked": ("def paginate(*_, **__): raise SystemExit(0)\n", "raised SystemExit"),
    "it raises at once": ("1 / 0\n", "ZeroDivisionError"),
    "it is no Python": ("def paginate(:\n", "SyntaxError"),
    "it does nothing": ("", "not defined yet"),
    "its result is no plain data": ("def paginate(*_, **__): return object()\n", "not plain data"),
    "its result equals everything": (
        "class Equal(list):\n    __eq__ = lambda *_: True\ndef paginate(*_, **__): return Equal()\n",
        "expected [3], got []",
    ),
    "its result is not a number": ("def paginate(*_, **__): return float('nan')\n", "not plain data"),
    "it replaces what the tests use": (
        "expect.equal = expect.raises = lambda *_, **__: None\ndef paginate(*_, **__): pass\n",
        "expected [3], got None",
    ),
}


@pytest.fixture
def small(bare: Path) -> tuple[list[str], lesson.Exercise]:
    """The set-up cells of the small lesson, and its exercise `paginate`."""
    source = lesson.read(NAME, bare)
    return setup_of(source), lesson.exercises(source)[0]


def outcomes(small: tuple[list[str], lesson.Exercise], answer: str, limits: Limits = QUICK) -> list[Outcome]:
    return judge(*small, answer, limits=limits)


@pytest.mark.parametrize("what", HARMFUL)
def test_an_answer_that_does_harm_fails_with_a_reason(small: tuple[list[str], lesson.Exercise], what: str) -> None:
    answer, said = HARMFUL[what]
    limits = Limits(answer=2.0, whole=20.0) if "2 s" in said else QUICK
    check, hidden = outcomes(small, answer, limits)
    assert check.result in {"failed", "not done"}
    assert hidden.result in {"failed", "not done"}
    assert said in check.message


@pytest.mark.parametrize(
    "answer",
    [
        f"print('x' * 10_000_000)\n{RIGHT}",
        f"import sys; sys.stderr.write('x' * 10_000_000)\n{RIGHT}",
        f"import subprocess; subprocess.Popen(['sleep', '600'])\n{RIGHT}",
        f"import os\nif os.fork() == 0:\n    os.execvp('sleep', ['sleep', '600'])\n{RIGHT}",
        f"import warnings; warnings.warn('careful')\n{RIGHT}",
    ],
    ids=["it prints much", "it complains much", "it starts a process", "it forks", "it warns"],
)
def test_a_right_answer_passes_whatever_else_it_does(small: tuple[list[str], lesson.Exercise], answer: str) -> None:
    assert [outcome.result for outcome in outcomes(small, answer)] == ["passed", "passed"]


@pytest.mark.parametrize("isolate", [True, False])
def test_an_answer_that_kills_its_parent_gains_nothing_and_costs_no_other(
    small: tuple[list[str], lesson.Exercise], isolate: bool
) -> None:
    """In a sandbox that is the first process of its namespace, which nothing in there can kill."""
    setup, exercise = small
    killer = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n" + RIGHT
    jobs = [(exercise, RIGHT), (exercise, killer), (exercise, RIGHT)]
    tried = judge_all(setup, jobs, workers=2, limits=QUICK, isolate=isolate)
    came = {place: [o.result for o in told] for place, told in tried}
    if isolate:
        assert came == {place: ["passed", "passed"] for place in range(3)}
    else:
        assert set(came) == {0, 1, 2}


def test_a_stub_gets_what_it_gets_when_it_is_run(bare: Path) -> None:
    source = lesson.read(NAME, bare)
    stubs = {cell.id: cell.source for cell in build.release_notebook(source, NAME).cells}
    jobs = [(exercise, stubs[exercise.id]) for exercise in lesson.exercises(source)]
    for place, outcomes in judge_all(setup_of(source), jobs, workers=2, limits=QUICK):
        assert [replace(outcome, seconds=0.0) for outcome in outcomes] == not_begun(jobs[place][0])


def test_an_answer_has_temporary_files_wherever_the_grader_keeps_its_own(
    small: tuple[list[str], lesson.Exercise], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    answer = f"import tempfile\ntempfile.TemporaryDirectory().cleanup()\n{RIGHT}"
    assert [outcome.result for outcome in outcomes(small, answer)] == ["passed", "passed"]


def test_an_answer_that_hangs_when_asked_is_ended(small: tuple[list[str], lesson.Exercise]) -> None:
    """Even one that lets no other thread of its process run, so that nobody there can watch the clock."""
    hangs = "import re\ndef paginate(*_, **__): re.match('(a+)+$', 'a' * 60 + 'b')\n"
    results = [outcome.result for outcome in outcomes(small, hangs, Limits(answer=8.0, whole=3.0))]
    assert results == ["failed", "failed"]
