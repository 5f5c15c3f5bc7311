"""The process that has imported everything and run a lesson's set-up once, and forks for every answer that is judged.

Two processes, because an answer must not be able to find a test even in its own memory:

- the *judge's side* (`main`) is told answers and tests. For each it forks a process that runs the tests.
- the *student's side* (`_StudentSide`) was forked before any test was known, and then went into a jail
  (`backendlab.course.sandbox`). For each answer it forks a sandbox, in which the answer's cell runs and questions are
  answered (`backendlab.student`).

Between the two forks of one answer there are two sockets: one for questions and replies, plain data in both
directions; one by which the student's side says that the sandbox is ready, or why it was ended.

Speaks JSON, an object a line, on the descriptor given as its argument: first `{"setup": [...], "isolate": bool}`,
answered by `{"ready": true}` or `{"broken": why}`; then jobs, `{"job", "tests", "answer", "limits", "bounds"}`,
answered by `{"job", "outcome"}` for every test and `{"job", "end": true}`; `{"drop": job}` ends one. It ends when the
other end closes.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import re
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backendlab import parts, student
from backendlab.course import around, sandbox

Message = dict[str, Any]
LARGEST_ANSWER = 4 << 20  # bytes of a message
LONGEST_SAID = 8000  # characters of a test's message, of which an answer may have written most
OWN_CELL = 8.0  # seconds for a cell of the student's own that an answer needs
HUGE_PAGE, MADV_COLLAPSE = 2 << 20, 25  # <asm-generic/mman-common.h>
WATCH = 0.1  # seconds between two looks at what a sandbox holds


def preload() -> None:
    """Import what set-up cells, tests and drivers import, once, before forking. Safe to call again."""
    import matplotlib

    matplotlib.use("agg")  # not by the environment, where a kernel started from here would find it and draw nothing
    for module in ("aiohttp", "encodings.idna", "matplotlib.pyplot", "pandas"):
        importlib.import_module(module)
    shell()


def shell() -> Any:
    """An IPython shell of this process's own: magics, top-level await, no history file, nothing printed."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    return InteractiveShell.instance(config=config)


def settle() -> None:
    """Have forks of what is imported and set up cost little: most of that is to copy page tables."""
    gc.collect()
    gc.freeze()  # a collection in a fork would touch, and so copy, every page that the parent made
    with contextlib.suppress(OSError):  # no Linux, or one before 6.1
        _use_huge_pages()


def _use_huge_pages() -> None:
    """Collapse this process's memory into huge pages (man 2 madvise); a fork that writes to one copies 4 KiB of it."""
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
        if rights != "rw-p" or name not in ("", "[heap]"):
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        for place in range(-(-start // HUGE_PAGE) * HUGE_PAGE, end - HUGE_PAGE + 1, HUGE_PAGE):
            libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(HUGE_PAGE), MADV_COLLAPSE)


def become_quiet() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def run_cells(cells: Iterable[str]) -> BaseException | None:
    for source in cells:
        result = shell().run_cell(source)
        if error := result.error_before_exec or result.error_in_exec:
            return error
    return None


def fork(work: Callable[[], None], make: Callable[[], int] = os.fork) -> int:
    """Run `work` in a forked process that leads a session of its own and never returns here.

    A session, because many kernels share the processor's time out by session (autogroup) before they do by process.
    """
    pid = make()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        atexit._clear()  # the parent's farewells are not ours
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        work()
        code = 0
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()  # stops the servers that this process started
        os._exit(code)
    return 0


def kill(pid: int) -> None:
    """Kill a forked process and all of its group."""
    for how in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            how(pid, signal.SIGKILL)


def end(pid: int) -> None:
    """Kill a forked process and all of its group, and wait for it."""
    kill(pid)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def wait(pid: int, seconds: float) -> None:
    """Wait so long for the end of a forked process."""
    last = time.monotonic() + seconds
    with contextlib.suppress(ChildProcessError):
        while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < last:
            time.sleep(0.001)


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on but these."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX") if sys.platform != "linux" else 65536)


