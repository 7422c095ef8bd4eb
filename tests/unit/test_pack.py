"""Packing: the same images give the same file whatever they come in, and what can't be used is said."""

import errno
import json
import tempfile
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from made_images import encoded, noise, two_splits, write_folder, write_tar, write_zip
from packing import packed, refused
from PIL import Image

from spectral_priority.config.datasets import Dataset
from spectral_priority.data import image_files, packed_file
from spectral_priority.data.batches import Batch, Placement
from spectral_priority.data.image_files import ordered
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.packed_file import content_sha256, sha256_of
from spectral_priority.errors import InputError

CAT, REEL = "n02124075", "n04067472"


def folder(*paths, **more):
    return {"kind": "image-folder", "paths": paths, **more}


def test_a_folder_and_every_archive_give_the_same_bytes(tmp_path):
    files = two_splits()
    write_folder(tmp_path / "folder", files)
    write_zip(tmp_path / "a.zip", dict(reversed(files.items())))  # in another order
    for name in ("a.tar", "a.tar.gz", "a.tar.xz"):
        write_tar(tmp_path / name, files)
    halves = [{k: v for k, v in files.items() if f"/{split}/" in k} for split in ("train", "val")]
    write_tar(tmp_path / "half1.tar", halves[0])
    write_zip(tmp_path / "half2.zip", halves[1])
    forms = [["folder"], ["a.zip"], ["a.tar"], ["a.tar.gz"], ["a.tar.xz"], ["half2.zip", "half1.tar"]]
    forms.append(["folder/pictures/train", "folder/pictures/val"])
    hashes, contents = set(), set()
    for number, paths in enumerate(forms):
        _, images = packed(tmp_path, folder(*paths), name=str(number), threads=1 + number % 3)
        hashes.add(images.content_sha256)
        contents.add(images.pixels.tobytes() + images.labels("class").tobytes())
    assert len(hashes) == len(contents) == 1
    _, again = packed(tmp_path, folder("a.zip"), name="again")
    assert again.path.read_bytes() == (tmp_path / "1-packed" / "images.h5").read_bytes()


def test_pixels_labels_and_splits_belong_together(tmp_path):
    files = two_splits()
    write_zip(tmp_path / "a.zip", files)
    _, images = packed(tmp_path, folder("a.zip"))
    with xr.open_dataset(images.path, engine="h5netcdf") as stored:
        source = stored["source"].values.tolist()
        assert stored["images"].dims == ("sample", "y", "x", "channel")
        assert (stored["images"].values == images.pixels).all()
        assert stored["mode"].values.tolist() == ["RGB"] * len(files)
        assert (stored["encoder_quality"].values == -1).all() and (
            stored["original_width"].values == 16
        ).all()
    assert source == sorted(member.removeprefix("pictures/") for member in files)
    for position, name in enumerate(source):
        assert encoded(images.pixels[position]) == files["pictures/" + name]
        assert images.split[position] == name.startswith("val/")
        assert images.classes["class"][images.labels("class")[position]] == name.split("/")[1]
    assert json.loads(images.attributes["options"])["size"] == 16
    assert images.hierarchy("class") == []


def test_format_and_chroma_of_every_file_are_kept(tmp_path):
    files = two_splits()
    for name, content in {
        "a.jpg": encoded(noise(1), "JPEG", subsampling="4:2:0"),
        "b.jpg": encoded(noise(1), "JPEG", subsampling="4:4:4"),
        "c.jpg": encoded(noise(1)[..., 0], "JPEG"),
        "d.jpg": encoded(noise(1)),  # a PNG, whatever its name says
    }.items():
        files[f"pictures/train/ant/{name}"] = content
    write_zip(tmp_path / "a.zip", files)
    _, images = packed(tmp_path, folder("a.zip"))
    found = dict(
        zip(images.source, zip(images.fact("format"), images.fact("chroma"), strict=True), strict=True)
    )
    assert [found[f"train/ant/{letter}.jpg"] for letter in "abcd"] == [
        ("JPEG", "4:2:0"),
        ("JPEG", "4:4:4"),
        ("JPEG", "grey"),
        ("PNG", ""),
    ]
    options = Dataset.model_validate({"size": 16, "source": folder("unused")})
    pack(Patients(), "made", options, tmp_path / "images.h5", {})
    made = PackedImages(tmp_path / "images.h5")
    assert set(made.fact("format")) == set(made.fact("chroma")) == {""}


