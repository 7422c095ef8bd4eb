"""A study may take every measure there is: each has a file of its own, and the report still rests on the gradient."""

import pandas as pd
import xarray as xr
from small_study import snakemake, write_study

from spectral_priority.measures.registry import measure_names

TIERS = {
    "labels": {
        "kind": "labels",
        "dataset": "blobs",
        "labels": ["shape"],
        "images": {"train": 240, "validation": 40, "probe": 40},
    }
}
CHEAP = {
    "gradient": {"batch_norm_images": 64},
    "fourier-heatmap": {"most_images": 8},
    "paths": {"pairs": 10, "samples": 8},
    "gradient-svd": {"permutations": 19},
}
"""Options of measures that would take long; the others have their defaults."""
SHORT = {
    "base": {
        "width": 4,
        "steps": 10,
        "batch_size": 32,
        "checkpoints": {"early": [0], "every_epochs": 4},
        "evaluation_images": 64,
        "batch_norm_images": 64,
    }
}


def test_a_study_may_ask_which_class_is_learned_first(tmp_path):
    claim = {"kind": "learned-first", "text": "the low ring first", "tier": "labels", "class_name": "ring-2"}
    tiers = {
        "labels": {**TIERS["labels"], "labels": ["ring"]},
        "control": {"kind": "control", "of": "labels-ring-d0"},
    }
    write_study(tmp_path, tiers=tiers, claims=[claim], learned_first={"step": 10})
    snakemake(tmp_path)
    results = tmp_path / "results" / "mini"
    learned = pd.read_csv(results / "class_learning.csv")
    scores = pd.read_csv(results / "runs" / "labels-ring-d0" / "base" / "seed0" / "class_history.csv")
    expected = scores[scores["step"] == 10].set_index("class")["f1"]
    own = learned[learned["tier"] == "labels-ring-d0"].set_index("class")
    assert own["f1"].to_dict() == expected.to_dict() and set(own.index) == {"ring-2", "ring-5"}
    assert own["frequency"].between(1, 8).all() and own["distinctiveness"].eq(1).all(), "two classes"
    lead = expected["ring-2"] - expected["ring-5"]
    assert f"{lead:.4g} [" in pd.read_csv(results / "claims.csv")["detail"][0]
    page = (results / "report.html").read_text()
    assert 'id="figure-class-learning"' in page and "Which class is learned first" in page


def test_every_measure_can_be_named_in_a_study(tmp_path):
    instances = {name: CHEAP.get(name, {}) for name in measure_names()}
    write_study(tmp_path, tiers=TIERS, claims=[], measures=instances, recipes=SHORT)
    snakemake(tmp_path, "report")
    results = tmp_path / "results" / "mini"
    spectra = results / "runs" / "labels-shape-d0" / "base" / "seed0" / "spectra"
    assert {file.stem for file in spectra.glob("*.h5")} == set(measure_names())
    for name in measure_names():
        with xr.open_dataset(spectra / f"{name}.h5") as found:
            assert found.step.values.tolist() == [0, 10] and found.attrs["measure"] == name
    assert set(pd.read_csv(results / "priority.csv").instance) == {"gradient"}
    measures = pd.read_csv(results / "measures.csv")
    assert set(measures.instance) == set(measure_names()) - {"gradient"}
    assert (results / "report.html").exists()
