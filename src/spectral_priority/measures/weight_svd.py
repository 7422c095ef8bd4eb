"""Singular values of the weights: how many directions each layer uses, and when they settle (METHODS 6).

Question
--------
How many directions does each layer use, and when do they settle?

Equation
--------
W (c_out, c_in·k) = U diag(σ) Vᵀ,   p_i = σ_i ÷ Σσ,   effective_rank = exp(−Σ p_i ln p_i),   stable_rank = Σσ² ÷ σ₁²
alignment = mean_j |⟨u_j of a layer, v_j of the next⟩|,   agreement of checkpoints = mean_j |⟨u_j, u′_j⟩ ⟨v_j, v′_j⟩|

Source
------
Yunis et al. 2024 (arXiv 2408.11804).

Cost
----
No pass through the model, no image: one singular value decomposition per layer.

Pitfalls
--------
- Standard errors are the spread over layers or directions: weights are known exactly.
- Layers count as consecutive as they are registered. Pairs whose dimensions differ are left out and counted; across a
  branch, alignment means little.
- Compare `alignment` with `alignment_by_chance`: in narrow layers random directions align, too.
- Random weights have a high rank: a rank says something beside that of the checkpoint at step 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..config.measures import WeightSvd
from .measured_model import evaluating
from .registry import measure_options
from .singular_values import effective_rank, entropy, number_of_most, stable_rank
from .variables import Variables
from .weight_layers import as_matrix, number_left_out, weight_layers

if TYPE_CHECKING:
    from .probe import Probe


def weight_svd(
    model: nn.Module, options: WeightSvd | Mapping[str, Any] | None = None, **settings: Any
) -> xr.Dataset:
    """Measure the singular values of a model's linear layers and convolutions, and the ranks that follow from them.

    Parameters
    ----------
    model : nn.Module
        With at least one `Linear`, `Conv1d`, `Conv2d` or `Conv3d`; it stays as it is. A weight (c_out, c_in, …) is
        taken as the matrix (c_out, c_in·k).
    options : WeightSvd or mapping, optional
        Options of the measure (`spectral_priority.config.measures.WeightSvd`), also as keywords: `directions`.

    Returns
    -------
    xarray.Dataset
        On `layer`: `singular_value` (`layer`, `index`; zero from `full_rank` = min(shape) on), `entropy` H of
        p_i = σ_i ÷ Σσ in nats, `effective_rank` exp(H), `stable_rank` Σσ² ÷ σ₁², `number_of_most` (how many σ hold more
        than 90 % of Σσ), `largest` σ₁; `<rank>_share` is a rank ÷ `full_rank`; `alignment` with the next layer, the
        mean over the first `alignment_n` directions, with its `_se` over them and `alignment_by_chance`. Scalars:
        `mean_effective_rank_share, mean_stable_rank_share, mean_alignment` over layers with `_se` over layers; `n`
        layers, `n_aligned`, `n_not_aligned` pairs, `n_zero` layers of zeros, `n_left_out` parameters. The leading
        singular vectors `left_vector` (`direction`, `output`), `right_vector` (`direction`, `input`), all layers' one
        behind another: `over_training` needs them, and drops them.

    Raises
    ------
    InputError
        For a model without such layers, and for weights that are not finite.

    Notes
    -----
    Yunis et al. 2024 (arXiv 2408.11804): effective rank, singular vectors and their agreement, alignment between
    layers, as their released program computes them (its effective rank has the exponential that the paper's text
    omits; its 1e-10 added to every σ is left out). Weights are known exactly: errors tell the spread over layers or
    directions, and are 0 where there are fewer than two. A layer of zeros has rank 0, and directions that no weight
    goes along are zero vectors.

    Alignment: |⟨u_j of layer l, v_j of layer l + 1⟩|, of a convolution's v the block at the centre tap, which is
    shorter than 1; `alignment_by_chance` is its expectation for a random v. Layers are taken in the order of
    registration; a pair whose dimensions differ (before a shortcut, after flattening) has `alignment` 0 with
    `alignment_n` 0, and is counted.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> found = weight_svd(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)))
    >>> found.singular_value.dims, found.full_rank.values.tolist(), bool((found.effective_rank < 4).all())
    (('layer', 'index'), [4, 3], True)

    A torchvision model:

    >>> from torchvision.models import squeezenet1_1
    >>> found = weight_svd(squeezenet1_1(weights=None))
    >>> int(found.n), found.layer.values[0].item(), found.stable_rank.attrs["units"]
    (26, 'features.0', '1')
    """
    given = options.model_dump() if isinstance(options, WeightSvd) else dict(options or {})
    options = measure_options("weight-svd", {**given, **settings})
    with (
        evaluating(model),
        torch.no_grad(),
    ):  # in training mode a spectral norm changes whenever it is looked at
        layers = weight_layers(model)
        shapes = [layer.weight.shape for layer in layers.values()]
        parts = [decomposed(as_matrix(layer.weight)) for layer in layers.values()]
        left_out = number_left_out(model, layers)
    aligned = [
        alignment(before[0], _centre_tap(after[2], shape), options.directions)
        for before, after, shape in zip(parts, parts[1:], shapes[1:], strict=False)
    ]
    chance = [_by_chance(math.prod(shape[1:])) for shape in shapes[1:]]
    return _dataset(list(layers), parts, aligned, chance, left_out, options)


def measure(model: nn.Module, probe: Probe, options: WeightSvd) -> xr.Dataset:
    """Measure one checkpoint; the probe is not looked at."""
    return weight_svd(model, options)


def decomposed(matrix: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the thin SVD u (m, r), σ (r,), vᵀ (r, n) of a matrix (m, n), in float64.

    Signs are set: the largest entry of each u is positive. Directions without weight (σ below the rounding error of
    the matrix's type) have zero vectors, for which ones they are is arbitrary.
    """
    u, values, v = (part.cpu().numpy() for part in torch.linalg.svd(matrix.double(), full_matrices=False))
    largest = u[np.abs(u).argmax(axis=0), np.arange(len(values))]
    used = values > values[0] * max(matrix.shape) * torch.finfo(matrix.dtype).eps
    sign = np.where(largest < 0, -1.0, 1.0) * used
    return u * sign, values, v * sign[:, None]


