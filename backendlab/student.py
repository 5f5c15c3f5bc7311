"""The line between what a student wrote and what grades it.

A check or hidden test *asks* through a `Student`, with plain values (what JSON can carry), and *judges* the plain
values that come back. What must be seen from inside is a short driver, sent with the question:
it reports, it doesn't judge.

The same `Student` speaks to two places. In a notebook (`local`), the answers are the notebook's own variables and the
files of its workspace, and every value is copied through JSON on the way. While grading, they are in another process,
at the other end of a socket (`remote` here, `serve_questions` there). So a check means the same in both.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import functools
import importlib
import inspect
import itertools
import json
import logging
import math
import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

Question = dict[str, Any]
Reply = dict[str, Any]

LARGEST_REPLY = 4 << 20  # bytes of JSON; an answer is plain data, not a way to fill the grader's memory
DEEPEST_REPLY = 200  # lists in lists: Python can't even show what is nested some hundred deep
LONGEST_MESSAGE = 4000  # characters of what an error says
REMOTE_PATIENCE = 5.0  # seconds beyond a question's own timeout: the other end has that limit, and says so more kindly
SERVICES = ("postgres", "valkey")  # those that `Student.service` may start, by their modules' names
HARNESS = Path(__file__).parent / "lab" / "js" / "harness.mjs"
HOST = HARNESS.with_name("serve.mjs")
STUB = re.compile(r"^(Uncaught )?(Error \[)?NotImplementedError\b", re.MULTILINE)  # as either language prints it


class AnswerError(Exception):
    """The student's code raised, did not end in time, or returned what is not plain data.

    `type` is the name of what it raised (`ValueError`, a class of the student's own, or in JavaScript `error.name`);
    `types` the names of that class and all its bases; `message` its text.
    """

    def __init__(self, said: str, type: str = "Error", types: tuple[str, ...] = (), message: str = ""):
        super().__init__(said)
        self.type, self.types, self.message = type, types or (type,), message

    def _render_traceback_(self) -> list[str]:
        return [f"✗ {self}"]


class NotDone(NotImplementedError):
    """The exercise has no answer yet. Shown in a notebook as one kind line, not as a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"NotImplementedError: {self}"]


class DriverError(Exception):
    """A check's own driver is broken: not the student's fault."""


class Served:
    """A server of the student's, running. Use it in a `with` block, or call `stop`.

    If the block ends in an error and the server's log says that what it ran is not done yet, that is what is raised.
    """

    def __init__(self, url: str, stop: Callable[[], object], look: Callable[[str], Any] | None = None):
        self.url, self.stop, self._look = url, stop, look

    def alive(self) -> bool:
        """Does it still run? A Node server that an error has ended doesn't."""
        return self._look is not None and self._look("alive") is True

    def log(self) -> str:
        """What it has printed; of an aiohttp app, what aiohttp has logged."""
        return str(self._look("log")) if self._look else ""

    def peak_rss(self, *, anew: bool = False) -> int:
        """The most memory its process has had, in bytes; with `anew`, what it is now, from which the next one counts.

        An aiohttp app shares its process with the rest of the answer: compare two, never one with a number.
        """
        said = self._look("anew" if anew else "peak") if self._look else 0
        return said if isinstance(said, int) else 0

    def __enter__(self) -> Served:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: object) -> None:
        try:
            if isinstance(error, Exception) and self._look and self._says_not_done():
                raise NotDone("not done yet: your answer goes in the cell above.") from None
        finally:
            self.stop()

    def _says_not_done(self) -> bool:
        for _ in range(5):  # Express writes to its log after it has answered
            if STUB.search(self.log()):
                return True
            time.sleep(0.04)
        return False


