"""The example of a partition file sends each kind of job where it says, by the Slurm plugin's own code."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "partitions.yaml"


@pytest.fixture(scope="module")
def partitions():
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm.partitions")
    return plugin, plugin.read_partition_file(EXAMPLE)


def chosen(partitions, threads=1, **resources) -> str | None:
    """The partition that the plugin takes for a job."""
    plugin, known = partitions
    job = SimpleNamespace(name="job", threads=threads, resources=resources)
    return plugin.get_best_partition(known, job, logging.getLogger())


def test_limits_are_read_as_meant(partitions):
    limits = {one.name: one.limits for one in partitions[1]}
    assert limits["cpu"].max_runtime == 3 * 24 * 60 and limits["cpu"].max_gpu == 0
    assert limits["gpu"].max_runtime == 2 * 24 * 60 and limits["scavenge"].max_runtime == 7 * 24 * 60


@pytest.mark.parametrize(
    ("expected", "threads", "resources"),
    [
        ("cpu", 1, {"mem_mb": 2000, "runtime": 30}),
        ("cpu", 4, {"mem_mb": 16000, "runtime": 720}),
        ("cpu", 4, {"mem_mb": 4000, "runtime": 60, "gpu": 0}),
        ("gpu", 1, {"mem_mb": 8000, "runtime": 720, "gpu": 1, "cpus_per_gpu": 4}),
        ("gpu", 8, {"mem_mb": 50000, "runtime": 2880, "gpu": 4, "cpus_per_gpu": 16}),
        ("gpu", 1, {"mem_mb": 8000, "runtime": 240, "gpu": 1, "cpus_per_gpu": 4}),
        ("scavenge", 1, {"mem_mb": 8000, "runtime": 3000, "gpu": 1, "cpus_per_gpu": 4}),  # too long for gpu
        (None, 1, {"mem_mb": 8000, "runtime": 720, "gpu": 8, "cpus_per_gpu": 4}),  # none has so many
        (None, 1, {"mem_mb": 8000, "runtime": 12000, "gpu": 1, "cpus_per_gpu": 4}),  # none has so long
    ],
)
def test_jobs_go_where_the_example_says(partitions, expected, threads, resources):
    assert chosen(partitions, threads, **resources) == expected


def test_a_lower_limit_draws_short_jobs(partitions, tmp_path):
    lower = EXAMPLE.read_text().replace("max_runtime: 7d", "max_runtime: 4h")
    (tmp_path / "lower.yaml").write_text(lower)
    changed = partitions[0], partitions[0].read_partition_file(tmp_path / "lower.yaml")
    measure, training = ({"mem_mb": 8000, "runtime": runtime, "gpu": 1} for runtime in (240, 720))
    assert (chosen(changed, **measure), chosen(changed, **training)) == ("scavenge", "gpu")


def test_the_plugin_knows_every_limit_of_the_example(partitions):
    known = partitions[0].PartitionLimits.__dataclass_fields__
    used = {
        line.strip().split(":")[0]
        for line in EXAMPLE.read_text().splitlines()
        if line.startswith("    ") and not line.strip().startswith("#")
    }
    assert used <= set(known)
