"""Programs that run at the same time on one machine never share a GPU, unless they are allowed to."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack

import pytest
from pretend_gpus import Holder, pretend_gpus
from tiny_training import make_task, same_results, start, train_in_process, write_data

from spectral_priority.errors import InputError
from spectral_priority.gpus import present
from spectral_priority.gpus.lease import lease_folder, lease_gpus, runs_per_gpu
from spectral_priority.gpus.present import list_gpus, usable_gpus
from spectral_priority.store.atomic import read_json


@pytest.fixture
def two(monkeypatch, tmp_path):
    return pretend_gpus(monkeypatch, tmp_path, 2)


@pytest.fixture
def holders():
    with ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(Holder(*arguments, **more))


def test_programs_at_the_same_time_get_different_gpus_and_a_third_one_waits(two, holders):
    first, second = holders(), holders()
    (of_first,), (of_second,) = first.gpus(), second.gpus()
    assert {of_first, of_second} == set(two)
    third = holders()
    said = third.waits()
    assert f"{of_first} by process {first.process.pid}" in said
    assert f"{of_second} by process {second.process.pid}" in said
    second.end()
    assert third.gpus() == [of_second]


def test_a_program_that_is_killed_gives_its_gpu_back(two, holders):
    first, second = holders(), holders()
    freed, _ = first.gpus(), second.gpus()
    third = holders()
    third.waits()
    first.kill()
    assert third.gpus() == freed


def test_many_small_runs_share_a_gpu_where_they_are_allowed_to(two, holders, monkeypatch):
    monkeypatch.setenv("SPECTRAL_PRIORITY_RUNS_PER_GPU", "2")
    given = [holders().gpus()[0] for _ in range(4)]
    assert set(given[:2]) == set(given[2:]) == set(two)  # one each, before any has two
    holders().waits()


@pytest.mark.parametrize("found", ["0", "two", "-1", "1.5", ""])
def test_a_number_of_runs_that_is_none_is_refused(monkeypatch, found):
    monkeypatch.setenv("SPECTRAL_PRIORITY_RUNS_PER_GPU", found)
    with pytest.raises(InputError, match="SPECTRAL_PRIORITY_RUNS_PER_GPU: found"):
        runs_per_gpu()


def test_a_training_on_two_gpus_takes_both_or_none(two, holders):
    first = holders()
    (taken,) = first.gpus()
    pair = holders(2)
    pair.waits()
    (free,) = set(two) - {taken}
    other = holders()
    assert other.gpus() == [free]  # the one that waits holds nothing meanwhile
    first.end()
    other.end()
    assert set(pair.gpus()) == set(two)


def test_more_gpus_than_there_are_is_refused(two):
    with pytest.raises(InputError, match=r"wants 3, but there are 2.*recipes\.<name>\.gpus"):
        lease_gpus(3)


PARENT = """
import subprocess, sys
from spectral_priority.gpus.lease import lease_gpus, share_with_children
lease_gpus({number})
share_with_children()
child = 'from spectral_priority.gpus.lease import lease_gpus; print(",".join(lease_gpus()), flush=True); input()'
subprocess.Popen([sys.executable, "-c", child])
sys.stdin.read()
"""


def test_gpus_are_held_until_the_last_process_of_a_training_has_ended(two, holders):
    parent = holders(2, PARENT)
    assert set(parent.gpus()) == set(two)  # as the child says
    parent.process.kill()
    parent.process.wait()
    next_one = holders()
    next_one.waits()
    parent.process.stdin.write("\n")  # which the child reads
    parent.process.stdin.flush()
    assert next_one.gpus()[0] in two


# --- which GPUs may be used ---------------------------------------------------------------------------------


def test_only_gpus_that_the_user_names_are_chosen_from(two, monkeypatch):
    assert usable_gpus() == two
    for named, expected in (("1", two[1:]), (two[1], two[1:]), (two[1][:12], two[1:]), ("1,0,1", two[::-1])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert usable_gpus() == expected


@pytest.mark.parametrize("named", ["2", "GPU-ffff", "1,two"])
def test_a_gpu_that_is_not_there_is_refused(two, named):
    with pytest.raises(InputError, match=r"CUDA_VISIBLE_DEVICES: found.*0 to 1"):
        usable_gpus({"CUDA_VISIBLE_DEVICES": named})


def test_where_there_is_no_gpu_nothing_happens(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(present, "DRIVER", tmp_path / "no driver")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert lease_gpus() == ()
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus_are_not_even_looked_for(two, tmp_path, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert lease_gpus() == ()
    assert not (tmp_path / "asked").exists()


def test_what_a_scheduler_assigned_is_left_alone(two, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert lease_gpus() == ()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert not (tmp_path / "asked").exists()


def test_jobs_inside_an_allocation_of_several_gpus_share_them_out(two, holders, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert {holders().gpus()[0], holders().gpus()[0]} == set(two)


def test_instances_stand_in_place_of_a_gpu_that_is_divided(monkeypatch, tmp_path):
    text = """GPU 0: NVIDIA A100 (UUID: GPU-aaaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-1111)
  MIG 3g.20gb     Device  1: (UUID: MIG-2222)
