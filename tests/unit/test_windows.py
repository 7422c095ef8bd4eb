"""Windows show the values that they say, as the standard defines them, whatever the type they are stored in."""

import sys

import numpy as np
import pytest
from pydantic import ValidationError

from spectral_priority.config.medical import MedicalFiles
from spectral_priority.data.extras import needed
from spectral_priority.data.windows import between, dicom_window, eight_bit
from spectral_priority.errors import InputError


def by_the_standard(x, centre, width):
    """PS3.3, C.11.2.1.2.1, for output from 0 to 1."""
    if x <= centre - 0.5 - (width - 1) / 2:
        return 0.0
    if x > centre - 0.5 + (width - 1) / 2:
        return 1.0
    return (x - (centre - 0.5)) / (width - 1) + 0.5


@pytest.mark.parametrize("centre, width", [(40, 400), (2048, 4096), (0.5, 2), (7, 1)])
def test_a_linear_window_is_the_one_of_the_standard(centre, width):
    values = np.linspace(-300, 5000, 4001)
    expected = [by_the_standard(value, centre, width) for value in values]
    assert dicom_window(values, centre, width) == pytest.approx(np.array(expected))


def test_the_other_windows_of_the_standard():
    assert dicom_window(np.array([30.0, 40, 50]), 40, 20, "LINEAR_EXACT").tolist() == [0, 0.5, 1]
    found = dicom_window(np.array([35.0, 40, 45]), 40, 20, "SIGMOID")
    assert found == pytest.approx([1 / (1 + np.e), 0.5, 1 / (1 + 1 / np.e)])
    for width, function in ((0.5, "LINEAR"), (0, "SIGMOID"), (10, "CUBIC")):
        with pytest.raises(ValueError, match="window of width"):
            dicom_window(np.zeros(1), 0, width, function)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", ">i2", "i4", "f4"])
def test_a_table_of_values_gives_what_each_value_gives(dtype):
    values = np.random.default_rng(0).integers(-100, 100, (9, 7)).astype(dtype)
    low, high = float(values.min()) + 3, float(values.max()) - 5
    slow = [[round(255 * min(max((float(v) - low) / (high - low), 0), 1)) for v in row] for row in values]
    assert eight_bit(values, lambda stored: between(stored, low, high)).tolist() == slow


def test_slices_and_windows_that_mean_nothing_are_refused():
    for wrong in (
        {"slices": {"first": 0.5, "last": 0.5}},
        {"slices": {"axis": "z"}},
        {"slices": {"every": 0}},
        {"window": {"centre": 0, "width": 0}},
    ):
        with pytest.raises(ValidationError):
            MedicalFiles.model_validate(wrong)


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        InputError, match=r"DICOM files: can't be read: the package pydicom is missing.*\[medical\]"
    ):
        needed("pydicom", "DICOM files")
