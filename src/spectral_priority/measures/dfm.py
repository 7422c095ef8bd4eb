"""Dominant-frequency map: which single frequencies a class can't do without (METHODS 5).

Every frequency of the half plane is removed from every image of a class, with its Hermitian partner; the mean growth of
the loss ranks the frequencies, and the top T % are dominant. Beside it, under its own name, stands the derivative of
the loss as amplitudes fade: exact for small changes, and no substitute. Their agreement is part of every result.

Question
--------
Without which single frequencies does a class's loss rise most?

Equation
--------
loss_increase_c(u,v) = mean_{i in c} [ℓ(x_i without (u,v) and (−u,−v)) − ℓ(x_i)]
amplitude_derivative_c(u,v) = −w · mean_{i in c} Re Σ_channel conj(FFT2(∇ℓ)) · FFT2(x_i),   w = 2; 1 for self-conjugate

Source
------
Wang et al. 2023 (arXiv 2307.09829).

Cost
----
For each image that ranks (`images_per_class`): a forward pass per frequency and two more, N²/2 + 3 for even N, 515 at
32 px and 25,091 at 224 px; one backward pass.

Pitfalls
--------
- The amplitude derivative is cheap, but no substitute for removal: `rank_correlation` and `top_overlap` tell how far
  off it is.
- Few images determine a ranking badly: where `split_half_correlation` is low, the map is mostly noise.
- Frequencies are removed one by one: what several do together is not seen (`shortcuts` with `search: patches` sees
  it).
- A saturated model's loss may not change at all: `n_unchanged` images, and `n_unranked` classes whose ranking is just
  that of the radius.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .. import fourier, half_plane
from ..config.measures import DominantFrequencyMap
from .coordinates import of_classes, of_half_plane, of_rings
from .draws import GROUPS, jackknife_groups
from .labelled_images import labelled_images
from .measured_model import device_of, measuring, precision_of, to_pixels, with_fresh_batch_norm
from .profile import standard_error
from .ranking import number_of, rank_correlation, top, top_overlap
from .registry import measure_options
from .removal import amplitude_derivatives, batches, images_by_class, loss_increases
from .variables import Variables

if TYPE_CHECKING:
    from .probe import Probe

AGREEMENT = 5.0
"""Per cent of frequencies whose overlap tells how far two rankings agree."""
RESAMPLES = 100
"""Bootstrap samples behind the errors of rankings."""
UNCHANGED = 1e-6
"""A removal that changes a loss by less than this part of it (of 1 nat, where that is more) is rounding."""


def dominant_frequency_map(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: DominantFrequencyMap | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Rank every frequency of the images by how much a class's loss grows when it is removed.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N), and returns logits (n, k), k ≥ 2; normalisation is its first layer.
        Measured in eval mode and left as it was found. It sees (N² + 1) ÷ 2 images for each one given.
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : DominantFrequencyMap or mapping, optional
        Options of the measure (`spectral_priority.config.measures.DominantFrequencyMap`), also as keywords:
        `top`, `images_per_class`, `seed`, `batch_size`.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image, which draws and the bootstrap's groups follow; by default its position.
    class_names : sequence of str, optional
        Names of the classes; by default their numbers.

    Returns
    -------
    xarray.Dataset
        On the half plane (`class`, `u`, `v`): `loss_increase`, the mean over the class's images of the loss with the
        frequency removed less the loss; `amplitude_derivative` −w·Re Σ_channel conj(G)·X; `dominant` (also on `top`): 1
        where a frequency is among the top T %. DC, which is never removed, has 0, 0 and 1. `ring_loss_increase` on
        `ring`: loss increase per frequency. Agreement of the two: `rank_correlation` (Spearman) and `top_overlap` (of
        the top 5 %: 0.05 by chance); `split_half_correlation`: of the loss increases of two halves of the images, which
        bounds what any estimate can reach. `dominant_radius`: mean radius of the top 5 %. These are means over classes;
        `class_<name>` are by class. `<name>_se` is the standard error over images. `n`, `class_n`; `n_constant` images
        that have no frequency but DC; `n_unchanged` images whose loss no removal changes (constant, or a saturated
        model), counted with increases of 0; `n_unranked` classes whose frequencies all have the same increase: their
        ranking is that of the radius, and their correlations and overlap are 0. A class with one image has no
        standard errors and no split halves: NaN there.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], labels that no logit belongs to, a
        model with one logit, and logits or gradients that are not finite.

    Notes
    -----
    METHODS 5; Wang et al., ICCV 2023 (arXiv 2307.09829), section 4. Unlike their released program, DC is kept and not
    ranked, a loss is that of the class's images alone, in nats per image, and T counts pairs (u, v), (−u, −v) once.
    Standard errors of means over images are exact; those of what follows from a ranking come from 100 bootstrap samples
    of 20 groups of a class's images (a jackknife, which rankings are too rough for, makes them three times too large).

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = dominant_frequency_map(model, torch.rand(8, 3, 8, 8), torch.arange(8) % 2)
    >>> found.loss_increase.dims, found.loss_increase.attrs["units"]
    (('class', 'u', 'v'), 'nat')
    >>> int(found.dominant.sel(top=20, v=1).isel({"class": 0}).sum()) <= 8
    True
    """
    options = _options(options, settings)
    given = labelled_images(images, labels, image_ids, class_names)
    chosen = images_by_class(given, options.images_per_class, options.seed)
    kind, of_class = precision_of(model), []
    with measuring(model, device) as measured:
        where = device_of(measured)
        for number, positions in chosen.items():
            sums = _Sums(len(half_plane.frequency_pairs(given.size)), where)
            groups = jackknife_groups(given.image_ids[positions])
            for batch in batches(len(positions), options.batch_size):
                pixels = to_pixels(images[positions[batch]], kind, where)
                of_batch = torch.full((len(pixels),), number, device=where)
                loss, increase = loss_increases(measured, pixels, of_batch, options.batch_size)
                derivative = amplitude_derivatives(measured, pixels, of_batch)
                sums.add(torch.from_numpy(groups[batch]).to(where), pixels, loss, increase, derivative)
            of_class.append(sums.finish(options.top, options.seed))
    names = [str(number if class_names is None else class_names[number]) for number in chosen]
    return _dataset(of_class, names, given.size, options)


