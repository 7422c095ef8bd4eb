"""Critical-band masking: which octave of noise disturbs a classifier, and the channel it looks through (METHODS 4).

Octave-wide noise of rising strength is added to images. The weaker the noise that brings accuracy midway to chance,
the more sensitive the octave; a Gaussian over log2 frequency sums the octaves up.

Question
--------
Noise of which octave of frequency disturbs the answers, and how wide is the channel that the model looks through?

Equation
--------
threshold t(o): accuracy on x + t · noise_o midway between chance and clean accuracy; noise_o of standard deviation 1
sensitivity log2(t_max ÷ t(o)) ≈ h · exp(−(log2 f_o − μ)² ÷ 2σ²),   bandwidth 2√(ln 4)·σ,   peak 2^h ÷ t_max

Source
------
Subramanian et al. 2023 (arXiv 2309.13190).

Cost
----
A forward pass per image, octave and strength, and one without noise: 1 + ⌊log2 N⌋ · `strengths`, 21 at 32 px and 29
at 224 px by default. No backward pass.

Pitfalls
--------
- The channel needs five octaves, so images of 32 px or more, and three octaves with a threshold; else it is missing.
- A model near chance has no thresholds: early checkpoints are missing, and counted, rather than zero.
- Where even the strongest noise disturbs too little, the sensitivity is 0 and the threshold missing: add `strengths`.
- Thresholds stand midway between chance and clean accuracy, not at 50 % as published; only the legacy mode has those.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .. import filtering
from ..config.measures import CriticalBand
from .answers import predicted_classes
from .draws import jackknife_groups, keyed_normal
from .labelled_images import LabelledImages, labelled_images
from .measured_model import measuring, with_fresh_batch_norm
from .over_training import THRESHOLD
from .profile import jackknife_error, leave_one_out, standard_error
from .registry import measure_options
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe

FEWEST_BANDS = 5
"""Octaves that a channel's fit needs."""
FEWEST_REACHED = 3
"""Octaves with a threshold that it needs: as many as the Gaussian has parameters."""

ON_OCTAVES = ("threshold", "sensitivity")
"""Estimates that each octave has; the others are of the channel."""
ESTIMATES = {
    "threshold": ("noise that brings accuracy midway between chance and clean accuracy", "pixel value"),
    "sensitivity": ("octaves by which the threshold lies below the strongest noise", "octaves"),
    "bandwidth": ("full width of the channel at half its height", "octaves"),
    "centre": ("centre of the channel", "cycles/image"),
    "peak_sensitivity": ("1 ÷ threshold at the channel's centre", "1/pixel value"),
    "channel_r2": ("coefficient of determination of the channel's fit", "1"),
}
"""What each estimate is, and its unit."""
LEGACY_ESTIMATES = {
    "legacy_threshold": (
        "strengths from the strongest on with at most half of the images correct",
        "strengths",
    ),
    "legacy_bandwidth": ("bandwidth as the critical-band-masking program computes it", "octaves"),
    "legacy_centre": ("centre as the critical-band-masking program computes it", "cycles/image"),
    "legacy_peak": ("peak noise sensitivity as the critical-band-masking program computes it", "1"),
}
"""The same of those of the released analysis."""


