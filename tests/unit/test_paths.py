"""Statements about response frequencies along paths; the slow reference works path by path in float64, with loops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, linear, network
from torch import nn

import spectral_priority as sp
from spectral_priority.errors import InputError
from spectral_priority.measures.image_pairs import image_pairs, pair_error
from spectral_priority.measures.paths import spectral_bias_spectrum

GOLDEN = Path(__file__).parents[1] / "golden"


class OfMean(nn.Module):
    """Two logits ±f(mean pixel value)."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        z = self.function(x.mean(dim=(1, 2, 3)))
        return torch.stack([z, -z], dim=1)


def grey(values, size=8):
    """Uniform grey images in float64."""
    return torch.as_tensor(values, dtype=torch.float64)[:, None, None, None].expand(-1, 3, size, size)


def slow_power(values):
    """METHODS 4: one output after another; one-sided power of cycles 1 … ⌊M/2⌋."""
    samples, outputs = values.shape
    j = np.arange(samples)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * j / samples)
    power = np.zeros(samples // 2)
    for output in range(outputs):
        slope, start = np.polyfit(j, values[:, output], 1)
        seen = (values[:, output] - start - slope * j) * window / np.sqrt((window**2).sum())
        for k in range(1, samples // 2 + 1):
            amplitude = (seen * np.exp(-2j * np.pi * k * j / samples)).sum()
            power[k - 1] += abs(amplitude) ** 2 * (1 if 2 * k == samples else 2) / samples
    return power


def slow_reference(model, pixels, labels, pairs, samples, high=0.4):
    """Everything about the paths of one kind, one path after another."""
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255)
    cycle = np.arange(1, samples // 2 + 1)
    found = {}
    lengths = np.array([float((x[a] - x[b]).square().sum().sqrt()) for a, b in pairs])
    for output in ("softmax", "logit"):
        powers = []
        for a, b in pairs:
            points = torch.stack([x[a] + (x[b] - x[a]) * j / samples for j in range(samples)])
            logits = model(points).detach()
            powers.append(slow_power((logits.softmax(1) if output == "softmax" else logits).numpy()))
        powers = np.array(powers)
        share = powers / powers.sum(axis=1, keepdims=True)
        found[output] = {
            "share": share,
            "power": powers,
            "centroid": share @ cycle,
            "high_share": share[:, cycle > high * samples / 2].sum(axis=1),
            "centroid_per_l2": (share * cycle / lengths[:, None]).sum(axis=1),
            "power_centroid": (powers.sum(axis=0) * cycle).sum() / powers.sum(),
        }
    return found, lengths


def compare(found, model, pixels, labels, ids, number, samples, rtol):
    cycle = np.arange(1, samples // 2 + 1)
    kinds = dict(zip(("within", "between"), image_pairs(labels, ids, number), strict=True))
    references = {
        kind: slow_reference(model, pixels, labels, pairs, samples)
        for kind, pairs in kinds.items()
        if len(pairs)
    }
    assert all(found[f"softmax_{kind}_n"] == len(pairs) for kind, pairs in kinds.items())
    longest = max(lengths.max() for _, lengths in references.values())
    np.testing.assert_allclose(found.frequency_per_l2, cycle / longest, rtol=1e-12)
    for kind, (reference, lengths) in references.items():
        for output, expected in reference.items():
            assert found[f"{output}_{kind}_n"] == len(lengths)
            for name in ("centroid", "high_share", "centroid_per_l2", "power_centroid"):
                value = found[f"{output}_{kind}_{name}"]
                np.testing.assert_allclose(value, np.mean(expected[name]), rtol=rtol, err_msg=name)
            for name in ("share", "power"):
                value = found[f"{output}_{name}"].sel(pair=kind)
                np.testing.assert_allclose(value, expected[name].mean(axis=0), rtol=rtol, atol=1e-14)
            above = cycle / lengths[:, None] > 0.4 * samples / 2 / longest
            value = found[f"{output}_{kind}_high_share_per_l2"]
            np.testing.assert_allclose(value, (expected["share"] * above).sum(axis=1).mean(), rtol=rtol)


@pytest.mark.parametrize("samples", [16, 15])
def test_the_measure_equals_the_slow_reference(samples):
    pixels, labels = images(20, 12)
    ids = np.arange(300, 320)
    model = network(12, kind=torch.float64)
    found = sp.path_spectra(
        model, pixels, labels, pairs=12, samples=samples, high=0.4, batch_size=37, image_ids=ids
    )
    compare(found, model, pixels, labels, ids, 12, samples, rtol=1e-8)
    assert found.n == 24 and found.n_identical == 0


@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(4, 13),
    channels=st.integers(1, 4),
    count=st.integers(2, 7),
    classes=st.integers(2, 4),
    samples=st.integers(8, 17),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_any_shape_equals_the_slow_reference(size, channels, count, classes, samples, batch_size, seed):
    pixels, labels = images(count, size, channels, classes, seed)
    model = network(size, channels, classes, seed, torch.float64)
    found = sp.path_spectra(model, pixels, labels, pairs=4, samples=samples, high=0.4, batch_size=batch_size)
    compare(found, model, pixels, labels, np.arange(count), 4, samples, rtol=1e-6)


def test_a_sine_along_the_path_lies_at_its_frequency_on_both_axes():
    model = OfMean(lambda mean: torch.sin(2 * np.pi * 5 * mean) / 1000)
    found = sp.path_spectra(model, grey([0, 1]), np.array([0, 1]), samples=64)
    share = found.logit_share.sel(pair="between")
    assert share.sel(cycle=slice(4, 6)).sum() > 0.98 and int(share.idxmax()) == 5
    assert float(found.logit_between_centroid) == pytest.approx(5, abs=0.1)
    assert float(found.softmax_between_centroid) == pytest.approx(5, abs=0.1)  # a small logit: nearly linear
    length = np.sqrt(3 * 64)
    assert float(found.path_length[1]) == pytest.approx(length)
    assert float(found.logit_between_centroid_per_l2) == pytest.approx(5 / length, rel=0.02)
    # of a sine of amplitude a, both logits: mean square a²
    assert found.logit_power.sel(pair="between").sum() == pytest.approx(1e-6, rel=0.05)


def test_paths_of_other_lengths_meet_on_the_axis_of_distance():
    """The same function of distance: a short path sees fewer of its cycles, but as many per distance."""
    model = OfMean(lambda mean: torch.sin(2 * np.pi * 16 * mean) / 1000)
    pixels = grey([0, 1, 0.25, 0.75])
    found = sp.path_spectra(model, pixels, np.array([0, 0, 1, 1]), pairs=2, samples=64, per_class=True)
    length = np.sqrt(3 * 64)
    np.testing.assert_allclose(sorted(found.logit_class_centroid.sel(pair="within")), [8, 16], rtol=0.02)
    np.testing.assert_allclose(
        found.logit_class_centroid_per_l2.sel(pair="within"), [16 / length] * 2, rtol=0.02
    )
    on_axis = found.logit_share_per_l2.sel(pair="within")
    assert on_axis.sum() == pytest.approx(1, abs=1e-3)
    assert abs(float(on_axis.idxmax()) - 16 / length) < 1.1 / length
    assert found.logit_share.sel(pair="within").max() < 0.4  # two peaks on the axis of samples


def test_logits_of_a_linear_model_have_no_frequency_content():
    weight = torch.randn(4, 3, 16, 16, generator=torch.manual_seed(1))
    for kind in (torch.float32, torch.float64):
        found = sp.path_spectra(linear(weight.to(kind)), *images(30, 16), pairs=20, samples=32)
        for pair in ("within", "between"):
            assert found[f"logit_{pair}_n"] == 0 and found[f"logit_{pair}_n_flat"] == 20
            assert np.isnan(found[f"logit_{pair}_centroid"])
            assert found[f"softmax_{pair}_n_flat"] == 0 and found[f"softmax_{pair}_centroid"] > 1
    assert found.logit_power.max() < 1e-25


def test_a_curved_model_has_few_flat_paths_even_where_it_is_sure():
    """Softmax of a logit gap of 20: its change is 10⁻⁹ in size and has the spectrum that float64 finds."""

    def sure(kind):
        model = network(16, seed=2, kind=kind)
        model[-1].bias.data[0] += 20
        return model

    pixels, labels = images(30, 16)
    single, double = (
        sp.path_spectra(sure(kind), pixels, labels, pairs=20, samples=32)
        for kind in (torch.float32, torch.float64)
    )
    for pair in ("within", "between"):
        assert single[f"softmax_{pair}_n"] == 20
        np.testing.assert_allclose(
            single[f"softmax_{pair}_centroid"], double[f"softmax_{pair}_centroid"], rtol=1e-3
        )


def test_outputs_that_do_not_depend_on_the_image_make_flat_paths():
    found = sp.path_spectra(OfMean(torch.zeros_like), *images(20, classes=2), pairs=5, samples=8)
    assert found.softmax_within_n_flat == 5 and found.softmax_between_n == 0
    assert np.isnan(found.softmax_centroid_difference) and found.n == 10
    assert (found.logit_power == 0).all() and (found.softmax_class_n == 0).all()


def test_paths_between_identical_images_are_dropped_and_counted():
    pixels, labels = images(6, classes=2)
    pixels[:], labels = pixels[:1], np.array([0, 0, 1, 1, 1, 1])
    with pytest.raises(InputError, match="found 6, none of which differ"):
        sp.path_spectra(network(), pixels, labels)
    pixels[0] = 255 - pixels[0]
    found = sp.path_spectra(network(), pixels, labels, samples=8)
    assert found.n == 5 and found.n_identical == 10  # five pairs of images have the bright one


def test_one_class_has_no_paths_between():
    pixels, _ = images(10)
    found = sp.path_spectra(network(), pixels, np.zeros(10, int), samples=8, pairs=7)
    assert found.softmax_within_n == 7 and found.softmax_between_n == 0
    assert np.isfinite(found.softmax_within_centroid) and np.isnan(found.softmax_between_centroid)
    alone = sp.path_spectra(network(), pixels[:2], np.zeros(2, int), samples=8)
    assert np.isfinite(alone.softmax_within_centroid) and np.isnan(alone.softmax_within_centroid_se)


def test_numbers_of_a_class_are_of_the_paths_that_touch_it():
    pixels, labels = images(24)
    model = network(kind=torch.float64)
    found = sp.path_spectra(model, pixels, labels, pairs=16, samples=16, class_names=list("abcd"))
    for kind, pairs in zip(("within", "between"), image_pairs(labels, np.arange(24), 16), strict=True):
        touching = pairs[(labels[pairs] == 2).any(axis=1)]
        expected, _ = slow_reference(model, pixels, labels, touching, 16)
        of_class = {"pair": kind, "class": "c"}
        np.testing.assert_allclose(
            found.softmax_class_centroid.sel(of_class), expected["softmax"]["centroid"].mean()
        )
        assert found.softmax_class_n.sel(of_class) == len(touching)


def test_pairs_use_every_image_once_before_any_twice_and_classes_in_turn():
    labels = np.repeat([0, 1, 2], [10, 10, 10])
    within, between = image_pairs(labels, np.arange(30), 15)
    assert len(within) == len(between) == 15 and len(np.unique(within)) == 30
    assert len(np.unique(between[:10])) == 20 and np.bincount(between.ravel()).max() == 2
    assert (labels[within[:, 0]] == labels[within[:, 1]]).all()
    assert (labels[between[:, 0]] != labels[between[:, 1]]).all()
    assert np.bincount(labels[within[:6, 0]]).tolist() == [2, 2, 2]
    everything = image_pairs(labels, np.arange(30), 10_000)
    assert [len(pairs) for pairs in everything] == [3 * 45, 300]
    assert all(len(np.unique(np.sort(pairs), axis=0)) == len(pairs) for pairs in everything)


def test_pairs_follow_from_ids_and_seed():
    labels, ids = np.random.default_rng(0).integers(0, 5, 40), np.arange(500, 540)
    usual = image_pairs(labels, ids, 12)
    order = np.random.default_rng(1).permutation(40)
    for one, other in zip(usual, image_pairs(labels[order], ids[order], 12), strict=True):
        assert (ids[one] == ids[order][other]).all()
    assert any(
        (one != other).any() for one, other in zip(usual, image_pairs(labels, ids, 12, 1), strict=True)
    )


def test_errors_count_images_that_paths_share():
    rng = np.random.default_rng(0)
    pairs = np.array([[0, 1], [1, 2], [3, 4], [0, 3], [5, 6]])
    influence = rng.normal(size=5)
    shared = sum(
        influence[p] * influence[q] for p in range(5) for q in range(5) if set(pairs[p]) & set(pairs[q])
    )
    expected = np.sqrt(max(shared, (influence**2).sum()))
    assert pair_error(influence, pairs) == pytest.approx(expected)


def test_errors_foretell_how_results_scatter_between_samples():
    model = network(12)
    for number in (10, 60):  # each image once, then four times
        runs = [
            sp.path_spectra(model, *images(24, 12, classes=2, seed=seed), pairs=number, samples=8)
            for seed in range(30)
        ]
        for name in ("within_centroid", "between_centroid", "within_power_centroid", "centroid_difference"):
            spread = np.std([float(run[f"softmax_{name}"]) for run in runs], ddof=1)
            told = np.mean([float(run[f"softmax_{name}_se"]) for run in runs])
            assert 0.6 < told / spread < 1.7, (name, number, told / spread)


@pytest.mark.parametrize("samples", [16, 32])
def test_legacy_paths_equal_the_released_program(samples):
    golden = np.load(GOLDEN / "spectral_bias_paths.npz")
    expected = golden[f"spectra_{samples}"]
    np.testing.assert_allclose(
        spectral_bias_spectrum(golden[f"logits_{samples}"]), expected, rtol=1e-9, atol=1e-12
    )
    hidden, output = (torch.from_numpy(golden[name].T) for name in ("hidden", "output"))
    layers = nn.Linear(192, 12, bias=False), nn.Linear(12, 4, bias=False)
    for layer, weight in zip(layers, (hidden, output), strict=True):
        layer.weight.data = weight

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers

        def forward(self, x):  # the program's images are (y, x, channel)
            return self.second(torch.tanh(self.first(x.permute(0, 2, 3, 1).flatten(1))))

    for pixels, spectrum in zip(golden["images"], expected, strict=True):
        found = [
            sp.path_spectra(
                Model(),
                pixels.transpose(0, 3, 1, 2),
                np.array([0, 1]),
                image_ids=np.array(ids),
                samples=samples,
                legacy="spectral-bias",
            )
            for ids in ([0, 1], [1, 0])  # ids decide from which image a path starts
        ]
        forwards = [np.allclose(one.legacy.sel(pair="between"), spectrum, rtol=1e-4) for one in found]
        assert sorted(forwards) == [False, True]
    assert found[0].legacy_cycle[0] == -samples // 2 and found[0].legacy_cycle[samples // 2] == 0


def test_batch_size_and_order_do_not_matter():
    pixels, labels = images(23, 12)
    ids, order = np.arange(100, 123), np.random.default_rng(0).permutation(23)
    model = network(12, kind=torch.float64)
    several = {"pairs": 9, "samples": 12, "legacy": "spectral-bias"}
    whole = sp.path_spectra(model, pixels, labels, image_ids=ids, **several)
    for batch_size, chosen in [(1, slice(None)), (30, order), (1000, order[::-1])]:
        again = sp.path_spectra(
            model,
            pixels[chosen],
            labels[chosen],
            image_ids=ids[chosen],
            batch_size=batch_size,
            **several,
        )
        for name in whole.data_vars:
            np.testing.assert_allclose(again[name], whole[name], rtol=1e-8, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "model, message",
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(432, 1)), "returns one logit"),
        (nn.Sequential(nn.Flatten(), nn.Linear(432, 2)), "labels: found 3. Allowed: 0 … 1"),
        (nn.Flatten(0), "returns shape"),
        (nn.Sequential(network(), nn.Threshold(torch.inf, torch.nan)), "are not finite"),
    ],
)
def test_models_that_cannot_be_measured_are_refused(model, message):
    with pytest.raises(InputError, match=message):
        sp.path_spectra(model, *images(), samples=8)


def test_labels_and_names_must_fit():
    pixels, labels = images()
    for changes, message in [
        ({"image_ids": np.arange(3)}, "one id per image"),
        ({"image_ids": np.arange(30) / 2}, "found float64"),
        ({"class_names": ["a", "b"]}, "found 2, but a label is 3"),
        ({"labels": labels - 1}, "found -1"),
    ]:
        given = {"labels": labels, **changes}
        with pytest.raises(InputError, match=message):
            sp.path_spectra(network(), pixels, given.pop("labels"), **given)
