"""A check means the same in a notebook (`local`) and while grading (`remote`): every case here is asked of both."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.request
import warnings

import psutil
import pytest

from backendlab import student
from backendlab.lab import node, process, raw_http
from backendlab.student import AnswerError, Answers, DriverError, NotDone, Student


def answers(source: str, files: dict[str, str]) -> Answers:
    namespace: dict[str, object] = {}
    exec(compile(source, "answer.py", "exec"), namespace)
    for name, text in files.items():
        node.save(name, text)
    return Answers(namespace)


@contextlib.contextmanager
def forked(source: str, files: dict[str, str]):
    """The answers in a process of their own, which is killed at the end, as a grader does."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        with contextlib.suppress(BaseException), theirs.makefile("rwb") as stream:
            student.serve_questions(stream, answers(source, files))
        os._exit(0)
    theirs.close()
    try:
        yield student.remote(ours)
    finally:
        ours.close()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture(params=["local", "remote"])
def of(request, monkeypatch):
    """`of(source, **files)`: the student who wrote this Python and saved these files, in either place."""
    monkeypatch.setattr(student, "REMOTE_PATIENCE", 1.0)
    with contextlib.ExitStack() as stack:

        def make(source: str = "", **files: str) -> Student:
            named = {name.replace("_", "."): text for name, text in files.items()}
            if request.param == "remote":
                return stack.enter_context(forked(source, named))
            there = answers(source, named)
            stack.callback(there.close)
            stack.callback(lambda: [(process.workspace() / name).unlink(missing_ok=True) for name in named])
            return Student(there.reply)

        yield make


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left():
    process.workspace()  # starts the janitor, which stays as long as pytest
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    yield
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert [p.cmdline() for p in left if p.status() != psutil.STATUS_ZOMBIE] == []
    for thread in threading.enumerate():
        if thread.name == "student":
            thread.join(5)
            assert not thread.is_alive()


VALUES = {
    "a variable": ("x = {'a': [1, 2.5, None, True, 'ü']}", lambda s: s.get("x"), {"a": [1, 2.5, None, True, "ü"]}),
    "a tuple comes back as a list": ("x = (1, (2, 3))", lambda s: s.get("x"), [1, [2, 3]]),
    "a function": ("def f(a, b=0): return a - b", lambda s: s.call("f", 5, b=3), 2),
    "a coroutine function": (
        "import asyncio\nasync def f():\n await asyncio.sleep(0)\n return 1",
        lambda s: s.call("f"),
        1,
    ),
    "a function that runs asyncio.run": (
        "import asyncio\nasync def g(): return 2\ndef f(): return asyncio.run(g())",
        lambda s: s.call("f"),
        2,
    ),
    "a plain function that returns asyncio.gather": (
        "import asyncio\nasync def g(): return 3\ndef f(): return asyncio.gather(g(), g())",
        lambda s: s.call("f"),
        [3, 3],
    ),
    "a driver": ("def f(): return 4", lambda s: s.drive("def driver(n): return [f()] * n", n=2), [4, 4]),
    "an async driver": (
        "async def f(): return 5",
        lambda s: s.drive("async def driver(): return await f()"),
        5,
    ),
    "an answer that prints": ("def f(): print('x' * 100_000); return 6", lambda s: s.call("f"), 6),
    "an int that equals all": (
        "class I(int):\n __eq__ = lambda *_: True\n __hash__ = int.__hash__\n __repr__ = lambda *_: '99'\nx = I(7)",
        lambda s: s.get("x"),
        7,
    ),
    "a str that says something else": (
        "class S(str):\n __str__ = __repr__ = lambda self: 'lie'\nx = S('true')",
        lambda s: s.get("x"),
        "true",
    ),
    "a list that iterates otherwise": (
        "class L(list):\n __iter__ = lambda self: iter([9, 9])\n __eq__ = lambda *_: True\nx = L([1])",
        lambda s: s.get("x"),
        [9, 9],
    ),
}


