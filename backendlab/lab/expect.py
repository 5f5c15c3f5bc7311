"""What a check says when it fails: for which input, what was expected, what came."""

from __future__ import annotations

from typing import Any

from backendlab.student import AnswerError, Student


def equal(came: Any, expected: Any, given: str) -> None:
    """Fail unless `came == expected`, both plain values. `given` says for which input."""
    assert came == expected, f"{given}: expected {_show(expected)}, got {_show(came)}"


def that(holds: bool, said: str) -> None:
    """Fail with `said` unless `holds`; `said` tells what was expected and what came, with the numbers."""
    assert holds, said


def raises(student: Student, kind: str, name: str, /, *args: Any, **kwargs: Any) -> AnswerError:
    """Fail unless calling the student's function raises an error of this class name (or a subclass); return it."""
    shown = ", ".join([*map(repr, args), *(f"{key}={value!r}" for key, value in kwargs.items())])
    try:
        came = student.call(name, *args, **kwargs)
    except AnswerError as error:
        if kind in error.types:
            return error
        raise AssertionError(f"{name}({shown}): expected {kind}, got {error.type}: {error.message}") from None
    raise AssertionError(f"{name}({shown}): expected {kind}, but it returned {_show(came)}")


def _show(value: Any, width: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"
