# What failed is named once at the end of a start, by the Snakefile's `onerror`; and a job that ended twice with the same
# error gets no further attempt: retries are for what may pass (a time limit, a node that is gone).
from contextlib import suppress

from snakemake.logging import logger

from spectral_priority.recovery.failures import Failures
from spectral_priority.recovery.slurm_refusals import tell_refusals


def give_up(number):
    """Take the attempts that are left from a job, or from those that it was submitted with.

    This is not Snakemake's documented interface; where it has changed, the job is tried again.
    """
    with suppress(AttributeError, RuntimeError):
        for job in list(workflow.scheduler.running):
            if number in [workflow.dag.jobid(one) for one in (job.jobs if job.is_group() else [job])]:
                job._attempt = job.restart_times + 1


if workflow.exec_mode == ExecMode.DEFAULT:
    FAILURES = Failures(in_vain=give_up)
    logger.addHandler(FAILURES)
    tell_refusals(FAILURES.refused)
