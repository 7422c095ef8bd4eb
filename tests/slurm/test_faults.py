"""Whatever a cluster does to a training, the study finishes by itself, and loses no saved step and no digit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import study
import yaml
from cluster import Cluster, most_at_once, wait_until
from daemons import kill
from interfere import environment
from study import PROJECT, start
from trainings import (
    BYTES,
    attempts,
    jobs_of,
    program,
    run_folder,
    saved_step,
    states_of,
    waiting,
)

pytestmark = pytest.mark.soak

STEPS, STRIKE_AT = 60, 10
FAULTS = ("limited", "killed", "cancelled", "greedy", "requeued")
"""Recipes, alike but for their names; each is named after what will happen to it. `base` is left in peace."""
SECONDS_PER_STEP = {"limited": 1.8, "killed": 0.15, "cancelled": 0.15, "greedy": 0.15, "requeued": 0.4}
SPECTRUM = "spectra/gradient.h5"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The study's folder with its data, its tier, and the run that nothing happened to; made without a cluster."""
    folder = tmp_path_factory.mktemp("undisturbed")
    mini = yaml.safe_load(study.STUDY)
    base = {
        **mini["recipes"]["base"],
        "steps": STEPS,
        "checkpoints": {"early": [0, 5], "every_steps": STRIKE_AT},
    }
    mini["tiers"]["labels"]["labels"] = ["shape"]
    recipes = {"base": base, **dict.fromkeys(FAULTS, base), "limited": {**base, "time_limit_minutes": 2}}
    study.write_study(folder, tiers=mini["tiers"], recipes=recipes)
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile"), "--cores", "2"]
    target = (run_folder(folder, "base") / SPECTRUM).relative_to(folder)
    done = subprocess.run(
        [*snakemake, "--directory", str(folder), str(target), "--configfile", str(folder / "mini.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        env={name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_PRIORITY")},
    )
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def folder(undisturbed, tmp_path) -> Path:
    """A copy of it, for one study that is disturbed."""
    return shutil.copytree(undisturbed, tmp_path / "study", symlinks=True)


@contextmanager
def running(cluster: Cluster, folder: Path, *targets: str, **variables: str) -> Iterator[subprocess.Popen]:
    """The study, started for some files; ended where a test fails."""
    process = start(cluster, folder, *targets, **variables)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for job in cluster.queue():
            cluster.cancel(job["id"])


@contextmanager
def closed(cluster: Cluster, partition: str) -> Iterator[None]:
    """A partition whose jobs wait."""
    cluster.run("scontrol", "update", f"partitionname={partition}", "state=down")
    try:
        yield
    finally:
        cluster.run("scontrol", "update", f"partitionname={partition}", "state=up")


def finish(process: subprocess.Popen, folder: Path, seconds: float = 400) -> str:
    """Wait for the study's end, which must be a good one; return what Snakemake said."""
    code = process.wait(seconds)
    text = (folder / "snakemake.log").read_text()
    assert code == 0, text
    return text


def has_saved(process: subprocess.Popen, folder: Path, recipe: str, steps: int) -> int:
    """Wait until a training has saved so many steps, and return how many."""

    def saved() -> int:
        assert process.poll() is None, (folder / "snakemake.log").read_text()
        step = saved_step(folder, recipe)
        return step if step >= steps else 0

    return wait_until(saved, 200, f"{steps} saved steps of {recipe}", every=0.1)


def assert_went_on(folder: Path, recipe: str, ends: list[str], saved: list[int]) -> None:
    """Each attempt began at the step that the one before it ended with, and none of the saved steps was made twice."""
    took = attempts(folder, recipe)
    assert [attempt["end"] for attempt in took] == [*ends, "finished"]
    begun = [attempt["from_step"] for attempt in took]
    assert begun == [0, *(attempt["to_step"] for attempt in took[:-1])]
    assert all(step >= known for step, known in zip(begun[1:], saved, strict=True)), (begun, saved)
    assert took[-1]["to_step"] == STEPS


def assert_same_results(folder: Path, undisturbed: Path, recipe: str) -> None:
    """A disturbed run has the files of the undisturbed one, to the byte; a fault may not move a digit."""
    made, wanted = run_folder(folder, recipe), run_folder(undisturbed, "base")
    for name in BYTES:
        assert (made / name).read_bytes() == (wanted / name).read_bytes(), f"{recipe}: {name} differs"


def slurm_log(folder: Path, job: str) -> str:
    """Return what Slurm wrote of a job."""
    return next(folder.glob(f".snakemake/slurm_logs/rule_train/*/{job}.log")).read_text()


def assert_same_spectrum(folder: Path, undisturbed: Path, recipe: str) -> None:
    """A measure of a disturbed run has the arrays of the undisturbed one's."""
    with (
        h5py.File(run_folder(folder, recipe) / SPECTRUM) as made,
        h5py.File(run_folder(undisturbed, "base") / SPECTRUM) as wanted,
    ):
        assert made.keys() == wanted.keys()
        for name, values in wanted.items():
            np.testing.assert_array_equal(made[name], values, err_msg=name)