def measure(model: nn.Module, probe: Probe, options: DominantFrequencyMap) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe: `dominant_frequency_map` of a copy with fresh batch-norm statistics."""
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = dominant_frequency_map(
        model, probe.images, probe.labels, options, image_ids=probe.image_ids, class_names=probe.class_names
    )
    return found.assign_attrs(batch_norm_images=recomputed)


class _Sums:
    """Sums over a class's images of what removals do, batch by batch, in float64."""

    def __init__(self, pairs: int, device: torch.device):
        self.maps = torch.zeros(2, GROUPS, pairs, dtype=torch.float64, device=device)
        self.squares = torch.zeros(2, pairs, dtype=torch.float64, device=device)
        self.counts = np.zeros(GROUPS)
        self.loss: list[np.ndarray] = []
        self.rings: list[np.ndarray] = []
        self.constant = self.unchanged = 0

    def add(
        self,
        group: torch.Tensor,
        pixels: torch.Tensor,
        loss: torch.Tensor,
        increase: torch.Tensor,
        derivative: torch.Tensor,
    ) -> None:
        largest = increase.abs().amax(dim=1)
        # Rounding is not to be ranked; a confident image's changes are small, but not beside its loss.
        increase = increase.masked_fill((largest <= UNCHANGED * loss)[:, None], 0.0)
        groups = torch.nn.functional.one_hot(group, GROUPS).double()
        both = torch.stack([increase, derivative])
        self.maps += groups.T @ both
        self.squares += both.square().sum(dim=1)
        self.counts += groups.sum(dim=0).cpu().numpy()
        self.loss.append(loss.cpu().numpy())
        self.rings.append(fourier.radial_sum(half_plane.on_half_plane(increase.cpu().numpy())))
        self.constant += int((pixels == pixels[:, :, :1, :1]).flatten(1).all(dim=1).sum())
        self.unchanged += int((largest <= UNCHANGED * loss.clamp(min=1)).sum())

    def finish(self, tops: Sequence[float], seed: int) -> dict[str, Any]:
        """Return the class's numbers, and the standard error of each as `<name>_se`."""
        used = self.counts > 0
        sums, counts = self.maps.cpu().numpy()[:, used], self.counts[used]
        number = int(counts.sum())
        mean, error = sums.sum(axis=1) / number, np.full(sums.shape[::2], np.nan)
        if number > 1:
            variance = self.squares.cpu().numpy() / number - mean**2
            error = np.sqrt(np.maximum(variance, 0) / (number - 1))
        found = {
            "n": number,
            "constant": self.constant,
            "unchanged": self.unchanged,
            "unranked": int(np.ptp(mean[0]) == 0),
            "top": np.stack([top(mean[0], percent) for percent in tops]),
        }
        for name, value, its_error in zip(
            ("loss_increase", "amplitude_derivative"), mean, error, strict=True
        ):
            found |= {name: value, f"{name}_se": its_error}
        rings = np.concatenate(self.rings)
        rings /= fourier.ring_sizes(half_plane.size_of_pairs(mean.shape[-1]))
        for name, of_image in (("loss", np.concatenate(self.loss)), ("ring_loss_increase", rings)):
            found |= {name: of_image.mean(axis=0), f"{name}_se": standard_error(of_image)}
        groups = len(counts)
        drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
        for name, value in _of_rankings(
            sums, counts, np.concatenate([np.ones((1, groups)), drawn]), tops
        ).items():
            found |= {name: value[0], f"{name}_se": _spread(value[1:], groups)}
        return found