class Student:
    """What a test may ask. Every argument and every result is copied through JSON: a tuple comes back as a list."""

    def __init__(self, ask: Callable[[Question], Reply]):
        self._ask = ask

    def get(self, name: str, *, timeout: float = 10.0) -> Any:
        """The value of a variable that the student assigned."""
        return self._value({"do": "get", "name": name, "timeout": timeout}, f"`{name}`")

    def call(self, name: str, /, *args: Any, timeout: float = 10.0, **kwargs: Any) -> Any:
        """Call the student's function; a coroutine is awaited. Raises `AnswerError` with what the function raised."""
        shown = ", ".join([*map(_short, args), *(f"{key}={_short(value)}" for key, value in kwargs.items())])
        question = {"do": "call", "name": name, "args": args, "kwargs": kwargs, "timeout": timeout}
        return self._value(question, f"{name}({shown})")

    def drive(self, source: str, /, *, timeout: float = 20.0, **inputs: Any) -> Any:
        """Run a Python driver where the student's code is, and return what it reports.

        `source` defines `driver(**inputs)`, a function or a coroutine function, and sees the student's variables.
        """
        try:
            code = _driver(source)
        except SyntaxError as error:
            raise DriverError(f"the check's own driver is not Python: {error}") from None
        if "driver" not in code.co_names:
            raise DriverError("the check's own driver defines no function `driver(**inputs)`")
        return self._value({"do": "drive", "source": source, "inputs": inputs, "timeout": timeout}, "your code")

    def node(self, source: str, /, *, timeout: float = 20.0, flags: list[str] | None = None, **inputs: Any) -> Any:
        """Run a JavaScript driver beside the files the student saved, in a Node process of its own; return its report.

        `source` is an ES module: it imports the student's file (`import { f } from './answer.mjs'`) and has a default
        export `async (inputs) => report`.
        """
        question = {"do": "node", "source": source, "inputs": inputs, "flags": flags or [], "timeout": timeout}
        try:
            return self._value(question, "your code")
        except AnswerError as error:
            if error.type == "SyntaxError" and (wrong := _not_javascript(source)):
                raise DriverError(f"the check's own driver is not JavaScript: {wrong}") from None
            raise

    def node_parts(
        self,
        source: str,
        parts: Sequence[str],
        /,
        *,
        timeout: float = 20.0,
        flags: list[str] | None = None,
        **inputs: Any,
    ) -> Callable[[str], Any]:
        """A function that gives each part's report, of a driver that is asked for all of them in one Node process.

        For tests that are judged apart: to start Node, and what the answer imports, costs more than most questions.
        `source` is as for `node`; its `inputs.parts` are the parts wanted, and it returns an object with a report for
        each. It leaves out those that what came before could spoil. A part that is not there, also because the process
        ended early, is asked for alone. Nothing runs before the first call.
        """
        seen: dict[str, Any] | None = None

        def ask(wanted: list[str]) -> dict[str, Any]:
            came = self.node(source, timeout=timeout, flags=flags, parts=wanted, **inputs)
            return came if isinstance(came, dict) else {}

        def report(part: str) -> Any:
            nonlocal seen
            if seen is None:
                seen = {}
                with contextlib.suppress(AnswerError):  # each part says for itself what is wrong with it
                    seen = ask([*parts])
            if part not in seen:
                seen |= ask([part])
            if part not in seen:
                raise DriverError(f"the check's own driver gave no report for {part!r}")
            return seen[part]

        return report

    def serve(self, file: str, *, timeout: float = 10.0) -> Served:
        """Start the Node server that the student saved as `file` (it listens on `process.env.PORT`)."""
        return self._served({"do": "serve", "file": file, "timeout": timeout}, file)

    def serve_node(self, source: str, /, *, timeout: float = 10.0, **inputs: Any) -> Served:
        """Start a Node server in which the student's files take part, in a process of its own.

        `source` is an ES module beside these files: its default export `async (inputs) => app` returns an Express app,
        a function `(req, res)` or an `http.Server` that does not listen yet.
        """
        question = {"do": "serve_node", "source": source, "inputs": inputs, "timeout": timeout}
        try:
            return self._served(question, "your code")
        except AnswerError as error:
            if "SyntaxError" in str(error) and (wrong := _not_javascript(source)):
                raise DriverError(f"the check's own driver is not JavaScript: {wrong}") from None
            raise

    def serve_aiohttp(
        self, source: str, /, *, timeout: float = 10.0, own_process: bool = False, **inputs: Any
    ) -> Served:
        """Start an aiohttp server in which the student's functions take part, in a thread where they are.

        `source` defines `app(**inputs)`, a function or a coroutine function that returns a `web.Application`, and sees
        the student's variables. With `own_process` it runs in a fork of the process where they are: what it keeps in
        variables ends with it, so the second of two such servers, one after the other, is the first one restarted. Both
        see the same workspace. What it prints is lost, and the fork has none of the sockets that were open before.
        """
        try:
            code = _driver(source)
        except SyntaxError as error:
            raise DriverError(f"the check's own driver is not Python: {error}") from None
        if "app" not in code.co_names:
            raise DriverError("the check's own driver defines no function `app(**inputs)`")
        question = {"do": "serve_aiohttp", "source": source, "inputs": inputs, "timeout": timeout}
        return self._served({**question, "own_process": own_process}, "your app")

    def _served(self, question: Question, about: str) -> Served:
        match self._value(question, about):
            case {"url": str(url), "id": int(number)} if re.fullmatch(r"http://127\.0\.0\.1:\d+", url):
                return Served(url, lambda: self._stop(number, about), lambda what: self._look(number, what, about))
        raise AnswerError(f"{about} was not started as a server")

    def service(self, name: str, *, timeout: float = 60.0, **settings: Any) -> Served:
        """Start a real server for the student's code to use, such as `postgres` with its settings: an empty one.

        `url` of what comes back is its address; test and answer reach the same one. See `backendlab.lab.services`.
        """
        started = self._value({"do": "service", "name": name, "settings": settings, "timeout": timeout}, name)
        match started:
            case {"url": str(url), "id": int(number)}:
                return Served(url, lambda: self._stop(number, name))
        raise AnswerError(f"{name} was not started for your code")

    def _look(self, number: int, what: str, about: str) -> Any:
        try:
            return self._value({"do": "look", "id": number, "what": what, "timeout": 10.0}, about)
        except AnswerError:
            return None  # where the answer's process is gone, so is its server

    def _stop(self, number: int, file: str) -> None:
        with contextlib.suppress(AnswerError):  # where the answer's process is gone, so is its server
            self._value({"do": "stop", "id": number, "timeout": 10.0}, file)

    def _value(self, question: Question, about: str) -> Any:
        reply = self._ask(json.loads(_dump(question)))
        if "value" in reply:
            return reply["value"]
        match reply["error"]:  # what comes from another process may be anything
            case {"type": str(kind), "types": [*names], "message": str(message), **more}:
                types = tuple(str(name) for name in names)
            case _:
                raise AnswerError(f"{about} gave a reply that can't be read")
        if "NotImplementedError" in types:
            todo = "not done yet. Write your answer in the cell above, run it, then run this cell again."
            raise NotDone(message or todo)
        if more.get("driver"):
            about = "the check, going on with what your code gave,"
        said = f"{about} {more['said']}" if "said" in more else f"{about} raised {kind}: {message}"
        if more.get("where"):
            said += f"\n{more['where']}"
        raise AnswerError(said, kind, types, message)


