"""One process at a time trains a run, and a dead one keeps nobody waiting."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time

import psutil
import pytest

from spectral_priority.errors import InputError
from spectral_priority.training import lock
from spectral_priority.training.lock import Lock


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def leave_lock(folder, age: float = 0.0, **changes) -> None:
    """Leave a lock as another process would, its last heartbeat `age` seconds ago."""
    path = folder / "lock"
    path.write_text(json.dumps({**lock._this_process(), "token": "other", **changes}))
    then = time.time() - age
    os.utime(path, (then, then))


def test_a_lock_is_held_once_and_released(tmp_path):
    with Lock(tmp_path) as held:
        assert held.took_over is None
        with (
            pytest.raises(InputError, match=f"process {os.getpid()} on .*, since .* works on this"),
            Lock(tmp_path),
        ):
            pass
        held.check()
        assert (tmp_path / "lock").exists()
    assert not (tmp_path / "lock").exists()
    with Lock(tmp_path):
        pass


def test_a_lock_is_released_when_the_work_fails(tmp_path):
    with pytest.raises(RuntimeError), Lock(tmp_path):
        raise RuntimeError
    assert not (tmp_path / "lock").exists()


def test_the_message_names_the_job(tmp_path):
    leave_lock(tmp_path, host="node17", pid=4711, job="99", since="2024-05-01T10:00:00+02:00")
    with (
        pytest.raises(InputError, match=r"process 4711 on node17, job 99, since 2024-05-01T10"),
        Lock(tmp_path),
    ):
        pass


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_over(tmp_path):
    leave_lock(tmp_path, pid=dead_process())
    with Lock(tmp_path) as held:
        assert held.took_over["token"] == "other"


def test_a_process_that_ended_unattended_is_dead(tmp_path):
    """A killed orphan stays a zombie where nobody asks after it, as in many containers."""
    ended = subprocess.Popen(["true"])
    while psutil.Process(ended.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    leave_lock(tmp_path, pid=ended.pid)
    with Lock(tmp_path) as held:
        assert held.took_over["pid"] == ended.pid
    ended.wait()


def test_the_number_of_a_process_of_another_machine_says_nothing(tmp_path):
    for elsewhere in ({"host": "node17"}, {"namespace": "pid:[1]"}):
        leave_lock(tmp_path, pid=dead_process(), **elsewhere)
        with pytest.raises(InputError), Lock(tmp_path):
            pass


def test_a_lock_without_heartbeat_is_taken_over_after_three_minutes(tmp_path):
    leave_lock(tmp_path, age=170, host="node17")
    with pytest.raises(InputError, match=r"last sign of life 17. s ago"), Lock(tmp_path):
        pass
    leave_lock(tmp_path, age=190, host="node17")
    with Lock(tmp_path) as held:
        assert held.took_over["host"] == "node17"


def test_the_age_of_a_heartbeat_is_told_by_the_file_system(tmp_path, monkeypatch):
    leave_lock(tmp_path, age=0, host="node17")
    monkeypatch.setattr(time, "time", lambda: 1e10)  # our own clock is centuries ahead
    with pytest.raises(InputError), Lock(tmp_path):
        pass


def test_of_many_takers_one_gets_an_abandoned_lock(tmp_path):
    for _ in range(5):
        leave_lock(tmp_path, age=500)
        holders, barrier, done = [], threading.Barrier(8), threading.Event()

        def take(holders=holders, barrier=barrier, done=done):
            barrier.wait()
            try:
                with Lock(tmp_path) as held:
                    holders.append(held)
                    done.wait(10)
            except InputError:
                holders.append(None)

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        while len(holders) < 8:
            time.sleep(0.01)
        done.set()
        for thread in threads:
            thread.join()
        assert sum(held is not None for held in holders) == 1


def test_the_heartbeat_keeps_a_lock_young_and_notices_its_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.02)
    with Lock(tmp_path) as held:
        os.utime(held.path, (0, 0))
        wait_until(lambda: held.path.stat().st_mtime > 0)
        leave_lock(tmp_path, host="node17")
        wait_until(lambda: held._lost)
        with pytest.raises(InputError, match=r"was taken over by process .* on node17"):
            held.check()
    assert (tmp_path / "lock").exists()  # another's lock is not released


def test_a_lock_that_another_took_while_this_process_slept_is_noticed_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 1e6)  # no heartbeat since it woke up
    with Lock(tmp_path) as held:
        leave_lock(tmp_path, host="node17")
        held.check()
        held._looked -= 3e6  # it slept for weeks
        with pytest.raises(InputError, match=r"was taken over by process .* on node17"):
            held.check()


def test_a_lock_that_was_removed_stops_its_holder(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.02)
    with Lock(tmp_path) as held:
        held.path.unlink()
        wait_until(lambda: held._lost)
        with pytest.raises(InputError, match="lock: was removed"):
            held.check()


def test_a_hiccup_of_the_disk_loses_no_lock(tmp_path):
    with Lock(tmp_path) as held:
        hidden = tmp_path / "hidden"
        held.path.rename(hidden)
        held.path.mkdir()  # reading it is an error, but it is there
        held._look()
        held.check()
        held.path.rmdir()
        hidden.rename(held.path)
    assert not held.path.exists()


def test_takers_leave_nothing_but_the_guard(tmp_path):
    leave_lock(tmp_path, pid=dead_process())
    for _ in range(3):
        with Lock(tmp_path), pytest.raises(InputError), Lock(tmp_path):
            pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["lock.guard"]


def test_a_start_can_wait_for_the_holder(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "RETRY", 0.02)
    leave_lock(tmp_path, host="node17")
    threading.Timer(0.2, (tmp_path / "lock").unlink).start()
    with Lock(tmp_path, wait_minutes=1) as held:
        assert held.took_over is None


def wait_until(true) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
