"""complexity.csv: every measure in its order, with its unit and the direction that means a harder task."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from ..data.manifest import Manifest
from .estimate import Estimate
from .label_frequency import NAMES


class Meaning(NamedTuple):
    """Unit of a measure, and which direction means a harder task (empty: none is claimed)."""

    unit: str
    harder: str


MEASURES = {
    "classes": Meaning("classes", "higher"),
    "log2_classes": Meaning("doublings", "higher"),
    "label_entropy": Meaning("nats", "higher"),
    "hierarchy_similarity": Meaning("1", "higher"),
    "spectral_similarity": Meaning("1", "higher"),
    "adcs_share": Meaning("1", "lower"),
    "fisher_ratio": Meaning("1", "lower"),
    "n3": Meaning("1", "higher"),
    "silhouette": Meaning("1", "lower"),
    "csg": Meaning("1", "higher"),
    "gbc": Meaning("1", "lower"),
    "h_score": Meaning("1", "lower"),
    "intrinsic_dimension": Meaning("dimensions", "higher"),
    "within_class_diversity": Meaning("", "higher"),  # the unit of distances in the reference space
    **{name: Meaning("1", "lower") for name in NAMES},
    "psd_slope": Meaning("1", ""),
    "psd_centroid": Meaning("cycles/image", ""),
    "class_mean_psd_centroid": Meaning("cycles/image", ""),
    "pinson_centroid": Meaning("cycles/image", ""),
}
"""Every measure, in the order of complexity.csv. The image PSD is a covariate, and the frequencies at which class means
differ say where a task may be solved, not how easily: no direction of these is harder."""


def table(manifest: Manifest, estimates: dict[str, Estimate], distance_unit: str) -> pd.DataFrame:
    """Return complexity.csv of one tier: a row per measure, in their order.

    `distance_unit` is that of distances in the reference space.
    """
    tier = {key: manifest.facts[key] for key in ("tier", "family", "level", "draw")}
    return pd.DataFrame(
        [
            {
                **tier,
                "measure": name,
                **estimates[name]._asdict(),
                "unit": meaning.unit or distance_unit,
                "harder": meaning.harder,
            }
            for name, meaning in MEASURES.items()
        ]
    )
