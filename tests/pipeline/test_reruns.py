"""Results depend on code: what an edit costs, and what it doesn't."""

import json
import shutil

import pandas as pd
import pytest
from small_study import planned, snakemake

pytestmark = pytest.mark.pipeline

STATISTICS = {"gather", "over_training", "correlate", "figure", "tier_figures", "report_page"}


def edit(path, old, new):
    text = path.read_text()
    assert old in text, f"{old!r} is not in {path.name}"
    path.write_text(text.replace(old, new, 1))


def test_a_comment_a_docstring_and_a_touch_rerun_nothing(study, project):
    library = project / "src/spectral_priority"
    for path in [*library.rglob("*.py"), *(project / "workflow/scripts").glob("*.py")]:
        path.write_text(path.read_text() + "\n# a comment\n")
        path.touch()
    edit(library / "training/loop.py", '"""', '"""More to say. ')
    assert planned(study, project=project) == {}


def test_an_edit_of_the_gradient_kernel_reruns_measures_and_no_training(study, project):
    path = project / "src/spectral_priority/measures/gradient.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    jobs = planned(study, project=project)
    assert jobs["measure"] == 3 and set(jobs) - STATISTICS - {"all"} == {"measure"}


def test_an_edit_of_the_training_loop_reruns_trainings(study, project):
    path = project / "src/spectral_priority/training/loop.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    jobs = planned(study, project=project)
    assert jobs["train"] == 3 and jobs["measure"] == 3 and "tier" not in jobs


def test_an_edit_of_fourier_that_changes_no_tier_costs_no_optimiser_step(study, project):
    path = project / "src/spectral_priority/fourier.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    before = {run: run.read_bytes() for run in study.glob("results/mini/runs/*/*/*/checkpoints.safetensors")}
    jobs = planned(study, project=project)
    assert jobs["similarity"] and jobs["train"], (
        "the edit reaches a tier's inputs, so Snakemake starts its training"
    )
    snakemake(study, project=project)
    published = []
    for checkpoints, content in before.items():
        run = json.loads((checkpoints.parent / "run.json").read_text())
        published.append(run["published"])
        assert run["optimizer_steps_run"] == 30 and checkpoints.read_bytes() == content
    assert "again" in published
    assert planned(study, project=project) == {}


def test_a_finished_run_is_published_again_without_a_step_when_its_files_are_deleted(study):
    folder = study / "results/mini/runs/labels-shape-d0/base/seed0"
    checkpoints, history = folder / "checkpoints.safetensors", folder / "history.csv"
    before = checkpoints.read_bytes(), history.read_bytes()
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    snakemake(study, str(checkpoints.relative_to(study)))
    run = json.loads((folder / "run.json").read_text())
    assert run["published"] == "again" and run["optimizer_steps_run"] == 30
    assert (checkpoints.read_bytes(), history.read_bytes()) == before


def test_an_unused_key_retrains_nothing(study):
    path = study / "mini.yaml"
    path.write_text(path.read_text().replace("Does the smallest", "Will the smallest"))
    assert set(planned(study)) <= STATISTICS | {"study_file", "all"}


def test_the_data_root_is_no_reason_to_run_anything(study):
    assert planned(study, "--config", "data_root=/somewhere/else") == {}


def test_mixed_results_are_refused_by_file_name(study):
    shutil.rmtree(study / "results/logs")  # that tell what was made: by them it would be put aside
    run = study / "results/mini/runs/labels-shape-d0/base/seed0/run.json"
    content = json.loads(run.read_text())
    run.write_text(json.dumps({**content, "fingerprint": "0" * 16}))
    text = snakemake(
        study, "--forcerun", "gather", "--until", "gather", "--rerun-triggers", "mtime", expect=1
    )
    log = "".join(path.read_text() for path in (study / "results/logs").rglob("*.log"))
    assert "labels-shape-d0" in text + log and "fingerprint" in text + log


def test_a_damaged_spectrum_is_refused_by_file_name(study):
    shutil.rmtree(study / "results/logs")
    spectra = study / "results/mini/runs/labels-shape-d0/base/seed0/spectra/gradient.h5"
    spectra.write_bytes(spectra.read_bytes()[:-500])
    text = snakemake(
        study, "--forcerun", "gather", "--until", "gather", "--rerun-triggers", "mtime", expect=1
    )
    assert "gradient.h5: is damaged" in text + (study / "results/logs/mini/gather.log").read_text()


def test_a_damaged_spectrum_is_put_aside_and_made_again_by_the_same_command(study):
    name = "mini/runs/labels-shape-d0/base/seed0/spectra/gradient.h5"
    spectra = study / "results" / name
    whole = spectra.read_bytes()
    spectra.write_bytes(whole[:-500])
    text = snakemake(study, "statistics")
    assert f"results/{name} is no longer as it was made" in text
    assert spectra.read_bytes() == whole
    assert (study / "results/damaged" / name).read_bytes() == whole[:-500]
    assert planned(study, "statistics") == {}


def test_priority_has_a_row_for_every_run_reading_and_scalar(study):
    priority = pd.read_csv(study / "results/mini/priority.csv")
    counts = priority.groupby(["tier", "seed", "reading", "fraction"], dropna=False)["scalar"].nunique()
    assert (counts == counts.iloc[0]).all() and priority["tier"].nunique() == 3
