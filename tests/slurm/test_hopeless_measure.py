"""A measure that can't succeed takes those of its submission with it; submitted apart, the others are finished."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from local import with_tiers
from study import STUDY, run

pytestmark = pytest.mark.soak
RUN = Path("labels-shape-d0/base/seed0")
HOPELESS = {"gradient-svd": {"label": "nowhere"}}


def test_measures_beside_a_hopeless_one_are_finished_when_submitted_apart(cluster, tmp_path):
    measures = {**HOPELESS, **yaml.safe_load(STUDY)["measures"]}
    folder = with_tiers(cluster, tmp_path / "study", measures=measures)
    log = f"results/logs/mini/runs/{RUN}/spectra/gradient-svd.log"
    for variables in ({}, {"MEASURES_APART": "1"}):
        told = run(cluster, folder, "measures", expect=1, **variables)
        assert told.count(f"  measure: {log}\n") == 1 and "nowhere" in told[told.rindex(" failed:") :]
    made = sorted(path.name for path in (folder / "results/mini/runs" / RUN / "spectra").glob("*.h5"))
    assert made == ["gradient.h5", "weight-svd.h5"]
