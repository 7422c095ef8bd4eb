"""Where a result comes from: code, versions, commit, device."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("spectral-priority", "numpy", "scipy", "torch", "torchvision", "xarray", "h5py", "scikit-learn")


def provenance(**more: Any) -> dict[str, Any]:
    """Return package versions and the commit, with whatever else a program adds (options, seed, device, code).

    >>> sorted(provenance(seed=3))[-1]
    'versions'
    """
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"versions": versions, "commit": commit(), **more}


def commit() -> str:
    """Return the commit of the source tree, `+` behind it where files differ, `unknown` outside a checkout."""
    folder = Path(__file__).resolve().parents[3]
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip()
