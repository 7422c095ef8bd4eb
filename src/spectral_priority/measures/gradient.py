"""Gradient spectrum: which spatial frequencies of the input a decision responds to (METHODS 3).

`input_gradient` makes gradients, `spectra` collects them, `profile` draws conclusions.

Question
--------
Which spatial frequencies of the image does the model's decision respond to?

Equation
--------
g_i = ∇_x ℓ(f(x_i), y_i),   p_i(u,v) = Σ_channel |FFT2(g_i)|²
S_i(r) = Σ_{(u,v) in ring r} p_i ÷ Σ_{(u,v) in kept rings} p_i,   share S(r) = mean_i S_i(r)

Source
------
The idea: Lu et al. 2024 (arXiv 2407.11379). What the legacy modes reproduce: Lin et al. 2022 (arXiv 2205.03154),
Krishnamachari et al. 2022 (arXiv 2301.13514).

Cost
----
One forward and one backward pass per image.

Pitfalls
--------
- Gradient power is not use: a model can respond to a frequency that its answers don't hang on. Hold the profile
  against `band-accuracy` or `fourier-heatmap`.
- Large rings have more frequencies: white noise rises with r in `share` and is flat in `density`.
- An untrained network has a profile of its own, from its architecture and padding: compare with the checkpoint at
  step 0.
- Gradients without power in the kept rings (zero, or DC alone, rounding aside) are dropped and counted (`n_zero`).
  Where all are, as of a model that collapsed to a constant, `n` is 0, `power` is 0, and the rest is NaN.
- Shares say nothing of size; `power` does. `power_share` may rest on a few images: `n_eff` tells how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from ..config.measures import Gradient
from .coordinates import of_classes, of_half_plane, of_rings
from .draws import jackknife_groups
from .input_gradient import input_gradient
from .labelled_images import labelled_images
from .legacy_gradient import LEGACY
from .measured_model import measuring, with_fresh_batch_norm
from .over_training import with_half_times
from .profile import SCALARS
from .registry import measure_options
from .spectra import Spectra
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe


def gradient_spectrum(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: Gradient | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure which spatial frequencies of its input a classifier's decision responds to.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N), and returns logits (n, k), k ≥ 2; normalisation is its first layer.
        Measured in eval mode and left as it was found. Batch-norm statistics are taken as they are
        (`models.recalibrated` recomputes them).
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : Gradient or mapping, optional
        Options of the measure (`spectral_priority.config.measures.Gradient`), also as keywords:
        `objective`, `channels`, `of`, `corners`, `legacy`, `per_class`, `batch_size`.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image, which the jackknife's groups follow; by default its position.
    class_names : sequence of str, optional
        Names of the classes; by default their numbers.

    Returns
    -------
    xarray.Dataset
        `share` S(r), `density` S(r) per frequency, `power_share` R(r), `power` P(r) on `ring` (cycles/image, with
        `frequency` in cycles/pixel); `class_share` on (`class`, `ring`); `map` on the half plane (`u`, `v`); the
        scalars `centroid, centroid_per_pixel, power_centroid, median_frequency, low_share, mid_share, high_share,
        slope, slope_r2, entropy, top_share, dc_share, corner_share`; `<name>_se` is the standard error over images;
        `n, n_zero, n_eff, parseval_residual`. All with units. Where no gradient has power in any kept ring, n is 0,
        `power` is 0 and everything else is NaN; `slope` is NaN where a ring has no power, and counted.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], labels that no logit belongs to, a
        model with one logit, and gradients that are not finite.

    Notes
    -----
    METHODS 3; after Lu et al. 2024 (arXiv 2407.11379), Lin et al. 2022 (arXiv 2205.03154) and Krishnamachari et al.
    2022 (arXiv 2301.13514). Standard errors are exact for means over images (share, power, centroids of S, band, DC
    and corner shares), otherwise from a jackknife over 20 groups of images (`draws.jackknife_groups`).

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> profile = gradient_spectrum(model, torch.rand(8, 3, 16, 16), torch.arange(8) % 2)
    >>> profile.share.dims, profile.sizes["ring"], round(float(profile.share.sum()), 6)
    (('ring',), 8, 1.0)
    >>> profile.centroid.attrs["units"]
    'cycles/image'
    """
    options = _options(options, settings)
    given = labelled_images(images, labels, image_ids, class_names)
    present, groups = np.unique(given.labels), jackknife_groups(given.image_ids)
    spectra = Spectra(
        len(given.images),
        given.size,
        options.channels,
        options.corners,
        options.of == "mean-gradient",
        len(present) * options.per_class,
    )
    legacy: list[np.ndarray] = []
    with measuring(model, device) as measured:
        for batch, pixels, of_batch in given.batches(measured, options.batch_size, unchanged=True):
            gradient, log_factor = input_gradient(measured, pixels, of_batch, options.objective)
            position = torch.from_numpy(np.searchsorted(present, given.labels[batch])).to(pixels.device)
            of_group = torch.from_numpy(groups[batch]).to(pixels.device)
            used = spectra.add(gradient, log_factor, of_group, position)
            if options.legacy:
                legacy.append(LEGACY[options.legacy](gradient[used].cpu().numpy()))
    values, errors = spectra.finish()
    if options.legacy:
        of_images = np.concatenate(legacy)
        of_images = of_images[np.isfinite(of_images).all(axis=1)]
        values["legacy_n"] = len(of_images)
        if not len(of_images):
            of_images = np.full((1, of_images.shape[1]), np.nan)
        values["legacy"], values["legacy_sd"] = of_images.mean(axis=0), of_images.std(axis=0)
    names = [given.class_names[number] for number in present]
    return _dataset(values, errors, given.size, options, names)


