"""Frequency principle: how much of the low and of the high part of the labels, as a function of images, is learned.

Two methods, filtering and projection (METHODS 4). Both are about response frequencies: of the function x → y, not of an
image.

Question
--------
Is the smooth part of the labels, as a function of the images, learned before the rest?

Equation
--------
y_low = K y,   K_ij ∝ exp(−‖x_i − x_j‖² ÷ 2δ), rows sum to 1;   y_high = y − y_low;   outputs h alike
low_error = ‖y_low − h_low‖ ÷ ‖y_low‖,   high_error alike;   projection_error = |ĥ(k) − ŷ(k)| ÷ |ŷ(k)|

Source
------
Xu, Zhang, Luo, Xiao, Ma 2019 (arXiv 1901.06523).

Cost
----
One forward pass of each of at most `most_images` images, no backward pass; beside it, for each filter, the product of
an (images × images) matrix with the labels and outputs, which are few columns. (1 + filters) · images² numbers in
memory.

Pitfalls
--------
- The filters are wide: on 1,000 images of Tiny-ImageNet they average 800 to 960. `neighbours` tells, `scale` narrows
  them.
- Where all near images have one label there is no high part: `high_error` is missing, and `label_high_ratio` is 0.
- Errors of a projection mean something only where `label_amplitude` is well above `noise_amplitude`.
- Probe images stand in for the paper's training images: late in training the errors are those of generalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from ..config.measures import FPrinciple
from ..errors import InputError
from .answers import logits_of
from .draws import jackknife_groups, keyed_uniform
from .labelled_images import LabelledImages, labelled_images
from .measured_model import device_of, measuring, precision_of, to_pixels, with_fresh_batch_norm
from .neighbourhoods import gaussian, neighbourhood
from .profile import jackknife_error, leave_one_out, standard_error
from .registry import measure_options
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe

RELEASED_VARIANCES = np.linspace(2, 100, 20)
"""δ of the released program."""
NOTHING = 1e-20
"""A part of the labels with no more than so much of their squared norm is rounding."""
MISSING_IN = {
    **{f"{name}{end}": f"{name}{end}_missing" for name in ("low_error", "high_error", "projection_error",
       "legacy_high_error") for end in ("", "_se")},
    **{f"{name}{end}": f"mean_error{end}_missing" for name in ("mean_low_error", "mean_high_error", "error_gap")
       for end in ("", "_se")},
    "label_low_ratio_se": "label_ratio_se_missing",
    "label_high_ratio_se": "label_ratio_se_missing",
}  # fmt: skip
"""Numbers that have none where labels have no part to be in error about, and what counts the missing values."""


def frequency_principle(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: FPrinciple | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure the relative errors of a classifier's outputs in the low and the high part of the labels.

    Parameters
    ----------
    model, images, labels, device, image_ids, class_names
        As `gradient_spectrum` takes them; `image_ids` also decide which images are taken.
    options : FPrinciple or mapping, optional
        Options of the measure (`spectral_priority.config.measures.FPrinciple`), also as keywords:
        `quantiles`, `scale`, `most_images`, `seed`, `frequencies`, `legacy`, `batch_size`.

    Returns
    -------
    xarray.Dataset
        On `quantile` (of the squared distances; `variance` δ beside it): `low_error` ‖y_low − h_low‖/‖y_low‖ and
        `high_error` of labels y and softmax outputs h, both centred by class frequency; `label_low_ratio`
        ‖y_low‖²/‖y‖² and `label_high_ratio`; `neighbours`, the mean over images of 1/Σ_j K_ij², the image itself
        counted. The scalars `mean_low_error`, `mean_high_error` and `error_gap` (high − low) are means over the
        filters. On `frequency` (cycles over the range of the first principal component): `projection_error`
        |ĥ(k) − ŷ(k)|/|ŷ(k)| and `label_amplitude` |ŷ(k)|, norms over classes; `noise_amplitude` is what labels that
        have nothing to do with the component would have. `<name>_se` is the standard error over images; `n` images.

    Raises
    ------
    InputError
        As `gradient_spectrum`, for images that are all the same, and for labels that are.

    Notes
    -----
    METHODS 4; after Xu, Zhang, Luo, Xiao, Ma 2019 (arXiv 1901.06523), filtering and projection methods. Centring
    changes ‖y_low‖ only: without it a constant output 1/C would already be most of y_low. Where a filter leaves no
    high part (all near images have one label), `high_error` is NaN with `label_high_ratio` 0 beside it, and the
    scalars are means over the `n_filters` others. At most `most_images` images are taken, drawn by (seed, id);
    their distances and filters, (1 + filters) · images² numbers, are made once for all checkpoints. Standard errors
    come from a jackknife over 20 groups of images, which are left out of the filters' sums too (δ and the component
    stay); NaN where without some group there is only one label.

    Quantiles of squared distances make wide filters, since 2δ stands in the exponent: on 1,000 images of Tiny-ImageNet
    they average 807, 882, 924 and 958 images (`neighbours` tells). `scale` makes them narrower.

    The paper's rescaling of the component is unknown; here its range over the images is 1, and frequencies start at
    1 since both coefficients at 0 are those of the means. Relative errors mean something where `label_amplitude` is
    well above `noise_amplitude`: the paper looks at its peaks.

    `legacy="uncentred"` adds what filter_gd.py (xuzhiqin1990/F-Principle) computes, `legacy_low_error` and
    `legacy_high_error`: nothing is centred, and δ is one of 20 variances from 2 to 100, whatever the distances are; on
    this probe's images in place of 5,000 training images. `uncentred_low_error` has the quantiles' variances.

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = frequency_principle(model, torch.rand(40, 3, 16, 16), torch.arange(40) % 2)
    >>> found.low_error.dims, found.variance.attrs["units"], int(found.n)
    (('quantile',), '(pixel value)²', 40)
    """
    options = _options(options, settings)
    given = labelled_images(images, labels, image_ids, class_names)
    chosen, groups = _chosen(given, options)
    if len(np.unique(given.labels[chosen])) < 2:
        raise InputError("labels", f"found {given.labels[chosen[0]]} only", "two classes or more")
    with measuring(model, device) as measured:
        outputs = _outputs(measured, given, chosen, options.batch_size)
    near = neighbourhood(given.images, chosen, options.quantiles, options.scale, outputs.device)
    target = torch.nn.functional.one_hot(
        torch.from_numpy(given.labels[chosen]).to(outputs.device), outputs.shape[1]
    ).double()
    filters = [_filtered(weights, outputs - target, target, groups) for weights in near.weights]
    values = _of_filters([_errors(sums) for sums in filters])
    values["neighbours"] = near.neighbours.mean(axis=1)
    values["neighbours_se"] = standard_error(near.neighbours.T)
    values |= _of_projection(near.position, outputs - target, target, groups, options.frequencies)
    if options.legacy:
        released = [
            _filtered(gaussian(near.squared, variance), outputs - target, target, groups)
            for variance in RELEASED_VARIANCES
        ]
        values |= _legacy(filters, "uncentred_low_error", None)
        values |= _legacy(released, "legacy_low_error", "legacy_high_error")
    values |= {"n": len(chosen), "explained": near.explained}
    return _dataset(values, near.variances, given.size, options)


