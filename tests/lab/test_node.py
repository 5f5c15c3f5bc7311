"""`%%node` in a real kernel, and `node.run`, `node.rows`, `node.start` beside it."""

from __future__ import annotations

import urllib.request

import pytest
from kernels import Kernel, Ran, living, until

from backendlab.lab import node, process
from backendlab.lab.node import NodeError, NodeTimeout


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        ran = kernel.run("%load_ext backendlab.lab\nimport os\nfrom backendlab.lab import node, process")
        assert not ran.error, ran
        yield kernel


@pytest.fixture
def cell(kernel):
    """`cell("console.log(1)", "--timeout 2")`: run it in `%%node`. Afterwards nothing of it may be left."""
    before = {pid for pid, words in living(kernel.token).items() if "_janitor" not in words}

    def run(source: str, line: str = "") -> Ran:
        return kernel.run(f"%%node {line}\n{source}")

    yield run
    left = {pid: words for pid, words in living(kernel.token).items() if "_janitor" not in words and pid not in before}
    assert left == {}


PRINTS = {
    "CommonJS": "const { sep } = require('node:path'); console.log(sep)",
    "ES module": "import { sep } from 'node:path'; console.log(await sep)",
    "TypeScript": "interface A { sep: string }\nconst a: A = require('node:path'); console.log(a.sep)",
    "TypeScript module": "import { sep } from 'node:path'; const a: string = sep; console.log(a)",
    "an npm package": "const express = require('express'); console.log(typeof express() === 'function' ? '/' : '')",
    "an npm package, ES": "import express from 'express'; console.log(express.Router ? '/' : '')",
    "a worker, npm in it": (
        "new (require('node:worker_threads').Worker)(\"require('express'); console.log('/')\", { eval: true })"
    ),
}


@pytest.mark.parametrize("case", PRINTS)
def test_a_cell_is_javascript_or_typescript_of_either_kind(cell, case):
    assert cell(PRINTS[case]) == Ran(stdout="/\n")


def test_saved_files_are_there_for_other_cells(cell):
    assert cell("export const f = () => 'saved'; export { default } from 'express'", "--save deep/er/f.mjs") == Ran()
    assert cell("import { f } from './deep/er/f.mjs'; console.log(f())").stdout == "saved\n"
    assert cell("const t: number = 5; console.log(t)", "--save five.ts").stdout == "5\n"  # it runs, too
    cell("import express from 'express'; console.log('works', typeof express)", "--save deep/worker.mjs")
    thread = "import { Worker } from 'node:worker_threads'; new Worker(new URL('./deep/worker.mjs', import.meta.url))"
    assert cell(thread) == Ran(stdout="works function\n")


def test_output_is_live(kernel, tmp_path):
    """The cell waits for a file that is only written once its first line has been seen."""
    file = tmp_path / "seen"
    waiting = f"""%%node
    console.log('first');
    const {{ existsSync }} = require('node:fs');
    const timer = setInterval(() => {{
      if (existsSync('{file}')) {{ clearInterval(timer); console.log('second') }}
    }}, 5)
    """
    running = kernel.begin(waiting)
    ran = kernel.read(running, "first\n")
    assert ran.stdout == "first\n"
    file.touch()
    assert kernel.read(running, ran=ran).stdout == "first\nsecond\n"


STUBBORN = {
    "a busy loop": "console.log('go'); for (;;) {}",
    "an idle server": "require('node:http').createServer().listen(0, () => console.log('go'))",
    "one that heeds no signal": (
        "for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => {});\nsetInterval(() => {}, 1e3); console.log('go')"
    ),
}


@pytest.mark.parametrize("case", STUBBORN)
def test_an_interrupt_stops_it(kernel, cell, case):
    running = kernel.begin(f"%%node\n{STUBBORN[case]}")
    kernel.read(running, "go")
    assert kernel.interrupted(running).error.startswith("NodeError: Node ")
    assert cell("console.log('on')").stdout == "on\n"


CHILDREN = """
const { spawn } = require('node:child_process');
spawn('sleep', ['1000']);
spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' }).unref();
"""


def test_the_time_out_stops_it_and_its_children_and_says_so(cell):
    said = "NodeTimeout: The cell was stopped: it ran longer than 0.5 s (--timeout)."
    assert cell(CHILDREN + "for (;;) {}", "--timeout 0.5").error == said
    assert cell(CHILDREN + "process.exit(0)", "--timeout 0.5").error == said  # a child still holds its output open
    assert cell("console.log(1)", "--timeout 60").error == ""
    listening = "require('node:http').createServer().listen(0)"
    assert "--timeout). It listened on port " in cell(listening, "--timeout 5").error


