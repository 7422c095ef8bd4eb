"""Made studies: the tables that `gather` would write, with draws, chains and seeds as a real study has them.

priority = 8 + slope · complexity + chain + draw + seed, all normal; the slopes and spreads are those of the demo.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from spectral_priority.config import Study, parse_study
from spectral_priority.statistics.tables import COMPLEXITY, HISTORY, PRIORITY
from spectral_priority.store.tables import write_csv

SLOPES = {"regroup": 0.36, "similar": -3.6, "count": 0.36}
"""The demo's slopes at the matched loss: cycles/image per doubling of classes, and per unit of similarity."""
DIFFERENCE = 2.57
"""Texture − shape, in cycles/image: the demo's planted effect, a claim."""
DRAW_SD = {"regroup": 0.27, "similar": 1.7, "count": 0.27, "labels": 0.0}
"""Of draws. In the demo's similarity family the draws are gratings at 4, 8 and 12 cycles/image, so they differ much."""
SEED_SD, CHAIN_SD = 0.15, 0.5
SIMILARITY = {"near": 0.67, "mid": 0.53, "far": 0.39}
NEVER = 0.01
"""Probability that a run never reaches the matched loss."""


@dataclass(frozen=True)
class Design:
    """How many levels, draws and seeds a study has.

    Attributes
    ----------
    name : str
    groups, draws : tuple of int, int
        Of the family `regroup`; the last number of groups is that of all classes where `whole`, and then has one draw.
    levels, similar_draws : tuple of str, int
        Of the family `similar`.
    seeds : int
    counts, chains : tuple of int, int
        Of the nested family `count`; none where empty.
    uneven : bool
        The spread of draws grows threefold from the first level to the last.
    """

    name: str
    groups: tuple[int, ...]
    draws: int
    levels: tuple[str, ...]
    similar_draws: int
    seeds: int
    whole: bool = True
    counts: tuple[int, ...] = ()
    chains: int = 0
    uneven: bool = False


DESIGNS = (
    Design("demo", (2, 4, 12), 2, ("near", "far"), 3, 1),
    Design(
        "5 levels × 2 draws × 2 seeds", (2, 4, 8, 16, 32), 2, ("near", "mid", "far"), 2, 2, whole=False,
        counts=(4, 8, 16), chains=3,
    ),
    Design(
        "tiny-imagenet", (2, 5, 10, 20, 50, 100, 200), 5, ("near", "mid", "far"), 5, 3,
        counts=(10, 20, 40, 70, 100), chains=5,
    ),
    Design(
        "uneven spread", (2, 4, 8, 16, 32), 2, ("near", "mid", "far"), 2, 2, whole=False,
        counts=(4, 8, 16), chains=3, uneven=True,
    ),
)  # fmt: skip


def study_of(design: Design, permutations: int) -> Study:
    """Return the study file of a design."""
    of = {"dataset": "shapes", "label": "texture"}
    tiers = {
        "labels": {"kind": "labels", "dataset": "shapes", "labels": ["shape", "texture"], "seeds": 2},
        "regroup": {
            "kind": "regroup", **of, "classes": design.groups[-1] * (1 if design.whole else 2),
            "groups": design.groups, "draws": design.draws,
        },
        "similar": {
            "kind": "similarity", **of, "classes": 4, "levels": design.levels, "draws": design.similar_draws,
        },
    }  # fmt: skip
    if design.counts:
        tiers["count"] = {
            "kind": "count", **of, "counts": design.counts, "draws": design.chains, "nested": True,
        }  # fmt: skip
    claim = {
        "kind": "separated",
        "text": "Shapes lie lower",
        "lower": "labels-shape",
        "higher": "labels-texture",
    }
    return parse_study(
        {
            "study": "made",
            "datasets": {"shapes": {"source": {"kind": "shapes-textures"}, "size": 32}},
            "tiers": tiers,
            "measures": {"gradient": {}},
            "seeds": design.seeds,
            "statistics": {"permutations": permutations},
            "claims": [claim],
        }
    )


