"""Snakemake is killed while a training runs, one is finished alone and a third waits; then the same command again."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from cluster import wait_until
from local import planned, run_here, with_tiers
from study import STUDY, start

pytestmark = pytest.mark.soak
RUNS = Path("results/mini/runs/labels-shape-d0/base")
STATES = Path("results/state/mini/labels-shape-d0/base")
LOGS = Path("results/logs/mini/runs/labels-shape-d0/base")
STEPS = 150
BASE = {**yaml.safe_load(STUDY)["recipes"]["base"], "steps": STEPS}
CHANGES = {
    "tiers": {"labels": {**yaml.safe_load(STUDY)["tiers"]["labels"], "labels": ["shape"]}},
    "recipes": {"base": BASE},
    "seeds": 3,
}


def holder_of(folder, seed):
    """The process that holds a training's lock, once it has saved a state."""
    try:
        if (folder / STATES / f"seed{seed}" / "state.safetensors").exists():
            return json.loads((folder / STATES / f"seed{seed}" / "lock").read_text())["pid"]
    except (OSError, ValueError):
        return None
    return None


def jobs_of(cluster, folder, seed):
    """Every Slurm job of a training, in the order of submission; sacct knows what they are for only when they ended."""
    said = (folder / "snakemake.log").read_text()
    ids = re.findall(rf"submitted with SLURM jobid (\d+) \(log: .*/labels-shape-d0_base_{seed}/", said)
    return cluster.jobs(f"--jobs={','.join(ids)}") if ids else []


def state_of(cluster, folder, seed):
    """What the first of them does."""
    rows = jobs_of(cluster, folder, seed)
    return rows[0]["State"].split()[0] if rows else ""


def facts_of(folder, seed):
    return json.loads((folder / RUNS / f"seed{seed}" / "run.json").read_text())


def slurm_log(folder, row):
    (log,) = (folder / ".snakemake/slurm_logs").rglob(f"{row['JobIDRaw']}.log")
    return log.read_text()


class Story:
    """What happened, for the tests to look at."""


@pytest.fixture(scope="module")
def story(cluster, tmp_path_factory):
    told = Story()
    told.folder = folder = tmp_path_factory.mktemp("again") / "study"
    told.undisturbed = folder.with_name("undisturbed")
    with_tiers(cluster, folder, **CHANGES)
    shutil.copytree(folder, told.undisturbed)
    log = folder / "snakemake.log"

    def tell():
        return f"{log.read_text()[-6000:]}\n{cluster.jobs()}"

    first = start(cluster, folder, "runs")
    stopped = {}
    try:

        def both_hold():
            for seed in range(3):
                if seed not in stopped and (process := holder_of(folder, seed)):
                    os.kill(process, signal.SIGSTOP)  # stands still as long as the test wants
                    stopped[seed] = process
            return len(stopped) == 2

        wait_until(both_hold, 120, "two trainings that run", every=0.05, tell=tell)
        told.running, told.alone = sorted(stopped)
        (told.waiting,) = {0, 1, 2} - set(stopped)
        wait_until(
            lambda: state_of(cluster, folder, told.waiting) == "PENDING", 30, "the third to wait", tell=tell
        )
        cluster.run("scontrol", "hold", jobs_of(cluster, folder, told.waiting)[0]["JobIDRaw"])
        first.kill()
        first.wait()

        os.kill(stopped.pop(told.alone), signal.SIGCONT)
        wait_until(
            lambda: state_of(cluster, folder, told.alone) == "COMPLETED", 90, "one to finish", tell=tell
        )
        assert facts_of(folder, told.alone)["published"] == "trained"

        second = start(cluster, folder, "runs")
        wait_until(lambda: jobs_of(cluster, folder, told.waiting)[1:], 90, "new jobs", tell=tell)
        cluster.run("scontrol", "release", jobs_of(cluster, folder, told.waiting)[0]["JobIDRaw"])
        train_log = folder / LOGS / f"seed{told.running}" / "train.log"
        wait_until(
            lambda: train_log.exists() and "waiting for process" in train_log.read_text(),
            120,
            "the new job to wait",
            tell=tell,
        )
        told.waited = train_log.read_text()
        told.state_while_waiting = state_of(cluster, folder, told.running)
    finally:
        for process in stopped.values():
            os.kill(process, signal.SIGCONT)
    assert second.wait(300) == 0, tell()
    told.rows = {seed: jobs_of(cluster, folder, seed) for seed in range(3)}
    return told


def test_no_training_ran_twice_at_the_same_time_and_no_step_was_made_twice(story):
    for seed in range(3):
        facts = facts_of(story.folder, seed)
        assert [attempt["end"] for attempt in facts["attempts"]] == ["finished"]
        assert facts["optimizer_steps_run"] == STEPS
    old, new = story.rows[story.running]
    assert story.state_while_waiting == "RUNNING" and f"job {old['JobIDRaw']}" in story.waited
    assert new["Start"] < old["End"]  # side by side, but only one of them trained


def test_what_the_orphans_finished_is_published_again_by_a_job_that_snakemake_knows(story):
    published = {seed: facts_of(story.folder, seed)["published"] for seed in range(3)}
    assert published == {story.running: "again", story.alone: "again", story.waiting: "trained"}
    assert [row["State"] for row in story.rows[story.alone]] == ["COMPLETED"] * 2


def test_a_job_that_still_waited_in_the_queue_refuses_to_begin(story):
    orphan, new = story.rows[story.waiting]
    assert (orphan["State"], new["State"]) == ("FAILED", "COMPLETED")
    assert "The Snakemake that submitted this job has ended" in slurm_log(story.folder, orphan)


def test_results_are_those_of_an_undisturbed_study(cluster, story):
    run_here(cluster, story.undisturbed, "runs")
    for seed in range(3):
        for name in ("checkpoints.safetensors", "history.csv", "class_history.csv"):
            here, there = (
                folder / RUNS / f"seed{seed}" / name for folder in (story.folder, story.undisturbed)
            )
            assert here.read_bytes() == there.read_bytes(), f"{seed} {name}"


def test_nothing_is_left_to_do_and_an_edit_afterwards_is_noticed_for_every_run(cluster, story):
    assert planned(cluster, story.folder, "runs") == {}
    edited = story.folder.with_name("edited")
    shutil.copytree(story.folder, edited, copy_function=shutil.copy2)
    text = (edited / "mini.yaml").read_text()
    (edited / "mini.yaml").write_text(text.replace(f"steps: {STEPS}", f"steps: {STEPS + 1}"))
    assert planned(cluster, edited, "runs")["train"] == 3
