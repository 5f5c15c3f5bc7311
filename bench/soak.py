"""Run something many times while every core is kept busy: an effect that shows only sometimes is wrong.

    python bench/soak.py --runs 10 lesson 01-node-runtime [--effort full]
    python bench/soak.py --runs 10 --stalls lesson 04-data-consistency
    python bench/soak.py --runs 20 pytest tests/course -k contract

`lesson` executes the lesson from a fresh kernel each time, as `backendlab build` does; `pytest` passes its words on.
A lesson goes on after a failed cell, so that one run shows all that fail.
Prints a line a run, then how many failed and the fastest, median and slowest time. Exit status 1 if any failed.
`--idle` leaves the cores alone. `--stalls` stops what runs for 20 to 400 ms every second or so, all of it or one
process, as a machine does that is shared with strangers: an assertion that one stall can break is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil


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


@contextlib.contextmanager
def stalls(wanted: bool) -> Iterator[None]:
    """Stop this process's descendants (all at once, or one) for 20-400 ms, at random moments, until the `with` ends."""
    over = threading.Event()

    def stall() -> None:
        while not over.wait(random.uniform(0.2, 1.5)):
            running = psutil.Process().children(recursive=True)
            chosen = running if random.random() < 0.5 else random.sample(running, min(1, len(running)))
            try:
                for process in chosen:
                    with contextlib.suppress(psutil.Error):
                        process.suspend()
                over.wait(random.choice([0.02, 0.05, 0.1, 0.2, 0.4]))
            finally:
                for process in chosen:
                    with contextlib.suppress(psutil.Error):
                        process.resume()

    thread = threading.Thread(target=stall)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if wanted:
            thread.join()


def lesson_once(words: list[str], effort: str) -> str | None:
    """Execute a lesson's notebook; None, or what failed."""
    from backendlab.course import build, lesson

    name = lesson.resolve(words[0])
    source = lesson.read(name)
    notebook = build.lesson_notebook(source, build.release_notebook(source, name))
    strict = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and "raises-exception" not in lesson.tags(cell):
            strict.append(cell.id)
            cell.metadata["tags"] = [*lesson.tags(cell), "raises-exception"]
    try:
        done = build.execute(notebook, name, parameters={"EFFORT": effort})
    except lesson.LessonError as error:
        return str(error)
    failed = [
        build.failure(name, cell, output)
        for cell in done.cells
        if cell.cell_type == "code" and cell.id in strict
        for output in cell.outputs
        if output.output_type == "error"
    ]
    return "\n".join(failed) or None


def pytest_once(words: list[str], effort: str) -> str | None:
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", *words], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stdout[-3000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--effort", choices=("quick", "full"), default="quick")
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--stalls", action="store_true")
    parser.add_argument("what", choices=("lesson", "pytest"))
    parser.add_argument("words", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    once = {"lesson": lesson_once, "pytest": pytest_once}[args.what]
    times, failed = [], 0
    with busy(0 if args.idle else os.cpu_count() or 1), stalls(args.stalls):
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
