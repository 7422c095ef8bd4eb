"""A study's result files with a known answer, made up: what gather and correlate would write (docs/architecture.md).

The profile of a tier is a bump over the rings whose place follows the task: it starts at ring 5 and ends at
`7 + slope · log2(k)` in the family regroup, lower for near classes in similarity, and at a fixed place per label.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from spectral_priority.config import parse_study
from spectral_priority.statistics.claims import evaluate
from spectral_priority.statistics.contrasts import contrasts
from spectral_priority.statistics.correlation import correlate
from spectral_priority.statistics.hypotheses import with_hypotheses
from spectral_priority.statistics.tables import read_complexity, read_learning, read_priority, with_words
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance

STEPS = np.array([0, 10, 30, 100, 300, 450, 600])
FAMILIES = ("labels", "regroup", "similarity", "control")
QUESTION = "Does the task decide which spatial frequencies a model learns first?"
UNITS = {"log2_classes": "bit", "label_entropy": "nat"}
MEASURES = ("classes", "log2_classes", "label_entropy", "hierarchy_similarity", "psd_slope", "n3")


RECIPES = {"base": {"steps": 600}, "wide": {"steps": 600, "width": 64}}


def document(
    families=FAMILIES,
    groups=(2, 4, 8, 16),
    draws=2,
    seeds=2,
    question=QUESTION,
    held=True,
    name="simulated",
    recipes=RECIPES,
    trained_with=None,
):
    """A study file as a mapping; `trained_with`: family → the recipes that its tiers are trained with."""
    known = {
        "labels": {"kind": "labels", "dataset": "shapes", "labels": ["shape", "ring", "orientation"]},
        "regroup": {
            "kind": "regroup", "dataset": "shapes", "label": "orientation", "classes": max(groups),
            "groups": list(groups), "draws": draws,
        },
        "similarity": {
            "kind": "similarity", "dataset": "shapes", "label": "orientation", "classes": 4,
            "levels": ["near", "mid", "far"], "draws": draws,
        },
        "control": {"kind": "control", "of": "regroup-4-d0" if "regroup" in families else "labels-shape-d0"},
    }  # fmt: skip
    return {
        "study": name,
        "question": question,
        "datasets": {"shapes": {"source": {"kind": "shapes-textures"}, "size": 32}},
        "tiers": {
            family: {**known[family], "recipes": (trained_with or {}).get(family)} for family in families
        },
        "seeds": seeds,
        "recipes": recipes,
        "measures": {"gradient": {}, "gradient-margin": {"measure": "gradient", "objective": "margin"}},
        "statistics": {"permutations": 99},
        "claims": [
            {
                "kind": "separated", "text": "Shapes are read from lower frequencies than orientations",
                "lower": "labels-shape" if held else "labels-orientation",
                "higher": "labels-orientation" if held else "labels-shape",
            }
        ] if "labels" in families else [],
    }  # fmt: skip


def simulate(folder: Path, slope: float = 1.0, reached: bool = True, **options) -> dict[str, Path]:
    """Write a study's files; return their paths by name (the arguments of figure.py), and `results`."""
    folder = Path(folder)
    study = parse_study(document(**options))
    random = np.random.default_rng(3)
    rings = np.arange(1, 17)
    priority, learning, profiles, complexity = [], [], [], []
    for tier in study.list_tiers():
        family = study.tiers[tier.family]
        of = study.tier(family.of) if family.kind == "control" else tier
        facts = _complexity(study, of, random)
        _manifest(folder, study, tier, facts)
        for measure in MEASURES:
            complexity.append(
                {
                    "tier": tier.name, "family": tier.family, "level": tier.level, "draw": tier.draw,
                    "measure": measure, "value": facts[measure], "standard_error": np.nan, "n": 500,
                    "unit": UNITS.get(measure, "1"),
                    "harder": "higher",
                }
            )  # fmt: skip
        end = {"shape": 4.0, "ring": 8.0, "orientation": 11.0, "near": 10.0, "mid": 8.5, "far": 7.5}.get(
            of.level, 7 + slope * facts["log2_classes"]
        ) + random.normal(0, 0.15)
        for recipe in study.recipes_of(tier.family):
            for seed in range(study.tiers[tier.family].seeds or study.seeds):
                learnt = 1 / (1 + np.exp(-1.6 * (np.log1p(STEPS) - 4.2 - 0.2 * facts["log2_classes"])))
                learnt = learnt - learnt[0]
                if family.kind == "control":
                    learnt = learnt * 0.2
                place = 5 + (end - 5) * learnt + random.normal(0, 0.1, len(STEPS))
                shares = np.exp(-((rings - place[:, None]) ** 2) / 18) + 0.05
                shares /= shares.sum(axis=1, keepdims=True)
                loss = 1 - learnt * (0.95 if reached else 0.4)
                history = _history(learnt, loss, facts["classes"])
                learning.append(history.assign(tier=tier.name, recipe=recipe, seed=seed))
                _run(folder, tier.name, recipe, seed)
                for instance in study.measures:
                    profiles.append((tier.name, recipe, seed, instance, shares))
                    priority += _readings(study, tier, family, recipe, seed, instance, rings, shares, loss)
    paths = {
        name: folder / f"{name}.csv"
        for name in ("priority", "complexity", "learning", "correlations", "contrasts", "claims")
    }
    paths |= {"study": folder / "config.yaml", "profiles": folder / "profiles.h5"}
    priority, complexity = pd.DataFrame(priority), pd.DataFrame(complexity)
    paths["study"].write_text(yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False))
    priority.to_csv(paths["priority"], index=False)
    complexity.to_csv(paths["complexity"], index=False)
    curves = pd.concat(learning, ignore_index=True)
    keys = ["tier", "recipe", "seed"]
    curves[[*keys, *curves.columns.drop(keys)]].to_csv(paths["learning"], index=False)
    priority, complexity = read_priority(paths["priority"]), read_complexity(paths["complexity"])
    table = with_hypotheses(correlate(priority, complexity, study.statistics), study)
    table.to_csv(paths["correlations"], index=False)
    contrasts(study, priority, read_learning(paths["learning"])).to_csv(paths["contrasts"], index=False)
    with_words(evaluate(study, priority), "held").to_csv(paths["claims"], index=False)
    _profiles(paths["profiles"], profiles, rings)
    return {**paths, "results": folder}