def test_the_fingerprint_covers_pixels_and_labels(tmp_path):
    files = two_splits()
    changed = {**files, "pictures/train/ant/0.png": encoded(noise(99))}
    moved = {name.replace("train/ant/0", "train/bee/9"): content for name, content in files.items()}
    hashes = set()
    for number, content in enumerate((files, changed, moved)):
        write_zip(tmp_path / f"{number}.zip", content)
        _, images = packed(tmp_path, folder(f"{number}.zip"), name=str(number))
        hashes.add(images.content_sha256)
    assert len(hashes) == 3
    content = {
        "pixels_sha256": np.frombuffer(sha256_of(noise(1)), np.uint8),
        "split": np.zeros(1),
        "labels": {"class": [0]},
        "source": ["a"],
        "classes": {"class": ["ant", "bee"]},
    }
    kept = content_sha256(**content)
    for change in (
        {"pixels_sha256": np.frombuffer(sha256_of(noise(2)), np.uint8)},
        {"labels": {"class": [1]}},
        {"split": np.ones(1)},
        {"source": ["b"]},
        {"classes": {"class": ["ant", "wasp"]}},
    ):
        assert content_sha256(**{**content, **change}) != kept
    assert sha256_of(noise(1)) != sha256_of(noise(1).reshape(8, 32, 3))


def test_few_files_are_read_ahead_of_the_decoder():
    taken = []
    results = ordered(lambda item: -item, (taken.append(item) or item for item in range(100)), threads=3)
    for done, result in enumerate(results):
        assert result == -done
        assert len(taken) <= done + 7


def test_large_files_are_decoded_few_at_a_time(monkeypatch):
    monkeypatch.setattr(image_files, "GROUP_BYTES", 1000)
    sizes = [10] * 70 + [400] * 5 + [5000, 10]
    groups = list(image_files._groups(((str(i), bytes(size)) for i, size in enumerate(sizes)), 32))
    assert [len(group) for group in groups] == [32, 32, 9, 3, 1]
    assert [int(key) for group in groups for key, _ in group] == list(range(77))


@pytest.mark.parametrize("form", ["pixels", "encoded"])
def test_memory_grows_by_names_and_numbers_only(tmp_path, monkeypatch, form):
    monkeypatch.setattr(packed_file, "BLOCK_BYTES", 1 << 17)
    monkeypatch.setattr(image_files, "GROUP", 8)
    content = encoded(noise(0, 64), "BMP")
    peaks = {}
    for count in (10, 150, 450):  # the first one imports all there is
        files = {f"train/ant/{number}.bmp": content for number in range(count)}
        write_folder(tmp_path / str(count), files)
        tracemalloc.start()
        packed(tmp_path, folder(str(count), held_out_split=None), size=64, pack=form, name=f"{count}")
        peaks[count] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[450] - peaks[150] < 300 * 1000  # an image has 12,288 bytes


