"""Statements about the singular values of weights; the slow reference goes layer by layer with NumPy's own SVD."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spectral_priority as sp
from spectral_priority.errors import InputError
from spectral_priority.measures.sweep import join
from spectral_priority.measures.weight_svd import agreement, decomposed, over_training

GOLDEN = np.load(Path(__file__).parents[1] / "golden/spectral_dynamics_ranks.npz")


def chain(*widths, seed=0, kind=torch.float64):
    """Linear layers of given widths."""
    torch.manual_seed(seed)
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(widths))).to(kind)


def convolutions(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.Conv2d(6, 8, (5, 4)),
        nn.Conv2d(8, 8, 3, groups=4),
        nn.Flatten(),
        nn.Linear(32, 5),
    )


def with_weight(*weights):
    """Linear layers that have given weights."""
    layers = []
    for weight in weights:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        layer.weight.data = torch.as_tensor(weight)
        layers.append(layer)
    return nn.Sequential(*layers)


def slow_reference(layers):
    """METHODS 6, one layer and one singular value after another."""
    rows = []
    for layer in layers:
        values = np.linalg.svd(layer.weight.detach().double().numpy().reshape(len(layer.weight), -1))[1]
        shares = [value / sum(values) for value in values]
        entropy = -sum(share * np.log(share) for share in shares)
        most, held = 0, 0.0
        while held <= 0.9:
            held, most = held + shares[most], most + 1
        rows.append(
            {
                "full_rank": len(values),
                "largest": max(values),
                "entropy": entropy,
                "effective_rank": np.exp(entropy),
                "effective_rank_share": np.exp(entropy) / len(values),
                "stable_rank": sum(value**2 for value in values) / max(values) ** 2,
                "number_of_most": most,
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_the_measure_equals_the_slow_reference():
    model = convolutions()
    found = sp.weight_svd(model)
    layers = [layer for layer in model if not isinstance(layer, nn.Flatten)]
    for name, expected in slow_reference(layers).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-9, err_msg=name)
    shares = found.effective_rank_share.values
    np.testing.assert_allclose(found.mean_effective_rank_share, shares.mean())
    np.testing.assert_allclose(found.mean_effective_rank_share_se, shares.std(ddof=1) / np.sqrt(len(shares)))
    assert int(found.n) == 4


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), kernel=st.integers(1, 3), seed=st.integers(0, 99))
def test_any_shape_equals_the_slow_reference(rows, columns, kernel, seed):
    torch.manual_seed(seed)
    for layer in (
        nn.Linear(columns, rows),
        nn.Conv1d(columns, rows, kernel),
        nn.Conv3d(columns, rows, kernel),
    ):
        found = sp.weight_svd(nn.Sequential(layer))
        for name, expected in slow_reference([layer]).items():
            np.testing.assert_allclose(found[name], expected, rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_ranks_equal_the_released_program(number):
    found = sp.weight_svd(with_weight(GOLDEN[f"weight_{number}"])).isel(layer=0)
    for name, golden in (
        ("effective_rank", "effective_rank"),
        ("number_of_most", "count90"),
        ("stable_rank", "stable_rank"),
    ):
        np.testing.assert_allclose(
            found[f"{name}_share"], GOLDEN[f"{golden}_{number}"], rtol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_agreement_equals_the_released_program(number):
    one, other = (decomposed(torch.from_numpy(GOLDEN[f"{name}_{number}"])) for name in ("weight", "later"))
    np.testing.assert_allclose(
        agreement(one, other), GOLDEN[f"agreement_diag_{number}"], rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("number", [0, 1, 2])
def test_agreement_over_training_is_that_of_the_leading_directions(number):
    """Beside a second layer, whose directions must not mix with the first one's."""
    second = np.random.default_rng(0).normal(size=(5, 3))
    models = [with_weight(GOLDEN[f"{name}_{number}"], second) for name in ("weight", "later")]
    swept = over_training(join([sp.weight_svd(model) for model in models], [0, 10], 5))
    expected = GOLDEN[f"agreement_diag_{number}"][:10]
    np.testing.assert_allclose(swept.agreement_last[0, 0], expected.mean(), rtol=1e-4)
    np.testing.assert_allclose(swept.agreement_last_se[0, 0], expected.std(ddof=1) / np.sqrt(10), rtol=1e-3)
    np.testing.assert_allclose(swept.agreement_first[1, 0], expected.mean(), rtol=1e-4)
    np.testing.assert_allclose(swept.agreement_last[1], 1, rtol=1e-6)
    np.testing.assert_allclose(swept.agreement_last[:, 1], 1, rtol=1e-6)
    np.testing.assert_allclose(swept.mean_agreement_last[0], (expected.mean() + 1) / 2, rtol=1e-4)
    assert swept.agreement_last.dims == ("checkpoint", "layer")
    assert not {"left_vector", "right_vector", "output", "direction"} & set(swept.variables)
    assert all(
        variable.attrs["units"] and variable.attrs["long_name"] for variable in swept.variables.values()
    )


