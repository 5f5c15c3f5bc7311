"""One way to own a real process: a free port of 127.0.0.1, a private directory, its output kept, and an end.

Every server that a lesson uses is started here. What is started stops when its `with` block ends (a kernel interrupt
ends the block too), on `stop()`, and when the kernel is restarted, shut down or killed with -9: then a janitor process,
which notices that its parent is gone, does it. Outside a `with` block it survives an interrupt of the kernel.

How the janitor finds what to end, so that no instant is left in which a process or a directory is nobody's:
every process carries its owner's mark in its environment (`BACKENDLAB_OWNER`) and every directory in its name; process
groups and forked children are told to it as well, because PostgreSQL and nginx write over their environment and a fork
shows its parent's.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

SHOWN = 1 << 20  # bytes: of a longer output, `Process.output` gives the end
SAID = 4000  # characters of the output that an error message ends with
LARGEST_LOG = 32 << 20  # bytes: the janitor cuts a log that has grown beyond this, or one loop could fill the disk


class StartError(RuntimeError):
    """A process ended, or did not answer, while it was starting. The message ends with what it had printed."""

    def _render_traceback_(self) -> list[str]:
        return [f"StartError: {self}"]  # a Python traceback would point at this module, which is not where the error is


class _Owner:
    """This process as the owner of others: its mark, its janitor, and what it runs. Made anew after a fork."""

    def __init__(self, *, confined: bool = False) -> None:
        self.pid = os.getpid()
        self.mark = uuid.uuid4().hex[:12]
        self.running: set[Process] = set()
        self.janitor: subprocess.Popen[bytes] | None = None
        self.folder = os.path.realpath(tempfile.gettempdir())  # Node names its modules by their real paths
        if confined:
            self.mark = os.environ.get("BACKENDLAB_OWNER", self.mark)  # whoever ends us looks for this one
        else:
            self._start_janitor()
        atexit.register(self.close)

    def _start_janitor(self) -> None:
        leads = os.getsid(0) == self.pid
        script = str(Path(__file__).with_name("_janitor.py"))
        arguments = [str(self.pid), self.mark, str(self.pid if leads else 0), self.folder, str(LARGEST_LOG)]
        self.janitor = subprocess.Popen(
            [sys.executable, "-P", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the kernel must not end it
            env={k: v for k, v in os.environ.items() if k not in ("BACKENDLAB_OWNER", "BACKENDLAB_RUN")},
        )
        # Whatever is started from now on carries the mark, and what a child starts inherits it.
        os.environ["BACKENDLAB_OWNER"] = self.mark

    def tell(self, **message: object) -> None:
        if self.janitor is None:
            return
        assert self.janitor.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # a janitor that was killed: all that doesn't need it goes on
            os.write(self.janitor.stdin.fileno(), json.dumps(message).encode() + b"\n")  # one short write: whole

    def close(self) -> None:
        """At exit. What is left after it, the janitor ends when it sees this process gone."""
        if os.getpid() != self.pid:
            return  # a forked child must not stop its parent's servers
        for process in list(self.running):
            process.stop(grace=1.0)
        if self.janitor is None:
            return  # directories with this mark are also others'
        for directory in Path(self.folder).glob(f"*{self.mark}*"):
            remove_directory(directory)


_owner: _Owner | None = None
# A fork's parents as owners. They are kept: given up, one would close its janitor's pipe by its number, and in a fork
# that has closed what it inherited, that may be the number of something else by now.
_inherited: list[_Owner | None] = []
_lock = threading.Lock()


def _own() -> _Owner:
    global _owner, _workspace
    with _lock:
        if _owner is None or _owner.pid != os.getpid():
            _inherited.append(_owner)
            _owner, _workspace = _Owner(), None
        return _owner


def _forked() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it
    if _owner is not None:
        _owner.tell(child=os.getpid())


os.register_at_fork(after_in_child=_forked)


@contextlib.contextmanager
def _interrupt_waits() -> Iterator[None]:
    """Hold an interrupt (SIGINT) back to the end of the block, so that no process is lost half started or ended."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python interrupts its main thread only
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        if came:
            signal.raise_signal(signal.SIGINT)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that no one listens on now. Take it soon: nothing holds it for you."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def private_directory(prefix: str = "backendlab-") -> Path:
    """A new directory that only this user can enter, removed when the kernel ends, however it ends."""
    owner = _own()
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{owner.mark}-", dir=owner.folder))


