"""Runs that start from, or learn from, other runs: one graph, made by one command."""

import json
import shutil

import pytest
import yaml
from small_study import MINI, copy_of, planned, snakemake, write_study

pytestmark = pytest.mark.pipeline

FAMILY = {"kind": "labels", "dataset": "blobs", "images": {"train": 240, "validation": 40, "probe": 40}}
BASE = {**yaml.safe_load(MINI)["recipes"]["base"], "steps": 12, "checkpoints": {"early": [0, 5]}}
CHANGES = {
    "tiers": {
        "target": {**FAMILY, "labels": ["shape"], "recipes": ["tuned", "student"]},
        "source": {**FAMILY, "labels": ["shape"], "recipes": ["base"]},
    },
    "recipes": {
        "student": {**BASE, "teacher": {"recipe": "base", "tier": "source-shape-d0", "step": 5}},
        "tuned": {**BASE, "init": {"recipe": "base", "tier": "source-shape-d0"}},
        "base": BASE,
    },
    "claims": [],
}
RUNS = "results/mini/runs"
SOURCE = f"{RUNS}/source-shape-d0/base/seed0"
TUNED, STUDENT = f"{RUNS}/target-shape-d0/tuned/seed0", f"{RUNS}/target-shape-d0/student/seed0"


def facts(folder, run):
    return json.loads((folder / run / "run.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """All runs of the study, made by one command. Don't change it: use `runs`."""
    folder = tmp_path_factory.mktemp("edges")
    write_study(folder, **CHANGES)
    snakemake(folder, "runs")
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    return copy_of(trained, tmp_path / "study")


def test_one_command_makes_the_sources_first_and_then_nothing_is_left_to_do(trained):
    source = facts(trained, SOURCE)
    init, teacher = facts(trained, TUNED)["init"], facts(trained, STUDENT)["teacher"]
    path = f"{SOURCE}/checkpoints.safetensors"
    assert init == {"path": path, "step": 12, "identity": f"{source['fingerprint']}/12"}
    assert teacher == {"path": path, "step": 5, "identity": f"{source['fingerprint']}/5"}
    assert planned(trained, "runs") == {}


def test_a_target_alone_brings_its_source_and_no_other_run(tmp_path):
    write_study(tmp_path, **CHANGES)
    assert planned(tmp_path, f"{TUNED}/history.csv") == {"pack": 1, "tier": 2, "train": 2}


def test_options_of_a_source_rerun_the_runs_that_use_it(runs):
    recipes = {**CHANGES["recipes"], "base": {**BASE, "weight_decay": 0.01}}
    write_study(runs, **{**CHANGES, "recipes": recipes})
    assert planned(runs, "runs") == {"runs": 1, "train": 3}


def test_options_of_a_user_leave_its_source_alone(runs):
    recipes = {**CHANGES["recipes"], "tuned": {**CHANGES["recipes"]["tuned"], "weight_decay": 0.01}}
    write_study(runs, **{**CHANGES, "recipes": recipes})
    assert planned(runs, "runs") == {"runs": 1, "train": 1}


def test_a_source_that_is_made_again_the_same_costs_its_users_no_step(runs):
    shutil.rmtree(runs / SOURCE)
    before = {run: (runs / run / "checkpoints.safetensors").read_bytes() for run in (TUNED, STUDENT)}
    snakemake(runs, "runs")
    for run, content in before.items():
        assert facts(runs, run)["published"] == "again"
        assert (runs / run / "checkpoints.safetensors").read_bytes() == content
    assert planned(runs, "runs") == {}


def test_a_run_of_another_study_is_taken_if_it_is_there_or_said_to_be_made_with_it(trained, tmp_path):
    init = {"study": "earlier", "recipe": "base", "tier": "source-shape-d0"}
    tiers = {"target": {**CHANGES["tiers"]["target"], "recipes": ["tuned"]}}
    write_study(tmp_path, tiers=tiers, recipes={"tuned": {**BASE, "init": init}}, claims=[])
    path = "results/earlier/runs/source-shape-d0/base/seed0/checkpoints.safetensors"
    text = snakemake(tmp_path, "runs", "--dry-run", expect=1)
    assert "recipes.tuned.init names a run of the study 'earlier'" in text
    assert f"snakemake --cores all --config study=earlier {path}" in text
    shutil.copytree(trained / SOURCE, (tmp_path / path).parent)
    assert planned(tmp_path, "runs") == {"pack": 1, "tier": 1, "train": 1, "runs": 1}


def test_a_file_of_weights_is_found_below_the_data_root(runs):
    recipes = {**CHANGES["recipes"], "tuned": {**BASE, "init": {"weights": "pretrained.safetensors"}}}
    write_study(runs, **{**CHANGES, "recipes": recipes})
    (runs / "weights").mkdir()
    shutil.copy(runs / SOURCE / "checkpoints.safetensors", runs / "weights/pretrained.safetensors")
    snakemake(runs, "runs", "--config", "data_root=weights")
    assert facts(runs, TUNED)["init"]["identity"] == facts(runs, SOURCE)["fingerprint"] + "/12"
    assert planned(runs, "runs") == {}, "another data_root is no reason to train"
