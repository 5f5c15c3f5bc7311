"""`backendlab progress`: where a learner stands over all lessons, as a small table and a picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from backendlab.course import lesson, work
from backendlab.learner import record
from backendlab.learner.record import HOME
from backendlab.parts import ROOT

PICTURE = HOME / "progress.png"


@dataclass(frozen=True)
class Standing:
    """One exercise: `earned` of `points` at the best check; `written` when an answer stands there, checked or not."""

    exercise: str
    points: float
    earned: float
    written: bool

    @property
    def state(self) -> str:
        if self.earned >= self.points:
            return "done"
        return "begun" if self.earned or self.written else "open"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-picture", action="store_true", help=f"don't draw {PICTURE.relative_to(ROOT)}")


def run(args: argparse.Namespace) -> int:
    standings = {name: standing(name) for name in lesson.names()}
    print(table(standings))
    if not args.no_picture:
        draw(standings)
        print(f"\nas a picture: {PICTURE.relative_to(ROOT)}")
    return 0


def standing(name: str) -> list[Standing]:
    """Where the learner stands in one lesson, exercise by exercise."""
    source = lesson.read(name)
    known = record.load().get(name, {})
    path = ROOT / "notebooks" / f"{name}.ipynb"
    try:
        notebook = lesson.open_notebook(path)
        stubbed = {
            e.id for e in lesson.exercises(source) if "NotImplementedError" in work.answers(notebook).get(e.id, "")
        }
        there = set(work.answers(notebook))
    except lesson.LessonError:
        stubbed, there = set(), set()
    return [
        Standing(e.id, e.points, known.get(e.id, {}).get("best", 0.0), e.id in there - stubbed)
        for e in lesson.exercises(source)
    ]


def table(standings: dict[str, list[Standing]]) -> str:
    lines = [f"{'lesson':24} {'exercises done':15} {'points':10}"]
    for name, own in standings.items():
        done, total = sum(s.state == "done" for s in own), len(own)
        bar = "█" * done + "▒" * sum(s.state == "begun" for s in own)
        earned = f"{sum(s.earned for s in own):g} of {sum(s.points for s in own):g}"
        lines.append(f"{name:24} {f'{done} of {total}':15} {earned:10} {bar:·<{total}}")
    following = next((s.exercise for own in standings.values() for s in own if s.state != "done"), None)
    lines.append(f"\nnext: {following}" if following else "\nall done")
    return "\n".join(lines)


def draw(standings: dict[str, list[Standing]]) -> None:
    """One row a lesson, one square an exercise: filled when done, hatched when begun, empty when open."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    from backendlab.lab import figures

    figures.use()
    widest = max((len(own) for own in standings.values()), default=1)
    figure, ax = plt.subplots(figsize=(2.6 + 0.55 * widest, 1.1 + 0.55 * len(standings)))
    looks = {"done": (figures.BLUE, ""), "begun": ("#cfe3f0", "////"), "open": ("#ecece6", "")}
    for y, own in enumerate(standings.values()):
        for x, one in enumerate(own):
            colour, hatch = looks[one.state]
            ax.add_patch(mpl.patches.Rectangle((x, y - 0.4), 0.85, 0.8, fc=colour, ec="#ffffff", hatch=hatch))
    ax.set_xlim(0, widest)
    ax.set_ylim(len(standings) - 0.5, -0.5)
    ax.set_yticks(range(len(standings)), list(standings))
    ax.set_xticks([])
    ax.grid(visible=False)
    done = sum(s.state == "done" for own in standings.values() for s in own)
    ax.set_title(f"{done} of {sum(map(len, standings.values()))} exercises done")
    for spine in ax.spines.values():
        spine.set_visible(False)
    handles = [mpl.patches.Patch(fc=colour, hatch=hatch, ec="#ffffff", label=s) for s, (colour, hatch) in looks.items()]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=3)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE)
    plt.close(figure)
