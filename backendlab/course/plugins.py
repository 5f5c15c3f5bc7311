"""nbgrader's plug-ins of this course, and its settings: `nbgrader_config.py` and our own builds use the same."""

from __future__ import annotations

import functools
import os
import re
import sys
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor
from traitlets import Bool
from traitlets.config import Config

from backendlab.course.lesson import NOT_DONE
from backendlab.trouble import Trouble

STUBS = {
    "python": f'# YOUR CODE HERE\nraise NotImplementedError("{NOT_DONE}")',
    "javascript": (
        f"// YOUR CODE HERE\nthrow Object.assign(new Error('{NOT_DONE}'), {{ name: 'NotImplementedError' }});"
    ),
}


class ClearSolutionsByLanguage(ClearSolutions):
    """nbgrader's own, but a cell's first line stays if it is a cell magic, and a `%%node` cell's stub is JavaScript."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        magic, newline, body = cell.source.partition("\n")
        if cell.cell_type != "code" or not magic.startswith("%%"):
            return super().preprocess_cell(cell, resources, cell_index)
        cell.source = body
        language = "javascript" if magic.startswith("%%node") else resources["language"]
        cell, _ = super().preprocess_cell(cell, {**resources, "language": language}, cell_index)
        cell.source = magic + newline + cell.source
        return cell, resources


class FoldHints(NbGraderPreprocessor):
    """A hint comes on request: it opens when its heading is clicked, in JupyterLab and on the web."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        if "hint" in cell.metadata.get("tags", []):
            cell.source = f"<details><summary>Hint</summary>\n\n{cell.source}\n\n</details>"
        return cell, resources


def load(root: Path) -> Config:
    """The settings of the course in `root`, as nbgrader's own commands read them there."""
    from nbgrader.apps import NbGrader

    if not (root / "nbgrader_config.py").exists():
        raise Trouble(f"There is no nbgrader_config.py in {root}: run this in the course's folder.")
    app = NbGrader()
    app.log_level = "ERROR"
    before = Path.cwd()
    try:
        os.chdir(root)
        app.load_config_file()  # looks in the working directory, and then where Jupyter's settings are
    finally:
        os.chdir(before)
    if str(root) not in sys.path:
        sys.path.append(str(root))  # where nbgrader's commands find the course's plug-ins
    app.config.CourseDirectory.root = str(root)
    return app.config


# ---- what students wrote, in a browser ------------------------------------------------------------------------------

TAGS = [
    *("a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3"),
    *("h4", "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "samp", "span", "strong", "sub", "summary"),
    *("sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
]


# A test's outcome, in feedback, is seen at a glance; `In [ ]` says nothing there.
LOOK = """
div.prompt { display: none; }
summary { display: list-item; cursor: pointer; color: #0072b2; }
div.output_area pre { border-width: 0 0 0 5px; border-radius: 0; white-space: pre-wrap; }
div.output_stdout pre { border-color: #0072b2; background: #eef6fb; }
div.output_error pre { border-color: #d55e00; background: #fdf1ea; }
"""


class Look(NbGraderPreprocessor):
    """Our styles, after nbconvert's."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        resources.setdefault("inlining", {}).setdefault("css", []).append(LOOK)
        return nb, resources


# No picture: to show it, it would be fetched, by whoever looks. What is shown of code and outputs is nbconvert's own.


class Sanitize(SanitizeHTML):
    """nbconvert's own, of which Markdown cells are left to `safe_markdown`: it comes before rendering, and so would
    take a `>` or `<` of prose or code for HTML.
    """

    enabled = Bool(True)

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        if cell.cell_type == "markdown":
            return cell, resources
        return super().preprocess_cell(cell, resources, cell_index)


@pass_context
def safe_markdown(context: Any, source: str) -> str:
    """Markdown as HTML in which nothing runs, loads, or stands in for a part of the page around it."""
    exporter, sanitizer = _tools()
    return sanitizer.sanitize_html_tags(exporter.markdown2html(context, source))


@functools.cache
def _tools() -> tuple[HTMLExporter, SanitizeHTML]:
    return HTMLExporter(exclude_anchor_links=True), SanitizeHTML(tags=TAGS, attributes=_is_harmless, strip=True)


def _is_harmless(tag: str, name: str, value: str) -> bool:
    match tag, name:
        case "a", "href":
            return bool(re.match(r"https?://|mailto:|#", value))
        case "span" | "div" | "pre" | "code", "class":
            return bool(re.fullmatch(r"highlight( hl-\w+)?|[a-z][a-z0-9]?", value))  # Pygments' colours
        case (("td" | "th"), ("align" | "colspan" | "rowspan")):
            return True
    return name == "title"


def configure(config: Config) -> None:
    """nbgrader's settings for this course; the only place where they stand."""
    from nbgrader import preprocessors as p
    from nbgrader.coursedir import CourseDirectory

    config.GenerateAssignment.preprocessors = [
        p.IncludeHeaderFooter,
        p.LockCells,
        ClearSolutionsByLanguage,
        FoldHints,
        p.ClearOutput,
        p.CheckCellMetadata,
        p.ComputeChecksums,
        p.SaveCells,
        p.ClearHiddenTests,
        p.ClearMarkScheme,
        p.ComputeChecksums,
        p.CheckCellMetadata,
    ]
    config.ClearSolutionsByLanguage.code_stub = STUBS
    # Whatever lies in source/NAME/ is released: never a lesson's text, which has the answers in it.
    config.CourseDirectory.ignore = [*CourseDirectory().ignore, "*.md"]
    # What students wrote is shown in the instructor's browser and in their own: nothing of it is to run there.
    config.GenerateFeedback.preprocessors = [p.GetGrades, Sanitize, Look]
    config.HTMLExporter.preprocessors = [Sanitize]
    config.HTMLExporter.filters = {"markdown2html": f"{__name__}.safe_markdown"}  # comments go through it as well
