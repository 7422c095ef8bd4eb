"""RadImageNet: its tables tell splits and labels, its labels are a hierarchy, and patients never lie in two splits."""

import numpy as np
import pytest
from made_imagenet import RADIMAGENET, radimagenet_images, radimagenet_tables
from made_images import encoded, noise, write_folder, write_tar
from packing import packed, refused

from spectral_priority.config.tiers import ClassCount, Labels, Similarity
from spectral_priority.similarity.hierarchy import wu_palmer
from spectral_priority.tiers.make import make_tier

SOURCE = {"kind": "radimagenet"}


@pytest.fixture
def root(tmp_path):
    write_folder(tmp_path, {**radimagenet_images(), **radimagenet_tables()})
    return tmp_path


def written(root, rows):
    write_folder(root, {**radimagenet_images(rows), **radimagenet_tables(rows)})


def test_labels_are_modality_anatomy_and_both_with_the_label(root):
    report, images = packed(root, SOURCE)
    assert images.classes["modality"] == ["CT", "MR", "US"]
    assert images.classes["anatomy"] == ["CT/abd", "CT/lung", "MR/af", "MR/knee", "US/gb"]
    assert images.classes["class"] == [
        "CT/abd/normal",
        "CT/lung/Nodule",
        "CT/lung/interstitial_lung_disease",
        "CT/lung/normal",
        "MR/af/Plantar_plate_tear",
        "MR/knee/normal",
        "US/gb/usn",
    ]
    by_name = {f"radiology_ai/{name}": (label, split) for name, label, split in RADIMAGENET}
    for position, name in enumerate(images.source):
        label, split = by_name[name]
        _, modality, anatomy, *_ = name.split("/")
        assert images.split[position] == (split == "val")
        assert images.classes["class"][images.labels("class")[position]] == f"{modality}/{anatomy}/{label}"
        assert images.classes["anatomy"][images.labels("anatomy")[position]] == f"{modality}/{anatomy}"
        assert images.classes["modality"][images.labels("modality")[position]] == modality
    assert report["ignored_files"] == {"image left out": 2}
    assert "7 classes were found; the published set has 165" in report["warnings"]


def test_classes_are_leaves_of_modality_and_anatomy(root):
    _, images = packed(root, SOURCE)
    edges = images.hierarchy("class")
    assert ("all", "modality: CT") in edges and ("modality: CT", "anatomy: CT/lung") in edges
    assert ("anatomy: CT/lung", "CT/lung/Nodule") in edges
    assert ("modality: MR", "MR/knee") in images.hierarchy("anatomy")
    names = images.classes["class"]
    similarity = wu_palmer(names, edges)
    nodule = similarity[names.index("CT/lung/Nodule")]
    sibling, other_anatomy, other_modality = (
        nodule[names.index(name)] for name in ("CT/lung/normal", "CT/abd/normal", "MR/knee/normal")
    )
    assert sibling > other_anatomy > other_modality


def test_the_archive_and_tables_elsewhere_give_the_same_pack(root, tmp_path):
    _, images = packed(root, SOURCE)
    write_tar(tmp_path / "radimagenet.tar.gz", radimagenet_images(top="./radiology_ai/"))
    write_folder(tmp_path / "split", radimagenet_tables())
    _, other = packed(tmp_path, {**SOURCE, "paths": ["radimagenet.tar.gz"], "tables": "split"}, name="other")
    assert other.content_sha256 == images.content_sha256
    _, inside = packed(
        tmp_path, {**SOURCE, "paths": [f"radiology_ai/{m}" for m in ("CT", "MR", "US")]}, name="inside"
    )
    assert inside.content_sha256 == images.content_sha256


@pytest.mark.parametrize(
    "held_out, counts", [(["val"], (9, 3)), (["test"], (9, 2)), (["val", "test"], (9, 5))]
)
def test_which_tables_are_held_out_is_an_option(root, held_out, counts):
    report, _ = packed(root, {**SOURCE, "held_out": held_out})
    assert (report["train"], report["held_out"]) == counts


def test_a_table_of_images_left_out_may_be_missing(root):
    (root / "RadiologyAI_test.csv").unlink()
    report, _ = packed(root, SOURCE)
    assert report["ignored_files"] == {"image not listed": 2}
    (root / "RadiologyAI_val.csv").unlink()
    refused(root, SOURCE, r"RadiologyAI_val.csv: there is no such file", name="none")


def test_published_names_tell_no_patient_and_the_report_says_so(root):
    report, images = packed(root, SOURCE)
    assert (images.group == -1).all()
    assert any(
        "patients are not known: the published file names tell none" in text for text in report["warnings"]
    )


PATIENT = r"_p(\d+)_"


def named(patient, number, split, anatomy="CT/lung", label="normal"):
    return (f"{anatomy}/{label}/lung_p{patient}_{number}.png", label, split)