@functools.lru_cache(maxsize=8)  # a test asks the same driver about case after case
def _driver(source: str) -> CodeType:
    return compile(inspect.cleandoc(source), "<driver>", "exec")


def _not_javascript(source: str) -> str:
    """What Node says of an ES module that it can't parse, or nothing."""
    from backendlab import parts

    words = [str(parts.node()), "--input-type=module", "--check", "-"]
    checked = subprocess.run(words, input=inspect.cleandoc(source).encode(), capture_output=True, check=False)
    return "" if checked.returncode == 0 else checked.stderr.decode(errors="replace").partition("\n    at ")[0]


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _short(value: Any, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"


# ---- where the student's code is ------------------------------------------------------------------------------------


class Answers:
    """The student's side: a namespace of variables, a workspace of files, and the servers started from it."""

    def __init__(self, namespace: MutableMapping[str, Any], failed: Mapping[str, Any] | None = None):
        self.namespace = namespace
        self.failed = failed  # what the answer's own cell raised, if it did: says why a name is missing
        self.servers: dict[int, Any] = {}
        self.numbers = itertools.count(1)

    def reply(self, question: Question) -> Reply:
        """Answer one question. Never raises for what the student's code does, only when the kernel is interrupted."""
        do = getattr(self, f"_{question['do']}")
        if question["do"] in ("get", "call", "drive"):
            return _in_thread(lambda: do(question), question["timeout"])
        return json.loads(_reply(lambda: do(question), Exception))

    def close(self) -> None:
        for server in self.servers.values():
            server.stop()
        self.servers.clear()

    def _why_missing(self, name: str) -> dict[str, Any]:
        if self.failed is not None:
            return dict(self.failed)
        kind = f"`{name}` is not defined yet. Write your answer in the cell above, run it, then run this cell again."
        return {"type": "NotImplementedError", "types": ["NotImplementedError"], "message": kind}

    def _look_up(self, name: str) -> Any:
        if name not in self.namespace:
            raise _Raised(self._why_missing(name))
        return self.namespace[name]

    def _get(self, question: Question) -> Any:
        return self._look_up(question["name"])

    def _call(self, question: Question) -> Any:
        function = self._look_up(question["name"])
        return _settled(lambda: function(*question["args"], **question["kwargs"]), question["timeout"])

    def _drive(self, question: Question) -> Any:
        scope = dict(self.namespace)
        try:
            exec(_driver(question["source"]), scope)
            return _settled(lambda: scope["driver"](**question["inputs"]), question["timeout"])
        except NameError as error:
            asked_by_driver = traceback.extract_tb(error.__traceback__)[-1].filename == "<driver>"
            if asked_by_driver and error.name and error.name not in self.namespace:
                raise _Raised(self._why_missing(error.name)) from None
            raise

    def _node(self, question: Question) -> Any:
        from backendlab.lab import node, process

        folder = process.workspace()
        # Names that the answer's code can't know: what it writes or breaks off is not a report.
        driver, inputs, report = (folder / f".driver-{secrets.token_hex(8)}.{end}" for end in ("mjs", "json", "report"))
        driver.write_text(inspect.cleandoc(question["source"]), encoding="utf-8")
        inputs.write_text(_dump({"driver": str(driver), "report": str(report), "inputs": question["inputs"]}))
        try:
            ended = node.run(str(HARNESS), inputs, flags=question["flags"], timeout=question["timeout"], check=False)
            print(ended.stdout[-LONGEST_MESSAGE:], end="")  # for a learner who looks for a mistake with console.log
            return _read_report(report, ended)
        except node.NodeTimeout:
            raise _late(question["timeout"]) from None
        except node.NodeError as error:
            raise AnswerError(f"was stopped: {error}", "Exit") from None
        finally:
            for file in (driver, inputs, report):
                file.unlink(missing_ok=True)

    def _serve(self, question: Question) -> Any:
        from backendlab.lab import node, process

        if not (process.workspace() / question["file"]).exists():
            raise _Raised(self._why_missing(question["file"]))
        return self._keep(lambda: node.start(question["file"], timeout=question["timeout"]))

    def _serve_node(self, question: Question) -> Any:
        from backendlab.lab import node, process

        folder = process.workspace()
        driver, inputs = (folder / f".driver-{secrets.token_hex(8)}.{end}" for end in ("mjs", "json"))
        driver.write_text(inspect.cleandoc(question["source"]), encoding="utf-8")
        inputs.write_text(_dump({"driver": str(driver), "inputs": question["inputs"]}))
        try:
            return self._keep(lambda: node.start(str(HOST), inputs, timeout=question["timeout"]))
        finally:
            for file in (driver, inputs):
                file.unlink(missing_ok=True)

    def _serve_aiohttp(self, question: Question) -> Any:
        scope = dict(self.namespace)

        def make() -> Any:
            exec(_driver(question["source"]), scope)
            return scope["app"](**question["inputs"])

        def serve() -> _Aiohttp:
            try:
                return _Aiohttp(make, question["timeout"])
            except NameError as error:
                asked_by_driver = traceback.extract_tb(error.__traceback__)[-1].filename == "<driver>"
                if asked_by_driver and error.name and error.name not in self.namespace:
                    raise _Raised(self._why_missing(error.name)) from None
                raise

        return self._keep(lambda: _Apart(serve, question["timeout"]) if question["own_process"] else serve())

    def _keep(self, start: Callable[[], Any]) -> dict[str, Any]:
        """Start a server and keep it under a number."""
        from backendlab.lab import process

        try:
            server = start()
        except process.StartError as error:
            if said := STUB.search(str(error)):
                raise NotImplementedError(str(error)[said.end() :].partition("\n")[0].lstrip("]: ")) from None
            raise AnswerError(f"was started to listen on process.env.PORT: {error}", "StartError") from None
        number = next(self.numbers)
        self.servers[number] = server
        return {"url": server.url, "id": number}

    def _look(self, question: Question) -> Any:
        from backendlab.lab import memory

        server = self.servers[question["id"]]
        match question["what"]:
            case "alive":
                return server.alive
            case "log":
                return server.output()[-100_000:]
            case "anew":
                memory.forget_peak(server.pid)
        return memory.peak(server.pid)

    def _service(self, question: Question) -> Any:
        if question["name"] not in SERVICES:
            raise ValueError(f"there is no service {question['name']!r}, only {', '.join(SERVICES)}")
        module = importlib.import_module(f"backendlab.lab.services.{question['name']}")
        opened = contextlib.ExitStack()
        url = opened.enter_context(module.database(**question["settings"]))
        number = next(self.numbers)
        self.servers[number] = _Opened(opened.close)
        return {"url": url, "id": number}

    def _stop(self, question: Question) -> Any:
        if server := self.servers.pop(question["id"], None):
            server.stop()


class _Opened:
    """What a service gave, with the way to end it."""

    def __init__(self, stop: Callable[[], object]):
        self.stop = stop


class _Aiohttp:
    """An aiohttp app that serves from a thread with a loop of its own. Raises what making the app raises."""

    def __init__(self, make: Callable[[], Any], timeout: float):
        self.pid, self.url = os.getpid(), ""
        self._lines: list[str] = []
        self._error: BaseException | None = None
        self._up, self._over = threading.Event(), threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, args=(make,), daemon=True, name="student")
        self._thread.start()
        if not self._up.wait(timeout):
            self.stop()
            raise _late(timeout)
        if self._error is not None:
            raise self._error

    def _run(self, make: Callable[[], Any]) -> None:
        with contextlib.suppress(_Stopped):
            try:
                asyncio.run(self._serve(make))
            except BaseException as error:
                self._error = error
            finally:
                self._up.set()
                self._over.set()

    async def _serve(self, make: Callable[[], Any]) -> None:
        from aiohttp import web

        made = make()
        app = await made if inspect.isawaitable(made) else made
        if not isinstance(app, web.Application):
            raise TypeError(f"expected a web.Application, got {type(app).__name__}")
        handler = _Lines(self._lines)
        logger = logging.Logger("student")  # of its own: nobody else's log is in it
        logger.addHandler(handler)
        runner = web.AppRunner(app, logger=logger, access_log=None, shutdown_timeout=0.5)
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        try:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._up.set()
            await self._end.wait()
        finally:
            await runner.cleanup()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def output(self) -> str:
        return "\n".join(self._lines)

    def stop(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is closed
                self._loop.call_soon_threadsafe(self._end.set)
            self._over.wait(3.0)
        for _ in range(5):
            if self._over.is_set():
                break
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(_Stopped)
            )
            self._over.wait(0.05)


