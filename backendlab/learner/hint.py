"""`backendlab hint`: an exercise's hint, on request."""

from __future__ import annotations

import argparse

from backendlab.course import lesson
from backendlab.learner.check import chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", metavar="LESSON", help="such as 01-node-runtime or 1")
    parser.add_argument("exercises", nargs="*", metavar="EXERCISE", help="whose hint (default: lists the exercises)")


def run(args: argparse.Namespace) -> int:
    name = lesson.resolve(args.lesson)
    exercises = lesson.exercises(lesson.read(name))
    if not args.exercises:
        for exercise in exercises:
            print(f"{exercise.id:28} {exercise.title}")
        print(f"\nbackendlab hint {name} {exercises[0].id if exercises else 'EXERCISE'}   shows one's hint")
        return 0
    for exercise in chosen(exercises, args.exercises):
        print(f"{exercise.id}: {exercise.hint.strip() or 'no hint'}")
    return 0
