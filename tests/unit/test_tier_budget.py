"""Tiers of a family can be compared: equal images and steps; and all of them on one common probe."""

import itertools

import numpy as np
import pytest
from toy_tiers import TEXTURES, pack_toy

from spectral_priority.config import parse_study
from spectral_priority.config.measures import OtherImages
from spectral_priority.data.images import HELD_OUT, TRAIN
from spectral_priority.data.manifest import Manifest
from spectral_priority.data.together import Pairs
from spectral_priority.errors import InputError
from spectral_priority.measures.other_images import choose_images
from spectral_priority.similarity import wu_palmer
from spectral_priority.tiers import make_control, make_tier

EACH = {
    "dataset": "toy",
    "label": "texture",
    "floor": 5,
    "images": {"train": 90, "validation": 18, "probe": 18},
}
FAMILIES = {
    "labels": {**{key: EACH[key] for key in ("dataset", "floor", "images")}, "labels": ["texture", "ring"]},
    "regroup": {**EACH, "classes": 12, "groups": [2, 4, 12]},
    "count": {**EACH, "counts": [4, 8, 12], "nested": True},
    "similarity": {**EACH, "classes": 4, "levels": ["near", "mid", "far"]},
    "superclasses": {**EACH, "root": "texture", "depths": [1, 2], "subclasses": 1},
    "count-per-class": {**EACH, "counts": [4, 12], "images": {"train": 10, "validation": 2, "probe": 2}},
}


def study(source=None, **changes):
    """A study with a family of every kind, each named after it, and a control."""
    tiers = {kind: {"kind": kind, **options, **changes.get(kind, {})} for kind, options in FAMILIES.items()}
    tiers["control"] = {"kind": "control", "of": "count-8-d0"}
    return parse_study(
        {
            "study": "everything",
            "datasets": {"toy": {"source": source or {"kind": "shapes-textures"}, "size": 8}},
            "tiers": tiers,
            "recipes": {"base": {"steps": 300}, "wide": {"steps": 300, "width": 64}},
        }
    )


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


@pytest.fixture(scope="module")
def tiers(images):
    """Every tier of the study."""
    similarity, asked, made = wu_palmer(TEXTURES, images.hierarchy("texture")), study(), {}
    for tier in asked.list_tiers():
        options = asked.tiers[tier.family]
        made[tier.name] = (
            make_control(images, options, made[options.of], *tier[1:])
            if options.kind == "control"
            else make_tier(images, options, *tier[1:], similarity)
        )
    return made


def test_tiers_of_a_family_have_equal_images_and_steps(tiers):
    asked = study()
    for family, options in FAMILIES.items():
        own = [tier.name for tier in asked.list_tiers() if tier.family == family]
        assert len(own) >= 2
        images = [tiers[name].facts["images"] for name in own]
        budgets = [tiers[name].facts["budget"] for name in own]
        if family == "count-per-class":
            assert {tuple(budget["train_per_class"]) for budget in budgets} == {(10, 10)}
            assert {budget["equal"] for budget in budgets} == {"images per class"}
            assert len({one["train"] for one in images}) == 2
        else:
            assert all(one == options["images"] for one in images)
            assert {budget["equal"] for budget in budgets} == {"images in total"}
            assert {budget["train"] for budget in budgets} == {90}
        for recipe in asked.recipes_of(family):
            runs = [run for run in asked.list_runs() if run.tier in own and run.recipe == recipe]
            assert {asked.recipes[run.recipe].steps for run in runs} == {300}


def test_a_control_has_the_budget_of_its_tier(tiers):
    assert tiers["control-shuffled-d0"].facts["budget"] == tiers["count-8-d0"].facts["budget"]


def test_a_common_probe_is_the_same_for_all_tiers_and_trained_on_by_none(images, tiers):
    common = OtherImages(dataset="toy", labels="predicted", images=40, seed=2)
    chosen = [choose_images(images, made, common)[0] for made in tiers.values()]
    for other in chosen[1:]:
        np.testing.assert_array_equal(other, chosen[0])
    assert (images.split[chosen[0]] == HELD_OUT).all()
    for made in tiers.values():
        assert not set(made.index["train"]) & set(chosen[0])


def test_a_common_probe_shows_nothing_that_belongs_together_with_an_image_of_the_training_split(images):
    random = np.random.default_rng(0)
    train, held_out = (
        random.choice(np.flatnonzero(images.split == split), 20, replace=False) for split in (TRAIN, HELD_OUT)
    )
    pairs = np.stack([train, held_out], axis=1)
    duplicates = Pairs(pairs[:10], pairs[10:])
    asked, common = study(), OtherImages(dataset="toy", labels="predicted")
    chosen = {}
    for apart in ("near", "identical", "none"):
        options = asked.tiers["count"].model_copy(update={"apart": apart})
        made = [make_tier(images, options, "count", level, 0, None, duplicates) for level in ("4", "12")]
        found = [choose_images(images, one, common, duplicates)[0] for one in made]
        np.testing.assert_array_equal(*found)  # also for a tier that takes none of the training images
        chosen[apart] = set(found[0].tolist())
    every = set(np.flatnonzero(images.split == HELD_OUT).tolist())
    assert chosen["near"] == every - set(held_out.tolist())
    assert chosen["identical"] == every - set(held_out[:10].tolist())
    assert chosen["none"] == every
    made = make_tier(images, asked.tiers["count"], "count", "4", 0, None, duplicates)
    with pytest.raises(
        InputError, match=r"tier count-4-d0: kept 20 pairs of images together.* --probe-duplicates"
    ):
        choose_images(images, made, common)
    other = Manifest({**made.facts, "data_sha256": "7" * 64}, {}, {})
    assert (
        set(choose_images(images, other, common)[0].tolist()) == every
    )  # another data set has no such pairs


def test_tiers_of_one_image_set_share_their_probe_without_being_told(tiers):
    for family in ("labels", "regroup"):
        own = [made for made in tiers.values() if made.facts["family"] == family and made.facts["draw"] == 0]
        for one, other in itertools.pairwise(own):
            np.testing.assert_array_equal(one.index["probe"], other.index["probe"])


def test_a_study_names_the_similarity_that_a_family_needs():
    asked = study(similarity={"by": "spectral"}, regroup={"along": "path"})
    assert asked.similarity_of("similarity") == ("texture", "spectral")
    assert asked.similarity_of("regroup") == ("texture", "path")
    assert study().similarity_of("regroup") is None
    assert study().similarity_of("superclasses") is None


def test_duplicates_are_looked_for_in_images_from_files_alone():
    files = study({"kind": "image-folder", "paths": ["photos"]}, count={"apart": "none"})
    looked = [tier.family for tier in files.list_tiers() if files.looks_for_duplicates(tier.name)]
    assert set(looked) == {"labels", "regroup", "similarity", "superclasses", "count-per-class"}
    again = study({"kind": "image-folder", "paths": ["photos"]})
    assert again.looks_for_duplicates("control-shuffled-d0")  # its images are those of its tier
    assert not any(study().looks_for_duplicates(tier.name) for tier in study().list_tiers())