class _Apart:
    """The same in a fork of this process, which ends with `stop`, and at the latest when this process is gone.

    Raises what making the app raised there.
    """

    def __init__(self, serve: Callable[[], _Aiohttp], timeout: float):
        from backendlab.lab import process

        folder = process.workspace()
        self._line, theirs = socket.socketpair()
        self._said = self._line.makefile("rb")
        self._over = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of this process's threads: the fork uses none of them
            self.pid = os.fork()
        if self.pid == 0:
            try:
                _be_apart(serve, theirs, folder)
            finally:
                os._exit(0)
        theirs.close()
        try:
            self._line.settimeout(timeout + REMOTE_PATIENCE)
            try:
                said = self._said.readline()
            except TimeoutError:
                raise _late(timeout) from None
            if not said.endswith(b"\n"):
                raise AnswerError("ended the process that was to serve", "Exit")
            started = json.loads(said)
            if "error" in started:
                raise _Raised(started["error"])
            self.url = started["url"]
        except BaseException:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        if not self._over:
            try:
                self._over = os.waitpid(self.pid, os.WNOHANG)[0] != 0
            except ChildProcessError:  # somebody else has waited for it
                self._over = True
        return not self._over

    def output(self) -> str:
        with contextlib.suppress(OSError, ValueError):  # it has ended
            self._line.sendall(b"log\n")
            return str(json.loads(self._said.readline()))
        return ""

    def stop(self) -> None:
        self._said.close()
        self._line.close()  # its word to end
        last = time.monotonic() + 4.0
        while self.alive and time.monotonic() < last:
            time.sleep(0.002)
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self._over = True


