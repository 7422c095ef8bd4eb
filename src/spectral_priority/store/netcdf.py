"""Result arrays as netCDF-4 (HDF5): named dimensions, units, checksums, provenance; refused when damaged or foreign."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import h5netcdf  # noqa: F401  (the engine, imported here so that a missing one is found at once)
import h5py
import numpy as np
import xarray as xr

from ..errors import InputError
from .atomic import atomic

SCHEMA = "spectral-priority/1"
"""Layout version; a file with another one is refused."""
CHECKSUMS = "crc32"
"""Attribute with the checksums of variables and attributes, as JSON."""


def write_dataset(target: str | Path, dataset: xr.Dataset, kind: str, provenance: Mapping[str, Any]) -> None:
    """Write a dataset atomically, then read it back before it gets its name.

    Parameters
    ----------
    target : path
        File to make, `.h5`.
    dataset : xarray.Dataset
        Every variable needs the attributes `units` and `long_name`.
    kind : str
        What the file holds (`measure:gradient`); readers ask for it.
    provenance : mapping
        Stored as JSON in the attribute `provenance`.

    Raises
    ------
    InputError
        Where the disk is full or the folder can't be written.
    ValueError
        For a variable with no unit or name.
    """
    for name, variable in dataset.variables.items():
        missing = {"units", "long_name"} - set(variable.attrs)
        if missing:
            raise ValueError(f"variable {name} has no {' and no '.join(sorted(missing))}")
    dataset = dataset.assign_attrs(
        schema=SCHEMA, kind=kind, provenance=json.dumps(provenance, sort_keys=True, ensure_ascii=False)
    )
    dataset = dataset.assign_attrs({CHECKSUMS: json.dumps(_checksums(dataset), sort_keys=True)})
    encoding = {}
    for name, variable in dataset.variables.items():
        if variable.ndim and variable.dtype.kind in "fiub" and variable.size:
            encoding[name] = {
                "fletcher32": True,
                "zlib": True,
                "complevel": 4,
                "chunksizes": tuple(max(1, n) for n in variable.shape),
                "_FillValue": None,
            }
    with atomic(target) as path:
        dataset.to_netcdf(path, engine="h5netcdf", format="NETCDF4", encoding=encoding)
        written = read_dataset(path, kind)
        for name, variable in dataset.variables.items():
            same = np.array_equal(written[name].values, variable.values, equal_nan=variable.dtype.kind == "f")
            if not same:
                raise OSError(f"{target}: variable {name} reads back different from what was written")


def read_dataset(path: str | Path, kind: str, names: Collection[str] | None = None) -> xr.Dataset:
    """Read a dataset into memory and check that it is one of ours.

    Parameters
    ----------
    path : path
    kind : str
        What the file is to hold.
    names : collection of str, optional
        The variables to read, of those that are there; all by default. A few are read many times as fast, and damage in
        the others goes unnoticed.

    Raises
    ------
    InputError
        Naming the file: missing, damaged (checksum, truncation), foreign, of another kind or schema version.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(path, "there is no such file")
    try:
        if names is None:
            with xr.open_dataset(path, engine="h5netcdf", phony_dims="access") as opened:
                dataset = opened.load()
        else:
            with h5py.File(path) as file:
                dataset = _some_of(file, names)
    except Exception as error:  # h5py, h5netcdf and xarray raise many kinds for a damaged file
        reason = " ".join(str(error).split())
        raise InputError(
            path,
            f"is damaged or no netCDF-4 file ({reason[:200]})",
            todo="delete it; the same command makes it again",
        ) from error
    schema, found = dataset.attrs.get("schema"), dataset.attrs.get("kind")
    if schema != SCHEMA:
        raise InputError(
            path, f"has schema {schema!r}", repr(SCHEMA), "delete it; the same command makes it again"
        )
    if found != kind:
        raise InputError(path, f"holds {found!r}", repr(kind))
    try:
        told = json.loads(dataset.attrs.pop(CHECKSUMS))
        wrong = [name for name, crc32 in _checksums(dataset).items() if told[name] != crc32]
        wrong += [name for name in told if names is None and name not in dataset.variables and name]
    except (KeyError, ValueError, TypeError) as error:
        wrong = [f"{CHECKSUMS}: {error}"]
    if wrong:
        raise InputError(
            path,
            f"is damaged (the checksum is wrong of: {', '.join(name or 'attributes' for name in wrong)})",
            todo="delete it; the same command makes it again",
        )
    return dataset


def _checksums(dataset: xr.Dataset) -> dict[str, int]:
    """CRC-32 of every variable with its dimensions and unit, and, under the empty name, of the attributes.

    HDF5 itself keeps checksums of chunks only: not of single numbers, texts and attributes.
    """
    attributes = {
        name: np.ravel(value).tolist()
        for name, value in dataset.attrs.items()
        if name != CHECKSUMS and not name.startswith("_")
    }
    found = {"": zlib.crc32(json.dumps(attributes, sort_keys=True, default=str).encode())}
    for name, variable in dataset.variables.items():
        described = [list(variable.dims), [variable.attrs.get(key) for key in ("units", "long_name")]]
        values = variable.values
        stored = (
            json.dumps(values.tolist()).encode()
            if values.dtype.kind in "OUS"
            else np.ascontiguousarray(values)
        )
        found[str(name)] = zlib.crc32(stored, zlib.crc32(json.dumps(described).encode()))
    return found


def _some_of(file: h5py.File, names: Collection[str]) -> xr.Dataset:
    """Variables of an open file by their names; those that number a dimension are its coordinates."""
    variables, coordinates = {}, {}
    for name in names:
        if name not in file:
            continue
        stored = file[name]
        attributes = {key: stored.attrs[key] for key in ("units", "long_name") if key in stored.attrs}
        values = stored.asstr()[()] if h5py.check_string_dtype(stored.dtype) else stored[()]
        scales = stored.attrs.get("DIMENSION_LIST")
        dimensions = (
            [name] * stored.ndim if scales is None else [file[one[0]].name.lstrip("/") for one in scales]
        )
        (coordinates if dimensions == [name] else variables)[name] = (dimensions, values, attributes)
    return xr.Dataset(variables, coordinates, {key: file.attrs[key] for key in file.attrs})


def read_provenance(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the provenance stored with a dataset."""
    return json.loads(dataset.attrs["provenance"])
