"""What a benchmark ran on, in words: neither the machine's name nor any path of it."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

PACKAGES = ("torch", "torchvision", "numpy", "pillow", "h5py")


def machine() -> str:
    """Return processor, cores, memory and GPUs."""
    import torch

    cores = len(os.sched_getaffinity(0))
    parts = [_processor(), f"{cores} cores", f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory"]
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    parts += [f"{names.count(name)} × {name}" for name in sorted(set(names))] or ["no GPU"]
    return ", ".join(parts)


def other_work() -> str:
    """Say how busy the machine is before anything was started."""
    return f"{os.getloadavg()[0]:.1f} processes were running already"


def versions() -> str:
    """Return the versions of Python and of the packages that times depend on."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} missing")
    return ", ".join(found)


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
