"""NIfTI volumes (.nii, .nii.gz): each slice an image of eight bits, in the order of the body, not of the file.

A volume is held once, as it is stored; its slices are views of it. So memory is that of the largest volume per thread.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from math import ceil, prod
from typing import Any

import numpy as np
from PIL import Image

from ..config.medical import MedicalFiles
from .decode import Decoded, Unreadable, check_pixels, reasons, to_pixels
from .extras import needed
from .files import MAX_BYTES
from .resampling import Resampling
from .windows import between, eight_bit

GZIP = b"\x1f\x8b"
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Axis of the canonical order (right, front, top) across which slices lie."""
HEADER = 544
"""Bytes that hold the header of either version."""
SAMPLED = 1_000_000
"""Values of a volume that its quantiles are taken from, at least, where it has so many."""
QUANTILES = (0.005, 0.995)


def is_nifti(content: bytes) -> bool:
    """Tell a NIfTI file, compressed or not, by its first bytes; no image format that is read starts as gzip does."""
    return content[:2] == GZIP or content[344:348] == b"n+1\0" or content[4:8] == b"n+2\0"


def decode_nifti(
    content: bytes, size: int, channels: int, max_pixels: int, resampling: Resampling, options: MedicalFiles
) -> list[Decoded]:
    """Decode the slices of a NIfTI volume that are asked for.

    Parameters
    ----------
    content : bytes
        The file, version 1 or 2, of whole or floating-point numbers. Voxels are taken as squares: their spacing is
        not evened out.
    size, channels, max_pixels, resampling
        As `decode.decode` takes them; `max_pixels` is of a slice.
    options : MedicalFiles

    Returns
    -------
    list of Decoded
        `part` is `/slice-000`, …, counted along the body. Up in an image is to the top of the patient (axial: to the
        front), right is to the right (sagittal: to the front).

    Raises
    ------
    Unreadable
        With the reason.
    InputError
        Where nibabel is missing.
    """
    nibabel = needed("nibabel", "NIfTI files")
    with reasons(content):
        header, volume = _volume(nibabel, content)
        slope, intercept = (
            default if value is None else value
            for value, default in zip(header.get_slope_inter(), (1.0, 0.0), strict=True)
        )
        if options.window:
            half = options.window.width / 2
            low, high = options.window.centre - half, options.window.centre + half
        else:
            low, high = _quantiles(volume, slope, intercept)
        turned = nibabel.apply_orientation(volume, nibabel.io_orientation(header.get_best_affine()))
        axis = AXES[options.slices.axis]
        rest = [side for number, side in enumerate(turned.shape) if number != axis]
        check_pixels(*rest, max_pixels)
        digits = max(3, len(str(turned.shape[axis] - 1)))
        found = []
        for number in _chosen(turned.shape[axis], options):
            plane = np.take(turned, number, axis).T[::-1]
            shown = eight_bit(plane, lambda stored: between(stored * slope + intercept, low, high))
            pixels = to_pixels(Image.fromarray(shown), size, channels, max_pixels, resampling)
            part = f"/slice-{number:0{digits}d}"
            found.append(Decoded(pixels, volume.dtype.name, -1, *plane.shape, "NIfTI", "", part))
        return found


def _volume(nibabel: Any, content: bytes) -> tuple[Any, np.ndarray]:
    """Return header and voxels as stored (x, y, z), without a copy of what is not compressed."""
    stream = gzip.GzipFile(fileobj=io.BytesIO(content)) if content[:2] == GZIP else io.BytesIO(content)
    start = stream.read(HEADER)
    if not is_nifti(start) or start[:2] == GZIP:
        raise Unreadable("no NIfTI file of one piece")
    kind = nibabel.Nifti2Header if start[4:8] == b"n+2\0" else nibabel.Nifti1Header
    header = kind(start[: kind.sizeof_hdr])
    shape, dtype, offset = header.get_data_shape(), header.get_data_dtype(), int(header.get_data_offset())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    shape = (*shape, 1) if len(shape) == 2 else shape
    if len(shape) != 3 or min(shape) < 1:
        raise Unreadable(f"{' × '.join(map(str, shape))} voxels: not one volume")
    if dtype.kind not in "iuf":
        raise Unreadable(f"voxels of type {dtype}: neither whole nor floating-point numbers")
    number = prod(int(side) for side in shape)
    needed_bytes = offset + number * dtype.itemsize
    if needed_bytes > MAX_BYTES:
        raise Unreadable(f"a volume of {needed_bytes:,} bytes, more than {MAX_BYTES:,}")
    whole = content
    if isinstance(stream, gzip.GzipFile):
        stream.seek(0)
        whole = stream.read(needed_bytes)
        stream.read(1)  # at the end of the file the checksum is compared
    if len(whole) < needed_bytes:
        raise Unreadable(f"is cut short: {len(whole):,} of {needed_bytes:,} bytes")
    return header, np.frombuffer(whole, dtype, number, offset).reshape(shape, order="F")


def _quantiles(volume: np.ndarray, slope: float, intercept: float) -> list[float]:
    """Return the ends between which most values lie, from values picked evenly."""
    values = volume.reshape(-1, order="F")
    step = max(1, len(values) // SAMPLED) | 1  # odd, so that not the same column is met in every row
    values = values[::step].astype(np.float64) * slope + intercept
    values = values[np.isfinite(values)]
    return sorted(np.quantile(values, QUANTILES)) if len(values) else [0.0, 0.0]


def _chosen(number: int, options: MedicalFiles) -> Iterator[int]:
    """Return the slices that are asked for."""
    slices = options.slices
    first, last = (ceil(round(share * number, 6)) for share in (slices.first, slices.last))
    if first >= last:
        raise Unreadable(
            f"none of its {number} slices lies between the shares {slices.first:g} and {slices.last:g}"
        )
    return iter(range(first, last, slices.every))
