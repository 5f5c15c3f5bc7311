"""The inspector's client, and heap snapshots taken through it, on a real Node process."""

import asyncio

import pytest

from backendlab.lab import heap, inspector, node

PROGRAM = """
import http from 'node:http';
class Parcel { constructor(weight) { this.weight = weight; } }
const depot = new Map();
globalThis.fill = (count) => {
  for (let i = 0; i < count; i++) depot.set(depot.size, new Parcel(i));
  return depot.size;
};
http.createServer((request, response) => { const parcels = depot.size; response.end(String(parcels)); })
  .listen(process.env.PORT, '127.0.0.1');
"""


@pytest.fixture
def server():
    node.save("depot.mjs", PROGRAM)
    with node.start("depot.mjs", flags=["--inspect=127.0.0.1:0"]) as running:
        yield running


def evaluate(session, text):
    return session.call("Runtime.evaluate", expression=text, returnByValue=True)


def test_calls_events_and_errors(server):
    async def talk():
        async with inspector.attach(server) as session:
            await session.call("Runtime.enable")
            assert (await evaluate(session, "fill(3)"))["result"]["value"] == 3
            await evaluate(session, "console.log('seen')")
            said = await session.wait("Runtime.consoleAPICalled")
            assert said["args"][0]["value"] == "seen"
            assert session.take("Runtime.consoleAPICalled") == []
            with pytest.raises(inspector.InspectorError, match=r"Nonsense\.method"):
                await session.call("Nonsense.method")
            with pytest.raises(inspector.InspectorError, match="did not come"):
                await session.wait("Debugger.paused", timeout=0.05)
        async with inspector.attach(server) as session:  # letting go leaves the process as it was
            assert (await evaluate(session, "fill(1)"))["result"]["value"] == 4

    asyncio.run(talk())


def test_a_process_that_ends_is_told_to_who_waits(server):
    async def talk():
        async with inspector.attach(server) as session:
            waiting = asyncio.create_task(session.wait("Debugger.paused"))
            await asyncio.sleep(0)
            server.stop()
            with pytest.raises(inspector.InspectorError, match="closed"):
                await waiting

    asyncio.run(talk())


def test_no_inspector_is_said_in_words():
    node.save("plain.mjs", "import http from 'node:http'; http.createServer().listen(process.env.PORT, '127.0.0.1');")

    async def talk(running):
        async with inspector.attach(running, timeout=0.2):
            pass

    with node.start("plain.mjs") as running, pytest.raises(inspector.InspectorError, match="--inspect"):
        asyncio.run(talk(running))


def test_two_snapshots_tell_what_was_added_and_who_holds_it(server, tmp_path):
    async def measure():
        async with inspector.attach(server) as session:
            await evaluate(session, "fill(10)")
            before = heap.read(await heap.take(session, tmp_path / "before"))
            small = await heap.used(session)
            await evaluate(session, "fill(5000)")
            after = heap.read(await heap.take(session, tmp_path / "after"))
            return before, after, await heap.used(session) - small

    before, after, grown = asyncio.run(measure())
    row = heap.compare(before, after).loc["Parcel"]
    assert (row["objects_before"], row["objects_after"], row["objects_added"]) == (10, 5010, 5000)
    assert row["bytes_added"] > 0
    assert grown > 5000 * 8
    chain = heap.held_by(after, "Parcel")
    assert "depot → Map" in chain
    assert chain[-1].endswith("→ Parcel")
    with pytest.raises(ValueError, match="Nothing"):
        heap.held_by(after, "Nothing")
