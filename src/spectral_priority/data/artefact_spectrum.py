"""Spectrum of an artefact: where in frequency an image differs from itself without the artefact (METHODS 9 and 10)."""

from __future__ import annotations

import h5py
import numpy as np
import xarray as xr

from ..errors import InputError
from ..fourier import half_plane_power, radial_sum, rings
from .images import PackedImages
from .spectra import CHUNK_BYTES


def artefact_spectrum(after: np.ndarray, before: np.ndarray) -> xr.Dataset:
    """Return the radial power of what an artefact changes.

    Each image's power is divided by its sum over rings, so that every image counts alike, as in a gradient profile.

    Parameters
    ----------
    after, before : ndarray (n, y, x, channel) uint8
        Square images with an artefact, and the same images without it.

    Returns
    -------
    xarray.Dataset
        On (ring): `share`, the mean over images, and `share_se`, its standard error. Besides `n`, the images used, and
        `unchanged`, those that the artefact left as they were on all kept rings: they are left out.

    Raises
    ------
    InputError
        Where the artefact changed fewer than two images.

    Examples
    --------
    >>> before = np.random.default_rng(0).integers(0, 100, (2, 32, 32, 1), dtype=np.uint8)
    >>> wave = (50 + 50 * np.cos(2 * np.pi * 5 * np.arange(32) / 32)).round().astype(np.uint8)
    >>> found = artefact_spectrum(before + wave[:, None], before)
    >>> int(found["share"].values.argmax()) + 1, int(found["n"])
    (5, 2)
    """
    size = before.shape[1]
    step = max(1, CHUNK_BYTES // (8 * int(np.prod(before.shape[1:]))))
    sums = np.concatenate(
        [_ring_sums(after[i : i + step], before[i : i + step]) for i in range(0, len(before), step)]
        or [np.zeros((0, len(rings(size))))]
    )
    total = sums.sum(axis=1, keepdims=True)
    share = (sums / np.where(total > 0, total, 1))[total[:, 0] > 0]
    if len(share) < 2:
        raise InputError(
            "the artefact",
            f"changed {len(share)} of {len(sums)} training images",
            "two or more, for a mean with a standard error",
            "make it stronger, or plant it in more training images (`train`)",
        )
    error = share.std(axis=0, ddof=1) / np.sqrt(len(share))
    return xr.Dataset(
        {
            "share": ("ring", share.mean(axis=0), _named("1", "share of the power of the change")),
            "share_se": ("ring", error, _named("1", "standard error of the share, over images")),
            "n": ((), len(share), _named("1", "images")),
            "unchanged": (
                (),
                len(sums) - len(share),
                _named("1", "images that the artefact left as they were"),
            ),
        },
        coords={
            "ring": ("ring", rings(size), _named("cycles/image", "ring")),
            "frequency": ("ring", rings(size) / size, _named("cycles/pixel", "spatial frequency")),
        },
    )


def with_and_without(images: PackedImages) -> tuple[np.ndarray, np.ndarray]:
    """Return the packed training images that were kept with and without their artefact, each (n, y, x, channel) uint8.

    Raises
    ------
    InputError
        For a data set without an artefact.
    """
    with h5py.File(images.path, "r") as file:
        if "before_artefact" not in file:
            raise InputError(
                images.path, "holds no images from before an artefact", "a data set with an artefact"
            )
        return images.read(file["before_artefact_index"][:]), file["before_artefact"][:]


def _ring_sums(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Power of the change per ring, summed over channels; exactly zero where it is the same at every pixel."""
    change = np.moveaxis(after.astype(np.float64) - before, -1, 1) / 255.0
    sums = radial_sum(half_plane_power(change).sum(axis=1))
    sums[(np.ptp(change, axis=(2, 3)) == 0).all(axis=1)] = 0
    return sums


def _named(units: str, long_name: str) -> dict[str, str]:
    return {"units": units, "long_name": long_name}
