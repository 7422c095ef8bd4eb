"""The Slurm plugin waits where Slurm doesn't answer."""

import asyncio
import logging
import subprocess
import sys
import threading

import pytest

plugin = pytest.importorskip("snakemake_executor_plugin_slurm")

from snakemake_interface_common.exceptions import WorkflowError  # noqa: E402

from spectral_priority.recovery import slurm_outages  # noqa: E402
from spectral_priority.recovery.slurm_outages import outlast_outages  # noqa: E402
from spectral_priority.recovery.slurm_states import correct_states  # noqa: E402

AWAY = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
FULL = (
    "sbatch: error: AssocMaxSubmitJobLimit\\nsbatch: error: Batch job submission failed: Job violates policy"
)
WRONG = "sbatch: error: invalid partition specified: gpus"


CHECK = next(name for name in slurm_outages.ACCOUNT_CHECKS if hasattr(plugin, name))


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """The plugin, changed for one test."""
    for name in ("query_job_status", CHECK, "subprocess"):
        monkeypatch.setattr(plugin, name, getattr(plugin, name))
    monkeypatch.setattr(plugin.Executor, "shutdown", lambda executor: None)
    monkeypatch.setattr(slurm_outages, "PAUSE", 0.01)
    assert correct_states() and outlast_outages()


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Write a program that prints to stderr and fails so many times, and then prints something else and succeeds."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def write(name: str, fails: int, error: str, prints: str) -> None:
        count = tmp_path / f"{name}.count"
        (tmp_path / name).write_text(
            f'#!/bin/sh\ncat > /dev/null\necho . >> {count}\n[ "$(wc -l < {count})" -gt {fails} ] && '
            f"{{ printf '{prints}'; exit 0; }}\nprintf '{error}' >&2\nexit 1\n"
        )
        (tmp_path / name).chmod(0o755)

    return write


def submit() -> tuple[int, str, str]:
    """Submit as the plugin does."""
    pipe = plugin.subprocess.PIPE
    process = plugin.subprocess.Popen(
        "sbatch --parsable", shell=True, text=True, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, err = process.communicate(input="#!/bin/sh\n")
    return process.returncode, out, err


@pytest.mark.parametrize("error", [AWAY, FULL, "sbatch: error: QOSGrpSubmitJobsLimit"])
def test_what_passes_is_waited_for_and_told_once(program, caplog, error):
    program("sbatch", 3, error, "17\\n")
    assert submit() == (0, "17\n", "")
    assert sum("takes no job for now" in message for message in caplog.messages) == 1


def test_what_does_not_pass_is_an_error_at_once(program, tmp_path):
    program("sbatch", 1, WRONG, "17\\n")
    assert submit() == (1, "", WRONG)


def test_who_waits_to_submit_gives_up_when_snakemake_ends(program):
    program("sbatch", 10**6, AWAY, "")
    waiting = threading.Thread(target=submit, daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    plugin.Executor.shutdown(None)
    waiting.join(10)
    assert not waiting.is_alive()


def test_states_that_nobody_tells_are_unknown_not_ended(program, caplog):
    program("sacct", 2, "sacct: error: Connection refused", "7|RUNNING\\n")

    def query():
        return asyncio.run(plugin.query_job_status("sacct", logging.getLogger()))[0]

    assert [query(), query(), query(), query()] == [{}, {}, {"7": "RUNNING"}, {"7": "RUNNING"}]
    assert [message.startswith("Slurm does not tell") for message in caplog.messages] == [True, False]


def test_an_account_is_asked_for_until_it_is_told_and_a_wrong_one_refused(program):
    program("sacctmgr", 2, "Connection refused", "lab\\n")
    program("sshare", 2, "Connection refused", "")
    assert getattr(plugin, CHECK)("lab", logging.getLogger()) in ("lab", None)
    with pytest.raises(WorkflowError, match="appears to be invalid"):
        getattr(plugin, CHECK)("nobody", logging.getLogger())


def test_an_account_that_nobody_tells_of_is_given_up(program, tmp_path):
    for name in ("sacctmgr", "sshare"):
        program(name, 10**6, "Access denied", "")
    with pytest.raises(WorkflowError, match="Unable to test the validity"):
        getattr(plugin, CHECK)("lab", logging.getLogger())
    assert (tmp_path / "sshare.count").read_text().count(".") == slurm_outages.ASKED


def test_the_plugin_sees_subprocess_as_it_is_but_for_that(monkeypatch):
    assert plugin.subprocess.CalledProcessError is subprocess.CalledProcessError
    assert not outlast_outages(), "it is done once"
    monkeypatch.delitem(sys.modules, plugin.__name__)
    assert not outlast_outages(), "and only where the plugin is in use"
