"""`backendlab doctor`: what each real part is, which version, whether it starts, and what brings a missing one.

A part is one entry of PARTS. Its probe really starts it and returns its version; whatever the probe raises is the
reason why it doesn't start. The probes use the same commands and the same environment as the lessons.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backendlab import parts

PATIENCE = 60  # seconds for one probe: slow machines are slow, and a part that hangs must not hang the doctor


@dataclass(frozen=True)
class Part:
    name: str
    purpose: str  # what a person misses without it
    probe: Callable[[], str]  # starts it and returns its version; raises Absent, or anything else if it doesn't start
    remedy: str  # the one command that brings it
    required: bool = True


class Absent(Exception):
    """The part is not on this machine."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    """Print a line for each part as it was found. 0 when all required parts start, 1 otherwise."""
    width = max(len(part.name) for part in PARTS)
    broken = False
    for part in PARTS:
        if sys.stdout.isatty():
            print(f"  …     {part.name:{width}}  is being started", end="\r", flush=True)
        state, detail = examine(part)
        broken |= part.required and state != "ok"
        print(
            f"\x1b[K  {state:7}" if sys.stdout.isatty() else f"  {state:7}",
            f"{part.name:{width}}  {detail}",
            flush=True,
        )
        if state != "ok":
            print(f"{'':9} {'':{width}}  for: {part.purpose}{'' if part.required else ' (the rest works without it)'}")
            print(f"{'':9} {'':{width}}  do:  {part.remedy}", flush=True)
    print("\nSomething required does not start: see above." if broken else "\nEverything that is required starts.")
    return 1 if broken else 0


def examine(part: Part) -> tuple[str, str]:
    """("ok", version), ("missing", why) or ("broken", why)."""
    try:
        return "ok", part.probe()
    except (Absent, importlib.metadata.PackageNotFoundError, FileNotFoundError) as problem:
        return "missing", f"not found ({problem})"
    except subprocess.TimeoutExpired:
        return "broken", f"did not answer within {PATIENCE} s"
    except subprocess.CalledProcessError as problem:
        said = [line for line in (problem.output or "").splitlines() if line.strip()]
        return "broken", f"does not start: {said[-1].strip() if said else f'exit status {problem.returncode}'}"
    except Exception as problem:  # a probe may fail in any way, and the other parts are still to be examined
        return "broken", f"does not start: {problem or type(problem).__name__}"


def output(*argv: str | Path, **more) -> str:
    """What a command prints, errors included; CalledProcessError if it fails."""
    return subprocess.check_output(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        **more,
    )


def found(*names: str) -> str:
    """The first of these commands that is on PATH."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise Absent(f"no {' or '.join(names)} on PATH")


def system_package(debian: str, brew: str | None) -> str:
    """The command that installs a package of the system."""
    if sys.platform == "darwin":
        return f"brew install {brew}" if brew else "(there is none for macOS)"
    if shutil.which("apt-get"):
        return ("" if os.geteuid() == 0 else "sudo ") + f"apt-get install -y {debian}"
    return f"install the package {debian} with your system's package manager"


# ---- the probes


def python() -> str:
    output(sys.executable, "-c", "import ssl, sqlite3")  # what a Python built from source lacks most often
    return platform.python_version()


def node() -> str:
    return output(parts.node(), "--print", "process.version").strip().removeprefix("v")


def npm_packages() -> str:
    """The tree is the lock's, and what lessons import can be imported."""
    if not parts.node_modules().is_dir():
        raise Absent("there is no node_modules")
    output(*parts.npm(), "ls", "--all", cwd=parts.ROOT, env=parts.node_env())
    direct = json.loads((parts.ROOT / "package.json").read_text())["dependencies"]
    load = "for (const name of process.argv.slice(1)) await import(name)"
    output(parts.node(), "--input-type=module", "--eval", load, "--", *direct, cwd=parts.ROOT)
    count = len(json.loads((parts.ROOT / "package-lock.json").read_text())["packages"]) - 1
    return f"{count} as locked: " + ", ".join(f"{name} {version}" for name, version in direct.items())


@cache
def jupyterlab_server() -> tuple[dict, dict[str, str]]:
    """A real JupyterLab, started as `backendlab lab` starts it: (what its page tells the browser, what nbgrader's
    parts in the server answer). Started once for all who ask."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("w+") as log:
        token = secrets.token_hex()  # whoever knows it may run code here
        argv = [sys.executable, "-m", "backendlab.cli", "lab"]
        env = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")}
        env |= {"JUPYTER_TOKEN": token, "JUPYTER_RUNTIME_DIR": folder}
        server = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + PATIENCE
            while not (running := list(Path(folder).glob("jpserver-*.json"))):
                if server.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise subprocess.CalledProcessError(server.returncode or 1, argv, log.read())
                time.sleep(0.05)
            url = json.loads(running[0].read_text())["url"]

            def get(path: str) -> str:
                request = urllib.request.Request(url + path, headers={"Authorization": f"token {token}"})
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                    return answer.read().decode()

            page = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', get("lab"), re.DOTALL)
            if not page:
                raise RuntimeError("it answers, but not with JupyterLab's page")
            return json.loads(page.group(1)), {path: answer_or_reason(get, path) for path in NBGRADER_PATHS}
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


NBGRADER_PATHS = {
    "courses": "Assignment List",
    "formgrader": "Formgrader",
    "nbgrader_version?version=" + importlib.metadata.version("nbgrader"): "Validate",
}


def answer_or_reason(get: Callable[[str], str], path: str) -> str:
    """ "" if the server answers, else why not."""
    try:
        get(path)
    except OSError as problem:
        return str(problem)
    return ""


def jupyterlab() -> str:
    return jupyterlab_server()[0]["appVersion"]


def kernel() -> str:
    """A kernel computes something, as a notebook's cell would."""
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel(kernel_name='python3')\n"
        "try: client.execute_interactive('assert 6 * 7 == 42', timeout=30)['content']['status'] == 'ok' or exit(1)\n"
        "finally: client.stop_channels(); manager.shutdown_kernel(now=True)\n"
    )
    output(sys.executable, "-c", code)
    return "ipykernel " + importlib.metadata.version("ipykernel")