def test_patients_never_lie_in_two_splits(tmp_path):
    rows = [
        *(named(patient, i, "train") for patient in (1, 2, 3) for i in range(3)),
        *(named(3, 10 + i, "val") for i in range(2)),  # this patient has training images
        *(named(4, i, "val") for i in range(2)),
        named(4, 99, "test"),  # not used, so no reason to move anything
        ("CT/lung/normal/lung000001.png", "normal", "train"),
    ]
    written(tmp_path, rows)
    report, images = packed(tmp_path, {**SOURCE, "patient": PATIENT})
    patient = images.fact("group")
    held_out = set(patient[images.split == 1]) - {""}
    assert held_out == {"4"} and held_out.isdisjoint(patient[images.split == 0])
    assert (report["train"], report["held_out"]) == (12, 2)
    text = "\n".join(report["warnings"])
    assert "2 held-out images of 1 patients were moved to training" in text
    assert "1 of 15 file names tell no patient" in text
    assert "patients are not known" not in text


def test_an_expression_that_finds_no_patient_is_refused(root):
    refused(root, {**SOURCE, "patient": PATIENT}, "source.patient: .* is found in no file name")
    for expression, match in (("(", "is no regular expression"), ("p", "0 groups"), ("(p)(q)", "2 groups")):
        with pytest.raises(ValueError, match=match):
            packed(root, {**SOURCE, "patient": expression})


def test_held_out_images_of_classes_without_training_images_are_left_out_and_told(tmp_path):
    rows = [*RADIMAGENET, ("MR/hip/rare/hip000001.png", "rare", "val")]
    written(tmp_path, rows)
    report, images = packed(tmp_path, SOURCE)
    assert "MR/hip/rare" not in images.classes["class"]
    assert any(
        "1 held-out images of 1 classes without training images were left out: MR/hip/rare (1)" in text
        for text in report["warnings"]
    )


def test_faulty_rows_and_missing_images_are_told_by_line(root):
    table = root / "RadiologyAI_val.csv"
    whole = table.read_text()
    table.write_text(whole + "radiology_ai/XR/hand/hand1.png,normal\nradiology_ai/CT/lung/x.png,\n")
    message = refused(root, SOURCE, r"the file name tells no modality and anatomy \(1 rows: lines 5\)")
    assert "a cell is empty (1 rows: lines 6)" in message
    table.write_text(whole + "radiology_ai/CT/lung/normal/gone.png,normal\n")
    refused(
        root, SOURCE, "1 of 13 image files can't be read: .*gone.png .*RadiologyAI_val.csv, line 5 lists it"
    )
    table.write_text(whole + f"radiology_ai/{RADIMAGENET[0][0]},normal\n")
    refused(
        root,
        SOURCE,
        r"RadiologyAI_val.csv, line 5: lists .*RadiologyAI_train.csv, line 2 lists with another split",
    )


def test_sixteen_bit_colour_and_empty_images_are_packed_as_grey(root):
    report, images = packed(root, SOURCE, color="grey", size=24)
    assert report["constant_images"] == 1 and report["unreadable"] == []
    modes = dict(zip(images.source, images.fact("mode"), strict=True))
    assert modes["radiology_ai/CT/lung/normal/lung-normal000032.png"].startswith("I")
    assert modes["radiology_ai/CT/lung/normal/lung-normal000033.png"] == "RGB"
    at = images.source.index("radiology_ai/CT/lung/normal/lung-normal000032.png")
    assert np.ptp(images.pixels[at].astype(int)) > 200


def test_rare_classes_are_excluded_from_tiers_and_listed(tmp_path):
    many = [("CT/lung/normal", 12), ("CT/lung/Nodule", 12), ("CT/abd/normal", 12), ("MR/knee/normal", 12)]
    rows = [
        (f"{folder}/x{i:06d}.png", folder.split("/")[2], "train" if i < 9 else "val")
        for folder, count in many
        for i in range(count)
    ]
    rows.append(("MR/knee/rare/x000000.png", "rare", "train"))
    written(tmp_path, rows)
    _, images = packed(tmp_path, SOURCE)
    common = {"dataset": "made", "images": {"train": 16, "validation": 4, "probe": 4}, "floor": 5}
    count = ClassCount.model_validate({"kind": "count", "counts": [2], **common})
    assert make_tier(images, count, "count", "2", 0).facts["excluded"] == ["MR/knee/rare"]
    near = Similarity.model_validate(
        {"kind": "similarity", "classes": 2, "levels": ["near", "far"], **common}
    )
    similarity = wu_palmer(images.classes["class"], images.hierarchy("class"))
    made = make_tier(images, near, "similar", "near", 0, similarity).facts
    assert made["excluded"] == ["MR/knee/rare"]
    assert [entry["name"] for entry in made["classes"]] == ["CT/lung/Nodule", "CT/lung/normal"]
    labels = Labels.model_validate({"kind": "labels", "labels": ["modality", "anatomy"], **common})
    coarse, fine = (make_tier(images, labels, "labels", level, 0) for level in labels.labels)
    assert (coarse.facts["number_of_classes"], fine.facts["number_of_classes"]) == (2, 3)
    assert all((coarse.index[part] == fine.index[part]).all() for part in coarse.index)


def test_nothing_to_find_is_told(tmp_path):
    refused(tmp_path, SOURCE, "RadImageNet: not found in .*radiology_ai; or radimagenet.tar.gz")
    write_folder(tmp_path, {**radimagenet_tables(), "radiology_ai/CT/other.png": encoded(noise(0))})
    refused(tmp_path, SOURCE, "12 of 12 image files can't be read: .*there is no image file of that name")
