"""A shrunk study completes on a Slurm with the shipped profile, and each rule gets the nodes and GPUs that it needs."""

from __future__ import annotations

import pytest
from cluster import gpus_of, most_at_once, rule_of
from configuration import GPU_MODEL
from study import PROJECT, run, write_study

RUNS = 3
"""One more than there are GPUs."""


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """The finished study: its folder and what Slurm says of its jobs. Where they go is told by the example in docs."""
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, seeds=RUNS)
    before = {row["JobIDRaw"] for row in cluster.jobs()}
    run(
        *(cluster, folder),
        SNAKEMAKE_SLURM_PARTITIONS=str(PROJECT / "docs" / "partitions.yaml"),
        CPU_PARTITION="",
        GPU_PARTITION="",
        GPU_MODEL=GPU_MODEL,
    )
    return folder, [row for row in cluster.jobs() if row["JobIDRaw"] not in before]


def is_on_gpu(row):
    return rule_of(row).startswith(("train", "measure"))


def test_the_study_completes_in_one_command_without_a_retry(finished):
    folder, jobs = finished
    assert (folder / "results" / "mini" / "report.html").exists()
    assert {row["State"] for row in jobs} == {"COMPLETED"}


def test_trainings_and_measures_get_one_gpu_each_and_all_others_none(finished):
    _, jobs = finished
    on_gpu = [row for row in jobs if is_on_gpu(row)]
    assert {row["Partition"] for row in on_gpu} == {"gpu"}
    assert [(gpus_of(row, "ReqTRES"), gpus_of(row)) for row in on_gpu] == [(1, 1)] * len(on_gpu)
    assert all(f"gres/gpu:{GPU_MODEL}=1" in row["ReqTRES"] for row in on_gpu), (
        "of the model that was asked for"
    )
    others = [row for row in jobs if not is_on_gpu(row)]
    assert {row["Partition"] for row in others} == {"cpu"}
    assert {gpus_of(row) for row in others} == {0}


def test_all_measures_of_a_run_are_one_submission_with_one_gpu_and_the_memory_of_one(finished):
    folder, jobs = finished
    measuring = [row for row in jobs if rule_of(row).startswith("measure")]
    assert len(measuring) == RUNS
    assert len([*folder.glob("results/mini/runs/*/*/seed*/spectra/*.h5")]) == 2 * RUNS
    for row in measuring:
        assert "mem=6000M" in row["ReqTRES"]
        assert "cpu=4" in row["AllocTRES"]


def test_measures_of_a_submission_take_turns(finished):
    folder, _ = finished
    for spectra in folder.glob("results/state/mini/*/*/seed*/spectra"):
        times = spectra.parent.relative_to(folder / "results/state/mini")
        spans = []
        for kept in spectra.glob("*/finished/*"):  # made when a measure is done; Snakemake never touches it
            name = f"{kept.parents[1].name}.tsv"
            table = folder / "results/benchmarks/mini/runs" / times / "spectra" / name
            end = kept.stat().st_mtime
            spans.append((end - float(table.read_text().splitlines()[1].split("\t")[0]), end))
        first, second = sorted(spans)
        assert first[1] <= second[0]


def test_never_more_jobs_have_a_gpu_at_once_than_there_are_gpus(finished):
    _, jobs = finished
    assert 1 <= most_at_once([row for row in jobs if is_on_gpu(row)]) <= 2


def test_the_same_command_again_has_nothing_to_do(cluster, finished):
    folder, _ = finished
    before = len(cluster.jobs())
    assert "Nothing to be done" in run(cluster, folder)
    assert len(cluster.jobs()) == before
