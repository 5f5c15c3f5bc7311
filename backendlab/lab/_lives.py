"""The warm parent of `backendlab.lab.lives`, run as a script: it imports the workers' files once, then forks per life.

Reads a JSON object a line over a TCP connection, and answers each with one; see `lives.Lives.live`. Every connection
is served by a fork of its own, so that several lives may go on at once.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any


def load(files: list[str]) -> dict[str, Any]:
    """All that the files define, by name: they are run one after another, as one module."""
    names: dict[str, Any] = {"__name__": "workers"}
    for file in files:
        exec(compile(Path(file).read_text(encoding="utf-8"), file, "exec"), names)
    return names


def be_born(names: dict[str, Any], order: dict[str, Any], report: int) -> None:
    """In the fork: run the function. It ends by itself, at the point where it is to die, or is killed from outside."""
    left = order["nth"]

    def at(point: str, note: Any = None) -> None:
        nonlocal left
        os.write(report, json.dumps([point, note, time.monotonic()]).encode() + b"\n")
        if point == order["at"]:
            left -= 1
            if left == 0 and order["after"] is None:
                os.kill(os.getpid(), signal.SIGKILL)

    status = 1
    try:
        names[order["function"]](at, *order["args"])
        status = 0
    except BaseException as error:
        os.write(report, json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]}).encode() + b"\n")
    finally:
        os._exit(status)


def passed(said: bytes, point: str) -> int:
    """How often a worker has come to this point, by what it has said."""
    return (b"\n" + said).count(b"\n" + json.dumps([point])[:-1].encode() + b",")


def live(names: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """One life: fork, kill when it is time, and bury."""
    reading, writing = os.pipe()
    born = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        be_born(names, order, writing)
    os.close(writing)
    said, deadline, late = b"", born + order["timeout"], True
    while (now := time.monotonic()) < deadline:
        if select.select([reading], [], [], deadline - now)[0]:
            chunk = os.read(reading, 1 << 16)
            if not chunk:
                late = False
                break
            said += chunk
            if late and order["after"] is not None and passed(said, order["at"]) >= order["nth"]:
                deadline, late = time.monotonic() + order["after"], False
    os.kill(pid, signal.SIGKILL)  # not buried yet, so the number is still its own
    _, status = os.waitpid(pid, 0)
    while chunk := os.read(reading, 1 << 16):
        said += chunk
    os.close(reading)
    lines = [json.loads(line) for line in said.splitlines() if line.endswith((b"]", b"}"))]  # the last may be cut off
    ended = "late" if late else "killed" if os.WIFSIGNALED(status) else "returned"
    error = next((line["error"] for line in lines if isinstance(line, dict)), None)
    points = [line for line in lines if isinstance(line, list)]
    return {"pid": pid, "ended": ended, "error": error, "points": points, "seconds": time.monotonic() - born}


def main() -> None:
    names = load(sys.argv[1:])
    gc.collect()
    gc.freeze()  # pages that the collector doesn't touch stay shared with the forks
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for who serves a connection
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
        while True:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                with connection, connection.makefile("rwb") as stream:
                    for line in stream:  # none from whoever only asks whether we listen
                        stream.write(json.dumps(live(names, json.loads(line))).encode() + b"\n")
                        stream.flush()
                os._exit(0)
            connection.close()


if __name__ == "__main__":
    main()
