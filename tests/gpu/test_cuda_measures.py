"""Every measure on a CUDA device: the numbers of the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_measure_contract import every_measure, model, options_of, probe, taken

from spectral_priority.measures.registry import load_measure

pytestmark = pytest.mark.gpu


@every_measure
def test_a_measure_is_the_same_on_both_devices(name):
    found = load_measure(name)(model().cuda(), probe(), options_of(name))
    for variable, expected in taken(name).data_vars.items():
        if not variable.endswith("_residual"):  # rounding errors themselves
            np.testing.assert_allclose(found[variable], expected, rtol=1e-3, atol=1e-6, err_msg=variable)
