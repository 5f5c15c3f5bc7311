"""What the server's log says was sent: which statement, on which session, in which transaction, with which outcome."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from backendlab.lab import sqllog
from backendlab.lab.services import postgres

NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.server(log_statement="all") as started:
        with started.connect() as session:
            session.execute("CREATE TABLE account (id int PRIMARY KEY, balance int)")
        yield started


@pytest.fixture
def program() -> str:
    return f"program {next(NUMBERS)}"


def connect(server: postgres.Server, program: str) -> psycopg.Connection:
    return psycopg.connect(server.dsn(), autocommit=True, application_name=program)


def test_statements_in_order_with_their_transactions(server: postgres.Server, program: str) -> None:
    with connect(server, program) as session:
        session.execute("SELECT version()")
        session.execute("START TRANSACTION")
        session.execute("INSERT INTO account\n  VALUES (%s, %s)", [1, 100])
        session.execute("COMMIT;")
        session.execute("SELECT * FROM account")
    sent = sqllog.sent(server, "account")
    sent = sent[sent.program == program]
    assert list(sent.kind) == ["BEGIN", "INSERT", "COMMIT", "SELECT"]  # no transaction that names no account
    assert list(sent.transaction) == [sent.transaction.iloc[0]] * 3 + [sent.transaction.iloc[3]]
    assert sent.transaction.nunique() == 2
    insert = sent.iloc[1]
    assert (insert.table, insert.sql, insert.error) == ("account", "INSERT INTO account VALUES ($1, $2)", "")
    assert insert.parameters == "$1 = '1', $2 = '100'"


def test_what_fails_stands_once_with_its_error(server: postgres.Server, program: str) -> None:
    with connect(server, program) as session:
        session.execute("BEGIN")
        for statement in ("INSERT INTO account VALUES ('x', 1)", "SELECT * FROM account", "SELEC FROM account"):
            with pytest.raises(psycopg.Error):
                session.execute(statement)
        session.execute("COMMIT")
    sent = sqllog.sent(server, "account")
    sent = sent[sent.program == program]
    assert list(zip(sent.kind, sent.error, strict=True)) == [
        ("BEGIN", ""),
        ("INSERT", "22P02"),
        ("SELECT", "25P02"),
        ("SELEC", "42601"),
        ("COMMIT", ""),
    ]
    assert sent.transaction.nunique() == 1


def test_two_sessions_are_two(server: postgres.Server, program: str) -> None:
    with connect(server, program) as one, connect(server, program) as other:
        for session in (one, other):
            session.execute("BEGIN")
        for session in (other, one):
            session.execute("SELECT 1 FROM account")
        for session in (one, other):
            session.execute("COMMIT")
    sent = sqllog.sent(server, "account")
    sent = sent[sent.program == program]
    assert sent.session.nunique() == sent.transaction.nunique() == 2
    for _, one in sent.groupby("session"):
        assert list(one.kind) == ["BEGIN", "SELECT", "COMMIT"]


def test_a_server_that_logs_no_statements_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqllog, "PATIENCE", 0.2)
    with postgres.server() as quiet, pytest.raises(RuntimeError, match="log_statement"):
        sqllog.sent(quiet, "account")
