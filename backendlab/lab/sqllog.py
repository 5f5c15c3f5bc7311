"""What an application really sent to PostgreSQL, statement by statement: read from the server's own log.

An ORM's own log shows what it meant to send. The server's, with `log_statement = all`, shows what came, on which
session and in which transaction: `log_destination = jsonlog` gives each line the virtual transaction id it belongs to.

Sources: postgresql.org/docs/18/runtime-config-logging.html (jsonlog's keys), …/transaction-id.html (virtual ids).
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import pandas as pd

from backendlab.lab.services.postgres import Server

COLUMNS = ["program", "session", "transaction", "kind", "table", "sql", "parameters", "error"]
LINE = ["application_name", "pid", "vxid", "error_severity", "message", "detail", "state_code", "statement"]
PATIENCE = 10.0  # seconds for the log's own process to write what was logged


def sent(server: Server, *tables: str) -> pd.DataFrame:
    """The statements that came so far, a row each, in the order in which they came: COLUMNS.

    `program` is the session's application_name (drivers take it from PGAPPNAME), `session` its process id;
    `transaction` numbers a program's transactions from 1 (a statement outside of BEGIN … COMMIT is one too); `kind` is
    the first word (`START TRANSACTION` counts as `BEGIN`), `table` the first of `tables` that it names (or ""),
    `error` the SQLSTATE it was answered with (or "").
    With `tables`, only transactions of which a statement names one: a driver's questions at its connecting are left
    out. The server must run with `log_statement="all"`, else `RuntimeError`.
    """
    rows = _statements(_whole_log(server))
    for row in rows:
        row["table"] = next((name for name in tables if re.search(rf"\b{name}\b", row["sql"])), "")
    wanted = {_transaction(row) for row in rows if row["table"] or not tables}
    numbers: dict[str, dict[Any, int]] = {}
    kept = [row for row in rows if _transaction(row) in wanted]
    for row in kept:
        own = numbers.setdefault(row["program"], {})
        row["transaction"] = own.setdefault(_transaction(row), len(own) + 1)
    return pd.DataFrame(kept, columns=COLUMNS)


def _transaction(row: dict[str, Any]) -> tuple[str, int, str]:
    return row["program"], row["session"], row["vxid"]


def _whole_log(server: Server) -> pd.DataFrame:
    """The log with all that was answered so far: another process writes it, so we wait for a line of our own."""
    mark = f"end of log {secrets.token_hex(8)}"
    with server.connect(autocommit=True) as session:
        session.execute(f"SELECT '{mark}'")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        log = server.log()
        if len(log) and log["message"].str.contains(mark, regex=False).any():
            return log[~log["message"].str.contains(mark, regex=False)]
        time.sleep(0.01)
    raise RuntimeError('The server logs no statements: start it with postgres.server(log_statement="all").')


def _statements(log: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each statement, with its `vxid`. The line of an error goes to the statement that had it."""
    rows: list[dict[str, Any]] = []
    last: dict[int, dict[str, Any]] = {}  # of each session, the last statement
    for line in log.reindex(columns=LINE).astype(object).fillna("").to_dict("records"):
        logged = re.match(r"(?:statement|execute [^:]+): (.*)", line["message"], re.DOTALL)
        failed = line["error_severity"] in ("ERROR", "FATAL") and line["statement"]
        if not logged and not failed:
            continue
        before = last.get(line["pid"])
        sql = re.sub(r"\s+", " ", logged[1] if logged else line["statement"]).strip(" ;")
        if failed and before and before["sql"] == sql and not before["error"]:
            before["error"] = line["state_code"]
            continue
        word = sql.split(" ")[0].upper()
        last[line["pid"]] = {
            "program": line["application_name"],
            "session": line["pid"],
            # A transaction that has failed has lost its number, and is still the same one.
            "vxid": before["vxid"] if before and line["vxid"].endswith("/0") else line["vxid"],
            "kind": {"START": "BEGIN", "END": "COMMIT"}.get(word, word),
            "sql": sql,
            "parameters": re.sub(r"^Parameters: ", "", line["detail"]) if logged else "",
            "error": line["state_code"] if failed else "",
        }
        rows.append(last[line["pid"]])
    return rows
