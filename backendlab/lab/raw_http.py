r"""HTTP byte by byte: send exactly these bytes, read what comes back until it is whole, closed, or late.

Clients that keep to the rules can't show what a server does with what breaks them: a body cut off, a length that lies,
a header that never ends, a client that goes away. Here the request is bytes and pauses; only the response is parsed, by
h11 (RFC 9112).

    reply = raw_http.exchange(url, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    reply.status, reply.header("content-type"), reply.body, reply.ended
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

LARGEST = 16 << 20  # bytes that are read of one response, unless told otherwise


@dataclass
class Reply:
    """What came back.

    `status`: 0 if no status line came; `headers`: pairs, names in lower case; `body`: decoded from its framing
    (chunked or not), not from its Content-Encoding; `raw`: every byte. `ended` says how: "whole" (by its own framing),
    "closed" (by the server before it was whole), "reset", "late" (time-out), "large" (more than was allowed), or
    "garbled" (no HTTP). A body without a length ends where the connection does: "whole".
    """

    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    raw: bytes = b""
    ended: str = "late"

    def header(self, name: str) -> str | None:
        """The header's value, several joined by ", "; None if it isn't there."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def request(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """The bytes of a request. Host and, with a body, Content-Length are added unless `headers` say otherwise."""
    lines = {"Host": "127.0.0.1", **({"Content-Length": str(len(body))} if body else {})}
    given = {name.lower() for name in headers or {}} | ({"content-length"} if _chunked(headers) else set())
    lines = {name: value for name, value in lines.items() if name.lower() not in given} | dict(headers or {})
    head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def _chunked(headers: Mapping[str, str] | None) -> bool:
    return any(name.lower() == "transfer-encoding" for name in headers or {})


class Connection:
    """A TCP connection to a server. Use it in a `with` block, or call `close`."""

    def __init__(self, url: str, timeout: float = 10.0):
        where = urlsplit(url)
        self.socket = socket.create_connection((where.hostname or "127.0.0.1", where.port or 80), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each piece leaves when it is sent
        self._left = b""  # what has been read of the next response

    def send(self, *pieces: bytes | float) -> bool:
        """Send the bytes, pausing for the numbers (seconds). False if the server would not take them all."""
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    self.socket.sendall(piece)
                else:
                    time.sleep(piece)
        except OSError:
            return False  # it has closed; what it said before that can still be read
        return True

    def half_close(self) -> None:
        """Say that nothing more will be sent; what comes can still be read."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def read(self, method: str = "GET", *, timeout: float = 10.0, largest: int = LARGEST) -> Reply:
        """The next response, as to a request with this method (none to HEAD has a body). Interim ones are skipped."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x"), ("Content-Length", "0")]))
        parser.send(h11.EndOfMessage())
        reply, deadline = Reply(raw=self._left), time.monotonic() + timeout
        try:
            if self._left:
                parser.receive_data(self._left)
            while not self._parse(parser, reply):
                if len(reply.raw) > largest:
                    reply.ended = "large"
                    return reply
                self.socket.settimeout(max(0.001, deadline - time.monotonic()))
                data = self.socket.recv(1 << 16)
                reply.raw += data
                parser.receive_data(data)
            reply.ended = "whole"
            self._left, _ = parser.trailing_data
            reply.raw = reply.raw.removesuffix(self._left) if self._left else reply.raw
        except TimeoutError:
            reply.ended = "late"
        except ConnectionError:
            reply.ended = "reset"
        except h11.RemoteProtocolError:
            reply.ended = "closed" if parser.trailing_data[1] else "garbled"
        return reply

    def _parse(self, parser: h11.Connection, reply: Reply) -> bool:
        """Take what the parser has into the reply. Is it whole?"""
        while True:
            event = parser.next_event()
            if isinstance(event, h11.Response):
                reply.status, reply.reason = event.status_code, event.reason.decode("latin-1")
                reply.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
            elif isinstance(event, h11.Data):
                reply.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return True
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("closed before a response")
            elif event is h11.NEED_DATA:
                return False

    def close(self, *, reset: bool = False) -> None:
        """Go away; with `reset` by a TCP reset, as a client that was killed with unread data does."""
        if reset:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def exchange(
    url: str, *pieces: bytes | float, half_close: bool = False, timeout: float = 10.0, largest: int = LARGEST
) -> Reply:
    """Send bytes and pauses (seconds) on a connection of its own, and read one response. See `Reply.ended`."""
    method = next((bytes(piece) for piece in pieces if isinstance(piece, bytes)), b"GET").partition(b" ")[0]
    with Connection(url, timeout) as connection:
        connection.send(*pieces)
        if half_close:
            connection.half_close()
        return connection.read("HEAD" if method == b"HEAD" else "GET", timeout=timeout, largest=largest)


def unreadable(url: str, method: str, path: str, *, timeout: float = 5.0) -> dict[str, Reply]:
    """What comes back for requests that a server refuses before any handler sees them, by what is wrong with each.

    Node says 431 or 400, aiohttp 400; 0 where the connection was closed without a word.
    """
    begin, more = f"{method} {path}", "&" if "?" in path else "?"
    heads = {
        "a header of 20,000 bytes": f"{begin} HTTP/1.1\r\nHost: x\r\nX-Huge: {'x' * 20_000}\r\n\r\n",
        "a path of 20,000 bytes": f"{begin}{more}{'x' * 20_000} HTTP/1.1\r\nHost: x\r\n\r\n",
        "a first line that ends after the method": f"{method}\r\nHost: x\r\n\r\n",
        "a header without a colon": f"{begin} HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n",
        "a Content-Length that is no number": f"{begin} HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n0123456789",
        "two Content-Lengths": f"{begin} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n01",
        "a Content-Length, and chunks": f"{begin} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a head cut off": f"{begin} HTTP/1.1\r\nHost: x\r\nX-Cut: o",
    }
    return {
        what: exchange(url, head.encode(), half_close=what == "a head cut off", timeout=timeout)
        for what, head in heads.items()
    }


def go_away(url: str, *pieces: bytes | float, reset: bool = False) -> None:
    """Send bytes and pauses, then leave without reading anything."""
    connection = Connection(url)
    try:
        connection.send(*pieces)
    finally:
        connection.close(reset=reset)