def tiny_files(form):
    """The same ten images in the layout of the official zip, or foldered."""
    files, annotations, seed = {}, [], 0
    for wnid in (CAT, REEL):
        for number in range(3):
            seed += 1
            name = f"{wnid}_{number}.JPEG"
            inner = "images/" if form == "official" else ""
            files[f"train/{wnid}/{inner}{name}"] = encoded(noise(seed), "JPEG")
        for _ in range(2):
            seed += 1
            name = f"val_{seed}.JPEG"
            annotations.append(f"{name}\t{wnid}\t0\t0\t62\t57")
            place = "images" if form == "official" else wnid
            files[f"val/{place}/{name}"] = encoded(noise(seed), "JPEG")
    files["val/val_annotations.txt" if form == "official" else "val_annotations.txt"] = "\n".join(
        annotations
    ).encode()
    files["wnids.txt"] = f"{CAT}\n{REEL}\n".encode()
    if form == "official":
        files[f"train/{CAT}/{CAT}_boxes.txt"] = b"x"
        files["test/images/test_0.JPEG"] = encoded(noise(50), "JPEG")
        files = {f"tiny-imagenet-200/{member}": content for member, content in files.items()}
    return files


def test_tiny_imagenet_is_the_same_in_all_its_forms(tmp_path):
    official, foldered = tiny_files("official"), tiny_files("foldered")
    last = {member: official[member] for member in sorted(official, key=lambda m: "annotations" in m)}
    parts = [
        {k: v for k, v in foldered.items() if k.startswith(start)} for start in ("train", ("val", "wnids"))
    ]
    roots = [tmp_path / str(number) for number in range(6)]
    for root in roots:
        root.mkdir()
    write_zip(roots[0] / "tiny-imagenet-200.zip", official)
    write_zip(roots[1] / "tiny-imagenet-200.zip", last)
    write_folder(roots[2], official)
    write_folder(roots[3], foldered)
    write_tar(roots[4] / "tiny-imagenet-200-train.tar.xz", parts[0])
    write_tar(roots[4] / "tiny-imagenet-200-val.tar.xz", parts[1])
    write_zip(roots[5] / "elsewhere.zip", official)
    hashes = set()
    for root in roots:
        paths = ["elsewhere.zip"] if root == roots[5] else []
        report, images = packed(root, {"kind": "tiny-imagenet", "paths": paths})
        assert (report["train"], report["held_out"]) == (6, 4)
        hashes.add(images.content_sha256)
    assert len(hashes) == 1
    assert [images.titles[name] for name in (CAT, REEL, "n00015388")] == ["Egyptian cat", "reel", "animal"]
    edges = images.hierarchy("class")
    assert {CAT, REEL} <= {child for _, child in edges} and len(edges) == 566
    with xr.open_dataset(images.path, engine="h5netcdf") as stored:
        assert set(stored["encoder_quality"].values.tolist()) == {75}


def test_what_is_missing_is_said_with_the_place_where_it_was_looked_for(tmp_path):
    text = refused(tmp_path, {"kind": "tiny-imagenet"}, "Tiny-ImageNet: not found in")
    assert str(tmp_path) in text and "tiny-imagenet-200.zip" in text and "data_root" in text
    text = refused(tmp_path, folder("birds.zip"), "source.paths: birds.zip: there is no")
    assert str(tmp_path / "birds.zip") in text and "--config data_root=<folder>" in text


def test_flat_validation_images_without_annotations_are_refused(tmp_path):
    files = {name: content for name, content in tiny_files("official").items() if "annotations" not in name}
    write_zip(tmp_path / "tiny-imagenet-200.zip", files)
    refused(tmp_path, {"kind": "tiny-imagenet"}, "its class is not known: val_annotations.txt was not found")
    files["tiny-imagenet-200/val/val_annotations.txt"] = b"val_4.JPEG n99999999"
    write_zip(tmp_path / "tiny-imagenet-200.zip", files)
    refused(tmp_path, {"kind": "tiny-imagenet"}, "val_annotations.txt, line 1: found 'val_4.JPEG n99999999'")


def test_a_folder_that_is_no_wnid_is_refused(tmp_path):
    write_folder(tmp_path, {"train/cats/1.png": b"", "val/cats/1.png": b""})
    refused(
        tmp_path, {"kind": "tiny-imagenet"}, "folder 'cats' is none of the 200 classes.*kind: image-folder"
    )


