"""Freed memory is kept for the next tensor."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys
import numpy as np
from spectral_priority.allocator import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else True
def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(4 << 20)  # 32 MiB: 8,192 pages, or 16 huge ones
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
pages()
print(kept, pages())
"""


@pytest.mark.parametrize("mode", ["keep", "leave"])
def test_a_program_asks_the_kernel_for_the_same_memory_once(mode):
    done = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, check=True)
    taken, pages = done.stdout.split()
    if taken == "False":
        pytest.skip("the C library's allocator has no such setting")
    if mode == "keep":
        assert int(pages) < 50
    else:  # the very same loop asks again and again
        assert int(pages) > 100
