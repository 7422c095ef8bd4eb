"""A study, from its file to its report."""

import json
import re
import subprocess
import sys
from base64 import urlsafe_b64decode

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from safetensors.numpy import load_file
from small_study import PROJECT, planned, snakemake, write_study

from spectral_priority.config import load_study
from spectral_priority.estimate.study import estimate

pytestmark = pytest.mark.pipeline

RUN = "results/mini/runs/labels-shape-d0/base/seed0"


def test_a_study_leaves_every_file_of_the_contract_and_nothing_half_written(finished):
    expected = [
        *("data/blobs-16px/images.h5", "data/blobs-16px/images.h5.sha256", "data/blobs-16px/pack.json"),
        *("data/blobs-16px/reference.h5", "data/blobs-16px/similarity/texture/hierarchy.csv"),
        *("data/blobs-16px/audit.html", "data/blobs-16px/audit.csv", "data/blobs-16px/audit.json"),
        *("data/blobs-16px/duplicates.csv", "data/blobs-16px/twins.csv"),
        *("data/blobs-16px/spectra/shape/psd.h5", "data/blobs-16px/spectra/shape/adcs.h5"),
        *("mini/config.yaml", "mini/tiers/labels-shape-d0.json", "mini/tiers/labels-shape-d0.npz"),
        *(
            "mini/complexity/labels-shape-d0.csv",
            "mini/complexity/labels-shape-d0/class-mean-psd.h5",
            "mini/complexity/labels-shape-d0/pinson.h5",
            "mini/priority.csv",
            "mini/complexity.csv",
            "mini/learning.csv",
        ),
        *(
            "mini/profiles.h5",
            "mini/tier_alignment.csv",
            "mini/correlations.csv",
            "mini/mixed.csv",
            "mini/adjusted.csv",
            "mini/contrasts.csv",
            "mini/claims.csv",
            "mini/report.html",
        ),
        *("mini/figures/profiles.svg", "mini/figures/profiles.png", "mini/figures/profiles.csv"),
        *(
            "mini/figures/heatmap-labels-shape-d0.svg",
            "mini/runs/labels-shape-d0/base/seed0/class_history.csv",
        ),
    ]
    missing = [name for name in expected if not (finished / "results" / name).stat().st_size]
    assert not missing
    assert not [
        path for path in (finished / "results").rglob("*") if "partial" in path.name or "spool" in path.name
    ]


def test_asked_again_there_is_nothing_to_do(finished):
    assert planned(finished) == {}


def test_the_report_says_first_what_the_audit_found(finished):
    page = (finished / "results/mini/report.html").read_text()
    assert "<strong>blobs</strong>, 640 images at 16 pixels" in page
    assert 'href="../data/blobs-16px/audit.html"' in page
    assert json.loads((finished / "results/data/blobs-16px/audit.json").read_text())["images"] == 640


