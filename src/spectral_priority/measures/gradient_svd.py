"""Singular values of the weight gradients of groups of images: how many directions each group trains (METHODS 6).

Question
--------
In how many directions does each group of images train a layer, and do the groups differ?

Equation
--------
∇W_g = Σ_{rows of g} Δᵀ A = U diag(σ) Vᵀ, with A a layer's inputs and Δ the derivatives of the loss by its outputs
p_i = σ_i ÷ Σσ,   effective_rank = exp(−Σ p_i ln p_i),   stable_rank = Σσ² ÷ σ₁²

Source
------
Baker, Calhoun, Plis 2024 (arXiv 2406.11825). The test is ours, after Janssen 1997, and Westfall and Young 1993.

Cost
----
One forward and one backward pass per image, two of each in groups of more than `batch_size` images, and two more that
tell whether layers see samples first; a singular value decomposition per layer and group; `permutations` of small
sketches.

Pitfalls
--------
- The gradient of few images has a small rank because they are few: compare groups of different size by `equal_rank`.
- Standard errors are first-order, and up to twice too large where a mean gradient is mostly sampling noise.
- Confident images have hardly any gradient: late in training a few hard images make the rank. `n_zero` counts exact
  zeros.
- Every layer must see samples first: a transformer built without `batch_first=True` is refused, for rows of one image
  would be taken for another's.
- `statistics: batch` holds the activations of `together` images in memory at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..config.measures import GradientSvd
from ..errors import InputError
from .draws import keyed_uniform
from .group_difference import Difference, group_difference
from .group_passes import Pass, Passes, packs, use_statistics_of_batches
from .layer_gradients import SummedGradient, along, of_rows, sketched
from .measured_model import (
    check_images,
    measuring,
    with_fresh_batch_norm,
)
from .profile import standard_error
from .registry import measure_options
from .singular_values import effective_rank, effective_rank_slope, entropy, stable_rank
from .variables import Variables
from .weight_layers import number_left_out

if TYPE_CHECKING:
    from .probe import Probe

RANKS = ("largest", "effective_rank", "stable_rank")
"""Numbers of a spectrum that get a standard error over images."""


def gradient_svd(
    model: nn.Module,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    options: GradientSvd | Mapping[str, Any] | None = None,
    *,
    groups: np.ndarray | Tensor | None = None,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    group_names: Sequence[str] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure the singular values of each layer's weight gradient, for each group of images.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N) or volumes (n, channel, …), and returns logits (n, k), k ≥ 2. Its
        `Linear`, `Conv1d`, `Conv2d` and `Conv3d` are measured, ∇W as the matrix (c_out, c_in·k). It is left as it was.
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel); volumes with three sides
        of any length.
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : GradientSvd or mapping, optional
        Options of the measure (`spectral_priority.config.measures.GradientSvd`), also as keywords: `singular_values`,
        `statistics`, `together`, `permutations`, `test_images`, `sketch`, `seed`, `batch_size`.
    groups : array or Tensor (n,) of whole numbers, optional
        Group of each image, by default its class.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image, which random draws follow; by default its position.
    group_names : sequence of str, optional
        Names of the groups; by default their numbers.

    Returns
    -------
    xarray.Dataset
        Of the gradient of a group's *mean* loss, on (`layer`, `group`): `singular_value` with `index` behind (the
        largest; 0 from `full_rank` = min(c_out, c_in·k) on), `largest`, `entropy` in nats, `effective_rank` its
        exponential, `stable_rank`, `<rank>_share` of `full_rank`; `equal_rank`, the effective rank of `equal_n` images
        of each group (of projections of their gradients, where a layer is wider than `sketch`). On `layer`:
        `difference_statistic` of `equal_rank` between groups, its `difference_p`, and `difference_p_adjusted` for all
        layers. Scalars `mean_effective_rank_share, mean_stable_rank_share` over layers and groups. `<name>_se` is the
        standard error over images; `group_n, n, n_zero, n_without, equal_n, n_permutations, n_layers, n_left_out`
        count.

    Raises
    ------
    InputError
        For images, labels or groups that don't fit together, for a model without such layers, for weights or
        gradients that are not finite.

    Notes
    -----
    After Baker, Calhoun, Plis 2024 (arXiv 2406.11825): the spectrum of ∇W = Δᵀ A in reverse-mode differentiation, by
    groups of samples. In eval mode a group's images are taken alone; with `statistics="batch"` all images go through
    one pass and a group has its rows of it. Gradients of all groups, times their number of images, add up to the
    gradient of the summed loss. Their test of groups is unknown to us; for ours see
    `group_difference`: images are permuted between groups of equal size, corrected over layers.

    Standard errors are first-order (infinitesimal jackknife): the derivative of a number by ∇W along each image's own
    gradient; NaN for a group of one image. They err on the large side, up to twofold, where a mean gradient is mostly
    sampling noise. Effective ranks of few images are small because the images are few: compare groups of different
    size by `equal_rank`. A gradient of exact zeros (saturated images, dead layers) has rank 0 and is counted in
    `n_without`; images with a zero gradient of the logits in `n_zero`. A group of more than `batch_size` images is
    passed through the model twice: for its gradient, then for errors and sketches.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6**3, 2))
    >>> found = gradient_svd(model, torch.rand(12, 1, 8, 8, 8), torch.arange(12) % 2)
    >>> found.effective_rank.dims, found.full_rank.values.tolist(), found.largest.attrs["units"]
    (('layer', 'group'), [4, 2], 'loss per unit of weight')

    A torchvision model:

    >>> from torchvision.models import squeezenet1_1
    >>> model, images = squeezenet1_1(num_classes=3), torch.rand(6, 3, 32, 32)
    >>> found = gradient_svd(model, images, torch.arange(6) % 3, groups=torch.arange(6) % 2, permutations=20)
    >>> int(found.n_layers), found.sizes["group"], bool((found.difference_p_adjusted >= found.difference_p).all())
    (26, 2, True)
    """
    given = options.model_dump() if isinstance(options, GradientSvd) else dict(options or {})
    options = measure_options("gradient-svd", {**given, **settings})
    count, size = _check(images, labels)
    ids = np.arange(count) if image_ids is None else np.asarray(image_ids)
    labels = _whole_numbers("labels", labels, count)
    groups = labels if groups is None else _whole_numbers("groups", groups, count)
    if ids.shape != (count,):
        raise InputError("image_ids", f"found shape {ids.shape}", f"one id per image, ({count},)")
    if group_names is not None and not 0 <= groups.min() <= groups.max() < len(group_names):
        raise InputError("group_names", f"found {len(group_names)}, but a group is {groups.max()}")
    together = options.statistics == "batch"
    chosen = _drawn(ids, options.together if together else count, options.seed)
    chosen = chosen[np.lexsort((ids[chosen], groups[chosen]))]  # a group's images lie one behind another
    present, of_image = np.unique(groups[chosen], return_inverse=True)
    tested = np.zeros(count, dtype=bool)
    if options.permutations and len(present) > 1:
        tested[chosen[_drawn(ids[chosen], options.test_images, options.seed)]] = True

    model = getattr(model, "_orig_mod", model)  # what torch.compile made runs without the hooks of its layers
    if together:
        model = copy.deepcopy(model)  # its running statistics move
    bounds = np.flatnonzero(np.diff(of_image, prepend=-1, append=len(present)))
    with measuring(model, device) as measured:
        passes = Passes(measured, images, labels, chosen)
        passes.check_that_samples_come_first()
        if together:
            use_statistics_of_batches(measured)
        found = _Found(passes.layers, options, tested[chosen])
        for batches in packs(bounds, len(chosen) if together else options.batch_size):
            run = passes.several(batches)
            for start, stop in pairwise(bounds):
                if batches[0].start <= start < batches[-1].stop:
                    found.add(run, slice(start, stop))
        names = [str(number) if group_names is None else str(group_names[number]) for number in present]
        counts = {
            "group_n": np.diff(bounds),
            "n": len(chosen),
            "n_zero": passes.zero,
            "n_layers": len(found.layers),
            "n_left_out": number_left_out(measured, found.layers),
        }
        difference = found.difference(of_image[tested[chosen]], len(present))
        counts |= {
            "equal_n": difference.number,
            "n_permutations": options.permutations if difference.number else 0,
        }
        data = _dataset(found, difference, counts, names, options)
    return data.assign_attrs(size=size, batch_norm_images=0)