def agreement(
    one: tuple[np.ndarray, np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return |⟨u_j, u′_j⟩ ⟨v_j, v′_j⟩| (r,) of two decomposed matrices of one shape: 1 where a direction stayed.

    >>> matrix = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    >>> agreement(decomposed(matrix), decomposed(-2 * matrix)).tolist()
    [1.0, 1.0, 1.0]
    """
    return np.abs((one[0] * other[0]).sum(axis=0) * (one[2] * other[2]).sum(axis=1))


def alignment(u: np.ndarray, v: np.ndarray, directions: int = 10) -> np.ndarray:
    """Return |⟨u_j, v_j⟩| for the first directions that both have; none where dimensions differ.

    Parameters
    ----------
    u : ndarray (d, r)
        Left singular vectors of a layer.
    v : ndarray (r′, d′)
        Right singular vectors of the next layer; of a convolution, their block at the centre tap.
    """
    if len(u) != v.shape[1]:
        return np.empty(0)
    number = min(directions, u.shape[1], len(v))
    return np.abs((u.T[:number] * v[:number]).sum(axis=1))


def over_training(swept: xr.Dataset) -> xr.Dataset:
    """Replace the singular vectors of a swept data set by their agreement with the first and the last checkpoint.

    Parameters
    ----------
    swept : xarray.Dataset
        `weight_svd` on a first dimension `checkpoint`.

    Returns
    -------
    xarray.Dataset
        With `agreement_first` and `agreement_last` on (checkpoint, layer), the mean over the leading directions of
        |⟨u_j, u′_j⟩ ⟨v_j, v′_j⟩|, `_se` over directions, and their `mean_…` over layers with `_se` over layers. Layers
        of zeros agree with nothing: 0. Without `left_vector` and `right_vector`.
    """
    vectors = {side: swept[f"{side}_vector"].values for side in ("left", "right")}
    starts = {
        side: np.flatnonzero(np.diff(swept[f"{end}_layer"].values, prepend=-1))
        for side, end in (("left", "output"), ("right", "input"))
    }
    number = np.minimum(swept.attrs["directions"], swept["full_rank"].values[0])
    found: dict[str, tuple] = {}
    for name, reference in (("first", 0), ("last", -1)):
        kept = [
            np.abs(
                np.prod(
                    [
                        np.add.reduceat(of_side[at] * of_side[reference], starts[side], axis=-1)
                        for side, of_side in vectors.items()
                    ],
                    axis=0,
                )
            ).T
            for at in range(swept.sizes["checkpoint"])
        ]
        means = [
            [_mean_and_error(row[:most]) for row, most in zip(part, number, strict=True)] for part in kept
        ]
        values = np.array(means, dtype=np.float64)
        over_layers = np.array([_mean_and_error(row) for row in values[..., 0]])
        text = f"agreement of leading singular vectors with the {name} checkpoint; 1 = the same"
        for key, dims, both in (
            (f"agreement_{name}", ("checkpoint", "layer"), values),
            (f"mean_agreement_{name}", ("checkpoint",), over_layers),
        ):
            over = "directions" if "layer" in dims else "layers"
            found[key] = (dims, both[..., 0], {"units": "1", "long_name": text})
            found[f"{key}_se"] = (
                dims,
                both[..., 1],
                {"units": "1", "long_name": f"standard error of {key} over {over}"},
            )
    ends = ["output", "input", "output_layer", "input_layer", "direction"]
    return swept.drop_vars(["left_vector", "right_vector", *ends]).assign(found)


def _centre_tap(v: np.ndarray, shape: torch.Size) -> np.ndarray:
    """Return the block (r, c_in) of right singular vectors (r, c_in·k) at a kernel's centre."""
    taps = v.reshape(len(v), *shape[1:])
    return taps[(slice(None), slice(None), *(side // 2 for side in shape[2:]))]


def _by_chance(dimensions: int) -> float:
    """Return E|x₁| of a random unit vector x: Γ(n/2) ÷ (√π Γ((n+1)/2))."""
    return math.exp(math.lgamma(dimensions / 2) - math.lgamma((dimensions + 1) / 2)) / math.sqrt(math.pi)


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean, 0 of nothing, and its standard error, 0 for fewer than two."""
    if not len(values):
        return 0.0, 0.0
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean()), float(error)


def _dataset(
    names: list[str],
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    aligned: list[np.ndarray],
    chance: list[float],
    left_out: int,
    options: WeightSvd,
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    full_rank = np.array([len(values) for _, values, _ in parts])
    spectra = np.zeros((len(parts), full_rank.max()))
    for row, (_, values, _) in zip(spectra, parts, strict=True):
        row[: len(values)] = values
    aligned = [*aligned, np.empty(0)]
    numbers = np.array([len(of_pair) for of_pair in aligned])
    alignments, alignment_errors = np.array([_mean_and_error(of_pair) for of_pair in aligned]).T
    ranks = {
        "effective_rank": ("exp(entropy): effective rank", effective_rank(spectra)),
        "stable_rank": ("Σσ² ÷ σ₁²: stable rank", stable_rank(spectra)),
        "number_of_most": (
            "number of singular values that hold over 90 % of their sum",
            number_of_most(spectra),
        ),
    }
    data = Variables(over="layers")
    data.add(
        "singular_value", ("layer", "index"), spectra, "singular value of the weight, 0 from full_rank on"
    )
    data.add(
        "full_rank", ("layer",), full_rank, "number of singular values, min(c_out, c_in·k)", "singular values"
    )
    data.add("largest", ("layer",), spectra[:, 0], "largest singular value")
    data.add("entropy", ("layer",), entropy(spectra), "entropy of σ ÷ Σσ", "nats")
    for name, (long_name, values) in ranks.items():
        data.add(name, ("layer",), values, long_name)
        data.add(f"{name}_share", ("layer",), values / full_rank, f"{name} ÷ full_rank")
    means = {f"mean_{name}_share": ranks[name][1] / full_rank for name in ("effective_rank", "stable_rank")}
    means["mean_alignment"] = alignments[numbers > 0]
    told = "mean |⟨u_j, v_j of the next layer⟩|; 0 where alignment_n is 0"
    data.add("alignment", ("layer",), alignments, told)
    data.add("alignment_se", ("layer",), alignment_errors, "standard error of alignment over directions")
    data.add(
        "alignment_n",
        ("layer",),
        numbers,
        "directions compared; 0: the next layer's dimensions differ",
        "directions",
    )
    data.add(
        "alignment_by_chance", ("layer",), np.array([*chance, 0.0]) * (numbers > 0), "alignment of a random v"
    )
    for name, values in means.items():
        value, error = _mean_and_error(values)
        data.add(name, (), value, f"{name.removeprefix('mean_')}, mean over layers", error=error)
    data.add("n", (), len(parts), "layers", "layers")
    data.add(
        "n_aligned", (), int((numbers > 0).sum()), "pairs of consecutive layers that were compared", "pairs"
    )
    data.add("n_not_aligned", (), int((numbers[:-1] == 0).sum()), "pairs whose dimensions differ", "pairs")
    data.add("n_zero", (), int((spectra[:, 0] == 0).sum()), "layers whose weights are all zero", "layers")
    data.add(
        "n_left_out",
        (),
        left_out,
        "parameters of two dimensions or more outside of these layers",
        "parameters",
    )
    sides = {"left": ("output", [u.T for u, _, _ in parts]), "right": ("input", [v for _, _, v in parts])}
    coordinates: dict[str, tuple] = {
        "layer": ("layer", names, {"units": "1", "long_name": "layer, in the order of registration"}),
        "index": (
            "index",
            1 + np.arange(full_rank.max()),
            {"units": "1", "long_name": "index of σ, 1 = largest"},
        ),
        "direction": (
            "direction",
            1 + np.arange(options.directions),
            {"units": "1", "long_name": "leading singular direction"},
        ),
    }
    for side, (end, vectors) in sides.items():
        lengths = [part.shape[1] for part in vectors]
        joined = np.zeros((options.directions, sum(lengths)), dtype=np.float32)
        for part, stop in zip(vectors, np.cumsum(lengths), strict=True):
            leading = part[: options.directions]
            joined[: len(leading), stop - part.shape[1] : stop] = leading
        data.add(
            f"{side}_vector",
            ("direction", end),
            joined,
            f"{side} singular vectors of all layers, one behind another",
        )
        position = np.concatenate([np.arange(length) for length in lengths])
        coordinates[end] = (end, position, {"units": "1", "long_name": f"{end} of its layer"})
        of_layer = np.repeat(np.arange(len(parts)), lengths)
        coordinates[f"{end}_layer"] = (
            end,
            of_layer,
            {"units": "1", "long_name": f"layer that the {end} belongs to"},
        )
    return xr.Dataset(data, coordinates, {"measure": options.measure, "directions": options.directions})
