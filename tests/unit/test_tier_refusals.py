"""What a data set can't give is refused, by the study's field."""

import numpy as np
import pytest
from toy_tiers import ALIKE, COUNT, LABELS, PER_CLASS, REGROUP, pack_toy

from spectral_priority.config.tiers import Control, Images, ImagesPerClass
from spectral_priority.errors import InputError
from spectral_priority.similarity import wu_palmer
from spectral_priority.tiers import make_control, make_tier


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


REFUSALS = [
    (
        COUNT.model_copy(update={"floor": 20}),
        "12",
        r"^tiers\.f\.counts: found 12: 180 training images are 15 per class\. Allowed: at least 20 per class "
        r"\(tiers\.f\.floor\), so at most 9 classes\. What to do: raise tiers\.f\.images\.train to 240",
    ),
    (
        COUNT.model_copy(update={"counts": (20,)}),
        "20",
        r"^tiers\.f\.counts: found 20, but label 'texture' of data set toy has 12 classes\. Allowed: at most 12\.$",
    ),
    (
        COUNT.model_copy(update={"counts": (4,)}),
        "4",
        r"^tiers\.f\.counts: found 4, but only 0 of the 12 classes of label 'texture' have enough images: each needs "
        r"45 to train on and 24 for validation and probe, and the classes have 40 in the training split and 10 held",
    ),
    (COUNT, "7", r"^tiers\.f\.counts: level '7' is not listed\. Allowed: 6, 8, 12\.$"),
    (
        COUNT.model_copy(update={"label": "colour"}),
        "6",
        r"^tiers\.f\.label: found 'colour', but data set toy has no such label\. Allowed: ring, shape, texture\.$",
    ),
    (
        LABELS.model_copy(update={"labels": ("ring", "colour")}),
        "ring",
        r"^tiers\.f\.labels: found 'colour', but data set toy has no such label",
    ),
    (
        LABELS.model_copy(update={"floor": 20}),
        "ring",
        r"^tiers\.f\.labels: found 'texture', whose class 'ring\d-turn\d' gets 14 training images\. .* at least 20",
    ),
    (
        LABELS.model_copy(update={"images": Images(train=400, validation=150, probe=100)}),
        "ring",
        r"^tiers\.f\.images: found 400 training \+ 150 validation \+ 100 probe images, but data set toy has 480 in its "
        r"training split and 120 held out",
    ),
    (
        PER_CLASS.model_copy(update={"floor": 20}),
        "12",
        r"^tiers\.f\.images\.train: found 15 per class\. Allowed: at least 20 \(tiers\.f\.floor\)\.",
    ),
    (
        PER_CLASS.model_copy(update={"images": ImagesPerClass(train=30, validation=15, probe=15)}),
        "6",
        r"^tiers\.f\.counts: found 6, but only 0 of the 12 classes of label 'texture' have enough images: each needs "
        r"30 to train on and 30 for validation and probe",
    ),
    (
        REGROUP.model_copy(update={"floor": 30}),
        "12",
        r"^tiers\.f\.groups: found 12: 180 training images are 15 per class",
    ),
    (
        REGROUP.model_copy(update={"classes": 13}),
        "2",
        r"^tiers\.f\.classes: found 13, but label 'texture' of data set toy has 12 classes",
    ),
    (
        ALIKE.model_copy(update={"classes": 13}),
        "near",
        r"^tiers\.f\.classes: found 13, but label 'texture' of data set toy has 12 classes",
    ),
    (
        ALIKE.model_copy(update={"label": "shape", "classes": 2}),
        "near",
        r"^tiers\.f\.by: found 'hierarchy', but label 'shape' of data set toy has no such similarity\. .*: feature",
    ),
    (
        REGROUP.model_copy(update={"along": "hierarchy", "label": "shape", "classes": 2}),
        "2",
        r"^tiers\.f\.along: found 'hierarchy', but label 'shape' of data set toy has no such similarity\. .*: random",
    ),
]


@pytest.mark.parametrize(("options", "level", "text"), REFUSALS)
def test_what_a_data_set_can_not_give_is_refused_by_field(images, options, level, text):
    unknown = wu_palmer(images.classes["shape"], [])
    with pytest.raises(InputError, match=text):
        make_tier(images, options, "f", level, 0, unknown)


def test_classes_without_a_similarity_are_left_out_and_listed_or_refused(images):
    similarity = wu_palmer(images.classes["texture"], images.hierarchy("texture"))
    for unknown in (0, 5):
        similarity[unknown, :] = similarity[:, unknown] = np.nan
        similarity[unknown, unknown] = 1
    for level in ALIKE.levels:
        made = make_tier(images, ALIKE, "f", level, 0, similarity)
        assert made.facts["excluded"] == ["ring0-turn0", "ring1-turn1"]
        assert np.isfinite(made.facts["mean_similarity"])
    with pytest.raises(
        InputError,
        match=r"^tiers\.f\.along: 2 of 12 classes have no such similarity \(ring0-turn0, ring1-turn1\)",
    ):
        make_tier(images, REGROUP.model_copy(update={"along": "feature"}), "f", "2", 0, similarity)
    many = ALIKE.model_copy(update={"classes": 11, "images": Images(train=180, validation=22, probe=22)})
    with pytest.raises(
        InputError, match=r"^tiers\.f\.classes: 2 of 12 classes .* Allowed: at least 11 classes"
    ):
        make_tier(images, many, "f", "near", 0, similarity)


def test_a_family_that_needs_a_similarity_says_so(images):
    with pytest.raises(InputError, match=r"tiers\.f\.by: found 'hierarchy', but no similarity was given"):
        make_tier(images, ALIKE, "f", "near", 0)


def test_a_control_of_another_tier_is_refused(images):
    of = make_tier(images, COUNT, "c", "6", 0)
    with pytest.raises(
        InputError, match=r"tiers\.control\.of: found the manifest of 'c-6-d0'\. Allowed: .*'c-8-d0'"
    ):
        make_control(images, Control(kind="control", of="c-8-d0"), of, "control", "shuffled", 0)


def test_a_control_of_other_images_is_refused(images):
    of = make_tier(images, COUNT, "c", "6", 0)
    of.facts["data_sha256"] = "6" * 64
    with pytest.raises(InputError, match=r"tier c-6-d0: was made from images with content 666666666666…"):
        make_control(images, Control(kind="control", of="c-6-d0"), of, "control", "shuffled", 0)
