"""Contrasts between recipes are paired differences, over draws where there are several, and say what is missing."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from known_tables import runs_of, study
from scipy import stats

from spectral_priority.config import parse_study
from spectral_priority.statistics.contrasts import contrasts, learning_scalars, paired_t
from spectral_priority.statistics.tables import CONTRASTS, HISTORY, read_contrasts
from spectral_priority.store.tables import write_csv

RECIPES = {"recipes": {"base": {}, "wide": {"width": 64}}}
SHAPES = {"dataset": "shapes", "label": "texture"}
NO_LEARNING = pd.DataFrame(columns=["tier", "recipe", "seed", *HISTORY], dtype=float)


def regroup_study(**family):
    """One family of two levels with two draws each, trained with two recipes."""
    options = {"kind": "regroup", **SHAPES, "classes": 8, "groups": [2, 4], "draws": 2, **family}
    return study(tiers={"regroup": options}, **RECIPES)


def table_of(studied, *runs, learning=NO_LEARNING):
    return contrasts(studied, pd.concat(runs, ignore_index=True), learning)


def pair(tier, base, wide, **more):
    """Runs of one tier with both recipes, a seed per value."""
    return [runs_of(tier, base, **more), runs_of(tier, wide, recipe="wide", **more)]


def two_levels(base, wide, **more):
    """Both recipes on both draws of both levels, the same values everywhere."""
    tiers = [f"regroup-{level}-d{draw}" for level in (2, 4) for draw in (0, 1)]
    return [runs for tier in tiers for runs in pair(tier, base, wide, **more)]


def test_a_known_effect_is_recovered_in_spite_of_larger_differences_between_draws_and_seeds():
    """Draws differ by 5 and seeds by 2; recipes by 0.5 with a noise of 0.05: only pairing can show it."""
    random = np.random.default_rng(0)
    draws = 6
    options = {"kind": "similarity", **SHAPES, "classes": 4, "levels": ["near"], "draws": draws}
    runs = []
    for draw in range(draws):
        base = 8 + 5 * random.normal() + 2 * random.normal(size=3)
        wide = base + 0.5 + 0.05 * random.normal(size=3)
        runs += pair(f"similar-near-d{draw}", base.tolist(), wide.tolist(), kind="similarity")
    row = table_of(study(tiers={"similar": options}, **RECIPES), *runs).iloc[0]
    assert (row["recipe"], row["reference"], row["over"], row["n"]) == ("wide", "base", "draws", draws)
    assert row["difference"] == pytest.approx(0.5, abs=0.05)
    assert row["lower"] < 0.5 < row["upper"]
    assert row["p_t"] < 1e-4


def test_intervals_hold_the_true_difference_as_often_as_they_say():
    samples = np.random.default_rng(1).normal(1, 2, size=(1000, 3))
    found = [paired_t(differences, 0.95) for differences in samples]
    covered = np.mean([one["lower"] < 1 < one["upper"] for one in found])
    assert abs(covered - 0.95) < 0.02


def test_the_table_equals_a_slow_reference():
    random = np.random.default_rng(2)
    values = {
        (recipe, tier): random.normal(8, 1, size=3)
        for recipe, tier in product(("base", "wide"), [f"regroup-{k}-d{d}" for k in (2, 4) for d in (0, 1)])
    }
    runs = [runs_of(tier, found.tolist(), recipe=recipe) for (recipe, tier), found in values.items()]
    table = table_of(regroup_study(), *runs).set_index("level")
    p_values = {}
    for level in ("2", "4"):
        means = []
        for draw in (0, 1):
            total = 0.0
            for seed in range(3):
                total += values["wide", f"regroup-{level}-d{draw}"][seed]
                total -= values["base", f"regroup-{level}-d{draw}"][seed]
            means.append(total / 3)
        mean = (means[0] + means[1]) / 2
        error = np.sqrt(((means[0] - mean) ** 2 + (means[1] - mean) ** 2) / 1) / np.sqrt(2)
        row = table.loc[level]
        assert row["difference"] == pytest.approx(mean, abs=1e-12)
        assert row["standard_error"] == pytest.approx(error, abs=1e-12)
        assert row["upper"] - row["lower"] == pytest.approx(2 * stats.t.ppf(0.975, 1) * error)
        p_values[level] = 2 * (1 - stats.t.cdf(abs(mean) / error, 1))
        assert row["p_t"] == pytest.approx(p_values[level])
    small, large = sorted(p_values.values())
    adjusted = sorted(table["p_adjusted"])
    assert adjusted == pytest.approx([min(2 * small, large), large])
    assert set(table["correction"]) == {"exploratory; Benjamini–Hochberg over 2 rows"}


def test_with_one_draw_the_unit_is_the_seed():
    row = table_of(
        regroup_study(draws=1, groups=[2]), *pair("regroup-2-d0", [5.0, 6, 7], [5.5, 6.7, 7.3])
    ).iloc[0]
    assert (row["over"], row["n"]) == ("seeds", 3)
    assert row["difference"] == pytest.approx(0.5)


def test_one_pair_has_a_difference_but_no_interval():
    row = table_of(regroup_study(draws=1, groups=[2]), *pair("regroup-2-d0", [5.0], [5.5])).iloc[0]
    assert row["difference"] == 0.5
    assert pd.isna(row[["standard_error", "lower", "upper", "p_t", "p_adjusted"]]).all()
    assert row["note"] == "one of the seeds: no interval"


def test_runs_that_never_reach_the_level_are_counted_and_give_no_value():
    row = table_of(regroup_study(), *two_levels([5.0, 6.0], [7.0, np.nan])).iloc[0]
    assert pd.isna(row["difference"])
    assert row["n"] == 0
    assert row["note"] == ("no matched result, never reach the level: 2 of 8 runs (wide: 2), more than 10%")


def test_a_few_unreached_runs_are_left_out_with_their_partner():
    seeds = [[5.0] * 8, [6.0] * 7 + [np.nan]]
    row = table_of(regroup_study(draws=1, groups=[2]), *pair("regroup-2-d0", *seeds)).iloc[0]
    assert (row["n"], row["difference"]) == (7, 1.0)
    assert row["note"] == (
        "never reach the level: 1 of 16 runs (wide: 1); all seeds have the same difference: no p"
    )


def test_a_family_without_the_first_recipe_is_compared_with_the_first_that_it_is_trained_with():
    studied = study(
        tiers={"regroup": {"kind": "regroup", **SHAPES, "classes": 8, "groups": [2], "recipes": ["c", "b"]}},
        recipes={"a": {}, "b": {}, "c": {}},
    )
    runs = [runs_of("regroup-2-d0", [5.0, 5.1], recipe="b"), runs_of("regroup-2-d0", [6.0, 6.2], recipe="c")]
    row = table_of(studied, *runs).iloc[0]
    assert (row["recipe"], row["reference"]) == ("c", "b")
    assert row["difference"] == pytest.approx(1.05)


def test_quantities_are_not_mixed():
    other = {"reading": "last", "fraction": np.nan}
    runs = [*two_levels([5.0, 5.1], [6.0, 6.1]), *two_levels([5.0, 5.1], [8.0, 8.1], **other)]
    table = table_of(regroup_study(), *runs).set_index(["level", "reading"])
    assert table.loc[("2", "matched-loss"), "difference"] == pytest.approx(1.0)
    assert table.loc[("2", "last"), "difference"] == pytest.approx(3.0)


def test_scalars_of_learning_are_compared_at_the_last_checkpoint():
    learning = pd.DataFrame(
        [
            ("regroup-2-d0", recipe, seed, step, *accuracies)
            for recipe, train, validation in (("base", 0.9, 0.8), ("wide", 1.0, 0.7))
            for seed in (0, 1)
            for step, accuracies in ((600, (train, validation - 0.1 * seed)), (10, (0.1, 0.1)))
        ],
        columns=["tier", "recipe", "seed", "step", "fixed_train_accuracy", "validation_accuracy"],
    )
    one_draw = regroup_study(draws=1, groups=[2])
    table = table_of(one_draw, *pair("regroup-2-d0", [5.0, 5.1], [6.0, 6.2]), learning=learning)
    table = table[table["instance"] == ""]
    found = table.set_index("scalar")["difference"]
    assert found.to_dict() == pytest.approx(
        {"validation_accuracy": -0.1, "fixed_train_accuracy": 0.1, "gap": 0.2}
    )
    assert set(table["reading"]) == {"last"} and set(table["unit"]) == {"1"}
    gap = learning_scalars(learning).query("scalar == 'gap' and recipe == 'wide'")["value"]
    assert sorted(gap) == pytest.approx([0.3, 0.4])


def test_controls_and_studies_of_one_recipe_have_no_contrasts(tmp_path):
    control = pair("control-shuffled-d0", [5.0, 5.0], [9.0, 9.0], kind="control", control="shuffled")
    tiers = {
        "regroup": {"kind": "regroup", **SHAPES, "classes": 8, "groups": [2]},
        "control": {"kind": "control", "of": "regroup-2-d0"},
    }
    assert "control" not in set(table_of(study(tiers=tiers, **RECIPES), *control)["family"])
    alone = table_of(study(), runs_of("regroup-2-d0", [5.0, 5.2]))
    assert alone.empty
    write_csv(tmp_path / "contrasts.csv", alone)
    assert tuple(read_contrasts(tmp_path / "contrasts.csv").columns) == CONTRASTS


def test_names_survive_the_file(tmp_path):
    table = table_of(regroup_study(), *two_levels([5.0, 5.1], [6.0, 6.1]))
    write_csv(tmp_path / "contrasts.csv", table)
    back = read_contrasts(tmp_path / "contrasts.csv")
    assert back["level"].tolist() == table["level"].tolist() == ["2", "4"]


def test_a_family_is_contrasted_only_where_it_has_several_recipes():
    data = {"shapes": {"source": {"kind": "shapes-textures"}}}
    one = {"kind": "labels", "dataset": "shapes", "labels": ["shape"]}
    tiers = {"both": one, "single": {**one, "recipes": ["wide"]}}
    studied = parse_study({"study": "two", "datasets": data, "tiers": tiers, **RECIPES})
    assert studied.contrasted() == ("both",)
    assert study().contrasted() == ()
