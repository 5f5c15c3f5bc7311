"""Figures that others published, kept as data in `published.toml`, to stand beside what is measured here."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Published:
    """One published figure. `tolerance` is a factor: a measurement within it, up or down, agrees."""

    name: str
    says: str
    value: float
    unit: str
    tolerance: float
    source: str
    holds_for: str

    def agrees(self, measured: float) -> bool:
        return self.value / self.tolerance <= measured <= self.value * self.tolerance


@functools.cache
def _all() -> dict[str, Published]:
    entries = tomllib.loads(Path(__file__).with_name("published.toml").read_text())
    return {name: Published(name=name, **fields) for name, fields in entries.items()}


def figure(name: str) -> Published:
    """The published figure of that name; `KeyError` names those there are."""
    try:
        return _all()[name]
    except KeyError:
        raise KeyError(f"no published figure is called {name!r}; there are: {', '.join(sorted(_all()))}") from None
