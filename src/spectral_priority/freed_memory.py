"""Memory that is freed and asked for again at every pass through a model: kept by the process, not handed back.

The C library gives large freed blocks back to the system at once, and the system clears every page of the next one.
With activations of some megabytes a layer that is up to half of a processor's time.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""
LARGEST = 2**31 - 1, 1 << 30
"""Free bytes at the heap's end that are kept; bytes of a block from which on it has a mapping of its own."""


def keep_freed_memory() -> bool:
    """Have this process keep freed memory for its next use, as long as it lives; its peak stays the same.

    For programs only: a library does not decide this for whoever calls it.

    Returns
    -------
    bool
        False where there is no glibc to be asked: nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    trim, block = LARGEST
    # Older versions refuse blocks above 32 MiB.
    return bool(
        mallopt(M_TRIM_THRESHOLD, trim)
        and (mallopt(M_MMAP_THRESHOLD, block) or mallopt(M_MMAP_THRESHOLD, 32 << 20))
    )
