"""Datasets in a plain file that is quick to write and read: for what only its own program reads again.

A netCDF-4 file takes milliseconds for every variable, which for a hundred small ones is longer than to measure them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import InputError
from .atomic import atomic

HEADER = "header"
"""Key of names, dimensions and attributes; the arrays are called by their places."""


def write_arrays(target: str | Path, dataset: xr.Dataset) -> None:
    """Write a dataset atomically, as a zip archive of NumPy arrays with a header in JSON.

    Attributes are numbers, words, or lists of these; zip keeps a checksum of every array.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_arrays(f"{folder}/a.npz", xr.Dataset({"share": ("ring", [0.25, 0.75], {"units": "1"})}))
    ...     read_arrays(f"{folder}/a.npz").share.values.tolist()
    [0.25, 0.75]
    """
    variables = list(dataset.variables.items())
    header = {
        "variables": [[name, list(variable.dims), variable.attrs] for name, variable in variables],
        "coordinates": list(dataset.coords),
        "attributes": dataset.attrs,
    }
    arrays = {str(place): _unpickled(variable.values) for place, (_, variable) in enumerate(variables)}
    text = np.array(json.dumps(header, default=_plain))
    with atomic(target) as path, path.open("wb") as file:
        np.savez(file, **{HEADER: text}, **arrays)


def read_arrays(path: str | Path) -> xr.Dataset:
    """Read a dataset that `write_arrays` wrote.

    Raises
    ------
    InputError
        Naming the file: missing, damaged, or none of ours.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(stored[HEADER].item())
            found = {
                name: (tuple(dims), stored[str(place)], attributes)
                for place, (name, dims, attributes) in enumerate(header["variables"])
            }
    except Exception as error:  # zipfile, zlib and numpy raise many kinds for a damaged file
        raise InputError(
            path, f"is damaged or none of ours ({error})", todo="delete it; the same command makes it again"
        ) from error
    coordinates = {name: found.pop(name) for name in header["coordinates"]}
    return xr.Dataset(found, coordinates, header["attributes"])


def _unpickled(values: np.ndarray) -> np.ndarray:
    """Words as NumPy's own type: objects would be pickled, and what reads a pickle runs it."""
    return values.astype(str) if values.dtype == object else values


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"an attribute is a {type(value).__name__}, which JSON has not")
