"""Fourier heat map: how often a classifier errs when a wave of one frequency is added to its images (METHODS 4).

Every frequency of the half plane is tried at the same norm, on the same images, which are read once. Hermitian
partners are the same wave, so each pair is tried once.

Question
--------
At which single frequencies does noise mislead the model?

Equation
--------
error(u,v) = mean_i [argmax f(x_i + s · norm · U(u,v)) ≠ y_i],   s = ±1 for each image, frequency and channel
U(u,v) ∝ cos 2π(u·y + v·x)/N,   ‖U‖₂ = 1

Source
------
Yin et al. 2019 (arXiv 1906.08988).

Cost
----
A forward pass per image and frequency, and one without noise: N²/2 + 3 for even N, 515 at 32 px and 25,091 at 224 px,
of at most `most_images` images; `largest` leaves high frequencies out. No backward pass.

Pitfalls
--------
- The norm is per channel, and the default N/8 grows with the images: 4 at 32 px, as published, but 28 at 224 px,
  where the paper has 15.7.
- Errors say little without `clean_error` and `chance_error`: a model that errs anyway can't be misled much.
- The error at one frequency rests on few images: look at `ring_error`, or at `error_se`.
- Waves are cosines: a model may be more sensitive to another phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .. import filtering, fourier, half_plane
from ..config.measures import FourierHeatmap
from ..errors import InputError
from .answers import predicted_classes
from .coordinates import of_half_plane, of_rings
from .draws import keyed_signs, keyed_uniform
from .labelled_images import LabelledImages, labelled_images
from .measured_model import measuring, with_fresh_batch_norm
from .profile import standard_error
from .registry import measure_options
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe


def fourier_heatmap(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: FourierHeatmap | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure a classifier's error under noise at every single frequency of the image.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N), and returns logits (n, k), k ≥ 2; normalisation is its first layer.
        Measured in eval mode and left as it was found. Noisy pixels may leave [0, 1]; they are not clipped.
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : FourierHeatmap or mapping, optional
        Options of the measure (`spectral_priority.config.measures.FourierHeatmap`), also as keywords: `norm`,
        `largest`, `most_images`, `seed`, `batch_size`.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image, which its signs and whether it is taken follow; by default its position.

    Returns
    -------
    xarray.Dataset
        `error` on (`u`, `v`), the half plane in FFT order, in cycles/image; `ring_error` on `ring` (cycles/image, with
        `frequency` in cycles/pixel): its mean over the ring's frequencies; scalars `low_error, mid_error, high_error`
        (means over the frequencies of rings r ≤ N/6 < … ≤ N/3 < … ≤ N/2), `clean_error`, `chance_error` (of the best
        constant answer), `norm`, `n`, `n_left_out`. `<name>_se` is the standard error over images, NaN for one image.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], labels that no logit belongs to,
        logits that are not finite, and a `largest` beyond N/2.

    Notes
    -----
    METHODS 4, after Yin et al. 2019 (arXiv 1906.08988), section 2: x + r·v·U, with U(u, v) the real basis image of
    norm 1, here cos 2π(u·y + v·x)/N; v the norm (4 for their CIFAR-10, 15.7 for their ImageNet); r a random sign of
    each channel, here one for each image, frequency and channel. Nothing is clipped. With `largest`, `ring_error`
    ends there and bands that are not whole are left out.

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = fourier_heatmap(model, torch.rand(8, 3, 16, 16), torch.arange(8) % 2)
    >>> found.error.dims, found.error.shape, float(found.norm)
    (('u', 'v'), (16, 9), 2.0)
    >>> fourier_heatmap(model, torch.rand(8, 3, 16, 16), torch.arange(8) % 2, largest=2).u.values.tolist()
    [0.0, 1.0, 2.0, -2.0, -1.0]
    """
    given = options.model_dump() if isinstance(options, FourierHeatmap) else dict(options or {})
    options = measure_options("fourier-heatmap", {**given, **settings})
    probe = labelled_images(images, labels, image_ids)
    count, size = len(probe.labels), probe.size
    largest = size // 2 if options.largest is None else options.largest
    if largest > size // 2:
        raise InputError("largest", f"found {largest}", f"1 … {size // 2} for images of {size} pixels")
    chosen = np.sort(
        np.argsort(keyed_uniform(options.seed, probe.image_ids), kind="stable")[: options.most_images]
    )
    probe = probe.part(chosen)
    norm = size / 8 if options.norm is None else options.norm
    tried = np.flatnonzero((np.abs(half_plane.distinct_frequencies(size)) <= largest).all(axis=1))
    with measuring(model, device) as measured:
        clean, by_frequency, by_ring = _errors(measured, probe, tried, norm, options)
    found = _dataset(probe, tried, largest, clean, by_frequency, by_ring)
    return found.assign(
        norm=((), norm, {"units": "pixel value", "long_name": "L2 norm of the noise in each channel"}),
        n_left_out=((), count - len(chosen), {"units": "images", "long_name": "images not taken"}),
    )