def test_unreadable_images_are_listed_up_to_the_share_allowed(tmp_path):
    files = two_splits()
    first, second = list(files)[:2]
    files[first] = files[first][: len(files[first]) // 2]
    files[second] = b"no image"
    write_zip(tmp_path / "a.zip", files)
    text = refused(
        tmp_path, folder("a.zip"), "2 of 10 image files can't be read: train/ant/0.png .*truncated"
    )
    assert "train/ant/1.png (no image of a known format)" in text and "max_unreadable = 0" in text
    refused(tmp_path, folder("a.zip"), "2 of 10", max_unreadable=0.19)
    report, images = packed(tmp_path, folder("a.zip"), max_unreadable=0.2)
    assert [fault["source"] for fault in report["unreadable"]] == ["train/ant/0.png", "train/ant/1.png"]
    assert report["unreadable"][1]["reason"] == "no image of a known format"
    assert len(images) == report["images"] == 8
    for name in files:
        files[name] = b"no image"
    write_zip(tmp_path / "b.zip", files)
    with pytest.raises(InputError, match="10 of 10 image files can't be read"):
        packed(tmp_path, folder("b.zip"), name="none", max_unreadable=1.0)


def test_an_image_bomb_is_unreadable(tmp_path):
    files = two_splits()
    files["pictures/train/ant/0.png"] = encoded(Image.new("1", (3000, 2000)))
    write_zip(tmp_path / "a.zip", files)
    refused(
        tmp_path,
        folder("a.zip"),
        "3000 × 2000 pixels, more than max_pixels = 5,999,999",
        max_pixels=5_999_999,
    )
    report, _ = packed(tmp_path, folder("a.zip"), max_pixels=6_000_000)
    assert report["constant_images"] == 1 and report["unreadable"] == []


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    path = write_tar(tmp_path / "a.tar.xz", two_splits())
    path.write_bytes(path.read_bytes()[:-3000])
    refused(tmp_path, folder("a.tar.xz"), "a.tar.xz: is damaged or cut short")


class FullDisk:
    """A file on which the third write finds the disk full."""

    def __init__(self, file):
        self.file, self.writes = file, 0

    def close(self):
        self.file.close()

    def write(self, content):
        self.writes += 1
        if self.writes == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(content)


def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch):
    real = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: FullDisk(real(**options)))
    write_zip(tmp_path / "a.zip", two_splits(train=60))
    refused(tmp_path, folder("a.zip"), "images.h5: the disk is full")


@pytest.mark.parametrize("form", ["pixels", "encoded"])
def test_a_file_that_reads_back_different_never_gets_its_name(tmp_path, monkeypatch, form):
    real = packed_file._records

    def other(file):
        for number, record in enumerate(real(file)):
            yield np.where(number == 7, record ^ 1, record)

    monkeypatch.setattr(packed_file, "_records", other)
    write_zip(tmp_path / "a.zip", two_splits())
    with pytest.raises(OSError, match="reads back different from what was written"):
        packed(tmp_path, folder("a.zip"), pack=form)
    assert list((tmp_path / "out-packed").iterdir()) == []


def test_the_temporary_file_has_no_name(tmp_path):
    seen = []

    class Watched:
        total, unreadable, ignored = None, [], {}

        def batches(self):
            seen.append(sorted(path.name for path in (tmp_path / "out").iterdir()))
            raise KeyboardInterrupt
            yield

    options = Dataset.model_validate({"source": folder("a.zip")})
    with pytest.raises(KeyboardInterrupt):
        pack(Watched(), "made", options, tmp_path / "out" / "images.h5", {})
    assert seen == [[]] and list((tmp_path / "out").iterdir()) == []


