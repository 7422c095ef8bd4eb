"""Accuracy on images without some of their frequencies: which bands a model can use, and which it needs (METHODS 4).

Low-pass and high-pass images tell which bands suffice, band-stop images which are needed. Filters act on pixels as the
model sees them; nothing is clipped.

Question
--------
Which bands of frequency suffice for the right answer, which are needed, and when is each learned?

Equation
--------
accuracy(F) = mean_i [argmax f(F x_i) = y_i],   F x = IFFT2(m · FFT2(x)),   m(u,v) ∈ {0, 1}
drop = accuracy(none) − accuracy(F),   predicted_change = (images called c under F − without F) ÷ images of c

Source
------
Band-stops and predicted counts: Wang et al. 2023 (arXiv 2307.09829). Low-pass and high-pass images: Lin et al. 2022
(arXiv 2205.03154). Rings of equal energy: Abello et al. 2021.

Cost
----
A forward pass per image and filter, 1 + 2 · `cutoffs` + 3 bands + `energy_rings`: 16 by default. No backward pass.

Pitfalls
--------
- Filtered images are unlike any that the model has learned: accuracy may fall for that, too, and not only for what is
  gone.
- Filtered pixels may leave [0, 1], and nothing is clipped: a model that expects pixels in range is led out of it.
- The band `high` ends at ⌊N/2⌋, but a high-pass keeps the corners, and DC unless `keep_dc: false`.
- Energy rings follow the probe's own images: compare `removed_from` and `removed_to` before comparing tiers.
- A learning time is no finer than the checkpoints, and missing where the last accuracy is hardly above chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .. import filtering, fourier
from ..config.measures import BandAccuracy
from ..errors import InputError
from .answers import answers
from .coordinates import of_classes
from .labelled_images import LabelledImages, labelled_images
from .measured_model import measuring, with_fresh_batch_norm
from .over_training import with_learning_times
from .pooled_energy import pooled_energy, varied
from .profile import standard_error
from .registry import measure_options
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe


@dataclass(frozen=True)
class Filter:
    """A filter of images: its name, kind, the range that it removes in cycles/image, and its half-plane factors."""

    name: str
    kind: str
    removed: tuple[float, float]
    factors: np.ndarray


def band_accuracy(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: BandAccuracy | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    energy: np.ndarray | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure a classifier's accuracy and loss on low-pass, high-pass and band-stop images.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N), and returns logits (n, k), k ≥ 2; normalisation is its first layer.
        Measured in eval mode and left as it was found. Filtered pixels may leave [0, 1]; they are not clipped.
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : BandAccuracy or mapping, optional
        Options of the measure (`spectral_priority.config.measures.BandAccuracy`), also as keywords: `cutoffs`,
        `energy_rings`, `keep_dc`, `batch_size`.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image; no number depends on it.
    class_names : sequence of str, optional
        Names of the classes; by default their numbers.
    energy : ndarray (N, N//2 + 1), optional
        What energy rings are made from; by default the `pooled_energy` of the images.

    Returns
    -------
    xarray.Dataset
        On `filter` (`none`, `low-pass-<ring>`, `high-pass-<ring>`, `band-stop-<low|mid|high>`,
        `energy-stop-<number>`; with `kind` and the range `removed_from` … `removed_to` in cycles/image): `accuracy`,
        `loss` (nats), `removed_energy` (mean over images of each image's share of energy, without DC, that the filter
        removes). On (`filter`, `class`): `predicted_change`, (images predicted as the class under the filter − without
        it) ÷ images of the class; `predicted_elsewhere` on `filter` is the share predicted as a class that has no
        images. Scalars: `clean_accuracy`, `low_drop, mid_drop, high_drop` (accuracy lost to the band-stop, paired by
        image), `chance` (largest class share), `n`, `n_constant`. `<name>_se` is the standard error over images, NaN
        for one image.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], labels that no logit belongs to, logits
        that are not finite, cutoffs that remove nothing, and energy of another size.

    Notes
    -----
    METHODS 4. Band-stops and predicted counts after Wang et al. 2023 (arXiv 2307.09829), accuracy on low-pass and
    high-pass images after Lin et al. 2022 (arXiv 2205.03154), rings of equal energy after Abello et al. 2021; how the
    latter pool images is not known to us: here energy is summed over all given images, which takes a transform of each
    that all checkpoints share. Low-passes, high-passes and the three bands are made of whole rings, round(√(u² + v²));
    the band `high` ends at ⌊N/2⌋, a high-pass keeps the corners. Degenerate cases: a constant image has no energy to
    remove, counts as 0 in `removed_energy` and is counted in `n_constant`; an energy ring that no radius falls in
    removes nothing, from 0 to 0. How soon a band is learned is told by `over_training`.

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = band_accuracy(model, torch.rand(8, 3, 16, 16), torch.arange(8) % 2, cutoffs=[2], energy_rings=2)
    >>> [str(name) for name in found["filter"].values]
    ['none', 'low-pass-2', 'high-pass-2', 'band-stop-low', 'band-stop-mid', 'band-stop-high',
     'energy-stop-1', 'energy-stop-2']
    >>> bool(found.accuracy.sel(filter="none") == found.clean_accuracy), float(found.chance)
    (True, 0.5)
    """
    given = options.model_dump() if isinstance(options, BandAccuracy) else dict(options or {})
    options = measure_options("band-accuracy", {**given, **settings})
    probe = labelled_images(images, labels, image_ids, class_names)
    with measuring(model, device) as measured:
        if options.energy_rings and energy is None:
            energy = pooled_energy(images)
        chosen = filters(probe.size, options, energy)
        found = _answers_to(measured, probe, chosen, options.batch_size)
    return _dataset(probe, chosen, *found, class_names)


