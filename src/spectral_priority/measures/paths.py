"""Response frequency: how fast a model's outputs change along straight lines between images (METHODS 4).

This is the frequency of the function x → y, not that of an image.

Question
--------
How fast do the outputs change on the way from one image to another, within a class and between classes?

Equation
--------
x(t) = x₀ + t(x₁ − x₀), t = j/M;   P(k) = Σ_output |FFT(Hann · (y − its least-squares line))|², y(t) = f(x(t))
share(k) = mean over paths of P(k) ÷ Σ_k P(k)

Source
------
Fridovich-Keil, Gontijo-Lopes, Roelofs 2022 (arXiv 2110.02424); where `high` begins: Fridovich-Keil et al. 2022
(arXiv 2207.04075).

Cost
----
2 · `pairs` · `samples` images forward, 25,600 by default, whatever the number of images; fewer where there are fewer
pairs. No backward pass.

Pitfalls
--------
- Cycles per path are no cycles per image: these numbers can't be compared with those of `gradient`.
- Paths between classes are usually longer than paths within: compare per unit of L2 distance (`…_per_l2`), too.
- A confident model's softmax is a step wherever its logits cross: look at the logits, too.
- Flat paths have no share. They are counted (`…_n_flat`); where all are flat, the numbers are missing.
- Images between two images are blends that the model has never learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .. import fourier
from ..config.measures import Paths
from ..errors import InputError
from .answers import logits_of
from .coordinates import of_classes
from .image_pairs import image_pairs, pair_error
from .labelled_images import LabelledImages, labelled_images
from .measured_model import device_of, measuring, precision_of, to_numpy, to_pixels, with_fresh_batch_norm
from .registry import measure_options
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe

PAIRS = ("within", "between")
"""Kinds of paths: between two images of a class, and between images of two classes."""
OUTPUTS = {"softmax": "probability", "logit": "logit"}
"""What is followed along a path, and its unit."""
ROUNDING = 16
"""A path counts as flat where its logits leave a line by no more than so many roundings of the largest one."""
SCALARS = {
    "centroid": ("centroid of the power share", "cycles/path"),
    "high_share": ("share of power above `high_from`", "1"),
    "centroid_per_l2": ("centroid of the power share per distance", "cycles per unit of L2 distance"),
    "high_share_per_l2": ("share of power above `high_from_per_l2`", "1"),
}
"""Numbers of a path: what each is, and its unit."""


def path_spectra(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: Paths | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure the response frequency of a classifier along paths within and between classes.

    Parameters
    ----------
    model, images, labels, device, image_ids, class_names
        As `gradient_spectrum` takes them; `image_ids` also decide which pairs are chosen.
    options : Paths or mapping, optional
        Options of the measure (`spectral_priority.config.measures.Paths`), also as keywords:
        `pairs`, `samples`, `high`, `seed`, `per_class`, `legacy`, `batch_size`.

    Returns
    -------
    xarray.Dataset
        For softmax outputs, and for logits with `logit` in place of `softmax`: `softmax_share` on (`pair`, `cycle`),
        mean over paths of each path's share of power, with the cycles of a path; `softmax_share_per_l2` on (`pair`,
        `frequency_per_l2`), the same with cycles per unit of L2 distance (what is missing to 1 lies beyond the axis);
        `softmax_power`, mean power; the scalars `softmax_within_<…>`, `softmax_between_<…>` and
        `softmax_<…>_difference` (between − within) with <…> = `centroid, high_share, centroid_per_l2,
        high_share_per_l2`, and `power_centroid` of the mean power; `softmax_class_centroid` and others on (`pair`,
        `class`), over the paths that begin or end in a class. `<name>_se` is the standard error over paths, which
        allows for images that several paths share. `n` paths, `n_identical` more between identical images (dropped);
        `softmax_within_n` paths used and `softmax_within_n_flat` flat ones, whose shares do not exist.

    Raises
    ------
    InputError
        As `gradient_spectrum`, and where there is no path between two images that differ.

    Notes
    -----
    METHODS 4; after Fridovich-Keil, Gontijo-Lopes, Roelofs 2022 (arXiv 2110.02424). Linear outputs, and
    outputs that do not depend on the image, make flat paths. Where all paths of a kind are flat, or there is none, its
    numbers are NaN and its n is 0. The distance is taken over all channels of pixels in [0, 1]. `high` is a tenth of
    the axis, as in the program that Fridovich-Keil et al. 2022 (arXiv 2207.04075, RobustNets) released for such paths.

    `legacy="spectral-bias"` adds what evaluate_interpolation.py (google-research, spectral_bias) computes:
    |fftshift(fft(‖p(t) − p(0)‖₂))|², no window and no trend removed. Quirks kept: the softmax has no axis, so that all
    samples and outputs of a path sum to 1, and the mean, at 0 cycles, is part of the spectrum. Not kept: paths sampled
    at a distance of 1, hence of different lengths (here `samples` of each, its option `num_samples`), and the last
    sample that the last path loses.

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = path_spectra(model, torch.rand(8, 3, 16, 16), torch.arange(8) % 2, pairs=6, samples=16)
    >>> found.softmax_share.dims, found.sizes["cycle"], int(found.softmax_within_n)
    (('pair', 'cycle'), 8, 6)
    >>> found.softmax_within_centroid_per_l2.attrs["units"]
    'cycles per unit of L2 distance'
    """
    options = _options(options, settings)
    given = labelled_images(images, labels, image_ids, class_names)
    pairs, within, lengths, identical = _paths(given, options)
    power, flat, legacy = [], [], []
    with measuring(model, device) as measured:
        for logits, tolerance in _logits(measured, given, pairs, options):
            of_batch = {"softmax": logits.softmax(dim=-1), "logit": logits}
            spectra = [_power(values) for values in of_batch.values()]
            slope = (of_batch["softmax"] * (1 - of_batch["softmax"])).amax(dim=(1, 2))
            limits = slope * tolerance + ROUNDING * torch.finfo(torch.float64).eps, tolerance
            outputs = logits.shape[-1]
            flat.append(
                torch.stack(
                    [
                        found.sum(dim=1) <= outputs * limit**2
                        for found, limit in zip(spectra, limits, strict=True)
                    ]
                ).cpu()
            )
            power.append(torch.stack(spectra).cpu())
            if options.legacy:
                legacy.append(spectral_bias_spectrum(logits.cpu().numpy()))
    values = _estimates(
        given, pairs, within, lengths, torch.cat(power, 1).numpy(), torch.cat(flat, 1).numpy(), options
    )
    values["n_identical"] = identical
    if options.legacy:
        kinds = [np.concatenate(legacy)[kind] for kind in (within, ~within)]
        values["legacy"] = np.array([_mean(of_kind) for of_kind in kinds])
        values["legacy_sd"] = np.array(
            [of_kind.std(axis=0) if len(of_kind) else _mean(of_kind) for of_kind in kinds]
        )
    return _dataset(values, given, lengths.max(), options)


