"""Run something many times while every core is kept busy: an effect that shows only sometimes is wrong.

    python bench/soak.py --runs 10 lesson 01-node-runtime [--effort full]
    python bench/soak.py --runs 20 pytest tests/course -k contract

`lesson` executes the lesson from a fresh kernel each time, as `backendlab build` does; `pytest` passes its words on.
Prints a line a run, then how many failed and the fastest, median and slowest time. Exit status 1 if any failed.
`--idle` leaves the cores alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator


@contextlib.contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep `cores` processes spinning; they end by themselves when this process does."""
    spin = f"import os\nwhile os.getppid() == {os.getpid()}:\n    sum(range(100000))"
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(cores)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def lesson_once(words: list[str], effort: str) -> str | None:
    """Execute a lesson's notebook; None, or what failed."""
    from backendlab.course import build, lesson

    name = lesson.resolve(words[0])
    source = lesson.read(name)
    notebook = build.lesson_notebook(source, build.release_notebook(source, name))
    try:
        build.execute(notebook, name, parameters={"EFFORT": effort})
    except lesson.LessonError as error:
        return str(error)
    return None


def pytest_once(words: list[str], effort: str) -> str | None:
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *words], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stdout[-3000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--effort", choices=("quick", "full"), default="quick")
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("what", choices=("lesson", "pytest"))
    parser.add_argument("words", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    once = {"lesson": lesson_once, "pytest": pytest_once}[args.what]
    times, failed = [], 0
    with busy(0 if args.idle else os.cpu_count() or 1):
        for number in range(1, args.runs + 1):
            started = time.monotonic()
            said = once(args.words, args.effort)
            times.append(time.monotonic() - started)
            failed += said is not None
            print(f"run {number}: {times[-1]:.0f} s, {'ok' if said is None else 'FAILED'}", flush=True)
            if said:
                print(said, flush=True)
    spread = f"{min(times):.0f} / {statistics.median(times):.0f} / {max(times):.0f} s"
    print(f"{args.runs} runs, {failed} failed; fastest / median / slowest {spread}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
