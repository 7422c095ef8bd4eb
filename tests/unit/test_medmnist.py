"""MedMNIST: images, labels and splits are those of the files, which are never held as a whole nor trusted."""

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_sets import random_images
from pydantic import ValidationError

from spectral_priority.config.datasets import Dataset
from spectral_priority.data import image_arrays, packed_file, records
from spectral_priority.data.images import PackedImages
from spectral_priority.data.medmnist import read_meanings
from spectral_priority.data.npz import read_headers, read_rows
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError

COUNTS = {"train": 22, "val": 11, "test": 11}
NUMBER = {"train": 0, "val": 1, "test": 2}


def arrays(classes=9, side=28, channels=3, counts=COUNTS, seed=0):
    """The six arrays of a file: labels are (n, 1) bytes, grey images have no channel axis."""
    made = {}
    for split, count in counts.items():
        images = random_images(seed + NUMBER[split], count, side, channels)
        made[f"{split}_images"] = images[..., 0] if channels == 1 else images
        made[f"{split}_labels"] = ((np.arange(count) + NUMBER[split]) % classes).astype(np.uint8)[:, None]
    return made


def packed(root, *paths, size=28, out="out", threads=2, held_out=("val", "test"), **options):
    source = {"kind": "medmnist", "paths": paths, "held_out": held_out}
    checked = Dataset.model_validate({"size": size, **options, "source": source})
    target = root / f"{out}-packed" / "images.h5"
    report = pack(open_source(checked, root, threads), "made", checked, target, {})
    return report, PackedImages(target)


def holds(images, name, made, held_out=("val", "test")):
    """Every image of a set has its pixels, its label and its split; return the labels' names by image."""
    found = {}
    for position, source in enumerate(images.source):
        split, of, number = source.split("/")
        if of != name:
            continue
        pixels = made[f"{split}_images"][int(number)]
        pixels = pixels if pixels.ndim == 3 else pixels[..., None]
        np.testing.assert_array_equal(
            images.pixels[position], np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        )
        assert images.split[position] == (split in held_out)
        found[position] = made[f"{split}_labels"][int(number)]
    assert len(found) == sum(len(made[f"{split}_images"]) for split in COUNTS)
    return found