def nbgrader() -> str:
    output(sys.executable, "-m", "nbgrader", "--version")
    return importlib.metadata.version("nbgrader")


def nbgrader_extensions() -> str:
    """JupyterLab's page lists nbgrader's part for the browser, and its parts in the server answer."""
    page, answers = jupyterlab_server()
    names = [extension["name"] for extension in page["federated_extensions"]]
    if "@jupyter/nbgrader" not in names:
        raise RuntimeError(f"JupyterLab loads {', '.join(names) or 'no extension'}, but not nbgrader's")
    for path, reason in answers.items():
        if reason:
            raise RuntimeError(f"{NBGRADER_PATHS[path]} does not answer: {reason}")
    return ", ".join(NBGRADER_PATHS.values())


def uvloop() -> str:
    return output(
        sys.executable, "-c", "import asyncio, uvloop; uvloop.run(asyncio.sleep(0)); print(uvloop.__version__)"
    ).strip()


def py_spy() -> str:
    """It profiles a program that it started itself, which needs no rights."""
    spy = Path(sysconfig.get_path("scripts"), "py-spy")
    with tempfile.TemporaryDirectory() as folder:
        busy = "import time; end = time.time() + 0.5\nwhile time.time() < end: pass"
        profile = Path(folder, "profile")
        output(spy, "record", "--format", "raw", "--output", profile, "--", sys.executable, "-c", busy)
        if not profile.read_text():
            raise RuntimeError("it recorded nothing")
    return output(spy, "--version").split()[-1]


def postgresql() -> str:
    code = (
        "from backendlab.lab.services import postgres\n"
        "with postgres.server() as server, server.connect() as session:\n"
        "    print(session.execute('SHOW server_version').fetchone()[0])\n"
    )
    return output(sys.executable, "-c", code).strip()


def valkey() -> str:
    code = (
        "from backendlab.lab.services import valkey\n"
        "with valkey.server() as server, server.connect() as client:\n"
        "    print(client.info('server')['valkey_version'])\n"
    )
    return output(sys.executable, "-c", code).strip()


def nginx() -> str:
    code = (
        "from backendlab.lab.services import nginx\n"
        "import urllib.request\n"
        "with nginx.server('location / { return 200 $nginx_version; }') as server:\n"
        "    print(urllib.request.urlopen(server.url).read().decode())\n"
    )
    return output(sys.executable, "-c", code).strip()


def sandbox() -> str:
    """One is made, with all that it consists of."""
    code = "from backendlab.course import sandbox; print(sandbox.why_not())"
    if why := output(sys.executable, "-c", code).strip():
        raise RuntimeError(why)
    return f"Linux {platform.release()}"


def chromium() -> str:
    browser = found("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    with tempfile.TemporaryDirectory() as folder:
        options = ["--headless", "--disable-gpu", f"--user-data-dir={folder}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses its sandbox to root; this page is our own
        page = output(browser, *options, "--dump-dom", "data:text/html,<p>it draws</p>")
    if "it draws" not in page:
        raise RuntimeError("it does not show a page")
    return re.search(r"\d+(\.\d+)+", output(browser, "--version"))[0]  # type: ignore[index]


PARTS = [
    Part("Python", "everything", python, "make lab PYTHON=python3.13   (install it first)"),
    Part("Node", "every lesson's other half", node, "make lab"),
    Part("npm packages", "Express and what lessons import in Node", npm_packages, "make lab"),
    Part("JupyterLab", "opening a lesson", jupyterlab, "make lab"),
    Part("Python kernel", "running a lesson's cells", kernel, "make lab"),
    Part("nbgrader", "exercises: their release, grading and feedback", nbgrader, "make lab"),
    Part("nbgrader in JupyterLab", "Validate, and an instructor's Formgrader", nbgrader_extensions, "make lab"),
    Part("uvloop", "lesson 1: the third event loop that is measured", uvloop, "make lab"),
    Part("py-spy", "lesson 1: profiling a Python process from outside", py_spy, "make lab"),
    Part("PostgreSQL", "the lessons on databases", postgresql, "make lab"),
    Part("Valkey", "lesson 4.4 and the lessons on queues: a broker", valkey, "make lab"),
    Part("nginx", "lesson 2.4: a shared cache before a server", nginx, "make lab"),
    Part(
        "sandbox",
        "grading: a student's code in namespaces of its own",
        sandbox,
        "grade on Linux 5.12 or newer; as root, or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        required=False,
    ),
    Part(
        "Chromium",
        "the tests that open a lesson in a real browser",
        chromium,
        system_package("chromium", "--cask chromium"),
        required=False,
    ),
]
