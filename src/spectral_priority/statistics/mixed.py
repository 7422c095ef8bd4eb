"""Mixed model of the primary hypotheses: a row per run, draws (and chains of nested draws) as random intercepts.

priority = a + b · complexity + chain + draw + seed (METHODS 9), by restricted maximum likelihood. Where every draw has
the same number of runs and there are no chains, b and its error are those of least squares on draw means; the model
adds how much of the spread lies between draws and how much between seeds, and is right where runs are missing.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ..config.statistics import Statistics
from .draws import QUANTITY, draw_means
from .least_squares import FEWEST_DRAWS
from .tables import MIXED

SINGULAR = 1e-6
"""A variance no larger than so much of the residual one is none: the fit is singular."""


def mixed_models(
    table: pd.DataFrame, priority: pd.DataFrame, complexity: pd.DataFrame, settings: Statistics
) -> pd.DataFrame:
    """Fit the model for every row of correlations.csv that is no exploratory one.

    Parameters
    ----------
    table : DataFrame
        correlations.csv, with `hypothesis`.
    priority, complexity : DataFrame
        priority.csv and complexity.csv.
    settings : Statistics
        Confidence of the intervals.

    Returns
    -------
    DataFrame
        The columns MIXED. `model` is `mixed` or, where that is singular or does not converge, `least squares`: then the
        numbers are those of correlations.csv and `note` says why.
    """
    rows = []
    for row in table[table["hypothesis"] != "exploratory"].to_dict("records"):
        kept = {name: row[name] for name in MIXED if name in row and name != "note"}
        runs = runs_of_row(row, priority, complexity)
        found = {"runs": len(runs), "chains": runs["chain"].nunique()}
        if row["draws"] < FEWEST_DRAWS:
            note = row["note"] or f"too few draws: {row['draws']}; at least {FEWEST_DRAWS}"
            rows.append({**kept, **found, "model": None, "note": note})
            continue
        fitted = fit_mixed(runs, settings.confidence)
        if isinstance(fitted, str):
            found |= {"model": "least squares", "note": f"{fitted}: least squares on draw means instead"}
        else:
            found |= {"model": "mixed", "note": "", **fitted}
        rows.append({**kept, **found})
    return pd.DataFrame(rows, columns=list(MIXED))


def runs_of_row(row: dict, priority: pd.DataFrame, complexity: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that a row of correlations.csv stands on: columns `tier, seed, chain, x, y`.

    None where there is no matched result.
    """
    same = (
        (priority["kind"] != "control") & priority["control"].isna() & (priority["family"] == row["family"])
    )
    for name in QUANTITY:
        same &= priority[name].isna() if pd.isna(row[name]) else priority[name] == row[name]
    runs = priority[same]
    if len(runs) and draw_means(runs)[0].means.empty:
        runs = runs.iloc[:0]
    measured = complexity[complexity["measure"] == row["complexity"]].set_index("tier")["value"]
    runs = runs.assign(x=runs["tier"].map(measured), y=runs["value"])
    return runs[["tier", "seed", "chain", "x", "y"]].dropna(subset=["x", "y"])


def fit_mixed(runs: pd.DataFrame, confidence: float = 0.95) -> dict[str, float] | str:
    """Fit one model; return its numbers, or why there are none.

    Parameters
    ----------
    runs : DataFrame
        `tier, chain, x, y`, a row per run.
    confidence : float

    Returns
    -------
    dict or str
        `slope, standard_error, lower, upper, p_t` with t on the draws − 2 degrees of freedom (draws − chains − 1 where
        draws are nested, since what chains differ by is taken out), and standard deviations `chain_sd, draw_sd,
        seed_sd`.

    Examples
    --------
    >>> one_run_each = pd.DataFrame({"tier": list("abcde"), "chain": None, "x": range(5), "y": [0, 1, 2, 2, 4]})
    >>> fit_mixed(one_run_each)
    'no draw has two runs, so draws and seeds cannot be told apart'
    """
    draws = runs["tier"].nunique()
    if runs["tier"].value_counts().max() < 2:
        return "no draw has two runs, so draws and seeds cannot be told apart"
    scale = runs["y"].std()
    if not scale > 0:
        return "all runs have the same value"
    from scipy.stats import t as student  # a second, which studies of one seed needn't pay
    from statsmodels.regression.mixed_linear_model import MixedLM

    nested = runs["chain"].notna().all() and 1 < runs["chain"].nunique() < draws
    fixed = np.column_stack([np.ones(len(runs)), runs["x"] - runs["x"].mean()])
    data = {"endog": runs["y"].to_numpy(float) / scale, "exog": fixed}
    try:
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            if nested:
                model = MixedLM(
                    **data,
                    groups=runs["chain"].to_numpy(),
                    exog_re=fixed[:, :1],
                    exog_vc=_draws_in_chains(runs),
                )
            else:
                model = MixedLM(**data, groups=runs["tier"].to_numpy())
            fit = model.fit(reml=True, method=["lbfgs", "powell"])
    except np.linalg.LinAlgError:
        return "the mixed model is singular"
    outer = float(np.asarray(fit.cov_re)[0, 0])
    inner = float(fit.vcomp[0]) if nested else outer
    if min(outer, inner) <= SINGULAR * fit.scale:
        return "the mixed model is singular"
    if not fit.converged or any("converge" in str(one.message).lower() for one in raised):
        return "the mixed model did not converge"
    if not np.isfinite(fit.bse[1]):
        return "the mixed model has no standard error"
    freedom = draws - (runs["chain"].nunique() + 1 if nested else 2)
    slope, error = float(fit.params[1]) * scale, float(fit.bse[1]) * scale
    reach = student.ppf((1 + confidence) / 2, freedom) * error
    return {
        "slope": slope,
        "standard_error": error,
        "lower": float(slope - reach),
        "upper": float(slope + reach),
        "p_t": 2 * float(student.sf(abs(slope) / error, freedom)),
        "chain_sd": float(np.sqrt(outer) * scale) if nested else np.nan,
        "draw_sd": float(np.sqrt(inner) * scale),
        "seed_sd": float(np.sqrt(fit.scale) * scale),
    }


def _draws_in_chains(runs: pd.DataFrame):
    """Design of the draws inside each chain, as statsmodels takes variance components."""
    from statsmodels.regression.mixed_linear_model import VCSpec

    columns, matrices = [], []
    for chain in np.unique(runs["chain"].to_numpy().astype(str)):
        own = runs["tier"][runs["chain"] == chain]
        names = list(dict.fromkeys(own))
        matrices.append((own.to_numpy()[:, None] == np.array(names)).astype(float))
        columns.append(names)
    return VCSpec(["draw"], [columns], [matrices])
