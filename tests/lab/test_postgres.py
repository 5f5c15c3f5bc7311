"""A PostgreSQL of a lesson's own: it is really there, it is really gone, and nobody else's database is touched."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from backendlab.lab import node, process
from backendlab.lab.services import postgres


@pytest.fixture(scope="module")
def pg():
    with postgres.server(log_lock_waits=True) as server:
        yield server


def test_it_answers_over_tcp_and_over_its_socket(pg):
    with psycopg.connect(pg.dsn()) as one, psycopg.connect(host=pg.socket, port=pg.port, user="postgres") as other:
        asked = [session.execute("SELECT pg_postmaster_start_time()").fetchone() for session in (one, other)]
    assert asked[0] == asked[1]
    listening = {c.laddr.ip for c in psutil.Process(pg.process.pid).net_connections("tcp") if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


def test_settings_and_bundled_extensions():
    with (
        postgres.server(shared_preload_libraries=["pg_stat_statements", "auto_explain"], work_mem="8MB") as server,
        server.connect(autocommit=True) as session,
    ):
        session.execute("CREATE EXTENSION pg_stat_statements")
        assert session.execute("SHOW work_mem").fetchone() == ("8MB",)
        assert session.execute("SELECT count(*) > 0 FROM pg_stat_statements").fetchone() == (True,)


def test_its_log_is_a_table(pg):
    with pg.connect() as session, pytest.raises(psycopg.errors.DivisionByZero):
        session.execute("SELECT 1/0 AS marked")
    for _ in range(200):  # the process that writes the log comes after the answer
        if "division by zero" in set((log := pg.log())["message"]):
            break
        time.sleep(0.05)
    row = log[log["message"] == "division by zero"].iloc[-1]
    assert (row["error_severity"], row["state_code"], row["statement"]) == ("ERROR", "22012", "SELECT 1/0 AS marked")


def test_what_was_committed_survives_a_crash():
    with postgres.server(fsync=True) as server:
        with server.connect(autocommit=True) as session:
            session.execute("CREATE TABLE kept (n int)")
            session.execute("INSERT INTO kept VALUES (7)")
            server.crash()
            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        server.restart(work_mem="9MB")
        with server.connect() as session:
            assert session.execute("SELECT n FROM kept").fetchall() == [(7,)]
            assert session.execute("SHOW work_mem").fetchone() == ("9MB",)


def test_nothing_is_left_of_it():
    server = postgres.server()
    there = psutil.Process(server.process.pid)
    family = [there, *there.children(recursive=True)]
    server.stop()
    assert not server.directory.exists()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_it_ends_with_a_kernel_that_is_killed():
    code = (
        "from backendlab.lab.services import postgres\n"
        "pg = postgres.server()\n"
        "print(pg.process.pid, pg.directory, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as kernel:
        pid, directory = kernel.stdout.readline().split()
        family = [psutil.Process(int(pid)), *psutil.Process(int(pid)).children(recursive=True)]
        kernel.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    for _ in range(200):
        if not Path(directory).exists():
            break
        time.sleep(0.05)
    assert not Path(directory).exists()


def test_a_setting_that_does_not_exist_is_told():
    with pytest.raises(postgres.PostgresError, match='unrecognized configuration parameter "nonsense"'):
        postgres.server(nonsense=1)


OWN = {
    "a URL": "postgresql://postgres@127.0.0.1:{port}/postgres?application_name=own",
    "keywords": "host=127.0.0.1 port={port} user=postgres dbname=postgres",
    "the socket": "postgresql:///postgres?host={socket}&port={port}&user=postgres",
}


@pytest.mark.parametrize("form", OWN)
def test_a_database_of_its_own_on_a_server_that_was_there(pg, monkeypatch, form):
    def databases():
        with pg.connect() as session:
            return {name for (name,) in session.execute("SELECT datname FROM pg_database")}

    before = databases()
    monkeypatch.setenv("DATABASE_URL", OWN[form].format(port=pg.port, socket=pg.socket))
    node.save(
        "t-name.mjs",
        "import pg from 'pg';\nconst c = new pg.Client(process.argv[2]); await c.connect();\n"
        "console.log((await c.query('SELECT current_database() AS name')).rows[0].name); await c.end();",
    )
    with postgres.database() as address, psycopg.connect(address) as session:
        (name,) = session.execute("SELECT current_database()").fetchone()
        assert databases() - before == {name}
        assert name.startswith("backendlab_")
        assert node.run("t-name.mjs", address).stdout.strip() == name  # Node's driver reads it too
    assert databases() == before


def test_a_database_url_that_nobody_answers_at_is_told(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@127.0.0.1:{process.free_port()}/postgres")
    with (
        pytest.raises(postgres.PostgresError, match="DATABASE_URL is set, but PostgreSQL at"),
        postgres.database(),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as someone else")
def test_root_does_not_run_it_as_root(pg):
    assert psutil.Process(pg.process.pid).uids().real == postgres.NOBODY


def test_node_can_reach_it(pg):
    node.save(
        "t-pg.mjs", "import net from 'node:net';\nnet.connect(+process.argv[2], '127.0.0.1', () => process.exit(0));"
    )
    assert node.run("t-pg.mjs", pg.port).returncode == 0
