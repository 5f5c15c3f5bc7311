"""What lesson 2 says of HTTP, each rule by the section that it links to, and the requests that show it.

The servers are the lesson's own: programs that its cells save, and the reference answers of its exercises.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backendlab.course import lesson
from backendlab.lab import http_server, node, process, raw_http
from backendlab.lab.services import nginx

SOURCE = lesson.read("02-http-middleware")
SECTION = r"https://www\.rfc-editor\.org/rfc/(rfc\d+(?:#[\w.-]+)?)"
PNG = bytes.fromhex("89504e470d0a1a0a")
RULES: dict[str, Callable[..., None]] = {}


def rule(*sections: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as the one that shows these sections' rules."""

    def mark(test: Callable[..., None]) -> Callable[..., None]:
        RULES.update(dict.fromkeys(sections, test))
        return test

    return mark


def saved(*names: str) -> None:
    """Save what cells of the lesson save by these names."""
    for name in names:
        pattern = rf"\A%%(?:workspace|node --save) {re.escape(name)}(?: [^\n]*)?\n"
        (text,) = (cell.source for cell in SOURCE.cells if re.match(pattern, cell.source))
        node.save(name, re.sub(pattern, "", text))


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> raw_http.Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw_http.exchange(url, raw_http.request(method, path, named, body))


