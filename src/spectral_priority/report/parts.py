"""The report's tables and facts, read from a study's result folder: tiers, runs, correlations, provenance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..figures.names import COMPLEXITY_NAMES, SCALAR_NAMES
from ..figures.shown import at_reading, families, primary, reading_name
from ..figures.tables import Alignment, ClassLearning, Tables
from ..store.atomic import read_json
from .answer import number, verdict

MOST_RUNS, MOST_EXPLORATORY = 200, 30
"""Rows that a page can show; the rest is in the tables that it names."""

ALIGNMENT_NAMES = {
    "overlap": "overlap at step 0",
    "distance": "octaves at step 0",
    "source_overlap": "overlap of the source run",
    "gap": "overfitting",
    "excess_gap": "excess overfitting",
}
"""Columns of alignment.csv as people read them."""


CLASS_LEARNING_NAMES = {
    "distinctiveness": "distinctiveness",
    "contrast": "contrast",
    "frequency": "frequency",
    "f1": "F1 at the step",
    "midway_step": "sooner midway",
}
"""Columns of class_learning.csv as people read them."""


def tier_rows(tables: Tables, results: Path) -> list[dict[str, Any]]:
    """Return a row per tier from tiers/<tier>.json."""
    rows = []
    for tier in tables.study.list_tiers():
        facts = read_json(results / "tiers" / f"{tier.name}.json")
        titles = [entry.get("title") or entry["name"] for entry in facts["classes"]]
        similarity = facts.get("mean_similarity")
        rows.append(
            {
                "tier": tier.name,
                "family": tier.family,
                "kind": facts["kind"],
                "level": tier.level,
                "draw": tier.draw,
                "dataset": facts["dataset"],
                "classes": facts["number_of_classes"],
                "titles": ", ".join(titles[:6]) + (" …" if len(titles) > 6 else ""),
                "images": facts["images"],
                "each": "–".join(map(str, sorted(set(facts["budget"]["train_per_class"])))),
                "similarity": "–" if similarity is None else number(similarity),
            }
        )
    return rows


def run_records(tables: Tables, results: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return every run's run.json by (tier, recipe, seed)."""
    return {
        tuple(run): read_json(results / "runs" / run.tier / run.recipe / f"seed{run.seed}" / "run.json")
        for run in tables.study.list_runs()
    }


