"""Slices of NIfTI volumes lie as the body does, whatever the file's order, and those of one volume stay together."""

import gc
import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from made_images import write_zip
from made_medical import nifti

from spectral_priority.config.datasets import Dataset
from spectral_priority.config.medical import MedicalFiles
from spectral_priority.data import nifti as reader
from spectral_priority.data.decode import Unreadable
from spectral_priority.data.images import PackedImages
from spectral_priority.data.nifti import decode_nifti
from spectral_priority.data.pack import pack
from spectral_priority.data.resampling import Resampling
from spectral_priority.data.sources import open_source

pytest.importorskip("nibabel", reason="nibabel is not installed (the extra `medical`)")

WINDOW = {"centre": 127.5, "width": 255}
VOLUME = np.random.default_rng(0).integers(0, 256, (12, 12, 12)).astype(np.int16)


def decoded(content, size=12, max_pixels=10_000, **options):
    made = MedicalFiles.model_validate({"window": WINDOW, **options})
    return decode_nifti(content, size, 1, max_pixels, Resampling(), made)


def shown(content, **options):
    return np.stack([image.pixels[..., 0] for image in decoded(content, **options)])


def by_hand(volume, axis):
    """Slices voxel by voxel: up is to the top (axial: to the front), right is to the right (sagittal: to the front)."""
    n, out = len(volume), np.empty_like(volume)
    for k, row, column in np.ndindex(n, n, n):
        up = n - 1 - row
        place = {"axial": (column, up, k), "coronal": (column, k, up), "sagittal": (k, column, up)}[axis]
        out[k, row, column] = volume[place]
    return out


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("axes", ["RAS", "LPS", "SRA", "ILA"])
def test_slices_lie_as_the_body_does(axes, axis):
    found = shown(nifti(VOLUME, axes), slices={"axis": axis})
    assert (found == by_hand(VOLUME, axis)).all()


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("compressed, version", [(False, 1), (True, 1), (False, 2), (True, 2)])
def test_every_type_and_version_is_read(dtype, compressed, version):
    content = nifti(VOLUME.astype(dtype), compressed=compressed, version=version)
    assert (shown(content) == by_hand(VOLUME, "axial")).all()
    assert {image.mode for image in decoded(content)} == {np.dtype(dtype).name}


def test_the_other_byte_order_is_read():
    import nibabel

    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    content = nibabel.Nifti1Image(VOLUME.astype(">i2"), np.eye(4), header).to_bytes()
    assert content[:4] == struct.pack(">i", 348)
    assert (shown(content) == by_hand(VOLUME, "axial")).all()


def test_slope_and_intercept_count_before_the_window():
    content = nifti((VOLUME * 2).astype(np.int16), slope=(0.5, -100))
    found = shown(content, window={"centre": 27.5, "width": 255})
    assert (found == by_hand(VOLUME, "axial")).all()


def test_without_a_window_a_volume_has_one_scale_that_few_voxels_can_not_spoil():
    volume = np.random.default_rng(1).uniform(100, 200, (40, 40, 40)).astype(np.float32)
    volume[..., 0] = np.nan
    volume[:5, 0, 1] = 1e9
    found = shown(nifti(volume), window=None, size=40).astype(float)
    assert (found[0] == 0).all()
    low, high = np.quantile(volume[..., 1:], [0.005, 0.995])
    expected = 255 * np.clip((volume[3, 4, 7] - low) / (high - low), 0, 1)
    assert found[7, 39 - 4, 3] == pytest.approx(expected, abs=2)
    assert 100 < found[1:].mean() < 155


def test_a_volume_of_one_value_is_black():
    assert not shown(nifti(np.full((12, 12, 12), 7, dtype=np.int16)), window=None).any()


@pytest.mark.parametrize(
    "slices, expected",
    [
        ({}, list(range(12))),
        ({"every": 5}, [0, 5, 10]),
        ({"first": 0.25, "last": 0.75}, [3, 4, 5, 6, 7, 8]),
        ({"first": 0.3, "last": 0.6, "every": 2}, [4, 6]),
    ],
)
def test_the_slices_asked_for_are_taken(slices, expected):
    images = decoded(nifti(VOLUME, "LPI"), slices=slices)
    assert [image.part for image in images] == [f"/slice-{number:03d}" for number in expected]
    assert (np.stack([i.pixels[..., 0] for i in images]) == by_hand(VOLUME, "axial")[expected]).all()


def test_no_slice_is_refused():
    with pytest.raises(Unreadable, match=r"none of its 12 slices lies between the shares 0.26 and 0.3"):
        decoded(nifti(VOLUME), slices={"first": 0.26, "last": 0.3})