def test_the_estimate_is_what_was_made(finished):
    done = subprocess.run(
        [sys.executable, PROJECT / "workflow/scripts/estimate.py", "--study", "mini.yaml"],
        cwd=finished,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "jobs still to run: 0" in done.stdout and "trainings: 3; measurings: 3" in done.stdout
    found = estimate(load_study(finished / "mini.yaml"), finished / "results")
    runs = list((finished / "results/mini/runs").rglob("checkpoints.safetensors"))
    stored = sum(values.nbytes for path in runs for values in load_file(path).values())
    assert found.checkpoint_bytes == stored
    assert found.hours is not None and not found.unknown
    spectra = (finished / "results/mini/runs").rglob("spectra/*.h5")
    assert found.spectra_bytes >= sum(path.stat().st_size for path in spectra) > 0


def test_every_file_and_folder_of_runs_and_tiers_was_counted(finished):
    found = estimate(load_study(finished / "mini.yaml"), finished / "results").inodes
    stages = ("runs", "tiers", "complexity")

    def below(*folders: str) -> set[int]:
        paths = (path for folder in folders for path in (finished / "results" / folder).rglob("*"))
        return {path.stat().st_ino for path in paths}

    results = below(*(f"mini/{stage}" for stage in stages))
    assert found.results == len(results)
    assert found.logs == len(below(*(f"logs/mini/{stage}" for stage in stages)))
    assert found.run_times == len(below(*(f"benchmarks/mini/{stage}" for stage in stages)))
    assert found.state == len(below("state/mini") - results), "hard links take no inode"
    records = [urlsafe_b64decode(path.name).decode() for path in (finished / ".snakemake/metadata").iterdir()]
    starts = tuple(f"results/mini/{stage}/" for stage in stages)
    assert found.records == sum(name.startswith(starts) for name in records)


def test_one_result_file_can_be_asked_for_by_its_path(tmp_path):
    write_study(tmp_path)
    assert planned(tmp_path, f"{RUN}/spectra/gradient.h5") == {"pack": 1, "tier": 1, "train": 1, "measure": 1}


def test_measured_spectra_open_in_h5py_and_in_xarray(finished):
    path = finished / RUN / "spectra/gradient.h5"
    with h5py.File(path) as file:
        assert file["share"].fletcher32
        assert json.loads(file.attrs["provenance"])["run_fingerprint"]
    with xr.open_dataset(path, engine="h5netcdf") as spectra:
        assert spectra["share"].dims == ("checkpoint", "ring")
        assert spectra["step"].values.tolist() == [0, 10, 28, 30]
        assert spectra["ring"].attrs["units"] == "cycles/image"
        np.testing.assert_allclose(spectra["share"].sum("ring"), 1, atol=1e-9)


def test_packed_images_open_in_h5py_and_in_xarray(finished):
    path = finished / "results/data/blobs-16px/images.h5"
    with h5py.File(path) as file:
        assert file["images"].shape == (640, 16, 16, 1) and file["images"].chunks is None
    with xr.open_dataset(path, engine="h5netcdf") as images:
        assert images["images"].dims == ("sample", "y", "x", "channel")


def test_shape_and_texture_tasks_have_the_same_images_and_so_the_same_psd(finished):
    tables = [
        pd.read_csv(finished / f"results/mini/complexity/labels-{label}-d0.csv").set_index("measure")["value"]
        for label in ("shape", "texture")
    ]
    for name in ("psd_slope", "psd_centroid"):
        assert tables[0][name] == tables[1][name]
    indices = [
        np.load(finished / f"results/mini/tiers/labels-{label}-d0.npz") for label in ("shape", "texture")
    ]
    for part in ("train", "validation", "probe"):
        np.testing.assert_array_equal(indices[0][f"{part}_index"], indices[1][f"{part}_index"])


def test_per_class_scores_are_in_the_history_from_the_first_steps_on(finished):
    scores = pd.read_csv(finished / RUN / "class_history.csv")
    assert set(scores["step"]) == {0, 10, 28, 30}
    assert (scores.groupby("step")["class"].nunique() == 4).all()
    assert scores[["recall", "f1"]].notna().all().all()


def test_target_rules_say_what_they_make(finished):
    text = snakemake(finished, "--list")
    for target in ("all", "data", "tiers", "runs", "measures", "statistics", "figures", "report"):
        line = next(line for line in text.splitlines() if line.split()[:1] == [target])
        index = text.splitlines().index(line)
        assert len(" ".join(text.splitlines()[index : index + 2]).split()) > 4, f"{target} has no docstring"


def test_the_report_shows_images_of_every_task_an_explorer_and_what_training_cost(finished):
    page = (finished / "results/mini/report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,') == 4 + 4 + 2, "shapes, textures, two textures"
    numbers = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page)[1])
    assert [line["tier"] for line in numbers["lines"]] == [
        *("labels-shape-d0", "labels-texture-d0", "similar-near-d0")
    ]
    assert re.search(r"cpu: 3 runs, 0\.\d\d core-hours", page)


def test_the_table_of_runs_knows_that_all_are_done(finished):
    program = PROJECT / "workflow/scripts/status.py"
    done = subprocess.run(
        [sys.executable, program, "--study", finished / "mini.yaml", "--results", finished / "results"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.startswith("mini: 3 runs: 3 done; 3 of 3 measures"), done.stdout + done.stderr


def test_the_snakemake_report_holds_the_figures(finished, tmp_path):
    page = tmp_path / "snakemake-report.html"
    snakemake(finished, "--report", str(page))
    text = page.read_text()
    assert "heatmap-labels-shape-d0.svg" in text and len(text) > 100_000


@pytest.mark.parametrize("profile", ["local", "slurm"])
@pytest.mark.parametrize("name", sorted(path.stem for path in (PROJECT / "config/studies").glob("*.yaml")))
def test_shipped_studies_can_be_planned_with_the_shipped_profiles(tmp_path, name, profile):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")),
            *("--directory", str(tmp_path), "--profile", str(PROJECT / "profiles" / profile), "--dry-run"),
            *("--config", f"study={name}"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    study = load_study(PROJECT / "config/studies" / f"{name}.yaml")
    runs = len(study.list_runs())
    assert int(jobs["train"]) == runs and int(jobs["measure"]) == runs * len(study.measures)