def _complexity(study, tier, random):
    classes = {"shape": 4, "ring": 3, "orientation": 16, "near": 4, "mid": 4, "far": 4}.get(
        tier.level
    ) or int(tier.level)
    similarity = {"near": 0.8, "mid": 0.5, "far": 0.2}.get(tier.level, 0.5) + random.normal(0, 0.02)
    return {
        "classes": classes, "log2_classes": np.log2(classes), "label_entropy": np.log(classes),
        "hierarchy_similarity": similarity, "psd_slope": random.normal(-2, 0.1), "n3": random.uniform(0.1, 0.6),
    }  # fmt: skip


def _history(learnt, loss, classes):
    chance = 1 / classes
    return pd.DataFrame(
        {
            "step": STEPS, "epoch": STEPS / 40, "images_seen": STEPS * 128, "learning_rate": 0.05, "train_loss": loss,
            "fixed_train_loss": loss * np.log(classes), "fixed_train_accuracy": chance + learnt * (1 - chance),
            "loss_fraction": loss, "validation_loss": loss * np.log(classes) * 1.1,
            "validation_accuracy": chance + 0.9 * learnt * (1 - chance), "chance": chance,
            "corrected_accuracy": 0.9 * learnt,
        }
    )  # fmt: skip


def _readings(study, tier, family, recipe, seed, instance, rings, shares, loss):
    scalars = {
        "centroid": (shares @ rings, "cycles/image"),
        "power_centroid": (shares @ rings * 0.95, "cycles/image"),
        "low_share": (shares[:, :5].sum(axis=1), "1"),
        "high_share": (shares[:, 10:].sum(axis=1), "1"),
    }
    rows = []
    matched = np.flatnonzero(loss <= 0.5)
    for scalar, (values, unit) in scalars.items():
        for reading, fraction, value in (
            ("last", np.nan, values[-1]),
            ("mean", np.nan, values.mean()),
            ("matched-loss", 0.5, values[matched[0]] if matched.size else np.nan),
        ):
            rows.append(
                {
                    "tier": tier.name, "family": tier.family, "kind": family.kind, "level": tier.level,
                    "draw": tier.draw, "chain": "", "control": "shuffled" if family.kind == "control" else None,
                    "recipe": recipe, "seed": seed, "instance": instance, "reading": reading, "fraction": fraction,
                    "scalar": scalar, "value": value, "standard_error": 0.08, "untrained": values[0], "unit": unit,
                    "n": 500, "reached": bool(np.isfinite(value)),
                }
            )  # fmt: skip
    return rows