def _be_apart(serve: Callable[[], _Aiohttp], line: socket.socket, folder: Path) -> None:
    """In a fresh fork: serve, tell the log when asked for it, and end when the other end of the line closes."""
    from backendlab.lab import process

    atexit._clear()  # the parent's farewells are not ours
    signal.set_wakeup_fd(-1)  # nor are its signals; an interrupt of the notebook is for the notebook
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stderr = open(null, "w", closefd=False)  # noqa: SIM115
    for number in [int(one.name) for one in Path("/dev/fd").iterdir()]:
        with contextlib.suppress(OSError):
            if number != line.fileno() and stat.S_ISSOCK(os.fstat(number).st_mode):
                # The parent's connection. Its number stays taken: what has it here may close it at any time.
                os.dup2(null, number, inheritable=False)
    process.share(folder)
    try:
        server = serve()
    except BaseException as error:
        line.sendall(_dump({"error": describe(error)}).encode() + b"\n")
        return
    line.sendall(_dump({"url": server.url}).encode() + b"\n")
    with line.makefile("rb") as asked:
        while asked.readline():
            line.sendall(_dump(server.output()[-100_000:]).encode() + b"\n")
    server.stop()
    atexit._run_exitfuncs()  # ends what this process has started


class _Lines(logging.Handler):
    """Keeps what is logged, up to a thousand records."""

    def __init__(self, lines: list[str]):
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) < 1000:
            self._lines.append(self.format(record)[:LONGEST_MESSAGE])


