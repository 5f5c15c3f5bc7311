"""The house style of figures: named axes with units, colours that colour-blind readers tell apart, small PNGs.

The background is opaque and light, so that a figure reads the same in a light and in a dark JupyterLab.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito (2008), the colours that the three common kinds of colour blindness keep apart.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#6b6b6b",
)

RUNTIMES = {"Python": BLUE, "asyncio": BLUE, "uvloop": SKY, "Node": GREEN, "aiohttp": BLUE, "Express": GREEN}
"""The same runtime has the same colour in every figure of every lesson."""

MARKERS = {"Python": "o", "asyncio": "o", "uvloop": "s", "Node": "^", "aiohttp": "o", "Express": "^"}
"""… and the same marker: colour is never the only difference."""


def use() -> None:
    """Make the house style the default of this kernel."""
    mpl.rcParams.update(
        {
            "figure.figsize": (8.0, 4.2),
            "figure.dpi": 100,
            "figure.facecolor": "#fbfbf8",
            "axes.facecolor": "#fbfbf8",
            "savefig.facecolor": "#fbfbf8",
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.edgecolor": "#444444",
            "axes.labelcolor": "#222222",
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, GREY]),
            "grid.color": "#d8d8d2",
            "grid.linewidth": 0.6,
            "text.color": "#222222",
            "xtick.color": "#444444",
            "ytick.color": "#444444",
            "font.size": 10.5,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "lines.markersize": 5.5,
        }
    )


def new(
    title: str, x: str = "", y: str = "", *, columns: int = 1, rows: int = 1, size: tuple[float, float] | None = None
) -> tuple[Figure, Any]:
    """A figure and its axes (one, or an array of `rows` × `columns`); `x` and `y` name the axes, with units.

    `title` says what the reader should see, not what is drawn.
    """
    figure, axes = plt.subplots(rows, columns, figsize=size)
    if rows == columns == 1:
        label(axes, title, x, y)
    else:
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=12)
        for ax in axes.flat:
            ax.set(xlabel=x, ylabel=y)
    return figure, axes


def label(ax: Axes, title: str = "", x: str = "", y: str = "") -> None:
    """Name one panel and its axes."""
    ax.set(xlabel=x, ylabel=y)
    ax.set_title(title)


def style(runtime: str) -> dict[str, str]:
    """Colour and marker of a runtime, as keywords for `ax.plot`: `ax.plot(x, y, **style("Node"), label="Node")`."""
    return {"color": RUNTIMES[runtime], "marker": MARKERS[runtime]}


def log_ticks(axis: Any, values: Iterable[float], unit: str = "") -> None:
    """Tick a logarithmic axis at the values that were measured, written as plain numbers."""
    ticks = sorted(set(values))
    axis.set_ticks(ticks, [f"{value:g}{unit}" for value in ticks])
    axis.set_minor_locator(mpl.ticker.NullLocator())


def matrix(
    ax: Axes, cells: Sequence[Sequence[str]], rows: Sequence[str], columns: Sequence[str], good: set[str]
) -> None:
    """A table as coloured cells: green-blue where the text is in `good`, orange elsewhere; the text says it too."""
    ax.grid(visible=False)
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    for i, row in enumerate(cells):
        for j, text in enumerate(row):
            colour = "#cfe6e0" if text in good else "#f6d9c5"
            ax.add_patch(mpl.patches.Rectangle((j - 0.47, i - 0.45), 0.94, 0.9, color=colour, lw=0))
            ax.text(j, i, text, ha="center", va="center", fontsize=9)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
