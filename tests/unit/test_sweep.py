"""A sweep measures every checkpoint once: killed it goes on, finished it is published again, stale it is refused."""

import json
import os
import runpy
from argparse import Namespace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray as xr
from made_checksums import add_checksums

from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest, write_manifest
from spectral_priority.errors import InputError
from spectral_priority.measures import gradient
from spectral_priority.measures.over_training import half_times, with_half_times
from spectral_priority.measures.probe import read_probe
from spectral_priority.models import build_model
from spectral_priority.store.atomic import read_json, write_json
from spectral_priority.store.netcdf import read_dataset, read_provenance
from spectral_priority.training.batches import batch_norm_batches
from spectral_priority.training.checkpoints import write_checkpoints

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "workflow" / "scripts" / "measure.py"))
STEPS = [0, 10, 25]
RECIPE = Recipe(width=4)


def pack(path, content="c" * 64):
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["images"] = rng.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
        file["split"] = np.repeat(np.array([0, 1], np.uint8), 30)
        file["label_class"] = np.arange(60, dtype=np.int32) % 3
        file["label_site"] = np.arange(60, dtype=np.int32) // 7 % 2
        file.attrs.update(
            schema="spectral-priority/1", kind="images", dataset="noise", content_sha256=content,
            classes=json.dumps({"class": ["a", "b", "c"], "site": ["near", "far"]}),
        )  # fmt: skip
        add_checksums(file)


@pytest.fixture
def run(tmp_path):
    """The files of a small run, and the arguments that measure it."""
    pack(tmp_path / "images.h5")
    part = {"train": np.arange(30), "validation": np.arange(30, 35), "probe": np.arange(35, 60)}
    facts = {
        "tier": "count-3-d0", "label": "class", "seed": 0, "number_of_classes": 3, "data_sha256": "c" * 64,
        "classes": [{"name": name, "title": name, "members": [name]} for name in "abc"],
    }  # fmt: skip
    write_manifest(
        tmp_path / "t.json", tmp_path / "t.npz", facts, part, {key: ids % 3 for key, ids in part.items()}
    )
    weights = {}
    for step in STEPS:
        torch.manual_seed(step)
        weights[step] = build_model(RECIPE, 3, 3, 16).state_dict()
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
        checkpoints=tmp_path / "checkpoints.safetensors", run=tmp_path / "run.json", instance="gradient",
        options='{"batch_norm_images": 20}', work=tmp_path / "work", output=tmp_path / "spectra" / "gradient.h5",
        device="cpu", threads=1, expect_code=None, probe_images=None, probe_duplicates=None, masks=None,
    )  # fmt: skip


@pytest.fixture
def measured(monkeypatch):
    """Count the checkpoints that are measured; `stop_after` makes the measure fail like a killed one."""
    record = Namespace(count=0, stop_after=None)
    real = gradient.measure

    def counted(*arguments):
        if record.count == record.stop_after:
            raise KeyboardInterrupt
        record.count += 1
        return real(*arguments)

    monkeypatch.setattr(gradient, "measure", counted)
    return record


def test_checkpoints_are_the_first_dimension_and_carry_step_and_epoch(run):
    SCRIPT["main"](run)
    found = read_dataset(run.output, "measure:gradient")
    assert found.share.dims == ("checkpoint", "ring") and found["map"].dims == ("checkpoint", "u", "v")
    assert found.centroid.dims == ("checkpoint",)
    assert found.frequency.dims == ("ring",) and found["class"].values.tolist() == ["a", "b", "c"]
    assert found.step.values.tolist() == STEPS and found.epoch.values.tolist() == [0, 2, 5]
    assert {"half_time", "half_time_rank", "half_time_n"} < set(found.data_vars)
    assert (found.n == 25).all() and found.attrs["batch_norm_images"] == 20
    said = read_provenance(found)
    assert (said["run_fingerprint"], said["seed"], said["device"]) == ("f" * 16, 1, "cpu")
    assert said["options"]["objective"] == "loss" and "batch_size" not in said["options"]
    assert {"code", "manifest_sha256", "data_sha256", "versions", "commit", "instance"} < set(said)