def measure(model: nn.Module, probe: Probe, options: FourierHeatmap) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `fourier_heatmap` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = fourier_heatmap(model, probe.images, probe.labels, options, image_ids=probe.image_ids)
    return found.assign_attrs(batch_norm_images=recomputed)


def _errors(
    model: nn.Module, probe: LabelledImages, tried: np.ndarray, norm: float, options: FourierHeatmap
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which images are wrong without noise (n,), how many at each frequency tried, and each image's sum over rings."""
    size, frequencies = probe.size, half_plane.distinct_frequencies(probe.size)
    belongs = half_plane.distinct_radial_matrix(size)
    clean = np.empty(len(probe.labels))
    by_frequency, by_ring = np.zeros(len(tried)), np.zeros((len(probe.labels), belongs.shape[1]))
    for batch, pixels, labels in probe.batches(model, options.batch_size):
        clean[batch] = (predicted_classes(model, pixels, labels) != labels).cpu().numpy()
        # Of all frequencies, so that `largest` does not change the signs of those that are tried.
        signs = keyed_signs(options.seed, probe.image_ids[batch], (len(frequencies), pixels.shape[1]))
        at_once = max(1, options.batch_size // len(labels))
        of_pass = labels.repeat(at_once)
        for start in range(0, len(tried), at_once):
            part = tried[start : start + at_once]
            waves = torch.from_numpy(norm * filtering.basis_images(size, frequencies[part])).to(pixels)
            sign = torch.from_numpy(signs[:, part]).to(pixels).transpose(0, 1)
            seen = torch.addcmul(pixels, sign[..., None, None], waves[:, None, None])
            found = predicted_classes(model, seen.flatten(0, 1), of_pass[: len(part) * len(labels)])
            wrong = (found.reshape(len(part), -1) != labels).cpu().numpy().astype(np.float64)
            by_frequency[start : start + at_once] += wrong.sum(axis=1)
            by_ring[batch] += wrong.T @ belongs[part]
    return clean, by_frequency, by_ring


def _dataset(
    probe: LabelledImages,
    tried: np.ndarray,
    largest: int,
    clean: np.ndarray,
    by_frequency: np.ndarray,
    by_ring: np.ndarray,
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    size, n = probe.size, len(clean)
    data = Variables()

    def add(name: str, dims: tuple[str, ...], value: Any, error: Any, long_name: str) -> None:
        data.add(name, dims, value, long_name, error=error, n="n")

    share = np.full(len(half_plane.distinct_frequencies(size)), np.nan)
    share[tried] = by_frequency / n
    plane = share[half_plane.hermitian_positions(size)]
    u, v = np.fft.fftfreq(size, 1 / size), np.fft.rfftfreq(size, 1 / size)
    plane = plane[np.abs(u) <= largest][:, v <= largest]
    scatter = np.sqrt(plane * (1 - plane) / (n - 1)) if n > 1 else np.full(plane.shape, np.nan)
    add("error", ("u", "v"), plane, scatter, "share of images classified wrongly under noise at (u, v)")
    sizes = fourier.ring_sizes(size)
    of_ring = (by_ring / sizes)[:, :largest]
    add("ring_error", ("ring",), of_ring.mean(axis=0), standard_error(of_ring), "mean error of the ring")
    for band, inside in fourier.bands(size).items():
        if inside.any() and not inside[largest:].any():
            of_band = by_ring[:, inside].sum(axis=1) / sizes[inside].sum()
            meaning = f"mean error of the frequencies of the {band} band"
            add(f"{band}_error", (), of_band.mean(), standard_error(of_band), meaning)
    add("clean_error", (), clean.mean(), standard_error(clean), "share of clean images classified wrongly")
    data.add("chance_error", (), 1 - probe.chance, "error of the best constant answer")
    data.add("n", (), n, "images used", "images")
    coordinates = of_half_plane(size, largest) | of_rings(size, last=largest)
    return xr.Dataset(data, coordinates, {"measure": "fourier-heatmap", "size": size, "batch_norm_images": 0})