def _profiles(path, profiles, rings):
    rows = [
        (tier, recipe, seed, instance, step, share)
        for tier, recipe, seed, instance, shares in profiles
        for step, share in zip(STEPS, shares, strict=True)
    ]
    share = np.stack([row[5] for row in rows])
    about = {"units": "1", "long_name": "made up"}
    columns = dict(
        zip(
            ("tier", "recipe", "seed", "instance", "step"),
            zip(*[r[:5] for r in rows], strict=True),
            strict=True,
        )
    )
    columns |= {"epoch": np.array(columns["step"]) / 40, "size": np.full(len(rows), 32)}
    dataset = xr.Dataset(
        {name: (("profile", "ring"), values, about) for name, values in (
            ("share", share), ("share_se", share * 0.03), ("density", share / rings)
        )},
        coords={name: ("profile", np.array(values), about) for name, values in columns.items()}
        | {"ring": ("ring", rings, about)},
    )  # fmt: skip
    write_dataset(path, dataset, "profiles", provenance())


def _manifest(folder, study, tier, facts):
    path = folder / "tiers" / f"{tier.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    family = study.tiers[tier.family]
    manifest = {
        "tier": tier.name, "family": tier.family, "kind": family.kind, "level": tier.level, "draw": tier.draw,
        "chain": None, "dataset": study.dataset_of(tier.name), "label": "orientation", "data_sha256": "0" * 64,
        "seed": 0,
        "classes": [{"name": f"c{k}", "title": f"c{k}", "members": [f"c{k}"]} for k in range(facts["classes"])],
        "number_of_classes": facts["classes"], "images": {"train": 5000, "validation": 500, "probe": 500},
        "budget": {"equal": "images in total", "train": 5000, "train_per_class": [5000 // facts["classes"]] * 2},
        "held_out": 1000, "mean_similarity": facts["hierarchy_similarity"] if family.kind == "similarity" else None,
        "overlap": None, "control": "shuffled" if family.kind == "control" else None,
        "sidecar_sha256": "0" * 64, "manifest_sha256": "0" * 64,
    }  # fmt: skip
    path.write_text(json.dumps(manifest))


def _run(folder, tier, recipe, seed):
    path = folder / "runs" / tier / recipe / f"seed{seed}" / "run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "tier": tier, "recipe": recipe, "seed": seed, "options": {}, "fingerprint": "f" * 16, "code": "c" * 16,
        "manifest_sha256": "0" * 64, "data_sha256": "0" * 64, "parameters": 61234, "steps": 600, "epochs": 15.0,
        "steps_per_epoch": 40,
        "attempts": [{"from_step": 0, "to_step": 600, "seconds": 30.0, "host": "h", "pid": 1, "end": "done"}],
        "optimizer_steps_run": 600, "published": "trained", "seconds": 30.0, "images_per_second": 2560.0,
        "device": "cpu", "provenance": provenance(),
    }  # fmt: skip
    path.write_text(json.dumps(record))
