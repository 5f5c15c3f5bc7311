"""The work of grading, spread over processes and machines by dask.distributed.

A worker is given bytes (a submission's answers, as JSON) and returns bytes (what its tests said, as JSON). What it
needs of the lesson it gets once, as a plug-in: set-up cells, tests, limits. It keeps a fork server for that
(`backendlab.course.judge.ForkServer`), outside of which no student's code runs; its threads only wait for that, so that
the local cluster needs no process of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, WorkerPlugin, get_worker, wait

from backendlab.course import around, lesson
from backendlab.course.grade.submissions import Submission
from backendlab.course.judge import ForkServer, Limits, Outcome, broken, not_begun
from backendlab.parts import ROOT
from backendlab.trouble import Trouble

AHEAD = 2  # submissions on their way to each thread of a worker: the next is there when one ends
Job = tuple[lesson.Exercise, around.Answer]
LOOK = 10.0  # seconds without a result, after which it is looked whether there are workers
MISSING = "the answer's cell is missing in what was handed in"


@dataclass(frozen=True)
class Assignment:
    """What grading a lesson takes: its set-up cells with a cohort's parameters, its exercises, its stubs."""

    name: str
    setup: list[str]
    exercises: list[lesson.Exercise]
    stubs: dict[str, str]  # the released text of answer cells, by grade_id
    released: set[str]  # the text of every code cell of the release

    @property
    def digest(self) -> str:
        """Of all that decides about a score, apart from the answer."""
        tests = [[e.id, [(t.source, t.metadata.nbgrader.points) for t in e.tests]] for e in self.exercises]
        return hashlib.sha256(json.dumps([self.setup, tests]).encode()).hexdigest()


def package_digest() -> str:
    """Of this package's files, so that a worker elsewhere is known to run the same."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "backendlab").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


class Grading(WorkerPlugin):
    """What every worker holds while a lesson is graded."""

    def __init__(self, assignment: Assignment, limits: Limits, whole: float, *, isolate: bool):
        self.name = f"backendlab-grading-{secrets.token_hex(8)}"  # of this run: a scheduler may serve several
        self.assignment, self.limits, self.whole, self.isolate = assignment, limits, whole, isolate
        self.package = package_digest()

    def setup(self, worker: Any) -> None:
        self.lock = threading.Lock()
        self.server: ForkServer | None = None
        self.room, self.under_way = worker.state.nthreads, 0  # exercises, of all submissions that are judged here
        if package_digest() != self.package:
            raise RuntimeError(f"the worker {worker.address} has another version of this course")

    def teardown(self, worker: Any) -> None:
        if self.server:
            self.server.close()

    def __getstate__(self) -> dict[str, Any]:
        own = ("lock", "server", "room", "under_way")
        return {key: value for key, value in self.__dict__.items() if key not in own}

    def judge(self, answers: dict[str, str], places: list[around.Place]) -> dict[str, list[dict[str, Any]]]:
        places = [(kind, text) for kind, text in places]
        own_cells = any(kind == around.OWN for kind, _ in places)
        stubs = self.assignment.stubs
        there = [exercise for exercise in self.assignment.exercises if exercise.id in answers or own_cells]
        untouched = [] if own_cells else [exercise for exercise in there if answers[exercise.id] == stubs[exercise.id]]
        jobs = [(e, around.answer(places, answers, stubs, e.id)) for e in there if e not in untouched]
        found = self._run(jobs) if jobs else {}
        return found | {exercise.id: [asdict(outcome) for outcome in not_begun(exercise)] for exercise in untouched}

    def _run(self, jobs: list[Job]) -> dict[str, list[dict[str, Any]]]:
        server = self._shared()
        try:
            return self._judge(server, jobs)
        except Trouble:
            self._forget(server)
        # Once more, and in a fork server of its own: whatever ended that one is not to harm the neighbours twice.
        with ForkServer(self.assignment.setup, isolate=self.isolate) as own:
            try:
                return self._judge(own, jobs)
            except Trouble as trouble:
                return {e.id: [asdict(o) for o in broken(e, str(trouble))] for e, _ in jobs}

    def _shared(self) -> ForkServer:
        """The fork server of all threads of this worker."""
        with self.lock:
            if self.server is None:
                self.server = ForkServer(self.assignment.setup, isolate=self.isolate)
            return self.server

    def _forget(self, server: ForkServer) -> None:
        """Every thread that waited for it comes here; the first one closes it."""
        with self.lock:
            if self.server is server:
                self.server = None
                server.close()

    def _judge(self, server: ForkServer, jobs: list[Job]) -> dict[str, list[dict[str, Any]]]:
        """The outcomes of a submission's exercises: one after the other; side by side where other threads are idle."""
        server.wait_until_ready()
        begun, found = 0, {}

        def may_begin(running: int) -> bool:
            nonlocal begun
            with self.lock:
                if running and self.under_way >= self.room:
                    return False
                self.under_way, begun = self.under_way + 1, begun + 1
                return True

        deadline = time.monotonic() + self.whole
        try:
            for place, outcomes in server.judge(jobs, may_begin=may_begin, limits=self.limits, deadline=deadline):
                with self.lock:
                    self.under_way, begun = self.under_way - 1, begun - 1
                found[jobs[place][0].id] = [asdict(outcome) for outcome in outcomes]
        finally:
            with self.lock:
                self.under_way -= begun
        return found


