""".ci/run: asks the system for what is missing and only that, then is `make test`, with its exit status."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / ".ci" / "run"
THERE = ["bash", "env", "dirname", "grep", "git"]  # what this script needs of any machine


@pytest.fixture
def machine(tmp_path):
    """A machine of stand-ins: `have(name, script)` puts a command on its only PATH; what was called is in `calls`."""
    folder, calls = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()
    calls.touch()
    for name in THERE:
        (folder / name).symlink_to(shutil.which(name))
    (folder / "python3").symlink_to(Path(sys.executable).resolve())

    def have(name, script="true"):
        (folder / name).write_text(f'#!/usr/bin/env bash\necho "{name} $*" >> "{calls}"\n{script}\n')
        (folder / name).chmod(0o755)

    def run():
        env = {"PATH": str(folder), "HOME": str(tmp_path)}
        done = subprocess.run([str(RUN)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        called = [line for line in calls.read_text().splitlines() if not line.startswith("fc-list")]
        return done.returncode, called, done.stdout + done.stderr

    return have, run


def with_everything(have):
    have("bwrap")
    have("chromium")
    have("fc-list", "echo DejaVu Sans")


def test_nothing_is_installed_where_nothing_is_missing(machine):
    have, run = machine
    with_everything(have)
    have("apt-get")
    have("make", '[ "$CI" = true ] && ! read -r -t 1 line')  # CI is set, and there is no stdin to wait for
    status, called, said = run()
    assert (status, called) == (0, ["make test"]), said


def test_the_status_is_that_of_the_tests(machine):
    have, run = machine
    with_everything(have)
    have("make", "exit 7")
    assert run()[0] == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs without asking sudo")
def test_what_is_missing_is_installed_first(machine):
    have, run = machine
    have("fc-list", "echo DejaVu Sans")
    have("apt-get")
    have("make")
    status, called, said = run()
    assert status == 0, said
    assert called[0].startswith("apt-get update")
    assert called[1].startswith("apt-get install")
    assert called[1].endswith("bubblewrap chromium")
    assert called[2:] == ["make test"]


def test_without_apt_get_it_says_what_to_install(machine):
    have, run = machine
    have("fc-list", "echo DejaVu Sans")
    have("make")
    status, called, said = run()
    assert status == 1
    assert "bubblewrap chromium" in said
    assert "Install these with your system's package manager" in said
    assert called == []
