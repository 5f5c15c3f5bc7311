"""The incidents are as they say, and the graph's roots are found."""

import matplotlib.pyplot as plt
import psycopg
import pytest

from backendlab.lab import incident
from backendlab.lab.services import postgres


def test_depths_count_from_the_roots():
    assert incident.depths({"b": ["a"], "c": ["b", "a"]}) == {"a": 0, "b": 1, "c": 2}


def test_a_circle_has_no_root():
    with pytest.raises(ValueError, match="deadlock"):
        incident.depths({"a": ["b"], "b": ["a"]})


def test_the_graph_has_an_arrow_for_each_wait_and_a_box_for_each_session():
    figure, ax = plt.subplots()
    incident.draw(ax, {"b": ["a"], "c": ["b", "a"]}, {"a": "idle in transaction"})
    figure.canvas.draw()
    said = [text.get_text() for text in ax.texts]
    plt.close(figure)
    assert sorted(text.split("\n")[0] for text in said if text) == ["a", "b", "c"]
    assert said.count("") == 3


@pytest.mark.parametrize("kind", incident.KINDS)
def test_the_root_waits_for_nobody_and_others_wait_for_it(kind):
    with postgres.server() as pg, incident.running(pg.dsn(), kind, 3) as true, psycopg.connect(pg.dsn()) as look:
        blockers = {
            pid: found
            for pid, found in look.execute("SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity")
            if found
        }
        assert true["pid"] not in blockers
        assert any(true["pid"] in found for found in blockers.values())
        lesser = {"modes": 2}.get(kind, 1)
        assert len(blockers) == true["waiting"] + lesser