def measure(model: nn.Module, probe: Probe, options: GradientSvd) -> xr.Dataset:
    """Measure one checkpoint on a tier's probe, with fresh batch-norm statistics, by class or by another label."""
    groups, names, column = probe.labels, probe.class_names, options.label
    if column is not None:
        if column not in probe.columns:
            known = ", ".join(probe.columns) or "none in this data set"
            raise InputError("gradient-svd: label", f"found {column!r}", known)
        groups, names = probe.columns[column], probe.column_names[column]
    recomputed = 0
    if options.statistics == "running":
        model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = gradient_svd(
        model,
        probe.images,
        probe.labels,
        options,
        groups=groups,
        image_ids=probe.image_ids,
        group_names=names,
    )
    return found.assign_attrs(batch_norm_images=recomputed, label=column or "class")


class _Found:
    """What is kept of each group: numbers of its spectra, their errors, and sketches of its images for the test."""

    def __init__(self, layers: Mapping[str, nn.Module], options: GradientSvd, tested: np.ndarray):
        self.layers, self.options, self.tested = dict(layers), options, tested
        self.spectra: list[np.ndarray] = []
        self.values: dict[str, list] = {name: [] for name in (*RANKS, "entropy")}
        self.errors: dict[str, list] = {name: [] for name in RANKS}
        self.error_of_mean: dict[str, list] = {name: [] for name in RANKS}
        self._sketches: dict[str, list[np.ndarray]] = {}
        self._bases: dict[str, tuple[Tensor, Tensor]] = {}

    def full_rank(self) -> np.ndarray:
        """Return min(c_out, c_in·k) of each layer."""
        return np.array([min(layer.weight.flatten(1).shape) for layer in self.layers.values()])

    def add(self, run: Callable[[], Iterable[Pass]], group: slice) -> None:
        """Add a group, whose passes are run once for the gradient's spectrum, and once for errors and sketches."""
        sums: dict[str, SummedGradient] = {}
        for made in run():
            for name, uses in made.of_group(self.layers, group)[0].items():
                summed = sums.setdefault(name, SummedGradient(self.layers[name]))
                for use in uses:
                    summed.add(*use)
        if not sums:
            raise InputError("model", "has no linear layer or convolution that the loss depends on")
        self.layers = {name: layer for name, layer in self.layers.items() if name in sums}
        count, full_rank = group.stop - group.start, self.full_rank()
        spectra = np.zeros((len(sums), full_rank.max()))
        directions: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for row, name in zip(spectra, self.layers, strict=True):
            u, values, v = sums.pop(name).decomposed()
            row[: len(values)] = values.cpu().numpy() / count
            slopes = _slopes(row[: len(values)], v.shape[1] * torch.finfo(self.layers[name].weight.dtype).eps)
            directions[name] = u, torch.from_numpy(slopes).to(u.device), v
        influence = np.zeros((len(RANKS), len(self.layers), count))
        for made in run():
            uses, of_group = made.of_group(self.layers, group)
            number = of_group.stop - of_group.start
            kept = torch.from_numpy(np.flatnonzero(self.tested[group][of_group]))
            for at, (name, layer) in enumerate(self.layers.items()):
                for use in uses[name]:
                    influence[:, at, of_group] += along(layer, *directions[name], *use, number).cpu().numpy()
                if len(kept):
                    self._sketch(name, uses[name], kept, number)
        self._conclude(spectra, influence, full_rank)

    def difference(self, groups: np.ndarray, number: int) -> Difference:
        """Test the difference of the groups of the sketched images."""
        sketches = [np.concatenate(self._sketches.get(name, [np.zeros((0, 1, 1))])) for name in self.layers]
        return group_difference(sketches, groups, number, self.options.permutations, self.options.seed)

    def _sketch(self, name: str, uses: list[tuple[Tensor, Tensor]], kept: Tensor, count: int) -> None:
        layer = self.layers[name]
        kept = kept.to(uses[0][0].device)
        if name not in self._bases:
            shape = layer.weight.flatten(1).shape
            rng = np.random.default_rng([self.options.seed, *shape])
            left, right = (torch.from_numpy(_basis(side, self.options.sketch, rng)) for side in shape)
            self._bases[name] = left.T.to(kept.device), right.to(kept.device)
        parts = [of_rows(layer, *use, kept, count) for use in uses]
        found = sum(sketched(layer, *self._bases[name], *part, len(kept)) for part in parts)
        self._sketches.setdefault(name, []).append(found.cpu().numpy())

    def _conclude(self, spectra: np.ndarray, influence: np.ndarray, full_rank: np.ndarray) -> None:
        self.spectra.append(spectra[:, : self.options.singular_values])
        found = (spectra[:, 0], effective_rank(spectra), stable_rank(spectra), entropy(spectra))
        for name, values in zip(self.values, found, strict=True):
            self.values[name].append(values)
        for name, of_rank in zip(RANKS, influence, strict=True):
            self.errors[name].append(standard_error(of_rank.T))
            self.error_of_mean[name].append(standard_error((of_rank / full_rank[:, None]).mean(axis=0)))


