"""Shared pages are counted once by PSS and many times by RSS, and the dead are not counted."""

import os
import subprocess
import sys

import psutil
import pytest

from backendlab.lab import memory

BLOCK = 64 << 20

# A parent that fills a block, forks two children that only hold it, says so, and waits for its end.
FORKS = f"""
import os, sys, time
block = bytearray(b"x" * {BLOCK})
for _ in range(2):
    if os.fork() == 0:
        time.sleep(600)
print("up", flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux's")
def test_a_block_shared_by_three_processes_is_counted_once_by_pss_and_three_times_by_rss():
    with subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, start_new_session=True) as parent:
        try:
            assert parent.stdout.readline() == b"up\n"
            seen = memory.tree(parent.pid)
        finally:
            os.killpg(parent.pid, 9)
    assert seen.processes == 3
    assert BLOCK <= seen.pss < 2 * BLOCK
    assert seen.rss > 3 * BLOCK
    assert seen.uss < BLOCK


def test_memory_that_a_process_takes_is_seen():
    before = memory.tree(os.getpid())
    block = bytearray(b"x" * BLOCK)
    after = memory.tree(os.getpid())
    assert after.pss_mib - before.pss_mib > 0.9 * len(block) / 2**20
    assert after.rss_mib - before.rss_mib > 0.9 * len(block) / 2**20


def test_a_process_that_is_gone_is_an_error():
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with pytest.raises(psutil.NoSuchProcess):
        memory.tree(gone.pid)
