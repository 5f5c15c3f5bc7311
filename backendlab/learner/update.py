"""`backendlab update`: bring the newest course, and keep the learner's work.

The answers in `notebooks/` are taken out and kept, git brings the new lessons, and the answers are put into the new
notebooks' cells. Whole copies of the notebooks as they were stay in `.backendlab/kept/`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from pathlib import Path

from nbformat import NotebookNode

from backendlab.course import lesson, work
from backendlab.parts import ROOT
from backendlab.trouble import Trouble


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-pull", action="store_true", help="don't ask the remote: only set the notebooks anew")


def run(args: argparse.Namespace) -> int:
    if not (ROOT / ".git").exists():
        raise Trouble("This copy of the course is not a git clone, so there is nothing to update it from.")
    foreign = [line for line in git("status", "--porcelain").splitlines() if line[3:].split("/")[0] != "notebooks"]
    if [line for line in foreign if not line.startswith("??")]:
        raise Trouble(
            "Files of the course itself were changed here, so an update could overwrite them:\n"
            + "\n".join(foreign)
            + "\nCommit them, or set them aside with `git stash`, and run it again."
        )
    changed = [
        line[3:].strip('"') for line in git("status", "--porcelain", "notebooks").splitlines() if line[:2] != "??"
    ]
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept: dict[str, tuple[Path, dict[str, str]]] = {}
    for relative in changed:
        path = ROOT / relative
        copy = work.HOME / "kept" / f"{path.stem}-{stamp}.ipynb"
        if path.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
            kept[relative] = copy, _answers_since(relative, path)
    if changed:
        git("checkout", "HEAD", "--", *changed)
    try:
        if not args.no_pull:
            print(git("pull", "--ff-only").strip().splitlines()[-1])
    except Trouble:
        for relative, (copy, _) in kept.items():
            shutil.copy2(copy, ROOT / relative)
        raise
    for relative, (copy, answers) in kept.items():
        print(_restore(relative, copy, answers))
    return 0


def _answers_since(relative: str, path: Path) -> dict[str, str]:
    """The learner's answers: what is in the notebook's answer cells and was not in the course's own."""
    try:
        ours = lesson.parse(git("show", f"HEAD:{relative}"))
        return work.written(lesson.open_notebook(path), ours)
    except (lesson.LessonError, ValueError):
        return {}  # not a notebook any more: its copy is kept whole


def _restore(relative: str, copy: Path, answers: dict[str, str]) -> str:
    """Put kept answers into the new notebook, and say what became of each."""
    path, place = ROOT / relative, copy.relative_to(ROOT)
    if not path.exists():
        return f"{relative} is no longer part of the course; your copy is {place}"
    notebook: NotebookNode = lesson.open_notebook(path)
    homeless = work.put_back(notebook, answers)
    if answers:
        lesson.write(notebook, path)
    lines = [f"{relative}: your notebook as it was is {place}"]
    if back := sorted(set(answers) - set(homeless)):
        lines.append(f"  your answers are in the new one: {', '.join(back)}")
    if homeless:
        lines.append(f"  no longer in the lesson, so only in that copy: {', '.join(homeless)}")
    return "\n".join(lines)


def git(*words: str) -> str:
    """Run git in the clone; raises `Trouble` with git's own words if it fails."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Trouble("git is not installed; `backendlab update` needs it to bring the newest course.") from None
    if done.returncode:
        raise Trouble(f"git {words[0]} failed, and your notebooks are as they were:\n{done.stderr.strip()}")
    return done.stdout