class _Raised(Exception):
    """An error that is described already, on its way to become a reply."""

    def __init__(self, error: dict[str, Any]):
        super().__init__(error["message"])
        self.error = error


def _late(seconds: float) -> AnswerError:
    return AnswerError(f"did not end within {seconds:g} s", "TimeoutError", ("TimeoutError", "OSError", "Exception"))


def _read_report(report: Path, ended: subprocess.CompletedProcess[str]) -> Any:
    """The value that js/harness.mjs reported; raises what it reported instead, or how Node ended before it could."""
    if not report.exists():
        last = "\n".join([line for line in ended.stderr.splitlines() if line.strip()][-12:])
        if ended.returncode == 13:
            said = "left the check waiting for a promise that is never settled"
        else:
            said = f"made Node end (status {ended.returncode}) before the check was over:\n{last}"
        raise AnswerError(said, "Exit", ("Exit",), last)
    if report.stat().st_size > LARGEST_REPLY:
        raise AnswerError(f"gave more than {LARGEST_REPLY >> 20} MiB of data", "ValueError")
    reply = json.loads(report.read_text(encoding="utf-8", errors="replace"))
    if "error" in reply:
        raise _Raised(reply["error"])
    return reply["value"]


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: its class, the class's bases, its message, and the student's own lines of it."""
    if isinstance(error, _Raised):
        return error.error
    if isinstance(error, AnswerError):
        return {"type": error.type, "types": error.types, "message": error.message, "said": str(error)}
    try:
        message = str(error)[:LONGEST_MESSAGE]
    except Exception as second:
        message = f"(its text can't be shown: {type(second).__name__})"
    names = [str(kind.__name__)[:200] for kind in type(error).__mro__ if kind is not object]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_library(frame.filename)]
    own = [frame for frame in frames if frame.filename != "<driver>"]
    where = "\n".join(f"  line {frame.lineno}, in {frame.name}: {frame.line or ''}"[:300] for frame in own[-3:])
    told: dict[str, Any] = {"type": names[0], "types": names, "message": message, "where": where}
    if frames and frames[-1].filename == "<driver>":
        told["driver"] = True  # the student's code had returned; what it gave may still be why
    return told


def _is_library(filename: str) -> bool:
    folders = (sys.prefix, sys.base_prefix, Path(__file__).parent)
    return filename.startswith("<frozen ") or any(filename.startswith(f"{folder}/") for folder in folders)


def _reply(function: Callable[[], Any], expected: type[BaseException]) -> str:
    """The JSON of a reply: what `function` returns, or what it raises, if that is of the `expected` kind."""
    try:
        value = function()
    except expected as error:
        return _dump({"error": describe(error)})
    try:
        text = _dump({"value": value})
    except expected as error:  # an object may run the student's code while it is looked at
        said = f"gave something that is not plain data (numbers, text, lists, dicts): {str(error)[:LONGEST_MESSAGE]}"
        return _dump({"error": {"type": "TypeError", "types": ["TypeError"], "message": said, "said": said}})
    said = ""
    if len(text) > LARGEST_REPLY:
        said = f"gave more than {LARGEST_REPLY >> 20} MiB of data"
    elif _deeper(json.loads(text)["value"], DEEPEST_REPLY):
        said = f"gave data nested more than {DEEPEST_REPLY} deep"
    if said:
        return _dump({"error": {"type": "ValueError", "types": ["ValueError"], "message": said, "said": said}})
    return text


def _deeper(value: Any, most: int) -> bool:
    """Are there lists and dicts in one another, more than `most` deep?"""
    level = [value]
    for _ in range(most + 1):
        level = [one for one in level if isinstance(one, dict | list)]
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return bool(level)


def _settled(function: Callable[[], Any], timeout: float) -> Any:
    """What a function returns, awaited where that is to be awaited. It may use `asyncio.run` itself."""

    async def within(make: Callable[[], Any]) -> Any:
        async with asyncio.timeout(timeout + 0.1):  # then nobody waits any more, and its tasks are to end
            value = make()
            return await value if inspect.isawaitable(value) else value

    try:
        value = function()
    except RuntimeError as error:
        if not re.search(r"no (running|current) event loop", str(error)):
            raise
        return asyncio.run(within(function))  # such as `def f(): return asyncio.gather(…)`
    return asyncio.run(within(lambda: value)) if inspect.isawaitable(value) else value


class _Stopped(BaseException):
    """Put into a student's thread that nobody waits for any more."""


