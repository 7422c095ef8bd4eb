"""What stands beside a least-squares slope: bootstrap, mixed model, slopes within chains, a covariate held."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from known_tables import complexity_of, family, study
from scipy.stats import norm
from scipy.stats import t as student
from simulated_study import simulate

from spectral_priority.config import load_study
from spectral_priority.config.statistics import Statistics
from spectral_priority.figures.tables import read_tables
from spectral_priority.report.primary import adjusted_rows, mixed_rows
from spectral_priority.statistics.adjusted import adjusted, held
from spectral_priority.statistics.bootstrap import bootstrap_slopes
from spectral_priority.statistics.correlation import correlate
from spectral_priority.statistics.hypotheses import with_hypotheses
from spectral_priority.statistics.least_squares import least_squares
from spectral_priority.statistics.mixed import fit_mixed, mixed_models
from spectral_priority.statistics.tables import ADJUSTED, MIXED
from spectral_priority.store.tables import write_csv

SETTINGS = Statistics()


def tables_of(priority, complexity):
    return with_hypotheses(correlate(priority, complexity, SETTINGS), study())


def learning_of(priority, accuracy):
    """learning.csv with the validation accuracy of each tier at the end, and half of it before."""
    runs = priority.drop_duplicates(["tier", "seed"])[["tier", "recipe", "seed"]]
    rows = [
        runs.assign(
            step=step, validation_accuracy=part * runs["tier"].map(accuracy), loss_fraction=1.0 - 0.9 * part
        )
        for step, part in ((0, 0.5), (10, 1.0))
    ]
    return pd.concat(rows, ignore_index=True)


# --- bootstrap ------------------------------------------------------------------------------------------------


def test_the_bootstrap_is_that_of_a_slow_loop():
    """Draws with their complexity first, then the seeds inside each; three draws lack a seed."""
    random = np.random.default_rng(0)
    x = np.repeat([1.0, 2, 3, 4], 3)
    y = random.normal(size=(12, 2, 1)) + x[:, None, None]
    y[[0, 4, 7], 1] = np.nan
    generator = np.random.default_rng(5)
    draw, inside = generator.integers(0, 12, (200, 12)), generator.random((200, 12, 2))
    slopes = []
    for chosen, places in zip(draw, inside, strict=True):
        means = []
        for one, place in zip(chosen, places, strict=True):
            runs = y[one][np.isfinite(y[one, :, 0]), 0]
            means.append(np.mean([runs[int(part * len(runs))] for part in place[: len(runs)]]))
        slopes.append(np.polyfit(x[chosen], means, 1)[0])
    lower, upper = bootstrap_slopes(x, y, 200, 5, 0.9)
    tail = norm.cdf(-student.ppf(0.95, 10))
    assert [lower[0], upper[0]] == pytest.approx(np.quantile(slopes, [tail, 1 - tail]).tolist())


def test_bootstrap_intervals_of_ten_draws_hold_the_slope_as_often_as_they_promise():
    """5 levels × 2 draws × 2 seeds; between 93 and 97 %, beside chance. Plain percentiles hold it in 92 %."""
    x, random = np.repeat([1.0, 2, 3, 4, 5], 2), np.random.default_rng(6)
    held_in = []
    for part in range(4):
        y = random.normal(0, 0.27, (10, 1, 300)) + random.normal(0, 0.15, (10, 2, 300))
        lower, upper = bootstrap_slopes(x, y, 399, part)
        held_in += list((lower < 0) & (upper > 0))
    assert 0.94 < np.mean(held_in) < 0.985


def test_there_is_a_bootstrap_interval_from_ten_draws_on():
    for draws, there in ((2, True), (1, False)):
        priority, complexity = family(1.0, noise=0.3, draws=draws)
        row = correlate(priority, complexity, SETTINGS).iloc[0]
        assert np.isfinite(row.bootstrap_lower) == np.isfinite(row.bootstrap_upper) == there
        assert not there or row.bootstrap_lower < row.slope < row.bootstrap_upper


def test_spread_of_seeds_alone_widens_the_bootstrap():
    x = np.arange(10.0)
    y = x[:, None, None] + np.array([-1.0, 1.0])[None, :, None]  # draw means lie on the line
    lower, upper = bootstrap_slopes(x, y)
    assert lower[0] < 0.95 < 1.05 < upper[0]


# --- nested draws ---------------------------------------------------------------------------------------------


def test_slopes_within_chains_are_those_of_a_regression_with_an_intercept_per_chain():
    random = np.random.default_rng(1)
    data = pd.DataFrame({"chain": np.repeat(list("abc"), 4), "x": np.tile([1.0, 2, 3, 4], 3)})
    data["y"] = data["x"] + data["chain"].map({"a": 0, "b": 5, "c": 9}) + random.normal(size=12)
    found = least_squares(data["x"].to_numpy(), data[["y"]].to_numpy(), 0.95, data["chain"].tolist())
    fit = smf.ols("y ~ x + C(chain)", data).fit()
    assert found.slope[0] == pytest.approx(fit.params["x"])
    assert [found.lower[0], found.upper[0]] == pytest.approx(fit.conf_int().loc["x"].tolist())
    assert found.p[0] == pytest.approx(fit.pvalues["x"])


def test_what_chains_differ_by_is_no_error_of_a_nested_slope():
    priority, complexity = family(1.0, noise=0.05, draws=3)
    priority["value"] += 3.0 * priority["draw"]
    free = correlate(priority, complexity, SETTINGS).iloc[0]
    nested = correlate(
        priority.assign(chain="c-d" + priority["draw"].astype(str)), complexity, SETTINGS
    ).iloc[0]
    assert nested.slope == pytest.approx(free.slope)
    assert nested.upper - nested.lower < 0.1 * (free.upper - free.lower)
    assert pd.isna(nested.bootstrap_lower), "draws of a chain are not drawn one by one"


# --- mixed model ----------------------------------------------------------------------------------------------


def test_with_equally_many_seeds_the_mixed_slope_is_that_of_draw_means():
    priority, complexity = family(1.0, noise=0.3, seed=1)
    table = tables_of(priority, complexity)
    row = mixed_models(table, priority, complexity, SETTINGS).iloc[0]
    least = table[table["hypothesis"] == "primary-1"].iloc[0]
    assert (row.model, row.runs, row.draws, row.hypothesis) == ("mixed", 20, 10, "primary-1")
    for name in ("slope", "standard_error", "lower", "upper", "p_t"):
        assert row[name] == pytest.approx(least[name], rel=1e-3)


def test_with_a_run_missing_it_is_that_of_statsmodels():
    priority, _ = family(1.0, noise=0.3, seed=1)
    runs = priority.assign(x=np.repeat([1.0, 2, 3, 4, 5], 4), y=priority["value"]).drop(3)
    found = fit_mixed(runs[["tier", "seed", "chain", "x", "y"]])
    fit = smf.mixedlm("y ~ x", runs, groups="tier").fit(reml=True)
    assert found["slope"] == pytest.approx(fit.params["x"], rel=1e-4)
    assert found["standard_error"] == pytest.approx(fit.bse["x"], rel=1e-3)
    assert found["draw_sd"] == pytest.approx(np.sqrt(fit.cov_re.iloc[0, 0]), rel=1e-2)
    assert found["seed_sd"] == pytest.approx(np.sqrt(fit.scale), rel=1e-2)


def test_spreads_of_chains_draws_and_seeds_are_told_apart():
    random = np.random.default_rng(2)
    rows = []
    for chain in range(30):
        level = random.normal(0, 2.0)
        for x in range(4):
            draw = random.normal(0, 0.5)
            rows += [
                (f"t{chain}-{x}", f"c{chain}", x, x + level + draw + random.normal(0, 0.1)) for _ in range(3)
            ]
    found = fit_mixed(pd.DataFrame(rows, columns=["tier", "chain", "x", "y"]))
    spreads = [found[name] for name in ("chain_sd", "draw_sd", "seed_sd")]
    assert spreads == pytest.approx([2.0, 0.5, 0.1], rel=0.3)
    assert found["lower"] < 1 < found["upper"]


@pytest.mark.parametrize(
    ("seeds", "spread", "note"),
    [
        (1, 0.3, "no draw has two runs, so draws and seeds cannot be told apart"),
        (2, 0.0, "the mixed model is singular"),
    ],
)
def test_where_the_model_fails_least_squares_stands_and_the_note_says_why(seeds, spread, note):
    priority, complexity = family(1.0, noise=spread, seeds=seeds)
    if not spread:  # seeds differ, draws do not
        priority["value"] += 0.4 * (-1.0) ** priority["seed"] + 0.001 * np.sin(np.arange(len(priority)))
    table = tables_of(priority, complexity)
    row = mixed_models(table, priority, complexity, SETTINGS).iloc[0]
    least = table[table["hypothesis"] == "primary-1"].iloc[0]
    assert row.model == "least squares"
    assert row.note == f"{note}: least squares on draw means instead"
    assert row[["slope", "lower", "upper"]].tolist() == least[["slope", "lower", "upper"]].tolist()


def test_too_few_draws_or_no_matched_result_have_no_model():
    few = family(1.0, noise=0.1, levels=(1, 2, 3), draws=1)
    never = family(1.0, noise=0.1)
    never[0].loc[:5, ["value", "reached"]] = [np.nan, False]
    for (priority, complexity), text in (
        (few, "too few draws: 3"),
        (never, "no matched result: 6 of 20 runs"),
    ):
        table = tables_of(priority, complexity)
        row = mixed_models(table, priority, complexity, SETTINGS).iloc[0]
        assert pd.isna(row.model) and pd.isna(row.lower) and text in row.note


# --- covariates -----------------------------------------------------------------------------------------------


def test_a_slope_with_a_covariate_held_is_that_of_a_regression_on_both():
    random = np.random.default_rng(3)
    points = pd.DataFrame({"x": random.normal(size=12), "z": random.normal(size=12)})
    points["y"] = 2 * points["x"] - points["z"] + random.normal(size=12)
    found, fit = held(points), sm.OLS(points["y"], sm.add_constant(points[["x", "z"]])).fit()
    assert found["adjusted_slope"] == pytest.approx(fit.params["x"])
    assert found["covariate_slope"] == pytest.approx(fit.params["z"])
    bounds = [found["adjusted_lower"], found["adjusted_upper"]]
    assert bounds == pytest.approx(fit.conf_int().loc["x"].tolist())
    alone = sm.OLS(points["y"], sm.add_constant(points["x"])).fit()
    assert [found["slope"], found["lower"], found["upper"]] == pytest.approx(
        [alone.params["x"], *alone.conf_int().loc["x"]]
    )
    assert found["correlation"] == pytest.approx(np.corrcoef(points["x"], points["z"])[0, 1])


def test_a_priority_that_follows_accuracy_alone_has_no_slope_left_when_accuracy_is_held():
    priority, complexity = family(0.0, draws=3)
    random = np.random.default_rng(4)
    accuracy = {
        tier: 0.9 - 0.1 * x + random.normal(0, 0.03) for tier, x in complexity[["tier", "value"]].values
    }
    priority["value"] = 10 * priority["tier"].map(accuracy)
    table = adjusted(
        tables_of(priority, complexity), priority, complexity, learning_of(priority, accuracy), SETTINGS
    ).set_index("covariate")
    row = table.loc["validation_accuracy"]
    assert row.upper < 0, "without it there is a slope"
    assert row.adjusted_slope == pytest.approx(0, abs=1e-9) and row.covariate_slope == pytest.approx(10)
    assert row.hypothesis == "primary-1" and row.draws == 15
    assert table.loc["loss_fraction"].note == "the covariate is the same for all draws"
    assert not any(name.startswith("p_") for name in table), "descriptive: no p"


def test_the_image_spectrum_is_a_covariate_by_itself():
    priority, complexity = family(1.0, noise=0.2)
    slope = {tier: -x for tier, x in complexity[["tier", "value"]].values}
    both = pd.concat([complexity, complexity_of(slope, "psd_slope", "1")])
    accuracy = dict.fromkeys(complexity["tier"], 0.5)
    table = adjusted(tables_of(priority, both), priority, both, learning_of(priority, accuracy), SETTINGS)
    notes = table.set_index("covariate")["note"]
    assert notes["psd_slope"] == "complexity and covariate are the same up to a factor: neither can be held"
    assert notes["psd_centroid"] == "too few draws: 0; at least 6"
    assert set(table["hypothesis"]) == {"primary-1"}


def test_the_report_shows_both_tables(tmp_path):
    paths = simulate(tmp_path, draws=3)
    paths.pop("results")
    document = load_study(paths.pop("study"))
    tables = read_tables(document, **paths)
    assert mixed_rows(tables) == adjusted_rows(tables) == []
    arguments = (tables.correlations, tables.priority, tables.complexity)
    made = {
        "mixed": mixed_models(*arguments, document.statistics),
        "adjusted": adjusted(*arguments, tables.learning, document.statistics),
    }
    assert [tuple(table.columns) for table in made.values()] == [MIXED, ADJUSTED]
    for name, table in made.items():
        paths[name] = tmp_path / f"{name}.csv"
        write_csv(paths[name], table)
    tables = read_tables(document, **paths)
    mixed, held_rows = mixed_rows(tables), adjusted_rows(tables)
    assert [row[0] for row in mixed] == ["primary-1", "primary-2"] and mixed[0][3] in (
        "mixed",
        "least squares",
    )
    assert len(held_rows) == 2 * 3 * 4
    assert held_rows[0][5] == "validation accuracy" and " to " in held_rows[0][6]
