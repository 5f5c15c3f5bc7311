"""Whatever a lesson starts ends: with its block, with `stop`, with the kernel, however that ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid

import psutil
import pytest
from kernels import Kernel, living, until

from backendlab.lab import _janitor, process
from backendlab.lab.process import StartError

SLEEP = ["sleep", "1000"]

# One of each kind that has been seen to outlive a kernel.
OF_EVERY_KIND = [
    """
%load_ext backendlab.lab
import multiprocessing, os, subprocess, sys, time
from backendlab.lab import node, process
detached = "import subprocess, time; subprocess.Popen(['sleep', '1000'], start_new_session=True); time.sleep(1000)"
parent = process.start([sys.executable, "-c", detached])
(process.private_directory() / "file").write_text("x")

def leave():
    os.setsid()
    time.sleep(1000)

multiprocessing.get_context("fork").Process(target=leave, daemon=True).start()
multiprocessing.get_context("spawn").Process(target=time.sleep, args=(1000,), daemon=True).start()
bare = subprocess.Popen([os.environ["BACKENDLAB_TEST"], "1000"], executable="/bin/sleep", env={})
deaf = process.start(["sh", "-c", "trap '' TERM; while true; do sleep 1; done"])
get_ipython().system_raw("sleep 1000 &")
""",
    """%%node --background server
