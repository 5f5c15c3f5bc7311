"""backendlab lab: where it listens, when it opens a browser, what it says about a lesson that isn't there."""

import os

import pytest

from backendlab import cli, launch
from backendlab.parts import ROOT


@pytest.fixture(autouse=True)
def no_display(monkeypatch):
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")


def test_without_a_display_no_browser_is_opened():
    assert "--no-browser" in launch.settings(None)


@pytest.mark.parametrize("name", ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY"])
def test_with_a_display_the_browser_opens(monkeypatch, name):
    monkeypatch.setenv(name, "something")
    assert "--no-browser" not in launch.settings(None)


def test_root_is_allowed_only_when_it_is_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "--allow-root" in launch.settings(None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "--allow-root" not in launch.settings(None)


def test_it_listens_on_this_machine_alone_and_opens_the_lesson():
    settings = launch.settings(ROOT / "notebooks" / "01-node-runtime.ipynb")
    assert "--ServerApp.ip=127.0.0.1" in settings
    assert "--LabApp.default_url=/lab/tree/notebooks/01-node-runtime.ipynb" in settings


def test_an_unknown_lesson_is_told_and_nothing_starts(capsys, monkeypatch):
    monkeypatch.setattr(launch, "start", lambda lesson: pytest.fail("it started"))
    assert cli.main(["lab", "99-nothing"]) == 1
    assert "There is no lesson 99-nothing" in capsys.readouterr().err


def test_every_command_keeps_the_pattern():
    """Each module offers add_arguments and run, and says in --help what it takes."""
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as end:
            cli.main([name, "--help"])
        assert end.value.code == 0
