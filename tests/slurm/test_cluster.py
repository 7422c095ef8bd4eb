"""The Slurm that the other tests stand on does to jobs what a cluster does to them."""

from __future__ import annotations

from pathlib import Path

from cluster import Cluster, gpus_of, most_at_once, wait_until
from daemons import processes_below

QUIET = ("--output=/dev/null", "--error=/dev/null")


def state_of(cluster, job, *arguments):
    """The states that a job had, one for each time that it was started."""
    return [row["State"].split()[0] for row in cluster.jobs(f"--jobs={job}", *arguments)]


def wait_for(cluster, job, state, seconds=60):
    wait_until(
        lambda: state_of(cluster, job)[-1:] == [state], seconds, f"job {job} {state}", tell=cluster.jobs
    )


def is_alive(process):
    try:
        return not Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].startswith(" Z")
    except FileNotFoundError:
        return False


def test_no_more_jobs_run_at_once_than_there_are_gpus(cluster):
    jobs = [cluster.submit("-p", "gpu", "--gpus=1", *QUIET, "--wrap", "sleep 2") for _ in range(3)]
    for job in jobs:
        wait_for(cluster, job, "COMPLETED")
    rows = cluster.jobs(f"--jobs={','.join(jobs)}")
    assert [gpus_of(row) for row in rows] == [1, 1, 1]
    assert most_at_once(rows) == 2


def test_a_job_that_takes_more_memory_than_it_asked_for_is_killed(cluster):
    greedy = "python3 -c 'import time; held = b\"x\" * 300_000_000; time.sleep(60)'"
    job = cluster.submit("--mem=100", *QUIET, "--wrap", greedy)
    wait_until(lambda: state_of(cluster, job)[-1:] not in ([], ["PENDING"], ["RUNNING"]), 60, "the kill")
    row = cluster.jobs(f"--jobs={job}")[-1]
    assert (row["State"], row["ExitCode"]) == (
        "FAILED",
        "0:9",
    )  # OUT_OF_MEMORY only where control groups watch


def test_a_job_gives_way_to_one_of_a_better_partition_and_runs_again(cluster):
    low = [cluster.submit("-p", "scavenge", "--gpus=1", *QUIET, "--wrap", "sleep 12") for _ in range(2)]
    for job in low:
        wait_for(cluster, job, "RUNNING")
    high = cluster.submit("-p", "gpu", "--gpus=1", *QUIET, "--wrap", "sleep 1")
    wait_for(cluster, high, "COMPLETED")
    for job in low:
        wait_for(cluster, job, "COMPLETED")
    states = sorted(state_of(cluster, job, "--duplicates") for job in low)
    assert states == [["COMPLETED"], ["PREEMPTED", "COMPLETED"]]


def test_a_job_ends_with_its_node_and_the_node_comes_back(cluster):
    job = cluster.submit("-p", "gpu", "--no-requeue", *QUIET, "--wrap", "sleep 100")
    wait_for(cluster, job, "RUNNING")
    cluster.stop_node("gpu1")
    wait_for(cluster, job, "NODE_FAIL")
    assert cluster.state_of("gpu1") == "down"
    cluster.start_node("gpu1")
    wait_for(cluster, cluster.submit("-p", "gpu", *QUIET, "--wrap", "true"), "COMPLETED")


def test_nothing_is_left_of_a_cluster_and_two_run_side_by_side(cluster):
    with Cluster() as other:
        job = other.submit(*QUIET, "--wrap", "sleep 100")
        wait_for(other, job, "RUNNING")
        assert cluster.state_of("cpu1") == "idle"
        folder, known = other.folder, processes_below(other.folder)
        assert any("sleep 100" in command for command in known.values())
    assert not folder.exists()
    assert not processes_below(folder)
    assert not [process for process in known if is_alive(process)]