def _in_thread(function: Callable[[], Any], timeout: float) -> Reply:
    """The reply of a function that runs in a thread: the notebook's own event loop is busy running the check's cell."""
    text: list[str] = []
    done = threading.Event()  # `Thread.join` doesn't survive an interrupt (Python 3.11: the thread counts as alive)

    def target() -> None:
        with contextlib.suppress(_Stopped):
            try:
                text.append(_reply(function, BaseException))
            finally:
                done.set()

    thread = threading.Thread(target=target, daemon=True, name="student")
    thread.start()
    try:
        done.wait(timeout)
        return json.loads(text[0]) if text else {"error": describe(_late(timeout))}
    finally:  # too late, or the kernel was interrupted: a busy loop must not go on for ever
        for _ in range(5):
            if done.is_set():
                break
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stopped))
            done.wait(0.05)


# ---- the two places -------------------------------------------------------------------------------------------------


def local(namespace: MutableMapping[str, Any]) -> Student:
    """The student whose answers are these variables (a notebook's own) and the files of this kernel's workspace."""
    return Student(Answers(namespace).reply)


def serve_questions(stream: Any, answers: Answers) -> None:
    """Answer questions, one JSON line each, until the other end closes."""
    with contextlib.closing(answers):
        for line in stream:
            question = json.loads(line)
            stream.write(_dump({"number": question["number"], **answers.reply(question)}).encode() + b"\n")
            stream.flush()