def refused(root, match, *paths, **options):
    with pytest.raises(InputError, match=match) as error:
        packed(root, *paths, **options)
    left = [path.name for path in (root / "out-packed").glob("*")] if (root / "out-packed").exists() else []
    assert left == [], "something was left behind"
    return str(error.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("side, channels, file", [(28, 3, "pathmnist.npz"), (64, 3, "pathmnist_64.npz"),
                                                  (28, 1, "organamnist.npz"), (128, 1, "organamnist_128.npz"),
                                                  (224, 3, "pathmnist_224.npz")])  # fmt: skip
def test_a_file_is_a_task_of_its_own(tmp_path, save, side, channels, file):
    name = file.partition(".")[0].partition("_")[0]
    classes = len(read_meanings(name)[1])
    made = arrays(classes, side, channels)
    save(tmp_path / file, **made)
    report, images = packed(tmp_path, file, size=side)
    for position, label in holds(images, name, made).items():
        assert images.classes["class"][images.labels("class")[position]] == str(label[0])
    assert (report["train"], report["held_out"]) == (22, 22) and list(images.classes) == ["class"]
    assert images.titles["0"] == {"pathmnist": "adipose", "organamnist": "bladder"}[name]
    assert len(images.classes["class"]) == classes and images.hierarchy("class") == []
    assert set(images.fact("mode")) == {"RGB" if channels == 3 else "L"}
    assert set(images.fact("encoder_quality")) == {-1} and set(images.fact("original_width")) == {side}


@pytest.mark.parametrize("held_out", [("test",), ("val",), ("val", "test"), ()])
def test_any_of_the_published_splits_may_be_held_out(tmp_path, held_out):
    made = arrays()
    np.savez(tmp_path / "pathmnist.npz", **made)
    report, images = packed(tmp_path, "pathmnist.npz", held_out=held_out)
    holds(images, "pathmnist", made, held_out)
    assert report["held_out"] == 11 * len(held_out)


def test_several_files_tell_set_and_class_and_the_hierarchy_between_them(tmp_path):
    sets = {
        "pathmnist": arrays(9),
        "pneumoniamnist": arrays(2, channels=1, seed=5),
        "mymnist": arrays(3, seed=9),
    }
    (tmp_path / "sets").mkdir()
    for name, made in sets.items():
        np.savez(tmp_path / "sets" / f"{name}.npz", **made)
    (tmp_path / "sets" / "notes.txt").write_text("no set")
    _, images = packed(tmp_path, "sets")
    parent = {child: above for above, child in images.hierarchy("class")}
    for name, made in sets.items():
        for position, label in holds(images, name, made).items():
            own = images.classes["class"][images.labels("class")[position]]
            assert own == f"{name}-{label[0]}" and parent[own] == name and parent[name] == "medmnist"
            assert images.classes["dataset"][images.labels("dataset")[position]] == name
    assert images.titles["pneumoniamnist-1"] == "pneumonia"
    _, listed = packed(tmp_path, *(f"sets/{name}.npz" for name in sorted(sets)), out="listed", threads=1)
    assert listed.content_sha256 == images.content_sha256


def test_chestmnist_has_a_label_per_finding(tmp_path):
    findings = read_meanings("chestmnist")[1]
    made = arrays(channels=1)
    for split, count in COUNTS.items():
        made[f"{split}_labels"] = np.random.default_rng(0).integers(0, 2, (count, 14), dtype=np.uint8)
    np.savez(tmp_path / "chestmnist.npz", **made)
    _, images = packed(tmp_path, "chestmnist.npz", out="chest")
    assert sorted(images.classes) == sorted(findings) and findings[0] == "atelectasis" and len(findings) == 14
    assert images.classes["hernia"] == ["no-hernia", "hernia"]
    for position, label in holds(images, "chestmnist", made).items():
        assert [images.labels(finding)[position] for finding in findings] == label.tolist()
    np.savez(tmp_path / "pathmnist.npz", **arrays())
    refused(tmp_path, "chestmnist.npz: has several labels per image", "pathmnist.npz", "chestmnist.npz")
    made["test_labels"][3, 3] = 2
    np.savez(tmp_path / "chestmnist.npz", **made)
    refused(tmp_path, "chestmnist.npz: has labels up to 2", "chestmnist.npz")


def test_three_dimensional_sets_are_refused(tmp_path):
    volumes = {name: np.zeros((4, 28, 28, 28) if "images" in name else (4, 1), np.uint8) for name in arrays()}
    np.savez(tmp_path / "organmnist3d.npz", **volumes)
    text = refused(
        tmp_path, "organmnist3d.npz: train_images: holds volumes of 28 × 28 × 28", "organmnist3d.npz"
    )
    assert "leave the three-dimensional sets out" in text


class Evil:
    """What an array of objects may ask for."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_arrays_of_objects_are_refused_and_nothing_of_them_runs(tmp_path):
    mark = tmp_path / "it ran"
    for name in ("train_labels", "test_images", "extra"):
        np.savez(tmp_path / "pathmnist.npz", **{**arrays(), name: np.array([Evil(mark)], dtype=object)})
        refused(tmp_path, f"pathmnist.npz: {name}.npy: is an array of Python objects", "pathmnist.npz")
    assert not mark.exists()
    with np.load(tmp_path / "pathmnist.npz", allow_pickle=True) as file:
        file["extra"]
    assert mark.exists(), "the array would have run"


def test_foreign_and_damaged_files_are_refused_by_name(tmp_path):
    np.savez(tmp_path / "foreign.npz", x=np.zeros(3))
    refused(tmp_path, "foreign.npz: is no MedMNIST file: it has no train_images", "foreign.npz")
    (tmp_path / "text.npz").write_text("hello")
    refused(tmp_path, "text.npz: is no .npz file, or damaged", "text.npz")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("readme.md", "hello")
    refused(tmp_path, "zip.npz: holds 'readme.md'", "zip.npz")
    (tmp_path / "empty").mkdir()
    refused(tmp_path, "empty: holds no .npz file", "empty")
    refused(tmp_path, "source.paths: absent.npz: there is no", "absent.npz")

    np.savez(tmp_path / "pathmnist.npz", **arrays())
    whole = (tmp_path / "pathmnist.npz").read_bytes()
    (tmp_path / "pathmnist.npz").write_bytes(whole[:-2000])
    refused(tmp_path, "pathmnist.npz: is no .npz file, or damaged", "pathmnist.npz")
    flipped = bytearray(whole)
    flipped[20_000] ^= 1  # a pixel: only the member's checksum tells
    (tmp_path / "pathmnist.npz").write_bytes(flipped)
    refused(tmp_path, r"pathmnist.npz: is no .npz file, or damaged \(Bad CRC-32", "pathmnist.npz")
    np.savez(tmp_path / "pathmnist.npz", **arrays())
    np.savez(tmp_path / "pathmnist_64.npz", **arrays(side=64))
    refused(tmp_path, "pathmnist_64.npz: is the set pathmnist once more", "pathmnist.npz", "pathmnist_64.npz")


@pytest.mark.parametrize("name, array, match", [
    ("train_images", np.zeros((22, 28, 28, 3)), "is float64 of the shape"),
    ("train_images", np.zeros((28, 28), np.uint8), "is uint8 of the shape"),
    ("val_labels", np.zeros((10, 1), np.uint8), r"is uint8 of the shape \(10, 1\) for 11 images"),
    ("val_labels", np.zeros((11, 1)), "is float64 of the shape"),
    ("val_labels", np.zeros((11, 2), np.uint8), "labels per image"),
    ("test_labels", np.full((11, 1), 9), r"has labels up to 9, 1 per image. Allowed: those of pathmnist: 0 … 8"),
    ("test_labels", np.full((11, 1), -1), "found the label -1"),
    ("test_images", np.asfortranarray(np.zeros((11, 28, 28), np.uint8)), "columns first"),
])  # fmt: skip
def test_arrays_that_are_no_images_and_labels_are_refused(tmp_path, name, array, match):
    np.savez(tmp_path / "pathmnist.npz", **{**arrays(), name: array})
    assert "pathmnist.npz" in refused(tmp_path, match, "pathmnist.npz")


def test_larger_images_than_allowed_are_refused_by_the_header(tmp_path):
    np.savez(tmp_path / "pathmnist.npz", **arrays())
    refused(
        tmp_path,
        "holds images of 28 × 28 pixels. Allowed: at most max_pixels = 783",
        "pathmnist.npz",
        max_pixels=783,
    )


def test_an_array_that_is_not_as_long_as_it_says_is_refused(tmp_path):
    content = io.BytesIO()
    np.save(content, np.zeros((3, 4), np.uint8))
    whole = content.getvalue()
    for changed, match in (
        (whole[:-4], "holds 2 of 3 rows"),
        (whole + b"abcd", "holds 4 of 3 rows"),
        (whole[:-1], "ends after 3 bytes of a record"),
        (b"\x93NUMPY\x09" + whole[7:], "is no array that can be read"),
    ):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", changed)
        with pytest.raises(InputError, match=match):
            list(read_rows(tmp_path / "a.npz", "x"))


def test_rows_come_in_order_however_many_are_read_at_a_time(tmp_path, monkeypatch):
    array = np.random.default_rng(0).integers(-9, 9, (50, 3)).astype(">i4")
    np.savez_compressed(tmp_path / "a.npz", x=array)
    for size in (1, 30, 10_000):
        monkeypatch.setattr(records, "CHUNK_BYTES", size)
        np.testing.assert_array_equal(np.concatenate(list(read_rows(tmp_path / "a.npz", "x"))), array)
    assert read_headers(tmp_path / "a.npz")["x"].shape == (50, 3)


def test_memory_grows_by_names_and_numbers_only(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_file, "BLOCK_BYTES", 1 << 17)
    monkeypatch.setattr(image_arrays, "BLOCK_BYTES", 1 << 17)
    monkeypatch.setattr(records, "CHUNK_BYTES", 1 << 17)
    peaks = {}
    for count in (20, 150, 450):  # the first one imports all there is
        made = arrays(side=64, counts={"train": count, "val": 9, "test": 9})
        np.savez_compressed(tmp_path / f"pathmnist_{count}.npz", **made)
        del made
        tracemalloc.start()
        packed(tmp_path, f"pathmnist_{count}.npz", size=64, out=str(count))
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[450] - peaks[150] < 300 * 1000  # an image has 12,288 bytes


def test_images_of_arrays_can_not_be_kept_encoded():
    with pytest.raises(
        ValidationError, match="the images of medmnist have no files of their own; choose pixels"
    ):
        Dataset.model_validate({"pack": "encoded", "source": {"kind": "medmnist", "paths": ["a.npz"]}})