def remove_directory(directory: Path) -> None:
    """Remove a directory of `private_directory` before the kernel ends."""
    deadline = time.monotonic() + 1.0
    while directory.exists() and time.monotonic() < deadline:  # who was just killed may still be writing
        shutil.rmtree(directory, ignore_errors=True)


_workspace: Path | None = None


def workspace() -> Path:
    """This kernel's own directory: where `%%node` runs, where `--save` writes; npm packages resolve from here."""
    global _workspace
    _own()
    if _workspace is None or not _workspace.exists():
        _workspace = private_directory("backendlab-work-")
        _link_packages(_workspace)
    return _workspace


_bundles: dict[str, Path] = {}


def bundle(name: str, packages: Path) -> None:
    """Have these npm packages resolve from the workspace's folder `name`, besides those of the workspace itself.

    Here, and in every workspace made later: of a fork, of an answer's sandbox.
    """
    _bundles[name] = packages
    _link_packages(workspace())


def _link_packages(workspace: Path) -> None:
    from backendlab import parts

    for folder, packages in {"": parts.node_modules(), **_bundles}.items():
        (workspace / folder).mkdir(exist_ok=True)
        link = workspace / folder / "node_modules"
        if not link.is_symlink():
            link.symlink_to(packages, target_is_directory=True)


def confine(directory: Path) -> None:
    """Take `directory` for the workspace and start no janitor: whoever forked this process ends all that it starts.

    For a process in a sandbox, which nothing outlives; a janitor for each would cost more than what it runs.
    """
    directory.mkdir()
    _link_packages(directory)
    os.chdir(directory)
    share(directory)


def share(directory: Path) -> None:
    """In a fork: have the parent's workspace for one's own, and start no janitor; the parent's ends what is left."""
    global _owner, _workspace
    with _lock:
        _inherited.append(_owner)
        _owner, _workspace = _Owner(confined=True), directory


class Process:
    """A running process that belongs to this kernel. Made by `start`; use it in a `with` block, or call `stop`.

    Attributes: `pid`; `directory`, private to it and removed with it; `port` and `url` when it was given a port.
    """

    def __init__(
        self, argv: Sequence[str], popen: subprocess.Popen[bytes], directory: Path, port: int | None, run: str = ""
    ):
        self.argv, self.popen, self.directory, self.port = list(argv), popen, directory, port
        self.pid = popen.pid
        self.log = directory / "output.log"
        self._run, self._owner_pid = run, os.getpid()
        self._stopping, self._stopped = threading.Lock(), False
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
        """What it has printed, standard output and standard error together; of more than 1 MiB, the end."""
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - SHOWN))
                text = log.read(SHOWN).decode(errors="replace")
        except FileNotFoundError:
            return self._kept
        return f"[… {size - SHOWN} bytes before this]\n{text}" if size > SHOWN else text

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit status; `subprocess.TimeoutExpired` after `timeout` seconds."""
        return self.popen.wait(timeout)

    def stop(self, grace: float = 3.0) -> int | None:
        """End the process and all that it started: SIGTERM, and SIGKILL after `grace` seconds. Returns the status.

        Safe to call twice and from any thread. In a forked child it does nothing and returns None: the process is
        the parent's.
        """
        if os.getpid() != self._owner_pid:
            return None
        with _interrupt_waits(), self._stopping:
            if not self._stopped:
                if self.alive:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.pid, signal.SIGTERM)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.popen.wait(grace)
                self.popen.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.popen.wait(10.0)
                end_run(self._run, self.pid)
                self._kept = self.output()
                remove_directory(self.directory)
                owner = _own()
                owner.running.discard(self)
                owner.tell(drop=self.pid)
                self._stopped = True
        return self.popen.returncode

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self.alive else f"ended with {self.returncode}"
        return f"<{Path(self.argv[0]).name} {self.pid}, {state}{f', {self.url}' if self.port else ''}>"


def new_run() -> str:
    """A mark for one process and all that it starts: `{"BACKENDLAB_RUN": mark}` goes into its environment."""
    return uuid.uuid4().hex[:12]


def members(run: str, group: int = 0) -> list[psutil.Process]:
    """The living processes that carry this run's mark, or are in this process group (0: in none)."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if (group and os.getpgid(process.pid) == group) or process.environ().get("BACKENDLAB_RUN") == run:
                found.append(process)
    return found


