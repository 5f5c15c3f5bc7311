"""A saved server file, started: Express 5, Express 4 and aiohttp alike.

The file lies in the workspace (`%%node --save app.mjs`, `%%workspace app.py`) and listens on 127.0.0.1 at the port in
the environment variable PORT, as on a hosting platform. What comes back is the one handle of `backendlab.lab.process`
(`.url .port .pid .alive .output() .stop()`), and it works in a `with` block. What a server takes is
`memory.peak(server.pid)`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from backendlab.lab import node, process


def start(
    file: str,
    *args: object,
    flags: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 20.0,
) -> process.Process:
    """Start a server file of the workspace in a process of its own; returns when it accepts connections.

    `.py` is run by this Python, everything else by Node; `flags` go to the interpreter, `args` to the program, `env` is
    added to the environment. Raises `process.StartError`, with what the server printed, if it ends or doesn't listen.
    """
    if not file.endswith(".py"):
        return node.start(file, *args, flags=flags, env=env, timeout=timeout)
    folder = process.workspace()
    words = [sys.executable, "-u", *flags, str(folder / file), *map(str, args)]
    return process.start(words, port=True, timeout=timeout, cwd=folder, env=env)
