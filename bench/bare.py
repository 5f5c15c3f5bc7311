"""The least that grading could take, for `grading.py`: answers and their tests together in forks of one process.

    python bench/bare.py FOLDER

FOLDER has a copy of `backendlab/`, and `jobs.json`: the set-up cells, jobs (student, answer, tests), and how many may
run at a time. Writes the tests' results of each job as NUMBER.json. It imports no more than a fork server does: what a
process has imported, its forks pay for.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path

from backendlab import student
from backendlab.course import around
from backendlab.course import forkserver as f


def main(root: Path) -> None:
    given = json.loads((root / "jobs.json").read_text())
    f.preload()
    f.become_quiet()
    if error := f.run_cells(given["setup"]):
        raise error
    _, files = student.workspace_files()
    f.settle()

    def one(place: int, answer: str, tests: list[tuple[str, str]]) -> None:
        student.confine(root / f"work-{place}", files)
        f.become_quiet()
        error = f.run_answer(around.Answer(answer).plain())
        answers = student.Answers(f.shell().user_ns, student.describe(error) if error else None)
        f.shell().push({"student": student.Student(answers.reply)})
        results = {name: f.run_test(source)[0] for name, source in tests}
        (root / f"{place}.json").write_text(json.dumps(results))

    running: dict[int, int] = {}
    waiting = list(enumerate(given["jobs"]))[::-1]
    while waiting or running:
        while waiting and len(running) < given["at_once"]:
            place, (_, answer, tests) = waiting.pop()
            running[f.fork(partial(one, place, answer, tests))] = place
        pid, _ = os.wait()
        if pid in running:
            shutil.rmtree(root / f"work-{running.pop(pid)}", ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
