"""What students write is harmless in feedback and formgrader: probes in answers, errors, comments and names, in a real
browser. Pictures are kept.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.browser.test_jupyterlab import QUIET, _answers, chromium, picture
from tests.course.cohort import RIGHT, Course, below, released
from tests.course.conftest import NAME
from tests.course.test_grade import HONEST, kept

MARK = "window.name='ran';document.title='ran';fetch('http://127.0.0.1:9/ran')"
PROBES = [
    f"<script>{MARK}</script>",
    f'<img src=x onerror="{MARK}">',
    '<img src="http://127.0.0.1:9/ran">',
    f'<svg onload="{MARK}"><animate onbegin="{MARK}" attributeName=x dur=1s></svg>',
    f'<iframe srcdoc="<script>parent.{MARK}</script>"></iframe>',
    f'<details open ontoggle="{MARK}"><summary>x</summary></details>',
    '<link rel=stylesheet href="http://127.0.0.1:9/ran"><style>@import "http://127.0.0.1:9/ran";</style>',
    f'<style>@keyframes x{{}}*{{animation:x}}</style><b onanimationstart="{MARK}">b</b>',
    f'<input autofocus onfocus="{MARK}">',
    '<meta http-equiv=refresh content="0;url=http://127.0.0.1:9/ran">',
    '<base href="http://127.0.0.1:9/ran/">',
    f"</pre></code></div></textarea></script><script>{MARK}</script>",
    "\x1b]8;;http://127.0.0.1:9/ran\x07<script>" + MARK + "</script>\x1b]8;;\x07\x1b[31mred\x1b[0m",
    "![p](http://127.0.0.1:9/ran) [c](javascript:" + MARK + ")",
]
ALL_PROBES = "\n".join(PROBES)

SAYS_PROBES = f"def paginate(*_, **__):\n    raise RuntimeError({ALL_PROBES!r})\n"
GIVES_PROBES = f"def paginate(*_, **__):\n    return {PROBES!r}\n"
DRAWS_PROBES = (
    f"from IPython.display import HTML, Javascript, display\ndisplay(HTML({ALL_PROBES!r}), Javascript({MARK!r}))"
)


def is_named(name: str) -> str:
    return f"{'class'} A:\n    pass\nA.__name__ = {name!r}\nE = type({name!r}, (Exception,), {{}})\n" + (
        "def paginate(*_, **__):\n    raise E('x')\n"
    )


def write(course: Course) -> None:
    """A cohort of students who try, and one who doesn't."""
    course.hand_in("honest", {**HONEST["half"][0], **kept("double-all", "wrong-square.mjs")})
    course.hand_in("says", {**RIGHT, "paginate": SAYS_PROBES})
    course.hand_in("gives", {**RIGHT, "paginate": GIVES_PROBES, "order": f"order = {ALL_PROBES!r}"})
    course.hand_in("named", {**RIGHT, "paginate": is_named(PROBES[1])})
    course.hand_in("writes", {**RIGHT, "order": f"'''{ALL_PROBES}'''", "paginate": f"# {PROBES[-2]}\n{PROBES[0]}"})
    course.hand_in("adds", RIGHT, below("order", DRAWS_PROBES, f"%%html\n{ALL_PROBES}"))
    course.write("breaks", "{")
    odd = course.folder("breaks") / f"{PROBES[2].replace('/', '&#47;')}.ipynb"
    course.write("other", "")
    (course.folder("other") / f"{NAME}.ipynb").rename(course.folder("other") / odd.name)
    course.write("late", "{}", timestamp=PROBES[0])
    shutil.copytree(course.folder("honest"), course.root / "submitted" / PROBES[1].replace("/", "") / NAME)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    chromium()
    course = Course(released(tmp_path_factory.mktemp("probes") / "course"))
    write(course)
    status, printed = course.grade()
    assert status == 1, printed
    assert "\x1b" not in printed
    (
        course.folder("late") / "timestamp.txt"
    ).unlink()  # formgrader's list of submissions fails on it, and shows nothing
    _add_by_hand(course)
    course.nbgrader("generate_feedback", NAME)
    return course


