"""Tell Snakemake's Slurm plugin how jobs really ended, so that these are started again.

The plugin (2.5 to 2.8 at least) waits for ever for a job that was cancelled by hand, as sacct calls its state
`CANCELLED by 0` and the plugin looks for `CANCELLED`, and for one that was preempted or lost its node for good, as it
takes each of these for one that Slurm puts back into the queue. Where Slurm does so after a node's end, all that it
submits later is refused: it excludes the node that sacct then names, `None assigned`.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Mapping, Set
from typing import Any

PLUGIN = "snakemake_executor_plugin_slurm"
INTERRUPTED = {"PREEMPTED": "CANCELLED", "NODE_FAIL": "FAILED"}
"""State after which Slurm can put a job back into the queue → what it is where Slurm does not."""
WAITING = {"PREEMPTED": "PREEMPTED", "NODE_FAIL": "REQUEUED"}
"""The same → what the plugin waits for, where Slurm does."""


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
    told: set[str] = set()

    async def corrected(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        found, seconds = await query(command, logger)
        if not found:
            return found, seconds
        states = {job: state.split()[0] if state else state for job, state in found.items()}
        if INTERRUPTED.keys() & set(states.values()):
            for job, state in _told_apart(states, await _in_queue(command)).items():
                if state == INTERRUPTED[states[job]] and job not in told:
                    logger.warning(f"Slurm does not put job {job} back into the queue ({states[job]}).")
                    told.add(job)
                states[job] = state
        return states, seconds

    corrected.corrected = True
    plugin.query_job_status = corrected
    return True


def _told_apart(states: Mapping[str, str], queue: Set[str] | None) -> dict[str, str]:
    """Return the state of each interrupted job, by whether it is in the queue or runs again; nothing where unknown.

    >>> _told_apart({"6": "NODE_FAIL", "7": "PREEMPTED", "8": "PREEMPTED", "9": "RUNNING"}, {"8", "9"})
    {'6': 'FAILED', '7': 'CANCELLED', '8': 'PREEMPTED'}
    """
    if queue is None:
        return {}
    return {
        job: WAITING[state] if job in queue else INTERRUPTED[state]
        for job, state in states.items()
        if state in INTERRUPTED
    }


async def _in_queue(command: str) -> set[str] | None:
    """Return the jobs of a status command's Snakemake that squeue knows; None where it does not answer."""
    words = shlex.split(command)
    if "--name" not in words[:-1]:
        return None
    name = words[words.index("--name") + 1]
    asked = ["squeue", "--noheader", "--format=%i %A", "--name", name]
    try:
        process = await asyncio.create_subprocess_exec(
            *asked, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        text, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    except (OSError, TimeoutError):
        return None
    return set(text.decode().split()) if process.returncode == 0 else None