const { createServer } = require('node:http');
const { Worker } = require('node:worker_threads');
const { spawn } = require('node:child_process');
new Worker('setInterval(() => {}, 1000)', { eval: true });
spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref();
createServer((request, response) => response.end('hello')).listen(process.env.PORT);
""",
]
COUNT = (
    12  # janitor, parent and its sleep, fork, spawn and its tracker, bare, deaf and its sleep, system, Node, its sleep
)


def start_every_kind(kernel: Kernel) -> None:
    for cell in OF_EVERY_KIND:
        ran = kernel.run(cell)
        assert not ran.error, ran
    assert until(lambda: len(living(kernel.token)) >= COUNT), living(kernel.token)


@pytest.mark.parametrize("way", ["restart", "restart now", "shutdown", "shutdown now", "kill -9"])
def test_nothing_outlives_the_kernel(tmp_path, way):
    with Kernel(tmp_path) as kernel:
        start_every_kind(kernel)
        kernel.end(way)
        until(lambda: not kernel.left())
        assert kernel.left() == {}


def test_kernels_dont_disturb_one_another(tmp_path):
    with Kernel(tmp_path) as one, Kernel(tmp_path) as other:
        start_every_kind(one)
        start_every_kind(other)
        steady = {pid for pid, words in living(other.token).items() if words != "sleep 1"}
        files = sorted(other.tmp.iterdir())
        one.end("kill -9")
        until(lambda: not one.left())
        assert one.left() == {}
        assert steady <= living(other.token).keys()
        assert sorted(other.tmp.iterdir()) == files
        assert other.value("server.alive, parent.alive, deaf.alive") == "True True True"


FOREGROUND = """%%node
const { spawn } = require('node:child_process');
const { Worker } = require('node:worker_threads');
spawn('sleep', ['1000'], { detached: true });
new Worker('for (;;);', { eval: true }).on('online', () => console.log('all there'));
"""


@pytest.mark.parametrize("way", ["kill -9", "restart now", "interrupt"])
def test_nothing_outlives_a_running_node_cell(tmp_path, way):
    with Kernel(tmp_path) as kernel:
        kernel.run("%load_ext backendlab.lab")
        cell = kernel.begin(FOREGROUND)
        kernel.read(cell, "all there")
        if way == "interrupt":
            assert "NodeError" in kernel.interrupted(cell).error
            assert [words for words in living(kernel.token).values() if "sleep" in words or "node" in words] == []
        else:
            kernel.end(way)
            until(lambda: not kernel.left())
            assert kernel.left() == {}


def test_a_kernel_that_lost_its_janitor_cleans_up_as_it_goes(tmp_path):
    with Kernel(tmp_path) as kernel:
        kernel.run("from backendlab.lab import process\nprocess.start(['sleep', '1000']); process.workspace()")
        kernel.run("import os; os.kill(process._owner.janitor.pid, 9)")
        assert kernel.run("process.start(['sleep', '1000'])").error == ""
        kernel.end("shutdown")
        until(lambda: not kernel.left())
        assert kernel.left() == {}


def test_an_interrupt_ends_the_block_and_nothing_else(tmp_path):
    with Kernel(tmp_path) as kernel:
        kernel.run("import time\nfrom backendlab.lab import process\noutside = process.start(['sleep', '1000'])")
        cell = kernel.begin("with process.start(['sleep', '1000']) as inside:\n    print('in')\n    time.sleep(100)")
        kernel.read(cell, "in\n")
        assert kernel.interrupted(cell).error.startswith("KeyboardInterrupt")
        assert kernel.value("inside.alive, inside.directory.exists(), outside.alive") == "False False True"
        kernel.interrupt()  # of an idle kernel
        assert kernel.value("outside.alive") == "True"
        cell = kernel.begin("print('in')\nprocess.start(['sleep', '1000'], ready=lambda process: False)")
        kernel.read(cell, "in\n")
        assert kernel.interrupted(cell).error.startswith("KeyboardInterrupt")
        assert list(living(kernel.token).values()).count("sleep 1000") == 1


SCRIPT = """
import os, subprocess, sys, time
from backendlab.lab import process
process.private_directory()
process.start(["sleep", "1000"])
subprocess.Popen(["sleep", "1000"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("way", ["killed", "ended"])
def test_a_program_that_leads_no_session_leaves_nothing_either(tmp_path, way):
    """Killed in the very moment that all has been started: the janitor is still importing."""
    token = uuid.uuid4().hex
    environment = {**os.environ, "BACKENDLAB_TEST": token, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SCRIPT, way], env=environment, timeout=60, check=False)
    until(lambda: not living(token) and not any(tmp_path.iterdir()))
    assert living(token) == {}
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def nothing_left():
    """No process and no directory more after a test in this process than before."""

    def there() -> tuple[set[str], set[int]]:
        owner = process._own()
        names = {path.name for path in process.Path(owner.folder).glob(f"*{owner.mark}*")}
        return names, {child.pid for child in psutil.Process().children(recursive=True)}

    before = there()
    yield
    assert until(lambda: there() == before), there()


FAILURES = {
    "missing": (["no-such-program"], "no-such-program could not be started"),
    "ends at once": (
        ["sh", "-c", "echo so long; exit 3"],
        "ended with status 3 before it was ready. It printed:\nso long",
    ),
    "says nothing": (["false"], r"\(nothing\)"),
    "ends without an error": (["true"], r"status 0 before it was ready: it did not listen on 127.0.0.1:\d+ .*PORT"),
    "listens elsewhere": (
        [sys.executable, "-c", "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(1000)"],
        r"did not answer on 127.0.0.1:\d+ .* within 5 s: it listens on port \d+ instead. It printed:\n\(nothing\)$",
    ),
    "never answers": (["sh", "-c", "echo I listen nowhere; sleep 1000"], "did not answer on .*:\nI listen nowhere"),
    "says very much": ([sys.executable, "-c", "print('x' * 10**7 + 'end')"], "x{3000,4000}end$"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_start_says_what_was_printed_and_leaves_nothing(nothing_left, case):
    argv, said = FAILURES[case]
    with pytest.raises(StartError, match=said) as caught:
        process.start(argv, port=True, timeout={"never answers": 0.5, "listens elsewhere": 5}.get(case, 60))
    assert len(str(caught.value)) < 5000


LISTEN = "import os, socket, time; s = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); time.sleep(1000)"


def test_a_port_that_another_took_is_not_taken_for_ready(nothing_left, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(process, "free_port", lambda: port)
        with pytest.raises(StartError, match="Address already in use"):
            process.start([sys.executable, "-c", LISTEN], port=True)
    with process.start([sys.executable, "-c", LISTEN], port=True) as server:  # the same port, free again
        assert process.accepts(port)
        assert server.port == port


def test_a_process_has_a_port_a_directory_and_its_output(nothing_left):
    with process.start([sys.executable, "-c", "print('ready', flush=True);" + LISTEN], port=True) as server:
        assert process.accepts(server.port)
        assert server.directory.stat().st_mode & 0o777 == 0o700
        assert until(server.output) == "ready\n"
        assert repr(server).endswith(f"running, {server.url}>")
    assert not process.accepts(server.port)
    assert server.output() == "ready\n"
    assert server.returncode == -signal.SIGTERM


def test_stop_can_be_called_again_and_after_the_end_and_from_anywhere(nothing_left):
    server = process.start(SLEEP)
    if (pid := os.fork()) == 0:
        server.stop()  # the parent's: nothing happens
        os._exit(0)
    os.waitpid(pid, 0)
    assert server.alive
    threads = [threading.Thread(target=server.stop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.stop() == server.stop() == -signal.SIGTERM
    dead = process.start(["sh", "-c", "sleep 1000 & exit 5"])
    assert dead.wait(10) == 5
    assert dead.stop() == 5  # and the sleep it left is gone


def test_stop_kills_what_doesnt_heed(nothing_left):
    deaf = process.start(["sh", "-c", "trap '' TERM; echo deaf; while true; do sleep 1; done"])
    assert until(deaf.output)
    assert deaf.stop(grace=0.1) == -signal.SIGKILL


def test_an_interrupt_doesnt_cut_a_stop_short(nothing_left):
    deaf = process.start(["sh", "-c", "trap '' TERM; echo deaf; while true; do sleep 1; done"])
    assert until(deaf.output)
    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        deaf.stop(grace=0.5)
    assert not deaf.alive


def test_a_number_that_was_used_again_is_left_alone(nothing_left):
    innocent = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        ended = process.start(["true"])
        entry = psutil.Process(ended.pid)
        ended.wait(10)
        ended.pid = innocent.pid
        ended.stop()
        assert _janitor.left_behind(os.getpid(), "no-such-mark", 0) == []
        _janitor.groups[innocent.pid] = entry
        assert _janitor.left_behind(os.getpid(), "no-such-mark", 0) == []
        assert innocent.poll() is None
    finally:
        _janitor.groups.clear()
        innocent.kill()
        innocent.wait()


def test_of_much_output_the_end_is_kept(nothing_left):
    with process.start(["sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x; echo end"]) as loud:
        assert loud.wait(60) == 0
        assert len(loud.output()) < 2 * process.SHOWN
        assert loud.output().endswith("xend\n")


def test_a_log_that_grows_too_large_is_cut_to_its_end(monkeypatch):
    monkeypatch.setenv("BACKENDLAB_OWNER", "")
    monkeypatch.setattr(process, "_owner", None)
    monkeypatch.setattr(process, "LARGEST_LOG", 1 << 20)
    count = "import time\nfor n in range(10**6): print(str(n).rjust(10**5), flush=True); time.sleep(0.01)"
    with process.start([sys.executable, "-c", count]) as loud:

        def printed() -> int:
            return int((loud.output().split() or [0])[-1])

        assert until(lambda: loud.log.stat().st_size < 10**5 * printed() / 2)
        seen = printed()
        assert until(lambda: printed() > seen + 10)  # it goes on
    assert process._owner is not None
    process._owner.close()
