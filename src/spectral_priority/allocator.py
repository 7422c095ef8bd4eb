"""Keep freed memory for the next tensor, instead of handing it back to the kernel and asking for it again.

glibc gives large blocks back as soon as they are free. Every batch then asks for the same memory anew, and the kernel
fills each page with zeros: on a CPU that costs small networks as much time as their arithmetic does.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""
KEEP = 1 << 30
"""Bytes of free memory that may be kept."""
SIZES = (1 << 30, 32 << 20)
"""Bytes from which a block is asked of the kernel by itself, and given back to it; old versions take 32 MiB at most."""


def keep_freed_memory() -> bool:
    """Tell the C library's allocator to keep what is freed; return whether it took it (glibc does).

    For programs, which end when their work is done; a library leaves its process as it is. No number changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return any(mallopt(MMAP_THRESHOLD, size) for size in SIZES) and bool(mallopt(TRIM_THRESHOLD, KEEP))
