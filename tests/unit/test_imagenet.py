"""ImageNet is packed from whatever form it lies in, with the same result; what is odd in it is kept or told."""

import io
import tarfile

import numpy as np
import pytest
import xarray as xr
from made_imagenet import (
    IDS,
    PILLOW,
    SHELTIE,
    TENCH,
    TRUTHS,
    VALIDATION,
    foldered,
    jpeg,
    name_of,
    training,
    training_tar,
    validation,
)
from made_images import encoded, noise, write_folder, write_tar, write_zip
from packing import packed, refused
from PIL import Image

from spectral_priority.config.tiers import ClassCount, Similarity
from spectral_priority.similarity.hierarchy import wu_palmer
from spectral_priority.tiers.make import make_tier

SOURCE = {"kind": "imagenet"}
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"


def below(top, files):
    return {f"{top}/{name}": content for name, content in files.items()}


@pytest.fixture
def official(tmp_path):
    """The two official archives, and the development kit's ground truth."""
    training_tar(tmp_path / "ILSVRC2012_img_train.tar", training())
    write_tar(tmp_path / "ILSVRC2012_img_val.tar", validation())
    (tmp_path / GROUND_TRUTH).write_text(TRUTHS[GROUND_TRUTH])
    return tmp_path


def test_the_official_archives_are_read_as_they_are(official):
    report, images = packed(official, SOURCE)
    assert images.classes["class"] == [TENCH, SHELTIE, PILLOW]
    assert images.titles == {TENCH: "tench", SHELTIE: "Shetland sheepdog", PILLOW: "pillow"}
    expected = {f"train/{name}" for name in training()} | {f"val/{name}" for name in foldered()}
    assert set(images.source) == expected
    for position, name in enumerate(images.source):
        split, wnid, _ = name.split("/")
        assert images.split[position] == (split == "val")
        assert images.classes["class"][images.labels("class")[position]] == wnid
    assert "3 of the 1,000 classes have images; without are n01443537, " in report["warnings"][0]
    assert "and 987 more" in report["warnings"][0]
    edges = images.hierarchy("class")
    assert {child for _, child in edges} >= {TENCH, SHELTIE, PILLOW} and len(edges) < 100


def test_every_form_gives_the_same_pack(official, tmp_path):
    _, images = packed(official, SOURCE)
    forms = {}

    def root(name):
        (tmp_path / name).mkdir()
        forms[name] = []
        return tmp_path / name

    folders = root("folders")
    write_folder(folders, {**below("train", training()), **below("val", foldered())})
    kaggle = root("kaggle")
    inside = {
        **below("Data/CLS-LOC/train", training()),
        **below("Data/CLS-LOC/val", validation()),
        "Data/CLS-LOC/test/ILSVRC2012_test_00000001.JPEG": jpeg(9),
        "ImageSets/CLS-LOC/val.txt": "".join(f"{name_of(i)[:-5]} {i}\n" for i in VALIDATION).encode(),
        "Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": b"<annotation/>",
    }
    write_folder(kaggle / "ILSVRC", inside)
    (kaggle / "LOC_val_solution.csv").write_text(TRUTHS["LOC_val_solution.csv"])
    zipped = root("zipped")
    write_zip(
        zipped / "k.zip",
        {**below("ILSVRC", inside), "LOC_val_solution.csv": TRUTHS["LOC_val_solution.csv"].encode()},
    )
    forms["zipped"] = ["k.zip"]
    unpacked_once = root(
        "unpacked-once"
    )  # a folder of a thousand tars, the ground truth in the devkit's archive
    training_tar(unpacked_once / "t.tar", training())
    write_tar(unpacked_once / "val.tar", validation())
    write_tar(
        unpacked_once / "devkit.tar.gz",
        {f"ILSVRC2012_devkit_t12/data/{GROUND_TRUTH}": TRUTHS[GROUND_TRUTH].encode()},
    )
    with tarfile.open(unpacked_once / "t.tar") as archive:
        archive.extractall(unpacked_once / "tars", filter="data")
    forms["unpacked-once"] = ["val.tar", "devkit.tar.gz", "tars"]
    renamed = root("renamed")  # names that tell the class once more
    write_tar(
        renamed / "a.tar.gz",
        {f"{name.split('/')[1][:-5]}_{name[:9]}.JPEG": c for name, c in training().items()},
    )
    write_tar(
        renamed / "b.tar.gz",
        {f"{name_of(i)[:-5]}_{wnid}.JPEG": jpeg(100 + i) for i, wnid in VALIDATION.items()},
    )
    forms["renamed"] = ["a.tar.gz", "b.tar.gz"]
    for name, paths in forms.items():
        _, other = packed(tmp_path / name, {**SOURCE, "paths": paths})
        assert other.content_sha256 == images.content_sha256, name


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("place", ["data_root", "before", "after", "named"])
def test_every_form_of_ground_truth_says_the_same(tmp_path, name, place):
    truth = TRUTHS[name]
    source = {**SOURCE, "paths": ["train", "val.tar"]}
    write_folder(tmp_path / "train", training())
    files = dict(validation())
    if place == "named":
        (tmp_path / "odd name").write_text(truth)
        source["ground_truth"] = "odd name"
    elif place == "data_root":
        (tmp_path / name).write_text(truth)
    else:
        told = {name: truth.encode()}
        files = {**told, **files} if place == "before" else {**files, **told}
    write_tar(tmp_path / "val.tar", files)
    _, images = packed(tmp_path, source)
    assert {name for name in images.source if name.startswith("val")} == {
        f"val/{name}" for name in foldered()
    }


