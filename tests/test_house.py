"""The house: who may import whom, what stands at the top, and that the documents name commands that exist."""

import ast
import re
from pathlib import Path

import pytest

from backendlab.cli import COMMANDS
from backendlab.parts import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(("room", "forbidden"), [("lab", "course"), ("course", "lab"), ("lab", "learner")])
def test_who_may_import_whom(room: str, forbidden: str) -> None:
    for path in (ROOT / "backendlab" / room).rglob("*.py"):
        wrong = [name for name in imported(path) if name.startswith(f"backendlab.{forbidden}")]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


@pytest.mark.parametrize(
    "name",
    ["notebooks", "source", "release", "autograded", "environment.yml", "nbgrader_config.py", "README.md"],
)
def test_what_stands_at_the_top(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_what_exists(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"^(?:\$ )?(?:\.venv/bin/)?backendlab (\w+)", text, flags=re.M)) <= set(COMMANDS)
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"^make ([\w-]+)", text, flags=re.M)) <= targets
    for link in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
        assert (path.parent / link).exists(), f"{path.name} links to {link}"
