"""A measure that can't succeed, in one submission with others of its run: these are finished, and can be had apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from local import with_tiers
from study import STUDY, run

pytestmark = pytest.mark.soak
RUN = Path("labels-shape-d0/base/seed0")
HOPELESS = {"gradient-svd": {"label": "nowhere"}}


def test_measures_beside_a_hopeless_one_are_finished_and_published_apart(cluster, tmp_path):
    measures = {**HOPELESS, **yaml.safe_load(STUDY)["measures"]}
    folder = with_tiers(cluster, tmp_path / "study", measures=measures)
    first = run(cluster, folder, "measures", expect=1)
    log = f"results/logs/mini/runs/{RUN}/spectra/gradient-svd.log"
    end = first[first.rindex("1 job failed:") :]
    assert f"  measure: {log}\n" in end and "nowhere" in end
    kept = folder / "results/state/mini" / RUN / "spectra"
    assert list(kept.glob("gradient/finished/*")) and list(kept.glob("weight-svd/finished/*"))

    run(cluster, folder, "measures", expect=1, MEASURES_APART="1")
    made = sorted(path.name for path in (folder / "results/mini/runs" / RUN / "spectra").glob("*.h5"))
    assert made == ["gradient.h5", "weight-svd.h5"]
    published = (folder / f"results/logs/mini/runs/{RUN}/spectra/gradient.log").read_text()
    assert "published again" in published