def test_turning_the_bases_between_layers_changes_no_rank():
    plain = chain(7, 5, 6)
    turned = chain(7, 5, 6)
    basis = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0]
    turned[0].weight.data = basis @ turned[0].weight.data
    turned[1].weight.data = turned[1].weight.data @ basis.T
    for name in ("singular_value", "effective_rank", "stable_rank", "alignment"):
        np.testing.assert_allclose(
            sp.weight_svd(turned)[name], sp.weight_svd(plain)[name], rtol=1e-9, atol=1e-12
        )


def test_layers_that_hand_on_their_directions_are_aligned():
    rng = np.random.default_rng(0)
    u, v, w = (np.linalg.qr(rng.normal(size=(8, 8)))[0] for _ in range(3))
    strength = np.diag(np.arange(8, 0, -1.0))
    found = sp.weight_svd(with_weight(u @ strength @ v.T, w @ strength @ u.T), directions=6)
    assert found.alignment[0] == pytest.approx(1) and found.alignment_n[0] == 6
    assert found.alignment_n[1] == 0 and found.alignment[1] == 0
    assert (
        found.mean_alignment == pytest.approx(1)
        and int(found.n_aligned) == 1
        and int(found.n_not_aligned) == 0
    )


def test_alignment_takes_the_centre_tap_of_a_convolution():
    model = convolutions()
    found = sp.weight_svd(model, directions=4)
    u = np.linalg.svd(model[0].weight.detach().double().numpy().reshape(6, -1), full_matrices=False)[0]
    v = np.linalg.svd(model[1].weight.detach().double().numpy().reshape(8, -1), full_matrices=False)[2]
    centre = v.reshape(8, 6, 5, 4)[:, :, 2, 2]
    expected = [abs(sum(u[i, j] * centre[j, i] for i in range(6))) for j in range(4)]
    np.testing.assert_allclose(found.alignment[0], np.mean(expected), rtol=1e-9)
    np.testing.assert_allclose(found.alignment_se[0], np.std(expected, ddof=1) / 2, rtol=1e-9)
    assert found.alignment_n.values.tolist() == [4, 0, 0, 0]  # grouped; flattened; nothing follows
    assert int(found.n_aligned) == 1 and int(found.n_not_aligned) == 2


def test_random_layers_align_as_by_chance():
    model = chain(50, 40, 40, 40, 40, 40, 40, 40, 40)
    found = sp.weight_svd(model, directions=40).isel(layer=slice(0, -1))
    away = (found.alignment - found.alignment_by_chance) / found.alignment_se
    assert (abs(away) < 4).all() and abs(float(away.mean())) < 1.5


def test_the_effective_rank_counts_equal_directions():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    found = sp.weight_svd(with_weight(np.diag([3.0, 3, 3, 0, 0]) @ basis))
    for name in ("effective_rank", "stable_rank", "number_of_most"):
        assert found[name][0] == pytest.approx(3)
    assert found.singular_value[0].values == pytest.approx([3, 3, 3, 0, 0])
    lengths = (found.left_vector**2).sum("output") * (found.right_vector**2).sum("input")
    np.testing.assert_allclose(lengths, [1, 1, 1, *[0] * 7], atol=1e-6)


def test_a_layer_of_zeros_has_rank_zero_and_is_counted():
    model = chain(4, 4, 4)
    model[0].weight.data.zero_()
    found = sp.weight_svd(model)
    for name in ("entropy", "effective_rank", "stable_rank", "number_of_most", "largest", "alignment"):
        assert found[name][0] == 0, name
    assert int(found.n_zero) == 1
    swept = over_training(join([found, found], [0, 1], 1))
    assert (swept.agreement_last[:, 0] == 0).all() and swept.agreement_last[0, 1] == pytest.approx(1)


def test_weights_outside_of_such_layers_are_counted():
    attention = nn.MultiheadAttention(4, 2)
    found = sp.weight_svd(nn.Sequential(attention, nn.Embedding(3, 4)))
    assert found.layer.values.tolist() == ["0.out_proj"] and int(found.n_left_out) == 2


def test_weights_that_are_not_finite_are_refused_by_the_layers_name():
    model = chain(3, 4, 2)
    model[1].weight.data[0, 0] = torch.nan
    with pytest.raises(InputError, match="model: 1: has weights that are not finite"):
        sp.weight_svd(model)


def test_a_model_without_such_layers_is_refused():
    with pytest.raises(
        InputError, match=r"no layer whose weights are a matrix.*Linear, Conv1d, Conv2d, Conv3d"
    ):
        sp.weight_svd(nn.Sequential(nn.ReLU()))


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"options of the measure weight-svd: direction.*directions"):
        sp.weight_svd(chain(3, 2), direction=3)
