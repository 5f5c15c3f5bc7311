"""Memory of real processes: RSS, USS and PSS, and why they must not be mixed up.

A page of memory can be mapped by several processes: the text of one executable, libraries, what a fork has not
written to yet. The three usual sizes differ only in how they count such a page:

- RSS (resident set size) counts it in full, in every process. Added up over a tree it is counted again and again.
- USS (unique set size) leaves it out: what would come free if this one process ended.
- PSS (proportional set size) counts it once, divided among the processes that map it. It is the one that may be added
  up, and so the one to ask what a tree of processes takes. It moves a little with strangers: who else runs the same
  executable takes a share of its pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class Memory:
    """Bytes of a process and all its descendants, each size added up over them."""

    processes: int
    rss: int
    uss: int
    pss: int

    @property
    def pss_mib(self) -> float:
        return self.pss / 2**20

    @property
    def rss_mib(self) -> float:
        return self.rss / 2**20


def tree(pid: int) -> Memory:
    """What process `pid` and its descendants take now. Those that end meanwhile are left out.

    Linux gives PSS (`/proc/PID/smaps_rollup`, through psutil). Where a system doesn't (macOS), USS stands in for it,
    which leaves shared pages out; and where even that is root's to ask (macOS again), RSS. Raises
    `psutil.NoSuchProcess` if there is no process `pid`.
    """
    root = psutil.Process(pid)
    sizes = []
    for member in [root, *root.children(recursive=True)]:
        try:
            sizes.append(_size(member))
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    if not sizes:
        raise psutil.NoSuchProcess(pid)
    return Memory(
        processes=len(sizes),
        rss=sum(size.rss for size in sizes),
        uss=sum(getattr(size, "uss", size.rss) for size in sizes),
        pss=sum(getattr(size, "pss", getattr(size, "uss", size.rss)) for size in sizes),
    )


def _size(process: psutil.Process) -> Any:
    try:
        return process.memory_full_info()
    except psutil.AccessDenied:
        return process.memory_info()


def peak(pid: int) -> int:
    """The most memory, as RSS in bytes, that process `pid` alone has had since it started or `forget_peak`.

    Linux keeps it (VmHWM of `/proc/PID/status`, man 5 proc). Elsewhere nobody does for a stranger, and this is what the
    process has now: a lower bound. Raises `psutil.NoSuchProcess` if there is no process `pid`.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return int(psutil.Process(pid).memory_info().rss)
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if not found:  # it has ended, and only its entry is left
        raise psutil.NoSuchProcess(pid)
    return int(found[1]) << 10


def forget_peak(pid: int) -> None:
    """Begin `peak` anew from what the process has now (`/proc/PID/clear_refs`, man 5 proc). Only Linux can."""
    clear = Path(f"/proc/{pid}/clear_refs")
    if clear.exists():
        clear.write_text("5")
