"""How a worker shares its place between submissions: `backendlab.course.grade.spread`."""

import threading
from types import SimpleNamespace
from typing import Any

from backendlab.course.grade.spread import Assignment, Grading
from backendlab.course.judge import LIMITS

JOBS: Any = [(SimpleNamespace(id=f"exercise-{number}"), None) for number in range(6)]


class Server:
    """Judges nothing, and notes how many exercises of a submission are under way, as `ForkServer.judge` would."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self.beside = threading.Barrier(2)

    def wait_until_ready(self) -> None:
        pass

    def judge(self, jobs: Any, *, may_begin: Any, limits: Any, deadline: float) -> Any:
        who, waiting, running = threading.current_thread().name, list(range(len(jobs))), []
        while waiting or running:
            while waiting and may_begin(len(running)):
                running.append(waiting.pop())
                self.most[who] = max(self.most.get(who, 0), len(running))
            if who != "alone":
                self.beside.wait(10)  # each has begun what it may before either goes on
            yield running.pop(0), []


def judge(grading: Grading, server: Any, *names: str) -> None:
    threads = [threading.Thread(target=grading._judge, args=(server, JOBS), name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def a_grading(room: int) -> Grading:
    grading = Grading(Assignment("mini", [], [], {}, set()), LIMITS, 900.0, isolate=False)
    grading.setup(SimpleNamespace(state=SimpleNamespace(nthreads=room), address="here"))
    return grading


def test_one_worker_judges_one_exercise_at_a_time():
    server = Server()
    judge(a_grading(1), server, "alone")
    assert server.most == {"alone": 1}


def test_a_submission_alone_has_the_idle_workers_too():
    server, grading = Server(), a_grading(4)
    judge(grading, server, "alone")
    assert server.most == {"alone": 4}
    assert grading.under_way == 0


def test_of_many_submissions_each_has_one_exercise_under_way():
    server, grading = Server(), a_grading(2)
    grading.under_way = 2  # others hold every place
    judge(grading, server, "one", "other")
    assert server.most == {"one": 1, "other": 1}
    assert grading.under_way == 2