def test_a_slice_has_the_sides_of_the_plane():
    volume = np.zeros((20, 30, 40), dtype=np.uint8)
    sides = {}
    for axis in ("axial", "coronal", "sagittal"):
        images = decoded(nifti(volume, "SRA"), slices={"axis": axis})
        sides[axis] = (len(images), images[0].height, images[0].width)
    assert sides == {"axial": (40, 30, 20), "coronal": (30, 40, 20), "sagittal": (20, 40, 30)}


def with_shape(*sides, dtype=4, bits=16):
    """A header that claims a shape, with few voxels behind it."""
    content = bytearray(nifti(VOLUME))
    struct.pack_into("<8h", content, 40, len(sides), *sides, *([1] * (7 - len(sides))))
    struct.pack_into("<2h", content, 70, dtype, bits)
    return bytes(content)


@pytest.mark.parametrize(
    "content, reason",
    [
        (with_shape(200, 200, 2), "200 × 200 pixels, more than max_pixels = 10,000|cut short"),
        (with_shape(30_000, 30_000, 30_000), "bytes, more than 1,073,741,824"),
        (with_shape(12, 12, 12, 5), "12 × 12 × 12 × 5 voxels: not one volume"),
        (with_shape(12, 12, 4, dtype=128, bits=24), "neither whole nor floating-point"),
        (with_shape(8, 8, 8, dtype=32, bits=64), "neither whole nor floating-point"),
        (nifti(VOLUME)[:2000], "is cut short: 2,000 of 3,808 bytes"),
        (nifti(VOLUME)[:200], "no NIfTI file of one piece"),
        (nifti(VOLUME, compressed=True)[:-300], "EOFError"),
        (nifti(VOLUME, compressed=True)[:-8] + bytes(8), "CRC"),
        (gzip.compress(b"something else" * 100, mtime=0), "no NIfTI file of one piece"),
    ],
)
def test_what_can_not_be_read_is_said(content, reason):
    with pytest.raises(Unreadable, match=reason):
        decoded(content)


def test_a_gzip_bomb_is_not_unpacked(monkeypatch):
    bomb = gzip.compress(nifti(VOLUME) + bytes(50_000_000))
    read = []
    real = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, n=-1: read.append(n) or real(self, n))
    assert len(decoded(bomb)) == 12
    assert max(read) < 10_000 and min(read) > 0


def test_slices_of_a_volume_are_one_group(tmp_path):
    files = {
        f"{split}/{name}/scan{number}.nii{gz}": nifti(np.roll(VOLUME, number, axis=0), compressed=bool(gz))
        for split in ("train", "val")
        for name, number in (("ant", 0), ("bee", 1))
        for gz in ("", ".gz")
    }
    files["train/ant/broken.nii"] = nifti(VOLUME)[:1000]
    write_zip(tmp_path / "a.zip", files)
    source = {"kind": "image-folder", "paths": ["a.zip"], "slices": {"every": 4}, "window": WINDOW}
    options = Dataset.model_validate({"size": 12, "color": "grey", "source": source, "max_unreadable": 0.2})
    report = pack(open_source(options, tmp_path, 2), "made", options, tmp_path / "images.h5", {})
    images = PackedImages(tmp_path / "images.h5")
    assert (report["train"], report["held_out"]) == (12, 12)
    assert [fault["source"] for fault in report["unreadable"]] == ["train/ant/broken.nii"]
    assert images.source[:3] == [f"train/ant/scan0.nii.gz/slice-{number:03d}" for number in (0, 4, 8)]
    assert images.fact("group").tolist() == [source.rpartition("/")[0] for source in images.source]
    assert np.bincount(images.group).tolist() == [3] * 8
    assert images.classes["class"] == ["ant", "bee"]
    number = images.source.index("train/bee/scan1.nii/slice-004")
    assert (images.pixels[number, ..., 0] == by_hand(np.roll(VOLUME, 1, axis=0), "axial")[4]).all()
    assert reader.is_nifti(files["val/bee/scan1.nii.gz"])


def test_memory_does_not_grow_with_the_number_of_volumes(tmp_path):
    volume = nifti(np.random.default_rng(2).integers(0, 256, (48, 48, 48)).astype(np.int16), compressed=True)
    source = {"kind": "image-folder", "held_out_split": None, "window": WINDOW}
    peaks, usual = {}, gc.get_threshold()
    for number in (2, 4, 10):  # the first one imports all there is
        write_zip(tmp_path / f"{number}.zip", {f"train/ant/{i}.nii.gz": volume for i in range(number)})
        options = Dataset.model_validate({"size": 16, "source": {**source, "paths": [f"{number}.zip"]}})
        gc.collect()
        gc.set_threshold(100, 5, 5)  # what is dead already is not to count, whenever it would be collected
        tracemalloc.start()
        pack(open_source(options, tmp_path, 1), "made", options, tmp_path / str(number) / "images.h5", {})
        peaks[number] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        gc.set_threshold(*usual)
    assert peaks[10] - peaks[4] < 6 * 48 * 1500  # a slice has 4,608 bytes in its file
