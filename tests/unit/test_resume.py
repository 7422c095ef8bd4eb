"""An interrupted training ends with the same bytes as one that ran through, whatever interrupted it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_training import OPTIONS, make_task, same_results, start, train_in_process, write_data

from spectral_priority.errors import InputError
from spectral_priority.fingerprint import code_fingerprint
from spectral_priority.program import Stopped
from spectral_priority.store.finished import Finished
from spectral_priority.training import state
from spectral_priority.training.attempts import Attempts
from spectral_priority.training.finished import OUTPUTS, publish_run
from spectral_priority.training.stopping import StopRequest
from spectral_priority.training.tensorfile import read_header
from spectral_priority.training.work_folder import clear_after


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
    from spectral_priority.training import run

    row = run.history_row

    def breaks_at_ten(step, *rest):
        if step == 10:
            raise Crash
        return row(step, *rest)

    monkeypatch.setattr(run, "history_row", breaks_at_ten)
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


@pytest.mark.parametrize("damage", ["is gone", "was cut"])
def test_a_state_whose_checkpoint_is_damaged_is_not_used(data, whole, tmp_path, caplog, damage):
    """Only the one before the checkpoint is: here the checkpoint of step 3 is the newest, and state is saved often."""
    with pytest.raises(Crash):
        train_in_process(make_task(data), tmp_path, stop=crash_after(3), save_every_seconds=0)
    part = tmp_path / "parts" / "step_00000003.safetensors"
    reason = "there is no such file"
    if damage == "is gone":
        part.unlink()
    else:
        part.write_bytes(part.read_bytes()[:-10])
        reason = f"is damaged or no safetensors file (it has {part.stat().st_size} bytes instead of "
    with pytest.raises(Stopped):
        train_in_process(make_task(data), tmp_path, stop=stop_after(0))
    assert f"step_00000003.safetensors: {reason}" in caplog.text
    assert Attempts(tmp_path / "attempts.jsonl", _fingerprint(data)).read()[1]["from_step"] == 2
    assert same_results(whole, train_in_process(make_task(data), tmp_path))


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


def test_a_disk_that_is_really_full_stops_the_program_and_costs_no_saved_step(data, tmp_path):
    """On a disk of 320 kB, in a namespace of its own: checkpoints of every step fill it after some."""
    options = {"checkpoints": {"early": list(range(40)), "every_epochs": 100}}
    work, kept = tmp_path / "work", tmp_path / "kept"
    work.mkdir()
    script = (
        f'mount -t tmpfs -o size=320k tmpfs {work} && {{ "$@"; ended=$?; cp -r {work} {kept}; exit $ended; }}'
    )
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    try:
        subprocess.run([*alone, "mount -t tmpfs tmpfs /mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may mount nothing, not even in a namespace")
    program = start(data, tmp_path, python=(*alone, script, "sh", sys.executable), **options)
    _, text = program.communicate()
    assert program.returncode == 2, text
    assert "the disk is full. What to do: free some space" in text
    saved = _saved_step(kept)
    assert 5 < saved < 40
    assert not list(kept.rglob("*.partial"))
    finished = train_in_process(make_task(data, **options), kept)
    run = json.loads((finished / "run.json").read_text())
    assert [attempt["from_step"] for attempt in run["attempts"]] == [0, saved]
    assert same_results(finished, train_in_process(make_task(data, **options), tmp_path / "whole"))


def test_a_state_folder_that_cannot_be_written_to_is_said_at_once(data, tmp_path):
    with pytest.raises(Stopped):
        train_in_process(make_task(data), tmp_path / "work", stop=stop_after(5))
    before = (tmp_path / "work" / state.STATE).read_bytes()
    (tmp_path / "work").chmod(0o555)
    powerless = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all") if os.geteuid() == 0 else ()
    if powerless and shutil.which(powerless[0]) is None:
        pytest.skip("root may write everywhere")
    try:
        program = start(data, tmp_path, python=(*powerless, sys.executable))
        _, text = program.communicate()
    finally:
        (tmp_path / "work").chmod(0o755)
    assert program.returncode == 2, text
    assert f"{tmp_path / 'work' / 'lock'}: can't be written (Permission denied)" in text
    assert (tmp_path / "work" / state.STATE).read_bytes() == before


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


def test_what_a_kill_left_of_a_finished_training_is_cleared_away_by_the_next_start(
    data, whole, tmp_path, monkeypatch
):
    def killed(work: Path) -> None:
        raise Crash

    monkeypatch.setattr("spectral_priority.training.run.clear", killed)
    work = tmp_path / "work"
    with pytest.raises(Crash):
        train_in_process(make_task(data), work)
    (work / f".{state.STATE}.another-host.17.abc.partial").write_text("half")
    (tmp_path / ".history.csv.another-host.17.abc.partial").write_text("half")
    assert (work / state.STATE).exists() and (work / "parts").exists()
    program = start(data, tmp_path)
    _, text = program.communicate()
    assert "published again, no step made" in text
    assert sorted(entry.name for entry in work.iterdir()) == ["finished", "lock.guard"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*OUTPUTS, "work"])
    assert same_results(whole, tmp_path)


def test_a_finished_run_that_is_published_again_leaves_the_state_of_another_one(data, tmp_path):
    """Back to the old options and forth again to the new ones costs no step."""
    train_in_process(make_task(data, steps=5), tmp_path)
    with pytest.raises(Stopped):
        train_in_process(make_task(data), tmp_path, stop=stop_after(7))
    clear_after(tmp_path, make_task(data, steps=5).fingerprint(code_fingerprint("train"), "cpu"))
    assert _saved_step(tmp_path) == 7
    finished = train_in_process(make_task(data), tmp_path)
    assert json.loads((finished / "run.json").read_text())["attempts"][1]["from_step"] == 7


def test_a_kill_between_the_first_and_the_last_published_file_is_mended_by_the_next_start(
    data, whole, tmp_path, monkeypatch
):
    finished = Finished(whole.parents[1], whole.name)
    targets = {name: tmp_path / name for name in OUTPUTS}
    publish = Finished.publish

    def killed_at_the_third(self, name, target):
        if name == OUTPUTS[2]:
            target.with_name(f".{name}.another-host.17.abc.partial").write_text("half")
            raise Crash
        publish(self, name, target)

    monkeypatch.setattr(Finished, "publish", killed_at_the_third)
    with pytest.raises(Crash):
        publish_run(finished, targets, "trained")
    assert not (tmp_path / "run.json").exists()  # who sees it, sees them all
    monkeypatch.undo()
    publish_run(finished, targets, "again")
    assert same_results(whole, tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(OUTPUTS)


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


def test_a_second_start_waits_for_the_first_and_publishes_what_it_made(data, whole, tmp_path):
    first, second = _one_that_waits_for_another(data, tmp_path)
    first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    _, text = second.communicate()
    assert second.returncode == 0, text
    assert f"waiting for process {first.pid} on {os.uname().nodename}" in text
    assert "published again, no step made" in text
    assert same_results(whole, tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())
    assert [attempt["pid"] for attempt in run["attempts"]] == [first.pid]


def test_a_start_that_waits_for_one_that_is_killed_goes_on_from_its_state(data, whole, tmp_path):
    first, second = _one_that_waits_for_another(data, tmp_path)
    saved = _saved_step(tmp_path / "work")
    first.kill()
    first.wait()
    _, text = second.communicate()
    assert second.returncode == 0, text
    assert "took over the lock of a process that is gone" in text
    assert f"going on from step {saved} of 40" in text
    assert same_results(whole, tmp_path)


def _one_that_waits_for_another(data: Path, out: Path) -> tuple[subprocess.Popen, subprocess.Popen]:
    """Start two of one run: the first is held in the middle (it goes on at SIGCONT), the second waits for it."""
    first = start(data, out, "--save-every-seconds", "0")
    _wait_for_step(out / "work", 5, first)
    first.send_signal(signal.SIGSTOP)
    second = start(data, out, "--lock-wait-minutes", "10", "--log", str(out / "second.log"))
    while not ((out / "second.log").exists() and "waiting for" in (out / "second.log").read_text()):
        assert second.poll() is None, second.communicate()[1]
        time.sleep(0.01)
    return first, second


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


def test_the_program_ends_by_itself_near_its_time_limit_and_goes_on_the_next_time(
    data, whole, tmp_path, monkeypatch
):
    """Its clock is put forward by a day when it has saved its state twice, at the checkpoints of steps 0 and 3."""
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, time\n"
        f"saved, now = pathlib.Path({str(tmp_path / 'work' / state.PREVIOUS)!r}), time.monotonic\n"
        "time.monotonic = lambda: now() + 86400 * saved.exists()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    program = start(data, tmp_path, "--time-limit-minutes", "60")
    _, text = program.communicate()
    assert program.returncode == 75, text
    assert "the time limit of 60 minutes is near" in text
    assert _saved_step(tmp_path / "work") == 3
    program = start(data, tmp_path, "--time-limit-minutes", "60")  # put forward from its beginning
    _, text = program.communicate()
    assert program.returncode == 0, text
    assert "going on from step 3 of 40" in text
    assert same_results(whole, tmp_path)


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


def test_a_signal_kills_nothing_while_python_itself_ends():
    """Python gives signals back to the system first, and then clears up: here an object that sends one."""
    script = """
import os, signal, time
from spectral_priority.training.stopping import StopRequest

class Late:
    send, own = os.kill, os.getpid()
    def __del__(self):
        self.__class__.send(self.own, 15)

StopRequest(10, time.monotonic())
late = Late()
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


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
