"""The efficiency report says what jobs used, asked for, and how their attempts ended."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from spectral_priority.efficiency.attempts import read_attempts, read_sacct
from spectral_priority.efficiency.summary import summarise
from spectral_priority.efficiency.used import Used, read_used

PROGRAM = Path(__file__).parents[2] / "workflow" / "scripts" / "efficiency.py"
HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
MORE = "\tjobid\trule_name\twildcards\tparams\tthreads\tcpu_usage\tresources\tinput_size_mb"
SACCT = """\
1|FAILED|3600|120|billing=1,cpu=1,gres/gpu:a100=2,gres/gpu=2,mem=500M,node=1|/study|rule_train_wildcards_a_base_0
1|PREEMPTED|1800|120|billing=1,cpu=1,gres/gpu=1,mem=500M,node=1|/study|rule_train_wildcards_b_base_0
5|COMPLETED|7000|120|billing=1,cpu=1,gres/gpu=1,mem=500M,node=1|/study|rule_train_wildcards_b_base_0
3|CANCELLED by 0|60|UNLIMITED|billing=1,cpu=1,mem=500M,node=1|/study|rule_gather
8|COMPLETED|90|120|billing=4,cpu=4,gres/gpu=1,mem=6000M,node=1|/study|rule_measures-a-base-seed0_measure
9|COMPLETED|90|120|billing=4,cpu=4,gres/gpu=1,mem=6000M,node=1|/study|rule_measures-b-base-seed0_measure
6|RUNNING|60|10|billing=1,cpu=1,mem=500M,node=1|/study|rule_gather
7|COMPLETED|60|10|billing=1,cpu=1,mem=500M,node=1|/elsewhere|rule_train_wildcards_a_base_0
"""
"""As Slurm 22.05 prints it."""
STUDY = """
study: mine
question: What was used?
datasets: {blobs: {size: 16, source: {kind: shapes-textures}}}
tiers:
  count:
    {kind: count, dataset: blobs, label: texture, counts: [2], draws: 1, images: {train: 20, validation: 20, probe: 20}}
recipes: {base: {}}
measures: {gradient: {}}
seeds: 1
"""


def write_table(
    path: Path, seconds: float, memory: str = "NA", cpu: str = "NA", asked: dict | None = None
) -> None:
    """Write a table as Snakemake does, with what was asked for, or without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    row = [seconds, "0:00:01", memory, "1", "1", "1", "0", "0", "NA", cpu]
    if asked:
        params = {"options": '{"a": "it\'s"}'}
        row += [
            1,
            "train",
            {"seed": "0"},
            params,
            asked["threads"],
            "NA",
            {**asked, "mem": "8 GB"},
            {"in put": 0.1},
        ]
    path.write_text(HEAD + (MORE if asked else "") + "\n" + "\t".join(map(str, row)) + "\n")


ASKED = {"threads": 4, "mem_mb": 8000, "runtime": 120, "gpu": 1}


def test_jobs_are_put_together_by_stage_and_recipe(tmp_path):
    runs = tmp_path / "benchmarks" / "mine" / "runs"
    write_table(runs / "count-2-d0" / "base" / "seed0" / "train.tsv", 3600, "900.5", "3600", ASKED)
    write_table(runs / "count-4-d0" / "base" / "seed0" / "train.tsv", 1800, "400", "1800", ASKED)
    write_table(runs / "count-4-d0" / "wide" / "seed0" / "train.tsv", 60, "400", "60", ASKED)
    write_table(tmp_path / "benchmarks" / "mine" / "gather.tsv", 2)
    write_table(tmp_path / "benchmarks" / "other" / "gather.tsv", 2)
    used, damaged = read_used(tmp_path, "mine")
    assert not damaged
    rows = {row.kind: row for row in summarise(used)}
    assert list(rows) == ["train base", "train wide", "gather"]
    base = rows["train base"]
    assert (base.jobs, base.hours, base.median_seconds, base.longest_seconds) == (2, 1.5, 2700, 3600)
    assert (base.minutes_asked, base.time_share) == (120, 0.5)
    assert (base.most_mb, base.median_mb, base.memory_asked_mb) == (900.5, 650.25, 8000)
    assert (base.cores, base.threads, base.gpu_hours) == (1, 4, 1.5)
    assert rows["gather"].most_mb is rows["gather"].threads is rows["gather"].time_share is None


def test_a_damaged_table_is_named_and_left_out(tmp_path):
    write_table(tmp_path / "benchmarks" / "mine" / "gather.tsv", 2)
    (tmp_path / "benchmarks" / "mine" / "align.tsv").write_text("s\th:m:s\n")
    (tmp_path / "benchmarks" / "mine" / "report.tsv").write_text(HEAD + "\nnan?\t\n")
    used, damaged = read_used(tmp_path, "mine")
    assert [job.kind for job in used] == ["gather"]
    assert [path.name for path in damaged] == ["report.tsv"]


