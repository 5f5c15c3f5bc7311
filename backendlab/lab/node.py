"""Node in a notebook: the `%%node` cell, and running saved JavaScript from Python.

`%%node` runs a cell of real JavaScript or TypeScript, CommonJS or ES module (Node finds out which), in the kernel's
workspace, where the locked npm packages resolve and where `--save` puts files for other cells to import. It is
IPython's own script magic with Node's path, a time-out and errors as Node shows them.
"""

from __future__ import annotations

import collections
import contextlib
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pandas as pd
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, magics_class
from IPython.core.magic_arguments import MagicArgumentParser

from backendlab import bundles, parts
from backendlab.lab import process
from backendlab.student import NotDone

LARGEST_OUTPUT = 64 << 20  # bytes that `run` keeps; a program that prints more is stopped


class NodeError(RuntimeError):
    """Node ended with a status other than 0. What it said of itself stands above; this adds only the status."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # a Python traceback would point at this module, which is not where the error is


class NodeTimeout(NodeError):
    """Node was stopped because it ran longer than it was allowed to."""


_not_there: dict[str, str] = {}  # bundles that could not be brought, and why


def bundle(name: str) -> None:
    """Have a bundle's npm packages (npm/NAME) for what is saved in the workspace's folder NAME: `--save NAME/app.mjs`.

    They are fetched when first wanted, which needs the network once. A lesson's set-up calls this, and where there is
    no network everything else of the lesson is to work: so it says what is missing and goes on; `needs` raises it.
    """
    if said := bundles.bring(name, print):
        _not_there[name] = f"The npm packages of {name} are not here, so what needs them can't run. {said}"
        print(_not_there[name])
        return
    _not_there.pop(name, None)
    process.bundle(name, parts.bundle(name))


def needs(name: str) -> None:
    """Raise `NodeError`, with what to do, unless the bundle is there. A test calls it: no answer is to blame then."""
    if name in _not_there:
        raise NodeError(_not_there[name])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment Node runs in: the kernel's, the wheel's Node first on PATH, and no colour codes in output."""
    return {**parts.node_env(), "FORCE_COLOR": "0", "NO_COLOR": "1", **(extra or {})}


