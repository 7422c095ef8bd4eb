"""Statements about the Fourier heat map; the slow reference adds one wave to one image at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, network
from torch import nn

import spectral_priority as sp
from spectral_priority import filtering, fourier, half_plane
from spectral_priority.errors import InputError


def slow_wave(size, u, v):
    wave = np.empty((size, size))
    for y in range(size):
        for x in range(size):
            wave[y, x] = np.cos(2 * np.pi * (u * y + v * x) / size)
    return wave / np.sqrt((wave**2).sum())


def every_frequency(size):
    """Every (u, v) of the half plane, in FFT order."""
    vertical = [k - size if k > (size - 1) // 2 else k for k in range(size)]
    return [(i, j, u, j) for i, u in enumerate(vertical) for j in range(size // 2 + 1)]


def slow_heatmap(model, pixels, labels, norm, seed, ids):
    """Error of each image at each half-plane frequency, (n, N, N//2 + 1), and without noise, (n,)."""
    size, channels = pixels.shape[1], pixels.shape[3]
    wrong, clean = np.zeros((len(pixels), size, size // 2 + 1)), np.zeros(len(pixels))
    frequencies = half_plane.distinct_frequencies(size)

    def answer(image):
        with torch.no_grad():
            return int(model(torch.from_numpy(image.transpose(2, 0, 1)[None]))[0].argmax())

    for number, (image, label) in enumerate(zip(pixels / 255, labels, strict=True)):
        stream = np.random.default_rng([seed, ids[number]])
        signs = 2.0 * stream.integers(0, 2, (len(frequencies), channels), dtype=np.int8) - 1
        clean[number] = answer(image) != label
        for i, j, u, v in every_frequency(size):
            same = [k for k, (a, b) in enumerate(frequencies) if is_wave(size, (u, v), (a, b))]
            assert len(same) == 1
            noisy = image + norm * slow_wave(size, u, v)[..., None] * signs[same[0]]
            wrong[number, i, j] = answer(noisy) != label
    return wrong, clean


def is_wave(size, one, other):
    """Are two frequencies the same or Hermitian partners?"""
    same = all((a - b) % size == 0 for a, b in zip(one, other, strict=True))
    return same or all((a + b) % size == 0 for a, b in zip(one, other, strict=True))


def full_plane_ring(size, wrong, ring):
    """Mean over the ring's frequencies of the full plane of one image's errors."""
    plane = fourier.full_plane(wrong)
    vertical = [k - size if k > (size - 1) // 2 else k for k in range(size)]
    inside = [
        plane[..., i, j]
        for i, u in enumerate(vertical)
        for j, v in enumerate(vertical)
        if int(np.floor(np.hypot(u, v) + 0.5)) in ring
    ]
    return np.mean(inside, axis=0)


@pytest.mark.parametrize("size, batch_size", [(8, 256), (9, 5)])
def test_the_measure_equals_the_slow_reference(size, batch_size):
    pixels, labels = images(12, size)
    model, ids = network(size, kind=torch.float64), np.arange(100, 112)
    found = sp.fourier_heatmap(model, pixels, labels, norm=3, seed=5, image_ids=ids, batch_size=batch_size)
    wrong, clean = slow_heatmap(model, pixels, labels, 3, 5, ids)
    np.testing.assert_allclose(found.error, wrong.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.error_se, wrong.std(axis=0, ddof=1) / np.sqrt(12), atol=1e-12)
    assert found.clean_error == pytest.approx(clean.mean()) and found.error.std() > 0
    assert found.clean_error_se == pytest.approx(clean.std(ddof=1) / np.sqrt(12))
    for ring in range(1, size // 2 + 1):
        of_image = full_plane_ring(size, wrong, {ring})
        assert found.ring_error.sel(ring=ring) == pytest.approx(of_image.mean())
        assert found.ring_error_se.sel(ring=ring) == pytest.approx(of_image.std(ddof=1) / np.sqrt(12))
    bands = {"low": (0, size / 6), "mid": (size / 6, size / 3), "high": (size / 3, size // 2)}
    for band, (above, up_to) in bands.items():
        of_image = full_plane_ring(size, wrong, {r for r in range(1, size) if above < r <= up_to})
        assert found[f"{band}_error"] == pytest.approx(of_image.mean())
        assert found[f"{band}_error_se"] == pytest.approx(of_image.std(ddof=1) / np.sqrt(12))


@settings(max_examples=40, deadline=None)
@given(size=st.integers(4, 20))
def test_basis_images_have_norm_one_at_one_frequency_and_each_pair_is_listed_once(size):
    frequencies = half_plane.distinct_frequencies(size)
    waves = filtering.basis_images(size, frequencies)
    np.testing.assert_allclose((waves**2).sum(axis=(1, 2)), 1, rtol=1e-12)
    for wave, (u, v) in zip(waves, frequencies, strict=True):
        np.testing.assert_allclose(wave, slow_wave(size, u, v), atol=1e-12)
    power = fourier.half_plane_power(waves)
    positions = half_plane.hermitian_positions(size)
    for number, plane in enumerate(power):
        np.testing.assert_allclose(plane[positions != number], 0, atol=1e-12)
        assert (positions == number).sum() in (1, 2)
    assert len(frequencies) == (size**2 + (4 if size % 2 == 0 else 1)) // 2


class Recorder(nn.Module):
    """Keeps what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return torch.stack([x.flatten(1).sum(1), 0 * x.flatten(1).sum(1) + self.weight], dim=1)


@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(4, 11), channels=st.integers(1, 4), count=st.integers(1, 4), batch_size=st.integers(1, 9)
)
def test_every_image_meets_every_wave_at_the_chosen_norm_in_every_channel(size, channels, count, batch_size):
    pixels, labels = images(count, size, channels, 2)
    eye = Recorder()
    sp.fourier_heatmap(eye, pixels, labels, norm=2.5, batch_size=batch_size)
    seen = torch.cat(eye.seen).numpy()
    frequencies = half_plane.distinct_frequencies(size)
    assert len(seen) == count * (len(frequencies) + 1)
    waves = filtering.basis_images(size, frequencies).reshape(len(frequencies), -1)
    clean = pixels.transpose(0, 3, 1, 2) / 255
    noises = seen[:, None] - clean  # of each image seen, if it was that image
    size_of = np.sqrt((noises**2).sum(axis=(3, 4)))  # (seen, image, channel)
    matches = np.isclose(size_of, 2.5).all(axis=2)
    projected = np.abs(noises.reshape(*noises.shape[:3], -1) @ waves.T).min(axis=2) / 2.5
    met = matches[..., None] & np.isclose(projected, 1)
    assert (met.sum(axis=0) >= 1).all()


class Waves(nn.Module):
    """An observer of one wave of known sign."""

    def __init__(self, size, u, v):
        super().__init__()
        self.wave = nn.Parameter(torch.from_numpy(filtering.basis_images(size, np.array([[u, v]]))[0]))

    def forward(self, x):
        z = (x.mean(dim=1) * self.wave).sum(dim=(1, 2))
        return torch.stack([-z, z], dim=1)


def test_an_observer_of_one_wave_errs_at_its_frequency_alone_and_half_the_time():
    labels = np.arange(400) % 2
    wave = filtering.basis_images(12, np.array([[-3, 2]]))[0]
    pixels = 0.5 + np.where(labels, 1, -1)[:, None, None, None] * wave[None, None]
    found = sp.fourier_heatmap(Waves(12, -3, 2), pixels, labels, norm=1.5, most_images=1000)
    assert abs(found.error.sel(u=-3, v=2) - 0.5) < 3 * found.error_se.sel(u=-3, v=2)
    assert found.error.sum() == found.error.sel(u=-3, v=2) and found.clean_error == 0
    assert found.ring_error.sel(ring=4) > 0 and found.ring_error.sum() == found.ring_error.sel(ring=4)
    weak = sp.fourier_heatmap(Waves(12, -3, 2), pixels, labels, norm=0.9)
    assert (weak.error == 0).all() and (weak.error_se == 0).all()
    assert found.low_error == 0 and found.mid_error > 0 and found.high_error == 0


def test_a_smaller_map_is_part_of_the_whole_one():
    pixels, labels = images(10, 12)
    model = network(12, kind=torch.float64)
    whole = sp.fourier_heatmap(model, pixels, labels, norm=2)
    part = sp.fourier_heatmap(model, pixels, labels, norm=2, largest=4)
    assert part.sizes["u"] == 9 and part.sizes["v"] == 5 and part.sizes["ring"] == 4
    np.testing.assert_array_equal(part.error, whole.error.sel(u=part.u, v=part.v))
    np.testing.assert_array_equal(part.ring_error, whole.ring_error[:4])
    assert part.mid_error == whole.mid_error and "high_error" not in part


def test_images_are_chosen_by_their_ids_and_the_rest_is_counted():
    pixels, labels = images(30, 8)
    model, ids = network(8, kind=torch.float64), np.arange(500, 530)
    found = sp.fourier_heatmap(model, pixels, labels, most_images=7, image_ids=ids, norm=2)
    order = np.random.default_rng(0).permutation(30)
    again = sp.fourier_heatmap(
        model, pixels[order], labels[order], most_images=7, image_ids=ids[order], norm=2
    )
    np.testing.assert_allclose(found.error, again.error, atol=1e-12)
    np.testing.assert_allclose(found.ring_error_se, again.ring_error_se, atol=1e-12)
    assert int(found.n) == 7 and int(found.n_left_out) == 23
    other = sp.fourier_heatmap(model, pixels, labels, most_images=7, image_ids=ids, norm=2, seed=1)
    assert not found.error.equals(other.error)


def test_one_image_has_errors_without_standard_errors_and_the_usual_norm_is_an_eighth_of_the_side():
    found = sp.fourier_heatmap(network(), *images(1))
    assert int(found.n) == 1 and np.isin(found.error, (0, 1)).all() and np.isnan(found.error_se).all()
    assert found.norm == 1.5


def test_frequencies_beyond_half_the_side_are_refused():
    with pytest.raises(InputError, match=r"largest: found 7. Allowed: 1 … 6 for images of 12 pixels"):
        sp.fourier_heatmap(network(), *images(), largest=7)