def test_grey_pixels_are_one_channel(tmp_path):
    write_zip(tmp_path / "a.zip", two_splits())
    _, images = packed(tmp_path, folder("a.zip"), color="grey")
    assert images.channels == 1
    assert (
        np.abs(
            images.pixels[0, ..., 0] - np.asarray(Image.fromarray(noise(1)).convert("L")).astype(int)
        ).max()
        == 0
    )


def test_without_a_held_out_split_everything_is_training(tmp_path):
    files = two_splits()
    write_zip(tmp_path / "both.zip", files)
    write_zip(tmp_path / "train.zip", {name: content for name, content in files.items() if "/train/" in name})
    report, _ = packed(tmp_path, folder("train.zip", held_out_split=None), name="a")
    assert (report["train"], report["held_out"]) == (6, 0)
    refused(
        tmp_path,
        folder("both.zip", held_out_split=None),
        "val/ant/0.png: lies outside the folder train, others lie in it .*name the other folder in held_out_split",
    )


def test_without_any_split_the_folder_is_the_class(tmp_path):
    write_folder(tmp_path / "d", {"deep/ant/1.png": encoded(noise(1)), "deep/bee/1.png": encoded(noise(2))})
    _, images = packed(tmp_path, folder("d", held_out_split=None), name="d")
    assert images.classes == {"class": ["ant", "bee"]} and not images.split.any()
    write_folder(tmp_path / "d", {"wide/ant/1.png": encoded(noise(3))})
    refused(tmp_path, folder("d", held_out_split=None), "two folders are called ant: deep/ant and wide/ant")


def test_layouts_that_can_not_be_meant_are_refused(tmp_path):
    write_folder(tmp_path / "flat", {"train/ant/1.png": b"", "val/1.png": b""})
    refused(
        tmp_path, folder("flat"), r"val/1.png: lies in no class folder. Allowed: <split>/<class>/…/<file>"
    )
    write_zip(tmp_path / "test.zip", two_splits(split="test"))
    refused(tmp_path, folder("test.zip"), "none lies in a folder called val.*held_out_split .null: held-out")
    files = two_splits()
    files["pictures/val/wasp/1.png"] = encoded(noise(5))
    write_zip(tmp_path / "wasp.zip", files)
    refused(tmp_path, folder("wasp.zip"), "1 of their classes have no training images: wasp")
    write_zip(tmp_path / "a.zip", two_splits())
    write_zip(tmp_path / "b.zip", two_splits())
    refused(tmp_path, folder("a.zip", "b.zip"), "10 images have the name of another one: train/ant/0.png")
    write_zip(tmp_path / "none.zip", {"train/ant/1.txt": b"", "train/ant/2.csv": b"", "x.png": b""})
    refused(
        tmp_path, folder("none.zip"), "no images of the data set; found 1 × .csv, 1 × .txt, 1 × image outside"
    )


def test_hidden_files_and_other_files_are_counted_and_left_out(tmp_path):
    files = two_splits()
    files["pictures/train/ant/.DS_Store"] = files["__MACOSX/train/ant/._0.png"] = b"x"
    files["pictures/train/ant/notes.txt"] = files["pictures/logo.png"] = b"x"
    write_zip(tmp_path / "a.zip", files)
    report, _ = packed(tmp_path, folder("a.zip"))
    assert report["ignored_files"] == {".txt": 1, "hidden": 2, "image outside the splits": 1}
    assert report["images"] == 10


def test_what_may_spoil_a_study_is_warned_of(tmp_path):
    files = two_splits()
    files["pictures/train/wasp/1.jpg"] = encoded(np.zeros((8, 8, 3), dtype=np.uint8), "JPEG", quality=90)
    write_zip(tmp_path / "a.zip", files)
    report, _ = packed(tmp_path, folder("a.zip"))
    text = "\n".join(report["warnings"])
    assert report["constant_images"] == 1 and report["enlarged_images"] == 1
    assert "label class: 1 classes have 1 training images: wasp" in text
    assert "label class: 1 classes have 0 held-out images: wasp" in text
    assert (
        "the usual JPEG quality differs between classes, which can give them away: ant -1, bee -1, wasp 90"
        in text
    )
    assert "1 images are enlarged to the pack's size" in text


