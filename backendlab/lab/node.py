"""Node in a notebook: the `%%node` cell, and running saved JavaScript from Python.

`%%node` runs a cell of real JavaScript or TypeScript, CommonJS or ES module (Node finds out which), in the kernel's
workspace, where the locked npm packages resolve and where `--save` puts files for other cells to import. It is
IPython's own script magic with Node's path, a time-out and errors as Node shows them.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, magics_class
from IPython.core.magic_arguments import MagicArgumentParser

from backendlab import parts
from backendlab.lab import process


class NodeError(RuntimeError):
    """Node ended with a status other than 0. What it said of itself stands above; this adds only the status."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # a Python traceback would point at this module, which is not where the error is


class NodeTimeout(NodeError):
    """Node was stopped because it ran longer than it was allowed to."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment Node runs in: the kernel's, the wheel's Node first on PATH, and no colour codes in output."""
    return {**parts.node_env(), "FORCE_COLOR": "0", "NO_COLOR": "1", **(extra or {})}


def _ending(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


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
    standard error when it fails, unless `check=False`; `NodeTimeout` after `timeout` seconds.
    """
    words = [str(parts.node()), *flags, file, *map(str, args)]
    with subprocess.Popen(
        words,
        cwd=process.workspace(),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as popen:
        try:
            out, err = popen.communicate(timeout=timeout)
        except BaseException as error:
            os.killpg(popen.pid, signal.SIGKILL)  # workers and children too
            if isinstance(error, subprocess.TimeoutExpired):
                raise NodeTimeout(f"{file} was stopped: it ran longer than {timeout:g} s.") from None
            raise
    if check and popen.returncode != 0:
        raise NodeError(f"{file} ended with {_ending(popen.returncode)}:\n{err.strip()[-2000:]}")
    return subprocess.CompletedProcess(words, popen.returncode, out, err)


def rows(file: str, *args: object, **options: Any) -> pd.DataFrame:
    """Run a file of the workspace that prints one JSON object a line; a row for each. Options as for `run`."""
    printed = run(file, *args, **options).stdout.splitlines()
    return pd.DataFrame([json.loads(line) for line in printed if line.startswith("{")])


def start(
    file: str,
    *args: object,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    port: bool = True,
    timeout: float = 20.0,
) -> process.Process:
    """Start a file of the workspace in the background; see `process.start`. It listens on `process.env.PORT`."""
    words = [str(parts.node()), *flags, file, *map(str, args)]
    return process.start(words, port=port, timeout=timeout, cwd=process.workspace(), env=environment(env))


def _parser() -> MagicArgumentParser:
    parser = MagicArgumentParser("%%node", add_help=False, description=NodeMagics.node.__doc__)
    parser.add_argument("--save", metavar="FILE", help="keep the cell as FILE in the workspace, for other cells")
    parser.add_argument("--background", metavar="NAME", help="start it as a server; the Process becomes variable NAME")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="stop after S seconds (default 60)")
    parser.add_argument("--flags", default="", metavar="'…'", help="options for Node itself, such as '--expose-gc'")
    parser.add_argument("args", nargs="*", help="arguments for the program")
    return parser


def save(name: str, source: str) -> Path:
    """Write `source` as file `name` of the workspace and return its path; folders in the name are made."""
    file = (process.workspace() / name).resolve()
    if not file.is_relative_to(process.workspace().resolve()):
        raise UsageError(f"--save {name}: the file must lie inside the workspace; give a name such as app.mjs")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    return file


@magics_class
class NodeMagics(Magics):
    """`%%node`, registered by `%load_ext backendlab.lab`."""

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None
        return self.shell

    @cell_magic
    def node(self, line: str, cell: str) -> None:
        """Run this cell in Node: %%node [--save FILE] [--background NAME] [--timeout S] [--flags '…'] [args …]"""
        options = _parser().parse_args(shlex.split(line))
        script = "-"
        if options.save:
            script = str(save(options.save, cell))
        if options.background:
            self._background(options, cell)
            return
        # A line of its own for the magic, so that Node's line numbers are those of the cell.
        self._foreground(options, script, "" if options.save else "\n" + cell)

    def _background(self, options: Any, cell: str) -> None:
        previous = self._shell.user_ns.get(options.background)
        if isinstance(previous, process.Process):
            previous.stop()  # the cell was run again
        script = options.save or f"{options.background}.mjs"
        if not options.save:
            save(script, cell)
        server = start(script, *options.args, flags=shlex.split(options.flags), timeout=min(options.timeout, 20.0))
        self._shell.user_ns[options.background] = server
        print(f"{options.background} is running: {server.url}")

    def _foreground(self, options: Any, script: str, cell: str) -> None:
        workspace = process.workspace()
        pid_file = workspace / ".cell.pid"
        pid_file.unlink(missing_ok=True)
        # The shell goes to the workspace, notes its process id and becomes Node: no program stands between.
        become = ["sh", "-c", 'cd "$0" && echo $$ > .cell.pid && exec "$@"', str(workspace)]
        node = [str(parts.node()), *shlex.split(options.flags), script, *options.args]
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill_tree(int(pid_file.read_text()))

        timer = threading.Timer(options.timeout, stop)
        timer.start()
        with _environ(environment()):
            try:
                magics = self._shell.magics_manager.registry["ScriptMagics"]
                magics.shebang(shlex.join([*become, *node]), cell)
            except subprocess.CalledProcessError as error:
                if late.is_set():
                    said = f"The cell was stopped: it ran longer than {options.timeout:g} s (--timeout)."
                    raise NodeTimeout(said) from None
                raise NodeError(f"Node ended with {_ending(error.returncode)}.") from None
            finally:
                timer.cancel()


class _environ:
    """`os.environ` exchanged while a cell runs: IPython's script magic passes on what it finds there."""

    def __init__(self, variables: Mapping[str, str]):
        self.variables, self.before = variables, dict(os.environ)

    def __enter__(self) -> None:
        os.environ.update(self.variables)

    def __exit__(self, *exc_info: object) -> None:
        os.environ.clear()
        os.environ.update(self.before)


def _kill_tree(pid: int) -> None:
    try:
        root = psutil.Process(pid)
        family = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def register(shell: InteractiveShell) -> None:
    shell.register_magics(NodeMagics)