@pytest.mark.parametrize(
    "name, on", [("band-accuracy", "filter"), ("critical-band", "octave"), ("fourier-heatmap", "ring")]
)
def test_measures_of_use_are_swept_and_only_bands_have_learning_times(run, name, on):
    run.options = json.dumps({"measure": name})
    SCRIPT["main"](run)
    found = read_dataset(run.output, f"measure:{name}")
    assert found.step.values.tolist() == STEPS and (found.n == 25).all()
    assert all(
        "checkpoint" not in found[coordinate].dims for coordinate in set(found.coords) - {"step", "epoch"}
    )
    assert found.frequency.dims == (on,) if name != "band-accuracy" else found.kind.dims == (on,)
    assert ("learning_time" in found) == (name == "band-accuracy") and "half_time" not in found
    if name == "band-accuracy":
        assert found.learning_time_n + found.learning_time_missing == found.sizes["filter"]


def test_each_checkpoint_is_measured_with_its_own_weights_and_fresh_statistics(run):
    SCRIPT["main"](run)
    found = read_dataset(run.output, "measure:gradient")
    probe = read_probe(PackedImages(run.images), read_manifest(run.manifest, run.indices), RECIPE, 20)
    for number, step in enumerate(STEPS):
        torch.manual_seed(step)
        model = build_model(RECIPE, 3, 3, 16)
        fresh = gradient.measure(model, probe, gradient.Gradient(batch_norm_images=20))
        as_it_was = gradient.measure(model, probe, gradient.Gradient(batch_norm_images=0))
        np.testing.assert_allclose(found.share[number], fresh.share, rtol=1e-6)
        assert fresh.attrs["batch_norm_images"] == 20 and as_it_was.attrs["batch_norm_images"] == 0
        assert abs(fresh.share - as_it_was.share).max() > 1e-4


def test_a_killed_sweep_goes_on_and_ends_the_same(run, measured, tmp_path):
    measured.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        SCRIPT["main"](run)
    assert measured.count == 2 and not run.output.exists()
    measured.stop_after = None
    SCRIPT["main"](run)
    assert measured.count == 3
    assert not list(run.work.glob("checkpoints/*"))
    whole = read_dataset(run.output, "measure:gradient")
    run.work, run.output = tmp_path / "elsewhere", tmp_path / "again.h5"
    SCRIPT["main"](run)
    assert whole.equals(read_dataset(run.output, "measure:gradient"))


def test_a_damaged_checkpoint_result_is_measured_again(run, measured):
    measured.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        SCRIPT["main"](run)
    (part,) = run.work.glob("checkpoints/*/step_00000010.npz")
    part.write_bytes(part.read_bytes()[:1000])
    measured.stop_after = None
    SCRIPT["main"](run)
    assert measured.count == 4


def test_a_finished_measure_is_published_again_without_a_model(run, measured):
    SCRIPT["main"](run)
    first = run.output.read_bytes()
    run.output.unlink()
    (kept,) = run.work.glob("finished/*/measure.h5")
    os.utime(kept, (1, 1))
    run.checkpoints.unlink()  # not even looked at
    run.options = '{"measure": "gradient", "batch_norm_images": 20, "batch_size": 3, "threads": 2}'
    SCRIPT["main"](run)
    assert measured.count == 3 and run.output.read_bytes() == first
    assert run.output.stat().st_mtime >= run.run.stat().st_mtime  # or Snakemake would ask for it for ever


def test_whatever_a_result_depends_on_makes_it_measured_again(run, measured):
    SCRIPT["main"](run)
    for number, options in enumerate(({"channels": "sum"}, {"objective": "margin"}), start=2):
        run.options = json.dumps(options)
        SCRIPT["main"](run)
        assert measured.count == 3 * number
    assert len(list(run.work.glob("finished/*"))) == 2
    (newest,) = [f for f in run.work.glob("finished/*/measure.h5") if f.samefile(run.output)]
    newest.unlink()
    newest.write_bytes(b"damaged")
    SCRIPT["main"](run)
    assert measured.count == 12