def test_a_hierarchy_comes_from_a_csv(tmp_path):
    write_zip(tmp_path / "a.zip", two_splits())
    (tmp_path / "tree.csv").write_text("parent,child\ninsect,ant\ninsect,bee\n")
    _, images = packed(tmp_path, folder("a.zip", hierarchy="tree.csv"))
    assert images.hierarchy("class") == [("insect", "ant"), ("insect", "bee")]
    for text, match in (
        ("parent,child\ninsect,ant\n", "tree.csv: has no edge to 1 of the classes .bee"),
        ("above,below\ninsect,ant\n", "tree.csv: has no column parent, child"),
        ("parent,child\ninsect,\n", "tree.csv, line 2: a cell is empty"),
    ):
        (tmp_path / "tree.csv").write_text(text)
        with pytest.raises(InputError, match=match):
            packed(tmp_path, folder("a.zip", hierarchy="tree.csv"), name="bad")
    with pytest.raises(InputError, match=r"no.csv: there is no such file"):
        packed(tmp_path, folder("a.zip", hierarchy="no.csv"), name="bad")


def test_a_thousand_classes_with_long_names_fit_into_the_attributes(tmp_path):
    classes = [f"class-{number:04d}-" + "x" * 60 for number in range(1000)]
    content = encoded(noise(0))
    write_zip(tmp_path / "a.zip", {f"train/{name}/1.png": content for name in classes})
    _, images = packed(tmp_path, folder("a.zip", held_out_split=None))
    assert images.classes["class"] == classes


class Patients:
    """A source of six images of two patients and one unknown."""

    total, unreadable, ignored = 6, [], {}

    def batches(self):
        six = np.stack([noise(i) for i in range(6)])
        yield Batch([f"train/{i}" for i in range(6)], six, ["RGB"] * 6, [-1] * 6, [16] * 6, [16] * 6)

    def place(self, keys):
        return Placement(
            list(keys),
            np.zeros(6, np.uint8),
            {"class": np.arange(6, dtype=np.int32) % 2},
            {"class": ["ant", "bee"]},
            group=["p7", "", "p3", "p7", "p3", "p3"],
        )


def test_groups_are_kept_and_belong_to_the_fingerprint(tmp_path):
    options = Dataset.model_validate({"size": 16, "source": folder("unused")})
    pack(Patients(), "made", options, tmp_path / "images.h5", {})
    images = PackedImages(tmp_path / "images.h5")
    assert images.group.tolist() == [1, -1, 0, 1, 0, 0]
    assert images.fact("group").tolist() == ["p7", "", "p3", "p7", "p3", "p3"]
    assert images.source == [f"train/{i}" for i in range(6)]
    alone = type(
        "Alone", (Patients,), {"place": lambda self, keys: replace(Patients.place(self, keys), group=[])}
    )
    pack(alone(), "made", options, tmp_path / "alone.h5", {})
    assert (PackedImages(tmp_path / "alone.h5").group == -1).all()
    assert PackedImages(tmp_path / "alone.h5").content_sha256 != images.content_sha256
    with pytest.raises(InputError, match="holds no fact 'group'"):
        PackedImages(tmp_path / "alone.h5").fact("group")


def test_a_hierarchy_may_be_written_out(tmp_path):
    write_folder(tmp_path / "folder", two_splits())
    tree = {"insect": ["ant", "bee"], "animal": ["insect"]}
    _, images = packed(tmp_path, folder("folder", hierarchy=tree), name="good")
    assert images.hierarchy("class") == [("insect", "ant"), ("insect", "bee"), ("animal", "insect")]
    refused(
        tmp_path,
        folder("folder", hierarchy={"insect": ["ant"]}),
        r"source.hierarchy: has no edge to 1 of the classes",
    )
