"""Tell why Slurm refused a job: of jobs that are submitted together, Snakemake itself says only that they failed.

Where the partition, the account or the GPU model is wrong there is no log of the job that could say it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from .slurm_states import PLUGIN

BEGINS = ("SLURM sbatch failed", "SLURM job submission failed", "Job submission failed")
"""How the plugin's messages of jobs begin that never were in the queue."""
ERROR = re.compile(r"The error message was '(.*?)'\.?$", re.DOTALL | re.MULTILINE)


def tell_refusals(refused: Callable[[Sequence[int], str], None]) -> bool:
    """Call a function with the numbers of the jobs of each submission that failed, and with the reason.

    Returns
    -------
    bool
        Whether the plugin is in use, in this process.
    """
    plugin = sys.modules.get(PLUGIN)
    if plugin is None:
        return False
    report = plugin.Executor.report_job_error

    def told(executor: Any, job_info: Any, msg: str | None = None, **more: Any) -> None:
        job = job_info.job
        if msg and msg.startswith(BEGINS):
            refused([one.jobid for one in (job.jobs if job.is_group() else [job])], reason(msg))
        report(executor, job_info, msg, **more)

    plugin.Executor.report_job_error = told
    return True


def reason(message: str) -> str:
    """Return what sbatch said, of the plugin's message; its first line where sbatch was not asked.

    >>> reason("SLURM sbatch failed. The error message was 'sbatch: error: a\\nsbatch: error: b'.\\n    sbatch call: …")
    'sbatch: a; b'
    >>> reason("Job submission failed with exception: The given account lab appears to be invalid.\\nAvailable: …")
    'Job submission failed with exception: The given account lab appears to be invalid.'
    """
    error = ERROR.search(message)
    if not error:
        return message.strip().split("\n")[0]
    return "sbatch: " + "; ".join(line.removeprefix("sbatch: error: ") for line in error[1].splitlines())
