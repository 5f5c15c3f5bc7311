"""A real Jupyter kernel for tests, and what is left of it: processes and directories, found by a token of its own."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import time
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import KernelManager

from backendlab.parts import ROOT


def until(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Ask until it holds, and return what it gave the last time."""
    deadline = time.monotonic() + seconds
    while not (came := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return came


def living(token: str) -> dict[int, str]:
    """The processes that have the token in their environment or command line, by number."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            marked = process.environ().get("BACKENDLAB_TEST") == token or token in words
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(words)[:200]
    return found


@dataclass
class Ran:
    """What a cell gave: its streams, and the error that the notebook shows."""

    stdout: str = ""
    stderr: str = ""
    error: str = ""
    traceback: list[str] = field(default_factory=list)


class Kernel:
    """A kernel with temporary files of its own. `with Kernel(tmp_path) as kernel: kernel.run("1 + 1")`."""

    def __init__(self, folder: Path):
        self.token = uuid.uuid4().hex
        self.tmp = folder / self.token[:6]
        self.tmp.mkdir()
        extra = {"TMPDIR": str(self.tmp), "BACKENDLAB_TEST": self.token, "PYTHONPATH": str(ROOT)}
        self.manager = KernelManager()
        self.manager.start_kernel(env={**os.environ, **extra, "IPYTHONDIR": str(folder / "ipython")})
        self._connect()

    def _connect(self) -> None:
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    @property
    def pid(self) -> int:
        return self.manager.provisioner.pid

    def begin(self, code: str) -> str:
        return self.client.execute(code)

    def read(self, cell: str, stop: str = "", ran: Ran | None = None, seconds: float = 90.0) -> Ran:
        """Read what a cell gives, to its end or until `stop` stands in its standard output; `queue.Empty` when late."""
        ran = ran or Ran()
        deadline = time.monotonic() + seconds
        while not (stop and stop in ran.stdout):
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                setattr(ran, content["name"], getattr(ran, content["name"]) + content["text"])
            elif message["msg_type"] == "error":
                ran.error, ran.traceback = f"{content['ename']}: {content['evalue']}", content["traceback"]
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        return ran

    def run(self, code: str) -> Ran:
        return self.read(self.begin(code))

    def value(self, expression: str) -> str:
        ran = self.run(f"print({expression}, end='')")
        assert not ran.error, ran.error
        return ran.stdout

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def interrupted(self, cell: str) -> Ran:
        """Interrupt a running cell, as a person does: again, if nothing has come of it. What it gave, to its end.

        One was seen to come to nothing on a busy machine, and why is not known: so it is warned of.
        """
        self.interrupt()
        ran = Ran()
        with contextlib.suppress(queue.Empty):
            return self.read(cell, ran=ran, seconds=20.0)
        warnings.warn("an interrupt came to nothing for 20 s: the kernel is interrupted again", stacklevel=2)
        self.interrupt()
        return self.read(cell, ran=ran)

    def end(self, way: str) -> None:
        """One of the ways a kernel ends; after a restart its successor runs."""
        if way.startswith("restart"):
            self.client.stop_channels()
            self.manager.restart_kernel(now=way.endswith("now"))
            self._connect()
        elif way.startswith("shutdown"):
            self.manager.shutdown_kernel(now=way.endswith("now"))
        else:
            os.kill(self.pid, signal.SIGKILL)

    def left(self) -> dict[str, Any]:
        """What there still is, this kernel itself left out."""
        processes = living(self.token)
        if self.manager.has_kernel:
            processes.pop(self.pid, None)
        return {**processes, **{path.name: "directory" for path in self.tmp.iterdir()}}

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        for pid in living(self.token):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