@pytest.mark.parametrize("field, text", [
    ("fingerprint", r"run\.json: fingerprint: found 'other', but .*checkpoints\.safetensors has 'ffff"),
    ("manifest_sha256", r"run\.json: manifest_sha256: found 'other', but .*t\.json has"),
    ("data_sha256", r"run\.json: data_sha256: found 'other', but .*images\.h5 has"),
])  # fmt: skip
def test_files_of_different_trainings_are_refused(run, field, text):
    write_json(run.run, read_json(run.run) | {field: "other"})
    with pytest.raises(InputError, match=text):
        SCRIPT["main"](run)
    assert not run.output.exists()


def test_faults_of_the_command_are_named(run):
    run.options = '{"objective": "los"}'
    with pytest.raises(InputError, match="options of the measure gradient: objective: "):
        SCRIPT["main"](run)
    run.options = '{"measure": "gradeint"}'
    with pytest.raises(InputError, match="measure 'gradeint': there is no such measure"):
        SCRIPT["main"](run)
    run.options, run.expect_code = "{}", "0" * 16
    with pytest.raises(InputError, match="the study was started with 0000"):
        SCRIPT["main"](run)


def test_training_images_of_the_probe_are_those_that_the_training_recomputes_its_statistics_from(run):
    packed, manifest = PackedImages(run.images), read_manifest(run.manifest, run.indices)
    probe = read_probe(packed, manifest, RECIPE, 8)
    theirs = torch.cat(list(batch_norm_batches(packed, manifest.index["train"], 8, "cpu")))
    np.testing.assert_array_equal(probe.training / np.float32(255), theirs.permute(0, 2, 3, 1))
    assert len(read_probe(packed, manifest, RECIPE, 1024).training) == 30
    assert set(probe.columns) == {"class", "site"} and probe.column_names["site"] == ["near", "far"]
    assert probe.columns["site"].tolist() == (np.arange(35, 60) // 7 % 2).tolist()
    np.testing.assert_array_equal(probe.images, packed.pixels[35:])
    few = read_probe(packed, manifest, Recipe(images=6, batch_size=6), 1024).training
    assert len(few) == 6, "a recipe of fewer images has seen no others"


def test_half_of_a_change_is_timed_on_a_logarithmic_clock():
    steps = np.array([0, 9, 99, 999])
    share = np.array([[0.5, 0.1, 0.4], [0.3, 0.1, 0.4], [0.1, 0.4, 0.4], [0.1, 0.5, 0.4]])
    error = np.full(share.shape, 0.01)
    # Half way at step 9; two thirds of the way from step 9 to 99, halfway in log(1 + step) = 10^(1 + 2/3) − 1
    np.testing.assert_allclose(half_times(share, error, steps), [9, 10 ** (1 + 2 / 3) - 1, np.nan])


def test_rings_are_ordered_by_their_half_time_where_they_changed_enough():
    unit = {"units": "1", "long_name": "x"}
    share = np.array([[0.5, 0.1, 0.38, 0.1], [0.1, 0.1, 0.4, 0.3], [0.1, 0.5, 0.4, 0.3]])
    swept = xr.Dataset(
        {
            "share": (("checkpoint", "ring"), share, unit),
            "share_se": (("checkpoint", "ring"), np.full(share.shape, 0.01), unit),
        },
        {"step": ("checkpoint", [0, 10, 100])},
    )
    found = with_half_times(swept)
    np.testing.assert_array_equal(found.half_time_rank, [1, 3, np.nan, 1])
    assert int(found.half_time_n) == 3
    assert np.isnan(with_half_times(swept.isel(checkpoint=[0])).half_time).all()
