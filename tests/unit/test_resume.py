"""An interrupted training ends with the same bytes as one that ran through, whatever interrupted it."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path

import pytest
from tiny_training import OPTIONS, make_task, same_results, start, train_in_process, write_data

from spectral_priority.errors import InputError
from spectral_priority.fingerprint import code_fingerprint
from spectral_priority.program import Stopped
from spectral_priority.training import state
from spectral_priority.training.attempts import Attempts
from spectral_priority.training.stopping import StopRequest
from spectral_priority.training.tensorfile import read_header


class Crash(Exception):
    """Stands for a kill: nothing is saved when it comes."""


def crash_after(steps: int):
    """Return a stop hook that breaks down after so many steps of an attempt."""

    def hook(made: int) -> None:
        if made == steps:
            raise Crash

    return hook


def stop_after(steps: int):
    """Return a stop hook that asks for a stop after so many steps of an attempt."""
    return lambda made: "a test" if made == steps else None


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    """The results of an uninterrupted training."""
    return train_in_process(make_task(data), tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_results_do_not_depend_on_crashes_stops_and_how_often_state_is_saved(data, whole, tmp_path, every):
    task = make_task(data)
    for hook in (crash_after(1), crash_after(7), stop_after(4), crash_after(9), stop_after(0), stop_after(6)):
        with pytest.raises((Crash, Stopped)):
            train_in_process(task, tmp_path, stop=hook, save_every_seconds=every)
    assert same_results(whole, train_in_process(task, tmp_path, save_every_seconds=every))


def test_a_crash_inside_a_checkpoint_repeats_that_checkpoint(data, whole, tmp_path, monkeypatch):
    from spectral_priority.training.loop import Training

    evaluate = Training.evaluate

    def breaks_at_ten(training):
        if training.step == 10:
            raise Crash
        return evaluate(training)

    monkeypatch.setattr(Training, "evaluate", breaks_at_ten)
    with pytest.raises(Crash):
        train_in_process(make_task(data), tmp_path)
    assert (tmp_path / "parts" / "step_00000010.safetensors").exists()
    monkeypatch.undo()
    assert same_results(whole, train_in_process(make_task(data), tmp_path))


def test_adamw_and_momentum_are_restored(data, tmp_path):
    for name, options in {
        "adamw": {"optimizer": "adamw", "learning_rate": 1e-3},
        "plain": {"momentum": 0},
    }.items():
        task = make_task(data, **options, steps=12)
        finished = train_in_process(task, tmp_path / name)
        with pytest.raises(Stopped):
            train_in_process(task, tmp_path / f"{name}-stopped", stop=stop_after(7))
        assert same_results(finished, train_in_process(task, tmp_path / f"{name}-stopped")), name


@pytest.mark.parametrize("damage", ["cut", "foreign"])
def test_a_damaged_newest_state_falls_back_to_the_one_before(data, whole, tmp_path, caplog, damage):
    with pytest.raises(Crash):
        train_in_process(make_task(data), tmp_path, stop=crash_after(8), save_every_seconds=0)
    newest = tmp_path / state.STATE
    newest.write_bytes(
        newest.read_bytes()[:-100] if damage == "cut" else b"something else, of another program"
    )
    with pytest.raises(Stopped):
        train_in_process(make_task(data), tmp_path, stop=stop_after(0))
    assert "state.safetensors: is damaged or no safetensors file" in caplog.text
    attempts = Attempts(tmp_path / "attempts.jsonl", _fingerprint(data)).read()
    assert attempts[0]["end"] == "killed"
    assert attempts[1]["from_step"] == 7  # the newest was saved after step 8
    for name in (state.STATE, state.PREVIOUS):
        read_header(tmp_path / name)  # and the damaged one took no good one's place
    assert same_results(whole, train_in_process(make_task(data), tmp_path))


def test_a_state_whose_checkpoint_is_gone_is_not_used(data, whole, tmp_path, caplog):
    with pytest.raises(Crash):
        train_in_process(make_task(data), tmp_path, stop=crash_after(8))
    (tmp_path / "parts" / "step_00000000.safetensors").unlink()
    assert same_results(whole, train_in_process(make_task(data), tmp_path))
    assert "step_00000000.safetensors: there is no such file" in caplog.text


@pytest.mark.parametrize("change", [{"learning_rate": 0.01}, {"width": 5}])
def test_the_state_of_other_options_is_set_aside(data, tmp_path, caplog, change):
    with pytest.raises(Stopped):
        train_in_process(make_task(data, **change), tmp_path, stop=stop_after(5))
    with pytest.raises(Stopped):
        train_in_process(make_task(data), tmp_path, stop=stop_after(2))
    assert "other options, data or code: set aside" in caplog.text
    assert (tmp_path / "set-aside" / state.STATE).exists()
    (attempt,) = Attempts(tmp_path / "attempts.jsonl", _fingerprint(data)).read()
    assert (attempt["from_step"], attempt["to_step"]) == (0, 2)


def test_options_that_change_no_result_do_not_cost_the_state(data, whole, tmp_path, caplog):
    with pytest.raises(Stopped):
        train_in_process(make_task(data, threads=2), tmp_path, stop=stop_after(5), threads=2)
    (tmp_path / state.PREVIOUS).unlink()
    finished = train_in_process(make_task(data, time_limit_minutes=1), tmp_path)
    assert "saved by 2 CPU threads, now there are 1" in caplog.text
    run = json.loads((finished / "run.json").read_text())
    assert [attempt["from_step"] for attempt in run["attempts"]] == [0, 5]
    assert run["fingerprint"] == _fingerprint(data)


def test_a_full_disk_keeps_what_was_saved(data, whole, tmp_path, monkeypatch):
    write = state.write_tensors

    def disk_is_full(path, tensors, metadata):
        if json.loads(metadata["progress"])["step"] >= 8:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, tensors, metadata)

    monkeypatch.setattr(state, "write_tensors", disk_is_full)
    with pytest.raises(InputError, match=r"state.safetensors: the disk is full.*free some space"):
        train_in_process(make_task(data), tmp_path, save_every_seconds=0)
    assert _saved_step(tmp_path) == 7
    assert not list(tmp_path.glob(".*"))
    monkeypatch.undo()
    assert same_results(whole, train_in_process(make_task(data), tmp_path))


def test_attempts_tell_where_each_began_and_ended(data, tmp_path):
    task = make_task(data)
    with pytest.raises(Stopped, match=r"stopped at step 12 of 40 \(a test\); its state is saved"):
        train_in_process(task, tmp_path, stop=stop_after(12))
    with pytest.raises(Crash):  # saved at the checkpoint of step 20 (four epochs), broken at 12 + 9
        train_in_process(task, tmp_path, stop=crash_after(9), save_every_seconds=1e9)
    run = json.loads((train_in_process(task, tmp_path) / "run.json").read_text())
    assert [(a["from_step"], a["to_step"], a["end"]) for a in run["attempts"]] == [
        (0, 12, "stopped"),
        (12, 20, "killed"),
        (20, 40, "finished"),
    ]
    assert run["optimizer_steps_run"] == 40
    assert all(attempt["seconds"] > 0 for attempt in run["attempts"])


def test_an_attempt_that_fell_back_behind_its_beginning_counts_no_steps(tmp_path):
    attempts = Attempts(tmp_path / "attempts.jsonl", "abc")
    attempts.begin(20)
    with attempts.path.open("a") as file:
        file.write('\n{"attempt": 0, "to_st')  # cut off by the kill
    Attempts(attempts.path, "another run").begin(50)
    attempts.begin(10)
    first, second = attempts.read()
    assert (first["from_step"], first["to_step"], first["end"]) == (20, 20, "killed")
    assert second["from_step"] == 10


def test_a_finished_training_leaves_no_state(data, tmp_path):
    train_in_process(make_task(data, steps=5), tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["finished", "lock.guard"]


def test_a_killed_program_goes_on_at_its_last_saved_step(data, whole, tmp_path):
    program = start(data, tmp_path, "--save-every-seconds", "0")
    _wait_for_step(tmp_path / "work", 13, program)
    program.kill()
    program.communicate()
    saved = _saved_step(tmp_path / "work")
    assert (tmp_path / "work" / "lock").exists()

    program = start(data, tmp_path, "--save-every-seconds", "0")
    _wait_for_step(tmp_path / "work", max(saved, 24), program)
    program.send_signal(signal.SIGTERM)
    _, text = program.communicate()
    stopped = _saved_step(tmp_path / "work")
    assert program.returncode == 75, text
    assert f"stopped at step {stopped} of 40 (signal SIGTERM)" in text
    assert "took over the lock of a process that is gone" in text
    assert f"going on from step {saved} of 40" in text
    assert not (tmp_path / "work" / "lock").exists()
    assert not (tmp_path / "run.json").exists()

    program = start(data, tmp_path)
    _, text = program.communicate()
    assert program.returncode == 0, text
    assert same_results(whole, tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    assert [(a["from_step"], a["to_step"], a["end"]) for a in run["attempts"]] == [
        (0, saved, "killed"),
        (saved, stopped, "stopped"),
        (stopped, 40, "finished"),
    ]
    assert run["published"] == "trained"

    # Started once more, as Snakemake does when a rule before it ran: its outputs were deleted.
    for file in tmp_path.glob("*.*"):
        file.unlink()
    program = start(data, tmp_path)
    _, text = program.communicate()
    assert program.returncode == 0, text
    assert "published again, no step made" in text
    assert same_results(whole, tmp_path)
    again = json.loads((tmp_path / "run.json").read_text())
    assert again == {**run, "published": "again"}


def test_a_second_start_is_refused_and_names_the_first(data, tmp_path):
    first = start(data, tmp_path, "--save-every-seconds", "0", steps=100_000)
    _wait_for_step(tmp_path / "work", 1, first)
    second = start(data, tmp_path, steps=100_000)
    _, text = second.communicate()
    assert second.returncode == 2
    assert f"process {first.pid} on {os.uname().nodename}" in text
    first.send_signal(signal.SIGINT)
    assert "stopped at step" in first.communicate()[1]


@pytest.fixture
def signals_restored():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_training_stops_by_itself_before_its_time_limit(data, tmp_path, signals_restored):
    now = time.monotonic()
    assert StopRequest(60, now - 57 * 60)(5) is None
    assert StopRequest(60, now - 59 * 60)(5) == "the time limit of 60 minutes is near"  # two minutes before
    assert StopRequest(10, now - 8.5 * 60)(5) is None
    assert StopRequest(10, now - 9.5 * 60)(5) is not None  # a tenth before
    stop = StopRequest(10, now)

    def time_is_over_after_six(made):
        if made == 6:
            stop.deadline = time.monotonic()
        return stop(made)

    with pytest.raises(Stopped, match=r"stopped at step 6 of 40 \(the time limit of 10 minutes is near\)"):
        train_in_process(make_task(data), tmp_path, stop=time_is_over_after_six)


def test_a_limit_that_is_over_before_the_first_step_fails(data, tmp_path, signals_restored):
    stop = StopRequest(0.5, time.monotonic() - 40)
    with pytest.raises(InputError, match=r"0\.5 minutes are over before the first step of this attempt"):
        train_in_process(make_task(data), tmp_path, stop=stop)


def test_a_signal_is_only_noted(signals_restored):
    stop = StopRequest(10, time.monotonic())
    assert stop(0) is None
    os.kill(os.getpid(), signal.SIGINT)
    assert stop(0) == "signal SIGINT"
    with pytest.raises(KeyboardInterrupt):  # the second one means it
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def _fingerprint(data: Path) -> str:
    return make_task(data).fingerprint(code_fingerprint("train"), "cpu")


def _saved_step(work: Path) -> int:
    try:
        return json.loads(read_header(work / state.STATE)[1]["progress"])["step"]
    except InputError:
        return -1


def _wait_for_step(work: Path, step: int, program) -> None:
    while _saved_step(work) < step:
        assert program.poll() is None, program.communicate()[1]
        time.sleep(0.002)


assert OPTIONS["steps"] == 40  # the numbers above are made for it
