"""Statements about rings and half planes; the slow references loop over the full plane."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral_priority import fourier

SIZES = [4, 5, 7, 8, 15, 16, 32]


def noise(size, count=1, seed=0):
    return np.random.default_rng(seed).normal(size=(count, size, size))


def slow_ring_sums(image, corners=False):
    size = len(image)
    power = np.abs(np.fft.fft2(image)) ** 2 / size**2
    frequency = [k if k < size / 2 else k - size for k in range(size)]
    if size % 2 == 0:
        frequency[size // 2] = -size // 2
    last = round(max(abs(k) for k in frequency) * np.sqrt(2)) if corners else size // 2
    sums = np.zeros(last)
    for i, u in enumerate(frequency):
        for j, v in enumerate(frequency):
            ring = round(np.sqrt(u * u + v * v))
            if 1 <= ring <= last:
                sums[ring - 1] += power[i, j]
    return sums


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_ring_sums_of_the_half_plane_equal_a_loop_over_the_full_plane(size, corners):
    image = noise(size)[0]
    fast = fourier.radial_sum(fourier.half_plane_power(image), corners)
    np.testing.assert_allclose(fast, slow_ring_sums(image, corners), rtol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_a_completed_half_plane_is_the_whole_transform(size):
    image = noise(size, count=2)
    whole = np.abs(np.fft.fft2(image)) ** 2 / size**2
    np.testing.assert_allclose(fourier.full_plane(fourier.half_plane_power(image)), whole, rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(4, 40), seed=st.integers(0, 1000))
def test_power_is_the_squared_norm_of_the_image(size, seed):
    image = noise(size, seed=seed)[0]
    power = fourier.half_plane_power(image)
    total = (power * fourier.hermitian_weights(size)).sum()
    assert total == pytest.approx((image**2).sum(), rel=1e-12)
    assert fourier.radial_sum(power, corners=True).sum() + power[0, 0] == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("size", [16, 15])
def test_a_sinusoid_falls_in_one_ring(size):
    y, x = np.mgrid[:size, :size] / size
    for u, v, ring in [(3, 0, 3), (0, 5, 5), (3, 4, 5), (-2, 2, 3), (7, 0, 7)]:
        sums = fourier.radial_sum(fourier.half_plane_power(np.cos(2 * np.pi * (u * y + v * x) + 0.3)))
        assert sums[ring - 1] / sums.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_a_turn_by_a_right_angle_changes_nothing(size):
    image = noise(size)[0]
    turned = fourier.radial_sum(fourier.half_plane_power(np.rot90(image)), corners=True)
    np.testing.assert_allclose(turned, fourier.radial_sum(fourier.half_plane_power(image), True), rtol=1e-10)


def test_white_noise_is_flat():
    power = fourier.radial_sum(fourier.half_plane_power(noise(32, 2000)))
    mean = (power / fourier.ring_sizes(32)).mean(axis=0)
    np.testing.assert_allclose(mean, 1, atol=0.04)
    assert abs(fourier.log_log_slope(mean)[0]) < 0.02


def test_rings_partition_the_plane_and_bands_the_rings():
    for size in SIZES:
        assert fourier.ring_sizes(size, corners=True).sum() == size**2 - 1
        for corners in (False, True):
            masks = np.array(list(fourier.bands(size, corners).values()))
            assert (masks.sum(axis=0) == 1).all()
            assert masks.shape[1] == len(fourier.rings(size, corners))
    assert [len(fourier.rings(size, corners=True)) for size in (32, 64, 224)] == [23, 45, 158]


def test_images_that_are_not_square_are_refused():
    with pytest.raises(ValueError, match=r"must be square, \(…, N, N\); found shape \(2, 8, 9\)"):
        fourier.half_plane_power(np.zeros((2, 8, 9)))
    with pytest.raises(ValueError, match="at least 4×4 pixels"):
        fourier.check_square((3, 3))


def test_a_slope_needs_power_in_every_ring():
    assert np.isnan(fourier.log_log_slope(np.array([1.0, 0.0, 1.0]))).all()


def test_slopes_of_many_profiles_are_each_ones_least_squares_line():
    density = np.random.default_rng(0).uniform(0.1, 1, (2, 3, 16))
    density[0, 1, 4] = 0
    density[1, 2] = 0.25  # flat: a line fits it exactly
    slope, r2 = fourier.log_log_slope(density)
    x = np.log(np.arange(1, 17))
    for at in np.ndindex(2, 3):
        if at == (0, 1):
            assert np.isnan([slope[at], r2[at]]).all()
            continue
        y = np.log(density[at])
        line = np.polyfit(x, y, 1)
        left = ((y - np.polyval(line, x)) ** 2).sum() / ((y - y.mean()) ** 2).sum() if at != (1, 2) else 0
        np.testing.assert_allclose([slope[at], r2[at]], [line[0], 1 - left], atol=1e-12)