def job(**changes) -> Used:
    facts = {"threads": 1, "memory_asked_mb": 8000, "minutes_asked": 120, "gpus": 0}
    return Used(
        **{"kind": "train", "seconds": 3000.0, "memory_mb": 6000, "cpu_seconds": 3000, **facts, **changes}
    )


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({}, None),
        ({"memory_mb": 900}, "asks for 8,000 MB, used at most 900 MB: 2,000 would do"),
        (
            {"memory_mb": 7500},
            "asks for 8,000 MB, used at most 7,500 MB: a little more and it would be killed",
        ),
        ({"memory_mb": 300, "memory_asked_mb": 1000}, None),  # there is nothing to gain
        (
            {"seconds": 7000.0, "cpu_seconds": 7000},
            "asks for 2 h 00 min, took at most 1 h 56 min: close to the limit",
        ),
        (
            {"seconds": 90.0, "cpu_seconds": 90},
            "asks for 2 h 00 min, took at most 1 min 30 s: jobs with a lower",
        ),
        ({"seconds": 90.0, "cpu_seconds": 90, "minutes_asked": 10080}, None),  # profiles/local: no limit
        ({"threads": 4}, "asks for 4 threads, kept 1.0 busy"),
        ({"cpu_seconds": 9000}, "asks for 1 thread, used 3.0"),
        ({"memory_asked_mb": None, "minutes_asked": None, "threads": None}, None),
    ],
)
def test_hints_say_what_was_asked_for_and_what_was_used(changes, hint):
    (row,) = summarise([job(**changes)])
    assert row.hints == () if hint is None else row.hints[0].startswith(hint)


def test_every_attempt_in_slurm_counts_and_only_jobs_of_this_folder():
    train, measures, gather = read_sacct(SACCT, Path("/study"))
    assert measures.rule == "measures" and measures.states == {"COMPLETED": 2}  # groups of two runs
    assert train.rule == "train" and train.states == {"FAILED": 1, "PREEMPTED": 1, "COMPLETED": 1}
    assert train.gpu_hours == pytest.approx((2 * 3600 + 1800 + 7000) / 3600)
    assert train.longest_share == pytest.approx(7000 / 7200)
    assert gather.states == {"CANCELLED": 1} and gather.longest_share is None and gather.gpu_hours == 0


def test_without_slurm_there_is_no_table_of_attempts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_attempts(tmp_path) is None


def test_the_program_prints_and_writes_the_table(tmp_path, monkeypatch):
    results = tmp_path / "results"
    run = ("count-2-d0", "base", "seed0")
    write_table(results.joinpath("benchmarks", "mine", "runs", *run, "train.tsv"), 3600, "900", "3600", ASKED)
    write_table(results / "benchmarks" / "data" / "blobs-16px" / "pack.tsv", 5)
    write_table(results / "benchmarks" / "data" / "of-another-study-16px" / "pack.tsv", 5)
    (results / "mine").mkdir()
    (results / "mine" / "config.yaml").write_text(STUDY)
    folder = results.joinpath("mine", "runs", *run)
    folder.mkdir(parents=True)
    attempts = [
        {"from_step": 0, "to_step": 7, "end": "stopped"},
        {"from_step": 7, "to_step": 9, "end": "finished"},
    ]
    facts = {"attempts": attempts, "seconds": 7200, "steps": 9, "optimizer_steps_run": 9}
    (folder / "run.json").write_text(json.dumps(facts))
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "sacct").write_text(f"#!/bin/sh\ncat <<'E'\n{SACCT.replace('/study', str(tmp_path))}E\n")
    (bin / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin), prepend=":")
    command = [sys.executable, PROGRAM, "--study", "mine", "--results", results]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "mine: 2 finished jobs" in said and "asks for 8,000 MB, used at most 900 MB" in said
    assert (
        "trainings: 1 finished in 2 attempts (1 stopped, 1 finished), 2.00 hours; 9 steps made for 9" in said
    )
    assert "1 FAILED, 1 PREEMPTED, 1 COMPLETED" in said
    with (results / "benchmarks" / "mine" / "efficiency.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["train base", "pack"]
    assert float(rows[0]["memory_share"]) == 900 / 8000 and rows[1]["memory_share"] == ""


def test_a_study_that_never_ran_is_refused_by_name(tmp_path):
    command = [sys.executable, PROGRAM, "--study", "mein", "--results", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "found 'mein', of which no job has finished" in done.stderr