def write_fixed(folder: Path, study: Study) -> None:
    """Write what all made studies of a design share: the study file, learning curves, and no other measures."""
    text = yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    curve = dict.fromkeys(HISTORY, 0.5)
    rows = [
        {**run._asdict(), **curve, "step": step, "validation_accuracy": 0.5 + 0.01 * number}
        for number, run in enumerate(study.list_runs())
        for step in (0, 100)
    ]
    write_csv(folder / "learning.csv", pd.DataFrame(rows, columns=["tier", "recipe", "seed", *HISTORY]))
    write_csv(folder / "measures.csv", pd.DataFrame(columns=list(PRIORITY)))


def write_drawn(folder: Path, design: Design, study: Study, effect: float, number: int) -> None:
    """Write priority.csv and complexity.csv of one made study.

    Parameters
    ----------
    folder : path
    design : Design
    study : Study
    effect : float
        Times the demo's slopes and difference; 0: complexity plays no part.
    number : int
        Of the study; the same one is the same study.
    """
    random = np.random.default_rng([number, round(1000 * effect), *design.name.encode()])
    priority, complexity, chains = [], [], {}
    levels = {family: list(dict.fromkeys(t.level for t in study.list_tiers() if t.family == family))
              for family in study.tiers}  # fmt: skip
    for tier in study.list_tiers():
        kind = study.tiers[tier.family].kind
        x, similarity = _complexity(tier, random)
        chain = f"{tier.family}-d{tier.draw}" if kind == "count" else None
        if chain and chain not in chains:
            chains[chain] = random.normal(0, CHAIN_SD)
        spread = DRAW_SD[tier.family]
        if design.uneven:
            place = levels[tier.family].index(tier.level)
            spread *= 0.5 + place / max(len(levels[tier.family]) - 1, 1)
        if tier.family == "labels":
            mean = 6.8 + effect * DIFFERENCE * (tier.level == "texture")
        else:
            against = similarity if tier.family == "similar" else x
            mean = 8 + effect * SLOPES[tier.family] * against + chains.get(chain, 0.0)
        mean += random.normal(0, spread)
        for seed in range(study.tiers[tier.family].seeds or study.seeds):
            value = mean + random.normal(0, SEED_SD)
            reached = random.random() >= NEVER
            facts = {
                "tier": tier.name, "family": tier.family, "kind": kind, "level": tier.level, "draw": tier.draw,
                "chain": chain, "control": None, "recipe": "base", "seed": seed, "instance": "gradient",
                "scalar": "centroid", "standard_error": 0.05, "untrained": 5.0, "unit": "cycles/image", "n": 500,
            }  # fmt: skip
            matched = {"value": value if reached else np.nan, "reached": "true" if reached else "false"}
            priority.append({**facts, "reading": "matched-loss", "fraction": 0.5, **matched})
            priority.append(
                {**facts, "reading": "last", "fraction": np.nan, "value": value, "reached": "true"}
            )
        for measure, found, unit in (
            ("log2_classes", x, "doublings"),
            ("hierarchy_similarity", similarity, "1"),
            ("psd_slope", -2.0, "1"),
            ("psd_centroid", 6.0, "cycles/image"),
        ):
            about = {"tier": tier.name, "family": tier.family, "level": tier.level, "draw": tier.draw}
            values = {"measure": measure, "value": found, "n": 1, "unit": unit, "harder": "higher"}
            complexity.append({**about, **values})
    write_csv(folder / "priority.csv", pd.DataFrame(priority, columns=list(PRIORITY)))
    write_csv(folder / "complexity.csv", pd.DataFrame(complexity, columns=list(COMPLEXITY)))


def _complexity(tier, random: np.random.Generator) -> tuple[float, float]:
    """log2 k and hierarchy similarity of a tier."""
    if tier.family == "labels":
        return 2.0, 0.5
    if tier.level in SIMILARITY:
        return 2.0, SIMILARITY[tier.level] + random.normal(0, 0.02)
    return float(np.log2(int(tier.level))), 0.43 + random.normal(0, 0.01)