def measure(model: nn.Module, probe: Probe, options: Gradient) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `gradient_spectrum` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = gradient_spectrum(
        model, probe.images, probe.labels, options, image_ids=probe.image_ids, class_names=probe.class_names
    )
    return found.assign_attrs(batch_norm_images=recomputed)


def over_training(swept: xr.Dataset) -> xr.Dataset:
    """Add when each ring reaches half of its change."""
    return with_half_times(swept)


def _options(options: Gradient | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> Gradient:
    given = options.model_dump() if isinstance(options, Gradient) else dict(options or {})
    return measure_options("gradient", {**given, **settings})


def _dataset(
    values: dict[str, Any], errors: dict[str, Any], size: int, options: Gradient, class_names: list[str]
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    per_pixel = {"loss": "1/pixel value", "margin": "logit/pixel value", "probability": "1/pixel value"}
    squared = f"({per_pixel[options.objective]})²"
    on_rings = {
        "share": ("share of gradient power, mean over images of each image's share", "1"),
        "density": ("share per frequency, normalised to sum 1; white noise is flat", "1"),
        "power_share": ("power-weighted share of gradient power", "1"),
        "power": ("mean gradient power in the ring", squared),
    }
    scalars = SCALARS | {
        "dc_share": ("share of DC in all gradient power", "1"),
        "corner_share": ("share of the rings beyond N/2 in all gradient power", "1"),
    }
    data = Variables()

    def add(name: str, dims: tuple[str, ...], long_name: str, units: str, n: str = "n") -> None:
        data.add(name, dims, values[name], long_name, units, error=errors.get(name), n=n)

    for name, (long_name, units) in on_rings.items():
        add(name, ("ring",), long_name, units)
    for name, (long_name, units) in scalars.items():
        add(name, (), long_name, units)
    for name in ("slope", "slope_se", "slope_r2", "slope_r2_se"):
        if name in data:
            of = name.replace("_r2", "")
            data.count_missing(name, f"{of}_missing", f"1: {of} is NaN, for a ring has no power")
    if options.per_class:
        add("class_share", ("class", "ring"), "share of gradient power by class", "1", n="class_n")
        add("class_n", ("class",), "images of the class that were used", "images", n="")
    values["map"] = values["map"].astype(np.float32)
    add("map", ("u", "v"), "gradient power by frequency, each image's kept power scaled to 1", "1")
    for name, long_name, units in (
        ("n", "images used", "images"),
        ("n_zero", "images dropped because their gradient has no power in any kept ring", "images"),
        ("n_eff", "images that the power-weighted share effectively rests on", "images"),
        ("parseval_residual", "largest relative difference of an image's power and squared norm", "1"),
    ):
        add(name, (), long_name, units, n="")
    if options.legacy:
        told = f"profile as the {options.legacy} program computes it"
        add("legacy", ("legacy_ring",), told, "1", n="legacy_n")
        add("legacy_sd", ("legacy_ring",), "its standard deviation over images", "1", n="legacy_n")
        add("legacy_n", (), "images whose gradients that program can scale", "images", n="")

    coordinates = of_rings(size, options.corners) | of_half_plane(size)
    if options.per_class:
        coordinates |= of_classes(class_names)
    if options.legacy:
        numbers = np.arange(1, len(values["legacy"]) + 1)
        told = {"units": "cycles/image", "long_name": f"ring as the {options.legacy} program counts it"}
        coordinates["legacy_ring"] = ("legacy_ring", numbers, told)
    said = {name: getattr(options, name) for name in ("measure", "objective", "channels", "of")}
    return xr.Dataset(data, coordinates, {**said, "size": size, "batch_norm_images": 0})