def _of_rankings(
    sums: np.ndarray, counts: np.ndarray, weights: np.ndarray, tops: Sequence[float]
) -> dict[str, np.ndarray]:
    """What follows from the rankings of a class, for several samples of the groups of its images: (sample, …).

    Parameters
    ----------
    sums : ndarray (2, group, pairs)
        Loss increases and amplitude derivatives.
    counts : ndarray (group,)
        Images of each group.
    weights : ndarray (sample, group)
        How often a sample has each group.
    """
    increase, derivative = (weights @ of / (weights @ counts)[:, None] for of in sums)
    pairs = increase.shape[-1]
    radius = half_plane.pair_radius(half_plane.size_of_pairs(pairs))[
        np.argsort(-increase, axis=-1, kind="stable")
    ]
    first = np.arange(len(counts)) % 2 == 0
    halves = [weights * half for half in (first, ~first)]
    there = np.all([half.any(axis=1) for half in halves], axis=0)
    split = np.full(len(weights), np.nan)
    split[there] = rank_correlation(
        *(half[there] @ sums[0] / (half[there] @ counts)[:, None] for half in halves)
    )
    return {
        "rank_correlation": rank_correlation(increase, derivative),
        "top_overlap": top_overlap(increase, derivative, AGREEMENT),
        "split_half_correlation": split,
        "dominant_radius": radius[:, : number_of(AGREEMENT, pairs)].mean(axis=-1),
        "radius": np.stack(
            [radius[:, : number_of(percent, pairs)].mean(axis=-1) for percent in tops], axis=-1
        ),
    }


def _spread(values: np.ndarray, groups: int) -> np.ndarray:
    """Standard error from bootstrap samples; NaN for one group. Samples that leave a half empty don't count."""
    there = values[~np.isnan(values.reshape(len(values), -1)).any(axis=1)]
    if groups < 2 or len(there) < 2:
        return np.full(values.shape[1:], np.nan)
    return there.std(axis=0, ddof=1) * np.sqrt(groups / (groups - 1))


