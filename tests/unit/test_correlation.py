"""Correlation of priority with complexity on tables whose truth is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from known_tables import complexity_of, family, runs_of, study
from scipy.stats import kendalltau, permutation_test, spearmanr
from statsmodels.stats.multitest import multipletests

from spectral_priority.config import parse_study
from spectral_priority.config.statistics import Statistics
from spectral_priority.statistics.correlation import correlate
from spectral_priority.statistics.hypotheses import holm, primary_hypotheses, with_hypotheses
from spectral_priority.statistics.least_squares import least_squares
from spectral_priority.statistics.permutation import rank_correlations
from spectral_priority.statistics.tables import read_complexity, read_priority, with_words
from spectral_priority.store.tables import write_csv

SETTINGS = Statistics()


def only_row(priority, complexity, settings=SETTINGS):
    table = correlate(priority, complexity, settings)
    assert len(table) == 1
    return table.iloc[0]


def test_a_planted_slope_is_found_exactly_without_noise():
    row = only_row(*family(1.5))
    assert row.slope == pytest.approx(1.5)
    assert (row.r2, row.spearman) == (pytest.approx(1), pytest.approx(1))
    assert (row.draws, row.levels, row.unit) == (10, 5, "cycles/image per doubling of classes")


def test_a_planted_slope_lies_in_its_interval_under_noise():
    row = only_row(*family(1.5, noise=0.3, draws=4))
    assert row.lower < 1.5 < row.upper
    assert row.upper - row.lower < 1


def test_slope_interval_and_p_are_those_of_statsmodels():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=9), generator.normal(size=(9, 3))
    lines = least_squares(x, y, 0.9)
    for column in range(3):
        fit = sm.OLS(y[:, column], sm.add_constant(x)).fit()
        assert lines.slope[column] == pytest.approx(fit.params[1])
        assert lines.standard_error[column] == pytest.approx(fit.bse[1])
        assert lines.p[column] == pytest.approx(fit.pvalues[1])
        assert lines.r2[column] == pytest.approx(fit.rsquared)
        assert [lines.lower[column], lines.upper[column]] == pytest.approx(fit.conf_int(0.1)[1].tolist())


def test_the_unit_is_the_draw_so_more_seeds_with_the_same_values_change_nothing():
    priority, complexity = family(1.0, noise=0.3)
    twice = pd.concat([priority, priority.assign(seed=priority["seed"] + 2)], ignore_index=True)
    one, two = only_row(priority, complexity), only_row(twice, complexity)
    assert (one.lower, one.upper, one.p_t, one.draws) == pytest.approx(
        (two.lower, two.upper, two.p_t, two.draws)
    )


def test_seeds_are_averaged_inside_the_draw():
    priority, complexity = family(1.0, noise=0.3)
    averaged = priority.assign(value=priority.groupby("tier")["value"].transform("mean"))
    assert only_row(priority, complexity).lower == pytest.approx(only_row(averaged, complexity).lower)


def test_controls_never_enter():
    priority, complexity = family(1.0, noise=0.1)
    controls = [runs_of(f"control-shuffled-d{draw}", [99.0, draw], kind="control") for draw in range(2)]
    odd_one = runs_of("regroup-64-d0", [99.0, 99.0], control="shuffled")
    more = pd.concat([priority, *controls, odd_one], ignore_index=True)
    known = pd.concat(
        [
            complexity,
            complexity_of({"control-shuffled-d0": 9.0, "control-shuffled-d1": 8.0, "regroup-64-d0": 9.0}),
        ]
    )
    table = correlate(more, known, SETTINGS)
    assert table["family"].tolist() == ["regroup"]
    assert table["slope"].tolist() == [only_row(priority, complexity).slope]


def test_below_five_draws_there_is_a_slope_but_no_interval_and_no_p():
    row = only_row(*family(1.5, noise=0.1, levels=(1, 2, 3), draws=1))
    assert row.note == "too few draws: 3; at least 5"
    assert row.draws_needed == 5
    assert np.isfinite([row.slope, row.spearman]).all()
    gone = ["standard_error", "lower", "upper", "p_t", "p_spearman", "p_kendall", "permutation"]
    assert row[[*gone, "detectable_slope"]].isna().all()


def test_runs_that_never_cross_are_counted_and_above_a_tenth_there_is_no_result():
    priority, complexity = family(1.0, draws=2, seeds=2)
    priority.loc[[0, 1], ["value", "reached"]] = [np.nan, False]  # 2 of 20: exactly a tenth
    row = only_row(priority, complexity)
    assert row.note == "left out, never reach the level: 2 of 20 runs (regroup-2-d0: 2)"
    assert (row.draws, row.slope) == (9, pytest.approx(1.0))
    priority.loc[2, ["value", "reached"]] = [np.nan, False]
    row = only_row(priority, complexity)
    assert row.note == (
        "no matched result: 3 of 20 runs never reach the level, more than 10% (regroup-2-d0: 2, regroup-2-d1: 1)"
    )
    assert row.draws == 0
    assert row[["slope", "p_t", "spearman"]].isna().all()


def test_a_run_that_lacks_a_value_is_named():
    priority, complexity = family(1.0)
    priority.loc[3, "value"] = np.nan
    assert only_row(priority, complexity).note == ("left out, no value: 1 of 20 runs (regroup-2-d1: 1)")


def test_a_complexity_measure_that_is_constant_or_unknown_has_no_row():
    priority, complexity = family(1.0)
    constant = complexity_of(dict.fromkeys(complexity["tier"], 3.0), "n3")
    unknown = complexity_of(dict.fromkeys(complexity["tier"], np.nan), "hierarchy_similarity")
    table = correlate(priority, pd.concat([complexity, constant, unknown]), SETTINGS)
    assert table["complexity"].tolist() == ["log2_classes"]


def test_draws_without_a_complexity_value_are_counted():
    priority, complexity = family(1.0)
    complexity.loc[0, "value"] = np.nan
    row = only_row(priority, complexity)
    assert (row.draws, row.note) == (9, "left out, complexity unknown: 1 draws")


def test_a_constant_priority_has_slope_zero_and_no_p():
    priority, complexity = family(0.0)
    row = only_row(priority, complexity)
    assert (row.slope, row.note) == (0, "all draws have the same value")
    assert row[["p_t", "spearman", "p_kendall", "r2"]].isna().all()


def test_rank_correlations_and_exact_p_are_those_of_scipy():
    generator = np.random.default_rng(2)
    x, y = np.array([1.0, 1, 2, 2, 3, 4]), generator.normal(size=6)
    found = rank_correlations(x, y[:, None], [None] * 6)
    assert found.method == "exact"
    for name, statistic in {"spearman": spearmanr, "kendall": kendalltau}.items():
        reference = permutation_test(
            (x,),
            lambda moved, statistic=statistic: np.abs(statistic(moved, y).statistic),
            permutation_type="pairings",
            alternative="greater",
            n_resamples=np.inf,
            vectorized=False,
        )
        assert abs(getattr(found, name)[0]) == pytest.approx(reference.statistic)
        assert getattr(found, f"p_{name}")[0] == pytest.approx(reference.pvalue)


def test_every_distinct_arrangement_is_gone_through_once():
    """5 draws in rising order: of 120 arrangements, the rising and the falling one correlate fully."""
    found = rank_correlations(np.arange(5.0), np.arange(5.0)[:, None], [None] * 5)
    assert found.p_spearman[0] == found.p_kendall[0] == pytest.approx(2 / 120)
    tied = rank_correlations(np.array([0.0, 0, 0, 1, 1]), np.arange(5.0)[:, None], [None] * 5)
    assert tied.p_spearman[0] == pytest.approx(2 / 10)


def test_random_arrangements_come_close_to_the_exact_p():
    x, y = np.arange(6.0), np.array([[1.0], [3], [2], [4], [6], [5]])
    exact = rank_correlations(x, y, [None] * 6)
    drawn = rank_correlations(x, y, [None] * 6, permutations=719)
    assert (exact.method, drawn.method) == ("exact", "monte-carlo")
    assert drawn.p_spearman[0] == pytest.approx(exact.p_spearman[0], abs=3 * np.sqrt(0.02 / 719) + 1 / 720)


def test_chains_are_permuted_within():
    """Two chains of three: 3!² = 36 arrangements instead of 720; two of them correlate as much as the observed one."""
    x, y = np.array([1.0, 2, 3, 1, 2, 3]), np.array([1.0, 2, 3, 11, 12, 13])
    within = rank_correlations(x, y[:, None], ["a", "a", "a", "b", "b", "b"])
    by_hand = [
        abs(spearmanr([*first, *second], y).statistic)
        for first, second in itertools.product(itertools.permutations([1, 2, 3]), repeat=2)
    ]
    observed = abs(spearmanr(x, y).statistic)
    assert within.p_spearman[0] == np.mean([value >= observed - 1e-9 for value in by_hand])
    assert within.p_spearman[0] == 2 / 36
    free = rank_correlations(x, y[:, None], [None] * 6)
    assert free.p_spearman[0] > within.p_spearman[0]


def test_random_arrangements_stay_within_their_chain():
    """A difference between chains alone gives no evidence: complexity equals the chain, so nothing can move."""
    x, chain = np.repeat([1.0, 2.0], 10), np.repeat(["a", "b"], 10)
    found = rank_correlations(x, np.arange(20.0)[:, None], chain)
    assert found.p_spearman[0] == 1.0
    mixed = rank_correlations(x + 0.1 * np.tile(np.arange(10), 2), np.arange(20.0)[:, None], chain)
    assert mixed.method == "monte-carlo"
    assert mixed.p_spearman[0] == 1 / 10000


def test_a_family_of_chains_says_so():
    priority, complexity = family(1.0, noise=0.1, kind="count")
    priority["chain"] = "count-d" + priority["draw"].astype(str)
    row = only_row(priority, complexity)
    assert row.note == "draws are nested: slope, interval and permutations within chains"


def two_primaries(**second):
    first = family(1.0, noise=0.8, levels=(1, 2, 3, 4))
    second = family(
        -0.3, noise=1.0, seed=3, name="similar", kind="similarity", measure="hierarchy_similarity", **second
    )
    return pd.concat([first[0], second[0]]), pd.concat([first[1], second[1]])


def test_holm_is_over_the_two_primaries_and_benjamini_hochberg_over_the_rest():
    priority, complexity = two_primaries()
    others = [priority.assign(reading="last", fraction=np.nan), priority.assign(fraction=0.7)]
    table = with_hypotheses(correlate(pd.concat([priority, *others]), complexity, SETTINGS), study())
    assert table["hypothesis"].tolist() == [
        "primary-1", "primary-2", "robustness", "robustness", "exploratory", "exploratory",
    ]  # fmt: skip
    primary, rest = table.iloc[:2], table.iloc[2:]
    assert primary["complexity"].tolist() == ["log2_classes", "hierarchy_similarity"]
    assert primary["p_adjusted"].tolist() == pytest.approx(multipletests(primary["p_t"], method="holm")[1])
    assert rest["p_adjusted"].tolist() == pytest.approx(multipletests(rest["p_t"], method="fdr_bh")[1])
    assert set(primary["correction"]) == {"Holm over 2 of 2 primary hypotheses"}
    assert set(rest["correction"]) == {"Benjamini–Hochberg over 4 rows"}


def test_holm_equals_statsmodels():
    p = np.random.default_rng(0).uniform(size=7) ** 3
    assert holm(p).tolist() == pytest.approx(multipletests(p, method="holm")[1].tolist())


def test_a_primary_with_too_few_draws_leaves_holm_over_the_other():
    priority, complexity = two_primaries(levels=(1, 2), draws=2)
    table = with_hypotheses(correlate(priority, complexity, SETTINGS), study())
    assert table["correction"].tolist() == ["Holm over 1 of 2 primary hypotheses", None]
    assert table["p_adjusted"][0] == table["p_t"][0]
    assert table["note"][1] == "too few draws: 4; at least 5"


def test_a_primary_that_is_not_available_says_why():
    priority, complexity = family(1.0)
    table = with_hypotheses(correlate(priority, complexity, SETTINGS), study())
    assert table["hypothesis"].tolist() == ["primary-1", "primary-2"]
    assert table["note"][1] == (
        "not available: hierarchy_similarity is unknown or the same for all draws of similar, "
        "or gradient has no centroid"
    )
    plain = study().model_dump(mode="json")
    del plain["tiers"]["similar"]
    table = with_hypotheses(correlate(priority, complexity, SETTINGS), parse_study(plain))
    assert table["note"][1] == "not available: the study has no family of kind similarity"


def test_a_study_with_nothing_to_correlate_still_has_both_primaries():
    priority, complexity = family(1.0)
    table = with_hypotheses(correlate(priority, complexity.iloc[:0], SETTINGS), study())
    assert table["hypothesis"].tolist() == ["primary-1", "primary-2"]
    assert table["note"].str.startswith("not available: ").all()


def test_the_primaries_use_the_first_instance_with_the_loss_and_the_first_recipe():
    several = study(
        measures={
            "margin": {"measure": "gradient", "objective": "margin"},
            "gradient": {},
            "second": {"measure": "gradient"},
        },
        recipes={"base": {}, "other": {}},
    )
    priority, complexity = family(1.0, noise=0.1)
    variants = [
        priority.assign(recipe=recipe, instance=instance)
        for recipe in several.recipes
        for instance in several.measures
    ]
    table = with_hypotheses(correlate(pd.concat(variants), complexity, SETTINGS), several)
    (row,) = table[table["hypothesis"] == "primary-1"].itertuples()
    assert (row.recipe, row.instance) == ("base", "gradient")
    assert (table["hypothesis"] == "exploratory").sum() == 5


def test_tables_survive_their_csv(tmp_path):
    """Levels and recipes that look like numbers stay text, and missing chains stay missing."""
    priority, complexity = family(1.0, noise=0.1, recipe="1")
    priority.loc[0, ["value", "reached"]] = [np.nan, False]
    write_csv(tmp_path / "priority.csv", with_words(priority, "reached"))
    write_csv(tmp_path / "complexity.csv", complexity)
    assert ",true" in (tmp_path / "priority.csv").read_text()
    read = read_priority(tmp_path / "priority.csv")
    assert read["recipe"].tolist() == ["1"] * len(read)
    assert read["level"].tolist() == priority["level"].tolist()
    before = correlate(priority, complexity, SETTINGS)
    after = correlate(read, read_complexity(tmp_path / "complexity.csv"), SETTINGS)
    pd.testing.assert_frame_equal(before, after)


def with_families(**families):
    """A study with a regroup family and these."""
    shapes = {"dataset": "shapes", "label": "texture"}
    alike = {"kind": "similarity", **shapes, "classes": 4}
    tiers = {"regroup": {"kind": "regroup", **shapes, "classes": 32, "groups": [2, 4]}}
    tiers |= {
        name: {**alike, **options} if "by" in options else {**shapes, **options}
        for name, options in families.items()
    }
    return study(tiers=tiers)


def test_the_family_of_the_second_primary_is_chosen_in_the_hierarchy_and_never_by_spectra():
    def second(**families):
        return primary_hypotheses(with_families(**families))[1].family

    spectral, feature, path, tree = ({"by": by} for by in ("spectral", "feature", "path", "hierarchy"))
    assert second(a=spectral, b=feature, c=path, d=tree) == "d"
    assert second(a=spectral, b=feature, c=path) == "c"
    assert second(a=spectral, b=feature) == "b"
    assert second(a=spectral) is None


def test_a_study_chosen_by_spectra_alone_has_no_second_primary_and_says_why():
    table = with_hypotheses(correlate(*family(1.0), SETTINGS), with_families(similar={"by": "spectral"}))
    assert table["hypothesis"].tolist() == ["primary-1", "primary-2"]
    assert table["note"][1] == (
        "not available: every family of kind similarity is chosen by spectra, which is circular"
    )


def test_counts_and_superclasses_are_never_primary():
    families = {
        "count": {"kind": "count", "counts": [2, 4]},
        "per-class": {"kind": "count-per-class", "counts": [2, 4]},
        "nodes": {"kind": "superclasses", "root": "texture", "depths": [1, 2]},
    }
    without = with_families(**families)
    assert [one.family for one in primary_hypotheses(without)] == ["regroup", None]
    rows = [correlate(*family(1.0), SETTINGS).assign(family=name) for name in families]
    table = with_hypotheses(pd.concat(rows, ignore_index=True), without)
    assert set(table.loc[table["family"].isin(families), "hypothesis"]) == {"exploratory"}
