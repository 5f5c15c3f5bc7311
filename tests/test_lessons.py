"""Every lesson there is: up to date, small, whole, and its facts the same in a fresh run."""

import base64
import re
import subprocess
import sys

import pytest

from backendlab.course import build, lesson
from backendlab.parts import ROOT

LESSONS = lesson.names()


@pytest.mark.parametrize("name", LESSONS)
def test_what_is_committed_is_what_the_source_makes(name):
    assert build.check(name) == []


@pytest.mark.parametrize("name", LESSONS)
def test_small(name):
    """The history keeps every figure for ever."""
    page, target = build.paths(name)
    assert page.stat().st_size < 1_500_000
    assert target.stat().st_size < 400_000
    for cell in lesson.open_notebook(page).cells:
        for output in cell.get("outputs", []):
            if picture := output.get("data", {}).get("image/png"):
                assert len(base64.b64decode(picture)) < 120_000, cell.source[:80]


@pytest.mark.parametrize("name", LESSONS)
def test_nothing_of_the_machine_it_was_made_on(name):
    for path in build.paths(name):
        text = path.read_text()
        for word in (str(ROOT), "/tmp/backendlab-", "/root/", "/home/"):
            assert word not in text, f"{path.relative_to(ROOT)} says {word}"


@pytest.mark.parametrize("name", LESSONS)
def test_no_answer_and_no_hidden_test_reaches_a_student(name):
    """Whole lines of answers and hidden tests, searched for in what students get."""
    page, target = (lesson.open_notebook(path) for path in build.paths(name))
    source = lesson.read(name)
    for notebook, secrets in (
        (target, _between(source, "SOLUTION") | _between(source, "HIDDEN TESTS")),
        (page, _between(source, "HIDDEN TESTS") - _between(source, "SOLUTION")),  # it shows reference answers, folded
    ):
        shown = {line.strip() for cell in notebook.cells for line in cell.source.splitlines()}
        public = {line.strip() for cell in source.cells for line in _public(cell.source)}
        assert not (secrets - public) & shown


def _between(source, what):
    """The lines, long enough to tell something, between the markers of nbgrader."""
    found = set()
    for cell in source.cells:
        for block in re.findall(rf"BEGIN {what}\n(.*?)\n[^\n]*END {what}", cell.source, flags=re.S):
            found |= {line.strip() for line in block.splitlines() if len(line.strip()) > 20}
    return found


def _public(text):
    return re.sub(r"[^\n]*BEGIN (\w+).*?END \1[^\n]*", "", text, flags=re.S).splitlines()


@pytest.mark.parametrize("name", LESSONS)
def test_every_topic_is_whole(name):
    """Question, experiment with a figure, an assertion on its effect, an exercise, what to say: in every topic."""
    notebook = lesson.open_notebook(build.paths(name)[0])
    topics: dict[str, list] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^## (\d\.\d .+)$", cell.source, flags=re.M)):
            topics[heading[1]] = []
        if topics:
            topics[list(topics)[-1]].append(cell)
    assert topics
    for topic, cells in topics.items():
        prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for word in ("question", "Predict", "So what", "Say it"):
            assert re.search(word, prose, flags=re.I), f"{topic}: no {word!r}"
        assert "<details>" in prose, topic
        assert re.search(r"\]\(https://", prose), f"{topic}: no primary source"
        experiments = [cell for cell in cells if "experiment" in lesson.tags(cell)]
        assert any("image/png" in output.get("data", {}) for cell in experiments for output in cell.outputs), topic
        assert any(re.search(r"^assert ", cell.source, flags=re.M) for cell in experiments), topic
        assert any(re.search(r"^%%node|^%%workspace \S+\.m?js", cell.source) for cell in experiments), topic
        assert any(lesson.is_answer(cell) for cell in cells), f"{topic}: no exercise"


@pytest.mark.parametrize("name", LESSONS)
def test_facts_are_the_same_in_a_fresh_run(name):
    """nbval runs the lesson from a fresh kernel; cells whose output is a fact are compared, measured ones only run."""
    page = build.paths(name)[0]
    words = ["--nbval", "--nbval-cell-timeout=300", "-q", "-p", "no:cacheprovider", str(page)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_keeps_the_contract(name):
    command = [sys.executable, "-m", "backendlab.cli", "contract", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