def test_a_missing_or_contradicting_ground_truth_is_told(official):
    (official / "val.txt").write_text(TRUTHS["val.txt"].replace("721", "722"))
    message = refused(
        official, SOURCE, r"val.txt, line 1: says that validation image 1 shows n03942813, and .*"
    )
    assert GROUND_TRUTH in message and PILLOW in message
    (official / "val.txt").unlink()
    (official / GROUND_TRUTH).write_text(f"{IDS[PILLOW]}\n{IDS[TENCH]}\n")
    refused(official, SOURCE, "val/ILSVRC2012_val_00000003.JPEG: its class is not known: .*has no such image")
    (official / GROUND_TRUTH).unlink()
    refused(official, SOURCE, "its class is not known: no ground truth was found.*source.ground_truth")


@pytest.mark.parametrize(
    "text",
    ["1001\n", "n99999999\n", f"{name_of(1)} 1000\n", "hello world\n", "ImageId,PredictionString\nx,y\n", ""],
)
def test_a_ground_truth_that_can_not_be_meant_is_refused(official, text):
    (official / "truth.txt").write_text(text)
    refused(official, {**SOURCE, "ground_truth": "truth.txt"}, "truth.txt(, line [12])?: (found|holds no)")


def test_a_list_of_validation_images_is_no_ground_truth(official):
    (official / "val.txt").write_text("".join(f"{name_of(i)[:-5]} {i}\n" for i in VALIDATION))
    _, images = packed(official, SOURCE, name="passed-over")
    assert len(images) == 11
    refused(official, {**SOURCE, "ground_truth": "val.txt"}, "val.txt, line 1: found .*a list of images")


def test_another_data_sets_list_is_no_ground_truth(official):
    (official / "val.txt").write_text("2007_000033\n2007_000042\n")
    (official / "val_list.txt").write_text("flowers/1.jpg 3\n")
    _, images = packed(official, SOURCE, name="passed-over")
    assert len(images) == 11
    refused(official, {**SOURCE, "ground_truth": "val.txt"}, "val.txt, line 1: found '2007_000033'")


def test_odd_files_are_decoded_and_a_broken_one_is_told(official):
    training_tar(official / "ILSVRC2012_img_train.tar", training(broken=True))
    refused(official, SOURCE, rf"1 of 12 image files can't be read: train/{PILLOW}/{PILLOW}_3.JPEG")
    report, images = packed(official, SOURCE, max_unreadable=0.1, name="rest")
    assert [fault["source"] for fault in report["unreadable"]] == [f"train/{PILLOW}/{PILLOW}_3.JPEG"]
    with xr.open_dataset(images.path, engine="h5netcdf") as stored:
        facts = {
            name: (mode, int(height), int(width), int(quality))
            for name, mode, height, width, quality in zip(
                images.source,
                stored["mode"].values,
                stored["original_height"].values,
                stored["original_width"].values,
                stored["encoder_quality"].values,
                strict=True,
            )
        }
    assert facts[f"train/{PILLOW}/{PILLOW}_1.JPEG"][0] == "CMYK"
    assert facts[f"train/{TENCH}/{TENCH}_36.JPEG"][0] == "L"
    assert facts[f"train/{SHELTIE}/{SHELTIE}_2933.JPEG"] == ("RGB", 20, 20, -1)
    assert facts[f"train/{TENCH}/{TENCH}_1234.JPEG"] == ("RGB", 30, 20, 75)
    cmyk = Image.open(io.BytesIO(training()[f"{PILLOW}/{PILLOW}_1.JPEG"])).convert("RGB")
    at = images.source.index(f"train/{PILLOW}/{PILLOW}_1.JPEG")
    assert (images.pixels[at] == np.asarray(cmyk.resize((16, 16), Image.Resampling.LANCZOS))).all()


