"""Freed memory stays with a process that keeps it, and goes back to the system from one that does not."""

import subprocess
import sys

import pytest

MEGABYTES = 64
PROGRAM = f"""
import re, sys
from pathlib import Path
import numpy as np
from spectral_priority.freed_memory import keep_freed_memory

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit("no glibc")
before = resident()
block = np.ones({MEGABYTES} << 20, np.uint8)
del block
print(resident() - before)
"""


@pytest.mark.parametrize("kept", [True, False])
def test_a_freed_block_stays_resident_only_where_that_was_asked_for(kept):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "keep" if kept else "usual"], capture_output=True, text=True
    )
    if "no glibc" in done.stderr:
        pytest.skip("no glibc")
    assert float(done.stdout) == pytest.approx(MEGABYTES if kept else 0, abs=4), done.stderr
