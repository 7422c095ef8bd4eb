"""Tiers: what every family promises, and the program."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_tiers import (
    ALIKE,
    COUNT,
    LABELS,
    NESTED,
    PER_CLASS,
    REGROUP,
    SHAPES,
    SHIFTED,
    SUPERCLASSES,
    TEXTURES,
    family,
    pack_toy,
)

from spectral_priority.config.tiers import ClassCount, Control, Images
from spectral_priority.data.images import HELD_OUT, TRAIN
from spectral_priority.data.manifest import PARTS, manifest_bytes, read_manifest, write_manifest
from spectral_priority.similarity import write_similarity, wu_palmer
from spectral_priority.tiers import make_control, make_tier
from spectral_priority.tiers.split import allocate

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
ALL = [
    *[(LABELS, level) for level in LABELS.labels],
    *[(options, str(k)) for options in (COUNT, NESTED, PER_CLASS) for k in options.counts],
    *[(REGROUP, str(k)) for k in REGROUP.groups if k < 12],
    (REGROUP.model_copy(update={"along": "hierarchy"}), "2"),
    *[(ALIKE, level) for level in ALIKE.levels],
    (SUPERCLASSES, "1"),
    (SHIFTED, "1"),
]
FINGERPRINTS = {  # of the images and labels of draw 1, as they were before images that belong together stayed so
    (LABELS, "ring"): "193cec63e25c",
    (REGROUP, "3"): "3d1d52ace116",
    (COUNT, "8"): "fe56120b44bc",
    (NESTED, "8"): "40827adbb6b0",
    (ALIKE, "near"): "af3e4ced0af2",
    (ALIKE, "mid"): "7b95ba14cb14",
    (ALIKE, "far"): "41b79514c5ab",
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


@pytest.fixture(scope="module")
def similarity(images):
    return wu_palmer(TEXTURES, images.hierarchy("texture"))


@pytest.mark.parametrize(("options", "level"), ALL)
@pytest.mark.parametrize("draw", [0, 1])
def test_every_tier_is_disjoint_balanced_and_complete(images, similarity, options, level, draw):
    made = make_tier(images, options, "f", level, draw, similarity)
    asked = options.images.model_dump()
    if options is PER_CLASS:
        asked = {part: number * made.number_of_classes for part, number in asked.items()}
    assert {part: len(made.index[part]) for part in PARTS} == made.facts["images"] == asked
    chosen = np.concatenate([made.index[part] for part in PARTS])
    assert len(np.unique(chosen)) == len(chosen)
    assert (images.split[made.index["train"]] == TRAIN).all()
    for part in PARTS:
        assert (np.diff(made.index[part]) > 0).all()
        assert set(np.unique(made.label[part])) == set(range(made.number_of_classes))
        if options.kind != "labels":  # each of the data set's classes, whatever they are grouped to
            counts = np.bincount(images.labels("texture")[made.index[part]], minlength=12)
            counts = counts[counts > 0]
            assert counts.max() - counts.min() <= 1
    outside = np.concatenate([made.index["validation"], made.index["probe"]])
    assert made.facts["held_out"] == (images.split[outside] == HELD_OUT).sum()


@pytest.mark.parametrize(("options", "level"), ALL)
def test_labels_are_those_of_the_listed_members(images, similarity, options, level):
    made = make_tier(images, options, "f", level, 0, similarity)
    names = np.array(images.classes[made.facts["label"]])
    for part in PARTS:
        own = names[images.labels(made.facts["label"])[made.index[part]]]
        for name, label in zip(own, made.label[part], strict=True):
            entry = made.facts["classes"][label]
            assert name in (
                entry["held_back"] if options is SHIFTED and part == "probe" else entry["members"]
            )


@pytest.mark.parametrize(("options", "level"), ALL)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    images, similarity, options, level, tmp_path
):
    def write(folder, seed):
        made = make_tier(images, options.model_copy(update={"seed": seed}), "f", level, 1, similarity)
        write_manifest(folder / "t.json", folder / "t.npz", made.facts, made.index, made.label)
        return (folder / "t.json").read_bytes(), (folder / "t.npz").read_bytes()

    first = write(tmp_path / "first", 3)
    assert write(tmp_path / "second", 3) == first
    assert write(tmp_path / "third", 4)[1] != first[1]
    read_manifest(tmp_path / "first" / "t.json", tmp_path / "first" / "t.npz")


@pytest.mark.parametrize(("options", "level"), ALL)
def test_a_tier_does_not_depend_on_which_other_draws_and_levels_there_are(images, similarity, options, level):
    alone = {"draws": 9, "seeds": 7, "recipes": ("wide",)}
    if options.kind != "labels":
        alone[options.LEVELS] = (int(level),) if level.isdigit() else (level,)
    made = make_tier(images, options, "f", level, 1, similarity)
    other = make_tier(images, options.model_copy(update=alone), "f", level, 1, similarity)
    assert made.facts == other.facts
    assert all(np.array_equal(made.index[part], other.index[part]) for part in PARTS)


@pytest.mark.parametrize(("options", "level"), FINGERPRINTS)
def test_what_was_made_before_is_made_today(images, similarity, options, level):
    made = make_tier(images, options, "f", level, 1, similarity)
    facts = json.loads(manifest_bytes(made.facts, made.index, made.label)[0])
    assert facts["sidecar_sha256"][:12] == FINGERPRINTS[options, level]


@pytest.mark.parametrize(("options", "level"), ALL)
def test_a_manifest_states_its_budget(images, similarity, options, level):
    made = make_tier(images, options, "f", level, 0, similarity)
    counts = np.bincount(made.label["train"])
    assert made.facts["budget"] == {
        "equal": "images per class" if options is PER_CLASS else "images in total",
        "train": counts.sum(),
        "train_per_class": [counts.min(), counts.max()],
    }
    assert bool(made.facts["exploratory"]) == (options is PER_CLASS)


def test_classes_have_equal_images_where_a_family_counts_them_per_class(images):
    for k in PER_CLASS.counts:
        made = make_tier(images, PER_CLASS, "c", str(k), 0)
        for part, each in (("train", 15), ("validation", 4), ("probe", 4)):
            assert np.bincount(made.label[part]).tolist() == [each] * k
        assert "never of a primary hypothesis" in made.facts["exploratory"]


def test_all_labels_of_a_family_see_the_same_images(images):
    first, *others = [make_tier(images, LABELS, "labels", level, 0) for level in LABELS.labels]
    for other in others:
        for part in PARTS:
            np.testing.assert_array_equal(first.index[part], other.index[part])
    assert [made.number_of_classes for made in (first, *others)] == [12, 3, 2]


def test_labels_are_balanced_jointly(images):
    made = make_tier(images, LABELS, "labels", "shape", 0)
    cell = images.labels("texture") * SHAPES + images.labels("shape")
    counts = np.bincount(cell[made.index["train"]])
    assert counts.max() - counts.min() <= 1


def test_draws_of_a_label_family_have_other_images(images):
    first, second = (make_tier(images, LABELS, "labels", "ring", draw) for draw in (0, 1))
    assert not np.array_equal(first.index["train"], second.index["train"])


def test_held_out_images_come_first_and_the_probe_has_the_first_choice(images):
    options = family(ClassCount, counts=(6,), images=Images(train=120, validation=60, probe=48))
    made = make_tier(images, options, "c", "6", 0)
    assert (images.split[made.index["probe"]] == HELD_OUT).all()
    assert (images.split[made.index["validation"]] == HELD_OUT).sum() == 6 * 10 - 48
    assert made.facts["held_out"] == 60


def test_a_shuffled_control_changes_training_labels_only(images):
    of = make_tier(images, COUNT, "c", "6", 0)
    options = Control(kind="control", of="c-6-d0")
    made = make_control(images, options, of, "control", "shuffled", 0)
    assert made.facts["control"] == "shuffled" and made.facts["tier"] == "control-shuffled-d0"
    assert made.facts["classes"] == of.facts["classes"] and made.facts["of"] == "c-6-d0"
    for part in PARTS:
        np.testing.assert_array_equal(made.index[part], of.index[part])
    np.testing.assert_array_equal(np.bincount(made.label["train"]), np.bincount(of.label["train"]))
    assert abs((made.label["train"] == of.label["train"]).mean() - 1 / 6) < 0.1
    for part in ("validation", "probe"):
        np.testing.assert_array_equal(made.label[part], of.label[part])
    second = make_control(images, options, of, "control", "shuffled", 1)
    assert not np.array_equal(made.label["train"], second.label["train"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(0, 10**6))
def test_allocation_is_as_even_as_capacities_allow(capacity, seed):
    capacity = np.array(capacity)
    total = seed % (int(capacity.sum()) + 1)
    quota = allocate(total, capacity, np.random.default_rng(seed).permutation(len(capacity)))
    assert quota.sum() == total
    assert (quota <= capacity).all()
    unfilled = quota[quota < capacity]
    if len(unfilled):
        assert quota.max() <= unfilled.min() + 1


def program(*arguments, name="tier"):
    return subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_writes_what_the_library_makes(images, similarity, tmp_path):
    write_similarity(tmp_path / "hierarchy.csv", TEXTURES, similarity)
    common = ["--images", images.path, "--draw", 1]
    done = program(
        *common, "--similarity", tmp_path / "hierarchy.csv", "--tier", "alike-near-d1", "--family", "alike",
        "--level", "near", "--options", ALIKE.model_dump_json(),
        "--manifest", tmp_path / "a.json", "--indices", tmp_path / "a.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = read_manifest(tmp_path / "a.json", tmp_path / "a.npz")
    assert read.class_names == TEXTURES[4:8]

    done = program(
        *common, "--of-manifest", tmp_path / "a.json", "--of-indices", tmp_path / "a.npz",
        "--tier", "control-shuffled-d1", "--family", "control", "--level", "shuffled",
        "--options", '{"kind": "control", "of": "alike-near-d1"}',
        "--manifest", tmp_path / "c.json", "--indices", tmp_path / "c.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_manifest(tmp_path / "c.json", tmp_path / "c.npz").facts["control"] == "shuffled"

    done = program(
        *common, "--tier", "c-20-d1", "--family", "c", "--level", 20,
        "--options", COUNT.model_copy(update={"counts": (20,)}).model_dump_json(),
        "--manifest", tmp_path / "x.json", "--indices", tmp_path / "x.npz",
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "error: tiers.c.counts: found 20, but label 'texture'" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert not (tmp_path / "x.json").exists()
