"""Spectra of data: radial power and ADCS maps say what is in the images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import spectral_priority as sp
from spectral_priority.data import spectra
from spectral_priority.data.adcs import adcs, adcs_legacy, legacy_amplitude
from spectral_priority.data.spectra import class_spectra, radial_shares
from spectral_priority.errors import InputError
from spectral_priority.fourier import full_plane, half_plane_power, ring_sizes
from spectral_priority.store.netcdf import read_dataset, write_dataset

TESTS = Path(__file__).parents[1]
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3
NAMES = ["a", "b", "c"]
WITHOUT_TORCH = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
assert "torch" not in sys.modules
"""


def waves(ring, count, size=32, seed=0):
    """Grey images of one horizontal or vertical wave of a random phase."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, (count, 1, 1))
    x = np.arange(size)[None, None, :] + 0 * np.arange(size)[None, :, None]
    images = 127.5 + 100 * np.cos(2 * np.pi * ring * x / size + phase)
    return images.round().astype(np.uint8)[..., None]


def reference_ring_sums(image):
    """Ring sums of one image by the definition, on the full plane."""
    size = image.shape[0]
    u = np.fft.fftfreq(size, 1 / size)
    ring = np.floor(np.hypot(u[:, None], u) + 0.5)
    power = (np.abs(np.fft.fft2(image / 255.0, axes=(0, 1), norm="ortho")) ** 2).sum(axis=2)
    return np.array([power[ring == r].sum() for r in range(1, size // 2 + 1)])


@pytest.mark.parametrize("size", [15, 16])
def test_ring_sums_equal_their_definition(size, monkeypatch):
    monkeypatch.setattr(spectra, "CHUNK_BYTES", 7 * 8 * size * size * 3)  # 7 images at a time
    images = RNG.integers(0, 256, (20, size, size, 3), dtype=np.uint8)
    expected = np.stack([reference_ring_sums(image) for image in images])
    np.testing.assert_allclose(radial_shares(images), expected, rtol=1e-10)


def test_a_constant_image_has_no_power_at_all():
    images = np.full((2, 31, 31, 3), [10, 201, 77], dtype=np.uint8)
    assert (half_plane_power(np.moveaxis(images, -1, 1) / 255.0)[..., 1:] > 0).any()  # but for rounding
    assert (radial_shares(images) == 0).all()


def test_white_noise_has_a_flat_density_and_no_slope():
    images = RNG.integers(0, 256, (2000, 32, 32, 1), dtype=np.uint8)
    psd, _ = class_spectra(images, np.arange(2000) % 2, ["a", "b"])
    np.testing.assert_allclose(psd["density"].values, 1 / 16, rtol=0.03)
    np.testing.assert_allclose(psd["slope"].values, 0, atol=0.02)
    power = (images / 255.0).var()
    np.testing.assert_allclose(psd["power_density"].values, power, rtol=0.05)


def test_a_wave_lies_in_its_ring():
    images = np.concatenate([waves(3, 10), waves(11, 10)])
    psd, _ = class_spectra(images, np.repeat([0, 1], 10), ["low", "high"])
    assert psd["share"].idxmax("ring").values.tolist() == [3, 11]
    np.testing.assert_allclose(psd["centroid"].values, [3, 11], atol=0.01)
    assert psd["frequency"].values[10] == 11 / 32


def test_means_and_standard_errors_equal_their_definition(monkeypatch):
    monkeypatch.setattr(spectra, "CHUNK_BYTES", 7 * 8 * 16 * 16 * 3)
    told = []
    psd, _ = class_spectra(NOISE, LABELS, NAMES, progress=told.append)
    assert sum(told) == 2 * 60
    for number in range(3):
        sums = np.stack([reference_ring_sums(image) for image in NOISE[number == LABELS]])
        share = sums / sums.sum(axis=1, keepdims=True)
        centre = share @ np.arange(1, 9)
        mine = psd.isel({"class": number})
        for name, values in (
            ("share", share),
            ("power_density", sums / ring_sizes(16)),
            ("centroid", centre),
        ):
            np.testing.assert_allclose(mine[name], values.mean(axis=0), rtol=1e-10)
            error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
            np.testing.assert_allclose(mine[name + "_se"], error, rtol=1e-5)
        density = share.mean(axis=0) / ring_sizes(16)
        slope = np.polyfit(np.log(np.arange(1, 9)), np.log(density), 1)[0]
        assert float(mine["slope"]) == pytest.approx(slope)


def test_bytes_floats_and_tensors_are_the_same_images_and_names_may_be_left_out():
    expected = class_spectra(NOISE, LABELS, ["0", "1", "2"])
    floats = np.moveaxis(NOISE, -1, 1) / 255
    for images, labels in ((floats, LABELS), (torch.from_numpy(floats), torch.from_numpy(LABELS))):
        for one, other in zip(sp.class_spectra(images, labels), expected, strict=True):
            xr.testing.assert_allclose(one, other)


def test_a_label_without_a_name_is_refused():
    with pytest.raises(InputError, match="names: found 2, but a label is 2"):
        class_spectra(NOISE, LABELS, ["a", "b"])


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(4, 9),
    channels=st.integers(1, 4),
    classes=st.integers(1, 3),
    each=st.integers(2, 4),
    images_at_once=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_any_shape_equals_its_definition(size, channels, classes, each, images_at_once, seed):
    """Radial power and ADCS of odd and even sizes, one to four channels, a few images at a time."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(classes), each))
    images = random.integers(0, 256, (len(labels), size, size, channels), dtype=np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectra, "CHUNK_BYTES", images_at_once * 8 * size * size * channels)
        psd, maps = class_spectra(images, labels)
    u = np.fft.fftfreq(size, 1 / size)
    ring = np.floor(np.hypot(u[:, None], u) + 0.5)
    power, amplitude = np.zeros((len(images), size // 2)), np.zeros((len(images), size, size))
    for number, image in enumerate(images / 255.0):
        for channel in range(channels):
            plane = np.abs(np.fft.fft2(image[..., channel])) / size
            amplitude[number] += plane / channels
            for r in range(1, size // 2 + 1):
                power[number, r - 1] += (plane[ring == r] ** 2).sum()
    share = power / power.sum(axis=1, keepdims=True)
    mean = np.array([amplitude[labels == one].mean(axis=0) for one in range(classes)])
    for one in range(classes):
        own = labels == one
        mine = psd.isel({"class": one})
        np.testing.assert_allclose(mine.share, share[own].mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(mine.share_se, share[own].std(axis=0, ddof=1) / np.sqrt(each), atol=1e-9)
        np.testing.assert_allclose(mine.power_density * ring_sizes(size), power[own].mean(axis=0), rtol=1e-9)
        np.testing.assert_allclose(maps.amplitude[one], mean[one], rtol=1e-9)
        gaps = [mean[one] - mean[other] for other in range(classes) if other != one]
        sure = np.all([abs(gap) > 1e-12 for gap in gaps], axis=0)
        expected = sum((np.sign(gap) for gap in gaps), np.zeros((size, size)))
        assert np.where(sure, maps.adcs[one] == expected, True).all()
    assert psd.slope_missing == np.isnan(psd.slope).sum()


def test_a_slope_that_an_empty_ring_forbids_is_missing_and_counted():
    images = np.zeros((6, 8, 8, 1), np.uint8)
    images[:, :, ::4], images[:, :, 1::4] = 200, 100  # rings 2 and 4 alone
    images[3:] = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1))
    psd, _ = class_spectra(images, np.repeat([0, 1], 3))
    assert np.isnan(psd.slope).values.tolist() == [True, False] and psd.slope_missing == 1
    assert psd.slope.attrs["missing_in"] == psd.slope_r2.attrs["missing_in"] == "slope_missing"
    psd = psd.drop_vars(["slope", "slope_r2"])
    assert all(np.isfinite(values).all() for values in psd.data_vars.values())


def test_the_only_class_stands_out_nowhere():
    _, maps = class_spectra(NOISE, 0 * LABELS)
    assert (maps.adcs == 0).all() and (maps.legacy == -1).all()  # the released program counts j = c


@pytest.mark.parametrize("size", [15, 16])
def test_turning_images_turns_adcs_and_leaves_the_radial_power(size):
    images = RNG.integers(0, 256, (20, size, size, 2), dtype=np.uint8)
    straight, turned = (
        class_spectra(given_images, np.arange(20) % 2)
        for given_images in (images, np.rot90(images, axes=(1, 2)).copy())
    )
    xr.testing.assert_allclose(straight[0], turned[0], rtol=1e-9)
    order = -np.arange(size) % size
    expected = straight[1].adcs.values.transpose(0, 2, 1)[:, order]
    assert (turned[1].adcs.values == expected).mean() > 0.99  # rounding may tell (u, v) from (−u, −v)


def test_only_the_images_asked_for_count():
    index = np.arange(30)
    some = class_spectra(NOISE, LABELS, NAMES, index)
    alone = class_spectra(NOISE[:30], LABELS[:30], NAMES)
    for one, other in zip(some, alone, strict=True):
        xr.testing.assert_identical(one, other)


def test_constant_images_are_counted_and_left_out():
    dark = np.zeros((4, 16, 16, 3), dtype=np.uint8)
    psd, _ = class_spectra(np.concatenate([NOISE, dark]), np.concatenate([LABELS, [0, 0, 0, 1]]), NAMES)
    clean, _ = class_spectra(NOISE, LABELS, NAMES)
    assert psd["constant_images"].values.tolist() == [3, 1, 0]
    xr.testing.assert_allclose(psd.drop_vars("constant_images"), clean.drop_vars("constant_images"))


def test_a_class_with_fewer_than_two_images_is_left_out_and_named():
    labels = np.where(LABELS == 2, 1, LABELS)
    labels[0] = 2
    psd, maps = class_spectra(NOISE, labels, NAMES)
    for found in (psd, maps):
        assert found["class"].values.tolist() == ["a", "b"] and found.attrs["left_out"] == "c"
    rest = np.arange(1, len(NOISE))
    alone, _ = class_spectra(NOISE, labels, ["a", "b"], rest)
    xr.testing.assert_allclose(psd, alone)


def test_images_without_any_spectrum_are_refused():
    dark = np.zeros((4, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="none has two training images that are not constant: a, b"):
        class_spectra(dark, np.array([0, 0, 1, 1]), ["a", "b"])


def test_adcs_equals_its_definition():
    _, maps = class_spectra(NOISE, LABELS, NAMES)
    amplitude = np.abs(np.fft.fft2(NOISE / 255.0, axes=(1, 2), norm="ortho")).mean(axis=3)
    mean = np.stack([amplitude[number == LABELS].mean(axis=0) for number in range(3)])
    np.testing.assert_allclose(maps["amplitude"].values, mean, rtol=1e-10)
    # the half plane decides: rounding may tell (u, v) from (−u, −v)
    expected = np.stack([sum(np.sign(mean[c] - mean[j]) for j in range(3) if j != c) for c in range(3)])
    assert (maps["adcs"].values == expected).mean() > 0.99
    assert (maps["adcs"].values.sum(axis=0) == 0).all()


def test_adcs_of_two_classes_is_antisymmetric():
    _, maps = class_spectra(NOISE, LABELS % 2, ["a", "b"])
    assert (maps["adcs"].values[0] == -maps["adcs"].values[1]).all()
    assert set(np.unique(maps["adcs"])) == {-1, 1}


def test_adcs_does_not_depend_on_the_size_of_a_class_but_the_legacy_mode_does():
    amplitude = RNG.uniform(1, 2, (3, 1, 8, 5))
    assert (adcs(amplitude[:, 0]) == adcs(amplitude[:, 0] * 7)).all()
    larger = amplitude * np.array([10, 1, 1])[:, None, None, None]
    assert (adcs_legacy(larger)[0] == 1).all()  # C − 2: above both others, and the −1 of j = c


def test_a_class_of_one_wave_stands_out_there_and_nowhere_else():
    images = np.concatenate([waves(3, 10), waves(11, 10)])
    _, maps = class_spectra(images, np.repeat([0, 1], 10), ["low", "high"])
    at = maps["adcs"].sel(u=0.0)
    assert at.sel(v=3.0).values.tolist() == at.sel(v=-3.0).values.tolist() == [1, -1]
    assert at.sel(v=11.0).values.tolist() == [-1, 1]


def test_legacy_maps_equal_those_of_the_released_program():
    golden = np.load(TESTS / "golden" / "adcs_legacy.npz", allow_pickle=False)
    amplitude = np.sqrt(half_plane_power(golden["images"]))
    amplitude = legacy_amplitude(amplitude, golden["mean"].ravel(), golden["std"].ravel())
    sums = np.stack([amplitude[golden["labels"] == number].sum(axis=0) for number in range(4)])
    maps = np.fft.fftshift(full_plane(adcs_legacy(sums)), axes=(1, 2))
    assert (maps == golden["maps_fftshifted"]).all()


def test_legacy_amplitudes_are_those_of_normalised_images():
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.25, 0.3])
    images = np.moveaxis(NOISE[:5] / 255.0, -1, 1)
    normalised = (images - mean[:, None, None]) / std[:, None, None]
    expected = np.abs(np.fft.rfft2(normalised))
    found = legacy_amplitude(np.sqrt(half_plane_power(images)), mean, std)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (legacy_amplitude(np.zeros((1, 3, 4, 3)), np.zeros(3), std) == 12e-12).all()


def test_files_read_back_as_they_were_written(tmp_path):
    for dataset, kind in zip(class_spectra(NOISE, LABELS, NAMES), ("data:psd", "data:adcs"), strict=True):
        write_dataset(tmp_path / "a.h5", dataset, kind, {})
        again = read_dataset(tmp_path / "a.h5", kind)
        xr.testing.assert_equal(again, dataset)
        assert again["class"].values.tolist() == NAMES


def test_the_programs_pack_images_and_look_at_their_spectra_without_torch(tmp_path):
    scripts = TESTS.parent / "workflow" / "scripts"
    images, reference = tmp_path / "images.h5", tmp_path / "reference.h5"
    source = '{"source": {"kind": "shapes-textures", "train": 48, "held_out": 12}, "color": "grey"}'

    def program(name, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, str(scripts / f"{name}.py"), *map(str, arguments)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    checksum, report = tmp_path / "images.h5.sha256", tmp_path / "pack.json"
    program(
        *("pack", "--dataset", "made", "--options", source, "--data-root", tmp_path, "--threads", 1),
        *("--images", images, "--checksum", checksum, "--report", report),
    )
    program(
        "reference", "--images", images, "--options", '{"components": 5, "images": 40}', "--output", reference
    )
    psd, maps = tmp_path / "psd.h5", tmp_path / "adcs.h5"
    program("spectra", "--images", images, "--label", "texture", "--psd", psd, "--adcs", maps)
    assert read_dataset(psd, "data:psd").sizes == {"class": 12, "ring": 16}
    assert read_dataset(maps, "data:adcs").sizes == {"class": 12, "u": 32, "v": 32}
    assert read_dataset(reference, "reference").sizes == {"component": 5, "feature": 1024, "sample": 60}
    subprocess.run(["sha256sum", "-c", checksum.name], cwd=tmp_path, check=True, capture_output=True)
