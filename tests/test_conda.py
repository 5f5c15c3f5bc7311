"""environment.yml, the conda route, leads to the same pins as `make lab`.

Proven here: it is what conda reads, it asks for a Python that the package allows, its pins are those of pyproject.toml
because it installs the very lock, and pip accepts that lock the way conda hands it over. Not proven, because it would
need conda's channels: that conda finds its own four packages there.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def lines_for_pip() -> list[str]:
    (pip,) = (entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))
    return pip


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text()
    return {canonicalize_name(name): pin for name, pin in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)}


def test_names():
    assert ENVIRONMENT["name"] == PROJECT["project"]["name"]
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]
    assert "pip" in ENVIRONMENT["dependencies"]


def test_python_is_one_that_the_package_allows():
    (python,) = (line for line in ENVIRONMENT["dependencies"] if str(line).startswith("python"))
    asked, allowed = SpecifierSet(python.removeprefix("python")), SpecifierSet(PROJECT["project"]["requires-python"])
    for minor in range(8, 20):
        version = f"3.{minor}.0"
        assert version not in asked or version in allowed
    assert all(f"3.{minor}.0" in asked for minor in (11, 12, 13))


@pytest.mark.parametrize(("lock", "groups"), [("lab.txt", ["build"]), ("test.txt", ["build", "test"])])
def test_locks_hold_what_pyproject_pins(lock, groups):
    """lab.txt is what conda installs; test.txt is held to the same."""
    asked = [
        *PROJECT["project"]["dependencies"],
        *(line for group in groups for line in PROJECT["dependency-groups"][group]),
    ]
    locked = pins(lock)
    for requirement in map(Requirement, asked):
        assert f"=={locked[canonicalize_name(requirement.name)]}" == str(requirement.specifier), requirement.name


def test_both_locks_agree():
    assert pins("lab.txt").items() <= pins("test.txt").items()


def test_pip_takes_the_lock_from_conda(tmp_path):
    """conda writes the lines into a file beside environment.yml and calls pip on it, there, in these words."""
    assert lines_for_pip() == ["-r requirements/lab.txt"]
    (tmp_path / "requirements").symlink_to(ROOT / "requirements")
    (tmp_path / "condaenv.requirements.txt").write_text("\n".join(lines_for_pip()))
    argv = [sys.executable, "-m", "pip", "install", "-U", "-r", "condaenv.requirements.txt", "--exists-action=b"]
    done = subprocess.run(
        [*argv, "--dry-run", "--no-index"], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Would install" not in done.stdout  # this environment is already what the lock says
