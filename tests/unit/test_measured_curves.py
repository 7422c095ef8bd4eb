"""over_training.csv holds what the files of runs hold, of the primary recipes, and no more than figures need."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from spectral_priority.config import parse_study
from spectral_priority.errors import InputError
from spectral_priority.statistics.measured_curves import CURVES, Curve, curve_rows, measured_curves
from spectral_priority.statistics.tables import HISTORY, OVER_TRAINING, read_over_training
from spectral_priority.store.atomic import write_json
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.tables import write_csv

STEPS, RINGS, FILTERS = np.array([0, 5, 9]), np.arange(1, 5), ["none", "band-stop-low"]
TIER = "labels-shape-d0"
STUDY = parse_study(
    {
        "study": "small",
        "datasets": {"s": {"source": {"kind": "shapes-textures"}, "size": 32}},
        "tiers": {"labels": {"kind": "labels", "dataset": "s", "labels": ["shape"]}},
        "recipes": {"base": {}, "wide": {"width": 64}},
        "measures": {"gradient": {}, "band-accuracy": {}, "critical-band": {}},
        "seeds": 2,
    }
)
ABOUT = {"units": "1", "long_name": "made up"}


def swept(variables, **coordinates):
    given = {name: (dims, np.asarray(values), ABOUT) for name, (dims, values) in variables.items()}
    given["n"] = ("checkpoint", np.full(len(STEPS), 7), ABOUT)
    coordinates |= dict.fromkeys(("step", "epoch"), ("checkpoint", STEPS, ABOUT))
    return xr.Dataset(
        given, {name: c if isinstance(c, tuple) else (name, c, ABOUT) for name, c in coordinates.items()}
    )


def accuracy(seed):
    values = np.arange(6).reshape(3, 2) / 10 + seed
    both = ("checkpoint", "filter")
    return swept({"accuracy": (both, values), "accuracy_se": (both, values / 100)}, filter=FILTERS)


@pytest.fixture()
def results(tmp_path):
    folder = tmp_path / "small"
    write_json(
        folder / "tiers" / f"{TIER}.json",
        {"tier": TIER, "chain": None, "control": None, "manifest_sha256": "m"},
    )
    for run in STUDY.list_runs():
        at, name = folder / "runs" / run.tier / run.recipe / f"seed{run.seed}", f"{run.recipe}/{run.seed}"
        facts = {"fingerprint": name, "code": "c", "manifest_sha256": "m"}
        write_json(at / "run.json", run._asdict() | facts)
        write_csv(
            at / "history.csv", pd.DataFrame(0.5, index=range(3), columns=list(HISTORY)).assign(step=STEPS)
        )
        made_by = {"run_fingerprint": name, "code": "5"}
        time = [3.0, np.nan, 7.0, 1.0]
        gradient = swept({"half_time": ("ring", time)}, ring=("ring", RINGS, ABOUT))
        write_dataset(at / "spectra" / "gradient.h5", gradient, "measure:gradient", made_by)
        write_dataset(
            at / "spectra" / "band-accuracy.h5", accuracy(run.seed), "measure:band-accuracy", made_by
        )
    return tmp_path


def test_every_value_of_the_primary_recipe_has_a_row(results, tmp_path):
    table = measured_curves(STUDY, results)
    assert list(table.columns) == list(OVER_TRAINING) and set(table["recipe"]) == {"base"}
    assert len(table) == 2 * (3 * 2 + 4), "seeds × (checkpoints × filters + rings)"
    cell = table[(table["seed"] == 1) & (table["of"] == "band-stop-low") & (table["step"] == 5)].iloc[0]
    assert (cell["value"], cell["standard_error"], cell["n"]) == pytest.approx((1.3, 0.013, 7))
    times = table[(table["variable"] == "half_time") & (table["seed"] == 0)]
    assert times["at"].tolist() == [1, 2, 3, 4] and set(times["step"]) == {9}
    assert np.array_equal(times["value"], [3, np.nan, 7, 1], equal_nan=True)
    write_csv(tmp_path / "over_training.csv", table)
    again = read_over_training(tmp_path / "over_training.csv")
    assert again["of"].tolist() == table["of"].tolist() and np.array_equal(
        again["value"], table["value"], equal_nan=True
    )


def test_a_mixture_of_codes_is_refused(results):
    path = results / "small" / "runs" / TIER / "base" / "seed1" / "spectra" / "band-accuracy.h5"
    write_dataset(path, accuracy(1), "measure:band-accuracy", {"run_fingerprint": "base/1", "code": "6"})
    with pytest.raises(InputError, match="was made with code 6"):
        measured_curves(STUDY, results)


def test_spectra_are_kept_at_the_first_and_the_last_checkpoint():
    share = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    found = swept({"softmax_share": (("checkpoint", "pair", "cycle"), share)}, pair=["within", "between"],
                  cycle=("cycle", RINGS, ABOUT))  # fmt: skip
    rows = curve_rows(found, CURVES["paths"][0])
    assert sorted(set(rows["step"])) == [0, 9]
    last = rows[(rows["step"] == 9) & (rows["of"] == "between")]
    assert last["value"].tolist() == share[2, 1].tolist() and last["at"].tolist() == [1, 2, 3, 4]


def test_singular_values_are_those_of_some_layers_and_means_over_groups():
    values = np.random.default_rng(0).random((3, 5, 2, 12))
    found = swept({"singular_value": (("checkpoint", "layer", "group", "index"), values)}, layer=list("abcde"),
                  group=["x", "y"], index=("index", np.arange(1, 13), ABOUT))  # fmt: skip
    rows = curve_rows(found, Curve("singular_value", of="layer", at="index"))
    assert sorted(set(rows["of"])) == ["a", "c", "e"] and sorted(set(rows["at"])) == list(range(1, 9))
    cell = rows[(rows["of"] == "c") & (rows["at"] == 2) & (rows["step"] == 5)].iloc[0]
    assert cell["value"] == pytest.approx(values[1, 2, :, 1].mean()) and np.isnan(cell["standard_error"])