def test_stopped_killed_cancelled_and_out_of_memory(cluster, undisturbed, folder):
    """Four trainings of one study, each struck once; Snakemake starts each again, and needs no help."""
    struck = ("limited", "killed", "cancelled", "greedy")
    runs = [str((run_folder(folder, recipe) / "run.json").relative_to(folder)) for recipe in struck]
    spectrum = str((run_folder(folder, "killed") / SPECTRUM).relative_to(folder))
    variables = environment(folder, SECONDS_PER_STEP, greedy="greedy")
    with running(cluster, folder, *runs, spectrum, **variables) as process:
        with closed(cluster, "gpu"):
            wait_until(lambda: set(waiting(cluster)) == set(struck), 100, "four waiting trainings")
            jobs = waiting(cluster)
            cluster.run("scontrol", "update", f"jobid={jobs['greedy']}", "MinMemoryNode=1000")
        strike = {
            "killed": lambda: kill([program(folder, "killed")]),
            "cancelled": lambda: cluster.cancel(jobs["cancelled"]),
        }
        saved = {}
        while strike:
            recipe = wait_until(
                lambda: next((name for name in strike if saved_step(folder, name) >= STRIKE_AT), None),
                200,
                "a training to strike",
                every=0.1,
            )
            saved[recipe] = saved_step(folder, recipe)
            strike.pop(recipe)()
        finish(process, folder)

    assert states_of(cluster, "killed") == ["FAILED", "COMPLETED"]
    assert states_of(cluster, "cancelled") == ["CANCELLED", "COMPLETED"]
    assert states_of(cluster, "greedy") == ["FAILED", "COMPLETED"], (
        "OUT_OF_MEMORY only where control groups watch"
    )
    assert "exceeded memory limit" in slurm_log(folder, jobs["greedy"])
    assert "mem=9" in jobs_of(cluster, "greedy")[1]["ReqTRES"], "more memory at the second attempt"
    limits = states_of(cluster, "limited")
    assert len(limits) > 1 and limits[-1] == "COMPLETED"

    assert_went_on(folder, "killed", ["killed"], [saved["killed"]])
    assert_went_on(folder, "cancelled", ["stopped"], [saved["cancelled"]])
    assert_went_on(folder, "greedy", ["killed"], [STRIKE_AT])
    stops = attempts(folder, "limited")[:-1]
    assert stops and {stop["end"] for stop in stops} == {"stopped"}, "it ends by itself, before Slurm ends it"
    assert_went_on(folder, "limited", ["stopped"] * len(stops), [stop["to_step"] for stop in stops])
    for recipe in struck:
        assert_same_results(folder, undisturbed, recipe)
    assert_same_spectrum(folder, undisturbed, "killed")


def give_way(cluster: Cluster) -> None:
    """Submit a job of the better partition that needs all GPUs, and wait until it is done."""
    job = cluster.submit("-p", "gpu", "--gpus=2", "--output=/dev/null", "--wrap", "true")
    wait_until(
        lambda: [row["State"] for row in cluster.jobs(f"--jobs={job}")] == ["COMPLETED"], 60, "the better job"
    )


def preempting(cluster: Cluster, mode: str) -> None:
    """Set what happens to preempted jobs: CANCEL ends them for good, REQUEUE puts them back into the queue."""
    cluster.run("scontrol", "update", "partitionname=scavenge", f"preemptmode={mode}")


def test_preempted_for_good_preempted_and_without_its_node(cluster, undisturbed, folder):
    """Snakemake submits a job again that was preempted for good; the others Slurm puts back into the queue itself.

    What follows the lost node, here a measure, is submitted as ever.
    """
    target = str((run_folder(folder, "requeued") / SPECTRUM).relative_to(folder))
    variables = {**environment(folder, SECONDS_PER_STEP), "GPU_PARTITION": "scavenge"}
    saved = []
    with running(cluster, folder, target, **variables) as process:
        try:
            preempting(cluster, "CANCEL")
            saved.append(has_saved(process, folder, "requeued", STRIKE_AT))
            give_way(cluster)
        finally:
            preempting(cluster, "REQUEUE")
        saved.append(has_saved(process, folder, "requeued", saved[-1] + STRIKE_AT))
        give_way(cluster)
        saved.append(has_saved(process, folder, "requeued", saved[-1] + STRIKE_AT))
        cluster.stop_node("gpu1")
        wait_until(lambda: states_of(cluster, "requeued")[2:3] == ["NODE_FAIL"], 60, "the end of the node")
        cluster.start_node("gpu1")
        finish(process, folder)

    rows = jobs_of(cluster, "requeued")
    assert states_of(cluster, "requeued") == ["PREEMPTED", "PREEMPTED", "NODE_FAIL", "COMPLETED"]
    assert [row["JobID"] == rows[-1]["JobID"] for row in rows] == [False, True, True, True]
    assert most_at_once(rows) == 1
    assert_went_on(folder, "requeued", ["stopped", "stopped", "killed"], saved)
    assert_same_results(folder, undisturbed, "requeued")
    assert_same_spectrum(folder, undisturbed, "requeued")
