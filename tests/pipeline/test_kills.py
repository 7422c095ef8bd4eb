"""Killed at any moment, the same command goes on, and ends with the same bytes."""

import contextlib
import os
import signal
import subprocess
import time

import psutil
import pytest
from small_study import command, snakemake, write_study

pytestmark = pytest.mark.pipeline

TARGET = "runs"
"""Killed are trainings; what comes after them would take most of the time. tests/soak kills all of it."""
SAME = ("checkpoints.safetensors", "history.csv", "class_history.csv")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    write_study(folder)
    snakemake(folder, TARGET)
    return results(folder)


def start(folder):
    env = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_PRIORITY")}
    log = (folder / "snakemake.log").open("ab")
    return subprocess.Popen(command(folder, TARGET), stdout=log, stderr=log, start_new_session=True, env=env)


def wait_for(condition, process, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        if process.poll() is not None:
            return
        time.sleep(0.05)


def programs(process, name):
    """The living Python processes below a process that run a program of that name."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile; a zombie is one of those
            if "python" in child.name() and any(word.endswith(f"{name}.py") for word in child.cmdline()):
                found.append(child)
    return found


def results(folder):
    runs = folder / "results/mini/runs"
    return {
        str(path.relative_to(runs)): path.read_bytes() for name in SAME for path in sorted(runs.rglob(name))
    }


def test_snakemake_and_its_programs_killed_in_training_then_the_same_command(undisturbed, tmp_path):
    write_study(tmp_path)
    process = start(tmp_path)
    wait_for(lambda: list(tmp_path.glob("results/state/mini/*/base/seed0/state.safetensors")), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    snakemake(tmp_path, TARGET)
    assert results(tmp_path) == undisturbed


def test_only_snakemake_killed_while_its_training_lives_on(undisturbed, tmp_path):
    """The orphan holds the run's lock; the new job waits for it and publishes what it made."""
    write_study(tmp_path)
    process = start(tmp_path)
    watched = psutil.Process(process.pid)
    wait_for(lambda: programs(watched, "train"), process)
    process.kill()
    process.wait()
    snakemake(tmp_path, TARGET)
    assert results(tmp_path) == undisturbed


def test_only_the_training_killed(undisturbed, tmp_path):
    write_study(tmp_path)
    process = start(tmp_path)
    watched = psutil.Process(process.pid)
    wait_for(lambda: list(tmp_path.glob("results/state/mini/*/base/seed0/state.safetensors")), process)
    for program in programs(watched, "train"):
        program.kill()
    assert process.wait(300) != 0
    snakemake(tmp_path, TARGET)
    assert results(tmp_path) == undisturbed
