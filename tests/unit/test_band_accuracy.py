"""Statements about accuracy on filtered images; the slow reference filters image by image over the full plane."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, network
from torch import nn

import spectral_priority as sp
from spectral_priority import filtering, fourier
from spectral_priority.config.measures import BandAccuracy
from spectral_priority.errors import InputError
from spectral_priority.measures.band_accuracy import measure
from spectral_priority.measures.over_training import learning_times, with_learning_times
from spectral_priority.measures.probe import Probe


def frequencies(size):
    return [k - size if k > (size - 1) // 2 else k for k in range(size)]


def slow_filter(image, keeps):
    """One channel after another, one frequency after another: `keeps` is told u, v."""
    size = image.shape[0]
    made = np.empty(image.shape)
    for channel in range(image.shape[2]):
        plane = np.fft.fft2(image[..., channel])
        for i, u in enumerate(frequencies(size)):
            for j, v in enumerate(frequencies(size)):
                plane[i, j] *= keeps(u, v)
        made[..., channel] = np.fft.ifft2(plane).real
    return made


def ring(u, v):
    return int(np.floor(np.sqrt(u * u + v * v) + 0.5))


def slow_keeps(name, size):
    kind, _, which = name.rpartition("-")
    if name == "none":
        return lambda u, v: True
    if kind == "low-pass":
        return lambda u, v: ring(u, v) <= int(which)
    if kind == "high-pass":
        return lambda u, v: ring(u, v) > int(which) or u == v == 0
    low, high = {"low": (0, size / 6), "mid": (size / 6, size / 3), "high": (size / 3, size // 2)}[which]
    return lambda u, v: not (low < ring(u, v) <= high)


def keeps_squared(radii):
    return lambda u, v: u * u + v * v in radii


def slow_answers(model, pixels):
    with torch.no_grad():
        logits = [model(torch.from_numpy(image.transpose(2, 0, 1)[None]))[0].numpy() for image in pixels]
    return np.array(logits)


def slow_accuracy_and_loss(model, pixels, labels, name):
    seen = [slow_filter(image / 255, slow_keeps(name, pixels.shape[1])) for image in pixels]
    logits = slow_answers(model, seen)
    chosen = logits[np.arange(len(labels)), labels]
    losses = np.log(np.exp(logits).sum(axis=1)) - chosen
    return logits.argmax(axis=1), losses


@pytest.mark.parametrize("size", [12, 9])
def test_the_measure_equals_the_slow_reference(size):
    pixels, labels = images(size=size)
    model = network(size, kind=torch.float64)
    found = sp.band_accuracy(model, pixels, labels, energy_rings=0, cutoffs=[1, 3], batch_size=7)
    before, _ = slow_accuracy_and_loss(model, pixels, labels, "none")
    assert len(found["filter"]) == 8
    for name in found["filter"].values:
        one = found.sel(filter=name)
        predicted, losses = slow_accuracy_and_loss(model, pixels, labels, name)
        correct = predicted == labels
        assert one.accuracy == pytest.approx(correct.mean(), abs=1e-12)
        assert one.accuracy_se == pytest.approx(correct.std(ddof=1) / np.sqrt(len(labels)))
        assert one.loss == pytest.approx(losses.mean(), rel=1e-9)
        assert one.loss_se == pytest.approx(losses.std(ddof=1) / np.sqrt(len(labels)), rel=1e-9)
        for label in range(4):
            own = (labels == label).sum()
            change = (predicted == label).astype(float) - (before == label)
            assert one.predicted_change[label] == pytest.approx(change.sum() / own)
            error = change.std(ddof=1) * np.sqrt(len(labels)) / own
            assert one.predicted_change_se[label] == pytest.approx(error)
    clean = (before == labels).astype(float)
    for band in ("low", "mid", "high"):
        lost = clean - (slow_accuracy_and_loss(model, pixels, labels, f"band-stop-{band}")[0] == labels)
        assert found[f"{band}_drop"] == pytest.approx(lost.mean(), abs=1e-12)
        assert found[f"{band}_drop_se"] == pytest.approx(lost.std(ddof=1) / np.sqrt(len(labels)))
    assert found.chance == np.bincount(labels).max() / len(labels)


class Eye(nn.Module):
    """Its two logits are the pixels' energy in what is left, and a constant: it shows what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return torch.stack([x.flatten(1).sum(1), 0 * x.flatten(1).sum(1) + self.weight], dim=1)


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(4, 17),
    channels=st.integers(1, 4),
    count=st.integers(1, 4),
    batch_size=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_a_model_sees_images_of_any_shape_filtered_as_the_slow_reference_filters(
    size, channels, count, batch_size, seed
):
    pixels, labels = images(count, size, channels, 2, seed)
    eye = Eye()
    found = sp.band_accuracy(eye, pixels, labels, energy_rings=0, batch_size=batch_size)
    names = list(found["filter"].values)
    passes = -(-count // batch_size)
    for number, name in enumerate(names):
        if size < 6 and name == "band-stop-low":
            continue  # no ring is so low
        seen = torch.cat([eye.seen[part * len(names) + number] for part in range(passes)]).numpy()
        expected = [slow_filter(image / 255, slow_keeps(str(name), size)) for image in pixels]
        np.testing.assert_allclose(seen.transpose(0, 2, 3, 1), expected, atol=1e-12, err_msg=name)


def test_filters_remove_the_range_that_they_name():
    found = sp.band_accuracy(network(32), *images(6, 32), cutoffs=[4, 16], energy_rings=3)
    removed = dict(
        zip(
            found["filter"].values.tolist(),
            zip(found.removed_from.values, found.removed_to.values, strict=True),
            strict=True,
        )
    )
    assert (
        removed["none"] == (0, 0) and removed["low-pass-4"] == (5, 23) and removed["high-pass-16"] == (1, 16)
    )
    assert removed["band-stop-low"] == (1, 5) and removed["band-stop-high"] == (11, 16)
    assert removed["energy-stop-1"][0] == 1 and removed["energy-stop-3"][1] == pytest.approx(np.hypot(16, 16))


def slow_energy_rings(pixels, number):
    """Radii from the middle outwards; each goes where the middle of its energy falls."""
    size, energy = pixels.shape[1], {}
    for image in pixels:
        for channel in range(image.shape[2]):
            power = np.abs(np.fft.fft2(image[..., channel] / 255)) ** 2
            for i, u in enumerate(frequencies(size)):
                for j, v in enumerate(frequencies(size)):
                    if (u, v) != (0, 0):
                        energy[u * u + v * v] = energy.get(u * u + v * v, 0) + power[i, j]
    whole, reached, part = sum(energy.values()), 0.0, {}
    for squared in sorted(energy):
        part[squared] = min(int(number * (reached + energy[squared] / 2) / whole), number - 1)
        reached += energy[squared]
    return part, energy


@pytest.mark.parametrize("size", [12, 11])
def test_energy_rings_hold_equal_parts_and_their_removal_equals_the_slow_reference(size):
    pixels, labels = images(8, size)
    eye = Eye()
    found = sp.band_accuracy(eye, pixels, labels % 2, cutoffs=[1], energy_rings=3)
    part, energy = slow_energy_rings(pixels, 3)
    for number in range(3):
        seen = eye.seen[6 + number].numpy().transpose(0, 2, 3, 1)
        stays = {squared for squared in part if part[squared] != number} | {0}
        expected = [slow_filter(image / 255, keeps_squared(stays)) for image in pixels]
        np.testing.assert_allclose(seen, expected, atol=1e-12)
        inside = sum(value for squared, value in energy.items() if part[squared] == number)
        assert inside / sum(energy.values()) == pytest.approx(1 / 3, abs=0.05)
    total = found.removed_energy.sel(filter=[f"energy-stop-{n}" for n in (1, 2, 3)]).sum()
    assert total == pytest.approx(1)


def test_removed_energy_is_the_mean_of_images_shares():
    pixels, labels = images(8, 12)
    found = sp.band_accuracy(network(), pixels, labels, cutoffs=[3])
    shares = []
    for image in pixels:
        power = fourier.half_plane_power(image.transpose(2, 0, 1) / 255).sum(axis=0)
        ring_power = fourier.radial_sum(power, corners=True)
        shares.append(ring_power[:3].sum() / ring_power.sum())
    one = found.sel(filter="high-pass-3")
    assert one.removed_energy == pytest.approx(np.mean(shares))
    assert one.removed_energy_se == pytest.approx(np.std(shares, ddof=1) / np.sqrt(8))
    assert found.removed_energy.sel(filter="none") == 0
    assert found.removed_energy.sel(filter="low-pass-3") == pytest.approx(1 - np.mean(shares))


class Waves(nn.Module):
    """Tells by the phase of one wave which class an image has."""

    def __init__(self, size, u, v):
        super().__init__()
        wave = filtering.basis_images(size, np.array([[u, v]]))[0]
        self.register_parameter("wave", nn.Parameter(torch.from_numpy(wave)))

    def forward(self, x):
        z = (x.mean(dim=1) * self.wave).sum(dim=(1, 2))
        return torch.stack([-z, z], dim=1)


def test_a_model_that_looks_at_one_ring_needs_its_band_and_no_other():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    wave = filtering.basis_images(16, np.array([[4, 3]]))[0]
    pixels = 0.5 + 0.5 * np.where(labels, 1, -1)[:, None, None, None] * wave
    pixels = pixels + rng.uniform(-0.1, 0.1, (200, 2, 16, 16))
    found = sp.band_accuracy(Waves(16, 4, 3), pixels, labels, cutoffs=[4, 5])
    accuracy = {str(name): float(found.accuracy.sel(filter=name)) for name in found["filter"].values}
    assert accuracy["none"] == accuracy["low-pass-5"] == accuracy["high-pass-4"] == 1
    assert accuracy["band-stop-low"] == accuracy["band-stop-high"] == 1 and accuracy["band-stop-mid"] < 0.8
    assert accuracy["low-pass-4"] < 0.8 and accuracy["high-pass-5"] < 0.8
    assert found.low_drop == found.high_drop == 0 and found.mid_drop > 0.2


def test_a_high_pass_keeps_the_mean_unless_told_otherwise():
    pixels, labels = images(3, 12, 2)
    for keep, expected in ((True, pixels.mean(axis=(1, 2)) / 255), (False, np.zeros((3, 2)))):
        eye = Eye()
        found = sp.band_accuracy(eye, pixels, labels % 2, cutoffs=[3], energy_rings=0, keep_dc=keep)
        at = list(found["filter"].values).index("high-pass-3")
        np.testing.assert_allclose(eye.seen[at].mean(dim=(2, 3)), expected, atol=1e-12)
        others = [seen for number, seen in enumerate(eye.seen) if number != at]
        for seen in others:
            np.testing.assert_allclose(seen.mean(dim=(2, 3)), pixels.mean(axis=(1, 2)) / 255, atol=1e-12)
        assert found.removed_from[at] == (1 if keep else 0)


def test_pixels_are_not_clipped():
    pixels = np.zeros((2, 16, 16, 1), np.uint8)
    pixels[:, 8, 8] = 255
    eye = Eye()
    sp.band_accuracy(eye, pixels, np.array([0, 1]))
    assert min(seen.min() for seen in eye.seen) < -0.05


def test_predictions_of_a_class_without_images_are_counted():
    class Stubborn(nn.Module):
        def forward(self, x):
            return x.new_tensor([0.0, 0.0, 1.0]).expand(len(x), 3) + 0 * x.sum()

    pixels, _ = images(10)
    found = sp.band_accuracy(Stubborn(), pixels, np.arange(10) % 2)
    assert (found.predicted_elsewhere == 1).all() and (found.predicted_change == 0).all()
    assert (found.accuracy == 0).all() and found["class"].values.tolist() == ["0", "1"]


def test_images_of_one_colour_are_counted_and_remove_no_energy():
    pixels, labels = images(6)
    pixels[:2] = 77
    found = sp.band_accuracy(network(), pixels, labels)
    rest = sp.band_accuracy(network(), pixels[2:], labels[2:])
    assert int(found.n_constant) == 2 and int(rest.n_constant) == 0
    np.testing.assert_allclose(found.removed_energy, rest.removed_energy * 4 / 6, rtol=1e-5)
    flat = sp.band_accuracy(network(), np.full((4, 12, 12, 3), 77, np.uint8), np.arange(4))
    assert int(flat.n_constant) == 4 and (flat.removed_energy == 0).all()
    np.testing.assert_allclose(flat.loss, flat.loss[0], rtol=1e-6)
    assert (flat.accuracy == flat.accuracy[0]).all()


def test_one_image_has_accuracies_without_errors():
    found = sp.band_accuracy(network(), *images(1))
    assert int(found.n) == 1 and np.isfinite(found.accuracy).all() and np.isnan(found.accuracy_se).all()


def test_a_loss_of_a_sure_answer_keeps_its_size():
    class Sure(nn.Module):
        def forward(self, x):
            return torch.tensor([40.0, 0.0], dtype=x.dtype).expand(len(x), 2) + 0 * x.sum()

    found = sp.band_accuracy(Sure(), images(4)[0], np.zeros(4, int), energy_rings=0)
    np.testing.assert_allclose(found.loss, np.exp(-40), rtol=1e-9)


def test_cutoffs_that_remove_nothing_and_broken_logits_are_refused():
    with pytest.raises(InputError, match=r"cutoffs: found 9. Allowed: 1 … 7 for images of 12 pixels"):
        sp.band_accuracy(network(), *images(), cutoffs=[3, 9])
    broken = network()
    broken[0].bias.data[0] = torch.nan
    with pytest.raises(InputError, match="logits: are not finite"):
        sp.band_accuracy(broken, *images())
    with pytest.raises(InputError, match="labels: found 4"):
        sp.band_accuracy(network(), images()[0], np.full(30, 4))


def test_a_band_is_learned_at_the_first_checkpoint_midway_between_chance_and_its_final_accuracy():
    steps = np.array([0, 10, 30, 100])
    accuracy = np.array([[0.25, 0.5, 0.25], [0.6, 0.2, 0.25], [0.4, 0.4, 0.25], [0.75, 0.5, 0.27]])
    error = np.full(accuracy.shape, 0.02)
    np.testing.assert_array_equal(learning_times(accuracy, error, 0.25, steps), [10, 0, np.nan])
    np.testing.assert_array_equal(learning_times(accuracy, 5 * error, 0.25, steps), [10, np.nan, np.nan])
    sure = np.ones((2, 1))  # one class: chance is 1, so nothing can be learned
    assert np.isnan(learning_times(sure, 0 * sure, 1.0, np.array([0, 1]))).all()


def test_a_sweep_of_accuracies_gets_learning_times_and_the_number_that_is_missing():
    unit = {"units": "1", "long_name": "x"}
    accuracy = np.array([[0.5, 0.5], [0.9, 0.5], [0.9, 0.52]])
    swept = xr.Dataset(
        {
            "accuracy": (("checkpoint", "filter"), accuracy, unit),
            "accuracy_se": (("checkpoint", "filter"), np.full((3, 2), 0.03), unit),
            "chance": ("checkpoint", np.full(3, 0.5), unit),
        },
        {"step": ("checkpoint", [0, 10, 100]), "filter": ["none", "low-pass-2"]},
    )
    found = with_learning_times(swept)
    np.testing.assert_array_equal(found.learning_time, [10, np.nan])
    assert int(found.learning_time_n) == 1 and int(found.learning_time_missing) == 1
    assert found.learning_time.attrs["units"] == "steps" and "half_time" not in found


def test_every_checkpoint_transforms_the_images_once_and_energy_rings_take_one_transform_for_all(monkeypatch):
    pixels, labels = images(40)
    probe = Probe(pixels, labels, np.arange(40), list("abcd"), pixels[:0])
    options, transformed = BandAccuracy(energy_rings=3, batch_size=16), []
    transform = torch.fft.rfft2
    monkeypatch.setattr(
        torch.fft, "rfft2", lambda images: [transformed.append(len(images)), transform(images)][1]
    )
    first = measure(network(), probe, options)
    assert sum(transformed) == 2 * 40
    again = measure(network(), probe, options)
    assert sum(transformed) == 3 * 40
    monkeypatch.undo()
    alone = sp.band_accuracy(network(), pixels, labels, options, class_names=list("abcd"))
    for found in (first, again):
        xr.testing.assert_equal(found, alone)


def test_energy_of_other_images_is_taken_as_given_and_refused_at_another_size():
    pixels, labels = images(6, 16)
    flat = sp.band_accuracy(network(16), pixels, labels, cutoffs=[2], energy_rings=2, energy=np.ones((16, 9)))
    assert (
        float(flat.removed_to.sel(filter="energy-stop-1")) > 5
    )  # a photograph's would end at the first rings
    with pytest.raises(InputError, match=r"energy: found shape \(8, 5\).*\(16, 9\)"):
        sp.band_accuracy(network(16), pixels, labels, cutoffs=[2], energy_rings=2, energy=np.ones((8, 5)))
