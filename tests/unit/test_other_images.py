"""Measures on images of another data set: classes found by name, predicted classes, masks of another instance."""

import json
import runpy
from argparse import Namespace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from made_checksums import add_checksums
from toy_tiers import write_images

from spectral_priority.config.measures import OtherImages, Shortcuts
from spectral_priority.config.recipe import Recipe
from spectral_priority.data.manifest import Manifest, read_manifest, write_manifest
from spectral_priority.errors import InputError
from spectral_priority.measures import shortcuts
from spectral_priority.measures.other_images import choose_images
from spectral_priority.measures.predicted_labels import with_predicted_labels
from spectral_priority.measures.probe import read_probe
from spectral_priority.measures.registry import measure_options
from spectral_priority.models import build_model
from spectral_priority.store.atomic import read_json, write_json
from spectral_priority.store.netcdf import read_dataset, read_provenance
from spectral_priority.training.checkpoints import write_checkpoints

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "workflow" / "scripts" / "measure.py"))
STEPS = [0, 10]
RECIPE = Recipe(width=4)


def folder_of(path, names, train=20, held_out=60, content="5" * 64):
    """A data set whose classes take turns; its last images are held out."""
    label = np.arange(train + held_out) % len(names)
    split = np.arange(train + held_out) >= train
    packed = write_images(path, {"class": label}, {"class": names}, split)
    with h5py.File(path, "a") as file:
        file.attrs["content_sha256"] = content
        add_checksums(file)
    return packed


def tier_of(classes, label="class"):
    """A tier; `classes` are lists of members."""
    entries = [{"name": "+".join(members), "members": members} for members in classes]
    facts = {"tier": "t", "label": label, "classes": entries, "number_of_classes": len(classes)}
    return Manifest(facts, {}, {})


def own(**options):
    return OtherImages(dataset="toy", **options)


def test_classes_are_found_by_name_whatever_their_order_and_company(tmp_path):
    other = folder_of(tmp_path / "o.h5", ["owl", "cat", "dog", "ant"])
    index, labels = choose_images(other, tier_of([["ant"], ["cat"]]), own())
    names = np.array(["owl", "cat", "dog", "ant"])[np.arange(80) % 4]
    np.testing.assert_array_equal(index, [i for i in range(20, 80) if names[i] in ("ant", "cat")])
    np.testing.assert_array_equal(labels, [["ant", "cat"].index(names[i]) for i in index])


def test_a_group_of_classes_gets_the_images_of_all_its_members(tmp_path):
    other = folder_of(tmp_path / "o.h5", ["owl", "cat", "dog", "ant"])
    index, labels = choose_images(other, tier_of([["ant", "owl"], ["dog", "cat"]]), own())
    np.testing.assert_array_equal(index, np.arange(20, 80))
    np.testing.assert_array_equal(labels, np.array([0, 1, 1, 0])[index % 4])


def test_some_images_are_drawn_by_the_seed_and_fewer_are_among_more(tmp_path):
    other = folder_of(tmp_path / "o.h5", ["owl", "cat"])
    tier = tier_of([["owl"], ["cat"]])
    few, labels = choose_images(other, tier, own(images=12, seed=3))
    more, _ = choose_images(other, tier, own(images=30, seed=3))
    assert len(few) == 12 and (np.diff(few) > 0).all() and set(few) < set(more)
    np.testing.assert_array_equal(labels, few % 2)
    assert set(few) != set(choose_images(other, tier, own(images=12, seed=4))[0])


def test_classes_that_are_missing_there_are_listed(tmp_path):
    other = folder_of(tmp_path / "o.h5", ["owl", "cat"])
    with pytest.raises(InputError, match="has no held-out images of dog, ant, classes of the tier t"):
        choose_images(other, tier_of([["owl", "dog"], ["cat"], ["ant"]]), own())
    empty = folder_of(tmp_path / "e.h5", ["owl", "cat", "dog"], train=60, held_out=2)
    with pytest.raises(InputError, match="has no held-out images of dog"):
        choose_images(empty, tier_of([["owl"], ["cat"], ["dog"]]), own())
    with pytest.raises(InputError, match="label 'shape': is not a label of this data set"):
        choose_images(other, tier_of([["owl"], ["cat"]], label="shape"), own())
    with pytest.raises(InputError, match=r"probe\.images: 1: leaves no image of"):
        choose_images(other, tier_of([["owl"], ["cat"]]), own(images=1))
    none = folder_of(tmp_path / "n.h5", ["owl", "cat"], held_out=0)
    with pytest.raises(InputError, match="toy: has no held-out images"):
        choose_images(none, tier_of([["owl"], ["cat"]]), own())


