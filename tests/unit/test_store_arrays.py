"""What only its own program reads again comes back as it was, or not at all."""

import numpy as np
import pytest
import xarray as xr

from spectral_priority.errors import InputError
from spectral_priority.measures import reference
from spectral_priority.measures.registry import measure_names
from spectral_priority.store.arrays import read_arrays, write_arrays
from spectral_priority.store.netcdf import read_dataset, write_dataset


@pytest.mark.parametrize("name", measure_names())
def test_a_result_comes_back_as_it_was(name, tmp_path):
    made, _ = reference.measured(name)
    write_arrays(tmp_path / "part.npz", made)
    found = read_arrays(tmp_path / "part.npz")
    xr.testing.assert_identical(found, made)
    assert {key: value.dtype for key, value in found.variables.items()} == {
        key: value.dtype for key, value in made.variables.items()
    }


def test_words_that_are_objects_are_kept_without_pickle(tmp_path):
    made = xr.Dataset({"name": ("class", np.array(["cat", "tortoise"], dtype=object))})
    write_arrays(tmp_path / "part.npz", made)
    assert read_arrays(tmp_path / "part.npz").name.values.tolist() == ["cat", "tortoise"]


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.95])
def test_a_changed_byte_is_noticed(tmp_path, place):
    made = xr.Dataset({"share": ("ring", np.random.default_rng(0).random(500), {"units": "1"})})
    write_arrays(tmp_path / "part.npz", made)
    whole = bytearray((tmp_path / "part.npz").read_bytes())
    whole[int(place * len(whole))] ^= 0xFF
    (tmp_path / "part.npz").write_bytes(whole)
    with pytest.raises(InputError, match=r"part\.npz.*damaged"):
        read_arrays(tmp_path / "part.npz")


@pytest.mark.parametrize("kept", [0, 10, 0.5])
def test_a_truncated_or_missing_file_is_refused(tmp_path, kept):
    write_arrays(tmp_path / "part.npz", xr.Dataset({"share": ("ring", np.ones(50))}))
    whole = (tmp_path / "part.npz").read_bytes()
    (tmp_path / "part.npz").write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    with pytest.raises(InputError, match=r"part\.npz"):
        read_arrays(tmp_path / "part.npz")
    with pytest.raises(InputError, match="missing"):
        read_arrays(tmp_path / "missing.npz")


@pytest.mark.parametrize("name", measure_names())
def test_some_variables_of_a_result_are_those_of_the_whole(name, tmp_path):
    parts = [reference.measured(name, seed=seed)[0] for seed in (0, 1)]
    write_dataset(
        tmp_path / "a.h5", reference.join(parts, [0, 10], steps_per_epoch=10), "measure:x", {"seed": 3}
    )
    whole = read_dataset(tmp_path / "a.h5", "measure:x")
    wanted = [*whole.variables][::2]
    some = read_dataset(tmp_path / "a.h5", "measure:x", [*wanted, "nothing of that name"])
    assert set(some.variables) == set(wanted)
    for key, variable in some.variables.items():
        assert variable.dims == whole[key].dims and variable.attrs["units"] == whole[key].attrs["units"]
        np.testing.assert_array_equal(variable.values, whole[key].values)
    assert some.attrs["provenance"] == whole.attrs["provenance"]
    with pytest.raises(InputError, match="holds 'measure:x'"):
        read_dataset(tmp_path / "a.h5", "measure:y", ["share"])
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:2000])
    with pytest.raises(InputError, match="is damaged or no netCDF-4 file"):
        read_dataset(tmp_path / "a.h5", "measure:x", ["share"])
