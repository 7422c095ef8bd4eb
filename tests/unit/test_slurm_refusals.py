"""Why Slurm refused a job is kept for the end."""

from types import SimpleNamespace

import pytest

plugin = pytest.importorskip("snakemake_executor_plugin_slurm")

from spectral_priority.recovery.slurm_refusals import tell_refusals  # noqa: E402

SAID = "SLURM sbatch failed. The error message was 'sbatch: error: no\nsbatch: error: never'.\n    sbatch call:\n  x"


@pytest.fixture
def report(monkeypatch):
    """Report a failed job as the plugin does; what was reported on, and what was kept of refusals."""
    reported, refused = [], []
    monkeypatch.setattr(
        plugin.Executor,
        "report_job_error",
        lambda executor, info, msg=None, **more: reported.append((msg, more)),
    )
    assert tell_refusals(lambda numbers, text: refused.append((numbers, text)))

    def tell(*numbers: int, msg: str | None, **more) -> tuple[list, list]:
        jobs = [SimpleNamespace(jobid=number, is_group=lambda: False) for number in numbers]
        group = SimpleNamespace(jobid="a-uuid", jobs=jobs, is_group=lambda: True)
        plugin.Executor.report_job_error(
            None, SimpleNamespace(job=jobs[0] if len(jobs) == 1 else group), msg, **more
        )
        return reported, refused

    return tell


def test_a_refusal_is_kept_for_every_job_that_was_submitted(report):
    assert report(7, msg=SAID) == ([(SAID, {})], [([7], "sbatch: no; never")])
    assert report(8, 9, msg=SAID)[1][1:] == [([8, 9], "sbatch: no; never")]


def test_the_end_of_a_job_that_ran_is_none(report):
    ended = "SLURM-job '12' failed, SLURM status is: 'FAILED'."
    assert report(7, msg=ended, aux_logs=["12.log"]) == ([(ended, {"aux_logs": ["12.log"]})], [])
    assert report(7, msg=None)[1] == []
