"""Measures taken inside a training equal those taken afterwards, and need no weights to be kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_training import PROGRAM, start, write_data

from spectral_priority.config.recipe import Recipe
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import code_fingerprint
from spectral_priority.measures.in_training import read_instances
from spectral_priority.measures.registry import measure_module
from spectral_priority.store.atomic import read_json
from spectral_priority.training.checkpoints import open_checkpoints

INSTANCES = {
    "gradient": {"measure": "gradient", "batch_norm_images": 20},
    "weight-svd": {"measure": "weight-svd", "directions": 3},
}
MEASURES = {
    name: {"options": options, "code": code_fingerprint("measure", [measure_module(name)])}
    for name, options in INSTANCES.items()
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def train(data, out, *more, **options):
    program = start(data, out, *more, **options)
    _, said = program.communicate(timeout=120)
    return program.returncode, said


def measure(data, out, instance):
    command = [sys.executable, PROGRAM.with_name("measure.py"), "--images", data / "images.h5"]
    command += ["--manifest", data / "tier.json", "--indices", data / "tier.npz", "--run", out / "run.json"]
    command += ["--checkpoints", out / "checkpoints.safetensors", "--instance", instance, "--device", "cpu"]
    command += ["--options", json.dumps(INSTANCES[instance]), "--output", out / f"{instance}.h5"]
    command += ["--work", out / "work" / "spectra" / instance]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)


def test_measures_inside_a_training_equal_those_afterwards_and_only_the_last_weights_are_kept(data, tmp_path):
    before, after = tmp_path / "inside", tmp_path / "afterwards"
    inside = train(data, before, "--measures", json.dumps(MEASURES), measure_during_training=True)
    assert inside[0] == 0, inside[1]
    assert train(data, after)[0] == 0
    steps = read_json(before / "run.json")["checkpoint_steps"]
    assert open_checkpoints(before / "checkpoints.safetensors").steps == [steps[-1]]
    assert open_checkpoints(after / "checkpoints.safetensors").steps == steps
    for name in ("history.csv", "class_history.csv"):
        assert (before / name).read_bytes() == (after / name).read_bytes()
    for instance in INSTANCES:
        for out in (before, after):
            made = measure(data, out, instance)
            assert made.returncode == 0, made.stderr
        with (
            h5py.File(before / f"{instance}.h5") as one,
            h5py.File(after / f"{instance}.h5") as other,
        ):
            assert set(one) == set(other)
            for name in one:
                np.testing.assert_array_equal(one[name][()], other[name][()], err_msg=name)
            assert one["step"][()].tolist() == steps
            assert ("agreement_last" in one) == (instance == "weight-svd")


def test_instances_and_option_go_together(data, tmp_path):
    code, said = train(data, tmp_path, "--measures", json.dumps(MEASURES))
    assert code == 2 and "if and only if measure_during_training is set" in said


def test_a_measure_of_other_code_is_refused(data, tmp_path):
    other = {"gradient": {**MEASURES["gradient"], "code": "0" * 16}}
    code, said = train(data, tmp_path, "--measures", json.dumps(other), measure_during_training=True)
    assert code == 2 and "the study was started with 0000" in said
    assert not Path(tmp_path / "run.json").exists()


def test_other_images_and_masks_are_refused_inside_a_training():
    recipe = Recipe(measure_during_training=True)
    code = code_fingerprint("measure", [measure_module("shortcuts")])
    for option in ({"probe": {"dataset": "other"}}, {"masks": "other"}):
        text = json.dumps({"there": {"options": {"measure": "shortcuts", **option}, "code": code}})
        with pytest.raises(InputError, match=f"there.{next(iter(option))}: can't be had inside"):
            read_instances(text, recipe)