def test_some_classes_alone(official):
    (official / "imagenet-2.txt").write_text(f"{TENCH} tench\n{PILLOW}\n")
    report, images = packed(official, {**SOURCE, "classes": "imagenet-2.txt"})
    assert images.classes["class"] == [TENCH, PILLOW]
    assert (report["train"], report["held_out"]) == (5, 3)
    assert report["ignored_files"] == {"image outside the splits": 3}
    assert not any("without are" in warning for warning in report["warnings"])


def test_classes_of_flat_images_must_be_known_when_only_some_are_kept(official):
    (official / "imagenet-2.txt").write_text(f"{TENCH}\n{PILLOW}\n")
    (official / GROUND_TRUTH).unlink()
    refused(official, {**SOURCE, "classes": "imagenet-2.txt"}, "its class must be known when it is read")


@pytest.mark.parametrize(
    "text, match", [("n99999999\n", "1 words that are none of the 1,000"), ("\n", "is empty")]
)
def test_a_list_of_classes_that_can_not_be_meant_is_refused(official, text, match):
    (official / "some.txt").write_text(text)
    refused(official, {**SOURCE, "classes": "some.txt"}, f"some.txt: .*{match}")


def test_held_out_images_may_come_from_the_training_set(tmp_path):
    """As in copies of ImageNet-100 that split the training images."""
    write_folder(tmp_path, below("train.X1", training()))
    write_folder(
        tmp_path, {f"val/{TENCH}/{TENCH}_99.JPEG": jpeg(9), f"val/{PILLOW}/{PILLOW}_98.JPEG": jpeg(10)}
    )
    report, _ = packed(tmp_path, {**SOURCE, "paths": ["train.X1", "val"]})
    assert (report["train"], report["held_out"]) == (7, 2)


def test_folders_that_can_not_be_meant_are_refused(tmp_path):
    write_folder(tmp_path, {"train/n00007846/n00007846_1.JPEG": jpeg(1), f"val/{TENCH}/a.JPEG": jpeg(2)})
    refused(tmp_path, SOURCE, "n00007846 is none of the 1,000 classes.*kind: image-folder")
    write_folder(tmp_path / "b", {f"train/{TENCH}/{PILLOW}_1.JPEG": jpeg(1), f"val/{TENCH}/a.JPEG": jpeg(2)})
    refused(tmp_path / "b", SOURCE, rf"lies in the folder of {TENCH}, and is called an image of {PILLOW}")
    message = refused(tmp_path / "c", SOURCE, "ImageNet: not found in ")
    assert "ILSVRC2012_img_train.tar with ILSVRC2012_img_val.tar; or train with val" in message


def test_a_class_that_is_held_out_only_is_told(tmp_path):
    files = {**below("train", training()), f"val/n01443537/{name_of(9)}": jpeg(2)}
    write_folder(tmp_path, files)
    refused(tmp_path, SOURCE, "1 of their classes have no training images: n01443537")


def test_tiers_are_made_from_it(tmp_path):
    wnids = [TENCH, SHELTIE, PILLOW, "n02119789", "n02119022", "n02114367"]
    files = {}
    for number, wnid in enumerate(wnids):
        for i in range(8):
            files[f"train/{wnid}/{wnid}_{i}.JPEG"] = encoded(noise(10 * number + i), "JPEG")
    for i in range(12):
        files[f"val/{wnids[i % 6]}/{name_of(i + 1)}"] = encoded(noise(1000 + i), "JPEG")
    write_folder(tmp_path, files)
    _, images = packed(tmp_path, SOURCE)
    similarity = wu_palmer(images.classes["class"], images.hierarchy("class"))
    common = {"dataset": "made", "images": {"train": 15, "validation": 3, "probe": 3}, "floor": 2}
    near = make_tier(
        images,
        Similarity.model_validate({"kind": "similarity", "classes": 3, "levels": ["near", "far"], **common}),
        "similar",
        "near",
        0,
        similarity,
    )
    assert {entry["name"] for entry in near.facts["classes"]} == {"n02119789", "n02119022", "n02114367"}
    assert "kit fox" in {entry["title"] for entry in near.facts["classes"]}
    count = make_tier(
        images, ClassCount.model_validate({"kind": "count", "counts": [3], **common}), "count", "3", 0
    )
    assert count.facts["number_of_classes"] == 3 and count.facts["held_out"] == 6