def grade_one(name: str, submission: bytes) -> bytes:
    """Runs on a worker: the outcomes of every test of a submission, by exercise. `name`: of the run's plug-in."""
    plugin: Any = get_worker().plugins[name]
    return json.dumps(plugin.judge(*json.loads(submission))).encode()


@contextlib.contextmanager
def cluster(workers: int, scheduler: str | None) -> Iterator[Client]:
    """A client of the scheduler at this address, or of a cluster of this machine's own, which ends with the block."""
    if scheduler:
        try:
            client = Client(scheduler, timeout="10s")
        except (OSError, ValueError) as error:
            raise Trouble(f"There is no dask scheduler at {scheduler} ({error}). Start one: dask scheduler") from None
        with client:
            if not _threads(client):
                raise Trouble(f"The scheduler at {scheduler} has no worker. Start one: dask worker {scheduler}")
            yield client
        return
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    scratch = ROOT / ".backendlab" / "workers"  # where dask's parts may put things; elsewhere they would stay
    dask.config.set({"temporary-directory": str(scratch)})
    dask.config.set({"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []})
    made = LocalCluster(
        n_workers=1,
        threads_per_worker=workers,
        processes=False,  # then there is no port that another on this machine could give orders through
        dashboard_address=None,
        memory_limit=0,  # a worker holds a few submissions; what students' code uses is bounded elsewhere
        local_directory=str(scratch),
        silence_logs=logging.CRITICAL,
    )
    try:
        with made, Client(made) as client:
            yield client
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _threads(client: Client) -> int:
    """How many submissions all workers together can grade at a time; 0 if there is no worker."""
    return sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())


def grade_all(
    client: Client,
    grading: Grading,
    submissions: list[Submission],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[str, dict[str, list[Outcome]] | str]]:
    """The outcomes of each submission, with its student, as they come; a sentence where there are none.

    At most a few submissions are on their way at a time, so that a thousand take no more memory than ten.
    """
    try:
        client.register_plugin(grading, name=grading.name)
    except RuntimeError as error:
        with contextlib.suppress(Exception):
            client.unregister_worker_plugin(grading.name)
        raise Trouble(f"Nothing was graded: {_short(error)}. Bring this clone to every machine.") from None
    waiting = list(reversed(submissions))
    running: dict[Any, str] = {}
    lonely = False

    def submit() -> None:
        one = waiting.pop()
        text = json.dumps([one.answers, one.places]).encode()
        future = client.submit(grade_one, grading.name, text, pure=False, retries=2)
        running[future] = one.student

    try:
        while waiting or running:
            if not running and stopped():
                return
            width = AHEAD * max(1, _threads(client))
            while waiting and len(running) < width and not stopped():
                submit()
            try:
                ended = wait(list(running), timeout=LOOK, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                if not _threads(client):
                    if stopped():
                        return
                    if not lonely:
                        print("No worker is left. Waiting for one; Ctrl-C ends this.", file=sys.stderr)
                    lonely = True
                continue
            for future in ended:
                student = running.pop(future)
                if future.status == "finished":
                    yield student, _outcomes(grading.assignment, json.loads(future.result()))
                else:
                    yield student, f"it could not be graded: {_short(future.exception())}"
                future.release()
    finally:
        for future in running:
            future.cancel()
        with contextlib.suppress(Exception):  # the hidden tests aren't to stay where others may grade
            client.unregister_worker_plugin(grading.name)


def _outcomes(assignment: Assignment, said: dict[str, list[dict[str, Any]]]) -> dict[str, list[Outcome]]:
    """What a worker said, by exercise; where an answer's cell is missing, that."""
    return {
        exercise.id: [Outcome(**one) for one in said[exercise.id]]
        if exercise.id in said
        else [replace(one, result="not done", message=MISSING) for one in broken(exercise, "")]
        for exercise in assignment.exercises
    }


def _short(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or ["the worker was lost"])[-1][:300]


def assignment(path: Path, name: str) -> Assignment:
    """The lesson as it was released: from the notebook that `backendlab release` wrote, with its parameters."""
    from backendlab.course import build
    from backendlab.course.judge import setup_of

    source = lesson.open_notebook(path)
    release = build.release_notebook(source, name).cells
    stubs = {str(lesson.grade_id(cell)): cell.source for cell in release if lesson.is_answer(cell)}
    released = {cell.source.strip() for cell in release if cell.cell_type == "code"}
    return Assignment(name, setup_of(source), lesson.exercises(source), stubs, released)