APP = """
import express from 'express';
import { wrap, problems } from './errors.mjs';
import { conditionalGet } from './conditional-get.mjs';
import { receiveUpload } from './receive-upload.mjs';
const app = express(), told = (more) => Object.assign(new Error('inside'), { expose: true }, more);
app.disable('etag'); // Express's own, of a body; here it is the middleware's that counts
const soldOut = { status: 409, type: '/sold-out', title: 'Sold out', detail: 'No cup' };
app.get('/problem', wrap(() => { throw told(soldOut); }));
app.get('/plain', wrap(() => { throw told({ status: 404 }); }));
app.get('/bug', wrap(() => { throw new Error('password=hunter2'); }));
app.get('/cut', (req, res) => res.write('half', () => res.destroy()));
app.post('/upload', receiveUpload({ folder: process.argv[2], limit: 10_000 }));
app.all('/tagged', conditionalGet((req) => req.get('x-now') ?? null), (req, res) => {
  res.status(req.method === 'GET' && !req.get('x-now') ? 404 : 200).send('handled');
});
app.use(problems(() => {}));
app.listen(process.env.PORT, '127.0.0.1');
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = process.private_directory("rules-")
    yield made
    process.remove_directory(made)


@pytest.fixture(scope="module")
def uploads() -> Iterator[Path]:
    made = process.private_directory("rules-")
    yield made
    process.remove_directory(made)


@pytest.fixture(scope="module")
def app(uploads: Path) -> Iterator[process.Process]:
    saved("errors.mjs", "conditional-get.mjs", "receive-upload.mjs")
    node.save("rules.mjs", APP)
    with http_server.start("rules.mjs", uploads) as server:
        yield server


ORIGIN = """
import express from 'express';
const app = express();
let asked = 0;
const kinds = {
  fresh: { 'Cache-Control': 'max-age=600' },
  stale: { 'Cache-Control': 'max-age=1, stale-while-revalidate=600' },
  vary: { 'Cache-Control': 'max-age=600', Vary: 'X-Who' },
};
app.get('/:kind', (req, res) => res.set(kinds[req.params.kind]).send(`${req.get('x-who')} ${++asked}`));
app.listen(process.env.PORT, '127.0.0.1');
"""


@pytest.fixture(scope="module")
def cache() -> Iterator[nginx.Server]:
    node.save("rules-origin.mjs", ORIGIN)
    inside = "proxy_cache_revalidate on; proxy_cache_background_update on;"
    with http_server.start("rules-origin.mjs") as origin, nginx.cache(origin.url, location=inside) as front:
        yield front


@rule("rfc9110#section-15.5.6")
def test_a_wrong_method_is_a_405_that_says_what_is_allowed():
    saved("t21-routes.mjs", "t21_layers.py")
    for words, path in ((("t21-routes.mjs", "express"), "/shop/strict"), (("t21_layers.py", 0), "/")):
        with http_server.start(*words) as server:
            reply = ask(server.url, "POST", path)
        assert (reply.status, "GET" in (reply.header("allow") or "")) == (405, True), reply


@rule("rfc9112#section-8")
@pytest.mark.parametrize("way", ["a length", "chunks"])
def test_a_request_without_its_end_is_incomplete_and_nothing_of_it_is_kept(app, uploads, way):
    there = set(uploads.iterdir())
    body, headers = PNG + b"x" * 100, {"Content-Length": "5000"}
    if way == "chunks":
        body, headers = b"%x\r\n%b\r\n" % (len(body), body), {"Transfer-Encoding": "chunked"}
    sent = raw_http.request("POST", "/upload", headers) + body
    assert raw_http.exchange(app.url, sent, half_close=True).status != 201
    last = time.monotonic() + 10
    while set(uploads.iterdir()) != there and time.monotonic() < last:
        time.sleep(0.02)
    assert set(uploads.iterdir()) == there


@rule("rfc9112#section-8")
def test_a_response_without_its_last_chunk_is_incomplete(app):
    reply = ask(app.url, "GET", "/cut")
    assert (reply.status, reply.header("transfer-encoding"), reply.text) == (200, "chunked", "half")
    assert reply.ended in ("closed", "reset")


@rule("rfc9457", "rfc9457#section-3.1")
def test_a_problem_has_its_media_type_and_members(app):
    reply = ask(app.url, "GET", "/problem")
    assert (reply.status, (reply.header("content-type") or "").split(";")[0]) == (409, "application/problem+json")
    assert json.loads(reply.body) == {"type": "/sold-out", "title": "Sold out", "status": 409, "detail": "No cup"}
    plain = json.loads(ask(app.url, "GET", "/plain").body)
    assert plain == {"type": "about:blank", "title": "Not Found", "status": 404}  # 4.2.1: then it is the status's name


@rule("rfc9457#section-5")
def test_a_problem_tells_nothing_of_the_inside(app):
    reply = ask(app.url, "GET", "/bug")
    assert (reply.status, json.loads(reply.body)["title"]) == (500, "Internal Server Error")
    assert b"hunter2" not in reply.raw
    assert b"rules.mjs" not in reply.raw


@rule("rfc9110#section-15.5.14")
def test_a_body_that_is_too_large_is_a_413(app):
    head = raw_http.request("POST", "/upload", {"Content-Length": "10001"})  # by what it says, before a byte has come
    assert raw_http.exchange(app.url, head).status == 413
    chunk = PNG + b"x" * 10_000
    chunked = raw_http.request("POST", "/upload", {"Transfer-Encoding": "chunked"}) + b"%x\r\n%b\r\n" % (
        len(chunk),
        chunk,
    )
    assert raw_http.exchange(app.url, chunked).status == 413


@rule("rfc9110#section-15.5.16")
def test_another_kind_of_file_is_a_415_whatever_it_says_of_itself(app):
    assert ask(app.url, "POST", "/upload", b"<script>alert(1)</script>", Content_Type="image/png").status == 415
    assert ask(app.url, "POST", "/upload", PNG + b"x", Content_Type="text/html").status == 201


@rule("rfc7578#section-4.2")
def test_the_path_in_a_files_name_is_not_used(folder):
    saved("t23-careful.mjs")
    (folder / "inside").mkdir()
    head = 'Content-Disposition: form-data; name="file"; filename="../evil.png"\r\nContent-Type: image/png\r\n\r\n'
    body = b"--b\r\n" + head.encode() + PNG + b"x\r\n--b--\r\n"
    with http_server.start("t23-careful.mjs", folder / "inside") as server:
        assert ask(server.url, "POST", "/form", body, Content_Type="multipart/form-data; boundary=b").status == 201
    assert [path.name for path in folder.iterdir()] == ["inside"]
    (kept,) = (folder / "inside").iterdir()
    assert "evil" not in kept.name


@rule("rfc9110#section-10.1.1")
@pytest.mark.parametrize(("length", "said"), [(3 << 20, 413), (100, 100)])
def test_who_expects_100_is_told_to_go_on_or_refused_before_a_byte_is_sent(folder, length, said):
    saved("t23-careful.mjs")
    with http_server.start("t23-careful.mjs", folder) as server, raw_http.Connection(server.url) as client:
        kind = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": str(length)}
        client.send(raw_http.request("POST", "/form", {**kind, "Expect": "100-continue"}))
        came = client.socket.recv(1 << 16)
    assert came.startswith(b"HTTP/1.1 %d " % said)


@rule("rfc6585#section-5")
def test_headers_that_are_too_large_are_a_431_of_nodes_own(app):
    before = ask(app.url, "GET", "/plain").status
    replies = [ask(app.url, "GET", "/plain", X_Huge="x" * size) for size in (10_000, 20_000)]
    assert [before, *(reply.status for reply in replies)] == [404, 404, 431]
    assert replies[1].header("x-powered-by") is None  # Express's mark on all that it answers: it was not asked
    assert ask(app.url, "GET", "/plain").header("x-powered-by") == "Express"


@rule("rfc9111#section-4.2")
def test_what_is_fresh_is_answered_without_the_origin(cache):
    first, *more = (ask(cache.url, "GET", "/fresh", X_Who="ada") for _ in range(3))
    assert {reply.text for reply in more} == {first.text}
    assert {reply.header("x-cache") for reply in more} == {"HIT"}


@rule("rfc9110#section-13")
def test_what_is_known_already_is_a_304_without_a_body(cache, app):
    known = ask(cache.url, "GET", "/fresh", X_Who="ada")
    again = ask(cache.url, "GET", "/fresh", X_Who="ada", If_None_Match=known.header("etag") or "")
    assert (known.status, again.status, again.body) == (200, 304, b"")
    reply = ask(app.url, "GET", "/tagged", X_Now='"v7"', If_None_Match='"v7"')
    assert (reply.status, reply.body, reply.header("etag")) == (304, b"", '"v7"')


@rule("rfc5861#section-3")
def test_what_is_stale_is_answered_at_once_and_asked_for_meanwhile(cache):
    first, last = ask(cache.url, "GET", "/stale", X_Who="ada"), time.monotonic() + 15
    replies = [first]
    while replies[-1].text == first.text and time.monotonic() < last:
        time.sleep(0.05)
        replies.append(ask(cache.url, "GET", "/stale", X_Who="ada"))
    *old, new = replies[1:]
    ways = [reply.header("x-cache") for reply in old]
    assert "STALE" in ways, ways
    assert set(ways) <= {"HIT", "STALE", "UPDATING"}, ways  # nobody waited for the origin, not even for the new page
    assert (new.text != first.text, new.header("x-cache")) == (True, "HIT")


@rule("rfc9111#section-4.1")
def test_vary_makes_a_header_part_of_the_caches_key(cache):
    replies = [ask(cache.url, "GET", "/vary", X_Who=who) for who in ("ada", "bob", "ada")]
    assert [reply.text.split()[0] for reply in replies] == ["ada", "bob", "ada"]
    assert [reply.header("x-cache") for reply in replies] == ["MISS", "MISS", "HIT"]


@rule("rfc9110#section-8.8")
def test_the_answer_to_a_put_has_no_tag_of_what_was_there_before(app):
    put = ask(app.url, "PUT", "/tagged", X_Now='"v7"')
    assert (put.text, put.header("etag") == '"v7"') == ("handled", False)
    assert ask(app.url, "GET", "/tagged", X_Now='"v7"').header("etag") == '"v7"'


@rule("rfc9110#section-13.1.2")
@pytest.mark.parametrize(
    ("method", "now", "known", "status"),
    [
        ("GET", '"v7"', 'W/"v7"', 304),  # compared weakly
        ("GET", 'W/"v7"', '"v6", "v7"', 304),
        ("HEAD", '"a,b"', '"x", "a,b"', 304),  # a comma in a tag
        ("GET", '"v7"', "*", 304),
        ("GET", "", "*", 404),  # there is nothing that it could match
        ("GET", '"v7"', '"v6"', 200),
        ("PUT", '"v7"', "*", 412),
        ("DELETE", '"v7"', '"v7"', 412),
        ("PUT", "", "*", 200),
    ],
)
def test_if_none_match(app, method, now, known, status):
    reply = ask(app.url, method, "/tagged", If_None_Match=known, **({"X_Now": now} if now else {}))
    assert (reply.status, reply.text == "handled") == (status, status in (200, 404))


@rule("rfc9110#section-13.2.1")
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_methods_without_preconditions(app, method):
    reply = ask(app.url, method, "/tagged", X_Now='"v7"', If_None_Match='"v7"')
    assert (reply.status, reply.text) == (200, "handled")


def test_every_section_that_the_lesson_links_to_is_shown_here():
    linked = set(re.findall(SECTION, "\n".join(cell.source for cell in SOURCE.cells)))
    assert linked == set(RULES)
