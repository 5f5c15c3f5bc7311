"""`backendlab lab`: JupyterLab on this machine alone, opened at a lesson."""

import argparse
import gc
import os
import sys
from pathlib import Path
from urllib.parse import quote

from backendlab.parts import ROOT
from backendlab.trouble import Trouble

FIRST = "01-node-runtime"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lesson", nargs="?", default=FIRST, help=f"the lesson to open (default: {FIRST})")


def run(args: argparse.Namespace) -> int:
    lesson = ROOT / "notebooks" / f"{args.lesson}.ipynb"
    if not lesson.exists():
        if args.lesson != FIRST:
            there = ", ".join(sorted(path.stem for path in lesson.parent.glob("*.ipynb")))
            raise Trouble(f"There is no lesson {args.lesson} in notebooks/. Those that are there: {there}")
        print("Lesson 1 is not in notebooks/ yet (`make build` makes it from source/): opening JupyterLab without it.")
    where = "Your browser opens at the lesson" if has_browser() else "No display here: open the address below"
    print(f"JupyterLab is starting. {where}. Ctrl-C stops it.", flush=True)
    start(lesson if lesson.exists() else None)
    return 0


def start(lesson: Path | None) -> None:
    """Be JupyterLab until it is stopped: in this process, since a second Python would cost its own start."""
    gc.set_threshold(50_000)  # a fifth of the start went into looking for garbage while there is none
    # JupyterLab asks yarn for its registry while it is imported, for builds that nobody does here: half a second,
    # if it finds a Node on PATH.
    path, os.environ["PATH"] = os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)
    # Our folder of JupyterLab's own settings comes first: no question about news stands before the lesson.
    folders = [str(Path(__file__).parent / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))
    from jupyterlab.labapp import LabApp  # here, because it takes a second

    # Terminals and `!` lines in JupyterLab find this environment's commands, though nobody has activated it.
    os.environ["PATH"] += os.pathsep + path
    LabApp.launch_instance(settings(lesson))


def settings(lesson: Path | None) -> list[str]:
    """JupyterLab's command line. A person's own Jupyter settings hold, but for what stands here."""
    address = "/lab" if lesson is None else "/lab/tree/" + quote(lesson.relative_to(ROOT).as_posix())
    return [
        "--ServerApp.ip=127.0.0.1",  # nobody else may run code here; the port is Jupyter's choice: 8888, or one free
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url={address}",
        "--ServerApp.answer_yes=True",  # one Ctrl-C is enough
        "--ServerApp.log_level=ERROR",  # the address is printed all the same
        "--LabApp.log_level=ERROR",
        # Nothing is asked of the network: no look for updates, no list of extensions to install.
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        *([] if has_browser() else ["--no-browser"]),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def has_browser() -> bool:
    """Whether a browser would appear in front of the person (and not a text browser in the terminal, nor elsewhere)."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in os.environ
    return any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
