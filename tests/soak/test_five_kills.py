"""Five kills of one training, by the machinery of `make soak` (tests/soak/soak.py)."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
from kills import STOPPED, Kill, Training, prepare


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Training:
    folder = tmp_path_factory.mktemp("kills")
    training = Training(*prepare(folder), folder / "undisturbed", {"steps": 60, "augment": "flip-crop"})
    training.run_undisturbed()
    return training


def test_five_kills_in_five_phases_change_no_byte_and_repeat_no_saved_step(undisturbed):
    training = replace(undisturbed, folder=undisturbed.data.parent / "killed", attempts=[])
    ordered = [
        Kill(signal.SIGKILL, aim="import", place="within", after=0.1),
        Kill(signal.SIGTERM, aim="step", place="entering", occurrence=10),
        Kill(signal.SIGKILL, aim="state", place="within"),
        Kill(signal.SIGKILL, aim="rename previous", place="leaving"),
        Kill(signal.SIGKILL, aim="rename history", place="leaving", occurrence=2),  # one of four is published
    ]
    ends = [training.start(kill) for kill in ordered]
    assert [end.code for end in ends] == [-signal.SIGKILL, STOPPED, *[-signal.SIGKILL] * 3]
    assert [end.hit for end in ends if end.kill.place != "within"] == ["step", "rename", "rename"]
    last = training.start()
    assert (last.code, last.begun) == (0, 0), last.text
    assert training.faults(undisturbed) == []


def test_what_the_soak_looks_for_would_be_found(undisturbed):
    """Without its newest state a training makes steps twice, although they were saved."""
    training = replace(undisturbed, folder=undisturbed.data.parent / "behind", attempts=[])
    training.start(Kill(signal.SIGTERM, aim="step", place="entering", occurrence=10))
    (training.work / "state.safetensors").unlink()  # the one before it is left
    behind = training.start().first
    assert behind < 10
    (training.results / "history.csv").write_text("another")
    (training.work / ".left.partial").write_text("half")
    found = "; ".join(training.faults(undisturbed))
    assert f"attempt 1: began at step {behind}, but 10 steps were saved" in found
    assert f"{70 - behind} steps were begun and 0 of them lost, of 60" in found
    assert "results/history.csv differs" in found
    assert "the work folder still holds .left.partial" in found
