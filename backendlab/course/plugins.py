"""nbgrader's plug-ins of this course, and its settings: `nbgrader_config.py` and our own builds use the same."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import ClearSolutions
from traitlets.config import Config

NODE_STUB = (
    "// YOUR CODE HERE\n"
    "throw Object.assign(new Error('not done yet: write your answer in this cell'), { name: 'NotImplementedError' });"
)


class ClearSolutionsByLanguage(ClearSolutions):
    """nbgrader's own, with the stub of the cell's language: a notebook of ours has Python and JavaScript answers."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        magic, newline, body = cell.source.partition("\n")
        if cell.cell_type != "code" or not magic.startswith("%%node"):
            return super().preprocess_cell(cell, resources, cell_index)
        cell.source = body
        cell, _ = super().preprocess_cell(cell, {**resources, "language": "javascript"}, cell_index)
        cell.source = magic + newline + cell.source
        return cell, resources


def configure(config: Config) -> None:
    """nbgrader's settings for this course; the only place where they stand."""
    from nbgrader import preprocessors as p

    config.GenerateAssignment.preprocessors = [
        p.IncludeHeaderFooter,
        p.LockCells,
        ClearSolutionsByLanguage,
        p.ClearOutput,
        p.CheckCellMetadata,
        p.ComputeChecksums,
        p.SaveCells,
        p.ClearHiddenTests,
        p.ClearMarkScheme,
        p.ComputeChecksums,
        p.CheckCellMetadata,
    ]
    config.ClearSolutionsByLanguage.code_stub = {
        "python": "# YOUR CODE HERE\nraise NotImplementedError()",
        "javascript": NODE_STUB,
    }
