"""Spectra of the data themselves, before any model: radial power of every class (METHODS 7), and what ADCS is made of.

Question
--------
At which spatial frequencies do the images of a class have their power?

Equation
--------
p_i(u,v) = Σ_channel |FFT2(x_i)|²
share_c(r) = mean_{i in c} [Σ_{(u,v) in ring r} p_i ÷ Σ_{(u,v) in kept rings} p_i],   slope: of log density on log r

Source
------
A standard definition; that the spectra of natural images follow a power law: Field 1987.

Cost
----
No model. The training images are read twice and transformed once, for `psd` and `adcs` together.

Pitfalls
--------
- JPEG quality, resampling or a scanner that differs between classes shows here as a property of the classes.
- Large rings have more frequencies: white noise rises with r in `share` and is flat in `density`.
- Constant images are left out and counted; classes with fewer than two others are left out and named (`left_out`).
- Priority that merely follows the images' power says nothing of the task: hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..errors import InputError
from ..fourier import (
    centroid,
    full_plane,
    half_plane_power,
    log_log_slope,
    radial_matrix,
    ring_sizes,
    rings,
)
from .adcs import adcs, adcs_legacy, legacy_amplitude
from .arrays import as_arrays
from .images import PackedImages

CHUNK_BYTES = 32 << 20
"""Memory for the float64 pixels of one chunk; its spectra take a few times as much."""


def radial_shares(pixels: np.ndarray) -> np.ndarray:
    """Return each image's power in every kept ring, summed over channels (not normalised).

    Parameters
    ----------
    pixels : ndarray (n, y, x, channel) uint8
        Square images.

    Returns
    -------
    ndarray (n, ring) float64
        Rings 1 … ⌊N/2⌋, pixels in [0, 1]. A constant image has zeros; divide by the sum over rings for shares.

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * 5 * np.arange(32) / 32) * 100 + 128
    >>> image = np.broadcast_to(wave, (32, 32)).round().astype(np.uint8)
    >>> int(radial_shares(image[None, :, :, None]).argmax()) + 1
    5
    """
    step = _chunk_length(pixels)
    sums = np.empty((len(pixels), len(rings(pixels.shape[1]))))
    for start in range(0, len(pixels), step):
        chunk = pixels[start : start + step]
        sums[start : start + step] = _ring_sums(half_plane_power(_planes(chunk)), chunk)
    return sums


def class_spectra(
    images: Any,
    labels: Any,
    names: Sequence[str] | None = None,
    index: np.ndarray | None = None,
    progress: Callable[[int], object] = lambda images: None,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the radial power and the ADCS maps of every class, from one transform of each image.

    Parameters
    ----------
    images : PackedImages, array or Tensor
        uint8 (sample, N, N, channel), or floating-point (sample, channel, N, N) in [0, 1]. They are gone through twice.
    labels : array or Tensor (sample,) of whole numbers
        Class number of every image.
    names : sequence of str, optional
        Class names in the order of their numbers; by default the numbers.
    index : ndarray, optional
        The images to take (the training split); all by default.
    progress : callable
        Told how many images were just done, in either pass.

    Returns
    -------
    psd : xarray.Dataset
        On (class, ring): `share`, the mean over images of their normalised ring power; `density`, the share per
        frequency, renormalised; `power_density`, the mean power per frequency as it is; the first and last with their
        standard errors. On (class): `centroid` with its standard error, `slope` and `slope_r2` of the density, `images`
        used and `constant_images` (no power at all: left out of everything but that count).
    adcs : xarray.Dataset
        On (class, u, v) in FFT order: `adcs`, `amplitude` (mean over images and channels) and `legacy`.

    Both leave classes out that have fewer than two images that are not constant, and name them (`left_out`).

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], parts that do not fit each other, and
        where no class has two images that are not constant.

    Examples
    --------
    >>> wave = 128 + 100 * np.cos(2 * np.pi * 3 * np.arange(16) / 16)
    >>> images = np.broadcast_to(wave.astype(np.uint8)[:, None], (4, 16, 16, 1)).copy()
    >>> images[:2] = images[:2].transpose(0, 2, 1, 3)
    >>> psd, adcs = class_spectra(images, [0, 0, 1, 1])
    >>> psd.share.idxmax("ring").values.astype(int).tolist(), int(adcs.adcs.sel({"class": "0", "u": 3, "v": 0}))
    ([3, 3], 1)
    """
    if isinstance(images, PackedImages):
        pixels, full = images, 255.0
    else:
        pixels, full, labels = as_arrays(images, labels)
    index = np.arange(len(pixels)) if index is None else index
    highest = int(labels[index].max())
    names = [str(number) for number in range(highest + 1)] if names is None else names
    if highest >= len(names):
        raise InputError("names", f"found {len(names)}, but a label is {highest}")
    mean, std = _channel_moments(pixels, full, index, progress)
    size, channels, count = pixels.shape[1], pixels.shape[3], len(names)
    kept, half = len(rings(size)), (size, size // 2 + 1)
    ring = {name: np.zeros((count, kept)) for name in ("power", "power2", "share", "share2")}
    centre2 = np.zeros(count)
    amplitude, legacy = np.zeros((count, *half)), np.zeros((count, channels, *half))
    used, seen = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    step = _chunk_length(pixels)
    for start in range(0, len(index), step):
        chosen = index[start : start + step]
        chunk = pixels[chosen]
        power = half_plane_power(_planes(chunk, full))
        amplitudes = np.sqrt(power)
        normalised = legacy_amplitude(amplitudes, mean, std)
        sums = _ring_sums(power, chunk)
        for number in np.unique(labels[chosen]):
            mine = labels[chosen] == number
            seen[number] += mine.sum()
            amplitude[number] += amplitudes[mine].mean(axis=1).sum(axis=0)
            legacy[number] += normalised[mine].sum(axis=0)
            own = sums[mine & (sums.sum(axis=1) > 0)]
            share = own / own.sum(axis=1, keepdims=True)
            used[number] += len(own)
            for name, values in (("power", own), ("share", share)):
                ring[name][number] += values.sum(axis=0)
                ring[name + "2"][number] += (values**2).sum(axis=0)
            centre2[number] += (centroid(share) ** 2).sum()
        progress(len(chosen))
    enough = used >= 2  # one image has no standard error
    names, few = np.array(names)[enough].tolist(), np.array(names)[~enough].tolist()
    if not names:
        raise InputError(
            "the classes",
            f"none has two training images that are not constant: {', '.join(few[:10])}",
            "two or more in at least one class",
        )
    ring = {name: sums[enough] for name, sums in ring.items()}
    amplitude, legacy, centre2, used, seen = (of[enough] for of in (amplitude, legacy, centre2, used, seen))
    psd = _psd(ring, centre2, used, seen - used, size).assign_coords(_class(names))
    maps = _adcs(amplitude / seen[:, None, None], legacy, seen, mean, std).assign_coords(_class(names))
    return psd.assign_attrs(left_out=", ".join(few)), maps.assign_attrs(left_out=", ".join(few))


def _planes(pixels: np.ndarray, full: float = 255.0) -> np.ndarray:
    return np.moveaxis(pixels, -1, 1) / full


def _chunk_length(pixels: np.ndarray | PackedImages) -> int:
    return max(1, CHUNK_BYTES // (8 * int(np.prod(pixels.shape[1:]))))


def _ring_sums(power: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Sum over channels and rings; exactly zero for constant images, which rounding would leave at 1e-30."""
    sums = power.sum(axis=1).reshape(len(power), -1) @ radial_matrix(power.shape[-2])
    sums[(pixels == pixels[:, :1, :1]).all(axis=(1, 2, 3))] = 0
    return sums


def _channel_moments(
    pixels: np.ndarray | PackedImages, full: float, index: np.ndarray, progress: Callable[[int], object]
) -> tuple[np.ndarray, np.ndarray]:
    first = np.zeros(pixels.shape[3])
    second = np.zeros_like(first)
    step = _chunk_length(pixels)
    for start in range(0, len(index), step):
        values = pixels[index[start : start + step]] / full
        first += values.sum(axis=(0, 1, 2))
        second += (values**2).sum(axis=(0, 1, 2))
        progress(len(values))
    number = max(1, len(index)) * pixels.shape[1] * pixels.shape[2]
    mean = first / number
    std = np.sqrt(np.maximum(second / number - mean**2, 0))
    return mean, np.where(std > 1e-9, std, 1.0)  # a constant channel has only DC: its scale says nothing


def _psd(
    ring: dict[str, np.ndarray], centre2: np.ndarray, used: np.ndarray, constant: np.ndarray, size: int
) -> xr.Dataset:
    n = used[:, None]
    share, power = ring["share"] / n, ring["power"] / n
    frequencies = ring_sizes(size)
    density = share / frequencies
    density /= density.sum(axis=1, keepdims=True)
    centre = centroid(share)
    slope, r2 = log_log_slope(density)
    on, per_class = ("class", "ring"), ("class",)
    return xr.Dataset(
        {
            "share": (on, share, _named("1", "share of power in the ring, mean over images")),
            "share_se": (on, _standard_error(share, ring["share2"], n), _named("1", "its standard error")),
            "density": (on, density, _named("1", "share per frequency, renormalised: white noise is flat")),
            "power_density": (
                on,
                power / frequencies,
                _named("1", "power per frequency, summed over channels, mean over images"),
            ),
            "power_density_se": (
                on,
                _standard_error(power, ring["power2"], n) / frequencies,
                _named("1", "its standard error"),
            ),
            "centroid": (per_class, centre, _named("cycles/image", "centroid of the share")),
            "centroid_se": (
                per_class,
                _standard_error(centre, centre2, used),
                _named("cycles/image", "its standard error"),
            ),
            "slope": (
                per_class,
                slope,
                _named("1", "slope of log density on log ring", "slope_missing"),
            ),
            "slope_r2": (per_class, r2, _named("1", "R² of that fit", "slope_missing")),
            "slope_missing": (
                (),
                int(np.isnan(slope).sum()),
                _named("1", "classes without a slope, for a ring has no power in any image"),
            ),
            "images": (per_class, used, _named("1", "training images used")),
            "constant_images": (
                per_class,
                constant,
                _named("1", "training images without any power, left out"),
            ),
        },
        coords={
            "ring": ("ring", rings(size), _named("cycles/image", "spatial frequency")),
            "frequency": ("ring", rings(size) / size, _named("cycles/pixel", "spatial frequency")),
        },
    )


def _adcs(
    amplitude: np.ndarray, legacy: np.ndarray, seen: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> xr.Dataset:
    size = amplitude.shape[-2]
    frequency = np.fft.fftfreq(size, 1 / size)
    on = ("class", "u", "v")
    return xr.Dataset(
        {
            "adcs": (
                on,
                full_plane(adcs(amplitude)),
                _named("1", "number of classes with a smaller amplitude less those with a larger one"),
            ),
            "legacy": (
                on,
                full_plane(adcs_legacy(legacy)),
                _named("1", "ADCS as the released program has it"),
            ),
            "amplitude": (
                on,
                full_plane(amplitude),
                _named("1", "orthonormal amplitude, mean over images and channels"),
            ),
            "images": (("class",), seen, _named("1", "training images")),
        },
        coords={
            "u": ("u", frequency, _named("cycles/image", "vertical frequency, FFT order")),
            "v": ("v", frequency, _named("cycles/image", "horizontal frequency, FFT order")),
        },
        attrs={"legacy_mean": mean, "legacy_std": std},
    )


def _class(names: Sequence[str]) -> dict:
    return {"class": ("class", list(names), _named("1", "class name"))}


def _standard_error(mean: np.ndarray, squares: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(squares / n - mean**2, 0) / (n - 1))


def _named(units: str, long_name: str, missing_in: str = "") -> dict[str, str]:
    """Attributes of a variable; `missing_in` names the one that counts its NaN, if it may have any."""
    return {"units": units, "long_name": long_name} | ({"missing_in": missing_in} if missing_in else {})