class Lines:
    """JSON messages, one a line, as they come in over a socket that must not block."""

    def __init__(self, connection: socket.socket):
        self.connection, self.waiting = connection, bytearray()

    def read(self) -> list[Message] | None:
        """The messages that have come; None when the other end has closed."""
        with contextlib.suppress(BlockingIOError):
            chunk = self.connection.recv(1 << 18)
            if not chunk:
                return None
            self.waiting += chunk
        *whole, rest = self.waiting.split(b"\n")
        self.waiting = bytearray(rest)
        return [json.loads(line) for line in whole]


# ---- the student's side ---------------------------------------------------------------------------------------------


class _StudentSide:
    """Forks sandboxes on request, watches what they use, and ends them. Knows no test and no answer."""

    def __init__(self, orders: socket.socket, root: Path, files: dict[str, bytes], *, isolate: bool):
        self.orders, self.files = orders, files
        self.jail = sandbox.enter_jail(root, visible()) if isolate else None
        self.running: dict[int, _Sandbox] = {}
        self.dying: set[int] = set()  # killed, and not gone yet: hundreds of processes take their time
        self.selector = selectors.DefaultSelector()

    def serve(self) -> None:
        wake_read, wake_write = os.pipe()
        for descriptor in (wake_read, wake_write):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.selector.register(self.orders, selectors.EVENT_READ)
        self.selector.register(wake_read, selectors.EVENT_READ)
        look = time.monotonic() + WATCH
        try:
            while True:
                for key, _ in self.selector.select(WATCH if self.running else None):
                    if key.fileobj is self.orders:
                        if not self.take():
                            return
                    elif key.fileobj == wake_read:
                        with contextlib.suppress(BlockingIOError):
                            os.read(wake_read, 4096)
                        self.reap()
                    elif key.data in self.running:
                        self.finish(key.data)  # whoever asked has closed the line
                if self.running and time.monotonic() > look:
                    look = time.monotonic() + WATCH
                    self.watch()
        finally:
            for pid in list(self.running):
                self.finish(pid)
            for pid in self.dying:
                end(pid)

    def take(self) -> bool:
        """Start one sandbox, as asked; False when nobody will ask any more."""
        text, descriptors, _, _ = socket.recv_fds(self.orders, 4096, 2)
        if not text:
            return False
        questions, control = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        bounds = sandbox.Bounds(**json.loads(text))
        try:
            make = self.jail.fork if self.jail else os.fork
            pid = fork(lambda: self.be_first(questions, control, bounds), make)
        except OSError as error:
            with contextlib.suppress(OSError):
                control.sendall(json.dumps({"over": f"no sandbox could be made: {error}"}).encode())
            control.close()
        else:
            self.running[pid] = _Sandbox(pid, control, bounds)
            self.selector.register(control, selectors.EVENT_READ, data=pid)
        questions.close()
        return True

    def be_first(self, questions: socket.socket, control: socket.socket, bounds: sandbox.Bounds) -> None:
        """The first process of a sandbox: forks the one with the answer, and buries the dead until that ends."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        close_all_but(questions.fileno(), control.fileno())
        if self.jail is None:
            control.sendall(b'{"ready": true}')
            control.close()
            student.bring(self.files)
            answer(questions)
            return
        try:
            network = sandbox.enter_sandbox(self.jail, bounds)
        except OSError as error:
            control.sendall(json.dumps({"over": f"no sandbox could be made: {error}"}).encode())
            return
        socket.send_fds(control, [b'{"ready": true}'], [network])
        os.close(network)
        control.close()

        def answering() -> None:
            os.environ["TMPDIR"] = tempfile.tempdir = "/tmp"  # the grader's own may be elsewhere, and is not there now
            student.confine(Path("/tmp/work"), self.files)
            answer(questions)

        child = fork(answering)
        questions.close()
        while os.wait()[0] != child:
            pass  # an orphan, which became ours

    def watch(self) -> None:
        if self.jail is None:
            return
        for one in list(self.running.values()):
            if too_much := self.jail.exceeded(one.pid, one.bounds):
                self.finish(one.pid, f"your code used {too_much}")

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            for pid in [*self.running, *self.dying]:
                if not os.waitpid(pid, os.WNOHANG)[0]:
                    continue
                if pid in self.running:
                    self.say(pid, "")  # or whoever judges would take it that we are gone
                    self.drop(pid)
                self.dying.discard(pid)

    def finish(self, pid: int, why: str = "") -> None:
        if why:
            self.say(pid, why)
        kill(pid)  # the first process of a PID namespace: the kernel ends all the others
        self.dying.add(pid)
        self.drop(pid)

    def say(self, pid: int, why: str) -> None:
        with contextlib.suppress(OSError):
            self.running[pid].control.sendall(json.dumps({"over": why}).encode())

    def drop(self, pid: int) -> None:
        one = self.running.pop(pid)
        self.selector.unregister(one.control)
        one.control.close()


class _Sandbox:
    def __init__(self, pid: int, control: socket.socket, bounds: sandbox.Bounds):
        self.pid, self.control, self.bounds = pid, control, bounds


def visible() -> list[Path]:
    """What of this machine an answer may read: Python, this environment, Node's packages, and what lessons import."""
    folders = {Path(sys.base_prefix), Path(sys.prefix)}
    folders |= {folder.resolve() for folder in folders}
    node_modules = parts.node_modules()
    packages = {parts.ROOT / "backendlab", parts.ROOT / "package.json", node_modules, node_modules.resolve()}
    packages.add(parts.TEMPLATES)
    for name in parts.bundles():
        packages |= {parts.bundle(name), parts.bundle(name).resolve()}
    return sorted(path for path in folders | packages if path.exists())


