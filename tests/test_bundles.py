"""npm bundles: whole or not at all, one set-up at a time, found by JavaScript, and a sentence without them."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from backendlab import bundles, parts
from backendlab.cli import main
from backendlab.lab import node, process

SETUP = ["tools/setup.py", "bundle"]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with one bundle, of one package that lies beside it: made without a network."""
    root = tmp_path / "a course"
    for name in ("tools/setup.py", "backendlab/__init__.py", "backendlab/parts.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(parts.ROOT / name, root / name)
    package = tmp_path / "greeting"
    package.mkdir()
    (package / "package.json").write_text('{"name": "greeting", "version": "1.0.0", "main": "index.js"}')
    (package / "index.js").write_text("module.exports = 'hello'")
    npm = [*parts.npm(), "--cache", str(tmp_path / "cache")]
    subprocess.run([*npm, "pack", str(package)], cwd=tmp_path, env=parts.node_env(), check=True, capture_output=True)
    bundle = root / "npm" / "greetings"
    bundle.mkdir(parents=True)
    settings = {
        "name": "greetings",
        "private": True,
        "dependencies": {"greeting": f"file:{tmp_path}/greeting-1.0.0.tgz"},
    }
    (bundle / "package.json").write_text(json.dumps(settings))
    lock = [*npm, "install", "--package-lock-only", "--offline"]
    subprocess.run(lock, cwd=bundle, env=parts.node_env(), check=True, capture_output=True)
    (bundle / "overlay" / ".made" / "of").mkdir(parents=True)
    (bundle / "overlay" / ".made" / "of" / "index.js").write_text("module.exports = 'laid over'")
    return root


def make(course: Path, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *SETUP], cwd=course, env={**os.environ, **env}, capture_output=True, text=True, timeout=120
    )


def test_made_once_with_what_is_laid_over_it(course: Path) -> None:
    done = make(course)
    assert done.returncode == 0, done.stderr
    assert "npm/greetings" in done.stdout
    packages = course / "npm" / "greetings" / "node_modules"
    assert (packages / "greeting" / "index.js").exists()
    assert (packages / ".made" / "of" / "index.js").exists()
    again = make(course)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_changed_lock_makes_it_anew(course: Path) -> None:
    make(course)
    packages = course / "npm" / "greetings" / "node_modules"
    before = packages.stat().st_ino
    overlay = course / "npm" / "greetings" / "overlay" / ".made" / "of" / "index.js"
    overlay.write_text("module.exports = 'laid over anew'")
    assert make(course).returncode == 0
    assert packages.stat().st_ino != before
    assert "anew" in (packages / ".made" / "of" / "index.js").read_text()


def test_two_at_once_make_it_once(course: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, *SETUP], cwd=course, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sum("npm packages of npm/greetings" in out for out, _ in said) == 1, said


def test_without_what_the_lock_pins_nothing_is_left_and_a_sentence_says_so(course: Path, tmp_path: Path) -> None:
    (tmp_path / "greeting-1.0.0.tgz").write_bytes(b"another file under the same name")
    done = make(course, npm_config_cache=str(tmp_path / "another cache"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "greetings" in done.stderr
    assert not (course / "npm" / "greetings" / "node_modules").exists()
    assert not (course / ".backendlab" / "npm").exists()


def test_without_a_network(course: Path, tmp_path: Path) -> None:
    bundle = course / "npm" / "greetings"
    lock = json.loads((bundle / "package-lock.json").read_text())
    lock["packages"]["node_modules/greeting"] = {"version": "1.0.0", "integrity": "sha512-" + "A" * 86 + "=="}
    lock["packages"][""]["dependencies"] = {"greeting": "1.0.0"}
    (bundle / "package-lock.json").write_text(json.dumps(lock))
    (bundle / "package.json").write_text(
        '{"name": "greetings", "private": true, "dependencies": {"greeting": "1.0.0"}}'
    )
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        no_proxy = {name: "" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
        nowhere = {"npm_config_registry": closed, "npm_config_fetch_retries": "0", **no_proxy}
        done = make(course, npm_config_cache=str(tmp_path / "another cache"), **nowhere)
    assert done.returncode == 1
    assert "the package registry could not be reached" in done.stderr
    assert "run the same command again" in done.stderr
    assert not (bundle / "node_modules").exists()


@pytest.mark.network
def test_javascript_of_the_bundles_folder_finds_its_packages() -> None:
    node.bundle("orms")
    node.save("orms/finds.mjs", "import { PrismaClient } from '@prisma/client'; console.log(typeof PrismaClient)")
    assert node.run("orms/finds.mjs").stdout == "function\n"
    node.save("finds-not.mjs", "import '@prisma/client'")
    with pytest.raises(node.NodeError, match="ERR_MODULE_NOT_FOUND"):
        node.run("finds-not.mjs")
    assert (process.workspace() / "orms" / "node_modules").resolve() == parts.bundle("orms").resolve()


def test_a_bundle_that_is_not_there_is_told_and_then_raised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(bundles, "bring", lambda name, tell: "Check the connection.")
    monkeypatch.setattr(node, "_not_there", {})
    node.bundle("orms")
    assert "Check the connection." in capsys.readouterr().out
    with pytest.raises(node.NodeError, match="Check the connection"):
        node.needs("orms")
    with pytest.raises(node.NodeError, match="Check the connection"):
        node.run("orms/anything.mjs")
    node.save("else.mjs", "console.log('else')")
    assert node.run("else.mjs").stdout == "else\n"


def test_the_command_wants_to_know_which(capsys: pytest.CaptureFixture) -> None:
    for words in ([], ["nonsense"]):
        assert main(["setup", *words]) == 1
        assert "backendlab setup --all" in capsys.readouterr().err


def test_every_bundle_has_a_lock_that_names_no_registry() -> None:
    assert "orms" in parts.bundles()
    for name in parts.bundles():
        lock = json.loads((parts.ROOT / "npm" / name / "package-lock.json").read_text())
        assert all("resolved" not in one for one in lock["packages"].values())
        assert all("integrity" in one for path, one in lock["packages"].items() if path)


def test_prismas_client_is_of_the_schema_that_is_shown() -> None:
    client = (parts.ROOT / "npm/orms/overlay/.prisma/client/default.js").read_text()
    schema = (parts.ROOT / "npm/orms/prisma/schema.prisma").read_text()
    assert json.dumps(schema) in client, "run `make lock`: the client is generated from the schema"
    version = json.loads((parts.ROOT / "npm/orms/package.json").read_text())["dependencies"]["@prisma/client"]
    assert f'"clientVersion": "{version}"' in client
