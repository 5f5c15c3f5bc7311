"""What a learner has reached, kept in `.backendlab/progress.json`: outside git's sight, whatever the course becomes."""

from __future__ import annotations

import json
import time
from typing import Any

from backendlab.course.judge import Outcome
from backendlab.course.lesson import Exercise
from backendlab.course.work import HOME

FILE = HOME / "progress.json"

Record = dict[str, dict[str, dict[str, Any]]]
"""lesson → exercise → `points` earned at the last check, `of` how many, `best` ever, `when` (local time, ISO)."""


def load() -> Record:
    """The record; an unreadable one is set aside as progress.json.unreadable, not thrown away."""
    try:
        found = json.loads(FILE.read_text())
        if not isinstance(found, dict):
            raise TypeError
        return found
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError):
        FILE.replace(FILE.with_suffix(".json.unreadable"))
        return {}


def save(name: str, exercises: list[Exercise], outcomes: dict[str, list[Outcome]]) -> None:
    """Note what a check found. An exercise that is not done yet leaves an older result as it was."""
    record = load()
    mine = record.setdefault(name, {})
    for exercise in exercises:
        tried = outcomes.get(exercise.id)
        if not tried or all(outcome.result == "not done" for outcome in tried):
            continue
        earned = sum(outcome.points for outcome in tried if outcome.result == "passed")
        best = max(earned, mine.get(exercise.id, {}).get("best", 0))
        when = time.strftime("%Y-%m-%dT%H:%M:%S")
        mine[exercise.id] = {"points": earned, "of": exercise.points, "best": best, "when": when}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    part = FILE.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1))
    part.replace(FILE)