def answer(questions: socket.socket) -> None:
    """Where the student's code is: run the answer's cell, which comes first, and then answer questions."""
    become_quiet()
    with questions.makefile("rwb") as stream:
        error = run_answer(json.loads(stream.readline())["answer"])
        stream.write(READY)
        stream.flush()
        failed = student.describe(error) if error else None
        student.serve_questions(stream, student.Answers(shell().user_ns, failed))


def run_answer(given: Message) -> BaseException | None:
    """Run an answer's cell, and around it those of the student's own cells that it needs; what the answer raised.

    A JavaScript answer is only kept as its file: each test that imports it runs it, in a process of the test's own.
    """
    whole = around.Answer(**given)
    above, below = around.needed(whole, shell().user_ns) if whole.before or whole.after else ([], [])
    for text in above:
        run_in_time(text)
    error = run_cells([SAVED.sub(r"%%workspace \1\n", whole.text, count=1)])
    for text in below:
        run_in_time(text)
    return error


def run_in_time(cell: str) -> None:
    """Run a cell that may fail, or hang: it isn't the answer. (Who defies this meets the answer's own limit.)"""

    def stop(*_: object) -> None:
        raise TimeoutError(f"a cell of your own did not end within {OWN_CELL:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, OWN_CELL)
    try:
        with contextlib.suppress(TimeoutError):
            run_cells([cell])
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


READY = b'{"ready": true}\n'
SAVED = re.compile(r"\A%%node --save (\S+)(?: --timeout \d+)?[ \t]*\n")


# ---- the judge's side -----------------------------------------------------------------------------------------------


class _Run:
    """One answer being judged: the process that runs its tests, and what that has said."""

    def __init__(self, job: int, pid: int, report: int, folder: Path, tests: list[Message], seconds: float):
        self.job, self.pid, self.report, self.folder = job, pid, report, folder
        self.tests, self.seconds, self.deadline = tests, seconds, time.monotonic() + seconds
        self.said = bytearray()
        self.told = 0


class _JudgeSide:
    def __init__(self, client: socket.socket, orders: socket.socket, folder: Path, files: dict[str, bytes], user: int):
        self.client, self.orders, self.folder, self.files, self.user = client, orders, folder, files, user
        self.selector = selectors.DefaultSelector()
        self.runs: dict[int, _Run] = {}

    def serve(self) -> None:
        lines = Lines(self.client)
        self.selector.register(self.client, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self.selector.select(0.5 if self.runs else None):
                    if key.fileobj is self.client:
                        messages = lines.read()
                        if messages is None:
                            return
                        for message in messages:
                            self.take(message)
                    elif key.data in self.runs:
                        self.hear(self.runs[key.data])
                for run in list(self.runs.values()):
                    if time.monotonic() > run.deadline:
                        self.finish(run, late=True)
        finally:
            for run in list(self.runs.values()):
                self.finish(run, silent=True)

    def take(self, message: Message) -> None:
        if "drop" in message:
            if run := self.runs.get(message["drop"]):
                self.finish(run)
            return
        ours, theirs = socket.socketpair()
        control, watched = socket.socketpair()
        read_end, write_end = os.pipe()
        bounds = json.dumps(message["bounds"]).encode()
        socket.send_fds(self.orders, [bounds], [theirs.fileno(), watched.fileno()])
        theirs.close()
        watched.close()
        job = message["job"]
        folder = self.folder / f"judge-{job}"

        def judging() -> None:
            close_all_but(*(there for there in (ours.fileno(), control.fileno(), write_end, self.user) if there >= 0))
            student.confine(folder, self.files)
            _judge(write_end, ours, control, self.user, message)

        pid = fork(judging)
        for connection in (ours, control):
            connection.close()
        os.close(write_end)
        run = _Run(job, pid, read_end, folder, message["tests"], message["limits"]["whole"])
        self.runs[job] = run
        self.selector.register(read_end, selectors.EVENT_READ, data=job)

    def hear(self, run: _Run) -> None:
        chunk = os.read(run.report, 1 << 16)
        run.said += chunk
        *lines, rest = run.said.split(b"\n")
        run.said = bytearray(rest)
        for line in lines:
            said = json.loads(line)
            if "lost" in said:
                sys.exit(1)  # whoever asked starts another of us, and has all that was not told yet judged anew
            run.told += 1
            self.tell({"job": run.job, "outcome": said})
        if not chunk:
            self.finish(run)

    def finish(self, run: _Run, *, late: bool = False, silent: bool = False) -> None:
        """End a judging process, which ends the student's; by force if it takes no word."""
        del self.runs[run.job]
        self.selector.unregister(run.report)
        with contextlib.suppress(OSError):
            os.kill(run.pid, signal.SIGTERM)
        wait(run.pid, 2.0)
        end(run.pid)
        os.close(run.report)
        shutil.rmtree(run.folder, ignore_errors=True)
        if silent:
            return
        for test in run.tests[run.told :]:
            result, said = "broken", "the process that ran the test ended"
            if late:
                result, said = "failed", f"was not over after {run.seconds:g} s, all the time that an exercise has"
            outcome = {"test": test["id"], "points": test["points"], "result": result, "message": said}
            self.tell({"job": run.job, "outcome": outcome})
        self.tell({"job": run.job, "end": True})

    def tell(self, message: Message) -> None:
        self.client.setblocking(True)
        self.client.sendall(json.dumps(message).encode() + b"\n")
        self.client.setblocking(False)


def _judge(report: int, questions: socket.socket, control: socket.socket, user: int, job: Message) -> None:
    """Run the tests of one exercise against the answer at the other end; one JSON line a test to `report`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the parent's word that this takes too long
    become_quiet()
    ended = _Ended(control)
    try:
        _judge_with(report, questions, ended, user, job)
    except Lost:
        os.write(report, b'{"lost": true}\n')


def _judge_with(report: int, questions: socket.socket, ended: _Ended, user: int, job: Message) -> None:
    late, ours = ended.wait_for_sandbox(user)
    late = late or _wait_for_answer(questions, job["answer"], job["limits"]["answer"], ended)
    shell().push({"student": student.remote(questions, ended.why)})
    for test in job["tests"]:
        started = time.monotonic()
        if late:
            result, message, kind = ("broken" if ours else "failed"), late, "AnswerError"
        else:
            result, message, kind = run_test(test["source"])
        outcome = {"test": test["id"], "points": test["points"], "result": result, "message": message, "kind": kind}
        outcome["seconds"] = round(time.monotonic() - started, 3)
        os.write(report, json.dumps(outcome).encode() + b"\n")


class Lost(Exception):
    """The student's side is gone: no answer can be judged any more, and none is to blame."""


class _Ended:
    """What the student's side says of the sandbox: that it is ready, or why it was ended."""

    def __init__(self, control: socket.socket):
        self.control = control
        self.said, self.heard = "", False

    def wait_for_sandbox(self, user: int) -> tuple[str, bool]:
        """What went wrong, or nothing, and whether that was ours. Joins the sandbox's network."""
        self.control.settimeout(30.0)
        try:
            text, descriptors, _, _ = socket.recv_fds(self.control, 4096, 1)
            said = json.loads(text)
        except (OSError, ValueError) as error:
            return f"the sandbox did not start: {error!r}", True
        if "over" in said:
            return said["over"], True
        for network in descriptors:
            sandbox.join_network(network, user)
            os.close(network)
        return "", False

    def why(self) -> str:
        """Why the sandbox was ended, if the student's side said so. Raises `Lost` where that is gone itself."""
        if not self.heard:
            self.control.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                said = b""
                with contextlib.suppress(ConnectionError):
                    said = self.control.recv(4096)
                if not said:
                    raise Lost("the process that makes sandboxes was ended from outside")
                self.said, self.heard = json.loads(said)["over"], True
        return self.said


def _wait_for_answer(connection: socket.socket, answer: Message, seconds: float, ended: _Ended) -> str:
    """Send the answer's cell and wait until it has run. What went wrong with it, for the learner, or nothing."""
    connection.settimeout(seconds)
    said = b""
    try:
        connection.sendall(json.dumps({"answer": answer}).encode() + b"\n")
        while len(said) < len(READY) and (chunk := connection.recv(len(READY) - len(said))):
            said += chunk
    except TimeoutError:
        return f"your cell did not end within {seconds:g} s"
    except OSError:
        pass
    if said == READY:
        return ""
    return ended.why() or "your cell ended the process it ran in"


def run_test(source: str) -> tuple[str, str, str]:
    """What a test's cell says: the result, its message, and the name of the error."""
    ran = shell().run_cell(source)
    error = ran.error_before_exec or ran.error_in_exec
    if error is None:
        if _is_number(ran.result):
            said = f"the test shows {ran.result!r}, which nbgrader takes for a part of its points: end it otherwise"
            return "broken", said, "PartialCredit"
        return "passed", "", ""
    if isinstance(error, Lost | SystemExit):
        raise error  # not the test's: nobody waits for what it says any more
    kind = type(error).__name__
    if isinstance(error, NotImplementedError):
        return "not done", str(error)[:LONGEST_SAID], kind
    if isinstance(error, AssertionError | student.AnswerError):
        return "failed", str(error)[:LONGEST_SAID] or "the check failed and says nothing more", kind
    return "broken", "".join(traceback.format_exception(error))[-2000:], kind


def _is_number(value: Any) -> bool:
    try:
        float(repr(value))
    except ValueError:
        return False
    return True


# ---- both -----------------------------------------------------------------------------------------------------------


def main(descriptor: int) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # an answer may be about this signal
    client = socket.socket(fileno=descriptor)
    with client.makefile("rb") as stream:
        order = json.loads(stream.readline())
    gc.disable()  # what is imported stays
    preload()
    # What a cell prints while it is set up has no reader; what goes wrong is told.
    become_quiet()
    if error := run_cells(order["setup"]):
        client.sendall(json.dumps({"broken": f"the set-up cells failed here: {error!r}"}).encode() + b"\n")
        return
    folder, files = student.workspace_files()
    settle()
    gc.enable()
    orders, taken = socket.socketpair()
    hello, said = socket.socketpair()
    root = folder / "root"
    root.mkdir()

    def student_side() -> None:
        if sys.platform == "linux":
            sandbox._prctl(sandbox.PR_SET_PDEATHSIG, signal.SIGKILL)
        close_all_but(taken.fileno(), said.fileno())
        try:
            side = _StudentSide(taken, root, files, isolate=order["isolate"])
        except OSError as error:
            said.sendall(json.dumps({"broken": f"no sandbox can be made here: {error}"}).encode())
            return
        if side.jail:
            socket.send_fds(said, [b'{"ready": true}'], [side.jail.user])
        else:
            said.sendall(b'{"ready": true}')
        said.close()
        side.serve()

    students = fork(student_side)
    taken.close()
    said.close()
    text, descriptors, _, _ = socket.recv_fds(hello, 4096, 1)
    client.sendall((text or b'{"broken": "the process that makes sandboxes ended"}') + b"\n")
    client.setblocking(False)
    _JudgeSide(client, orders, folder, files, descriptors[0] if descriptors else -1).serve()
    orders.close()  # the student's side ends its sandboxes then; who waits for us is to find nothing left
    wait(students, 8.0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