def _ending(status: int | None) -> str:
    if status is None:
        return "was stopped"
    return f"ended with signal {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def run(
    file: str,
    *args: object,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Run a file of the workspace (saved by `%%node --save`, or an absolute path) and return what it printed.

    `flags` go to Node, `args` to the program (`process.argv.slice(2)`). Raises `NodeError` with the end of its
    standard error when it fails, unless `check=False`; `NodeTimeout` after `timeout` seconds. What it started and left
    running is ended.
    """
    needs(file.partition("/")[0])
    words = [str(parts.node()), *flags, file, *map(str, args)]
    mark = process.new_run()
    workspace = process.workspace()  # before the environment is read: it marks that
    popen = None
    try:
        popen = subprocess.Popen(
            words,
            cwd=workspace,
            env={**environment(env), "BACKENDLAB_RUN": mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        out, err = _collect(popen, timeout)
    except subprocess.TimeoutExpired:
        raise NodeTimeout(f"{file} was stopped: it ran longer than {timeout:g} s.") from None
    finally:
        if popen and popen.poll() is None:
            popen.kill()
            popen.wait()
        process.end_run(mark, popen.pid if popen else 0)
    if max(len(out), len(err)) > LARGEST_OUTPUT:
        raise NodeError(f"{file} was stopped: it printed more than {LARGEST_OUTPUT >> 20} MiB.")
    done = subprocess.CompletedProcess(words, popen.returncode, _text(out), _text(err))
    if check and done.returncode != 0:
        raise NodeError(f"{file} {_ending(done.returncode)}:\n{done.stderr.strip()[-2000:]}")
    return done


def _text(printed: bytes) -> str:
    return printed.decode(errors="replace").replace("\r\n", "\n")


def _collect(popen: subprocess.Popen[bytes], timeout: float) -> tuple[bytes, bytes]:
    """Its standard output and error, up to the end or just past LARGEST_OUTPUT; `TimeoutExpired` like `wait`."""
    deadline = time.monotonic() + timeout
    out, err = bytearray(), bytearray()
    assert popen.stdout
    assert popen.stderr

    def read(stream: IO[bytes], kept: bytearray) -> None:
        with stream:
            while len(kept) <= LARGEST_OUTPUT and (chunk := os.read(stream.fileno(), 1 << 16)):
                kept += chunk

    ends = ((popen.stdout, out), (popen.stderr, err))
    readers = [threading.Thread(target=read, args=end, daemon=True) for end in ends]
    for reader in readers:
        reader.start()
    while reading := [reader for reader in readers if reader.is_alive()]:
        if max(len(out), len(err)) > LARGEST_OUTPUT:
            break
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(popen.args, timeout)
        reading[0].join(0.05)
    else:
        popen.wait(max(0.0, deadline - time.monotonic()))
    return bytes(out), bytes(err)


def rows(file: str, *args: object, **options: Any) -> pd.DataFrame:
    """Run a file of the workspace that prints one JSON object a line; a row for each. Options as for `run`."""
    printed = run(file, *args, **options).stdout.splitlines()
    try:
        return pd.DataFrame([json.loads(line) for line in printed if line.startswith("{")])
    except json.JSONDecodeError as error:
        said = f"{file} printed a line that is not JSON: {error.doc[:80]}"
        raise NodeError(f"{said}\nPrint rows with console.log(JSON.stringify(row)).") from None


def start(
    file: str,
    *args: object,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    port: bool = True,
    timeout: float = 20.0,
) -> process.Process:
    """Start a file of the workspace in the background; see `process.start`. It listens on `process.env.PORT`."""
    needs(file.partition("/")[0])
    words = [str(parts.node()), *flags, file, *map(str, args)]
    return process.start(words, port=port, timeout=timeout, cwd=process.workspace(), env=environment(env))


def _parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("%%node", add_help=False)
    parser.allow_abbrev = False
    parser.add_argument("--save", metavar="FILE", help="keep the cell as FILE in the workspace, for other cells")
    parser.add_argument("--background", metavar="NAME", help="start it as a server; the Process becomes variable NAME")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="stop after S seconds (default 60)")
    parser.add_argument("--flags", default="", metavar="'…'", help="options for Node itself, such as '--expose-gc'")
    parser.add_argument("args", nargs="*", help="arguments for the program")
    return parser


def _options(line: str) -> Any:
    """The magic's line, read; a mistake in it becomes one sentence."""
    try:
        words = shlex.split(line)
        if "--flags" in words[:-1]:  # argparse would take the flags' own dashes for an option
            at = words.index("--flags")
            words[at : at + 2] = [f"--flags={words[at + 1]}"]
        options = _parser().parse_args(words)
    except (UsageError, ValueError) as error:
        raise UsageError(f"%%node: {error}. {NodeMagics.node.__doc__}") from None
    if not (options.timeout > 0 and math.isfinite(options.timeout)):
        raise UsageError("%%node: --timeout wants a number of seconds above 0")
    if options.background is not None and not options.background.isidentifier():
        raise UsageError(f"%%node: --background wants the name of a variable, not {options.background!r}")
    return options


def save(name: str, source: str) -> Path:
    """Write `source` as file `name` of the workspace and return its path; folders in the name are made."""
    file = (process.workspace() / name).resolve()
    if not file.is_relative_to(process.workspace().resolve()):
        raise UsageError(f"--save {name}: the file must lie inside the workspace; give a name such as app.mjs")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--save {name}: {error.strerror}; give a name such as app.mjs") from None
    return file