def _check(images: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> tuple[int, int | list[int]]:
    """Return the number of images and their side, or the sides of volumes."""
    if images.ndim != 5:
        return check_images(images, labels)
    packed = str(images.dtype).removeprefix("torch.") == "uint8"
    return len(images), list(images.shape[1:4] if packed else images.shape[2:])


def _whole_numbers(name: str, given: np.ndarray | Tensor, count: int) -> np.ndarray:
    values = np.asarray(given.cpu() if isinstance(given, Tensor) else given)
    if values.shape != (count,) or values.dtype.kind not in "iu":
        raise InputError(
            name, f"found {values.dtype} of shape {values.shape}", f"one whole number per image, ({count},)"
        )
    return values.astype(np.int64)


def _drawn(ids: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return the positions of at most so many images, drawn by (seed, id)."""
    return np.sort(np.argsort(keyed_uniform(seed, ids), kind="stable")[:most])


def _slopes(values: np.ndarray, rounding: float) -> np.ndarray:
    """Return the derivatives of `RANKS` (rank, r) by singular values (r,); 0 for those that are but rounding."""
    slopes = np.zeros((len(RANKS), len(values)))
    if values[0] == 0:
        return slopes
    slopes[0, 0] = 1
    slopes[1] = effective_rank_slope(values, rounding)
    part = values / values[0]  # powers of tiny values would be zero
    slopes[2] = 2 * part / values[0]
    slopes[2, 0] -= 2 * (part**2).sum() / values[0]
    return slopes


def _basis(side: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return the identity, or so many random orthonormal columns (side, most) where the side is longer."""
    return np.eye(side) if side <= most else np.linalg.qr(rng.standard_normal((side, most)))[0]


def _dataset(
    found: _Found,
    difference: Difference,
    counts: Mapping[str, Any],
    names: list[str],
    options: GradientSvd,
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    full_rank = found.full_rank()
    per_weight, both = "loss per unit of weight", ("layer", "group")
    texts = {
        "largest": ("largest singular value of the gradient of the group's mean loss", per_weight),
        "effective_rank": ("exp(entropy) of the gradient's singular values: effective rank", "1"),
        "stable_rank": ("Σσ² ÷ σ₁² of the gradient: stable rank", "1"),
    }
    data = Variables()

    def with_error(name: str, dims: tuple[str, ...], values: Any, error: Any, *text: str) -> None:
        data.add(name, dims, values, *text, error=error, n="equal_n" if name == "equal_rank" else "group_n")

    spectra = np.stack(found.spectra, axis=1)
    data.add(
        "singular_value",
        (*both, "index"),
        spectra,
        "singular value of the gradient of the group's mean loss, 0 from full_rank on",
        per_weight,
    )
    data.add(
        "full_rank", ("layer",), full_rank, "number of singular values, min(c_out, c_in·k)", "singular values"
    )
    for name, text in texts.items():
        values, errors = np.array(found.values[name]).T, np.array(found.errors[name]).T
        with_error(name, both, values, errors, *text)
        if name != "largest":
            share = f"{name}_share"
            of_all = (values / full_rank[:, None], errors / full_rank[:, None])
            with_error(share, both, *of_all, f"{name} ÷ full_rank", "1")
            error = np.sqrt(np.square(found.error_of_mean[name]).sum()) / len(names)
            with_error(
                f"mean_{share}", (), of_all[0].mean(), error, f"{share}, mean over layers and groups", "1"
            )
    data.add("entropy", both, np.array(found.values["entropy"]).T, "entropy of σ ÷ Σσ", "nats")
    text = "effective rank of equally many images of each group, of sketches of their gradients"
    with_error("equal_rank", both, difference.rank, difference.error, text, "1")
    text = "studentised sum of squares of equal_rank between groups"
    data.add("difference_statistic", ("layer",), difference.statistic, text)
    data.add("difference_p", ("layer",), difference.p, "permutation p of difference")
    data.add(
        "difference_p_adjusted",
        ("layer",),
        difference.p_adjusted,
        "permutation p of difference, adjusted for all layers by the largest statistic",
    )
    of_counts = {
        "group_n": ("images of the group", "images"),
        "n": ("images used", "images"),
        "n_zero": ("images with a zero gradient of the logits", "images"),
        "equal_n": ("images of each group that the test of a difference takes; 0: no test", "images"),
        "n_permutations": ("permutations of that test; 0: no test", "permutations"),
        "n_layers": ("layers", "layers"),
        "n_left_out": ("parameters of two dimensions or more outside of these layers", "parameters"),
    }
    for name, text in of_counts.items():
        data.add(name, ("group",) if name == "group_n" else (), counts[name], *text)
    without = int((spectra[..., 0] == 0).sum())
    data.add("n_without", (), without, "layers of groups whose gradient is exactly zero", "layers of groups")
    index = 1 + np.arange(spectra.shape[-1])
    coordinates = {
        "layer": (
            "layer",
            list(found.layers),
            {"units": "1", "long_name": "layer, in the order of registration"},
        ),
        "group": ("group", names, {"units": "1", "long_name": "group of images"}),
        "index": ("index", index, {"units": "1", "long_name": "index of σ, 1 = largest"}),
    }
    said = {name: getattr(options, name) for name in ("measure", "statistics")}
    return xr.Dataset(data, coordinates, said)
