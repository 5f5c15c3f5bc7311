"""Real processes that are killed with -9 by the hundred: each is forked from a warm parent, so that a start is cheap.

A worker's function takes `at` first and calls `at(point, note)` wherever it has come to a point worth dying at:

    %%workspace workers.py
    def work(at, address):
        at("connected")
        ...
        at("committed", "order 7")

    with lives.Lives("workers.py") as workers:
        workers.live("work", address, at="committed")   # dies there, by SIGKILL
        workers.live("work", address, at="committed", after=0.001)  # is killed from outside, 1 ms later
        workers.live("work", address)                   # lives on until it returns

Threads may call `live` at the same time.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backendlab.lab import process


class LifeError(RuntimeError):
    """A worker raised, or did not end in time: its own mistake, not a kill."""

    def _render_traceback_(self) -> list[str]:
        return [f"LifeError: {self}"]


@dataclass(frozen=True)
class Life:
    """One life of a worker. `points`: what it passed, in order, as (name, note, seconds on the monotonic clock)."""

    pid: int
    killed: bool
    points: list[tuple[str, Any, float]]
    seconds: float

    @property
    def last(self) -> tuple[str, Any]:
        """The last point it could report, and the note it left there; ("", None) if it came to none."""
        return self.points[-1][:2] if self.points else ("", None)


class Lives:
    """The warm parent. Use it in a `with` block, or call `stop`: `files` of the workspace, or absolute paths.

    Raises `process.StartError` with what they printed if the files can't be imported.
    """

    def __init__(self, *files: str):
        script = str(Path(__file__).with_name("_lives.py"))
        self.process = process.start(
            [sys.executable, "-P", script, *files], port=True, cwd=process.workspace(), env={"PYTHONSAFEPATH": "1"}
        )
        self._own = threading.local()  # a connection for each thread
        self._streams: list[Any] = []

    def _stream(self) -> Any:
        if not hasattr(self._own, "stream"):
            with socket.create_connection(("127.0.0.1", self.process.port)) as connection:
                self._own.stream = connection.makefile("rwb")
            self._streams.append(self._own.stream)
        return self._own.stream

    def live(
        self,
        function: str,
        *args: Any,
        at: str | None = None,
        nth: int = 1,
        after: float | None = None,
        timeout: float = 20.0,
    ) -> Life:
        """Fork a process that runs `function(at, *args)`; `args` are plain values. Returns when it has ended.

        Where it comes to the point `at` for the `nth` time, it kills itself there and then; with `after`, it is killed
        from outside, that many seconds later, wherever it is. Without `at` it isn't killed. Raises `LifeError` if it
        raises, or hasn't ended after `timeout` seconds.
        """
        stream = self._stream()
        order = {"function": function, "args": args, "at": at, "nth": nth, "after": after, "timeout": timeout}
        line = b""
        with contextlib.suppress(OSError, ValueError):  # the parent is gone, or `stop` was called meanwhile
            stream.write(json.dumps(order).encode() + b"\n")
            stream.flush()
            line = stream.readline()
        if not line:
            raise LifeError(f"the workers' parent is gone: {self.process.output()[-2000:]}")
        told = json.loads(line)
        if told["error"]:
            raise LifeError(f"{function} raised {told['error']}")
        if told["ended"] == "late":
            raise LifeError(f"{function} had not ended after {timeout:g} s; last it came to {told['points'][-1:]}")
        return Life(told["pid"], told["ended"] == "killed", [tuple(point) for point in told["points"]], told["seconds"])

    def stop(self) -> None:
        self.process.stop()  # which ends every wait for an answer
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.close()

    def __enter__(self) -> Lives:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