def test_the_same_images_for_every_tier_need_no_class_of_it(tmp_path):
    other = folder_of(tmp_path / "o.h5", ["owl", "cat"])
    found = [
        choose_images(other, tier, own(labels="predicted", images=9))
        for tier in (tier_of([["ant"], ["bee"]]), tier_of([["a"], ["b"], ["c"]], label="shape"))
    ]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert len(found[0][0]) == 9 and not found[0][1].any()


@pytest.fixture
def run(tmp_path):
    """The files of a small run, another data set, and the arguments that measure the run on it."""
    folder_of(tmp_path / "images.h5", ["a", "b", "c"], train=30, held_out=30, content="c" * 64)
    folder_of(tmp_path / "other.h5", ["c", "x", "a", "b"], content="d" * 64)
    part = {"train": np.arange(30), "validation": np.arange(30, 36), "probe": np.arange(36, 60)}
    facts = {
        "tier": "count-3-d0", "label": "class", "seed": 0, "number_of_classes": 3, "data_sha256": "c" * 64,
        "classes": [{"name": name, "title": name, "members": [name]} for name in "abc"],
    }  # fmt: skip
    labels = {name: index % 3 for name, index in part.items()}
    write_manifest(tmp_path / "t.json", tmp_path / "t.npz", facts, part, labels)
    weights = {}
    for step in STEPS:
        torch.manual_seed(step)
        weights[step] = build_model(RECIPE, 3, 1, 8).state_dict()
    write_checkpoints(tmp_path / "checkpoints.safetensors", weights, "f" * 16)
    write_json(
        tmp_path / "run.json",
        {
            "tier": "count-3-d0", "recipe": "base", "seed": 1, "options": RECIPE.model_dump(mode="json"),
            "fingerprint": "f" * 16, "steps_per_epoch": 5, "checkpoint_steps": STEPS, "data_sha256": "c" * 64,
            "manifest_sha256": read_json(tmp_path / "t.json")["manifest_sha256"],
        },
    )  # fmt: skip
    return Namespace(
        images=tmp_path / "images.h5", manifest=tmp_path / "t.json", indices=tmp_path / "t.npz",
        checkpoints=tmp_path / "checkpoints.safetensors", run=tmp_path / "run.json", instance="elsewhere",
        options=json.dumps({"measure": "shortcuts", "probe": {"dataset": "toy"}}), work=tmp_path / "work",
        output=tmp_path / "spectra" / "elsewhere.h5", device="cpu", threads=1, expect_code=None,
        probe_images=tmp_path / "other.h5", probe_duplicates=None, masks=None,
    )  # fmt: skip


def probe_of(run, **options):
    from spectral_priority.data.images import PackedImages

    manifest = read_manifest(run.manifest, run.indices)
    other = PackedImages(run.probe_images)
    return read_probe(PackedImages(run.images), manifest, RECIPE, 20, own(**options), other)


def test_a_probe_elsewhere_has_its_images_and_the_runs_batch_norm_images(run):
    probe = probe_of(run)
    with h5py.File(run.probe_images) as other, h5py.File(run.images) as ours:
        np.testing.assert_array_equal(probe.images, other["images"][:][probe.image_ids])
        assert {image.tobytes() for image in probe.training} < {image.tobytes() for image in ours["images"]}
    assert probe.class_names == ["a", "b", "c"] and len(probe.training) == 20
    np.testing.assert_array_equal(probe.labels, np.array([2, -1, 0, 1])[probe.image_ids % 4])
    np.testing.assert_array_equal(probe.columns["class"], probe.image_ids % 4)


def test_predicted_labels_are_the_classes_that_the_measured_copy_predicts(run):
    probe, model = probe_of(run, labels="predicted"), build_model(RECIPE, 3, 1, 8)
    assert probe.predicted and len(probe.images) == 60
    torch.manual_seed(0)
    fresh = build_model(RECIPE, 3, 1, 8)
    found = with_predicted_labels(fresh, probe, 20, 7)
    again = with_predicted_labels(fresh, probe, 20, 64)
    np.testing.assert_array_equal(found.labels, again.labels)
    assert not found.predicted and len(np.unique(found.labels)) > 1
    from spectral_priority.measures.measured_model import with_fresh_batch_norm

    copy, _ = with_fresh_batch_norm(fresh, probe, 20)
    with torch.no_grad():
        pixels = torch.from_numpy(np.asarray(probe.images[:])).movedim(-1, 1).float() / 255
        expected = copy.eval()(pixels).argmax(dim=1).numpy()
    np.testing.assert_array_equal(found.labels, expected)
    assert (with_predicted_labels(model, probe, 20, 64).labels != found.labels).any()