def test_errors_are_as_node_shows_them_with_the_cells_line_numbers(cell):
    ran = cell("\nconst a = 1;\nthrow new TypeError('on line 4')")
    assert "[stdin]:4\nthrow new TypeError('on line 4')" in ran.stderr
    assert "TypeError: on line 4\n    at [stdin]:4:7" in ran.stderr
    assert ran.traceback == ["Node ended with status 1."]
    ran = cell("\nimport 'node:fs';\nthrow new TypeError('on line 4')", "--save thrown.mjs")
    assert "thrown.mjs:4\nthrow new TypeError('on line 4')" in ran.stderr
    assert cell("\nlet = = 1").stderr.startswith("[stdin]:3\n")
    assert cell("process.exit(7)").error == "NodeError: Node ended with status 7."
    assert cell("process.kill(process.pid, 'SIGSEGV')").error == "NodeError: Node ended with signal SIGSEGV."


def test_arguments_and_flags(cell):
    args = "console.log(JSON.stringify(process.argv.slice(2)))"
    assert cell(args, "a 'b c' 'ü$HOME' -- --out x --bg").stdout == '["a","b c","ü$HOME","--out","x","--bg"]\n'
    assert cell("console.log(typeof gc)", "--flags '--expose-gc'").stdout == "function\n"
    assert cell("console.log(typeof gc)", "--flags='--expose-gc --no-warnings'").stdout == "function\n"


def test_text_of_every_kind(cell):
    assert cell("console.log('ü 漢 🦊'); console.error('é')") == Ran(stdout="ü 漢 🦊\n", stderr="é\n")
    assert cell("\n") == Ran()
    assert cell("").stderr == "UsageError: %%node is a cell magic, but the cell body is empty.\n"
    assert cell("console.log(process.stdout.isTTY, { a: 1 })").stdout == "undefined { a: 1 }\n"  # no colour codes
    assert len(cell("console.log('x'.repeat(5 << 20))").stdout) == (5 << 20) + 1


def test_a_cell_leaves_the_kernels_environment_alone(kernel, cell):
    before = kernel.value("sorted(os.environ.items()), os.getcwd()")
    cell("process.chdir('/'); process.env.X = '1'; throw 1")
    assert kernel.value("sorted(os.environ.items()), os.getcwd()") == before


def test_outputs_of_cells_in_a_row_are_not_mixed_up(cell):
    for word in ("one", "two", "three"):
        assert cell(f"console.log('{word}'); console.error('{word}')") == Ran(stdout=f"{word}\n", stderr=f"{word}\n")


