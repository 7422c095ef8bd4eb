"""Statements about errors in the low and high part of labels; the slow reference works image by image, with loops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, network
from torch import nn

import spectral_priority as sp
from spectral_priority.errors import InputError
from spectral_priority.measures import neighbourhoods
from spectral_priority.measures.draws import jackknife_groups, keyed_uniform

GOLDEN = Path(__file__).parents[1] / "golden"
CPU = torch.device("cpu")


class Answers(nn.Module):
    """Softmax outputs that are a function (n,) → (n, class) of the images' mean pixel value."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return torch.log(self.function(x.double().mean(dim=(1, 2, 3))).clamp(min=1e-300))


def clusters(count=60, size=8, classes=3, seed=0, spread=0.3):
    """Images around one prototype per class, so that near images have one label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    prototypes = np.random.default_rng(7).random((classes, size, size, 3))
    pixels = (1 - spread) * prototypes[labels] + spread * rng.random((count, size, size, 3))
    return np.round(pixels * 255).astype(np.uint8), labels


def slow_reference(model, pixels, labels, quantiles, frequencies=5, scale=1):
    """METHODS 4, one image after another; without standard errors."""
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255)
    h = model(x).softmax(1).detach().numpy()
    return of_arrays(x.flatten(1).numpy(), np.eye(h.shape[1])[labels], h, quantiles, frequencies, scale=scale)


def of_arrays(x, y, h, quantiles, frequencies=5, kept=None, scale=1):
    """With `kept`, δ and the component are of all images, and everything else of those kept."""
    n = len(x)
    squared = np.array([[((x[i] - x[j]) ** 2).sum() for j in range(n)] for i in range(n)])
    pairs = [squared[i, j] for i in range(n) for j in range(i)]
    variances = [scale * np.quantile(pairs, q) for q in quantiles]
    centred = x - x.mean(axis=0)
    position = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    position = (position - position.min()) / np.ptp(position)
    kept = range(n) if kept is None else kept
    y, h = y[kept], h[kept]
    y, h = y - y.mean(axis=0), h - y.mean(axis=0)
    found = {"variance": variances, "low_error": [], "high_error": [], "neighbours": []}
    found |= {"label_low_ratio": [], "projection_error": [], "label_amplitude": []}
    for variance in variances:
        kernel = np.array([[np.exp(-squared[i, j] / (2 * variance)) for j in kept] for i in kept])
        kernel = kernel / kernel.sum(axis=1, keepdims=True)
        y_low, h_low = kernel @ y, kernel @ h
        y_high, h_high = y - y_low, h - h_low
        found["low_error"].append(np.linalg.norm(y_low - h_low) / np.linalg.norm(y_low))
        found["high_error"].append(np.linalg.norm(y_high - h_high) / np.linalg.norm(y_high))
        found["label_low_ratio"].append((y_low**2).sum() / (y**2).sum())
        found["neighbours"].append(np.mean([1 / (row**2).sum() for row in kernel]))
    for k in range(1, frequencies + 1):
        wave = np.exp(-2j * np.pi * k * position[kept])[:, None]
        of_y, of_h = (wave * y).mean(axis=0), (wave * h).mean(axis=0)
        found["projection_error"].append(np.linalg.norm(of_h - of_y) / np.linalg.norm(of_y))
        found["label_amplitude"].append(np.linalg.norm(of_y))
    return {name: np.array(value) for name, value in found.items()}


@pytest.mark.parametrize("scale", [1, 0.1])
def test_the_measure_equals_the_slow_reference(scale):
    pixels, labels = clusters(40, spread=0.7)
    model = network(8, classes=3, kind=torch.float64)
    found = sp.frequency_principle(model, pixels, labels, frequencies=5, scale=scale, batch_size=7)
    reference = slow_reference(model, pixels, labels, found["quantile"].values, scale=scale)
    for name, expected in reference.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-8, err_msg=name)
    np.testing.assert_allclose(found.mean_high_error, found.high_error.mean())
    np.testing.assert_allclose(found.error_gap, found.high_error.mean() - found.low_error.mean())
    np.testing.assert_allclose(found.noise_amplitude**2, (1 - (np.bincount(labels) ** 2).sum() / 40**2) / 40)


@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(4, 11),
    channels=st.integers(1, 4),
    count=st.integers(3, 12),
    classes=st.integers(2, 4),
    seed=st.integers(0, 100),
    packed=st.booleans(),
)
def test_any_shape_equals_the_slow_reference(size, channels, count, classes, seed, packed):
    pixels, labels = images(count, size, channels, classes, seed)
    labels[:2] = [0, 1]
    model = network(size, channels, classes, seed, torch.float64)
    shown = pixels if packed else torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255)
    found = sp.frequency_principle(model, shown, labels, frequencies=3, quantiles=[0, 0.5])
    for name, expected in slow_reference(model, pixels, labels, [0, 0.5], 3).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, err_msg=name)


def test_errors_are_those_of_leaving_out_groups_of_images():
    pixels, labels = clusters(30)
    model = network(8, classes=3, kind=torch.float64)
    ids = np.arange(30)
    found = sp.frequency_principle(model, pixels, labels, frequencies=5)
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255)
    h = model(x).softmax(1).detach().numpy()
    # The measure groups the images that it has drawn: here all of them, in the order of the draw.
    order = np.argsort(keyed_uniform(0, ids))
    group = np.empty(30, int)
    group[order] = jackknife_groups(ids[order])
    without = [
        of_arrays(
            x.flatten(1).numpy(),
            np.eye(3)[labels],
            h,
            found["quantile"].values,
            5,
            np.flatnonzero(group != g),
        )
        for g in range(20)
    ]
    for name in ("low_error", "high_error", "label_low_ratio", "projection_error", "label_amplitude"):
        values = np.array([one[name] for one in without])
        expected = np.sqrt(19 / 20 * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
        np.testing.assert_allclose(found[f"{name}_se"], expected, rtol=1e-7, err_msg=name)


def test_legacy_equals_the_released_program():
    golden = np.load(GOLDEN / "fprinciple_filter.npz")
    weight = torch.from_numpy(golden["weight"])

    class Model(nn.Module):
        def forward(self, x):  # the program's images are (y, x, channel)
            return x.double().permute(0, 2, 3, 1).flatten(1) @ weight

    pixels = golden["images"].transpose(0, 3, 1, 2) / 255
    found = sp.frequency_principle(Model(), pixels, golden["labels"], legacy="uncentred")
    np.testing.assert_allclose(found.legacy_variance, golden["variance"])
    np.testing.assert_allclose(found.legacy_low_error, golden["lowdiff"], rtol=1e-6)
    np.testing.assert_allclose(found.legacy_high_error, golden["highdiff"], rtol=1e-6)
    assert (found.uncentred_low_error < found.low_error).all()


def test_a_constant_output_has_learned_nothing_and_the_labels_themselves_everything():
    pixels, labels = clusters(classes=2)
    shares = torch.from_numpy(np.bincount(labels) / len(labels))
    constant = sp.frequency_principle(Answers(lambda mean: shares.expand(len(mean), 2)), pixels, labels)
    for name in ("low_error", "high_error", "mean_low_error", "mean_high_error", "projection_error"):
        np.testing.assert_allclose(constant[name], 1, rtol=1e-9, err_msg=name)
    noise = np.random.default_rng(1).integers(0, 196, pixels.shape, dtype=np.uint8)
    bright = noise + np.where(labels[:, None, None, None], 59, 0).astype(np.uint8)
    right = Answers(lambda mean: torch.stack([(mean < 0.5).double(), (mean >= 0.5).double()], dim=1))
    learned = sp.frequency_principle(right, bright, labels)
    for name in ("low_error", "high_error", "projection_error"):
        np.testing.assert_allclose(learned[name], 0, atol=1e-12, err_msg=name)


def test_who_knows_the_majority_of_each_neighbourhood_knows_the_low_part_only():
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 2, 200)
    labels = np.where(rng.random(200) < 0.8, cluster, 1 - cluster)
    pixels = np.where(cluster[:, None, None, None], 160, 80) + rng.integers(0, 20, (200, 8, 8, 1))
    share = [labels[cluster == one].mean() for one in (0, 1)]
    majority = Answers(
        lambda mean: torch.stack([1 - (p := torch.where(mean > 0.5, share[1], share[0])), p], dim=1)
    )
    found = sp.frequency_principle(majority, pixels.astype(np.uint8), labels, quantiles=[0.01, 0.05])
    assert (found.low_error < 0.1).all() and (abs(found.high_error - 1) < 0.01).all()
    assert found.error_gap > 0.85 and found.error_gap_se < 0.1
    assert (found.neighbours > 80).all() and (found.neighbours < 101).all()


def test_a_wave_along_the_first_component_is_found_at_its_frequency():
    position = np.linspace(0, 1, 241)
    labels = (np.sin(2 * np.pi * 6 * position) > 0).astype(int)
    pixels = torch.from_numpy(position)[:, None, None, None].expand(-1, 1, 8, 8)

    def slow_wave(mean):  # 0.5 of an amplitude of 2/π; none of the square wave's overtones
        p = 0.5 + 0.5 * torch.sin(2 * np.pi * 6 * mean)
        return torch.stack([1 - p, p], dim=1)

    found = sp.frequency_principle(Answers(slow_wave), pixels, labels, quantiles=[0.25])
    assert int(found.label_amplitude.idxmax()) == 6 and found.explained == pytest.approx(1)
    assert found.projection_error.sel(frequency=6) == pytest.approx(1 - np.pi / 4, abs=0.02)
    assert found.projection_error.sel(frequency=18) == pytest.approx(1, abs=0.05)
    assert found.label_amplitude.sel(frequency=6) > 9 * found.noise_amplitude
    shuffled = [
        sp.frequency_principle(
            Answers(slow_wave), pixels, np.random.default_rng(seed).permutation(labels), quantiles=[0.25]
        )
        for seed in range(10)
    ]
    power = np.mean([one.label_amplitude**2 for one in shuffled])
    assert power == pytest.approx(float(found.noise_amplitude) ** 2, rel=0.2)


def test_distances_are_made_once_for_all_checkpoints_and_again_for_other_images(monkeypatch):
    made = []
    distances = neighbourhoods.squared_distances
    monkeypatch.setattr(
        neighbourhoods, "squared_distances", lambda *given: made.append(1) or distances(*given)
    )
    neighbourhoods._remembered.clear()
    pixels, labels = clusters(30)
    first = sp.frequency_principle(network(8, classes=3, seed=0), pixels, labels)
    sp.frequency_principle(network(8, classes=3, seed=1), pixels, labels)
    assert len(made) == 1
    pixels[3, 0, 0, 0] ^= 1
    changed = sp.frequency_principle(network(8, classes=3, seed=0), pixels, labels)
    assert len(made) == 2 and (changed.neighbours != first.neighbours).all()
    sp.frequency_principle(network(8, classes=3), pixels, labels, quantiles=[0.5])
    sp.frequency_principle(network(8, classes=3), pixels[:20], labels[:20])
    assert len(made) == 4 and len(neighbourhoods._remembered) == neighbourhoods.REMEMBERED
    neighbourhoods._remembered.clear()


def test_distances_of_packed_images_are_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)
    pixels[4] = pixels[2]
    squared = neighbourhoods.squared_distances(pixels, np.arange(6), CPU) * 255**2
    whole = pixels.astype(np.int64).reshape(6, -1)
    assert (squared.round().numpy() == ((whole[:, None] - whole[None]) ** 2).sum(axis=2)).all()
    assert squared[2, 4] == 0 and (squared.diagonal() == 0).all()
    as_floats = neighbourhoods.squared_distances(pixels.transpose(0, 3, 1, 2) / 255, np.arange(6), CPU)
    np.testing.assert_allclose(as_floats * 255**2, squared, rtol=1e-12)
    assert as_floats[2, 4] == 0


def test_a_filter_that_leaves_no_high_part_says_so():
    pixels, labels = clusters(40, classes=2)
    pixels = pixels[:2][labels]  # two images, each many times: a quarter of all pairs have distance 0
    found = sp.frequency_principle(network(8, classes=2), pixels, labels, quantiles=[0.1, 0.9])
    assert float(found.variance[0]) == 0 and found.variance[1] > 0
    assert np.isnan(found.high_error[0]) and found.label_high_ratio[0] == 0
    assert np.isfinite(found.high_error[1]) and found.n_filters == 1
    assert found.mean_high_error == found.high_error[1]
    assert found.neighbours[0] == pytest.approx((np.bincount(labels) ** 2).sum() / 40)
    none = sp.frequency_principle(network(8, classes=2), pixels, labels, quantiles=[0.1])
    assert none.n_filters == 0 and np.isnan(none.error_gap) and np.isfinite(none.low_error[0])


def test_images_are_drawn_by_their_ids():
    pixels, labels = clusters(80)
    ids, order = np.arange(100, 180), np.random.default_rng(0).permutation(80)
    model = network(8, classes=3, kind=torch.float64)
    few = sp.frequency_principle(model, pixels, labels, image_ids=ids, most_images=25)
    again = sp.frequency_principle(model, pixels[order], labels[order], image_ids=ids[order], most_images=25)
    other = sp.frequency_principle(model, pixels, labels, image_ids=ids, most_images=25, seed=1)
    assert few.n == 25
    for name in few.data_vars:
        np.testing.assert_allclose(again[name], few[name], rtol=1e-9, err_msg=name)
    assert (other.variance != few.variance).all()


def test_what_cannot_be_measured_is_refused():
    pixels, labels = clusters(20)
    with pytest.raises(InputError, match=r"labels: found 0 only\. Allowed: two classes"):
        sp.frequency_principle(network(8, classes=3), pixels, np.zeros(20, int))
    with pytest.raises(InputError, match="images: found 20, all the same"):
        sp.frequency_principle(network(8, classes=3), np.repeat(pixels[:1], 20, axis=0), labels)
    with pytest.raises(InputError, match=r"labels: found 2\. Allowed: 0 … 1"):
        sp.frequency_principle(network(8, classes=2), pixels, labels)


def test_errors_foretell_how_results_scatter_between_samples():
    torch.manual_seed(0)
    model = network(8, classes=3)
    runs = [sp.frequency_principle(model, *clusters(60, seed=seed, spread=0.6)) for seed in range(40)]
    for name in ("mean_low_error", "mean_high_error", "error_gap"):
        spread = np.std([float(run[name]) for run in runs], ddof=1)
        told = np.mean([float(run[f"{name}_se"]) for run in runs])
        assert 0.6 < told / spread < 1.7, (name, told / spread)