def test_gradients_can_be_swept_with_predicted_labels_and_other_measures_refuse_them(run):
    probe = {"dataset": "toy", "labels": "predicted"}
    run.options = json.dumps({"measure": "gradient", "per_class": False, "probe": probe})
    SCRIPT["main"](run)
    assert (read_dataset(run.output, "measure:gradient").n == 60).all()
    with pytest.raises(InputError, match="set per_class: false"):
        measure_options("gradient", {"probe": probe})
    with pytest.raises(InputError, match="predicted classes are a label for gradient only"):
        measure_options("shortcuts", {"probe": probe})


def test_the_other_images_count_in_what_a_result_depends_on(run, monkeypatch):
    counted, real = [], shortcuts.measure
    monkeypatch.setattr(shortcuts, "measure", lambda *given: counted.append(1) or real(*given))
    SCRIPT["main"](run)
    SCRIPT["main"](run)
    assert len(counted) == len(STEPS)
    assert read_provenance(read_dataset(run.output, "measure:shortcuts"))["probe_sha256"] == "d" * 64
    folder_of(run.probe_images, ["a", "b", "c"], content="e" * 64)
    SCRIPT["main"](run)
    assert len(counted) == 2 * len(STEPS)


def test_masks_are_those_of_the_same_checkpoint(run, tmp_path):
    run.options, run.probe_images = json.dumps({"measure": "shortcuts"}), None
    SCRIPT["main"](run)
    first = read_dataset(run.output, "measure:shortcuts")
    assert (first.kept[0] != first.kept[1]).any()
    again = Namespace(**{**vars(run), "work": tmp_path / "w2", "output": tmp_path / "masked.h5"})
    again.options, again.masks = json.dumps({"measure": "shortcuts", "masks": "elsewhere"}), run.output
    SCRIPT["main"](again)
    masked = read_dataset(again.output, "measure:shortcuts")
    assert (masked.kept == first.kept).all() and (masked.n_chosen == 0).all()
    np.testing.assert_allclose(masked.tpr, first.tpr)
    before = read_provenance(masked)["masks"]
    run.options = json.dumps({"measure": "shortcuts", "images_per_class": 2})
    SCRIPT["main"](run)
    SCRIPT["main"](again)
    assert read_provenance(read_dataset(again.output, "measure:shortcuts"))["masks"] != before
    write_json(run.run, read_json(run.run) | {"fingerprint": "0" * 16})
    with pytest.raises(InputError, match="was measured on run ffff"):
        SCRIPT["main"](again)


def test_inputs_and_options_go_together(run):
    missing = Namespace(**{**vars(run), "probe_images": None})
    with pytest.raises(InputError, match="--probe-images: found None"):
        SCRIPT["main"](missing)
    missing.options = json.dumps({"measure": "shortcuts", "masks": "other"})
    with pytest.raises(InputError, match="--masks: found None"):
        SCRIPT["main"](missing)
    run.options = json.dumps({"measure": "shortcuts", "probe": {"dataset": "another"}})
    with pytest.raises(InputError, match="is of the data set 'toy'"):
        SCRIPT["main"](run)
    with pytest.raises(InputError, match="names the instance 'other', but no masks were given"):
        shortcuts.frequency_shortcuts(
            None, np.zeros((2, 8, 8, 1), np.uint8), [0, 1], Shortcuts(masks="other")
        )


def test_a_probe_of_the_tiers_own_images_leaves_out_twins_of_trained_ones(run, tmp_path):
    pairs = [(place, 30 + place, "near", 1.0) for place in range(5)]
    table = pd.DataFrame(pairs, columns=["first", "second", "kind", "distance"])
    table.to_csv(tmp_path / "duplicates.csv", index=False)
    stored = read_manifest(run.manifest, run.indices)
    facts = {**stored.facts, "apart": {"by": "near", "pairs": 5}}
    del facts["sidecar_sha256"], facts["manifest_sha256"]
    write_manifest(run.manifest, run.indices, facts, stored.index, stored.label)
    write_json(run.run, {**read_json(run.run), "manifest_sha256": read_json(run.manifest)["manifest_sha256"]})
    probe = {"dataset": "toy", "labels": "predicted"}
    run.options = json.dumps({"measure": "gradient", "per_class": False, "probe": probe})
    run.probe_images, run.probe_duplicates = run.images, tmp_path / "duplicates.csv"
    SCRIPT["main"](run)
    found = read_dataset(run.output, "measure:gradient")
    assert (found.n == 30 - 5).all()
    assert len(read_provenance(found)["duplicates"]) == 64
    table.iloc[:2].to_csv(tmp_path / "duplicates.csv", index=False)
    SCRIPT["main"](run)
    assert (read_dataset(run.output, "measure:gradient").n == 30 - 2).all()