@pytest.mark.filterwarnings("ignore:coroutine 'g' was never awaited")
@pytest.mark.parametrize("case", VALUES)
def test_plain_values_come_back(of, case):
    source, ask, expected = VALUES[case]
    came = ask(of(source))
    assert came == expected
    assert type(came) is type(expected)


ERRORS = {
    # what the answer is: (its source, the question, the error's class name, words of the message)
    "raises": ("def f(): raise KeyError('k')", lambda s: s.call("f"), "KeyError", "raised KeyError: 'k'"),
    "raises its own": ("class Own(ValueError): pass\ndef f(): raise Own('o')", lambda s: s.call("f"), "Own", "o"),
    "ends the program": ("import sys\ndef f(): sys.exit(3)", lambda s: s.call("f"), "SystemExit", "3"),
    "raises what can't be shown": (
        "class E(Exception):\n def __str__(self): raise E\ndef f(): raise E",
        lambda s: s.call("f"),
        "E",
        "can't be shown",
    ),
    "raises KeyboardInterrupt": ("def f(): raise KeyboardInterrupt", lambda s: s.call("f"), "KeyboardInterrupt", ""),
    "says very much": ("def f(): raise ValueError('x' * 10**7)", lambda s: s.call("f"), "ValueError", "xxx"),
    "recurses": ("def f(): return f()", lambda s: s.call("f"), "RecursionError", "recursion"),
    "not a number": ("x = float('nan')", lambda s: s.get("x"), "TypeError", "not plain data"),
    "a set": ("x = {1, 2}", lambda s: s.get("x"), "TypeError", "not plain data"),
    "an object that equals everything": (
        "class Y:\n __eq__ = lambda *_: True\nx = Y()",
        lambda s: s.get("x"),
        "TypeError",
        "not plain data",
    ),
    "a dict that never ends": (
        "class D(dict):\n def items(self):\n  while True: pass\nx = D(a=1)",
        lambda s: s.get("x", timeout=0.3),
        "TimeoutError",
        "0.3 s",
    ),
    "a list in itself": ("x = []; x.append(x)", lambda s: s.get("x"), "TypeError", "not plain data"),
    "a deep list": ("x = []\nfor _ in range(10**5): x = [x]", lambda s: s.get("x"), "TypeError", "not plain data"),
    "a huge reply": ("x = 'x' * (5 << 20)", lambda s: s.get("x"), "ValueError", "4 MiB"),
    "a busy loop": (
        "def f():\n while True: pass",
        lambda s: s.call("f", timeout=0.3),
        "TimeoutError",
        "did not end within 0.3 s",
    ),
    "waits for ever": (
        "import asyncio\nasync def f(): await asyncio.Event().wait()",
        lambda s: s.call("f", timeout=0.3),
        "TimeoutError",
        "did not end within 0.3 s",
    ),
    "what it gave breaks the driver": (
        "def f(): return None",
        lambda s: s.drive("def driver(): return f()['x']"),
        "TypeError",
        "the check, going on with what your code gave",
    ),
    "its own typing mistake": ("def f(): return oops", lambda s: s.call("f"), "NameError", "oops"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_goes_wrong_is_an_error_of_the_answer(of, case):
    source, ask, kind, words = ERRORS[case]
    there = of(source + "\ndef fine(): return 'fine'")
    with pytest.raises(AnswerError) as caught:
        ask(there)
    assert caught.value.type == kind
    assert words in str(caught.value)
    assert len(str(caught.value)) < 10_000
    assert there.call("fine") == "fine"  # the next question gets its own reply


def test_an_error_names_the_bases_and_the_students_own_line(of):
    there = of(
        "class Own(LookupError): pass\ndef f():\n    import json\n    return [g() for _ in 'x']\ndef g(): raise Own"
    )
    with pytest.raises(AnswerError) as caught:
        there.call("f")
    assert caught.value.types[:3] == ("Own", "LookupError", "Exception")
    lines = [line for line in str(caught.value).splitlines() if line.startswith("  line")]
    assert lines[0].startswith("  line 4, in ")
    assert lines[-1].startswith("  line 5, in g")


NOT_DONE = {
    "a stub": ("def f(): raise NotImplementedError", lambda s: s.call("f"), "not done yet"),
    "a missing variable": ("", lambda s: s.get("x"), "`x` is not defined yet"),
    "a missing function": ("", lambda s: s.call("f"), "`f` is not defined yet"),
    "a driver that wants what is missing": ("", lambda s: s.drive("def driver(): return f()"), "`f` is not defined"),
    "a missing file": ("", lambda s: s.node("import './a.mjs'; export default () => 1"), "a.mjs is not there yet"),
    "a missing server": ("", lambda s: s.serve("a.mjs"), "`a.mjs` is not defined yet"),
}


@pytest.mark.parametrize("case", NOT_DONE)
def test_what_is_not_done_says_so(of, case):
    source, ask, words = NOT_DONE[case]
    with pytest.raises(NotDone, match=words):
        ask(of(source))


STUB = "throw Object.assign(new Error('not done yet'), { name: 'NotImplementedError' });"


def test_a_stub_in_javascript_is_not_done(of):
    there = of(a_mjs=f"export function f() {{ {STUB} }}", server_mjs=STUB)
    with pytest.raises(NotDone):
        there.node("import { f } from './a.mjs'; export default () => f()")
    with pytest.raises(NotDone, match="does not export `g` yet"):
        there.node("import { g } from './a.mjs'; export default () => g()")
    with pytest.raises(NotDone):
        there.serve("server.mjs")


JS_VALUES = {
    "inputs": ("export const f = (x) => x", {"a": ["ü", 1.5, None]}),
    "a promise": ("export const f = async (x) => x", [1]),
    "undefined": ("export const f = () => undefined", None),
    "BigInt": ("export const f = () => 2n ** 70n", 2**70),
    "prints": ("export const f = () => { console.log('x'.repeat(1e5)); return 1 }", 1),
    "leaves a timer": ("export const f = () => { setInterval(() => {}, 1000); return 1 }", 1),
    "rejects later": ("export const f = () => { setTimeout(() => Promise.reject(1), 1e5); return 1 }", 1),
    "replaces JSON": ("JSON.stringify = () => '{\"value\":42}'; export const f = () => 1", 1),
}
DRIVER = "import { f } from './a.mjs'; export default async ({ x }) => f(x)"


@pytest.mark.parametrize("case", JS_VALUES)
def test_plain_values_come_back_from_node(of, case):
    source, expected = JS_VALUES[case]
    assert of(a_mjs=source).node(DRIVER, x=expected if case in ("inputs", "a promise") else 0) == expected


JS_ERRORS = {
    "throws": ("export const f = () => { throw new RangeError('r') }", "RangeError", "raised RangeError: r"),
    "throws no error": ("export const f = () => { throw 'text' }", "string", "text"),
    "throws at the top": ("throw new TypeError('top'); export const f = 1", "TypeError", "top"),
    "exits": ("export const f = () => process.exit(0)", "Exit", "before the check was over"),
    "never settles": ("export const f = () => new Promise(() => {})", "Exit", "never settled"),
    "loops": ("export const f = () => { for (;;); }", "TimeoutError", "did not end within 2 s"),
    "NaN": ("export const f = () => [NaN]", "TypeError", "not plain data"),
    "circular": ("export const f = () => { const a = {}; a.a = a; return a }", "TypeError", "not plain data"),
    "a function": ("export const f = () => f", "TypeError", "not plain data"),
    "a Map": ("export const f = () => new Map([[1, 2]])", "TypeError", "not plain data"),
    "huge": ("export const f = () => 'x'.repeat(5 << 20)", "ValueError", "4 MiB"),
    "rejects unheard": (
        "export const f = () => { Promise.reject(new Error('un')); return new Promise((r) => setTimeout(r, 1000)) }",
        "Error",
        "un",
    ),
    "imports a missing file": ("import './b.mjs'; export const f = 1", "Error", "b.mjs"),
    "imports a missing package": ("import 'nowhere'; export const f = 1", "Error", "nowhere"),
    "doesn't parse": ("export const f = = 1", "SyntaxError", "Unexpected token"),
    "forges a report": (
        "import { writeFileSync } from 'node:fs'; export const f = () => {\n"
        "writeFileSync('.driver.report.json', '{\"value\":1}'); process.exit(0) }",
        "Exit",
        "before the check was over",
    ),
    "prints for ever": (
        "import { writeSync } from 'node:fs'; export const f = () => { for (;;) writeSync(2, 'x'.repeat(1e4)) }",
        "Exit",
        "printed more",
    ),
}


@pytest.mark.parametrize("case", JS_ERRORS)
def test_what_goes_wrong_in_node_is_an_error_of_the_answer(of, case):
    source, kind, words = JS_ERRORS[case]
    with pytest.raises(AnswerError) as caught:
        of(a_mjs=source).node(DRIVER, timeout=2 if case == "loops" else 20, x=0)
    assert (caught.value.type, words in str(caught.value)) == (kind, True), str(caught.value)


PARTS = """
import { f } from './a.mjs';
export default async ({ parts, spoils }) => {
  const reports = {};
  for (const part of parts) {
    reports[part] = { came: f(part), pid: process.pid };
    if (part === spoils) break;
  }
  return reports;
};
"""


def test_parts_are_asked_for_in_one_process(of):
    seen = of(a_mjs="export const f = (part) => part + part").node_parts(PARTS, ["a", "b", "c"])
    reports = [seen(part) for part in ("c", "a", "b", "a")]
    assert [report["came"] for report in reports] == ["cc", "aa", "bb", "aa"]
    assert len({report["pid"] for report in reports}) == 1


def test_what_an_earlier_part_spoils_is_asked_for_alone(of):
    seen = of(a_mjs="export const f = (part) => part + part").node_parts(PARTS, ["a", "b", "c"], spoils="b")
    reports = [seen(part) for part in ("a", "b", "c")]
    assert [report["came"] for report in reports] == ["aa", "bb", "cc"]
    assert reports[0]["pid"] == reports[1]["pid"] != reports[2]["pid"]


def test_a_part_that_ends_the_process_costs_only_itself(of):
    seen = of(a_mjs="export const f = (part) => part === 'b' ? process.exit(3) : part").node_parts(
        PARTS, ["a", "b", "c"]
    )
    assert [seen("a")["came"], seen("c")["came"]] == ["a", "c"]
    with pytest.raises(AnswerError, match="status 3"):
        seen("b")


def test_parts_of_what_is_not_done_are_not_done(of):
    seen = of().node_parts(PARTS, ["a", "b"])
    for part in ("a", "b"):
        with pytest.raises(NotDone):
            seen(part)


def test_a_part_that_the_driver_forgot_is_not_the_students_fault(of):
    seen = of(a_mjs="export const f = 1").node_parts("import { f } from './a.mjs'; export default () => ({})", ["a"])
    with pytest.raises(DriverError, match="no report for 'a'"):
        seen("a")


def test_a_broken_driver_is_not_the_students_fault(of):
    there = of("def f(): return 1", a_mjs="export const f = () => 1")
    with pytest.raises(DriverError, match="not Python"):
        there.drive("def driver(: pass")
    with pytest.raises(DriverError, match="defines no function"):
        there.drive("def drive(): pass")
    with pytest.raises(DriverError, match="not JavaScript"):
        there.node("import { f } from './a.mjs'; export default = = 1")


def test_an_error_in_node_names_the_students_own_line(of):
    there = of(a_mjs="export function f() {\n  return g();\n}\nfunction g() {\n  return null.x;\n}")
    with pytest.raises(AnswerError, match=r"\n    at g \(a.mjs:5:15\)\n    at f \(a.mjs:2:10\)$"):
        there.node(DRIVER, x=0)


SERVER = """import { createServer } from 'node:http';
createServer((request, response) => response.end('hello')).listen(process.env.PORT);"""


def test_serve_runs_the_students_server_and_ends_it(of):
    there = of(app_mjs=SERVER, dead_mjs="console.log('so long'); process.exit(4)")
    with there.serve("app.mjs") as app:
        with urllib.request.urlopen(app.url) as response:
            assert response.read() == b"hello"
        port = int(app.url.rpartition(":")[2])
    assert not process.accepts(port)
    with pytest.raises(AnswerError, match="so long"):
        there.serve("dead.mjs")


def get(url: str) -> raw_http.Reply:
    return raw_http.exchange(url, raw_http.request("GET", "/"))


ROUTE = """
import express from 'FRAMEWORK';
import { greet } from './greet.mjs';
export default ({ name }) => express().get('/', greet(name));
"""


@pytest.mark.parametrize("framework", ["express", "express4"])
def test_what_a_node_answer_exports_is_served(of, framework):
    there = of(greet_mjs="export const greet = (name) => (req, res) => res.send(`hello ${name}`);")
    with there.serve_node(ROUTE.replace("FRAMEWORK", framework), name="you") as app:
        assert get(app.url).text == "hello you"
        assert app.alive()
        before = app.peak_rss(anew=True)
        assert 0 < before <= app.peak_rss()
    with pytest.raises(OSError, match="refused"):
        get(app.url)


def test_a_server_that_dies_says_why(of):
    there = of(greet_mjs="export const greet = () => () => setTimeout(() => { throw new Error('too late') });")
    with there.serve_node(ROUTE.replace("FRAMEWORK", "express"), name="you") as app:
        assert get(app.url).ended in ("closed", "reset")
        deadline = time.monotonic() + 20
        while app.alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not app.alive()
        assert "too late" in app.log()


APP = """
from aiohttp import web

async def app(name):
    made = web.Application()
    made.add_routes([web.get("/", greet(name))])
    return made
"""
GREET = """
from aiohttp import web

def greet(name):
    async def handler(request):
        if name == "fail":
            raise KeyError("which one")
        return web.Response(text=f"hello {name}")
    return handler
"""


def test_what_a_python_answer_defines_is_served(of):
    there = of(GREET)
    with there.serve_aiohttp(APP, name="you") as app, there.serve_aiohttp(APP, name="fail") as other:
        assert get(app.url).text == "hello you"
        assert there.drive("def driver(): return 7") == 7  # while it serves
        assert get(other.url).status == 500
        assert "which one" in other.log()
        assert "which one" not in app.log()
        assert app.alive()
        assert app.peak_rss(anew=True) > 0
    with pytest.raises(OSError, match="refused"):
        get(app.url)


COUNT = """
import os
from aiohttp import web

count = 0

async def app(fail=""):
    if fail == "dies":
        os._exit(3)
    async def counted(request):
        global count
        count += 1
        if fail:
            raise KeyError(fail)
        return web.json_response([next_number(), count, os.getpid(), os.getcwd()])
    made = web.Application()
    made.add_routes([web.get("/", counted)])
    return made
"""
NUMBERS = "numbers = [0]\ndef next_number():\n numbers[0] += 1\n return numbers[0]"
HERE = "import os\ndef driver(): return [os.getpid(), next_number(), os.getcwd()]"


def test_an_app_in_a_process_of_its_own_is_one_that_can_be_restarted(of):
    there = of(NUMBERS)
    pid, number, folder = there.drive(HERE)
    for _ in range(2):  # each begins with what the answer had, and takes nothing back
        with there.serve_aiohttp(COUNT, own_process=True) as app:
            came = [json.loads(get(app.url).text) for _ in range(2)]
            assert [one[0] for one in came] == [number + 1, number + 2]
            assert came[0][2] == came[1][2] != pid
            assert came[0][3] == folder
            assert app.alive()
            assert app.peak_rss() > 0
        with pytest.raises(OSError, match="refused"):
            get(app.url)
        assert not psutil.pid_exists(came[0][2])
    assert there.drive(HERE)[:2] == [pid, number + 1]


def test_an_app_in_a_process_of_its_own_stands_beside_one_that_is_not(of):
    there = of(NUMBERS)
    with there.serve_aiohttp(COUNT) as here, there.serve_aiohttp(COUNT, own_process=True) as app:
        assert [json.loads(get(one.url).text)[0] for one in (here, app, here)] == [1, 1, 2]
        here.stop()
        with pytest.raises(OSError, match="refused"):  # though the fork was made while it listened
            get(here.url)
        assert json.loads(get(app.url).text)[0] == 2


def test_an_app_in_a_process_of_its_own_says_what_went_wrong(of):
    there = of("def f():\n raise NotImplementedError('f')\ndef g():\n raise ValueError('too few')")
    with there.serve_aiohttp(COUNT, own_process=True, fail="which one") as app:
        assert get(app.url).status == 500
        assert "which one" in app.log()
    for call, error, words in (
        ("f()", NotDone, "f"),
        ("g()", AnswerError, "ValueError: too few"),
        ("h()", NotDone, "h"),
        ("7", AnswerError, r"web\.Application"),
    ):
        with pytest.raises(error, match=words):
            there.serve_aiohttp(f"def app(): return {call}", own_process=True)
    with pytest.raises(AnswerError, match="ended the process that was to serve"):
        there.serve_aiohttp(COUNT, own_process=True, fail="dies")
    with pytest.raises(AnswerError, match="did not end within"):
        there.serve_aiohttp("import time\ndef app(): time.sleep(1)", own_process=True, timeout=0.2)
    assert there.drive("def driver(): return 7") == 7


def test_an_app_in_a_process_of_its_own_ends_with_the_answer(monkeypatch):
    monkeypatch.setattr(student, "REMOTE_PATIENCE", 1.0)
    with forked(NUMBERS, {}) as there:
        app = there.serve_aiohttp(COUNT, own_process=True)
        pid = json.loads(get(app.url).text)[2]
        with pytest.raises(AnswerError, match="ended the process"):
            there.drive("import os, signal\ndef driver(): os.kill(os.getpid(), signal.SIGKILL)")
        deadline = time.monotonic() + 20
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_an_app_in_a_process_of_its_own_from_a_notebook_whose_loop_runs():
    """As in a kernel: the check is asked within a running loop, and other threads hold locks that a fork copies."""
    lock, held = threading.Lock(), threading.Event()

    def hold():
        with lock:
            held.set()
            time.sleep(1.0)

    async def cell():
        there = student.local(answers(NUMBERS, {}).namespace)
        with there.serve_aiohttp(COUNT, own_process=True) as app:
            os.kill(json.loads(get(app.url).text)[2], signal.SIGINT)  # an interrupt of the notebook goes to its group
            return json.loads(get(app.url).text)[0]

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(cell()) == 2
    thread.join()


def test_an_app_that_holds_its_loop_is_ended(of):
    there = of("def greet(name):\n async def h(request):\n  while True: pass\n return h")
    with there.serve_aiohttp(APP, name="you") as app:
        assert raw_http.exchange(app.url, raw_http.request("GET", "/"), timeout=0.3).ended == "late"


@pytest.mark.parametrize(
    ("stub", "kind"),
    [
        (f"export const greet = () => {{ {STUB} }};", "made"),
        (f"export const greet = () => () => {{ {STUB} }};", ""),
        ("export const other = 1;", "import"),
    ],
)
def test_a_stub_that_is_served_is_not_done(of, stub, kind):
    with pytest.raises(NotDone), of(greet_mjs=stub).serve_node(ROUTE.replace("FRAMEWORK", "express"), name="x") as app:
        assert get(app.url).status == 200
    python = "def greet(name):\n raise NotImplementedError"
    if not kind:
        python = "def greet(name):\n async def h(request):\n  raise NotImplementedError\n return h"
    with pytest.raises(NotDone), of(python if kind != "import" else "").serve_aiohttp(APP, name="x") as app:
        assert get(app.url).status == 200


def test_a_wrong_app_is_an_error_of_the_answer(of):
    with pytest.raises(AnswerError, match=r"web\.Application"):
        of("def greet(): return 7").serve_aiohttp("def app(): return greet()")
    with pytest.raises(AnswerError, match="ValueError: too few"):
        of("def greet(): raise ValueError('too few')").serve_aiohttp("def app(): return greet()")
    with pytest.raises(DriverError):
        of().serve_aiohttp("def nothing(): pass")
    with pytest.raises(DriverError):
        of().serve_node("export default (")
    with pytest.raises(AnswerError, match="too few"):
        of(greet_mjs="export const greet = () => { throw new Error('too few'); };").serve_node(
            ROUTE.replace("FRAMEWORK", "express"), name="x"
        )


def test_an_answer_cant_be_told_from_a_dead_one(monkeypatch):
    """What only a process of its own survives: the answer ends it, closes its files, or holds Python itself."""
    monkeypatch.setattr(student, "REMOTE_PATIENCE", 0.5)
    ending = "import os\ndef f(): os._exit(0)\ndef g(): os.closerange(3, 200)"
    for name in "fg":
        with forked(ending, {}) as there:
            for _ in range(2):  # and it stays dead
                with pytest.raises(AnswerError, match="ended the process"):
                    there.call(name)
    holding = "import ctypes\ndef f(): ctypes.PyDLL(None).sleep(3)\ndef g(): return 'g'"
    with forked(holding, {}) as there:
        with pytest.raises(AnswerError, match="did not end within"):
            there.call("f", timeout=0.2)
        assert there.call("g", timeout=60) == "g"  # not the late reply of f


REPLIES = {
    "not JSON": (b"nonsense\n", "ended the process"),
    "NaN": (b'{"number": 0, "value": NaN}\n', "ended the process"),
    "no object": (b"[1]\n", "ended the process"),
    "an odd error": (b'{"number": 0, "error": 5}\n', "can't be read"),
    "deep": (b'{"number": 0, "value": ' + b"[" * 10**6 + b"\n", "ended the process"),
    "without end": (b"x" * (9 << 20), "ended the process"),
    "nothing": (b"", "did not end within"),
    "a late reply first": (b'{"number": -1, "value": 1}\n', "did not end within"),
}


@pytest.mark.parametrize("case", REPLIES)
def test_no_reply_harms_who_asks(case, monkeypatch):
    monkeypatch.setattr(student, "REMOTE_PATIENCE", 0.2)
    said, words = REPLIES[case]
    ours, theirs = socket.socketpair()

    def forge() -> None:
        with contextlib.suppress(OSError):
            theirs.sendall(said)

    with ours, theirs:
        thread = threading.Thread(target=forge, daemon=True)
        thread.start()
        with pytest.raises(AnswerError, match=words):
            student.remote(ours).get("x", timeout=0.1 if "did not" in words else 10)


def test_an_interrupt_of_the_notebook_ends_the_check_and_the_answer():
    there = student.local(answers("def f():\n while True: pass", {}).namespace)
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        there.call("f")