def measure(model: nn.Module, probe: Probe, options: FPrinciple) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `frequency_principle` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = frequency_principle(
        model, probe.images, probe.labels, options, image_ids=probe.image_ids, class_names=probe.class_names
    )
    return found.assign_attrs(batch_norm_images=recomputed)


def _options(options: FPrinciple | Mapping[str, Any] | None, settings: Mapping[str, Any]) -> FPrinciple:
    given = options.model_dump() if isinstance(options, FPrinciple) else dict(options or {})
    return measure_options("fprinciple", {**given, **settings})


def _chosen(given: LabelledImages, options: FPrinciple) -> tuple[np.ndarray, list[slice]]:
    """Return which images are taken, jackknife group by group, and where each group lies among them."""
    order = np.argsort(keyed_uniform(options.seed, given.image_ids), kind="stable")[: options.most_images]
    group = jackknife_groups(given.image_ids[order])
    order = order[np.argsort(group, kind="stable")]
    ends = np.cumsum(np.bincount(group))
    return order, [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _outputs(model: nn.Module, given: LabelledImages, chosen: np.ndarray, batch_size: int) -> torch.Tensor:
    """Softmax outputs (n, class) in float64."""
    kind, where = precision_of(model), device_of(model)
    parts = []
    for start in range(0, len(chosen), batch_size):
        pixels = to_pixels(given.images[chosen[start : start + batch_size]], kind, where)
        parts.append(logits_of(model, pixels, given.labels[chosen]).softmax(dim=1))
    return torch.cat(parts)


def _filtered(
    weights: torch.Tensor, deviation: torch.Tensor, target: torch.Tensor, groups: list[slice]
) -> dict[str, np.ndarray]:
    """Filter labels and the outputs' deviation from them; squared norms of all parts.

    Parameters
    ----------
    weights : Tensor (n, n)
        Of the filter, rows not normalised.
    deviation, target : Tensor (n, class)
        h − y and y.
    groups : list of slice

    Returns
    -------
    dict of ndarray (1 + group,)
        Of all images, then of all but those of each group: `low`, `high` of the deviation; `label_low`,
        `label_high`, `label` of centred labels; `uncentred_low` of labels as they are.
    """
    ones = torch.ones(len(target), 1, dtype=target.dtype, device=target.device)
    both = torch.cat([deviation, target, ones], dim=1)  # the last column becomes the sums of rows
    sums, classes = weights @ both, target.shape[1]
    found = []
    for left_out in [slice(0, 0), *groups]:
        low = torch.addmm(sums, weights[:, left_out], both[left_out], alpha=-1)
        low = low[:, :-1] / low[:, -1:]
        high = both[:, :-1] - low
        frequency = _share_of_others(target, left_out)
        low_label = low[:, classes:]
        parts = {
            "low": low[:, :classes],
            "high": high[:, :classes],
            "label_low": low_label - frequency,
            "label_high": high[:, classes:],
            "label": target - frequency,
            "uncentred_low": low_label,
        }
        for part in parts.values():
            part[left_out] = 0
        found.append(torch.stack([torch.linalg.vector_norm(part) for part in parts.values()]))
    norms = torch.stack(found, dim=1).cpu().numpy()
    return dict(zip(parts, norms**2, strict=True))


def _share_of_others(target: torch.Tensor, left_out: slice) -> torch.Tensor:
    """Class frequencies without a group of images."""
    return (target.sum(dim=0) - target[left_out].sum(dim=0)) / (len(target) - len(target[left_out]))


def _ratio(part: np.ndarray, of: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Ratio of norms from squared ones; NaN where the denominator is nothing beside the labels."""
    there = of > NOTHING * label
    return np.sqrt(np.divide(part, of, where=there, out=np.full(part.shape, np.nan)))


def _errors(sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    label = sums["label"]
    return {
        "low_error": _ratio(sums["low"], sums["label_low"], label),
        "high_error": _ratio(sums["high"], sums["label_high"], label),
        "label_low_ratio": _ratio(sums["label_low"], label, label) ** 2,
        "label_high_ratio": _ratio(sums["label_high"], label, label) ** 2,
    }


def _with_errors(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From estimates (1 + group, …), the first of all images, make values and their standard errors."""
    values = {name: value[0] for name, value in found.items()}
    return values | {f"{name}_se": jackknife_error(value[1:]) for name, value in found.items()}


def _of_filters(errors: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    found = {name: np.stack([row[name] for row in errors], axis=1) for name in errors[0]}
    known = np.isfinite(found["low_error"][0]) & np.isfinite(found["high_error"][0])
    for name in ("low_error", "high_error"):
        there = found[name][:, known]
        found[f"mean_{name}"] = there.mean(axis=1) if known.any() else np.full(len(there), np.nan)
    found["error_gap"] = found["mean_high_error"] - found["mean_low_error"]
    values = _with_errors(found) | {"n_filters": int(known.sum())}
    means = ("mean_low_error_se", "mean_high_error_se", "error_gap_se")
    if not all(np.isfinite(values[name]) for name in means):  # what one can't know, the others don't say
        values |= dict.fromkeys(means, np.nan)
    return values


def _of_projection(
    position: torch.Tensor,
    deviation: torch.Tensor,
    target: torch.Tensor,
    groups: list[slice],
    frequencies: int,
) -> dict[str, np.ndarray]:
    """Errors and amplitudes of Fourier coefficients at 1 … `frequencies` cycles over the component's range."""
    cycles = torch.arange(1, frequencies + 1, dtype=torch.float64, device=position.device)
    phase = 2 * torch.pi * cycles[:, None] * position
    wave = torch.cat([phase.cos(), phase.sin()])
    ones = torch.ones(len(target), 1, dtype=torch.float64, device=position.device)
    both = torch.cat([deviation, target, ones], dim=1)
    of_groups = torch.stack([wave[:, group] @ both[group] for group in groups]).cpu().numpy()
    sizes = np.array([group.stop - group.start for group in groups])
    mean = leave_one_out(of_groups) / leave_one_out(sizes)[:, None, None]
    share = np.stack([_share_of_others(target, left).cpu().numpy() for left in [slice(0, 0), *groups]])
    of_deviation, of_label, of_one = np.split(mean, [target.shape[1], 2 * target.shape[1]], axis=2)
    of_label = of_label - of_one * share[:, None]
    deviation_power, label_power = (
        (part**2).sum(axis=2).reshape(-1, 2, frequencies).sum(axis=1) for part in (of_deviation, of_label)
    )
    label = np.ones_like(label_power)
    values = _with_errors(
        {
            "projection_error": _ratio(deviation_power, label_power, label),
            "label_amplitude": np.sqrt(label_power),
        }
    )
    spread = (1 - target.mean(dim=0).square().sum()).item()
    return values | {"noise_amplitude": np.sqrt(spread / len(target))}


def _legacy(filters: list[dict[str, np.ndarray]], low: str, high: str | None) -> dict[str, np.ndarray]:
    found = {low: [_ratio(sums["low"], sums["uncentred_low"], sums["label"]) for sums in filters]}
    if high:
        found[high] = [_ratio(sums["high"], sums["label_high"], sums["label"]) for sums in filters]
    return _with_errors({name: np.stack(rows, axis=1) for name, rows in found.items()})


def _dataset(values: dict[str, Any], variances: np.ndarray, size: int, options: FPrinciple) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    by_filter, by_frequency, by_released = ("quantile",), ("frequency",), ("legacy_variance",)
    known = {
        "low_error": (by_filter, "relative error in the low part of the labels", "1"),
        "high_error": (by_filter, "relative error in the high part of the labels", "1"),
        "label_low_ratio": (by_filter, "share of the centred labels' squared norm in their low part", "1"),
        "label_high_ratio": (
            by_filter,
            "squared norm of the labels' high part ÷ that of centred labels",
            "1",
        ),
        "neighbours": (by_filter, "effective number of images that a filter averages", "images"),
        "mean_low_error": ((), "relative error in the low part, mean over filters", "1"),
        "mean_high_error": ((), "relative error in the high part, mean over filters", "1"),
        "error_gap": ((), "relative error, high − low part, mean over filters", "1"),
        "projection_error": (by_frequency, "relative error along the first principal component", "1"),
        "label_amplitude": (by_frequency, "amplitude of centred labels along the component", "1"),
        "noise_amplitude": ((), "amplitude of labels that have nothing to do with the component", "1"),
        "explained": ((), "share of the images' variance on the first principal component", "1"),
        "n": ((), "images used", "images"),
        "n_filters": ((), "filters that leave a high part", "filters"),
        "uncentred_low_error": (by_filter, "relative error in the low part of uncentred labels", "1"),
        "legacy_low_error": (by_released, "low_error as the released program computes it", "1"),
        "legacy_high_error": (by_released, "high_error as the released program computes it", "1"),
    }
    data = Variables()
    for name in filter(values.__contains__, known):
        dims, long_name, units = known[name]
        data.add(name, dims, values[name], long_name, units, error=values.get(f"{name}_se"))
    for name in filter(data.__contains__, MISSING_IN):
        data.count_missing(name, MISSING_IN[name], f"how many values of {name} are NaN")
    squared = {"units": "(pixel value)²", "long_name": "variance δ of the filter"}
    coordinates: dict[str, tuple] = {
        "quantile": (
            by_filter,
            np.array(options.quantiles),
            {"units": "1", "long_name": "quantile of squared distances between images"},
        ),
        "variance": (by_filter, variances, squared),
        "frequency": (
            by_frequency,
            np.arange(1, options.frequencies + 1),
            {"units": "cycles/range", "long_name": "response frequency along the first principal component"},
        ),
    }
    if options.legacy:
        coordinates["legacy_variance"] = (by_released, RELEASED_VARIANCES, squared)
    return xr.Dataset(data, coordinates, {"measure": options.measure, "size": size, "batch_norm_images": 0})
