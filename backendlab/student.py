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
import contextlib
import inspect
import json
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

Question = dict[str, Any]
Reply = dict[str, Any]

LARGEST_REPLY = 4 << 20  # bytes of JSON; an answer is plain data, not a way to fill the grader's memory
HARNESS = Path(__file__).parent / "lab" / "js" / "harness.mjs"


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


class Served:
    """A server of the student's, running. Use it in a `with` block, or call `stop`."""

    def __init__(self, url: str, stop: Callable[[], object]):
        self.url, self.stop = url, stop

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


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
        return self._value({"do": "drive", "source": source, "inputs": inputs, "timeout": timeout}, "your code")

    def node(self, source: str, /, *, timeout: float = 20.0, flags: list[str] | None = None, **inputs: Any) -> Any:
        """Run a JavaScript driver beside the files the student saved, in a Node process of its own; return its report.

        `source` is an ES module: it imports the student's file (`import { f } from './answer.mjs'`) and has a default
        export `async (inputs) => report`.
        """
        question = {"do": "node", "source": source, "inputs": inputs, "flags": flags or [], "timeout": timeout}
        return self._value(question, "your code")

    def serve(self, file: str, *, timeout: float = 10.0) -> Served:
        """Start the Node server that the student saved as `file` (it listens on `process.env.PORT`)."""
        started = self._value({"do": "serve", "file": file, "timeout": timeout}, file)
        return Served(started["url"], lambda: self._value({"do": "stop", "id": started["id"], "timeout": 10.0}, file))

    def _value(self, question: Question, about: str) -> Any:
        reply = json.loads(_dump(self._ask(json.loads(_dump(question)))))
        if "value" in reply:
            return reply["value"]
        error = reply["error"]
        if "NotImplementedError" in error["types"]:
            raise NotDone(
                "not done yet. Write your answer in the cell above, run it, then run this cell again."
                if not error["message"]
                else error["message"]
            )
        said = f"{about} {error['said']}" if "said" in error else f"{about} raised {error['type']}: {error['message']}"
        if error.get("where"):
            said += f"\n{error['where']}"
        raise AnswerError(said, error["type"], tuple(error["types"]), error["message"])


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

    def reply(self, question: Question) -> Reply:
        """Answer one question. Never raises for what the student's code does."""
        try:
            value = getattr(self, f"_{question['do']}")(question)
        except _Missing as missing:
            return {"error": self._why_missing(missing.name)}
        except AnswerError as error:
            said = str(error)
            return {"error": {"type": error.type, "types": error.types, "message": error.message, "said": said}}
        except BaseException as error:
            return {"error": describe(error)}
        try:
            text = _dump(value)
        except (TypeError, ValueError, RecursionError) as error:
            said = f"gave something that is not plain data (numbers, text, lists, dicts): {error}"
            return {"error": {"type": "TypeError", "types": ["TypeError"], "message": str(error), "said": said}}
        if len(text) > LARGEST_REPLY:
            said = f"gave more than {LARGEST_REPLY >> 20} MiB of data"
            return {"error": {"type": "ValueError", "types": ["ValueError"], "message": said, "said": said}}
        return {"value": json.loads(text)}

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
            raise _Missing(name)
        return self.namespace[name]

    def _get(self, question: Question) -> Any:
        return self._look_up(question["name"])

    def _call(self, question: Question) -> Any:
        function = self._look_up(question["name"])
        return _in_thread(lambda: function(*question["args"], **question["kwargs"]), question["timeout"])

    def _drive(self, question: Question) -> Any:
        scope = dict(self.namespace)
        exec(compile(inspect.cleandoc(question["source"]), "<driver>", "exec"), scope)
        try:
            return _in_thread(lambda: scope["driver"](**question["inputs"]), question["timeout"])
        except NameError as error:
            if error.name and error.name not in self.namespace:
                raise _Missing(error.name) from None
            raise

    def _node(self, question: Question) -> Any:
        from backendlab.lab import node, process

        folder = process.workspace()
        driver, inputs, report = (folder / f".driver.{end}" for end in ("mjs", "json", "report.json"))
        driver.write_text(inspect.cleandoc(question["source"]))
        inputs.write_text(_dump(question["inputs"]))
        report.unlink(missing_ok=True)
        try:
            ended = node.run(str(HARNESS), flags=question["flags"], timeout=question["timeout"], check=False)
        except node.NodeTimeout:
            raise _late(question["timeout"]) from None
        if not report.exists():
            last = [line for line in ended.stderr.strip().splitlines() if line.strip()][-12:]
            said = f"made Node end (status {ended.returncode}) before the check was over:\n" + "\n".join(last)
            raise AnswerError(said, "Exit", ("Exit",), "\n".join(last))
        if report.stat().st_size > LARGEST_REPLY:
            raise AnswerError(f"gave more than {LARGEST_REPLY >> 20} MiB of data", "ValueError")
        reply = json.loads(report.read_text())
        if "error" in reply:
            raise _Raised(reply["error"])
        return reply["value"]

    def _serve(self, question: Question) -> Any:
        from backendlab.lab import node, process

        if not (process.workspace() / question["file"]).exists():
            raise _Missing(question["file"])
        server = node.start(question["file"], timeout=question["timeout"])
        self.servers[server.pid] = server
        return {"url": server.url, "id": server.pid}

    def _stop(self, question: Question) -> Any:
        if server := self.servers.pop(question["id"], None):
            server.stop()


