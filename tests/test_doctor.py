"""backendlab doctor: it starts the real parts, and says what to do about those that are missing."""

import argparse
import os
import sys

import pytest

from backendlab import doctor
from backendlab.doctor import Absent, Part


@pytest.mark.parametrize("part", doctor.PARTS, ids=lambda part: part.name)
def test_part_starts(part):
    state, detail = doctor.examine(part)
    if state == "missing" and not part.required and not os.environ.get("CI"):
        pytest.skip(f"{part.name} is not on this machine, and only a continuous integration must have it")
    assert (state, bool(detail)) == ("ok", True), detail


def absent() -> str:
    raise Absent("no such thing on PATH")


def broken() -> str:
    return doctor.output(sys.executable, "-c", "print('one'); print('the port is taken'); exit(3)")


def sound() -> str:
    return "1.2.3"


def table(monkeypatch, capsys, *parts: Part) -> tuple[int, str]:
    monkeypatch.setattr(doctor, "PARTS", list(parts))
    status = doctor.run(argparse.Namespace())
    return status, capsys.readouterr().out


def test_all_sound(monkeypatch, capsys):
    status, out = table(monkeypatch, capsys, Part("Node", "lessons", sound, "make lab"))
    assert status == 0
    assert "Node  1.2.3" in out
    assert "make lab" not in out  # no advice where none is needed


def test_missing_and_required(monkeypatch, capsys):
    status, out = table(monkeypatch, capsys, Part("Node", "running JavaScript", absent, "make lab"))
    assert status == 1
    assert "missing" in out
    assert "for: running JavaScript" in out
    assert "do:  make lab" in out


def test_missing_and_optional(monkeypatch, capsys):
    part = Part("bubblewrap", "the sandbox", absent, "apt-get install bubblewrap", required=False)
    status, out = table(monkeypatch, capsys, part)
    assert status == 0
    assert "do:  apt-get install bubblewrap" in out


def test_there_but_does_not_start(monkeypatch, capsys):
    status, out = table(monkeypatch, capsys, Part("nginx", "proxies", broken, "make lab"))
    assert status == 1
    assert "broken" in out
    assert "the port is taken" in out  # its own last words


def test_one_that_hangs_does_not_hang_the_doctor(monkeypatch):
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    part = Part("slow", "nothing", lambda: doctor.output(sys.executable, "-c", "import time; time.sleep(60)"), "none")
    assert doctor.examine(part)[0] == "broken"
