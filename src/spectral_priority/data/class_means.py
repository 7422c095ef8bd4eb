"""Mean images of a task's classes, and a radial spectrum of how they differ: for `class-mean-psd` and `pinson`.

Sums of pixels are added image by image, in groups of images, so that means can be had without each group: the
jackknife's replicates. NumPy only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xarray as xr

from .. import fourier
from ..errors import InputError
from ..measures.draws import GROUPS, keyed_uniform
from ..measures.profile import jackknife_error
from .arrays import as_arrays

LEAST = 1e-24
"""Power of differences ÷ power of the means, DC included, below which only rounding is left. One pixel that differs by
1/255 in one of a million images of 224 pixels has 1e-21."""
NOISY = 0.5
"""Share of the power that sampling makes above which the log says so."""
SUMS_BYTES = 2 << 30
"""Most memory for sums of pixels; where a set has very many classes of large images, there are fewer groups."""

MISSING_IN = {
    "share_se": "ring_se_missing",
    "power_se": "ring_se_missing",
    "sampling_power": "ring_se_missing",
    "centroid": "centroid_missing",
    "centroid_se": "se_missing",
    "sampling_share": "se_missing",
}
"""Numbers that may be NaN, and what counts them."""
MISSING = {
    "ring_se_missing": "class means don't differ, or no longer without some of the images",
    "centroid_missing": "class means don't differ",
    "se_missing": "class means don't differ, or no longer without some of the images",
}

Differences = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From class means less the mean of all images (class, channel, N, N) and images per class to half-plane power."""


