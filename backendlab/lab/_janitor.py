"""Outlives the process that started it, and ends what that process left behind.

Started by `backendlab.lab.process` as a process of its own, so that a kernel killed with -9 leaves no server and no
directory. Reads one JSON object a line on standard input: `{"add": "group" | "dir", "value": …}` or the same with
`"drop"`. When its parent is gone (end of input, or another parent process: a forked child may hold the pipe open), it
ends every process group it was told of, every process that carries the owner's mark in its environment, and, when the
owner led a session (a Jupyter kernel does), the rest of that session; then it removes the directories.

Arguments: the owner's process id, its mark, and its session id or 0.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import sys
import time

import psutil

GRACE = 1.0  # seconds between SIGTERM and SIGKILL: a database wants to remove its shared memory


def listen(owner: int) -> dict[str, set]:
    """Keep the books until the owner is gone; returns what it still owned."""
    owned: dict[str, set] = {"group": set(), "dir": set()}
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    buffer = b""
    while os.getppid() == owner:
        if not selector.select(timeout=0.2):
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "add" in message:
                owned[message["add"]].add(message["value"])
            else:
                owned[message["drop"]].discard(message["value"])
    return owned


def left_behind(mark: str, session: int) -> list[psutil.Process]:
    """Processes that the owner started without telling: found by its mark, or in the session that it led."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("BACKENDLAB_OWNER") == mark or (session and os.getsid(process.pid) == session):
                found.append(process)
    return found


def main(owner: int, mark: str, session: int) -> None:
    owned = listen(owner)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in owned["group"]:
            with contextlib.suppress(OSError):
                os.killpg(group, number)
        rest = left_behind(mark, session)
        for process in rest:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        if number == signal.SIGTERM:
            deadline = time.monotonic() + GRACE
            while time.monotonic() < deadline and (
                any(psutil.pid_exists(group) for group in owned["group"]) or any(p.is_running() for p in rest)
            ):
                time.sleep(0.02)
    for directory in owned["dir"]:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
