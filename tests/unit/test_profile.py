"""Statements about the scalars of a profile, their errors, and draws keyed by image."""

import numpy as np
import pytest

from spectral_priority import fourier
from spectral_priority.measures.draws import jackknife_groups, keyed_uniform
from spectral_priority.measures.profile import (
    entropy,
    estimates,
    jackknife_error,
    leave_one_out,
    median_frequency,
    standard_error,
    top_share,
)


def test_half_of_the_profile_lies_below_the_median_frequency():
    # [0.1, 0.2, 0.7]: 0.3 below 2.5, and the missing 0.2 of 0.7 within [2.5, 3.5]
    assert median_frequency(np.array([0.1, 0.2, 0.7])) == pytest.approx(2.5 + 2 / 7)
    assert median_frequency(np.array([1.0, 0, 0])) == 1
    two = np.array([[1.0, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(median_frequency(two), [1, 3])


def test_entropy_runs_from_one_ring_to_all_alike():
    assert entropy(np.array([0.0, 1, 0, 0])) == 0
    assert entropy(np.array([0.5, 0.5, 0, 0])) == pytest.approx(0.5)


def slow_top_share(full_plane, corners):
    size = len(full_plane)
    frequency = np.fft.fftfreq(size, 1 / size)
    ring = np.round(np.hypot(frequency[:, None], frequency))
    kept = full_plane[(ring >= 1) & ((ring <= size // 2) | corners)]
    largest = sorted(kept.tolist(), reverse=True)
    number = 0.05 * len(largest)
    whole = int(number)
    return (sum(largest[:whole]) + (number - whole) * largest[whole]) / sum(largest)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [4, 8, 9, 16])
def test_top_share_equals_a_sort_of_the_full_plane(size, corners):
    image = np.random.default_rng(1).normal(size=(size, size))
    full = np.abs(np.fft.fft2(image)) ** 2
    assert top_share(fourier.half_plane_power(image), corners) == pytest.approx(
        slow_top_share(full, corners), rel=1e-10
    )


def test_one_frequency_holds_everything():
    plane = np.zeros((16, 9))
    plane[0, 3] = 1
    assert top_share(plane) == 1


def test_scalars_of_white_noise():
    ring_sizes = fourier.ring_sizes(32)
    found = estimates(ring_sizes / ring_sizes.sum(), ring_sizes, np.ones((32, 17)), corners=False)
    np.testing.assert_allclose(found["density"], 1 / 16)
    assert found["slope"] == pytest.approx(0, abs=1e-12)
    assert found["top_share"] == pytest.approx(0.05)
    assert found["low_share"] + found["mid_share"] + found["high_share"] == pytest.approx(1)
    assert found["centroid_per_pixel"] == pytest.approx(found["centroid"] / 32)
    assert found["power_centroid"] == pytest.approx(found["centroid"])


def test_the_share_of_white_noise_grows_with_the_ring_and_its_density_does_not():
    share = fourier.ring_sizes(32) / fourier.ring_sizes(32).sum()
    assert share[15] > 10 * share[0]
    assert estimates(share, share, np.ones((32, 17)), False)["density"].std() < 1e-15


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=(200, 3))
    groups = jackknife_groups(np.arange(200))
    sums = np.array([values[groups == group].sum(axis=0) for group in range(20)])
    replicates = leave_one_out(sums) / leave_one_out(np.full(20, 10.0))[:, None]
    np.testing.assert_allclose(replicates[0], values.mean(axis=0))
    np.testing.assert_allclose(jackknife_error(replicates[1:]), standard_error(values), rtol=0.5)


def test_one_group_has_no_error():
    assert np.isnan(jackknife_error(np.ones((1, 2)))).all()
    assert np.isnan(standard_error(np.ones((1, 2)))).all()


def test_draws_are_uniform_and_belong_to_the_image():
    ids = np.arange(20000)
    drawn = keyed_uniform(5, ids)
    assert abs(drawn.mean() - 0.5) < 0.01 and abs(drawn.std() - 12**-0.5) < 0.01
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(drawn, keyed_uniform(6, ids))[0, 1]) < 0.03
    np.testing.assert_array_equal(keyed_uniform(5, ids[::-1]), drawn[::-1])


def test_jackknife_groups_are_equal_and_mix_classes_that_take_turns():
    ids = np.arange(400)
    groups = jackknife_groups(ids)
    assert set(np.bincount(groups)) == {20}
    assert all(len(set(ids[groups == group] % 4)) == 4 for group in range(20))
    order = np.random.default_rng(0).permutation(400)
    np.testing.assert_array_equal(jackknife_groups(ids[order]), groups[order])
