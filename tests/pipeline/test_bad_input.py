"""What can't be used is said in one clear line, and nothing half-made is left behind."""

import os
import subprocess

import pytest
import yaml
from small_study import MINI, snakemake, write_study

pytestmark = pytest.mark.pipeline


def mini(**changes):
    return {**yaml.safe_load(MINI), **changes}


def said(folder, *arguments, **changes) -> str:
    """What Snakemake and the logs say about the small study with some keys replaced; it must fail."""
    write_study(folder, **changes)
    text = snakemake(folder, *arguments, expect=1)
    return text + "".join(path.read_text() for path in (folder / "results/logs").rglob("*.log"))


def test_a_misspelt_config_key_does_not_run_the_demo(tmp_path):
    write_study(tmp_path)
    text = snakemake(tmp_path, "--config", "stduy=x", expect=1)
    assert "unknown key 'stduy'; did you mean 'study'?" in text
    assert not (tmp_path / "results").exists()


def test_a_misspelt_key_of_the_study_is_named(tmp_path):
    document = mini()
    document["datasets"]["blobs"]["sizes"] = 16
    text = said(tmp_path, datasets=document["datasets"])
    assert "mini.yaml: datasets.blobs.sizes: unknown key; did you mean 'size'?" in text


def test_a_target_of_another_study_says_which_study_to_give(tmp_path):
    write_study(tmp_path)
    text = snakemake(tmp_path, "results/tiny-imagenet/report.html", expect=1)
    assert "belongs to the study 'tiny-imagenet'" in text and "--config study=tiny-imagenet" in text


def test_a_missing_archive_says_where_it_was_looked_for(tmp_path):
    datasets = {"blobs": {"size": 16, "source": {"kind": "image-folder", "paths": ["nowhere.zip"]}}}
    tiers = {"count": {"kind": "count", "dataset": "blobs", "counts": [2]}}
    text = said(tmp_path, datasets=datasets, tiers=tiers, claims=[])
    assert "nowhere.zip" in text and "data_root" in text
    assert not list((tmp_path / "results/data").rglob("images.h5*"))


def test_more_classes_than_exist_are_refused_with_the_field(tmp_path):
    tiers = mini()["tiers"]
    tiers["similar"]["classes"] = 40
    text = said(tmp_path, "tiers", tiers=tiers)
    assert "tiers.similar.classes" in text and "40" in text
    assert not list((tmp_path / "results/mini").rglob("similar*.json"))


def test_fewer_images_per_class_than_the_floor_are_refused_with_the_field(tmp_path):
    tiers = mini()["tiers"]
    tiers["labels"]["floor"] = 100
    text = said(tmp_path, "tiers", tiers=tiers)
    assert "tiers.labels" in text and "100" in text and "floor" in text


def test_an_unknown_label_is_refused_with_those_there_are(tmp_path):
    tiers = {"labels": {**mini()["tiers"]["labels"], "labels": ["colour"]}}
    text = said(tmp_path, "tiers", tiers=tiers, claims=[])
    assert "'colour'" in text and "shape" in text


def test_a_batch_larger_than_the_training_set_is_refused_before_the_first_step(tmp_path):
    text = said(tmp_path, "runs", recipes={"base": {"batch_size": 500, "steps": 10}})
    assert "500" in text and "240" in text
    assert not list((tmp_path / "results/mini").rglob("checkpoints.safetensors"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path):
    write_study(tmp_path)
    (tmp_path / "results").mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path / "results")], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("can't mount a small disk here")
    try:
        text = snakemake(tmp_path, "results/data/blobs-16px/images.h5", expect=1)
        assert "disk is full" in text
        assert not list((tmp_path / "results/data/blobs-16px").glob("*"))
    finally:
        subprocess.run(["umount", str(tmp_path / "results")], check=True)


def test_an_unwritable_results_folder_is_said(tmp_path):
    write_study(tmp_path)
    (tmp_path / "results").write_text("a file where the folder should be")
    text = snakemake(tmp_path, expect=1)
    assert "results/.writable: can't be written" in text and "a folder that this user may write to" in text
