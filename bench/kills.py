"""Kill a grading at random moments, again and again, then let it end: is all as if nobody had disturbed it?

    python bench/kills.py --submissions 200 --kills 20

Grades the same submissions of the tests' small lesson twice: in one course undisturbed, in another killed with SIGKILL
(each time only the first process, as the kernel does when memory is short). Prints what each run did and where the two
courses differ: scores, comments, table, notebooks. Exit status 1 if they do.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from backendlab.parts import ROOT

sys.path.insert(0, str(ROOT))

from tests.course.cohort import RIGHT, Course, everything, kill, released, start

ANSWERS = [RIGHT, {**RIGHT, "order": "order = list(letters)"}, {"paginate": RIGHT["paginate"]}, {}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="backendlab-kills-") as folder:
        disturbed = Course(released(Path(folder) / "disturbed"))
        for number in range(args.submissions):
            disturbed.hand_in(f"student-{number:03}", ANSWERS[number % len(ANSWERS)])
        disturbed.write("broken", "{")
        calm = disturbed.copy(Path(folder) / "calm")
        started = time.monotonic()
        calm.grade()
        whole = time.monotonic() - started
        print(f"undisturbed: {args.submissions + 1} submissions in {whole:.0f} s")
        for number in range(1, args.kills + 1):
            process = start(disturbed)
            begun = time.monotonic()
            if number % 3:  # else while it starts
                before = _made(disturbed)
                while process.poll() is None and _made(disturbed) <= before:
                    time.sleep(0.05)
            time.sleep(moments.uniform(0.0, 1.5 * whole / args.kills))
            wait = time.monotonic() - begun
            ended = process.poll() is not None
            kill(process)
            state = "had ended" if ended else f"killed after {wait:.1f} s"
            print(f"run {number}: {state}; {len(disturbed.scores())} submissions in the gradebook")
        _, printed = disturbed.grade()
        print("the last run:", printed.splitlines()[-1] if "graded in" not in printed else _line(printed))
        one, other = everything(calm), everything(disturbed)
    differs = [part for part in one if one[part] != other[part]]
    print(f"different: {', '.join(differs)}" if differs else "nothing differs: scores, comments, table, notebooks")
    return 1 if differs else 0


def _made(course: Course) -> int:
    return len(list((course.root / "autograded").glob("*/*/*.ipynb")))


def _line(printed: str) -> str:
    return next(line for line in printed.splitlines() if "graded in" in line)


if __name__ == "__main__":
    sys.exit(main())