def critical_band(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: CriticalBand | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure a classifier's accuracy under octave-wide noise, its thresholds, and its spatial-frequency channel.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N), and returns logits (n, k), k ≥ 2; normalisation is its first layer.
        Measured in eval mode and left as it was found. Noisy pixels may leave [0, 1]; they are not clipped.
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : CriticalBand or mapping, optional
        Options of the measure (`spectral_priority.config.measures.CriticalBand`), also as keywords: `strengths`,
        `seed`, `legacy`, `batch_size`.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image, which its noise and jackknife group follow; by default its position.

    Returns
    -------
    xarray.Dataset
        `accuracy` on (`strength`, `octave`); on `octave` (geometric centre in cycles/image; with `lowest`, `highest`
        and `frequency` in cycles/pixel): `threshold`, the noise's standard deviation at which accuracy is midway
        between chance and that without noise (interpolated linearly in the running minimum of accuracy), and
        `sensitivity`, octaves by which the threshold lies below the strongest noise, 0 where that does not suffice.
        Of the channel, a least-squares Gaussian in log2 f of sensitivity: `bandwidth` 2√(ln 4)·σ (octaves, full width
        at half height), `centre` (cycles/image), `peak_sensitivity` 2^height ÷ strongest noise (1/pixel value),
        `channel_r2`. Scalars `clean_accuracy`, `chance`, `n`. `<name>_se` is the standard error over images: exact for
        accuracies, otherwise a jackknife over 20 groups of images.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], labels that no logit belongs to, and
        logits that are not finite.

    Notes
    -----
    METHODS 4, after Subramanian et al. 2023 (arXiv 2309.13190). Octaves end at N/2, N/4, … (`filtering.octaves`; at
    224 px the paper's seven, which it calls by their upper ends, 1.75 … 112). Each image has noise of its own, the
    same in all channels, the same at every strength but for its size; in every octave scaled to the exact standard
    deviation. Images keep their colours and contrast, and nothing is clipped; the paper's are grey, of low contrast,
    and its noise comes from a Laplacian pyramid.

    What is missing is NaN and counted. `threshold_missing`: octaves whose strongest noise does not bring accuracy
    midway, and all where clean accuracy is not three standard errors above chance; then `sensitivity_missing` counts
    all octaves, too. `channel_missing` is 1 where there are fewer than five octaves, or fewer than three with a
    threshold, where the fit does not converge, where its centre lies more than an octave outside the range, or σ is
    larger than the range. `<…>_se_missing` counts errors that are missing: those of missing values, all where there
    are fewer than two groups, and a channel's where one of the leave-one-out fits does not converge.

    `legacy: critical-band-masking` adds what the released analysis makes of the accuracies: thresholds are the number
    of strengths, counted from the strongest on, at which accuracy is 50 % or less, whatever chance is; the Gaussian is
    fitted to these whole numbers from height 1, centre 0 (the lowest octave), σ 1 on, its height bounded by their
    number; σ, and so `legacy_bandwidth`, may come out negative; the centre is told by the octave's upper end.

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = critical_band(model, torch.rand(8, 3, 16, 16), torch.arange(8) % 2)
    >>> found.accuracy.dims, found.highest.values.tolist()
    (('strength', 'octave'), [1.0, 2.0, 4.0, 8.0])
    >>> int(found.channel_missing)
    1
    """
    given = options.model_dump() if isinstance(options, CriticalBand) else dict(options or {})
    options = measure_options("critical-band", {**given, **settings})
    probe = labelled_images(images, labels, image_ids)
    with measuring(model, device) as measured:
        clean, noisy = _correct(measured, probe, options)
    return _dataset(probe, options, clean, noisy)


def measure(model: nn.Module, probe: Probe, options: CriticalBand) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `critical_band` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = critical_band(model, probe.images, probe.labels, options, image_ids=probe.image_ids)
    return found.assign_attrs(batch_norm_images=recomputed)


def octave_noise(seed: int, image_ids: np.ndarray, size: int, like: torch.Tensor) -> list[torch.Tensor]:
    """Return noise of standard deviation 1 in each octave: (n, 1, N, N) per octave, on the device of `like`.

    White noise of each image, keyed by (seed, image id), is transformed once and cut into octaves.
    """
    white = torch.from_numpy(keyed_normal(seed, image_ids, (1, size, size))).to(like)
    spectrum = torch.fft.rfft2(white)
    made = []
    for passes in filtering.octave_passes(size):
        noise = torch.fft.irfft2(spectrum * torch.from_numpy(passes).to(like), s=(size, size))
        made.append(noise / noise.square().mean(dim=(2, 3), keepdim=True).sqrt())
    return made


def thresholds(accuracy: np.ndarray, clean: np.ndarray, chance: float, strengths: np.ndarray) -> np.ndarray:
    """Return the strength at which accuracy is midway between chance and clean accuracy; NaN where it stays above.

    Parameters
    ----------
    accuracy : ndarray (…, strength, octave)
        Its running minimum counts, so that a threshold is the first.
    clean : ndarray (…)
        Accuracy without noise, above chance.
    strengths : ndarray (strength,)
        Ascending.

    Returns
    -------
    ndarray (…, octave)

    Examples
    --------
    >>> accuracy = np.array([[1.0, 1.0], [0.9, 1.0], [0.6, 0.8]])
    >>> thresholds(accuracy, np.array(1.0), 0.5, np.array([1.0, 2.0, 4.0])).round(6).tolist()
    [3.0, nan]
    """
    first = np.broadcast_to(clean[..., None, None], (*accuracy.shape[:-2], 1, accuracy.shape[-1]))
    falling = np.minimum.accumulate(np.concatenate([first, accuracy], axis=-2), axis=-2)
    ladder, middle = np.concatenate([[0.0], strengths]), (chance + clean[..., None]) / 2
    low = falling <= middle[..., None, :]
    after = np.maximum(np.argmax(low, axis=-2), 1)
    above = np.take_along_axis(falling, after[..., None, :] - 1, -2)[..., 0, :]
    below = np.take_along_axis(falling, after[..., None, :], -2)[..., 0, :]
    reached = low[..., -1, :]
    part = (above - middle) / np.where(reached & (above > below), above - below, 1.0)
    return np.where(reached, ladder[after - 1] + part * (ladder[after] - ladder[after - 1]), np.nan)


def channel(sensitivity: np.ndarray, octave: np.ndarray) -> np.ndarray:
    """Fit a Gaussian in log2 frequency by least squares.

    Parameters
    ----------
    sensitivity : ndarray (octave,)
    octave : ndarray (octave,)
        Frequencies.

    Returns
    -------
    ndarray (4,)
        Height, centre (log2), |σ| in octaves, coefficient of determination; NaN where the fit does not converge.

    Examples
    --------
    >>> octave = 2.0 ** np.arange(7)
    >>> channel(3 * np.exp(-((np.arange(7) - 2.5) ** 2) / 2), octave).round(6).tolist()
    [3.0, 2.5, 1.0, 1.0]
    """
    where = np.log2(octave)
    weight = sensitivity.sum() or 1.0
    centre = (sensitivity * where).sum() / weight
    spread = np.sqrt((sensitivity * (where - centre) ** 2).sum() / weight)
    return _fit(where, sensitivity, (sensitivity.max(), centre, max(spread, 0.5)))


def _fit(where: np.ndarray, values: np.ndarray, start: tuple, highest: float | None = None) -> np.ndarray:
    """Height, centre, σ and R² of a Gaussian; with a highest height, σ keeps its sign."""
    from scipy.optimize import OptimizeWarning, curve_fit  # here, for a channel is rarely fitted

    def gaussian(x, height, centre, sigma):
        return height * np.exp(-((x - centre) ** 2) / (2 * sigma**2))

    bounds = {} if highest is None else {"bounds": ((0, -np.inf, -np.inf), (highest, np.inf, np.inf))}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)  # its covariance is not used
        try:
            found, _ = curve_fit(gaussian, where, values, p0=start, **bounds)
        except (RuntimeError, ValueError):
            return np.full(4, np.nan)
        residual, around = values - gaussian(where, *found), values - values.mean()
    height, centre, sigma = found
    r2 = 1 - (residual @ residual) / (around @ around) if around.any() else 1.0
    return np.array([height, centre, abs(sigma) if highest is None else sigma, r2])


def _correct(model: nn.Module, probe: LabelledImages, options: CriticalBand) -> tuple[np.ndarray, np.ndarray]:
    """Which images are classified correctly: without noise (n,), with it (n, strength, octave)."""
    count, bands = len(probe.labels), len(filtering.octaves(probe.size))
    clean = np.empty(count, dtype=bool)
    noisy = np.empty((count, len(options.strengths), bands), dtype=bool)
    for batch, pixels, labels in probe.batches(model, options.batch_size):

        def right(seen: torch.Tensor, labels: torch.Tensor = labels) -> np.ndarray:
            return (predicted_classes(model, seen, labels) == labels).cpu().numpy()

        clean[batch] = right(pixels)
        for band, noise in enumerate(octave_noise(options.seed, probe.image_ids[batch], probe.size, pixels)):
            for number, strength in enumerate(options.strengths):
                noisy[batch, number, band] = right(torch.add(pixels, noise, alpha=strength))
    return clean, noisy


def _estimates(
    accuracy: np.ndarray, clean: np.ndarray, chance: float, strengths: np.ndarray, octave: np.ndarray
) -> dict[str, np.ndarray]:
    """Everything that follows from accuracies, first of all images, then without each group: (1 + group, …)."""
    found = thresholds(accuracy, clean, chance, strengths)
    sensitivity = np.nan_to_num(np.log2(strengths[-1] / found))
    # Without some images a threshold may lie beyond the strongest noise: its error is then told by that strength.
    found[1:] = np.where(np.isnan(found[1:]), strengths[-1], found[1:])
    fits = np.full((len(found), 4), np.nan)
    if len(octave) >= FEWEST_BANDS and np.isfinite(found[0]).sum() >= FEWEST_REACHED:
        fits = np.array([channel(row, octave) for row in sensitivity])
        where, (centre, sigma) = np.log2(octave), fits[0, 1:3]
        span = where[-1] - where[0]
        if not (where[0] - 1 <= centre <= where[-1] + 1 and sigma <= span):
            fits[:] = np.nan
    return {
        "threshold": found,
        "sensitivity": sensitivity,
        "bandwidth": 2 * np.sqrt(np.log(4)) * fits[:, 2],
        "centre": 2.0 ** fits[:, 1],
        "peak_sensitivity": 2.0 ** fits[:, 0] / strengths[-1],
        "channel_r2": fits[:, 3],
    }


def _legacy_estimates(accuracy: np.ndarray, highest: np.ndarray) -> dict[str, np.ndarray]:
    """What the released analysis makes of accuracies (…, strength, octave)."""
    failed = np.logical_and.accumulate(accuracy[:, ::-1] <= 0.5, axis=1).sum(axis=1).astype(np.float64)
    fits, most = np.full((len(failed), 4), np.nan), accuracy.shape[1]
    if len(highest) >= FEWEST_BANDS:
        fits = np.array([_fit(np.arange(len(highest)), row, (1.0, 0.0, 1.0), most) for row in failed])
    return {
        "legacy_threshold": failed,
        "legacy_bandwidth": 2 * np.sqrt(np.log(4)) * fits[:, 2],
        "legacy_centre": highest[0] * 2.0 ** fits[:, 1],
        "legacy_peak": 2.0 ** (fits[:, 0] - most),
    }


def _dataset(
    probe: LabelledImages, options: CriticalBand, clean: np.ndarray, noisy: np.ndarray
) -> xr.Dataset:
    """Give every number its dimensions, unit and name, and every missing one its count."""
    strengths, edges = np.array(options.strengths), filtering.octaves(probe.size)
    lowest, highest = edges.T
    octave = np.sqrt(lowest * highest)
    present, group = np.unique(jackknife_groups(probe.image_ids), return_inverse=True)
    belongs = (group == np.arange(len(present))[:, None]).astype(np.float64)
    sums = [np.tensordot(belongs, of_image, axes=1) for of_image in (np.ones(len(clean)), clean, noisy)]
    count, right, right_noisy = (leave_one_out(each) if len(present) > 1 else each for each in sums)
    of_clean, accuracy = right / count, right_noisy / count[:, None, None]
    gain, error = of_clean[0] - probe.chance, float(standard_error(clean.astype(np.float64)))
    if gain > 0 and gain >= THRESHOLD * error:
        found = _estimates(accuracy, of_clean, probe.chance, strengths, octave)
    else:
        shapes = {name: (len(count), len(octave))[: 1 + (name in ON_OCTAVES)] for name in ESTIMATES}
        found = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    if options.legacy:
        found |= _legacy_estimates(accuracy, highest)

    data = Variables()
    data.add(
        "accuracy",
        ("strength", "octave"),
        accuracy[0],
        "share of noisy images classified correctly",
        error=standard_error(noisy.astype(np.float64)),
        n="n",
    )
    told = "share of images without noise classified correctly"
    data.add("clean_accuracy", (), of_clean[0], told, error=error, n="n")
    meanings = ESTIMATES | LEGACY_ESTIMATES
    for name, values in found.items():
        dims = ("octave",) * (values.ndim - 1)
        counted = name if dims else name.split("_")[0] if name.startswith("legacy") else "channel"
        data.add(name, dims, values[0], *meanings[name], error=jackknife_error(values[1:]))
        data.count_missing(name, f"{counted}_missing", f"missing values of {counted}")
        data.count_missing(f"{name}_se", f"{counted}_se_missing", f"missing errors of {counted}")
    data.add("chance", (), probe.chance, "largest class share")
    data.add("n", (), len(clean), "images used", "images")

    cycles = {"units": "cycles/image"}
    coordinates = {
        "strength": (
            "strength",
            strengths,
            {"units": "pixel value", "long_name": "standard deviation of the noise"},
        ),
        "octave": ("octave", octave, {**cycles, "long_name": "geometric centre of the octave"}),
        "frequency": (
            "octave",
            octave / probe.size,
            {"units": "cycles/pixel", "long_name": "geometric centre of the octave"},
        ),
        "lowest": ("octave", lowest, {**cycles, "long_name": "frequency above which the octave begins"}),
        "highest": ("octave", highest, {**cycles, "long_name": "highest frequency of the octave"}),
    }
    return xr.Dataset(
        data, coordinates, {"measure": "critical-band", "size": probe.size, "batch_norm_images": 0}
    )