class _Missing(Exception):
    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


class _Raised(Exception):
    """An error that happened in Node, on its way to become a reply."""

    def __init__(self, error: dict[str, Any]):
        super().__init__(error["message"])
        self.error = error


def _late(seconds: float) -> AnswerError:
    return AnswerError(f"did not end within {seconds:g} s", "TimeoutError", ("TimeoutError", "OSError", "Exception"))


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: its class, the class's bases, its message, and the student's own lines of it."""
    if isinstance(error, _Raised):
        return error.error
    foreign = (sys.prefix, sys.base_prefix, str(Path(__file__).parent))
    own = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(foreign)]
    where = "\n".join(f"  line {frame.lineno}, in {frame.name}: {frame.line or ''}" for frame in own[-3:])
    names = [kind.__name__ for kind in type(error).__mro__ if kind is not object]
    return {"type": type(error).__name__, "types": names, "message": str(error), "where": where}


def _in_thread(function: Callable[[], Any], timeout: float) -> Any:
    """Run in a thread with an event loop of its own: the notebook's own loop is busy running the check's cell."""
    result: dict[str, Any] = {}

    async def call() -> Any:
        value = function()
        return await value if inspect.isawaitable(value) else value

    def target() -> None:
        try:
            result["value"] = asyncio.run(call())
        except BaseException as error:
            result["error"] = error

    thread = threading.Thread(target=target, daemon=True, name="student")
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise _late(timeout)
    if "error" in result:
        raise result["error"]
    return result["value"]


# ---- the two places -------------------------------------------------------------------------------------------------


def local(namespace: MutableMapping[str, Any]) -> Student:
    """The student whose answers are these variables (a notebook's own) and the files of this kernel's workspace."""
    answers = Answers(namespace)
    return Student(lambda question: json.loads(json.dumps(answers.reply(question))))


def serve_questions(connection: socket.socket, answers: Answers) -> None:
    """Answer questions, one JSON line each, until the other end closes."""
    with connection, connection.makefile("rwb") as stream, contextlib.closing(answers):
        for line in stream:
            stream.write(json.dumps(answers.reply(json.loads(line))).encode() + b"\n")
            stream.flush()


def remote(connection: socket.socket) -> Student:
    """The student at the other end of a socket. A dead or silent end is an error of the answer, not of the grader."""
    stream = connection.makefile("rwb")

    def ask(question: Question) -> Reply:
        gone = {"type": "Exit", "types": ["Exit"], "message": "", "said": "ended the process that was to answer"}
        connection.settimeout(question["timeout"] + 5.0)  # the other end has its own limit, and says so more kindly
        try:
            stream.write(_dump(question).encode() + b"\n")
            stream.flush()
            line = stream.readline(2 * LARGEST_REPLY)
        except TimeoutError:
            late = _late(question["timeout"])
            return {"error": {"type": late.type, "types": late.types, "message": str(late), "said": str(late)}}
        except OSError:
            return {"error": gone}
        try:
            reply = json.loads(line)
        except ValueError:
            return {"error": gone}
        return reply if isinstance(reply, dict) and ("value" in reply or "error" in reply) else {"error": gone}

    return Student(ask)