def _options(options: DominantFrequencyMap | Mapping[str, Any] | None, settings: Mapping[str, Any]):
    given = options.model_dump() if isinstance(options, DominantFrequencyMap) else dict(options or {})
    return measure_options("dfm", {**given, **settings})


MEANS = {
    "rank_correlation": (
        "Spearman correlation of loss increase and amplitude derivative over frequencies",
        "1",
    ),
    "top_overlap": ("part of the top 5 % by loss increase that the amplitude derivative finds", "1"),
    "split_half_correlation": ("Spearman correlation of the loss increases of two halves of the images", "1"),
    "dominant_radius": ("mean radius of the top 5 % of frequencies", "cycles/image"),
    "loss": ("cross-entropy of the images as they are", "nat"),
}
"""Scalars of a map, by class and as means over classes: what each is, and its unit."""


def _dataset(
    of_class: list[dict[str, Any]], class_names: list[str], size: int, options: DominantFrequencyMap
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    by_class = {name: np.stack([found[name] for found in of_class]) for name in of_class[0]}
    data = Variables()

    def add(name: str, dims: tuple[str, ...], values: Any, errors: Any, long_name: str, units: str) -> None:
        data.add(name, dims, values, long_name, units, error=errors, n="class_n")
        if name.endswith("split_half_correlation"):
            data[name][2]["n_least"] = 2

    for name, long_name, units in (
        ("loss_increase", "loss with the frequency removed less the loss, mean over images", "nat"),
        ("amplitude_derivative", "derivative of the loss as the frequency fades, mean over images", "nat"),
    ):
        planes = [half_plane.on_half_plane(by_class[of]).astype(np.float32) for of in (name, f"{name}_se")]
        add(name, ("class", "u", "v"), *planes, long_name, units)
    dominant = half_plane.on_half_plane(by_class["top"].astype(np.uint8), dc=1)
    needed = "1: among the frequencies that the class needs most, or DC"
    data.add("dominant", ("class", "top", "u", "v"), dominant, needed)
    for name, (long_name, units) in MEANS.items():
        values, errors = by_class[name], by_class[f"{name}_se"]
        add(name, (), *_mean(values, errors), f"{long_name}, mean over classes", units)
        add(f"class_{name}", ("class",), values, errors, long_name, units)
    radius = (by_class["radius"], by_class["radius_se"], "mean radius of the top frequencies", "cycles/image")
    add("class_top_radius", ("class", "top"), *radius)
    rings = (by_class["ring_loss_increase"], by_class["ring_loss_increase_se"])
    long_name = "loss increase per frequency of the ring"
    add("ring_loss_increase", ("ring",), *_mean(*rings), f"{long_name}, mean over classes", "nat")
    add("class_ring_loss_increase", ("class", "ring"), *rings, long_name, "nat")
    data.add("class_n", ("class",), by_class["n"], "images of the class that were used", "images")
    for name, of, long_name, units in (
        ("n", "n", "images used", "images"),
        ("n_constant", "constant", "images used that have no frequency but DC", "images"),
        ("n_unchanged", "unchanged", "images used whose loss no removal changes", "images"),
        ("n_unranked", "unranked", "classes whose frequencies all have the same loss increase", "classes"),
    ):
        data.add(name, (), by_class[of].sum(), long_name, units)

    top = {"units": "%", "long_name": "part of all frequencies but DC"}
    coordinates = of_classes(class_names) | of_rings(size) | of_half_plane(size)
    coordinates["top"] = ("top", list(options.top), top)
    said = {"measure": options.measure, "size": size, "batch_norm_images": 0}
    return xr.Dataset(data, coordinates, said | {"images_per_class": options.images_per_class})


def _mean(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over classes, with its standard error over images: those of different classes are independent."""
    return values.mean(axis=0), np.sqrt((errors**2).sum(axis=0)) / len(errors)