@magics_class
class NodeMagics(Magics):
    """`%%node` and `%%workspace`, registered by `%load_ext backendlab.lab`."""

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None
        return self.shell

    @cell_magic
    def node(self, line: str, cell: str) -> None:
        """Run this cell in Node: %%node [--save FILE] [--background NAME] [--timeout S] [--flags '…'] [args …]"""
        options = _options(line)
        # An empty line in the magic's place, so that Node's line numbers are those of the cell.
        source = "\n" + cell
        if options.save:
            needs(options.save.partition("/")[0])
            save(options.save, source)
        if options.background:
            self._background(options, source)
        elif options.save:
            self._foreground(options, str(process.workspace() / options.save), "")
        else:
            self._foreground(options, "-", source)

    @cell_magic
    def workspace(self, line: str, cell: str) -> None:
        """Keep this cell as a file of the workspace and run nothing: %%workspace FILE"""
        words = shlex.split(line)
        if len(words) != 1:
            raise UsageError("%%workspace wants the name of one file, such as worker.py: %%workspace FILE")
        save(words[0], "\n" + cell)

    def _background(self, options: Any, source: str) -> None:
        previous = self._shell.user_ns.pop(options.background, None)
        if isinstance(previous, process.Process):
            previous.stop()  # the cell was run again
        script = options.save or f"{options.background}.js"  # Node finds out which kind of module it is
        if not options.save:
            save(script, source)
        server = start(script, *options.args, flags=shlex.split(options.flags), timeout=min(options.timeout, 20.0))
        self._shell.user_ns[options.background] = server
        print(f"{options.background} is running: {server.url}")

    def _foreground(self, options: Any, script: str, source: str) -> None:
        mark = process.new_run()
        workspace = process.workspace()
        new = {k: v for k, v in environment({"BACKENDLAB_RUN": mark}).items() if os.environ.get(k) != v}
        node = [str(parts.node()), *shlex.split(options.flags), script, *options.args]
        # The shell goes to the workspace and becomes Node: no program stands between. One word, so that the script
        # magic doesn't take the program's arguments for its own.
        become = f"cd {shlex.quote(str(workspace))} && exec env {shlex.join(f'{k}={v}' for k, v in new.items())} "
        out, err = _Batched(sys.stdout), _Batched(sys.stderr)
        over, late = threading.Event(), threading.Event()
        ports: set[int] = set()

        def watch() -> None:
            deadline = time.monotonic() + options.timeout
            while not over.wait(0.05):
                out.pass_on()
                err.pass_on()
                if time.monotonic() > deadline:
                    late.set()
                    ports.update(process.listening(mark) or ())
                    process.end_run(mark)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            magics = self._shell.magics_manager.registry["ScriptMagics"]
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                magics.shebang(shlex.join(["sh", "-c", become + shlex.join(node)]), source)
        except subprocess.CalledProcessError as error:
            if err.names("NotImplementedError"):  # the stub of an exercise, loaded by its own cell
                raise NotDone("not done yet: your answer goes where it says YOUR CODE HERE") from None
            if not late.is_set():
                raise NodeError(f"Node {_ending(error.returncode)}.") from None
        finally:
            over.set()
            watcher.join()
            process.end_run(mark)  # an interrupt may have left it, or its detached children
            out.pass_on()
            err.pass_on()
        if late.is_set():
            said = f"The cell was stopped: it ran longer than {options.timeout:g} s (--timeout)."
            if ports:
                said += f" It listened on port {', '.join(map(str, sorted(ports)))}; a server doesn't end by itself."
            raise NodeTimeout(said)


class _Batched:
    """A stream that passes on what it has when told to.

    IPython's script magic flushes every 100 bytes, each a message of the kernel: of megabytes, some would be lost.
    """

    def __init__(self, stream: Any):
        self.stream, self.waiting, self.end = stream, collections.deque[str](), ""

    def write(self, text: str) -> int:
        self.waiting.append(text)
        self.end = (self.end + text)[-4000:]
        return len(text)

    def flush(self) -> None:
        pass

    def pass_on(self) -> None:
        text = "".join([self.waiting.popleft() for _ in range(len(self.waiting))])
        if text:
            self.stream.write(text)
            self.stream.flush()

    def names(self, error: str) -> bool:
        """Is this the error that Node ended with, by the last that it printed?"""
        return any(line.startswith((f"{error}:", f"Error [{error}]:")) for line in self.end.splitlines())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def register(shell: InteractiveShell) -> None:
    shell.register_magics(NodeMagics)
