"""npm packages that only some lessons need: bundles, fetched when first wanted, or by `backendlab setup --all`.

A bundle is a folder of npm/ with a package.json and a lock of its own. How its node_modules is made, whole or not at
all, one set-up at a time and checked against the lock by a stamp, is tools/setup.py's work.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable

from backendlab import parts
from backendlab.trouble import Trouble


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", nargs="*", metavar="NAME", help=f"which: {', '.join(parts.bundles())}")
    parser.add_argument("--all", action="store_true", help="all of them, for a machine that will have no network")


def run(args: argparse.Namespace) -> int:
    """Fetch what was asked for and is not there yet."""
    names = parts.bundles() if args.all else args.bundle
    if not names or not set(names) <= set(parts.bundles()):
        raise Trouble(f"Say which: backendlab setup --all, or one or more of {', '.join(parts.bundles())}.")
    for name in names:
        if said := bring(name, lambda line: print(line, flush=True)):
            raise Trouble(said)
        print(f"{name}: ready in {parts.bundle(name)}")
    return 0


def bring(name: str, tell: Callable[[str], object]) -> str:
    """Have the packages of this bundle; where they are there, that takes a moment and no network.

    `tell` is given each line of progress. What went wrong, in a sentence that says what to do, or nothing.
    """
    words = [sys.executable, str(parts.ROOT / "tools" / "setup.py"), "bundle", name]
    child = subprocess.Popen(
        words,
        cwd=parts.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert child.stdout
    assert child.stderr
    try:
        for line in child.stdout:
            tell(line.rstrip())
        said = child.stderr.read().strip()
    except BaseException:
        child.terminate()  # it removes what it began
        raise
    finally:
        child.wait()
        child.stdout.close()
        child.stderr.close()
    return said or f"`{' '.join(words)}` ended with status {child.returncode}." if child.returncode else ""
