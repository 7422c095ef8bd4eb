"""Jobs that can't succeed: a training that always diverges, and jobs that waited while source or study was edited."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from cluster import wait_until
from local import run_here, with_tiers
from study import STUDY, copy_project, run, start, write_study

pytestmark = pytest.mark.soak
RUNS = Path("results/mini/runs/labels-shape-d0")
LOGS = Path("results/logs/mini/runs/labels-shape-d0")
MINI = yaml.safe_load(STUDY)
BASE = MINI["recipes"]["base"]
ONE_TASK = {"tiers": {"labels": {**MINI["tiers"]["labels"], "labels": ["shape"]}}}
ATTEMPTS = 2
"""The profile allows six, but the second ends with the same error as the first."""


def jobs_for_trainings(folder):
    """Ids of every Slurm job for a training of a folder; sacct knows what jobs are for only when they ended."""
    log = folder / "snakemake.log"
    return re.findall(r"submitted with SLURM jobid (\d+) \(log: .*/rule_train/", log.read_text())


def states_in(cluster, folder):
    """What became of every job for a training of a folder."""
    ids = jobs_for_trainings(folder)
    return [row["State"] for row in cluster.jobs(f"--jobs={','.join(ids)}")] if ids else []


def codes_of(folder):
    """Code that the finished trainings were made with."""
    found = sorted((folder / RUNS).rglob("run.json"))
    return [json.loads(path.read_text())["code"] for path in found]


class Ended:
    """What a Snakemake left behind."""

    def __init__(self, cluster, folder, process):
        self.folder, self.code = folder, process.wait(900)
        self.text = (folder / "snakemake.log").read_text()
        self.attempts = states_in(cluster, folder)
        self.end = self.text[self.text.rindex("1 job failed:") :]
        self.trained = codes_of(folder)


@pytest.fixture(scope="module")
def ended(cluster, tmp_path_factory):
    """Three studies at once, all of whose trainings had to wait while two of them were edited."""
    at = tmp_path_factory.mktemp("in-vain")
    project = copy_project(at / "project")
    with_tiers(cluster, at / "diverging", **ONE_TASK)
    folders = {"diverging": at / "diverging"}
    for name in ("source", "study"):
        folders[name] = shutil.copytree(at / "diverging", at / name, copy_function=shutil.copy2)
    bad = {**BASE, "learning_rate": 1e30}
    write_study(folders["diverging"], **ONE_TASK, recipes={"base": BASE, "bad": bad})
    write_study(folders["source"], **ONE_TASK, seeds=2)
    run_here(cluster, folders["source"], f"{RUNS}/base/seed0/run.json", project=project)

    cluster.run("scontrol", "update", "nodename=gpu1", "state=drain", "reason=test")
    started = {
        "diverging": start(cluster, folders["diverging"], "measures"),
        "source": start(cluster, folders["source"], "runs", project=project),
        "study": start(cluster, folders["study"], "runs"),
    }
    try:
        for name, folder in folders.items():
            log = folder / "snakemake.log"
            wait_until(lambda at=folder: jobs_for_trainings(at), 200, name, tell=log.read_text)
        with (project / "src/spectral_priority/training/schedule.py").open("a") as file:
            file.write("\n\nHALF = 0.5\n")
        study = folders["study"] / "mini.yaml"
        study.write_text(study.read_text().replace("steps: 30", "steps: 31"))
        cluster.run("scontrol", "update", "nodename=gpu1", "state=resume")
        yield {name: Ended(cluster, folders[name], started[name]) for name in folders} | {"project": project}
    finally:
        for process in started.values():
            process.kill()


def test_what_does_not_depend_on_a_failure_is_finished(ended):
    found = ended["diverging"]
    assert found.code == 1
    assert (found.folder / RUNS / "base/seed0/spectra/gradient.h5").exists()
    assert sorted(found.attempts) == ["COMPLETED"] + ["FAILED"] * ATTEMPTS


def test_a_failure_is_named_once_at_the_end_with_its_log_and_reason(ended):
    found = ended["diverging"]
    log = f"{LOGS}/bad/seed0/train.log"
    assert found.text.count("1 job failed:") == 1
    assert found.text.count(f"  train: {log}\n") == 1
    assert found.end.splitlines()[1] == f"  train: {log}"
    assert "loss" in found.end.splitlines()[2]
    assert (found.folder / log).exists()


def test_jobs_refuse_code_that_was_edited_while_they_waited(ended):
    found = ended["source"]
    assert found.code == 1
    assert found.attempts == ["FAILED"] * ATTEMPTS
    refusal = (found.folder / LOGS / "base/seed1/train.log").read_text()
    assert "error: the code of train: has fingerprint" in refusal and "or start the study again" in refusal
    assert "the code of train" in found.end
    assert len(found.trained) == 1  # by the code before


def test_jobs_refuse_a_study_that_was_edited_while_they_waited(ended):
    found = ended["study"]
    assert found.code == 1
    assert found.attempts == ["FAILED"] * ATTEMPTS
    assert "mini.yaml was edited after the study was started. Start the study again" in found.end
    assert found.trained == []


def test_started_again_both_finish_and_all_runs_are_of_one_code(cluster, ended):
    source, study = ended["source"], ended["study"]
    other = start(cluster, study.folder, "runs")
    run(cluster, source.folder, "runs", project=ended["project"])
    assert other.wait(300) == 0
    first, second = codes_of(source.folder)
    assert first == second != source.trained[0]
    assert json.loads((study.folder / RUNS / "base/seed0/run.json").read_text())["steps"] == 31
