"""Slurm itself fails for a while: no job is forgotten, and no attempt of one is used up."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import study
import yaml
from cluster import wait_until
from interfere import environment
from study import start
from trainings import attempts, jobs_of, program, run_folder, saved_step

pytestmark = pytest.mark.soak

RECIPES = {"base": 0.5, "other": 0.1}
"""Recipe → seconds of each of its 60 steps."""
SILENT, ANSWERS, FULL = (
    "Slurm does not tell the states of jobs",
    "Slurm tells the states of jobs again",
    "Slurm takes no job for now",
)


class Started:
    """The study, started for its two trainings."""

    def __init__(self, cluster, folder: Path):
        self.cluster, self.folder = cluster, folder
        self.before = {row["JobIDRaw"] for row in cluster.jobs()}
        recipe = {**yaml.safe_load(study.STUDY)["recipes"]["base"], "steps": 60}
        study.write_study(folder, recipes=dict.fromkeys(RECIPES, recipe))
        runs = [str((run_folder(folder, name) / "run.json").relative_to(folder)) for name in RECIPES]
        self.process: subprocess.Popen = start(cluster, folder, *runs, **environment(folder, RECIPES))

    def told(self) -> str:
        return (self.folder / "snakemake.log").read_text()

    def states(self, recipe: str) -> list[str]:
        """How the jobs that trained a recipe ended, of this study alone."""
        rows = [row for row in jobs_of(self.cluster, recipe) if row["JobIDRaw"] not in self.before]
        return [row["State"] for row in rows]

    def wait_until(self, condition, what: str, seconds: float = 200) -> None:
        wait_until(condition, seconds, what, every=0.1, tell=self.told)

    def finish(self) -> None:
        assert self.process.wait(300) == 0, self.told()


@pytest.fixture
def started(cluster, tmp_path) -> Iterator[Started]:
    made = Started(cluster, tmp_path)
    yield made
    made.process.kill()
    made.process.wait()
    for job in cluster.queue():
        cluster.cancel(job["id"])


def test_jobs_are_not_forgotten_while_slurmdbd_is_away(cluster, started):
    started.wait_until(lambda: saved_step(started.folder, "base") >= 10, "ten saved steps")
    cluster.stop_service("slurmdbd")
    try:
        started.wait_until(lambda: SILENT in started.told(), SILENT)
        time.sleep(10)  # several checks
    finally:
        cluster.start_service("slurmdbd")
    started.finish()
    assert started.told().count(SILENT) == started.told().count(ANSWERS) == 1
    assert started.states("base") == started.states("other") == ["COMPLETED"]


def test_a_submission_waits_until_slurmctld_is_back(cluster, started):
    folder, process = started.folder, started.process
    started.wait_until(lambda: saved_step(folder, "base") >= 10, "ten saved steps")
    process.send_signal(signal.SIGSTOP)  # it is to hear of the failure only when the controller is away
    os.kill(program(folder, "base"), signal.SIGKILL)
    started.wait_until(lambda: started.states("base") == ["FAILED"], "the failure in sacct")
    cluster.stop_service("slurmctld")
    try:
        process.send_signal(signal.SIGCONT)
        started.wait_until(lambda: FULL in started.told(), FULL)
        time.sleep(20)  # further tries
    finally:
        cluster.start_service("slurmctld")
    started.finish()
    assert started.told().count("Trying to restart job") == 1
    assert started.states("base") == ["FAILED", "COMPLETED"]
    assert [attempt["end"] for attempt in attempts(folder, "base")] == ["killed", "finished"]


def test_a_job_waits_where_a_user_may_have_but_one_in_the_queue(cluster, tmp_path):
    set_limit = ("sacctmgr", "--immediate", "modify", "user", "root", "set")
    cluster.run(*set_limit, "MaxSubmitJobs=1")
    try:
        started = Started(cluster, tmp_path)
        started.finish()
    finally:
        started.process.kill()
        cluster.run(*set_limit, "MaxSubmitJobs=-1")
    assert FULL in started.told() and "Trying to restart job" not in started.told()
    assert started.states("base") == started.states("other") == ["COMPLETED"]
