"""An nginx of a lesson's own: it really caches, says what it did, and is really gone."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backendlab.lab import http_server, node, process, raw_http
from backendlab.lab.services import nginx

ORIGIN = """
import express from 'express';
const app = express();
let asked = 0;
app.get('/kept', (req, res) => res.set('Cache-Control', 'public, max-age=600').send(`kept ${++asked}`));
app.get('/never', (req, res) => res.set('Cache-Control', 'no-store').send(`never ${++asked}`));
app.get('/by-language', (req, res) => {
  res.set({ 'Cache-Control': 'public, max-age=600', Vary: 'Accept-Language' }).send(req.get('accept-language'));
});
app.listen(process.env.PORT, '127.0.0.1');
"""


def get(server: nginx.Server, path: str, **headers: str) -> raw_http.Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw_http.exchange(server.url, raw_http.request("GET", path, named))


def test_it_answers_on_the_loopback_only():
    with nginx.server("location / { return 200 hi; }", http="map $uri $unused { default 1; }") as server:
        assert get(server, "/").text == "hi"
        listening = {c.laddr.ip for c in psutil.Process(server.pid).net_connections("tcp") if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


def test_a_row_a_request():
    with nginx.server("location / { return 204; } location /no { return 404 no; }") as server:
        assert server.log().empty
        get(server, "/a?b=1")
        get(server, '/no/"quoted"')
        log = server.log(at_least=2)
        with pytest.raises(TimeoutError, match="2 requests"):
            server.log(at_least=3, timeout=0.05)
    assert list(log.columns) == nginx.COLUMNS
    assert log.path.tolist() == ["/a?b=1", '/no/"quoted"']
    assert log.status.tolist() == [204, 404]
    assert log.method.tolist() == ["GET", "GET"]
    assert log.body_bytes.tolist() == [0, 2]
    assert (log.bytes > log.body_bytes).all()
    assert log.cache.tolist() == ["", ""]


def test_a_cache_keeps_what_it_may():
    node.save("nginx-origin.mjs", ORIGIN)
    with http_server.start("nginx-origin.mjs") as origin, nginx.cache(origin.url) as cache:
        assert [get(cache, "/kept").text for _ in range(3)] == ["kept 1"] * 3
        assert [get(cache, "/never").text for _ in range(2)] == ["never 2", "never 3"]
        assert get(cache, "/kept").header("x-cache") == "HIT"
        said = [get(cache, "/by-language", accept_language=one).text for one in ("de", "fr", "de")]
        assert said == ["de", "fr", "de"]
        log = cache.log(at_least=9)
    assert log.cache.tolist() == ["MISS", "HIT", "HIT", "MISS", "MISS", "HIT", "MISS", "MISS", "HIT"]
    assert log.upstream_status.tolist() == ["200", "", "", "200", "200", "", "200", "200", ""]


def test_an_upload_larger_than_its_buffer_passes():
    """Such a body goes through a temporary file, which its workers must be able to write."""
    echo = (
        "import { createServer } from 'node:http';\n"
        "createServer(async (req, res) => { let n = 0; for await (const part of req) n += part.length;"
        " res.end(`${n}`); }).listen(process.env.PORT, '127.0.0.1');"
    )
    node.save("nginx-echo.mjs", echo)
    larger = "client_max_body_size 2m;"
    with http_server.start("nginx-echo.mjs") as origin, nginx.cache(origin.url, location=larger) as front:
        reply = raw_http.exchange(front.url, raw_http.request("POST", "/", body=b"x" * 1_000_000))
    assert (reply.status, reply.text) == (200, "1000000")


def test_what_keeps_it_from_starting_is_said():
    with pytest.raises(nginx.NginxError, match='unknown directive "lokation"'):
        nginx.server("lokation / { }")


def test_what_it_could_not_do_is_in_its_output():
    with nginx.cache(f"http://127.0.0.1:{process.free_port()}") as cache:
        assert get(cache, "/").status == 502
        assert "while connecting to upstream" in cache.output()


def test_nothing_is_left_of_it():
    server = nginx.server("return 204;")
    there = [psutil.Process(server.pid), *psutil.Process(server.pid).children()]
    server.stop()
    assert not server.directory.exists()
    assert psutil.wait_procs(there, timeout=10)[1] == []
    assert not process.accepts(server.port)


def test_it_ends_with_a_kernel_that_is_killed():
    code = (
        "from backendlab.lab.services import nginx\n"
        "import time\n"
        "server = nginx.server('return 204;')\n"
        "print(server.pid, server.directory, flush=True)\n"
        "time.sleep(600)\n"
    )
    kernel = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout
    pid, directory = kernel.stdout.readline().split(maxsplit=1)
    there = [psutil.Process(int(pid)), *psutil.Process(int(pid)).children()]
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    kernel.stdout.close()
    assert psutil.wait_procs(there, timeout=20)[1] == []
    deadline = time.monotonic() + 20
    while Path(directory.strip()).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(directory.strip()).exists()
