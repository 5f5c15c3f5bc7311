"""A Valkey of a lesson's own: it is really there, it is really gone, and nobody else's keys are touched."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis

from backendlab.lab import process
from backendlab.lab.services import valkey


@pytest.fixture(scope="module")
def broker():
    with valkey.server() as server:
        yield server


@pytest.fixture
def own(broker, monkeypatch):
    """The learner's own server, as `REDIS_URL` names it; emptied afterwards."""
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{broker.port}")
    yield broker
    with broker.connect() as client:
        client.flushall()


def test_it_answers_on_the_loopback_only(broker):
    with broker.connect(decode_responses=True) as client:
        assert client.xadd("events", {"a": "1"}, id="1-1") == "1-1"
        client.delete("events")
    listening = {c.laddr.ip for c in psutil.Process(broker.process.pid).net_connections("tcp") if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


def test_settings():
    with valkey.server(maxmemory_policy="noeviction", appendonly=True) as server, server.connect() as client:
        settings = client.config_get("maxmemory-policy", "appendonly")
        assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes"}


def test_what_is_appended_survives_a_crash():
    with valkey.server(appendonly=True) as server:
        with server.connect(decode_responses=True) as client:
            client.set("kept", "7")
        server.crash()
        assert not process.accepts(server.port)
        server.restart()
        with server.connect(decode_responses=True) as client:
            assert client.get("kept") == "7"


def test_nothing_is_left_of_it():
    server = valkey.server()
    there = psutil.Process(server.process.pid)
    server.stop()
    assert not server.directory.exists()
    assert psutil.wait_procs([there], timeout=10)[1] == []


def test_it_ends_with_a_kernel_that_is_killed():
    code = (
        "from backendlab.lab.services import valkey\n"
        "server = valkey.server()\n"
        "print(server.process.pid, server.directory, flush=True)\n"
        "import time; time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as kernel:
        pid, directory = kernel.stdout.readline().split()
        there = psutil.Process(int(pid))
        kernel.send_signal(signal.SIGKILL)
    assert psutil.wait_procs([there], timeout=20)[1] == []
    for _ in range(200):
        if not Path(directory).exists():
            break
        time.sleep(0.05)
    assert not Path(directory).exists()


def test_a_setting_that_does_not_exist_is_told():
    with pytest.raises(valkey.ValkeyError, match="Bad directive"):
        valkey.server(nonsense=1)


def test_an_empty_database_is_taken_and_given_back(own):
    with own.connect() as client:
        client.set("theirs", "1")
    with valkey.database() as one, valkey.database() as two:
        assert one != two
        for address in (one, two):
            assert not address.endswith("/0")
            with redis.Redis.from_url(address) as client:
                client.set("ours", "1")
    with own.connect() as client:
        assert client.info("keyspace").keys() == {"db0"}
        assert client.keys() == [b"theirs"]


def test_one_that_holds_keys_is_refused_and_left_alone(own, monkeypatch):
    with own.connect() as client:
        client.set("theirs", "1")
    monkeypatch.setenv("REDIS_URL", own.url)
    with pytest.raises(valkey.ValkeyError, match="Database 0, which REDIS_URL names, holds keys"), valkey.database():
        pass
    with own.connect() as client:
        assert client.keys() == [b"theirs"]


def test_a_server_without_an_empty_one_is_refused(own, monkeypatch):
    monkeypatch.setattr(valkey, "NUMBERED", range(99, -1, -1))  # more than it has
    for number in range(16):
        with redis.Redis(port=own.port, db=number) as client:
            client.set("theirs", number)
    with pytest.raises(valkey.ValkeyError, match="Every database of the server of REDIS_URL"), valkey.database():
        pass
    with own.connect() as client:
        assert [entry["keys"] for entry in client.info("keyspace").values()] == [1] * 16


def test_what_someone_put_there_after_emptying_it_is_left(own):
    with valkey.database() as address, redis.Redis.from_url(address) as client:
        client.flushdb()
        client.set("theirs", "1")
    with redis.Redis.from_url(address) as client:
        assert client.keys() == [b"theirs"]


def test_a_redis_url_that_nobody_answers_at_is_told(monkeypatch):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{process.free_port()}/3")
    with pytest.raises(valkey.ValkeyError, match="REDIS_URL is set, but no Redis or Valkey at"), valkey.database():
        pass
