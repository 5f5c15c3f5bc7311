"""One way to own a real process: a free port of 127.0.0.1, a private directory, its output kept, and an end.

Every server that a lesson uses is started here. What is started stops when its `with` block ends (a kernel interrupt
ends the block too), on `stop()`, and when the kernel is restarted, shut down or killed with -9: then a janitor process,
which notices that its parent is gone, does it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class StartError(RuntimeError):
    """A process ended, or did not answer, while it was starting. The message ends with what it had printed."""


class _Owner:
    """This process as the owner of others: its janitor, and what it owns. Made anew after a fork."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.mark = f"{self.pid}-{uuid.uuid4().hex[:12]}"
        self.running: set[Process] = set()
        self.directories: set[Path] = set()
        self.lock = threading.Lock()
        environment = {k: v for k, v in os.environ.items() if k != "BACKENDLAB_OWNER"}
        session = self.pid if os.getsid(0) == self.pid else 0
        script = Path(__file__).with_name("_janitor.py")
        self.janitor = subprocess.Popen(
            [sys.executable, "-I", str(script), str(self.pid), self.mark, str(session)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the kernel must not end it
            env=environment,
        )
        # Whatever is started from now on carries the mark, and what a child starts inherits it.
        os.environ["BACKENDLAB_OWNER"] = self.mark
        atexit.register(self.close)

    def tell(self, verb: str, kind: str, value: object) -> None:
        assert self.janitor.stdin is not None
        with self.lock, contextlib.suppress(BrokenPipeError, ValueError):
            self.janitor.stdin.write(json.dumps({verb: kind, "value": value}).encode() + b"\n")
            self.janitor.stdin.flush()

    def close(self) -> None:
        if os.getpid() != self.pid:
            return  # a forked child must not stop its parent's servers
        for process in list(self.running):
            process.stop(grace=1.0)
        for directory in list(self.directories):
            remove_directory(directory)
        with contextlib.suppress(OSError):
            assert self.janitor.stdin is not None
            self.janitor.stdin.close()


_owner: _Owner | None = None


def _own() -> _Owner:
    global _owner, _workspace
    if _owner is None or _owner.pid != os.getpid():
        _owner, _workspace = _Owner(), None
    return _owner


def free_port() -> int:
    """A TCP port of 127.0.0.1 that no one listens on now. Take it soon: nothing holds it for you."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def private_directory(prefix: str = "backendlab-") -> Path:
    """A new directory that only this user can enter, removed when the kernel ends, however it ends."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    owner = _own()
    owner.directories.add(directory)
    owner.tell("add", "dir", str(directory))
    return directory


def remove_directory(directory: Path) -> None:
    """Remove a directory of `private_directory` before the kernel ends."""
    shutil.rmtree(directory, ignore_errors=True)
    owner = _own()
    owner.directories.discard(directory)
    owner.tell("drop", "dir", str(directory))


_workspace: Path | None = None


def workspace() -> Path:
    """This kernel's own directory: where `%%node` runs, where `--save` writes; npm packages resolve from here."""
    global _workspace
    _own()
    if _workspace is None or not _workspace.exists():
        from backendlab import parts

        _workspace = private_directory("backendlab-work-")
        (_workspace / "node_modules").symlink_to(parts.node_modules(), target_is_directory=True)
    return _workspace


class Process:
    """A running process that belongs to this kernel. Made by `start`; use it in a `with` block, or call `stop`.

    Attributes: `pid`; `directory`, private to it and removed with it; `port` and `url` when it was given a port.
    """

    def __init__(self, argv: Sequence[str], popen: subprocess.Popen[bytes], directory: Path, port: int | None):
        self.argv, self.popen, self.directory, self.port = list(argv), popen, directory, port
        self.pid = popen.pid
        self.log = directory / "output.log"
        self._kept = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the signal's number if a signal ended it."""
        return self.popen.poll()

    def output(self) -> str:
        """What it has printed so far, standard output and standard error together."""
        return self.log.read_text(errors="replace") if self.log.exists() else self._kept

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status; `subprocess.TimeoutExpired` after `timeout` seconds."""
        return self.popen.wait(timeout)

    def stop(self, grace: float = 3.0) -> int:
        """End the process and all that it started: SIGTERM, and SIGKILL after `grace` seconds. Safe to call twice."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(patience)
                if number == signal.SIGTERM:
                    continue  # its children may heed nothing but SIGKILL
                break
        self._kept = self.output()
        owner = _own()
        owner.running.discard(self)
        owner.tell("drop", "group", self.pid)
        remove_directory(self.directory)
        return self.popen.returncode

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self.alive else f"ended with {self.returncode}"
        return f"<{Path(self.argv[0]).name} {self.pid}, {state}{f', {self.url}' if self.port else ''}>"


def accepts(port: int) -> bool:
    """Does anyone accept TCP connections on this port of 127.0.0.1?"""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    port: bool = False,
    ready: Callable[[Process], bool] | None = None,
    timeout: float = 20.0,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Process:
    """Start `argv` and return when it is ready.

    With `port=True` it is given a free port in the environment variable `PORT`, and is ready when it accepts
    connections there. `ready` is asked every 20 ms instead, when given. `env` is added to this process's environment;
    `cwd` is the process's private directory unless said otherwise. Raises `StartError` if it ends early or is not
    ready after `timeout` seconds, and leaves nothing running then.
    """
    owner = _own()
    directory = private_directory()
    number = free_port() if port else None
    words = [os.fspath(word) for word in argv]
    environment = {**os.environ, **(env or {}), **({"PORT": str(number)} if port else {})}
    with (directory / "output.log").open("ab") as log:
        try:
            popen = subprocess.Popen(
                words,
                cwd=cwd or directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt goes to the kernel's group, and must not end a server with it
            )
        except OSError as error:
            remove_directory(directory)
            raise StartError(f"{words[0]} could not be started: {error}") from None
    process = Process(words, popen, directory, number)
    owner.running.add(process)
    owner.tell("add", "group", process.pid)
    if ready is None and number is not None:
        taken = number
        ready = lambda process: accepts(taken)  # noqa: E731
    try:
        _wait_until_ready(process, ready, timeout)
    except BaseException:
        process.stop(grace=0.5)
        raise
    return process


def _wait_until_ready(process: Process, ready: Callable[[Process], bool] | None, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    name = Path(process.argv[0]).name
    while ready is not None and not ready(process):
        if not process.alive:
            said = process.output().strip() or "(nothing)"
            raise StartError(f"{name} ended with status {process.returncode} before it was ready. It printed:\n{said}")
        if time.monotonic() > deadline:
            where = f" on port {process.port} (environment variable PORT)" if process.port else ""
            said = process.output().strip() or "(nothing)"
            raise StartError(f"{name} did not answer{where} within {timeout:g} s. It printed:\n{said}")
        time.sleep(0.02)
