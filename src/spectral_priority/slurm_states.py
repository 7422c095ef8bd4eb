"""Tell Snakemake's Slurm plugin of ends that it does not see, so that these jobs are started again.

The plugin (2.5 to 2.8 at least) waits for ever for a job that was cancelled by hand, as sacct calls its state
`CANCELLED by 0` and the plugin looks for `CANCELLED`, and for a job that was preempted for good, as it takes every
preempted job for one that Slurm puts back into the queue.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Mapping, Set
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"


def correct_states() -> bool:
    """Correct what the plugin reads, in this process; without effect where the plugin is not in use.

    Returns
    -------
    bool
        Whether there was something to correct.
    """
    plugin = sys.modules.get(PLUGIN)
    query = getattr(plugin, "query_job_status", None)
    if query is None or getattr(query, "corrected", False):
        return False

    async def corrected(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await query(command, logger)
        if states and "PREEMPTED" in states.values():
            states = end_preempted(states, await _in_queue(command))
        return states and {
            job: state.split()[0] if state else state for job, state in states.items()
        }, seconds

    corrected.corrected = True
    plugin.query_job_status = corrected
    return True


def end_preempted(states: Mapping[str, str], queue: Set[str] | None) -> dict[str, str]:
    """Count preempted jobs as cancelled where Slurm does not put them back into the queue.

    Parameters
    ----------
    states : mapping
        Job → state, as sacct says.
    queue : set of str
        Jobs that are in the queue or run; None: not known.

    Returns
    -------
    dict

    Examples
    --------
    >>> end_preempted({"7": "PREEMPTED", "8": "PREEMPTED", "9": "RUNNING"}, {"8", "9"})
    {'7': 'CANCELLED', '8': 'PREEMPTED', '9': 'RUNNING'}
    """
    ended = "PREEMPTED" if queue is None else "CANCELLED"
    return {
        job: ended if state == "PREEMPTED" and job not in (queue or ()) else state
        for job, state in states.items()
    }


async def _in_queue(command: str) -> set[str] | None:
    """Return the jobs of a status command's Snakemake that squeue knows; None where it does not answer."""
    words = shlex.split(command)
    name = words[words.index("--name") + 1] if "--name" in words[:-1] else None
    if name is None:
        return None
    asked = ["squeue", "--noheader", "--format=%i %A", "--name", name]
    try:
        process = await asyncio.create_subprocess_exec(
            *asked, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        text, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    except (OSError, TimeoutError):
        return None
    return set(text.decode().split()) if process.returncode == 0 else None