MISTAKES = {
    "--nope": "unrecognized arguments: --nope",
    "--timeout": "argument --timeout: expected one argument",
    "--timeout soon": "invalid float value: 'soon'",
    "--timeout -1": "--timeout wants a number of seconds above 0",
    "--timeout nan": "--timeout wants a number of seconds above 0",
    "--flags": "argument --flags: expected one argument",
    "'open": "No closing quotation",
    "--background a-b": "wants the name of a variable, not 'a-b'",
    "--save ../up.mjs": "must lie inside the workspace",
    "--save /tmp/up.mjs": "must lie inside the workspace",
    "--save node_modules/up.mjs": "must lie inside the workspace",
    "--save .": "give a name such as app.mjs",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_in_the_magics_line_is_one_clear_sentence(cell, line):
    ran = cell("console.log(1)", line)
    assert ran.stdout == ""
    assert MISTAKES[line] in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert ran.stderr.startswith("UsageError: ")


SERVER = "require('node:http').createServer((request, response) => response.end('{}')).listen(process.env.PORT)"


def test_background_is_ready_at_once_and_replaced_when_run_again(kernel, cell):
    get = "__import__('urllib.request').request.urlopen(server.url).read()"
    ran = cell(SERVER.format("one"), "--background server")
    assert ran.stdout == f"server is running: {kernel.value('server.url')}\n"
    assert kernel.value(get) == "b'one'"
    first = kernel.value("server.pid")
    cell(
        "import { createServer } from 'node:http';" + SERVER.replace("require('node:http').", "").format("two"),
        "--background server",
    )
    assert kernel.value(get) == "b'two'"
    assert int(first) not in living(kernel.token)
    ran = cell("console.log('what I said'); process.exit(2)", "--background server --timeout 15")
    assert len(ran.traceback) == 1
    assert "ended with status 2" in ran.traceback[0]
    assert "what I said" in ran.traceback[0]
    assert kernel.value("'server' in globals()") == "False"
    ran = cell("console.log('deaf'); setInterval(() => {}, 1000)", "--background server --timeout 0.5")
    assert "did not answer on 127.0.0.1:" in ran.traceback[0]
    assert ran.traceback[0].endswith("deaf")


# ---- from Python ----------------------------------------------------------------------------------------------------


def test_run_gives_what_was_printed():
    node.save("say.mjs", "console.log(process.argv.slice(2).join(), process.env.A); console.error('e')")
    ran = node.run("say.mjs", 1, "ü", env={"A": "a"}, flags=["--no-warnings"])
    assert (ran.stdout, ran.stderr, ran.returncode) == ("1,ü a\n", "e\n", 0)
    node.save("fail.mjs", "throw new Error('why')")
    with pytest.raises(NodeError, match=r"fail.mjs ended with status 1:[^$]*Error: why"):
        node.run("fail.mjs")
    assert node.run("fail.mjs", check=False).returncode == 1
    with pytest.raises(NodeError, match="Cannot find module"):
        node.run("nowhere.mjs")


def test_run_leaves_nothing_running(monkeypatch):
    def marked() -> dict[int, str]:
        mark = process._own().mark
        found = [p for p in process.psutil.process_iter(["environ"]) if p.info["environ"]]
        return {p.pid: p.name() for p in found if p.info["environ"].get("BACKENDLAB_OWNER") == mark}

    before = marked()  # other tests' own: multiprocessing's resource tracker lives as long as pytest

    def children() -> list[str]:
        return [name for pid, name in marked().items() if pid not in before]

    monkeypatch.setattr(node, "LARGEST_OUTPUT", 1 << 20)
    node.save("children.cjs", CHILDREN.replace("'inherit'", "'ignore'") + "setTimeout(() => process.exit(0), 50)")
    node.run("children.cjs")
    assert children() == []
    node.save("stay.cjs", CHILDREN + "for (;;) {}")
    with pytest.raises(NodeTimeout, match=r"stay.cjs was stopped: it ran longer than 0.5 s."):
        node.run("stay.cjs", timeout=0.5)
    assert children() == []
    node.save("flood.cjs", "for (;;) require('node:fs').writeSync(1, 'x'.repeat(1e4))")
    with pytest.raises(NodeError, match="printed more than 1 MiB"):
        node.run("flood.cjs")
    assert children() == []


def test_rows_is_a_row_for_each_line_of_json():
    node.save(
        "rows.mjs", "console.log('# note'); for (const n of [1, 2]) console.log(JSON.stringify({ n, sq: n * n }))"
    )
    assert node.rows("rows.mjs").to_dict("list") == {"n": [1, 2], "sq": [1, 4]}
    node.save("rows.mjs", "console.log({ n: 1 })")
    with pytest.raises(NodeError, match="not JSON"):
        node.rows("rows.mjs")


def test_start_is_a_server_in_the_background():
    node.save("server.cjs", SERVER.format("up"))
    with node.start("server.cjs") as server, urllib.request.urlopen(server.url) as response:
        assert response.read() == b"up"
    assert not process.accepts(server.port)
    node.save("gone.cjs", "console.log('gone')")
    with pytest.raises(process.StartError, match="gone"):
        node.start("gone.cjs")
    assert until(lambda: not process._own().running)


def test_a_stub_says_that_it_is_one(cell):
    """The answer's own cell runs it: an error for nbgrader, one kind line for the learner."""
    ran = cell("throw Object.assign(new Error('x'), { name: 'NotImplementedError' });", "--save stub.mjs")
    assert "not done yet" in str(ran)


def test_a_file_is_kept_without_being_run(kernel):
    assert kernel.run("%%workspace deep/kept.py\nraise SystemExit('not run')") == Ran()
    ran = kernel.run("print((process.workspace() / 'deep/kept.py').read_text().splitlines()[1])")
    assert ran.stdout == "raise SystemExit('not run')\n"
    assert "one file" in str(kernel.run("%%workspace\nx = 1"))