GPU 1: NVIDIA A100 (UUID: GPU-bbbb)
"""
    pretend_gpus(monkeypatch, tmp_path, 0, text)
    assert usable_gpus() == ["MIG-1111", "MIG-2222", "GPU-bbbb"]
    assert usable_gpus({"CUDA_VISIBLE_DEVICES": "0"}) == ["MIG-1111", "MIG-2222"]
    assert usable_gpus({"CUDA_VISIBLE_DEVICES": "MIG-2222"}) == ["MIG-2222"]


def test_without_nvidia_smi_the_driver_is_read(monkeypatch, tmp_path):
    for place in (0, 1):
        file = tmp_path / "driver" / f"0000:0{place}:00.0" / "information"
        file.parent.mkdir(parents=True)
        file.write_text(f"Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-{place}{place}\nBus Type: \t PCIe\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(present, "DRIVER", tmp_path / "driver")
    assert list(list_gpus()) == ["GPU-00", "GPU-11"]


def test_an_nvidia_smi_that_fails_costs_a_warning_and_no_run(monkeypatch, tmp_path, caplog):
    pretend_gpus(monkeypatch, tmp_path, 2, code=9)
    assert lease_gpus() == ()
    assert "nvidia-smi lists no GPUs" in caplog.text


@pytest.mark.parametrize("planted", ["a link", "open to others", "a file"])
def test_a_folder_of_leases_that_others_could_have_made_is_refused(two, tmp_path, planted):
    folder = lease_folder()
    folder.rmdir()
    if planted == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    elif planted == "a file":
        folder.touch(mode=0o700)
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(InputError, match="not a folder of yours alone"):
        lease_gpus()
    assert not (tmp_path / "elsewhere").exists() or not any((tmp_path / "elsewhere").iterdir())


# --- the programs -------------------------------------------------------------------------------------------


def test_importing_the_leases_imports_no_torch():
    code = "import sys, spectral_priority.gpus.several; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_training_on_two_gpus_starts_a_process_for_each_and_says_which_gpus(two, holders, tmp_path):
    """Without CUDA the first of the processes trains alone, as it always did."""
    write_data(tmp_path)
    train_in_process(make_task(tmp_path, gpus=2), tmp_path / "alone")
    alone = next((tmp_path / "alone" / "finished").iterdir())
    program = start(tmp_path, tmp_path, "--device", "auto", "--gpus", "2", gpus=2)
    _, said = program.communicate(timeout=180)
    assert program.returncode == 0, said
    assert "starting 2 processes" in said
    assert same_results(alone, tmp_path)
    (attempt,) = read_json(tmp_path / "run.json")["attempts"]
    assert set(attempt["gpus"].split(",")) == set(two)
    both = holders(2).gpus()
    assert set(both) == set(two)  # given back
    again = start(tmp_path, tmp_path, "--device", "auto", "--gpus", "2", gpus=2)
    _, said = again.communicate(timeout=180)  # while they are in use: a finished run needs none
    assert again.returncode == 0 and "published again" in said and "waiting" not in said
