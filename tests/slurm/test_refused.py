"""What Slurm does not even take is named at the end, with what sbatch said."""

from __future__ import annotations

import pytest
from study import run, write_study

pytestmark = pytest.mark.soak

REFUSED = "not submitted\n      sbatch: invalid partition specified: nowhere; Batch job submission failed"


@pytest.mark.parametrize(
    ("target", "rules"),
    [("runs", ["train"]), ("tiers", ["complexity", "tier"])],
    ids=["a job", "jobs that are submitted together"],
)
def test_a_refusal_of_slurm_is_named_at_the_end(cluster, tmp_path, target, rules):
    write_study(tmp_path)
    nowhere = [f"{rule}:slurm_partition=nowhere" for rule in rules]
    text = run(cluster, tmp_path, target, "--set-resources", *nowhere, "--retries", "1", expect=1)
    assert text[text.rindex(" failed:\n") :].count(REFUSED) == len(rules)
    assert all(f"\n  {rule}: {REFUSED}" in text for rule in rules)
