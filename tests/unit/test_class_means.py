"""Class-mean PSD and Pinson's spectrum: against plain loops, by identities, and what degenerate classes give."""

import logging

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import spectral_priority as sp
from spectral_priority.data import class_means
from spectral_priority.data.class_mean_psd import differences
from spectral_priority.data.class_means import ClassSums, class_sums
from spectral_priority.data.pinson import modes, pinson_of
from spectral_priority.errors import InputError
from spectral_priority.store.netcdf import read_dataset, write_dataset

both = pytest.mark.parametrize("measure", [sp.class_mean_psd, sp.pinson])


def made(count, size, channels, classes, seed=0, dtype=np.uint8):
    """Images and labels; every class has one, where there are enough images."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % classes)
    if dtype == np.uint8:
        return random.integers(0, 256, (count, size, size, channels), dtype=np.uint8), labels
    return random.random((count, channels, size, size)), labels


def by_loops(images, labels, which):
    """Ring powers by the definition, on the full plane, one frequency at a time; then DC, and the corners."""
    pixels = images / 255.0 if images.dtype == np.uint8 else np.moveaxis(images, 1, -1)
    size, channels = pixels.shape[1], pixels.shape[3]
    classes = sorted(set(labels.tolist()))
    overall = sum(pixels) / len(pixels)
    means, counts = [], []
    for one in classes:
        members = [image for image, label in zip(pixels, labels, strict=True) if label == one]
        means.append(sum(members) / len(members) - overall)
        counts.append(len(members))
    if which == "class-mean-psd":
        weighted = [(1.0, mean) for mean in means]
    else:
        rows = np.stack([np.sqrt(count) * mean.ravel() for count, mean in zip(counts, means, strict=True)])
        _, strengths, vectors = np.linalg.svd(rows, full_matrices=False)
        weighted = [
            (s, vector.reshape(size, size, channels)) for s, vector in zip(strengths, vectors, strict=True)
        ]
    ring, dc, corner = np.zeros(size // 2), 0.0, 0.0
    for weight, image in weighted:
        for channel in range(channels):
            power = np.abs(np.fft.fft2(image[:, :, channel])) ** 2 / size**2
            for u in range(size):
                for v in range(size):
                    radius = np.hypot(min(u, size - u), min(v, size - v))
                    number = int(np.floor(radius + 0.5))
                    if number == 0:
                        dc += weight * power[u, v]
                    elif number <= size // 2:
                        ring[number - 1] += weight * power[u, v]
                    else:
                        corner += weight * power[u, v]
    return ring, dc, corner


@both
@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(4, 9),
    channels=st.integers(1, 4),
    count=st.integers(2, 14),
    classes=st.integers(2, 4),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.uint8, np.float64]),
)
def test_it_equals_plain_loops_for_every_size_and_number_of_channels(
    measure, size, channels, count, classes, seed, dtype
):
    images, labels = made(count, size, channels, classes, seed, dtype)
    found = measure(images, labels)
    ring, dc, corner = by_loops(images, labels, found.attrs["measure"])
    np.testing.assert_allclose(found.power, ring, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.share, ring / ring.sum(), rtol=1e-8, atol=1e-12)
    assert float(found.centroid) == pytest.approx((ring * np.arange(1, len(ring) + 1)).sum() / ring.sum())
    whole = ring.sum() + dc + corner
    assert float(found.dc_share) == pytest.approx(dc / whole, abs=1e-12)
    assert float(found.corner_share) == pytest.approx(corner / whole, abs=1e-12)
    assert (found.images, found.classes) == (count, len(set(labels.tolist())))


@both
def test_standard_errors_are_those_of_leaving_out_every_image_once(measure):
    """Of up to twenty images each is a jackknife group of its own."""
    images, labels = made(15, 6, 2, 3)
    found = measure(images, labels)
    without = []
    for left_out in range(15):
        rest = np.arange(15) != left_out
        ring, _, _ = by_loops(images[rest], labels[rest], found.attrs["measure"])
        without.append({"power": ring, "share": ring / ring.sum(), "centroid": ring @ [1, 2, 3] / ring.sum()})
    for name in ("power", "share", "centroid"):
        values = np.array([one[name] for one in without])
        error = np.sqrt(14 / 15 * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
        np.testing.assert_allclose(found[f"{name}_se"], error, rtol=1e-7, atol=1e-13)
    assert found.jackknife_groups == 15
    if "sampling_power" in found:
        bias = 14 * (np.mean([one["power"] for one in without], axis=0) - found.power)
        np.testing.assert_allclose(found.sampling_power, bias, rtol=1e-6)
        assert float(found.sampling_share) == pytest.approx(float(bias.sum() / found.power.sum()))


def test_replicates_of_larger_groups_are_means_without_their_images():
    images, labels = made(203, 4, 1, 3)
    sums = class_sums(images, labels)
    counts = np.array([np.bincount(labels[sums.group == group], minlength=3) for group in range(20)])
    assert np.ptp(counts, axis=0).max() <= 1 and np.ptp(counts.sum(axis=1)) <= 1
    replicates = list(sums.replicates())
    assert len(replicates) == 21
    for group, (centred, number) in enumerate(replicates[1:]):
        rest = sums.group != group
        pixels = np.moveaxis(images[rest], -1, 1) / 255.0
        means = np.stack([pixels[labels[rest] == one].mean(axis=0) for one in range(3)])
        np.testing.assert_allclose(centred, means - pixels.mean(axis=0), atol=1e-14)
        assert number.tolist() == np.bincount(labels[rest]).tolist()


@both
def test_standard_errors_are_the_spread_over_repetitions(measure):
    random = np.random.default_rng(0)
    mean = random.normal(0.5, 0.05, (3, 1, 8, 8))
    labels = np.arange(120) % 3
    found = [
        measure((mean[labels] + random.normal(0, 0.05, (120, 1, 8, 8))).clip(0, 1), labels)
        for _ in range(150)
    ]
    for name in ("power", "share", "centroid"):
        spread = np.std([one[name] for one in found], axis=0, ddof=1)
        claimed = np.mean([one[f"{name}_se"] for one in found], axis=0)
        np.testing.assert_allclose(claimed, spread, rtol=0.3)


def test_power_of_classes_that_do_not_differ_is_recognised_as_that_of_few_images(caplog):
    images, labels = made(400, 16, 3, 4)
    noise = sp.class_mean_psd(images, labels)
    assert 0.9 < float(noise.sampling_share) < 1.1
    assert "% of the power is there because class means are of finitely many images" in caplog.text
    caplog.clear()
    images[labels == 1, :, :8] //= 2
    assert float(sp.class_mean_psd(images, labels).sampling_share) < 0.2
    assert not caplog.records


def test_with_squared_singular_values_pinson_is_the_class_mean_psd_weighted_by_images():
    images, labels = made(40, 9, 3, 4)
    labels[labels == 3] = np.arange((labels == 3).sum()) % 2  # classes of unequal size
    centred, counts = next(class_sums(images, labels).replicates())
    assert len(set(counts.tolist())) > 1
    weighted = differences(np.sqrt(counts)[:, None, None, None] * centred, counts)
    np.testing.assert_allclose(modes(centred, counts, exponent=2), weighted, rtol=1e-9)
    assert not np.allclose(modes(centred, counts), weighted, rtol=0.1)


@both
@pytest.mark.parametrize(("size", "ring"), [(16, 5), (15, 7), (16, 8)])
def test_a_class_that_differs_by_one_wave_has_everything_in_one_ring(measure, size, ring):
    _, labels = made(30, size, 1, 3)
    wave = 0.3 * np.cos(2 * np.pi * ring * np.arange(size) / size)
    images = 0.5 + (labels == 2)[:, None, None, None] * np.broadcast_to(wave, (3, size, size))
    found = measure(images, labels)
    np.testing.assert_allclose(found.share, np.arange(1, size // 2 + 1) == ring, atol=1e-12)
    assert float(found.centroid) == pytest.approx(ring) and float(found.dc_share) < 1e-12


@both
@pytest.mark.parametrize("size", [7, 8])
def test_turning_the_images_changes_nothing(measure, size):
    images, labels = made(50, size, 3, 3)
    turned = np.rot90(images, axes=(1, 2))
    xr.testing.assert_allclose(measure(turned, labels), measure(images, labels), rtol=1e-9)


@both
@pytest.mark.parametrize("block", [1, 7, 129])
def test_neither_the_size_of_blocks_nor_the_order_of_images_matters(measure, block):
    images, labels = made(130, 8, 3, 3)
    expected = measure(images, labels, np.arange(100, 230))
    order = np.random.default_rng(1).permutation(130)
    sums = ClassSums(labels[order], 100 + order, images.shape[1:])
    for start in range(0, 130, block):
        part = slice(start, start + block)
        sums.add(part, images[order][part])
    found = (
        pinson_of(sums)
        if measure is sp.pinson
        else sp.class_mean_psd(images[order], labels[order], 100 + order)
    )
    xr.testing.assert_identical(found, expected)


@both
def test_bytes_floats_and_tensors_are_the_same_images(measure):
    images, labels = made(20, 8, 3, 2)
    floats = np.moveaxis(images, -1, 1) / 255
    expected = measure(images, labels)
    for given_images, given_labels in (
        (floats, labels),
        (torch.from_numpy(floats), torch.from_numpy(labels)),
        (torch.from_numpy(images), labels.tolist()),
    ):
        xr.testing.assert_allclose(measure(given_images, given_labels), expected, rtol=1e-9)


@both
def test_names_of_classes_do_not_matter_and_missing_numbers_are_no_classes(measure):
    images, labels = made(20, 8, 3, 2)
    xr.testing.assert_identical(measure(images, labels * 5 + 2), measure(images, labels))


@both
@pytest.mark.parametrize(
    "why", ["one class", "one image", "equal means", "constant images", "brightness alone"]
)
def test_classes_that_do_not_differ_have_no_power_no_centroid_and_a_warning(measure, why, caplog):
    images, labels = made(24, 8, 3, 2)
    if why == "one class":
        labels = np.zeros(24, int)
    elif why == "one image":
        images, labels = images[:1], labels[:1]
    elif why == "equal means":
        images, labels = np.repeat(images[:12], 2, axis=0), np.arange(24) % 2
    elif why == "constant images":
        images[:] = 17
    else:
        images = images // 2
        images = np.concatenate([images, images + 93])
        labels = np.repeat([0, 1], 24)
    with caplog.at_level(logging.WARNING):
        found = measure(images, labels)
    assert "class means do not differ in any kept ring" in caplog.text
    assert (found.power == 0).all() and (found.share == 0).all()
    assert np.isnan(found.centroid) and found.centroid_missing == 1
    assert float(found.dc_share) == pytest.approx(1.0 if why == "brightness alone" else 0.0)
    assert_counted(found)


@both
def test_an_error_that_can_not_be_had_is_missing_and_counted(measure):
    """Without one of two images there is a single class: no replicate exists."""
    images, labels = made(2, 8, 1, 2)
    found = measure(images, labels)
    assert np.isfinite(found.centroid) and found.centroid_missing == 0 and found.se_missing == 1
    assert float(found.share.sum()) == pytest.approx(1)
    assert_counted(found)


def assert_counted(found):
    """Every number is finite, or counted where it says."""
    for name, variable in found.data_vars.items():
        counted = variable.attrs.get("missing_in")
        assert (~np.isfinite(variable)).sum() == (found[counted] if counted else 0), name


@both
def test_of_very_many_classes_fewer_groups_are_kept(measure, monkeypatch):
    images, labels = made(60, 8, 3, 3)
    expected = measure(images, labels)
    monkeypatch.setattr(class_means, "SUMS_BYTES", 5 * 3 * 8 * 8 * 3 * 4)
    found = measure(images, labels)
    assert found.jackknife_groups == 5 and expected.jackknife_groups == 20
    xr.testing.assert_identical(found.power, expected.power)
    assert 0.3 < float(found.centroid_se / expected.centroid_se) < 3


@both
@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (np.zeros((4, 16, 12, 3), np.uint8), np.arange(4), r"images: found uint8 .*16×12 pixels.*square"),
        (np.zeros((4, 3, 16, 12)), np.arange(4), r"images: found float64 .*16×12 pixels.*square"),
        (np.zeros((4, 3, 3, 1), np.uint8), np.arange(4), "at least 4×4"),
        (np.zeros((16, 16, 3), np.uint8), np.arange(4), r"images: found shape \(16, 16, 3\)"),
        (np.zeros((4, 8, 8, 3), np.int32), np.arange(4), "images: found int32"),
        (np.full((4, 3, 8, 8), np.nan), np.arange(4), "images: found NaN"),
        (np.full((4, 3, 8, 8), 7.0), np.arange(4), r"images: found values from 7 to 7.*\[0, 1\]"),
        (np.zeros((4, 8, 8, 3), np.uint8), np.arange(3), r"labels: found shape \(3,\).*\(4,\)"),
        (np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4), "labels: found float64"),
        (np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, -1, 0]), "from -1.*whole numbers from 0 on"),
    ],
)
def test_what_can_not_be_measured_is_refused_by_name(measure, images, labels, text):
    for one in (measure, sp.class_spectra):
        with pytest.raises(InputError, match=text):
            one(images, labels)


@both
def test_ids_that_do_not_fit_are_refused(measure):
    images, labels = made(4, 8, 1, 2)
    with pytest.raises(InputError, match=r"image_ids: found int64 of shape \(3,\)"):
        measure(images, labels, np.arange(3))


@both
def test_what_is_written_reads_back_equal(measure, tmp_path):
    found = measure(*made(20, 8, 3, 2))
    write_dataset(tmp_path / "made.h5", found, "data:made", {})
    assert read_dataset(tmp_path / "made.h5", "data:made").equals(found)