def measure(model: nn.Module, probe: Probe, options: Paths) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `path_spectra` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = path_spectra(
        model, probe.images, probe.labels, options, image_ids=probe.image_ids, class_names=probe.class_names
    )
    return found.assign_attrs(batch_norm_images=recomputed)


def spectral_bias_spectrum(logits: np.ndarray) -> np.ndarray:
    """Return the spectrum of paths as the released program of Fridovich-Keil et al. computes it.

    Parameters
    ----------
    logits : ndarray (path, sample, output)

    Returns
    -------
    ndarray (path, sample)
        Cycles per path −M/2 … M/2 − 1; see `path_spectra` for the quirks.

    Examples
    --------
    >>> spectral_bias_spectrum(np.zeros((1, 4, 2))).tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """
    exponential = np.exp(logits - logits.max(axis=(1, 2), keepdims=True))
    softmax = exponential / exponential.sum(axis=(1, 2), keepdims=True)
    distance = np.linalg.norm(softmax - softmax[:, :1], axis=2)
    return np.abs(np.fft.fftshift(np.fft.fft(distance, axis=1), axes=1)) ** 2


def _options(options: Paths | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> Paths:
    given = options.model_dump() if isinstance(options, Paths) else dict(options or {})
    return measure_options("paths", {**given, **settings})


def _paths(given: LabelledImages, options: Paths) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return pairs of images that differ, which of them lie within a class, their distances, and how many did not."""
    chosen = image_pairs(given.labels, given.image_ids, options.pairs, options.seed)
    pairs = np.concatenate(chosen)
    lengths = np.array([_distance(given.images[int(one)], given.images[int(two)]) for one, two in pairs])
    differ = ~(lengths == 0)  # a distance of NaN goes on, to where the pixels are refused
    if not differ.any():
        raise InputError(
            "images", f"found {len(given)}, none of which differ", "two images that differ, or more"
        )
    within = np.arange(len(pairs)) < len(chosen[0])
    return pairs[differ], within[differ], lengths[differ], int((~differ).sum())


def _distance(one: np.ndarray | torch.Tensor, two: np.ndarray | torch.Tensor) -> float:
    """L2 distance of two images in pixels of [0, 1]; on the CPU, so that coordinates never depend on the device."""
    one, two = to_numpy(one), to_numpy(two)
    scale = 255 if one.dtype == np.uint8 else 1
    return float(np.sqrt(((one.astype(np.float64) - two) ** 2).sum()) / scale)


def _logits(
    model: nn.Module, given: LabelledImages, pairs: np.ndarray, options: Paths
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield logits (path, sample, output) of some paths at a time, and how exactly each path's are known (path,)."""
    kind, where = precision_of(model), device_of(model)
    position = torch.arange(options.samples, device=where, dtype=kind)[:, None, None, None] / options.samples
    number = max(1, options.batch_size // options.samples)
    for start in range(0, len(pairs), number):
        of_batch = pairs[start : start + number]
        first, last = (to_pixels(given.images[end], kind, where)[:, None] for end in of_batch.T)
        parts = []
        for t in position.split(max(1, options.batch_size // len(of_batch))):
            logits = logits_of(model, torch.lerp(first, last, t).flatten(0, 1), given.labels)
            parts.append(logits.unflatten(0, (len(of_batch), len(t))))
        logits = torch.cat(parts, dim=1)
        yield logits, ROUNDING * torch.finfo(kind).eps * logits.abs().amax(dim=(1, 2))


def _power(values: torch.Tensor) -> torch.Tensor:
    """Power of paths (path, sample, output) float64, summed over outputs: (path, cycle), cycle = 1 … ⌊M/2⌋."""
    samples = values.shape[1]
    matrix = torch.from_numpy(np.array(fourier.detrended_hann(samples))).to(values.device)
    spectrum = torch.fft.rfft(torch.einsum("ts,pso->pto", matrix, values), dim=1)
    weights = torch.from_numpy(np.array(fourier.hermitian_weights(samples))).to(values.device)
    power = (spectrum.real.square() + spectrum.imag.square()).sum(dim=2) * weights / samples
    return power[:, 1:]


def _estimates(
    given: LabelledImages,
    pairs: np.ndarray,
    within: np.ndarray,
    lengths: np.ndarray,
    powers: np.ndarray,
    flats: np.ndarray,
    options: Paths,
) -> dict[str, Any]:
    """From power (output, path, cycle) make all numbers; `<name>_se` beside each that has an error."""
    cycle = fourier.rings(options.samples)
    nyquist = options.samples / 2
    high, high_per_l2 = options.high * nyquist, options.high * nyquist / lengths.max()
    values: dict[str, Any] = {"n": len(pairs), "high_from": high, "high_from_per_l2": high_per_l2}

    def store(name: str, found: list[tuple[np.ndarray, np.ndarray]]) -> None:
        values[name], values[f"{name}_se"] = (np.array(part) for part in zip(*found, strict=True))

    def store_scalar(name: str, found: tuple[np.ndarray, np.ndarray]) -> None:
        values[name], values[f"{name}_se"] = found

    members = np.arange(given.labels.max() + 1)[:, None, None] == given.labels[pairs]
    members = members.any(axis=2)[np.unique(given.labels)]
    kinds = (within, ~within)
    store("path_length", [_mean_over(lengths, kind, pairs) for kind in kinds])
    values["pair_n"] = np.array([kind.sum() for kind in kinds])
    for output, power, flat in zip(OUTPUTS, powers, flats, strict=True):
        total = power.sum(axis=1)
        share = power / np.where(flat, 1.0, total)[:, None]
        of_path = {
            "centroid": share @ cycle,
            "high_share": share[:, cycle > high].sum(axis=1),
            "centroid_per_l2": share @ cycle / lengths,
            "high_share_per_l2": (share * (cycle / lengths[:, None] > high_per_l2)).sum(axis=1),
        }
        used = [kind & ~flat for kind in kinds]
        of_class = [[kind & member for member in members] for kind in used]
        values[f"{output}_n"] = np.array([kind.sum() for kind in used])
        values[f"{output}_class_n"] = np.array([[part.sum() for part in row] for row in of_class])
        store(f"{output}_share", [_mean_over(share, kind, pairs) for kind in used])
        stretched = _per_distance(share, lengths)
        store(f"{output}_share_per_l2", [_mean_over(stretched, kind, pairs) for kind in used])
        store(f"{output}_power", [_mean_over(power, kind, pairs) for kind in kinds])
        for name, kind, of_kind in zip(PAIRS, used, kinds, strict=True):
            values[f"{output}_{name}_n"] = kind.sum()
            values[f"{output}_{name}_n_flat"] = (of_kind & flat).sum()
            found = _power_centroid(power, cycle, kind, pairs)
            store_scalar(f"{output}_{name}_power_centroid", found)
        for name, number in of_path.items():
            for pair, kind in zip(PAIRS, used, strict=True):
                store_scalar(f"{output}_{pair}_{name}", _mean_over(number, kind, pairs))
            store_scalar(f"{output}_{name}_difference", _difference(number, *used, pairs))
            if options.per_class:
                found = [[_mean_over(number, part, pairs) for part in row] for row in of_class]
                store(f"{output}_class_{name}", [tuple(np.array(row).T) for row in found])
    return values


def _mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0) if len(values) else np.full(values.shape[1:], np.nan)


def _influence(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """What each chosen path adds to the mean, made unbiased for its variance; 0 for other paths."""
    number = chosen.sum()
    deviation = np.zeros_like(values)
    deviation[chosen] = (values[chosen] - _mean(values[chosen])) / np.sqrt(number * max(number - 1, 1))
    return deviation


def _mean_over(values: np.ndarray, chosen: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over chosen paths and its standard error; NaN for none, and no error for one."""
    error = pair_error(_influence(values, chosen)[chosen], pairs[chosen])
    return _mean(values[chosen]), error if chosen.sum() > 1 else np.full_like(error, np.nan)


def _difference(
    values: np.ndarray, within: np.ndarray, between: np.ndarray, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    error = pair_error(_influence(values, between) - _influence(values, within), pairs)
    known = min(within.sum(), between.sum()) > 1
    return _mean(values[between]) - _mean(values[within]), error if known else np.full_like(error, np.nan)


def _power_centroid(
    power: np.ndarray, cycle: np.ndarray, chosen: np.ndarray, pairs: np.ndarray
) -> tuple[float, float]:
    """Centroid of the mean power, a ratio of means, with its error by linearisation."""
    first, total = (power @ cycle)[chosen], power.sum(axis=1)[chosen]
    if not len(total):
        return np.nan, np.nan
    centroid = first.sum() / total.sum()
    influence = (first - centroid * total) / total.sum()
    return centroid, pair_error(influence, pairs[chosen]) if len(total) > 1 else np.nan


def _per_distance(share: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Bring shares (path, cycle) to one axis of cycles per distance, in steps of 1/(the longest path).

    A path of length L has steps of 1/L; its power is taken as spread evenly over each of them. Beyond ⌊M/2⌋ steps of
    the axis it is left out.
    """
    edge = np.arange(share.shape[1] + 1) + 0.5
    reached = np.concatenate([np.zeros((len(share), 1)), np.cumsum(share, axis=1)], axis=1)
    own = edge * (lengths / lengths.max())[:, None]
    at = np.array([np.interp(x, edge, y) for x, y in zip(own, reached, strict=True)])
    return np.diff(at, axis=1)


def _dataset(values: dict[str, Any], given: LabelledImages, longest: float, options: Paths) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    data = Variables(over="paths")

    def add(name: str, dims: tuple[str, ...], long_name: str, units: str, n: str = "") -> None:
        data.add(name, dims, values[name], long_name, units, error=values.get(f"{name}_se"), n=n)

    for output, unit in OUTPUTS.items():
        used = f"{output}_n"
        both = " ".join(f"{output}_{pair}_n" for pair in PAIRS)
        add(f"{output}_share", ("pair", "cycle"), f"share of the power of {output} outputs", "1", used)
        add(
            f"{output}_share_per_l2",
            ("pair", "frequency_per_l2"),
            f"share of the power of {output} outputs, on the axis of distance",
            "1",
            used,
        )
        add(f"{output}_power", ("pair", "cycle"), f"mean power of {output} outputs", f"{unit}²", "pair_n")
        add(used, ("pair",), f"paths whose {output} outputs have a share", "paths")
        for name, (long_name, units) in SCALARS.items():
            for pair in PAIRS:
                text = f"{long_name}, {output} outputs, {pair} classes"
                add(f"{output}_{pair}_{name}", (), text, units, f"{output}_{pair}_n")
            add(f"{output}_{name}_difference", (), f"{long_name}, {output}: between − within", units, both)
            if options.per_class:
                long_name = f"{long_name}, {output} outputs, paths that touch the class"
                add(f"{output}_class_{name}", ("pair", "class"), long_name, units, f"{output}_class_n")
        for pair in PAIRS:
            add(
                f"{output}_{pair}_power_centroid",
                (),
                f"centroid of the mean power, {output} outputs, {pair} classes",
                "cycles/path",
                f"{output}_{pair}_n",
            )
            add(f"{output}_{pair}_n", (), f"paths {pair} classes that were used", "paths")
            add(
                f"{output}_{pair}_n_flat",
                (),
                f"paths {pair} classes whose {output} outputs are a line, and have no share",
                "paths",
            )
        if options.per_class:
            add(f"{output}_class_n", ("pair", "class"), "paths that touch the class, as used", "paths")
    l2 = "pixel value"
    add("path_length", ("pair",), "L2 distance between the ends of a path", l2, "pair_n")
    add("pair_n", ("pair",), "paths", "paths")
    add("high_from", (), "frequency above which power is high", "cycles/path")
    add("high_from_per_l2", (), "frequency above which power is high", "cycles per unit of L2 distance")
    add("n", (), "paths", "paths")
    add("n_identical", (), "paths dropped because they join identical images", "paths")
    if options.legacy:
        dims = ("pair", "legacy_cycle")
        add("legacy", dims, f"spectrum as the {options.legacy} program computes it", "1", "pair_n")
        add("legacy_sd", dims, "its standard deviation over paths", "1", "pair_n")

    cycle = fourier.rings(options.samples)
    per_l2 = {"units": "cycles per unit of L2 distance", "long_name": "response frequency per distance"}
    coordinates: dict[str, tuple] = {
        "pair": ("pair", list(PAIRS), {"units": "1", "long_name": "classes that a path joins"}),
        "cycle": ("cycle", cycle, {"units": "cycles/path", "long_name": "response frequency along a path"}),
        "frequency_per_l2": ("frequency_per_l2", cycle / longest, per_l2),
    }
    if options.per_class:
        names = [given.class_names[number] for number in np.unique(given.labels)]
        coordinates |= of_classes(names)
    if options.legacy:
        counts = np.arange(options.samples) - options.samples // 2
        said = {"units": "cycles/path", "long_name": "response frequency, both signs"}
        coordinates["legacy_cycle"] = ("legacy_cycle", counts, said)
    said = {"measure": options.measure, "pairs": options.pairs, "samples": options.samples}
    return xr.Dataset(data, coordinates, {**said, "size": given.size, "batch_norm_images": 0})
