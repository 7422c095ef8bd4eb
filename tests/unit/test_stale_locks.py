"""The same command goes on after Snakemake was killed, and never breaks the lock of a living one."""

import base64
import json
import os
import socket
import subprocess
import sys

import psutil
import pytest

from spectral_priority.recovery.stale_locks import (
    clear_after_dead,
    dead_since,
    is_alone,
    is_taken_over,
    made_alone,
    own_note,
)


@pytest.fixture
def folder(tmp_path):
    for name in ("locks", "owners", "incomplete"):
        (tmp_path / ".snakemake" / name).mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").write_text("a")
    for output in ("results/demo/half.h5", "results/demo/whole.h5", "notes/mine.txt"):
        (tmp_path / output).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / output).write_text("x")
    for output in ("results/demo/half.h5", "notes/mine.txt"):
        marker = base64.urlsafe_b64encode(output.encode()).decode()
        (tmp_path / ".snakemake/incomplete" / marker).write_text("{}")
    return tmp_path


def note(folder, pid, started, host=None):
    text = json.dumps({"host": host or socket.gethostname(), "pid": pid, "started": started})
    (folder / ".snakemake/owners" / f"{pid}.json").write_text(text)


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_removed(folder):
    note(folder, dead_pid(), 0)
    assert clear_after_dead(folder)
    assert not list((folder / ".snakemake/locks").iterdir())


def test_outputs_of_jobs_that_died_are_removed_and_no_other_file(folder):
    note(folder, dead_pid(), 0)
    clear_after_dead(folder)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in (".h5", ".txt")}
    assert left == {"results/demo/whole.h5", "notes/mine.txt"}


def test_the_lock_of_a_living_process_stays(folder):
    note(folder, os.getpid(), psutil.Process().create_time())
    note(folder, dead_pid(), 0)
    assert not clear_after_dead(folder)
    assert list((folder / ".snakemake/locks").iterdir())


def test_a_new_process_with_an_old_number_is_not_the_owner(folder):
    note(folder, os.getpid(), 12345.0)
    assert clear_after_dead(folder)


def test_a_process_on_another_host_counts_as_alive(folder):
    note(folder, dead_pid(), 0, host="another-host")
    assert not clear_after_dead(folder)


def test_a_lock_without_any_note_is_somebody_else_s(folder):
    assert not clear_after_dead(folder)
    assert list((folder / ".snakemake/locks").iterdir())


def test_this_process_is_noted(folder):
    clear_after_dead(folder)
    notes = [json.loads(path.read_text()) for path in (folder / ".snakemake/owners").glob("*.json")]
    assert [entry["pid"] for entry in notes] == [os.getpid()]


def test_a_process_that_ends_with_jobs_interrupted_leaves_its_note_for_the_next(folder):
    """Ctrl-C: Snakemake ends by itself, but the outputs of its jobs stay marked as incomplete."""
    words = "import sys, pathlib; from spectral_priority.recovery.stale_locks import clear_after_dead; "
    words += "clear_after_dead(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", words, str(folder)], check=True)
    assert len(list((folder / ".snakemake/owners").iterdir())) == 1
    assert clear_after_dead(folder) and not (folder / "results/demo/half.h5").exists()


def test_a_process_that_ends_with_nothing_open_leaves_no_note(tmp_path):
    words = "import sys, pathlib; from spectral_priority.recovery.stale_locks import clear_after_dead; "
    words += "clear_after_dead(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", words, str(tmp_path)], check=True)
    assert not list((tmp_path / ".snakemake/owners").iterdir())


def test_another_note_means_that_this_process_is_not_alone(folder):
    clear_after_dead(folder)
    assert is_alone(folder)
    note(folder, 1, 0, host="another-host")
    assert not is_alone(folder)


def test_whoever_unlocks_says_that_all_are_dead(folder):
    note(folder, dead_pid(), 5.0, host="another-host")
    assert dead_since(folder) is None
    assert dead_since(folder, all_dead=True) == 5.0
    assert clear_after_dead(folder, all_dead=True)
    assert not list((folder / ".snakemake/locks").iterdir())


def test_a_job_is_taken_over_when_its_snakemake_was_found_dead_and_not_before(folder):
    clear_after_dead(folder)
    mine = own_note(folder)
    assert not is_taken_over(folder, mine)
    assert is_taken_over(folder, {**mine, "started": mine["started"] - 100})  # an old process with our number
    (folder / ".snakemake/owners" / f"{mine['host']}-{mine['pid']}.json").unlink()
    assert is_taken_over(folder, mine)
    assert own_note(folder) is None


def test_what_was_made_since_without_a_record_is_found(folder):
    """Of recorded, older and undeclared files none is."""
    results = folder / "results"
    files = ("demo/recorded.h5", "demo/older.h5", "state/demo/lock", "logs/demo/train.log", "demo/alone.h5")
    for name in files:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("x")
    for name in ("demo/older.h5", "demo/whole.h5", "demo/half.h5"):
        os.utime(results / name, (50, 50))
    record = folder / ".snakemake/metadata" / base64.urlsafe_b64encode(b"results/demo/recorded.h5").decode()
    record.parent.mkdir()
    record.write_text("{}")
    assert [path.as_posix() for path in made_alone(folder, 100.0)] == ["results/demo/alone.h5"]