class ClassSums:
    """Sums of pixels over the images of each class, in jackknife groups.

    Parameters
    ----------
    labels : ndarray (n,)
        Class of every image. Numbers without an image don't count as classes.
    image_ids : ndarray (n,) of whole numbers
        Identity of every image; groups follow from it. In each class they are of equal size, to one image.
    shape : tuple
        (y, x, channel) of an image.
    full : float
        What a pixel of full brightness has: 255 for uint8. Sums of uint8 are kept as whole numbers: exact, so that the
        order of images and the size of blocks can't matter at all.

    Attributes
    ----------
    group : ndarray (n,)
        Jackknife group of every image: 20 of them, or fewer where their sums would need too much memory.

    Raises
    ------
    InputError
        For images that are not square.
    """

    def __init__(
        self, labels: np.ndarray, image_ids: np.ndarray, shape: tuple[int, ...], full: float = 255.0
    ):
        if shape[0] != shape[1] or shape[0] < 4:
            raise InputError(
                "images", f"found {shape[0]}×{shape[1]} pixels", "square images of at least 4×4 pixels"
            )
        self.classes, self._position = np.unique(labels, return_inverse=True)
        kind = np.dtype(np.uint32 if full == 255.0 else np.float64)  # 255 · 16 million images fit
        of_group = len(self.classes) * int(np.prod(shape)) * kind.itemsize
        groups = next(
            number for number in (GROUPS, 10, 5, 4, 2) if number * of_group <= SUMS_BYTES or number == 2
        )
        rank = np.empty(len(labels), dtype=np.int64)
        rank[np.lexsort((keyed_uniform(0, image_ids), self._position))] = np.arange(len(labels))
        self.group = rank % groups
        self.size, self.full, self.images = int(shape[0]), full, len(labels)
        self._sums = np.zeros((groups, len(self.classes), *shape), kind)
        self._counts = np.zeros((groups, len(self.classes)), np.int64)

    def add(self, part: slice, pixels: np.ndarray) -> None:
        """Add the images of a part of the labels: pixels (n, y, x, channel)."""
        group, position = self.group[part], self._position[part]
        for place in np.unique(group * len(self.classes) + position):
            chosen = group * len(self.classes) + position == place
            of_group, of_class = divmod(int(place), len(self.classes))
            self._sums[of_group, of_class] += pixels[chosen].sum(axis=0, dtype=self._sums.dtype)
            self._counts[of_group, of_class] += chosen.sum()

    def replicates(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give class means less the mean of all images, (class, channel, N, N), and images per class (class,).

        First of all images, then without each jackknife group that has any. A class that has no images then has
        means of zero: it differs from nothing.
        """
        counts, sums = self._counts.sum(axis=0), self._sums.sum(axis=0, dtype=np.float64)
        present = np.flatnonzero(self._counts.any(axis=1))
        yield self._centred(sums, counts)
        for group in present if len(present) > 1 else ():
            yield self._centred(sums - self._sums[group], counts - self._counts[group])

    def rounding(self) -> float:
        """Return the power of differences below which there is only rounding; that of the means is its measure."""
        means = self._sums.sum(axis=0, dtype=np.float64) / self._counts.sum(axis=0)[:, None, None, None]
        return LEAST * float((means**2).sum()) / self.full**2

    def _centred(self, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
        mean = sums.sum(axis=0) / counts.sum()
        means = sums / np.maximum(counts, 1)[:, None, None, None] - mean
        means[counts == 0] = 0
        return np.moveaxis(means, -1, 1) / self.full, counts


def class_sums(images: Any, labels: Any, image_ids: Any = None, batch_size: int = 256) -> ClassSums:
    """Add up images that are at hand: uint8 (n, N, N, channel) or floating-point (n, channel, N, N) in [0, 1].

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], and parts that do not fit each other.
    """
    pixels, full, labels = as_arrays(images, labels)
    ids = np.arange(len(labels)) if image_ids is None else np.asarray(image_ids)
    if ids.shape != labels.shape or ids.dtype.kind not in "iu":
        raise InputError(
            "image_ids",
            f"found {ids.dtype} of shape {ids.shape}",
            f"one whole number per image, ({len(labels)},)",
        )
    sums = ClassSums(labels, ids, pixels.shape[1:], full)
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        sums.add(part, pixels[part])
    return sums


def radial_spectrum(
    sums: ClassSums, differences: Differences, measure: str, unit: str, least: float, sampling: bool
) -> xr.Dataset:
    """Return the radial profile of a half-plane power of differences between class means.

    Parameters
    ----------
    sums : ClassSums
    differences : function
        Gives the half-plane power (N, N//2 + 1) of centred class means.
    measure : str
        Name of the measure, for the log and the attributes.
    unit : str
        Unit of the power.
    least : float
        Power below which there is only rounding.
    sampling : bool
        Estimate what the finite number of images adds, and log it where it is most. By the jackknife, so only for
        powers that are squares of means.

    Returns
    -------
    xarray.Dataset
        On `ring`: `share` and `power` with their standard errors, and `sampling_power`; the scalars `centroid,
        sampling_share, dc_share, corner_share, images, classes, jackknife_groups`, and counts of numbers that are NaN.
        Where class means don't differ in any kept ring, powers and shares are zero, there is no centroid and no
        standard error, and the log says so. Nor is there an error where they don't differ in a replicate.
    """
    size, rows = sums.size, []
    for centred, counts in sums.replicates():
        plane = differences(centred, counts)
        rows.append(np.concatenate([plane[:1, 0], fourier.radial_sum(plane, corners=True)]))
    found = np.array(rows)
    kept = len(fourier.rings(size))
    dc, power, corner = found[:, 0], found[:, 1 : kept + 1], found[:, kept + 1 :].sum(axis=1)
    total = power.sum(axis=1)
    exists = total > least
    power = np.where(exists[:, None], power, 0.0)
    share = _ratio(power, total[:, None], exists[:, None])
    centre = np.where(exists, (share * np.arange(1, kept + 1)).sum(axis=1), np.nan)
    groups = len(found) - 1 if len(found) > 1 else 1
    if not exists[0]:
        logging.warning("%s: class means do not differ in any kept ring; there is no centroid", measure)
    has_error = groups > 1 and bool(exists.all())
    bias = (groups - 1) * (power[1:].mean(axis=0) - power[0]) if has_error else np.full(kept, np.nan)

    def error(of: np.ndarray) -> np.ndarray:
        return jackknife_error(of[1:]) if has_error else np.full(of.shape[1:], np.nan)

    whole = dc + total + corner
    any_power = whole > least
    ring, none = ("ring",), ()
    data = {
        "share": (ring, share[0], "share of the power in the ring", "1"),
        "share_se": (ring, error(share), "standard error of share over images", "1"),
        "power": (ring, power[0], "power in the ring, summed over channels", unit),
        "power_se": (ring, error(power), "standard error of power over images", unit),
        "sampling_power": (
            ring,
            bias,
            "what the finite number of images adds to the power: the jackknife's estimate of bias",
            unit,
        ),
        "centroid": (none, centre[0], "centroid of the share", "cycles/image"),
        "centroid_se": (none, error(centre), "standard error of centroid over images", "cycles/image"),
        "sampling_share": (
            none,
            bias.sum() / total[0] if has_error else np.nan,
            "sampling_power ÷ power, both over all kept rings",
            "1",
        ),
        "dc_share": (none, _ratio(dc, whole, any_power)[0], "share of DC in all power", "1"),
        "corner_share": (
            none,
            _ratio(corner, whole, any_power)[0],
            "share of the rings beyond N/2 in all power",
            "1",
        ),
        "images": (none, sums.images, "images", "images"),
        "classes": (none, len(sums.classes), "classes that have images", "classes"),
        "jackknife_groups": (none, groups, "groups of images that the jackknife leaves out", "groups"),
    }
    if not sampling:
        del data["sampling_power"], data["sampling_share"]
    elif data["sampling_share"][1] > NOISY:
        logging.warning(
            "%s: %.0f %% of the power is there because class means are of finitely many images; the centroid says "
            "little of the classes",
            measure,
            100 * data["sampling_share"][1],
        )
    return _dataset(data, size, {"measure": measure, "size": size})


def _ratio(part: np.ndarray, whole: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """Part ÷ whole; zero where there is no whole."""
    return np.where(exists, part, 0.0) / np.where(exists, whole, 1.0)


def _dataset(data: dict[str, tuple], size: int, attributes: dict[str, Any]) -> xr.Dataset:
    """Give every number its name and unit, and to those that may be NaN a count of the missing."""
    variables = {}
    for name, (on, values, long_name, unit) in data.items():
        variables[name] = (on, values, {"units": unit, "long_name": long_name})
        if name in MISSING_IN:
            counted = MISSING_IN[name]
            variables[name][2]["missing_in"] = counted
            meaning = {"units": "1", "long_name": f"how many values of {name} are NaN: {MISSING[counted]}"}
            variables.setdefault(counted, ((), int(np.isnan(values).sum()), meaning))
    ring = fourier.rings(size)
    cycles = {"units": "cycles/image", "long_name": "ring of spatial frequency of the image"}
    per_pixel = {"units": "cycles/pixel", "long_name": "spatial frequency of the image"}
    coordinates = {"ring": ("ring", ring, cycles), "frequency": ("ring", ring / size, per_pixel)}
    return xr.Dataset(variables, coordinates, attributes)
