"""The Slurm plugin sees every end of a job."""

import asyncio
import logging
import sys

import pytest

plugin = pytest.importorskip("snakemake_executor_plugin_slurm")

from spectral_priority.recovery.slurm_states import correct_states  # noqa: E402


@pytest.fixture
def states(tmp_path, monkeypatch):
    """Read states as the plugin does, from what sacct and squeue print."""
    monkeypatch.setattr(plugin, "query_job_status", plugin.query_job_status)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def read(sacct: str, squeue: str = "", code: int = 0) -> dict[str, str]:
        for name, printed, ends in (("sacct", sacct, 0), ("squeue", squeue, code)):
            (tmp_path / name).write_text(f"#!/bin/sh\nprintf '{printed}'\nexit {ends}\n")
            (tmp_path / name).chmod(0o755)
        command = plugin.query_job_status_sacct("a-run")
        return asyncio.run(plugin.query_job_status(command, logging.getLogger()))[0]

    return read


def test_a_job_cancelled_by_hand_has_ended(states):
    assert correct_states()
    assert states("7|CANCELLED by 0\\n8|RUNNING\\n") == {"7": "CANCELLED", "8": "RUNNING"}


@pytest.mark.parametrize(
    ("state", "end", "waits"), [("PREEMPTED", "CANCELLED", "PREEMPTED"), ("NODE_FAIL", "FAILED", "REQUEUED")]
)
def test_an_interrupted_job_has_ended_only_where_it_is_not_in_the_queue_any_more(
    states, state, end, waits, caplog
):
    correct_states()
    printed = f"7|{state}\\n8|{state}\\n9|COMPLETED\\n"
    for _ in range(2):
        assert states(printed, "8 8\\n") == {"7": end, "8": waits, "9": "COMPLETED"}
    assert len(caplog.messages) == 1 and " 7 " in caplog.text, "told once"
    assert states(printed, code=1) == {"7": state, "8": state, "9": "COMPLETED"}, "squeue did not answer"


def test_it_is_done_once_and_only_where_the_plugin_is_in_use(states, monkeypatch):
    assert correct_states()
    assert not correct_states()
    monkeypatch.delitem(sys.modules, plugin.__name__)
    assert not correct_states()