def remote(connection: socket.socket, why: Callable[[], str] = str) -> Student:
    """The student at the other end of a socket. A dead or silent end is an error of the answer, not of the grader.

    `why` may know why it is dead, and is asked then.
    """
    numbers = itertools.count()
    received = b""

    def next_line(deadline: float) -> bytes:
        nonlocal received
        if time.monotonic() > deadline:
            raise TimeoutError  # replies came all the time, none to the question
        while b"\n" not in received:
            if len(received) > 2 * LARGEST_REPLY:
                raise ConnectionError("it doesn't stop")
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = connection.recv(1 << 16)
            if not chunk:
                raise ConnectionError("it is closed")
            received += chunk
        line, _, received = received.partition(b"\n")
        return line

    def ask(question: Question) -> Reply:
        number = next(numbers)
        deadline = time.monotonic() + question["timeout"] + REMOTE_PATIENCE
        try:
            connection.settimeout(question["timeout"] + REMOTE_PATIENCE)
            connection.sendall(_dump({**question, "number": number}).encode() + b"\n")
            while True:
                reply = json.loads(next_line(deadline), parse_constant=_refuse, parse_float=_finite)
                if _deeper(reply, DEEPEST_REPLY + 1):
                    raise ValueError("nested too deep")
                if reply["number"] == number and ("value" in reply or "error" in reply):
                    return reply
                # else it is the late reply to an earlier question
        except TimeoutError:
            return {"error": describe(_late(question["timeout"]))}
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return {"error": describe(AnswerError(why() or "ended the process that was to answer", "Exit"))}

    return Student(ask)


def workspace_files() -> tuple[Path, dict[str, bytes]]:
    """This process's workspace and the files that set-up cells have put there, by their path in it."""
    from backendlab.lab import process

    folder = process.workspace()
    there = [path for path in folder.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    return folder, {str(path.relative_to(folder)): path.read_bytes() for path in there}


def confine(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` this process's workspace, with these files in it; see `process.confine`."""
    from backendlab.lab import process

    process.confine(folder)
    _write(folder, files)


def bring(files: Mapping[str, bytes]) -> None:
    """Write these files into a workspace of this process's own."""
    from backendlab.lab import process

    _write(process.workspace(), files)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
