"""Files appear whole or not at all, and damaged or foreign ones are refused by name."""

import errno
import os
import resource
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from spectral_priority.errors import InputError
from spectral_priority.store import atomic as atomic_module
from spectral_priority.store.atomic import atomic, read_json, remove_partials, write_json, write_text
from spectral_priority.store.checksum import file_sha256
from spectral_priority.store.finished import Finished
from spectral_priority.store.netcdf import read_dataset, read_provenance, write_dataset
from spectral_priority.store.tables import read_csv, write_csv


def dataset() -> xr.Dataset:
    rng = np.random.default_rng(0)
    unit = {"units": "1", "long_name": "a number"}
    return xr.Dataset(
        {"share": (("checkpoint", "ring"), rng.random((3, 16)), unit), "n": ("checkpoint", [1, 2, 3], unit)},
        coords={"ring": ("ring", np.arange(1, 17), {"units": "cycles/image", "long_name": "ring"})},
    )


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "gradient.h5"
    write_dataset(path, dataset(), "measure:gradient", {"seed": 1})
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_what_a_killed_writer_left_is_removed_by_the_next_and_what_a_living_one_writes_is_not(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead = tmp_path / f".a.txt.{atomic_module.HOST}.{ended.pid}.xyz.partial"
    alive = tmp_path / f".a.txt.{atomic_module.HOST}.{os.getppid()}.xyz.partial"
    elsewhere = tmp_path / f".a.txt.another-host.{ended.pid}.xyz.partial"
    for path in (dead, alive, elsewhere):
        path.write_text("half")
    write_text(tmp_path / "a.txt", "whole")
    assert not dead.exists() and alive.exists() and elsewhere.exists()


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "a.json"
    write_json(target, {"old": True})

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_module, "sync", full)
    with pytest.raises(InputError, match=r"a\.json: the disk is full"):
        write_json(target, {"new": True})
    assert read_json(target) == {"old": True} and names(tmp_path) == ["a.json"]


def test_a_file_beyond_the_limit_of_its_user_is_said_and_leaves_the_old_one(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    write_text(tmp_path / "a.txt", "old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match=r"a\.txt: would become larger than"):
            write_text(tmp_path / "a.txt", "new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.txt").read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_who_alone_may_write_a_file_removes_what_writers_of_any_machine_left(tmp_path):
    for name in (".a.txt.another-host.17.x.partial", ".b.txt.another-host.17.x.partial", "a.txt"):
        (tmp_path / name).write_text("half")
    remove_partials(tmp_path / "a.txt")
    assert names(tmp_path) == [".b.txt.another-host.17.x.partial", "a.txt"]


def test_what_a_kill_left_of_an_unfinished_result_goes_with_the_next_finished_one(tmp_path):
    left = tmp_path / "finished" / "0123.partial"
    left.mkdir(parents=True)
    finished = Finished(tmp_path, "4567")
    finished.keep(lambda folder: write_text(folder / "r.txt", "result"))
    assert names(tmp_path / "finished") == ["4567"]


def test_a_disk_that_is_really_full_is_said_also_by_hdf5():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError) as error, full.open("wb", buffering=0) as file:
        file.write(b"x")
    assert "disk is full" in str(atomic_module.explained(error.value, "x.h5"))
    wrapped = OSError(
        "Unable to write (file write failed: errno = 28, error message = 'No space left on device')"
    )
    assert "disk is full" in str(atomic_module.explained(wrapped, "x.h5"))


def test_an_unwritable_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="can't be written"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_a_dataset_reads_back_as_it_was_written(stored):
    xr.testing.assert_equal(read_dataset(stored, "measure:gradient"), dataset())
    assert read_provenance(read_dataset(stored, "measure:gradient")) == {"seed": 1}


def test_a_dataset_opens_in_h5py_with_units_checksums_and_dimension_names(stored):
    with h5py.File(stored) as file:
        assert file["share"].shape == (3, 16) and file["share"].fletcher32
        assert file["share"].dims[1][0].name == "/ring"
        assert file["ring"].attrs["units"] in ("cycles/image", b"cycles/image")


def test_a_flipped_bit_is_noticed(stored):
    with h5py.File(stored) as file:
        start = file["share"].id.get_chunk_info(0).byte_offset
    content = bytearray(stored.read_bytes())
    content[start + 20] ^= 0xFF
    stored.write_bytes(content)
    with pytest.raises(InputError, match=r"gradient\.h5: is damaged"):
        read_dataset(stored, "measure:gradient")


def test_a_truncated_file_is_refused_by_name(stored):
    stored.write_bytes(stored.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"gradient\.h5: is damaged"):
        read_dataset(stored, "measure:gradient")


def test_a_foreign_hdf5_file_is_refused_by_name(tmp_path):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(InputError, match=r"foreign\.h5: has schema None"):
        read_dataset(path, "measure:gradient")


def test_a_file_of_another_kind_is_refused(stored):
    with pytest.raises(InputError, match=r"holds 'measure:gradient'\. Allowed: 'measure:paths'"):
        read_dataset(stored, "measure:paths")


def test_a_variable_without_a_unit_is_not_written(tmp_path):
    bare = dataset()
    del bare["share"].attrs["units"]
    with pytest.raises(ValueError, match="share has no units"):
        write_dataset(tmp_path / "a.h5", bare, "k", {})
    assert names(tmp_path) == []


def test_a_table_keeps_every_digit(tmp_path):
    frame = pd.DataFrame({"value": [0.1 + 0.2, 1 / 3, np.nan], "name": ["a", "None", "c,d"]})
    write_csv(tmp_path / "t.csv", frame)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "t.csv", ["value", "name"]), frame)


def test_a_table_without_its_columns_is_refused_by_name(tmp_path):
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [1]}))
    with pytest.raises(InputError, match=r"t\.csv: has no column b"):
        read_csv(tmp_path / "t.csv", ["a", "b"])


def test_a_file_s_checksum_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_the_two_newest_finished_results_are_kept(tmp_path):
    for number, name in enumerate("ab"):
        Finished(tmp_path, name).keep(lambda folder: write_text(folder / "r.txt", "result"))
        os.utime(tmp_path / "finished" / name, (number, number))
    Finished(tmp_path, "a").publish("r.txt", tmp_path / "r.txt")  # makes it the newer one
    Finished(tmp_path, "c").keep(lambda folder: write_text(folder / "r.txt", "result"))
    assert [Finished(tmp_path, name).is_whole() for name in "abc"] == [True, False, True]


def test_a_finished_result_changed_through_its_published_link_is_not_published_again(tmp_path):
    finished = Finished(tmp_path, "a")
    finished.keep(lambda folder: write_text(folder / "r.txt", "result"))
    finished.publish("r.txt", tmp_path / "r.txt")
    (tmp_path / "r.txt").write_text("edited")
    assert not finished.is_whole()


def test_a_result_that_could_not_be_finished_leaves_the_old_one(tmp_path):
    finished = Finished(tmp_path, "a")
    finished.keep(lambda folder: write_text(folder / "r.txt", "result"))

    def fail(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match="the disk is full"):
        finished.keep(fail)
    assert finished.is_whole()


def test_damaged_json_is_refused_by_name(tmp_path):
    (tmp_path / "run.json").write_text('{"a": ')
    with pytest.raises(InputError, match=r"run\.json: can't be read as JSON"):
        read_json(tmp_path / "run.json")
