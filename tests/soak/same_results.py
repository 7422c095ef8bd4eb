"""When two folders of results say the same: equal bytes, but for times, hosts and process numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

NO_RESULTS = ("state", "logs", "benchmarks", "damaged")
"""Folders of results/ that hold no results."""
MAY_DIFFER = {"attempts", "published", "seconds", "images_per_second", "step_seconds", "peak_memory_mb"}
"""Keys of JSON files that tell how it went, not what was found."""


def results_of(folder: Path) -> dict[str, Any]:
    """Return what the results of a folder say, by file.

    Parameters
    ----------
    folder : Path
        The working directory, with results/ in it.
    """
    results = folder / "results"
    return {
        path.relative_to(results).as_posix(): content_of(path)
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.relative_to(results).parts[0] not in NO_RESULTS
    }


def content_of(path: Path) -> Any:
    """Return what one file says: arrays and attributes of HDF5, JSON without times, the bytes of any other."""
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return _of_hdf5(file)
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text(encoding="utf-8")))
    return path.read_bytes()


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return in words how results differ."""
    said = [f"{name} is missing" for name in sorted(expected.keys() - found.keys())]
    said += [f"{name} is left" for name in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return said + [f"{name} differs" for name in both if expected[name] != found[name]]


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in MAY_DIFFER}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def _of_hdf5(file: h5py.File) -> dict[str, Any]:
    found: dict[str, Any] = {"/": _attributes(file)}

    def look(name: str, entry: h5py.Dataset | h5py.Group) -> None:
        values = np.asarray(entry[()]) if isinstance(entry, h5py.Dataset) else np.empty(0)
        content = values.tolist() if values.dtype == object else values.tobytes()
        found[name] = (str(values.dtype), values.shape, content, _attributes(entry))

    file.visititems(look)
    return found


def _attributes(entry: h5py.File | h5py.Group | h5py.Dataset) -> dict[str, str]:
    """Attributes but for references, which are addresses in the file."""
    plain = {
        name: entry.attrs[name] for name in entry.attrs if name not in ("DIMENSION_LIST", "REFERENCE_LIST")
    }
    return {name: repr(value) for name, value in plain.items()}
