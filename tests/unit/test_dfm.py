"""Statements about dominant-frequency maps; the slow reference removes frequencies one by one with whole transforms."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from small_models import images, linear, network
from torch import nn

import spectral_priority as sp
from spectral_priority import fourier, half_plane
from spectral_priority.errors import InputError
from spectral_priority.measures.removal import amplitude_derivatives, loss_increases

SCALARS = ("rank_correlation", "top_overlap", "split_half_correlation", "dominant_radius", "loss")


def without(pixels, u, v, part=1.0):
    """Images with a part of one frequency, and of its partner, taken away: by fft2 and ifft2, in float64."""
    spectrum = np.fft.fft2(pixels)
    for row, column in {(u, v), (-u % pixels.shape[-1], -v % pixels.shape[-1])}:
        spectrum[..., row, column] *= 1 - part
    back = np.fft.ifft2(spectrum)
    assert np.abs(back.imag).max() < 1e-12
    return back.real


def losses(model, pixels, labels):
    with torch.no_grad():
        return nn.functional.cross_entropy(
            model(torch.from_numpy(pixels)), torch.from_numpy(labels), reduction="none"
        ).numpy()


def slow_maps(model, pixels, labels, part=1.0):
    """Per image, half-plane (n, N, N//2 + 1): loss with each frequency but DC removed, less the loss."""
    pixels, size = pixels.transpose(0, 3, 1, 2) / 255, pixels.shape[1]
    found = np.zeros((len(pixels), size, size // 2 + 1))
    clean = losses(model, pixels, labels)
    for u in range(size):
        for v in range(size // 2 + 1):
            if (u, v) != (0, 0):
                found[:, u, v] = losses(model, without(pixels, u, v, part), labels) - clean
    return found


@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(4, 9),
    channels=st.integers(1, 4),
    count=st.integers(1, 5),
    classes=st.integers(2, 4),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_every_removal_equals_the_slow_reference(size, channels, count, classes, batch_size, seed):
    pixels, labels = images(count, size, channels, classes, seed)
    model = network(size, channels, classes, seed, torch.float64)
    found = sp.dominant_frequency_map(model, pixels, labels, batch_size=batch_size)
    slow = slow_maps(model, pixels, labels)
    for name in found["class"].values:
        mine = slow[labels == int(name)]
        of_class = found.sel({"class": name})
        np.testing.assert_allclose(of_class.loss_increase, mine.mean(axis=0), rtol=1e-6, atol=1e-13)
        if len(mine) > 1:
            error = mine.std(axis=0, ddof=1) / np.sqrt(len(mine))
            np.testing.assert_allclose(of_class.loss_increase_se, error, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("size", [8, 9])
def test_the_amplitude_derivative_is_the_finite_difference_at_one_per_cent(size):
    pixels, labels = images(12, size)
    model = network(size, kind=torch.float64)
    found = sp.dominant_frequency_map(model, pixels, labels)
    slow = (slow_maps(model, pixels, labels, 0.01) - slow_maps(model, pixels, labels, -0.01)) / 0.02
    for name in found["class"].values:
        expected = slow[labels == int(name)].mean(axis=0)
        np.testing.assert_allclose(
            found.amplitude_derivative.sel({"class": name}), expected, rtol=1e-4, atol=1e-9
        )


def test_the_images_of_a_batch_may_be_of_several_classes():
    pixels, labels = images(7, 8)
    model = network(8, kind=torch.float64).eval()
    x, y = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255), torch.from_numpy(labels)
    loss, increase = loss_increases(model, x, y, 30)
    np.testing.assert_allclose(loss, losses(model, x.numpy(), labels))
    expected = slow_maps(model, pixels, labels)[:, *half_plane.frequency_pairs(8).T]
    np.testing.assert_allclose(increase, expected, rtol=1e-6, atol=1e-13)


def test_a_map_of_float32_is_that_of_float64():
    pixels, labels = images(12, 16)
    single, double = (
        sp.dominant_frequency_map(network(16, kind=kind), pixels, labels)
        for kind in (torch.float32, torch.float64)
    )
    scale = float(abs(double.loss_increase).max())
    np.testing.assert_allclose(single.loss_increase, double.loss_increase, atol=2e-5 * scale)
    np.testing.assert_allclose(single.amplitude_derivative, double.amplitude_derivative, atol=2e-5 * scale)


def test_removing_all_frequencies_one_after_the_other_leaves_dc():
    """Removals of a linear function add up: of the logits' difference, to that of an image without anything but DC."""
    weight = torch.randn(2, 3, 8, 8, generator=torch.manual_seed(1), dtype=torch.float64) * 1e-4
    pixels, labels = images(1, 8, 3, 2)
    found = sp.dominant_frequency_map(linear(weight), pixels, labels)
    pairs = found.loss_increase.values[0][tuple(half_plane.frequency_pairs(8).T)].sum()
    x = pixels.transpose(0, 3, 1, 2) / 255
    flat = np.broadcast_to(x.mean(axis=(2, 3), keepdims=True), x.shape).copy()
    expected = losses(linear(weight), flat, labels) - losses(linear(weight), x, labels)
    assert pairs == pytest.approx(float(expected[0]), rel=1e-3)


def test_a_class_told_by_one_wave_has_it_as_its_dominant_frequency():
    y, x = np.mgrid[:16, :16] / 16
    wave = np.cos(2 * np.pi * (3 * x + 4 * y))
    rng = np.random.default_rng(0)
    pixels = (128 + 60 * wave + rng.normal(0, 10, (12, 16, 16))).clip(0, 255).astype(np.uint8)[..., None]
    weight = torch.from_numpy(np.stack([wave, -wave]))[:, None] / 10
    found = sp.dominant_frequency_map(
        linear(weight), pixels, np.zeros(12, int), class_names=["wave", "other"]
    )
    increase = found.loss_increase.sel({"class": "wave"})
    assert np.unravel_index(np.argmax(increase.data), increase.shape) == (4, 3)
    top = found.dominant.sel({"class": "wave", "top": 1})
    assert top.sum() == 2 and top[0, 0] == 1 and top.sel(u=4, v=3) == 1
    assert found.class_top_radius.sel(top=1) == 5
    assert int(np.argmax(found.ring_loss_increase.data)) + 1 == 5


def test_the_top_counts_pairs_and_marks_both_partners():
    pixels, labels = images(8, 9, 1, 2)
    found = sp.dominant_frequency_map(network(9, 1, 2), pixels, labels, top=[5, 50])
    weights = fourier.hermitian_weights(9)
    marked = (found.dominant * weights).sum(["u", "v"]) - 1
    assert (marked.sel(top=5) == 4).all() and (marked.sel(top=50) == 40).all()
    assert (found.dominant[..., 0].values == found.dominant[..., 0].values[..., -np.arange(9) % 9]).all()
    pairs = found.loss_increase.values[0][tuple(half_plane.frequency_pairs(9).T)]
    kept = found.dominant.values[0, 0][tuple(half_plane.frequency_pairs(9).T)].astype(bool)
    assert pairs[kept].min() > pairs[~kept].max()


def test_agreement_is_spearmans_and_the_overlap_of_the_top_five_per_cent():
    pixels, labels = images(20, 12, classes=2)
    found = sp.dominant_frequency_map(network(12, classes=2, kind=torch.float64), pixels, labels)
    at = tuple(half_plane.frequency_pairs(12).T)
    for number in range(2):
        exact, fast = (of.values[number][at] for of in (found.loss_increase, found.amplitude_derivative))
        assert found.class_rank_correlation[number] == pytest.approx(spearmanr(exact, fast)[0], abs=1e-3)
        both = len(set(np.argsort(-exact)[:4]) & set(np.argsort(-fast)[:4]))  # 5 % of 73 pairs
        assert found.class_top_overlap[number] == pytest.approx(both / 4)
        for percent in found.top.values:
            held = fourier.radius(12)[at][found.dominant.sel(top=percent).values[number][at] == 1]
            assert found.class_top_radius.sel(top=percent)[number] == pytest.approx(held.mean())
        assert found.class_dominant_radius[number] == found.class_top_radius.sel(top=5)[number]
    for name in SCALARS:
        assert found[name] == pytest.approx(float(found[f"class_{name}"].mean()))
        error = np.sqrt((found[f"class_{name}_se"] ** 2).sum()) / 2
        assert found[f"{name}_se"] == pytest.approx(float(error))


def test_every_image_is_read_once_and_every_batch_is_full():
    class Counted(np.ndarray):
        read = 0

        def __getitem__(self, key):
            Counted.read += len(key)
            return np.asarray(super().__getitem__(key))

    pixels, labels = images(20, 8, classes=2)
    model, seen = network(8, classes=2), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    sp.dominant_frequency_map(model, pixels.view(Counted), labels, batch_size=64)
    assert Counted.read == 20 and max(seen) <= 64
    assert sum(seen) == 20 * (33 + 2)  # each removal, the image as it is, and its gradient


def test_two_rankings_of_a_nearly_linear_loss_agree():
    weight = torch.randn(2, 1, 8, 8, generator=torch.manual_seed(1), dtype=torch.float64) * 1e-3
    found = sp.dominant_frequency_map(linear(weight), *images(10, 8, 1, 2))
    assert found.rank_correlation > 0.999 and found.top_overlap > 0.9
    assert (found.rank_correlation_se < 0.01) and (found.n_unranked == 0)


def test_halves_of_the_images_of_a_class_agree_as_far_as_they_are_alike():
    pixels, labels = images(6, 12, classes=2)
    model = network(12, classes=2, kind=torch.float64)
    twice = sp.dominant_frequency_map(model, np.repeat(pixels[:1], 6, axis=0), np.zeros(6, int))
    assert twice.split_half_correlation == pytest.approx(1)
    assert sp.dominant_frequency_map(model, pixels, labels).split_half_correlation < 0.9


def test_a_confident_image_keeps_its_tiny_losses():
    """At a logit gap of 60 a loss is e⁻⁶⁰, which log-softmax loses; its changes rank frequencies all the same."""
    weight = torch.randn(2, 1, 8, 8, generator=torch.manual_seed(1), dtype=torch.float64) / 10
    model = linear(weight)
    model[1].bias = nn.Parameter(torch.tensor([60.0, 0.0], dtype=torch.float64))
    pixels, labels = torch.rand(2, 1, 8, 8, dtype=torch.float64), torch.zeros(2, dtype=torch.long)
    loss, increase = loss_increases(model.eval(), pixels, labels, 64)
    assert (loss > 0).all() and (loss < 1e-20).all() and (increase != 0).all()
    derivative = amplitude_derivatives(model, pixels, labels).detach()
    assert spearmanr(increase[0], derivative[0])[0] > 0.95


def test_constant_images_and_dead_models_are_counted_and_have_defined_values():
    pixels, labels = images(6, 8, classes=2)
    pixels[:2] = 77
    found = sp.dominant_frequency_map(network(8, classes=2), pixels, np.zeros(6, int))
    assert found.n_constant == 2 and found.n_unchanged == 2 and found.n_unranked == 0
    rest = sp.dominant_frequency_map(network(8, classes=2), pixels[2:], np.zeros(4, int))
    np.testing.assert_allclose(found.loss_increase * 6, rest.loss_increase * 4, atol=1e-5)
    dead = network(8, classes=2)
    dead[3].weight.data.zero_()
    found = sp.dominant_frequency_map(dead, pixels, labels)
    assert (found.n_unchanged == 6) and found.n_unranked == len(np.unique(labels)) and found.n == 6
    assert found.rank_correlation == 0 and found.top_overlap == 0 and not found.loss_increase.any()
    assert not np.isnan(found.dominant_radius)


def test_one_image_of_a_class_has_a_map_without_errors():
    pixels, _ = images(3, 8)
    found = sp.dominant_frequency_map(network(8), pixels, np.array([0, 1, 1]))
    assert np.isnan(found.loss_increase_se[0]).any() and np.isfinite(found.loss_increase).all()
    assert np.isnan(found.class_split_half_correlation[0])
    assert np.isfinite(found.rank_correlation) and np.isnan(found.rank_correlation_se)


def test_images_per_class_are_drawn_by_seed_and_id_whatever_their_order():
    pixels, labels = images(40, 8, classes=2)
    ids = np.arange(500, 540)
    model = network(8, classes=2, kind=torch.float64)
    few = sp.dominant_frequency_map(model, pixels, labels, image_ids=ids, images_per_class=7, seed=1)
    assert few.class_n.values.tolist() == [7, 7]
    order = np.random.default_rng(0).permutation(40)
    again = sp.dominant_frequency_map(
        model, pixels[order], labels[order], image_ids=ids[order], images_per_class=7, seed=1, batch_size=5
    )
    xr.testing.assert_allclose(few, again, rtol=1e-6)
    other = sp.dominant_frequency_map(model, pixels, labels, image_ids=ids, images_per_class=7, seed=2)
    assert not np.allclose(few.loss_increase, other.loss_increase)


def test_errors_foretell_how_results_scatter_between_samples():
    model = network(8, classes=2, kind=torch.float64)
    for parameter in model.parameters():
        parameter.data *= 10
    runs = [
        sp.dominant_frequency_map(model, *images(60, 8, classes=2, seed=seed), batch_size=2048)
        for seed in range(25)
    ]
    for name in (*SCALARS, "class_top_radius", "ring_loss_increase"):
        spread = np.std([run[name] for run in runs], axis=0, ddof=1)
        told = np.mean([run[f"{name}_se"] for run in runs], axis=0)
        assert 0.65 < (told / spread).mean() < 1.5, (name, told / spread)


def test_what_can_not_be_ranked_is_refused():
    pixels, labels = images(6, 8)
    with pytest.raises(InputError, match="one logit"):
        sp.dominant_frequency_map(network(8, classes=1), pixels, np.zeros(6, int))
    with pytest.raises(InputError, match="labels: found 9"):
        sp.dominant_frequency_map(network(8), pixels, np.full(6, 9))
    with pytest.raises(InputError, match=r"image_ids: found shape \(2,\)"):
        sp.dominant_frequency_map(network(8), pixels, labels, image_ids=np.arange(2))
    with pytest.raises(InputError, match=r"top\.0: Input should be greater than 0"):
        sp.dominant_frequency_map(network(8), pixels, labels, top=[0])
    broken = network(8)
    broken[3].bias.data[0] = torch.nan
    with pytest.raises(InputError, match="logits: are not finite"):
        sp.dominant_frequency_map(broken, pixels, labels)


@pytest.mark.parametrize("size", [7, 16, 28])
def test_rounding_is_not_ranked_where_no_removal_changes_anything(size):
    """Removing a frequency that an image of one colour doesn't have changes its loss in the last digits."""
    model = linear(torch.randn(2, 3, size, size, dtype=torch.float64, generator=torch.manual_seed(0)))
    pixels = np.tile(np.array([50, 100, 150, 201], np.uint8)[:, None, None, None], (1, size, size, 3))
    found = sp.dominant_frequency_map(model, pixels, np.zeros(4, int))
    assert (found.n_unchanged == 4) and (found.n_unranked == 1) and not found.loss_increase.any()
    confident = linear(
        torch.randn(2, 3, size, size, dtype=torch.float64, generator=torch.manual_seed(0)) / 100
    )
    confident[1].bias = nn.Parameter(torch.tensor([60.0, 0.0], dtype=torch.float64))
    found = sp.dominant_frequency_map(confident, images(4, size)[0], np.zeros(4, int))
    assert (found.n_unchanged == 4) and (found.n_unranked == 0) and found.loss_increase.any()
