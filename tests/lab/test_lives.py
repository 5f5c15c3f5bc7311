"""Workers that are killed by the hundred: each dies where it is told to, really, and leaves nothing behind."""

import threading

import psutil
import pytest

from backendlab.lab import lives, node, process

WORKERS = """
import os, time

def write(at, path, n):
    for k in range(n):
        at("begins", k)
        with open(path, "a") as file:
            file.write(f"{k}\\n")
        at("written", k)

def wait(at):
    at("waits", os.getpid())
    time.sleep(60)

def fail(at):
    at("begins")
    raise LookupError("nothing there")
"""


@pytest.fixture(scope="module")
def workers():
    node.save("t-lives.py", WORKERS)
    with lives.Lives("t-lives.py") as parent:
        yield parent


def test_it_returns_when_nobody_kills_it(workers, tmp_path):
    life = workers.live("write", str(tmp_path / "out"), 2)
    assert not life.killed
    assert [point[:2] for point in life.points] == [("begins", 0), ("written", 0), ("begins", 1), ("written", 1)]
    assert [point[2] for point in life.points] == sorted(point[2] for point in life.points)


@pytest.mark.parametrize(("at", "nth", "written"), [("begins", 1, ""), ("written", 1, "0\n"), ("begins", 3, "0\n1\n")])
def test_it_dies_at_the_point_and_goes_no_further(workers, tmp_path, at, nth, written):
    out = tmp_path / "out"
    out.touch()
    life = workers.live("write", str(out), 5, at=at, nth=nth)
    assert life.killed
    assert life.last == (at, nth - 1)
    assert out.read_text() == written


def test_it_is_killed_from_outside(workers):
    life = workers.live("wait", at="waits", after=0.01)
    assert life.killed
    assert life.last == ("waits", life.pid)
    assert not psutil.pid_exists(life.pid)


def test_many_lives_one_after_another_and_at_once(workers, tmp_path):
    killed = []

    def kill_ten(name):
        killed.extend(workers.live("write", str(tmp_path / name), 9, at="written", nth=2).killed for _ in range(10))

    threads = [threading.Thread(target=kill_ten, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert killed == [True] * 20
    assert [(tmp_path / name).read_text() for name in "ab"] == ["0\n1\n" * 10] * 2


def test_a_workers_own_mistake_is_told(workers):
    with pytest.raises(lives.LifeError, match="fail raised LookupError: nothing there"):
        workers.live("fail")
    with pytest.raises(lives.LifeError, match="KeyError: 'nobody'"):
        workers.live("nobody")
    with pytest.raises(lives.LifeError, match="wait had not ended"):
        workers.live("wait", timeout=0.1)


def test_a_file_that_cannot_be_imported_is_told():
    node.save("t-broken.py", "import nowhere_to_be_found")
    with pytest.raises(process.StartError, match="nowhere_to_be_found"):
        lives.Lives("t-broken.py")


def wait_in_vain(parent):
    with pytest.raises(lives.LifeError, match="parent is gone"):
        parent.live("wait")


def test_nothing_is_left_of_it():
    node.save("t-lives.py", WORKERS)
    with lives.Lives("t-lives.py") as parent:
        waiting = threading.Thread(target=wait_in_vain, args=(parent,))
        waiting.start()
        there = psutil.Process(parent.process.pid)
        while len(family := there.children(recursive=True)) < 2:
            assert waiting.is_alive()
    waiting.join(60)
    assert not waiting.is_alive()
    assert psutil.wait_procs([there, *family], timeout=10)[1] == []
