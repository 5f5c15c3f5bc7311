"""Outlives the process that started it, and ends what that process left behind.

Started by `backendlab.lab.process` as a process of its own, so that a kernel killed with -9 leaves no server and no
directory. Reads one JSON object a line on standard input: `{"group": pid, "log": path}` for a process that leads a
group and writes a log, `{"drop": pid}` when that has been stopped, `{"child": pid}` for a fork of the owner. When its
parent is gone (end of input, or another parent process: a forked child may hold the pipe open), it ends those groups
and children, every process that carries the owner's mark in its environment, and, when the owner led a session (a
Jupyter kernel does), the rest of that session; then it removes the directories that carry the mark in their name.
Until then it cuts logs that have grown too large.

Arguments: the owner's process id, its mark, its session id or 0, the folder of the directories, a log's largest size.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import sys
import time
from pathlib import Path

import psutil

GRACE = 1.0  # seconds between SIGTERM and SIGKILL: a database wants to remove its shared memory
KEPT = 512 << 10  # bytes of a log that was cut

groups: dict[int, psutil.Process | None] = {}  # by its leader's number; the process tells whether that was used again
children: set[psutil.Process] = set()
logs: dict[int, Path] = {}


def note(message: dict) -> None:
    for kind, pid in message.items():
        if kind == "drop":
            groups.pop(pid, None)
            logs.pop(pid, None)
        elif kind == "log":
            logs[message["group"]] = Path(pid)
        else:
            try:
                process = psutil.Process(pid)
            except psutil.NoSuchProcess:
                process = None
            if kind == "group":
                groups[pid] = process
            elif process:
                children.add(process)


def listen(owner: int, largest_log: int) -> None:
    """Keep the books until the owner is gone, and then to the end of what it had told."""
    os.set_blocking(0, False)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    buffer = b""
    look_again = 0.0
    while True:
        alive = os.getppid() == owner
        if selector.select(timeout=0.2 if alive else 0.0):
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                note(json.loads(line))
        elif not alive:
            return
        if logs and time.monotonic() > look_again:
            look_again = time.monotonic() + 1.0
            shorten(largest_log)


def shorten(largest: int) -> None:
    """Cut logs that have grown too large down to their end; their writers append, so that they go on after it."""
    for log in logs.values():
        with contextlib.suppress(OSError), log.open("r+b") as file:
            if file.seek(0, os.SEEK_END) > largest:
                file.seek(-KEPT, os.SEEK_END)
                end = file.read()
                file.truncate(0)
                with log.open("ab") as again:
                    again.write("[… output before this was dropped]\n".encode() + end)


def left_behind(owner: int, mark: str, session: int) -> list[psutil.Process]:
    """The living processes that the owner started: told of, marked, or in the session that it led."""
    own_groups = {
        # A group keeps its number after its leader's end; where another process has that number, it was used again.
        pid
        for pid, leader in groups.items()
        if not psutil.pid_exists(pid) or (leader and leader.is_running())
    }
    found = []
    for process in psutil.process_iter():
        if process.pid in (owner, os.getpid()):
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and (
                process in children
                or os.getpgid(process.pid) in own_groups
                or (session and os.getsid(process.pid) == session)
                or process.environ().get("BACKENDLAB_OWNER") == mark
            ):
                found.append(process)
    return found


def end_all(owner: int, mark: str, session: int) -> None:
    started = time.monotonic()
    asked: set[psutil.Process] = set()
    while time.monotonic() < started + 10.0 and (rest := left_behind(owner, mark, session)):
        for process in rest:
            with contextlib.suppress(psutil.Error):
                if time.monotonic() > started + GRACE:
                    process.kill()
                elif process not in asked:
                    process.terminate()
                    asked.add(process)
        time.sleep(0.02)


def main(owner: int, mark: str, session: int, folder: str, largest_log: int) -> None:
    listen(owner, largest_log)
    end_all(owner, mark, session)
    for _ in range(50):
        for directory in Path(folder).glob(f"*{mark}*"):
            shutil.rmtree(directory, ignore_errors=True)
        if not any(Path(folder).glob(f"*{mark}*")):
            break
        time.sleep(0.02)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