def run_rows(tables: Tables, records: dict[tuple[str, str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per run: how well it learned, where its priority ended, what it cost; primary instance."""
    rows = tables.priority[tables.priority["instance"] == primary(tables.study)[1]]
    keys = ["tier", "recipe", "seed"]
    fraction = tables.study.statistics.matched_fraction
    last = at_reading(rows, "last", None)
    centroid = last[last["scalar"] == "centroid"].set_index(keys)
    power = last[last["scalar"] == "power_centroid"].set_index(keys)["value"]
    matched = at_reading(rows[rows["scalar"] == "centroid"], "matched-loss", fraction).set_index(keys)[
        "value"
    ]
    curves = tables.learning.sort_values("step").groupby(keys).last()
    nothing = float("nan")
    shown = []
    for key, record in list(records.items())[:MOST_RUNS]:
        curve = curves.loc[key] if key in curves.index else {}
        own = centroid.loc[key] if key in centroid.index else {}
        at_loss = matched.get(key, nothing)
        shown.append(
            {
                "tier": key[0],
                "recipe": key[1],
                "seed": key[2],
                "accuracy": number(100 * curve.get("validation_accuracy", nothing), 1),
                "chance": number(100 * curve.get("chance", nothing), 1),
                "loss": number(curve.get("loss_fraction", nothing)),
                "centroid": number(own.get("value", nothing)),
                "error": number(own.get("standard_error", nothing)),
                "untrained": number(own.get("untrained", nothing)),
                "power": number(power.get(key, nothing)),
                "matched": number(at_loss) if np.isfinite(at_loss) else "not reached",
                "steps": record["steps"],
                "speed": number(record["images_per_second"], 0),
                "attempts": len(record["attempts"]),
                "seconds": number(record["seconds"], 0),
            }
        )
    return shown


def correlation_rows(tables: Tables) -> tuple[list[dict[str, Any]], int]:
    """Return rows of correlations.csv, primary hypotheses first, and how many exploratory ones were left out."""
    table = tables.correlations
    order = {"primary-1": 0, "primary-2": 1, "robustness": 2}
    place = table["hypothesis"].map(order).fillna(3)
    chosen = table[place < 3].assign(place=place[place < 3]).sort_values("place", kind="stable")
    exploratory = table[(place == 3) & table["slope"].notna()].sort_values("p_adjusted", kind="stable")
    shown = pd.concat([chosen, exploratory.head(MOST_EXPLORATORY)])
    rows = [
        {
            "hypothesis": row["hypothesis"],
            "family": row["family"],
            "setting": f"{row['recipe']}, {row['instance']}",
            "reading": reading_name(row["reading"], row["fraction"]),
            "pair": f"{SCALAR_NAMES.get(row['scalar'], row['scalar'])} with "
            f"{COMPLEXITY_NAMES.get(row['complexity'], row['complexity'])}",
            "draws": int(row["draws"]),
            "slope": number(row["slope"], 3),
            "interval": f"{number(row['lower'], 3)} to {number(row['upper'], 3)}"
            if verdict(row) != "open"
            else "–",
            "unit": _text(row["unit"]).replace("_", " "),
            "spearman": number(row["spearman"]),
            "p": f"{row['p_adjusted']:.2g}" if np.isfinite(row["p_adjusted"]) else "–",
            "correction": _text(row["correction"]),
            "note": _text(row["note"]),
        }
        for _, row in shown.iterrows()
    ]
    return rows, int((place == 3).sum()) - min(len(exploratory), MOST_EXPLORATORY)


def alignment_rows(alignment: Alignment) -> list[list[str]]:
    """Return the cells of alignment_summary.csv, a row per instance × alignment × outcome."""
    return [
        [
            _text(row["instance"]),
            ALIGNMENT_NAMES[row["alignment"]],
            ALIGNMENT_NAMES[row["outcome"]],
            str(row["n"]),
            number(row["slope"], 3),
            f"{number(row['lower'], 3)} to {number(row['upper'], 3)}" if np.isfinite(row["lower"]) else "–",
            number(row["spearman"]),
            *(f"{row[p]:.2g}" if np.isfinite(row[p]) else "–" for p in ("p_spearman", "p_adjusted")),
            _text(row["note"]),
        ]
        for _, row in alignment.summary.iterrows()
    ]


def class_learning_rows(learned: ClassLearning) -> list[list[str]]:
    """Return the cells of class_learning_summary.csv: all tiers of a recipe first, then each tier."""
    table = learned.summary
    order = table["tier"].notna() if table["tier"].isna().any() else table.index
    rows = table.assign(order=order).sort_values("order", kind="stable")
    return [
        [
            _text(row["tier"]) or "all tiers",
            _text(row["recipe"]),
            CLASS_LEARNING_NAMES[row["by"]],
            CLASS_LEARNING_NAMES[row["outcome"]],
            _text(row["class"]) or "–",
            f"{number(row['first'])} ({number(row['first_lower'])} to {number(row['first_upper'])})",
            number(row["rho"]),
            f"{number(row['rho_lower'])} to {number(row['rho_upper'])}"
            if np.isfinite(row["rho_lower"])
            else "–",
            f"{row['n']} {row['over']}",
            *(f"{row[p]:.2g}" if np.isfinite(row[p]) else "–" for p in ("p", "p_adjusted")),
            _text(row["note"]),
        ]
        for _, row in rows.iterrows()
    ]


def unreached(tables: Tables) -> list[tuple[str, int, int]]:
    """Return (tier, runs that never reach the matched loss, runs) where there are any; primary recipe, no controls."""
    fraction = tables.study.statistics.matched_fraction
    rows = tables.primary_priority()
    rows = at_reading(rows[rows["scalar"] == tables.study.statistics.scalar], "matched-loss", fraction)
    rows = rows[rows["family"].isin(families(tables.study))]
    counts = rows["value"].isna().groupby(rows["tier"], sort=False).agg(["sum", "size"])
    return [(tier, int(row["sum"]), int(row["size"])) for tier, row in counts.iterrows() if row["sum"]]


def provenance_facts(records: dict[tuple[str, str, int], dict[str, Any]]) -> dict[str, Any]:
    """Return what made the results: commits, versions, code fingerprints, devices, and the cost of training."""
    kept = list(records.values())
    versions: dict[str, set[str]] = {}
    for record in kept:
        for package, version in record["provenance"].get("versions", {}).items():
            versions.setdefault(package, set()).add(version)
    return {
        "commits": sorted({record["provenance"].get("commit", "unknown") for record in kept}),
        "versions": {package: ", ".join(sorted(found)) for package, found in versions.items()},
        "code": sorted({record["code"] for record in kept}),
        "runs": len(kept),
        "time": training_time(kept),
        "steps": sum(record["optimizer_steps_run"] for record in kept),
        "interrupted": sum(len(record["attempts"]) > 1 for record in kept),
    }


def training_time(records: Iterable[dict[str, Any]]) -> list[str]:
    """Say how long training took on each device, attempts that were killed included as far as they were saved.

    Examples
    --------
    >>> gpu = {"device": "NVIDIA X", "seconds": 5400, "threads": 4, "options": {"gpus": 2}}
    >>> training_time([gpu, {"device": "cpu", "seconds": 1800, "threads": 2}])
    ['NVIDIA X: 1 run, 3.00 GPU-hours', 'cpu: 1 run, 1.00 core-hours (0.50 hours)']
    """
    runs: dict[str, int] = {}
    hours: dict[str, float] = {}
    shares: dict[str, float] = {}
    for record in records:
        device, took = record["device"], record["seconds"] / 3600
        many = record.get("threads", 1) if device == "cpu" else record.get("options", {}).get("gpus", 1)
        runs[device] = runs.get(device, 0) + 1
        hours[device] = hours.get(device, 0.0) + took
        shares[device] = shares.get(device, 0.0) + took * many
    return [
        f"{device}: {runs[device]} run{'s' * (runs[device] != 1)}, {shares[device]:,.2f} "
        + (f"core-hours ({hours[device]:,.2f} hours)" if device == "cpu" else "GPU-hours")
        for device in sorted(runs)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
