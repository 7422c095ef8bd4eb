"""The numbers of the explorer are those of the study's tables, thinned where a page would grow too large."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from simulated_study import STEPS, document, simulate

from spectral_priority.config import load_study, parse_study
from spectral_priority.errors import InputError
from spectral_priority.explorer.charts import charts
from spectral_priority.explorer.fragment import explorer
from spectral_priority.explorer.lines import FEWEST_CHECKPOINTS, explored
from spectral_priority.explorer.numbers import kept_checkpoints, packed, unpacked
from spectral_priority.statistics.tables import read_learning
from spectral_priority.store.netcdf import read_dataset


@given(arrays(np.float64, (3, 4), elements=st.floats(0, 1e6) | st.just(np.nan)))
def test_a_packed_number_is_off_by_half_a_step_at_most(values):
    stored = json.loads(json.dumps(packed(values)))
    assert stored["top"] == (np.nanmax(values) if np.isfinite(values).any() else 0)
    np.testing.assert_allclose(unpacked(stored), values, atol=stored["top"] / 65534 * 0.51, rtol=0)


def test_what_can_not_be_packed_is_refused():
    for value in (-0.1, np.inf):
        with pytest.raises(ValueError, match="from 0 on"):
            packed(np.array([0.5, value]))


@given(st.sets(st.integers(0, 100_000), min_size=2, max_size=400), st.integers(2, 50))
def test_first_and_last_checkpoint_are_always_kept(steps, most):
    steps = np.array(sorted(steps))
    kept = kept_checkpoints(steps, most)
    assert {0, len(steps) - 1} <= set(kept.tolist())
    assert len(kept) <= max(most + 2, 2) and (np.diff(kept) > 0).all()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    paths = simulate(tmp_path_factory.mktemp("study"), groups=(2, 4), seeds=3)
    return (
        load_study(paths["study"]),
        read_dataset(paths["profiles"], "profiles"),
        read_learning(paths["learning"]),
    )


def test_a_line_is_the_mean_over_seeds_with_its_standard_error(study):
    found = explored(*study)
    profiles = study[1]
    line = next(one for one in found.lines if one.tier.name == "regroup-2-d1" and one.recipe == "wide")
    own = (profiles["tier"] == "regroup-2-d1") & (profiles["recipe"] == "wide")
    own &= (profiles["instance"] == line.instance) & (profiles["step"] == 100)
    shares = profiles["share"].values[own.values]
    at = line.steps.tolist().index(100)
    assert (line.seeds, len(shares)) == (3, 3)
    np.testing.assert_allclose(line.share[at], shares.mean(axis=0))
    np.testing.assert_allclose(line.share_se[at], shares.std(axis=0, ddof=1) / np.sqrt(3))
    low = shares[:, :5].sum(axis=1)
    assert line.bands[at][0] == pytest.approx(low.mean())
    assert line.bands_se[at][0] == pytest.approx(low.std(ddof=1) / np.sqrt(3))
    centroids = shares @ np.arange(1, 17)
    assert line.centroid[at] == pytest.approx(centroids.mean())
    assert line.centroid_se[at] == pytest.approx(centroids.std(ddof=1) / np.sqrt(3))


def test_every_tier_recipe_and_measure_has_a_line_and_bands_add_up_to_one(study):
    found = explored(*study)
    expected = {
        (run.tier, run.recipe, instance) for run in study[0].list_runs() for instance in study[0].measures
    }
    assert {(line.tier.name, line.recipe, line.instance) for line in found.lines} == expected
    assert {(curve.tier, curve.recipe) for curve in found.curves} == {key[:2] for key in expected}
    for line in found.lines:
        np.testing.assert_allclose(line.bands.sum(axis=1), 1)
    assert found.checkpoints == found.of == len(expected) * len(STEPS)


def test_one_seed_has_the_error_over_images_and_none_of_its_bands(tmp_path):
    paths = simulate(tmp_path, families=("labels",), seeds=1)
    profiles = read_dataset(paths["profiles"], "profiles")
    line = explored(load_study(paths["study"]), profiles, read_learning(paths["learning"])).lines[0]
    np.testing.assert_allclose(line.share_se, 0.03 * line.share)
    assert np.isnan(line.bands_se).all() and np.isnan(line.centroid_se).all()


def many(tiers: int, checkpoints: int, rings: int):
    """A study of many runs with a lot of checkpoints: one recipe, three seeds."""
    given = document(families=("regroup",), groups=(2, 4), draws=tiers - 1, seeds=3, recipes={"base": {}})
    study = parse_study({**given, "measures": {"gradient": {}}})
    steps = np.unique(np.geomspace(1, 100_001, checkpoints).astype(int)) - 1
    keys = pd.DataFrame(
        [(*run, step) for run in study.list_runs() for step in steps],
        columns=["tier", "recipe", "seed", "step"],
    )
    share = np.random.default_rng(0).dirichlet(np.ones(rings), len(keys))
    coordinates = {name: ("profile", keys[name].to_numpy()) for name in keys}
    coordinates |= {
        "instance": ("profile", np.full(len(keys), "gradient")),
        "epoch": ("profile", keys["step"] / 100),
        "size": ("profile", np.full(len(keys), 2 * rings)),
    }
    variables = {
        name: (("profile", "ring"), values) for name, values in (("share", share), ("share_se", share))
    }
    learning = keys.assign(epoch=keys["step"] / 100, chance=0.5, validation_accuracy=0.7, loss_fraction=0.4)
    return study, xr.Dataset(variables, coordinates), learning


def test_a_study_of_two_hundred_runs_keeps_the_page_small(monkeypatch):
    study, profiles, learning = many(tiers=67, checkpoints=60, rings=112)
    assert len(study.list_runs()) > 200
    monkeypatch.setattr("spectral_priority.explorer.fragment.read_dataset", lambda path, kind: profiles)
    monkeypatch.setattr("spectral_priority.explorer.fragment.library", lambda: "")
    part = explorer(study, None, learning, ("base", "gradient"))
    assert len(part) < 3_000_000
    found = explored(study, profiles, learning)
    assert found.of == 67 * len(np.unique(profiles["step"])) > found.checkpoints
    assert f"{found.checkpoints:,} of {found.of:,} checkpoints of profiles are here" in part
    for line in found.lines:
        assert len(line.steps) >= FEWEST_CHECKPOINTS
        assert line.steps[0] == 0 and line.steps[-1] == learning["step"].max()


def test_charts_are_of_one_make_and_end_at_the_last_step():
    made = charts(5000)
    for name in ("low", "mid", "high", "accuracy", "loss"):
        assert '"domain": [0, 5000]' in json.dumps(made[name])
    assert all(chart["width"] == "container" for chart in made.values())


def test_damaged_profiles_are_refused_by_name(tmp_path):
    paths = simulate(tmp_path, families=("labels",), seeds=1)
    paths["profiles"].write_bytes(b"no data")
    with pytest.raises(InputError, match=r"profiles\.h5"):
        explorer(
            load_study(paths["study"]), paths["profiles"], read_learning(paths["learning"]), ("base", "x")
        )
