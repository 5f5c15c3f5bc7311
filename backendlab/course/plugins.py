"""nbgrader's plug-ins of this course, and its settings: `nbgrader_config.py` and our own builds use the same."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions, NbGraderPreprocessor
from traitlets.config import Config

from backendlab.course.lesson import NOT_DONE

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