def _add_by_hand(course: Course) -> None:
    """What comes another way: a person's comment with a student's words, a notebook with outputs and Markdown."""
    with course.gradebook() as book:
        for comment in book.find_submission_notebook(NAME, NAME, "adds").comments:
            comment.manual_comment = ALL_PROBES
        book.db.commit()
    path = course.root / "autograded" / "adds" / NAME / f"{NAME}.ipynb"
    notebook = json.loads(path.read_text())
    data = {"text/html": ALL_PROBES, "image/svg+xml": PROBES[3], "application/javascript": MARK, "text/plain": "x"}
    display = {"output_type": "display_data", "metadata": {}, "data": data}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] += [display, {"output_type": "stream", "name": "stdout", "text": ALL_PROBES}]
    words = [
        {"cell_type": kind, "id": f"probes-{kind}", "metadata": {}, "source": ALL_PROBES}
        for kind in ("markdown", "raw")
    ]
    notebook["cells"] += words
    path.write_text(json.dumps(notebook))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        yield browser
        browser.close()


@contextlib.contextmanager
def watched(browser: Browser, token: str = "") -> Iterator[Page]:
    """A page of its own; at the end nothing of the probes may have run, or asked for anything."""
    headers = {"Authorization": f"token {token}"} if token else {}
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/ran" in request.url:
            asked.append(request.url)

    page = browser.new_page(viewport={"width": 1100, "height": 1400}, extra_http_headers=headers)
    page.on("request", note)
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.route("https://**", lambda route: route.abort())  # MathJax and others; the test needs no network
    try:
        yield page
        page.wait_for_timeout(700)  # what would run, runs late: timers, animations, an image that fails
        assert page.evaluate("() => window.name") != "ran"
        assert "ran" not in page.title()
        assert asked == []
        assert (
            page.evaluate(
                "() => [...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
                ".filter(a => a.value.includes('ran'))"
                ".filter(a => /^on|^src|^style|^background/.test(a.name) || /^javascript:/.test(a.value))"
                ".map(a => a.ownerElement.outerHTML.slice(0, 200))"
            )
            == []
        )
    finally:
        page.close()


STUDENTS = ["honest", "says", "gives", "named", "writes", "adds", "breaks", "other", "late"]


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_runs_in_feedback(browser: Browser, course: Course, student: str) -> None:
    path = course.root / "feedback" / student / NAME / f"{NAME}.html"
    with watched(browser) as page:
        page.goto(path.as_uri())
        assert page.locator("h4").first.inner_text().startswith(f"{NAME} (Score:")
        if student == "honest":
            picture(page, "feedback")
            place = page.locator("text=two letters stand the wrong way round")
            place.scroll_into_view_if_needed()
            picture(page, "feedback-a-failed-test")
        if student == "adds":
            assert page.locator("text=window.name").count()  # it is there, as text


def test_the_probes_would_run_where_nothing_keeps_them(browser: Browser, tmp_path: Path) -> None:
    """So that the tests above mean something."""
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8><body>{PROBES[1]}")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function("() => window.name === 'ran'")
    page.close()


@pytest.fixture(scope="module")
def server(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of nbgrader's formgrader, of a Jupyter server in the course's folder, and the server's token."""
    folder = tmp_path_factory.mktemp("formgrader")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "IPYTHON"))},
        "HOME": str(folder),
        "PYTHONPATH": str(course.root),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    words = [
        *(sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        *("--ServerApp.jpserver_extensions", "nbgrader.server_extensions.formgrader=True"),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=course.root, env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/api?token={token}"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/formgrader", token
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        process.wait(30)
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []


@pytest.mark.parametrize("student", STUDENTS)
def test_nothing_runs_in_formgraders_page_of_a_submission(
    browser: Browser, course: Course, server: tuple[str, str], student: str
) -> None:
    with course.gradebook() as book:
        identity = book.find_submission_notebook(NAME, NAME, student).id
    address, token = server
    with watched(browser, token) as page:
        page.goto(f"{address}/submissions/{identity}/")
        page.locator(".nbgrader_cell").first.wait_for()
        page.wait_for_function("() => document.querySelector('textarea.comment').value !== null")
        if student == "adds":
            page.wait_for_function(
                "() => [...document.querySelectorAll('textarea')].some(t => t.value.includes('ran'))"
            )
            picture(page, "formgrader-submission")


@pytest.mark.parametrize("where", ["manage_students", f"manage_submissions/{NAME}", f"gradebook/{NAME}/{NAME}"])
def test_nothing_runs_in_formgraders_lists(browser: Browser, server: tuple[str, str], where: str) -> None:
    address, token = server
    with watched(browser, token) as page:
        page.goto(f"{address}/{where}")
        page.locator("tbody tr").nth(3).wait_for()