def end_run(run: str, leader: int = 0) -> None:
    """Kill what is left of a run: what carries its mark, and the process group of `leader`, which has ended."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        reused = leader and psutil.pid_exists(leader)  # the number is another's now, and so is the group
        rest = members(run, 0 if reused else leader)
        if not rest:
            return
        for process in rest:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.01)


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
    user: int | None = None,
) -> Process:
    """Start `argv` and return when it is ready.

    With `port=True` it is given a free port in the environment variable `PORT`, and is ready when it accepts
    connections there. `ready` is asked every 20 ms instead, when given. `env` is added to this process's environment;
    `cwd` is the process's private directory unless said otherwise; `user` whom it runs as, which only root can choose.
    Raises `StartError` if it ends early or is not
    ready after `timeout` seconds, and leaves nothing running then.
    """
    owner = _own()
    number = free_port() if port else None
    directory = private_directory()
    words = [os.fspath(word) for word in argv]
    run = new_run()
    own = {"BACKENDLAB_OWNER": owner.mark, "BACKENDLAB_RUN": run, **({"PORT": str(number)} if port else {})}
    process = None
    try:
        with _interrupt_waits(), (directory / "output.log").open("ab") as log:
            popen = subprocess.Popen(
                words,
                cwd=cwd or directory,
                env={**os.environ, **(env or {}), **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt goes to the kernel's group, and must not end a server with it
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
            process = Process(words, popen, directory, number, run)
            owner.running.add(process)
            owner.tell(group=process.pid, log=str(process.log))
        _wait_until_ready(process, ready or (_listens if port else None), timeout)
    except BaseException as error:
        if process:
            process.stop(grace=0.5)
            raise
        remove_directory(directory)
        if isinstance(error, OSError):
            raise StartError(f"{words[0]} could not be started: {error}") from None
        raise
    return process


def listening(run: str, group: int = 0) -> set[int] | None:
    """The TCP ports on which the living processes of this run, or group, accept connections; None if that is hidden.

    Hidden is what runs as someone else.
    """
    ports = set()
    for member in members(run, group):
        try:
            connections = member.net_connections("tcp")
        except psutil.AccessDenied:
            return None
        except psutil.NoSuchProcess:
            continue
        ports |= {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
    return ports


def _listens(process: Process) -> bool:
    """Does the process, or one that it started, accept connections on its port? Another may have taken the port."""
    assert process.port is not None
    if not accepts(process.port):
        return False
    ports = listening(process._run, process.pid)
    return ports is None or process.port in ports


def _wait_until_ready(process: Process, ready: Callable[[Process], bool] | None, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    name = Path(process.argv[0]).name
    where = f" on 127.0.0.1:{process.port} (environment variable PORT)" if process.port else ""
    while ready is not None and not ready(process):
        said = process.output().strip()[-SAID:] or "(nothing)"
        if not process.alive:
            quietly = where and process.returncode == 0
            why = f": it did not listen{where}, and had nothing else to do" if quietly else ""
            ended = f"{name} ended with status {process.returncode} before it was ready{why}"
            raise StartError(f"{ended}. It printed:\n{said}")
        if time.monotonic() > deadline:
            elsewhere = sorted((listening(process._run, process.pid) or set()) - {process.port}) if where else []
            why = f": it listens on port {', '.join(map(str, elsewhere))} instead" if elsewhere else ""
            raise StartError(f"{name} did not answer{where} within {timeout:g} s{why}. It printed:\n{said}")
        time.sleep(0.02)