def measure(model: nn.Module, probe: Probe, options: BandAccuracy) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `band_accuracy` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = band_accuracy(
        model,
        probe.images,
        probe.labels,
        options,
        image_ids=probe.image_ids,
        class_names=probe.class_names,
        energy=probe.energy if options.energy_rings else None,
    )
    return found.assign_attrs(batch_norm_images=recomputed)


def over_training(swept: xr.Dataset) -> xr.Dataset:
    """Add when the model learns to do without what each filter removes."""
    return with_learning_times(swept)


def filters(size: int, options: BandAccuracy, energy: np.ndarray | None = None) -> list[Filter]:
    """Return the filters that the options ask for, first the one that removes nothing.

    Parameters
    ----------
    size : int
        N.
    options : BandAccuracy
    energy : ndarray (N, N//2 + 1), optional
        Half-plane power of the images; needed for energy rings.

    Raises
    ------
    InputError
        For a cutoff that no ring lies beyond, and energy of another size.
    """
    farthest = int(fourier.rings(size, corners=True)[-1])
    cutoffs = options.cutoffs
    if cutoffs is None:
        cutoffs = sorted({max(1, round(part * size)) for part in (1 / 16, 1 / 8, 1 / 4, 3 / 8)})
    if beyond := [ring for ring in cutoffs if ring >= farthest]:
        raise InputError("cutoffs", f"found {beyond[0]}", f"1 … {farthest - 1} for images of {size} pixels")
    made = [Filter("none", "none", (0.0, 0.0), filtering.low_pass(size, farthest))]
    for ring in cutoffs:
        kept = filtering.low_pass(size, ring)
        made.append(Filter(f"low-pass-{ring}", "low-pass", (ring + 1, farthest), kept))
    for ring in cutoffs:
        kept, first = filtering.high_pass(size, ring, options.keep_dc), 1 if options.keep_dc else 0
        made.append(Filter(f"high-pass-{ring}", "high-pass", (first, ring), kept))
    for band, belongs in fourier.bands(size).items():
        held = fourier.rings(size)[belongs]
        span = (int(held[0]), int(held[-1])) if len(held) else (0, 0)  # there is no low band below 6 pixels
        kept = filtering.band_stop(size, *span) if len(held) else made[0].factors
        made.append(Filter(f"band-stop-{band}", "band-stop", span, kept))
    if options.energy_rings:
        if np.shape(energy) != (size, size // 2 + 1):
            needed = f"half-plane power of images of {size} pixels, ({size}, {size // 2 + 1})"
            raise InputError("energy", f"found shape {np.shape(energy)}", needed)
        of_frequency, radius = filtering.energy_rings(energy, options.energy_rings), fourier.radius(size)
        for number in range(options.energy_rings):
            inside = of_frequency == number
            span = (float(radius[inside].min()), float(radius[inside].max())) if inside.any() else (0.0, 0.0)
            made.append(Filter(f"energy-stop-{number + 1}", "energy-stop", span, 1.0 - inside))
    return made


def _answers_to(
    model: nn.Module, probe: LabelledImages, chosen: list[Filter], batch_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Each image's class, loss and share of removed energy under each filter, (filter, n); constant images' number."""
    constant = 0
    count = len(probe.labels)
    predicted = np.empty((len(chosen), count), dtype=np.int64)
    loss, removed = np.empty((len(chosen), count)), np.zeros((len(chosen), count))
    gone = np.stack([1.0 - one.factors for one in chosen]) * fourier.hermitian_weights(probe.size)
    gone[:, 0, 0] = 0.0
    factors: list[torch.Tensor] = []
    for batch, pixels, labels in probe.batches(model, batch_size):
        if not factors:
            factors = [torch.from_numpy(one.factors).to(pixels) for one in chosen]
            weights = torch.from_numpy(gone).to(pixels.device)
            whole = torch.tensor(fourier.hermitian_weights(probe.size), device=pixels.device)
        spectrum = torch.fft.rfft2(pixels)
        power = torch.view_as_real(spectrum).double().square().sum(dim=(1, -1))
        power[:, 0, 0] = 0.0
        has_energy, total = varied(pixels), (power * whole).sum(dim=(1, 2))
        share = (power.flatten(1) @ weights.flatten(1).T).T / total.where(has_energy, torch.inf)
        removed[:, batch] = share.cpu().numpy()
        constant += int((~has_energy).sum())
        for number, factor in enumerate(factors):
            seen = pixels
            if chosen[number].kind != "none":
                seen = torch.fft.irfft2(spectrum * factor, s=(probe.size, probe.size))
            found = answers(model, seen, labels)
            predicted[number, batch], loss[number, batch] = (values.cpu().numpy() for values in found)
    return predicted, loss, removed, constant


def _predicted_change(
    predicted: np.ndarray, present: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(Pred_filtered − Pred_none) ÷ N_c and its standard error, (filter, class).

    From counts alone: an image adds 1, 0 or −1, and its square is 1 where one of the two answers is the class.
    """
    n, classes = predicted.shape[1], 1 + max(int(predicted.max()), int(present.max()))
    before = np.bincount(predicted[0], minlength=classes)[present]
    after = np.array([np.bincount(row, minlength=classes)[present] for row in predicted])
    both = np.array([np.bincount(row[row == predicted[0]], minlength=classes)[present] for row in predicted])
    change, squares = after - before, after + before - 2 * both
    if n < 2:
        return change / counts, np.full(change.shape, np.nan)
    variance = (squares - change**2 / n) / (n - 1)
    return change / counts, np.sqrt(variance * n) / counts


def _dataset(
    probe: LabelledImages,
    chosen: list[Filter],
    predicted: np.ndarray,
    loss: np.ndarray,
    removed: np.ndarray,
    constant: int,
    class_names: Sequence[str] | None,
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    correct = (predicted == probe.labels).astype(np.float64)
    present, counts = np.unique(probe.labels, return_counts=True)
    data = Variables()

    def add_mean(name: str, of_image: np.ndarray, long_name: str, units: str = "1") -> None:
        """Means over images of values (…, n)."""
        dims, error = ("filter",) * (of_image.ndim - 1), standard_error(of_image.T)
        data.add(name, dims, of_image.mean(axis=-1), long_name, units, error=error, n="n")

    add_mean("accuracy", correct, "share of images classified correctly")
    add_mean("loss", loss, "cross-entropy", "nats")
    add_mean("removed_energy", removed, "share of an image's energy, without DC, that is removed")
    meaning = "change of the images predicted as the class ÷ images of the class"
    change, error = _predicted_change(predicted, present, counts)
    data.add("predicted_change", ("filter", "class"), change, meaning, error=error, n="n")
    elsewhere = 1.0 - np.isin(predicted, present)
    add_mean("predicted_elsewhere", elsewhere, "share predicted as a class without images")
    add_mean("clean_accuracy", correct[0], "share of unfiltered images classified correctly")
    for number, one in enumerate(chosen):
        if one.kind == "band-stop":
            band = one.name.rpartition("-")[2]
            lost = correct[0] - correct[number]
            add_mean(f"{band}_drop", lost, f"accuracy lost when the {band} band is removed")
    data.add("chance", (), probe.chance, "largest class share")
    data.add("n", (), len(probe.labels), "images used", "images")
    data.add("n_constant", (), constant, "images of one colour, which have no energy", "images")
    data.add("class_n", ("class",), counts, "images of the class", "images")

    cycles = {"units": "cycles/image"}
    names = [str(number) if class_names is None else str(class_names[number]) for number in present]
    coordinates = {
        "filter": (
            "filter",
            [one.name for one in chosen],
            {"units": "1", "long_name": "filter of the images"},
        ),
        "kind": ("filter", [one.kind for one in chosen], {"units": "1", "long_name": "kind of filter"}),
        "removed_from": (
            "filter",
            [float(one.removed[0]) for one in chosen],
            {**cycles, "long_name": "lowest frequency that is removed; 0 with removed_to 0: none"},
        ),
        "removed_to": (
            "filter",
            [float(one.removed[1]) for one in chosen],
            {**cycles, "long_name": "highest frequency that is removed"},
        ),
        **of_classes(names),
    }
    return xr.Dataset(
        data, coordinates, {"measure": "band-accuracy", "size": probe.size, "batch_norm_images": 0}
    )
