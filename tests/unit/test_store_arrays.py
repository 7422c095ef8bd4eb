"""What only its own program reads again comes back as it was, or not at all."""

import numpy as np
import pytest
import xarray as xr

from spectral_priority.errors import InputError
from spectral_priority.measures import reference
from spectral_priority.measures.registry import measure_names
from spectral_priority.store.arrays import read_arrays, write_arrays


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
