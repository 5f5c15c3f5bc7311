"""One handle for servers of both languages, started from a saved file."""

import pytest

from backendlab.lab import http_server, memory, node, process, raw_http

EXPRESS = """
import express from 'FRAMEWORK';
const app = express();
const kept = [];
app.get('/', (req, res) => res.send(process.argv[2] + process.env.GREETING));
app.get('/take', (req, res) => { kept.push(Buffer.alloc(64 << 20, 1)); res.end(); kept.pop(); });
app.listen(process.env.PORT, '127.0.0.1');
"""
AIOHTTP = """
import os, sys
from aiohttp import web

async def greet(request):
    return web.Response(text=sys.argv[1] + os.environ["GREETING"])

async def take(request):
    kept = b"\\1" * (64 << 20)
    return web.Response(text=str(len(kept))[:0])

app = web.Application()
app.add_routes([web.get("/", greet), web.get("/take", take)])
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
"""
SERVERS = {
    "express5.mjs": EXPRESS.replace("FRAMEWORK", "express"),
    "express4.mjs": EXPRESS.replace("FRAMEWORK", "express4"),
    "aiohttp-app.py": AIOHTTP,
}


@pytest.mark.parametrize("file", SERVERS)
def test_it_answers_and_its_memory_is_read(file: str) -> None:
    node.save(file, SERVERS[file])
    with http_server.start(file, "hello ", env={"GREETING": "you"}) as server:
        assert raw_http.exchange(server.url, raw_http.request("GET", "/")).text == "hello you"
        before = memory.peak(server.pid)
        assert raw_http.exchange(server.url, raw_http.request("GET", "/take")).status == 200
        assert (top := memory.peak(server.pid)) - before > 48 << 20
        memory.forget_peak(server.pid)
        assert 0 < memory.peak(server.pid) < top + (16 << 20)  # it may have taken a little more by now
        assert server.alive
    assert not server.alive
    assert not process.accepts(server.port or 0)


@pytest.mark.parametrize(("file", "source"), [("dead.py", "1 / 0"), ("dead.mjs", "null.x")])
def test_one_that_does_not_start_shows_why(file: str, source: str) -> None:
    node.save(file, source)
    with pytest.raises(process.StartError, match=r"ZeroDivisionError|TypeError"):
        http_server.start(file)
