"""Profiles: self and total time, folding, lines, and the two runtimes' own files."""

import subprocess
import sys

import matplotlib.pyplot as plt
import pytest

from backendlab.lab import cpuprofile, node, process


def profile():
    """main calls a (10 ms of its own) and b; a calls b too; b is on top for 30 + 20 ms; 5 ms idle."""
    frames = {1: "(root)", 2: "main", 3: "a", 4: "b", 5: "b", 6: "(idle)"}
    children = {1: [2, 6], 2: [3, 5], 3: [4]}
    url = "file:///srv/app.mjs"
    nodes = [
        {
            "id": number,
            "callFrame": {"functionName": name, "url": url if name in "main a b" else "", "lineNumber": 9},
            "hitCount": 0,
            "children": children.get(number, []),
        }
        for number, name in frames.items()
    ]
    nodes[3]["positionTicks"] = [{"line": 12, "ticks": 3}, {"line": 14, "ticks": 1}]
    return {
        "nodes": nodes,
        "startTime": 0,
        "endTime": 66_000,
        "samples": [3, 4, 5, 6],
        "timeDeltas": [1_000, 10_000, 30_000, 20_000],
    }


def test_self_time_is_what_passes_until_the_next_sample_and_total_is_that_of_all_below():
    calls = cpuprofile.calls(profile())
    found = {(row.function, row.depth): (row.self_ms, row.total_ms) for row in calls.itertuples()}
    assert found == {
        ("main", 0): (0, 60),
        ("a", 1): (10, 40),
        ("b", 2): (30, 30),
        ("b", 1): (20, 20),
        ("(idle)", 0): (5, 5),
    }
    assert calls.loc[0, ["file", "line", "parent"]].tolist() == ["/srv/app.mjs", 10, -1]


def test_a_function_called_along_two_paths_is_one_row_by_function():
    table = cpuprofile.by_function(cpuprofile.calls(profile())).set_index("function")
    assert table.index[0] == "b"
    assert table.loc["b", ["self_ms", "total_ms", "paths"]].tolist() == [50, 50, 2]


def test_recursion_counts_once_in_the_total():
    table = cpuprofile.by_function(cpuprofile.folded("f (a.py:1);g (a.py:5);f (a.py:1) 3\nf (a.py:1) 1", 10))
    assert table.set_index("function").loc["f", ["self_ms", "total_ms"]].tolist() == [40, 40]


def test_lines_share_the_time_by_ticks():
    lines = cpuprofile.lines(profile())
    assert lines["line"].tolist() == [12, 14]
    assert lines["self_ms"].iloc[0] == pytest.approx(3 * lines["self_ms"].iloc[1])


def test_folding_joins_the_frames_of_a_package():
    text = "main (app.py:1);run (asyncio/runners.py:2);step (asyncio/events.py:7);work (app.py:9) 4"
    calls = cpuprofile.folded(text, 5, fold=True)
    assert calls["function"].tolist() == ["main", "(asyncio)", "work"]
    assert calls["self_ms"].tolist() == [0, 0, 20]


def test_through_keeps_the_paths_through_a_function_only():
    calls = cpuprofile.through(cpuprofile.calls(profile()), "a")
    assert dict(zip(calls["function"], calls["total_ms"], strict=True)) == {"main": 40, "a": 40, "b": 30}


def test_an_icicle_is_as_wide_as_what_it_shows():
    figure, ax = plt.subplots()
    cpuprofile.icicle(ax, cpuprofile.calls(profile()), mark={"b"}, hide={"(idle)"})
    assert ax.get_xlim() == (0, 60)
    assert len(ax.patches) == 4
    plt.close(figure)


def test_an_empty_profile_is_an_empty_table():
    empty = {"nodes": profile()["nodes"][:1], "startTime": 0, "endTime": 0, "samples": [], "timeDeltas": []}
    assert cpuprofile.calls(empty).empty
    assert cpuprofile.by_function(cpuprofile.calls(empty)).empty


def test_a_real_profile_of_node_names_the_busy_function():
    node.save("busy.mjs", "function busy() { const end = Date.now() + 300; while (Date.now() < end); }\nbusy();\n")
    node.run("busy.mjs", flags=["--cpu-prof", "--cpu-prof-name=busy.cpuprofile"])
    table = cpuprofile.by_function(cpuprofile.read(process.workspace() / "busy.cpuprofile"))
    ours = table[table["file"].str.endswith("busy.mjs")].set_index("function")
    assert ours["total_ms"].idxmax() in ("busy", "(anonymous)")
    assert "busy" in ours.index


SERVER = """
import http.server, os, signal, time
def busy():
    end = time.monotonic() + 0.4
    while time.monotonic() < end: pass
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        busy()
        self.send_response(204); self.end_headers()
    def log_message(self, *args): pass
try:
    http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
except KeyboardInterrupt:
    pass
"""


@pytest.mark.parametrize("allowed", [True, False])
def test_a_python_server_is_profiled_with_or_without_py_spy(tmp_path, monkeypatch, allowed):
    if not allowed:
        monkeypatch.setattr(cpuprofile.sysconfig, "get_path", lambda name: str(tmp_path))
    file = tmp_path / "server.py"
    file.write_text(SERVER)
    with cpuprofile.python(file, rate=100) as server:
        subprocess.run([sys.executable, "-c", f"import urllib.request as u; u.urlopen('{server.url}')"], check=True)
    own = cpuprofile.by_function(server.calls()).query("file.str.endswith('server.py')").set_index("function")
    assert own["self_ms"].idxmax() == "busy"
    assert allowed or "cProfile" in server.how
