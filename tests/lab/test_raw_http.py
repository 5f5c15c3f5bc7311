"""Bytes go out as they are; what comes back is told with how it ended, from servers that misbehave on purpose."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from backendlab.lab import raw_http
from backendlab.lab.raw_http import exchange, request


@contextlib.contextmanager
def answering(*pieces: bytes, how: str = "close") -> Iterator[tuple[str, list[bytes]]]:
    """A server for one connection: reads up to the blank line, answers with these bytes, and closes or stays."""
    heard: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            got = b""
            while b"\r\n\r\n" not in got and (data := connection.recv(1 << 16)):
                got += data
            heard.append(got)
            for piece in pieces:
                connection.sendall(piece)
            if how == "stay":
                over.wait(30)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        finally:
            over.set()
            thread.join(30)


HEAD = b"HTTP/1.1 200 OK\r\n"
CASES = {
    "a length": ((HEAD + b"Content-Length: 2\r\n\r\nhi",), "stay", (200, b"hi", "whole")),
    "chunks": ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", b"0\r\n\r\n"), "stay", (200, b"hi", "whole")),
    "to the end": ((HEAD + b"\r\nhi",), "close", (200, b"hi", "whole")),
    "no body": ((b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",), "stay", (304, b"", "whole")),
    "interim first": (
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 0\r\n\r\n",),
        "stay",
        (200, b"", "whole"),
    ),
    "cut off": ((HEAD + b"Content-Length: 9\r\n\r\nhi",), "close", (200, b"hi", "closed")),
    "nothing": ((), "close", (0, b"", "closed")),
    "no HTTP": ((b"SSH-2.0-OpenSSH\r\n\r\n",), "stay", (0, b"", "garbled")),
    "never": ((), "stay", (0, b"", "late")),
    "half": ((HEAD + b"Content-Length: 9\r\n\r\nhi",), "stay", (200, b"hi", "late")),
    "too much": ((HEAD + b"\r\n" + b"x" * 5000,), "stay", (200, b"x" * 5000, "large")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reply_and_how_it_ended(case: str) -> None:
    pieces, how, expected = CASES[case]
    patience = 0.3 if expected[2] == "late" else 20.0
    with answering(*pieces, how=how) as (url, heard):
        reply = exchange(url, b"GET / HTTP/1.1\r\n", b"Host: x\r\n\r\n", timeout=patience, largest=4000)
    assert (reply.status, reply.body, reply.ended) == expected
    assert heard == [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]
    assert reply.raw == b"".join(pieces)


def test_the_answer_to_head_has_no_body() -> None:
    with answering(HEAD + b"Content-Length: 7\r\nX-A: 1\r\nX-a: 2\r\n\r\n", how="stay") as (url, _):
        reply = exchange(url, request("HEAD", "/"))
    assert (reply.ended, reply.header("X-A"), reply.header("nothing")) == ("whole", "1, 2", None)


def test_two_on_one_connection() -> None:
    one = HEAD + b"Content-Length: 3\r\n\r\none"
    two = HEAD + b"Content-Length: 3\r\n\r\ntwo"
    with answering(one + two[:9], two[9:], how="stay") as (url, _), raw_http.Connection(url) as connection:
        connection.send(request("GET", "/"), request("GET", "/"))
        replies = [connection.read(), connection.read()]
    assert [reply.body for reply in replies] == [b"one", b"two"]
    assert [reply.raw for reply in replies] == [one, two]


def test_a_request_says_what_it_is_told_to() -> None:
    assert request("GET", "/a") == b"GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert request("POST", "/", {"host": "b"}, b"hi") == b"POST / HTTP/1.1\r\nContent-Length: 2\r\nhost: b\r\n\r\nhi"
    assert b"Content-Length: 9\r\n" in request("POST", "/", {"Content-Length": "9"}, b"hi")
    assert b"ontent-Length" not in request("POST", "/", {"Transfer-Encoding": "chunked"}, b"0\r\n\r\n")


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_goes_away(reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        raw_http.go_away(f"http://127.0.0.1:{listening.getsockname()[1]}", b"GET", reset=reset)
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(20)
            try:
                came = connection.recv(9) + connection.recv(9)
            except ConnectionResetError:
                came = b"reset"
    assert came == (b"reset" if reset else b"GET")


def test_what_breaks_the_rules_is_sent_as_it_is() -> None:
    """Which of them a real server refuses, the lessons' exercises ask of Node and aiohttp."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                with contextlib.suppress(OSError):
                    connection, _ = listening.accept()
                    with connection:
                        if heard and heard[-1] == b"last":
                            return
                        heard.append(connection.recv(1 << 16))
                        connection.sendall(
                            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        )

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        replies = raw_http.unreadable(url, "PUT", "/a?b=1")
        heard.append(b"last")
        raw_http.go_away(url)
        thread.join(30)
    assert all(reply.status in (0, 400) for reply in replies.values()), replies
    assert len(heard) == len(replies) + 1
    assert all(head.startswith(b"PUT") for head in heard[:-1])
    assert any(head.startswith(b"PUT /a?b=1&xxx") for head in heard)
