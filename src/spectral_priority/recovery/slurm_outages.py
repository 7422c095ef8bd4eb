"""Let Snakemake's Slurm plugin wait where Slurm does not answer or takes no more jobs for now.

The plugin (2.4 to 2.8 at least) forgets its jobs, and waits for ever, when no query of their states is answered, as
while slurmdbd is started anew. A submission that fails ends an attempt of the job at once, so that all of them are gone
within a minute when slurmctld is started anew, or where a user may have only so many jobs in the queue.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from typing import Any

from .slurm_states import PLUGIN

PASSING = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Connection timed out",
    "Zero Bytes were transmitted",
    "Transport endpoint is not connected",
    "temporarily unable to accept job",
    "Resource temporarily unavailable",
    "SubmitJob",  # AssocMaxSubmitJobLimit, QOSGrpSubmitJobsLimit and the like
    "job count limit",
)
"""What sbatch says where the same submission can succeed later."""
PAUSE = 15.0
"""Seconds between two tries."""
ACCOUNT_CHECKS = ("validate_account", "test_account")
"""What the plugin calls its check of an account, since 2.8 and before."""
ASKED = 40
"""Times that an account is asked for: where users may not ask, nobody ever answers."""


def outlast_outages() -> bool:
    """Let the plugin wait, in this process; without effect where it is not in use.

    Returns
    -------
    bool
        Whether there was something to change.
    """
    plugin = sys.modules.get(PLUGIN)
    query = getattr(plugin, "query_job_status", None)
    if query is None or getattr(query, "waits", False):
        return False
    over = threading.Event()
    plugin.query_job_status = _states_or_none_known(query)
    for name in ACCOUNT_CHECKS:
        if hasattr(plugin, name):
            setattr(plugin, name, _asked_until_answered(getattr(plugin, name), over))
    plugin.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": _submissions(over)})
    shutdown = plugin.Executor.shutdown

    def told(executor: Any) -> None:
        over.set()  # whoever waits to submit a job gives up
        shutdown(executor)

    plugin.Executor.shutdown = told
    return True


def _states_or_none_known(query: Any) -> Any:
    """Return the query of states so that one without an answer tells of no job, which the plugin takes for "wait"."""
    silent = False

    async def states(command: str, logger: Any) -> tuple[dict[str, str], float]:
        nonlocal silent
        found, seconds = await query(command, logger)
        if (found is None) != silent:
            silent = found is None
            logger.warning(
                "Slurm does not tell the states of jobs; they are asked for again."
                if silent
                else "Slurm tells the states of jobs again."
            )
        return ({}, 0.0) if found is None else (found, seconds)

    states.waits = True
    return states


def _asked_until_answered(validate: Any, over: threading.Event) -> Any:
    """Return the check of an account so that it waits a while where neither sacctmgr nor sshare answers."""

    def account(name: str, logger: Any) -> str:
        for _ in range(ASKED - 1):
            try:
                return validate(name, logger)
            except Exception as error:
                if "Unable to test the validity" not in str(error) or over.is_set():
                    raise
                logger.warning(f"Slurm does not tell whether there is an account {name}; asked again.")
                over.wait(PAUSE)
        return validate(name, logger)

    return account


def _submissions(over: threading.Event) -> type[subprocess.Popen]:
    """Return a Popen that runs a command of sbatch again while its error is one that passes."""

    class Submission(subprocess.Popen):
        def __init__(self, *given: Any, **more: Any):
            super().__init__(*given, **more)
            self.command = given, more

        def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:
            out, err = super().communicate(input, timeout)
            told = ""
            while self.returncode and (reason := passing(err)) and not over.is_set():
                if reason != told:
                    _logger().warning(
                        f"Slurm takes no job for now ({reason}); submitted again until it does."
                    )
                    told = reason
                over.wait(PAUSE)
                given, more = self.command
                again = subprocess.Popen(*given, **more)
                out, err = again.communicate(input, timeout)
                self.returncode = again.returncode
            return out, err

    return Submission


def passing(error: str) -> str:
    """Return the line of an error of sbatch that says that it may pass; empty where none does.

    >>> passing("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)")
    'Batch job submission failed: Unable to contact slurm controller (connect failure)'
    >>> passing("sbatch: error: invalid partition specified: gpus")
    ''
    """
    lines = [line for line in (error or "").splitlines() if any(words in line for words in PASSING)]
    return lines[0].removeprefix("sbatch: ").removeprefix("error: ") if lines else ""


def _logger() -> Any:
    from snakemake.logging import logger

    return logger
