"""An answer is given a real server while it is graded: its test reaches the same one, and nothing else does."""

from types import SimpleNamespace

import nbformat
import pytest

from backendlab.course import judge

ANSWERS = {
    "postgres": """import psycopg
def keep(url):
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE kept AS SELECT 7 AS n")
""",
    "valkey": """import redis
def keep(url):
    with redis.Redis.from_url(url) as client:
        client.set("kept", 7)
""",
}
TEST = """
import psycopg, redis
with student.service(NAME) as service:
    student.call("keep", service.url)
    if NAME == "postgres":
        with psycopg.connect(service.url) as session:
            kept = session.execute("SELECT n FROM kept").fetchone()[0]
    else:
        with redis.Redis.from_url(service.url) as client:
            kept = int(client.get("kept"))
    assert kept == 7, kept
"""


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_and_its_test_use_the_same_server(name):
    cell = nbformat.v4.new_code_cell(TEST.replace("NAME", repr(name)))
    cell.metadata.nbgrader = nbformat.NotebookNode(grade_id=f"keep-{name}-check", points=1)
    outcomes = judge.judge(["%load_ext backendlab.lab"], SimpleNamespace(tests=[cell]), ANSWERS[name])
    assert [(outcome.result, outcome.message) for outcome in outcomes] == [("passed", "")]
