"""Scalars of each measure that claims can be made on: one number per checkpoint, with a standard error or an interval.

A test holds that measures give these and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from .statistics import LEARNING, Scalar

if TYPE_CHECKING:
    from .statistics import Claim
    from .study import Study

_PATHS = ("centroid", "high_share", "centroid_per_l2", "high_share_per_l2")

OF_MEASURE: dict[str, tuple[str, ...]] = {
    "gradient": get_args(Scalar),
    "band-accuracy": ("clean_accuracy", "low_drop", "mid_drop", "high_drop"),
    "critical-band": ("clean_accuracy", "bandwidth", "centre", "peak_sensitivity", "channel_r2"),
    "fourier-heatmap": ("clean_error", "low_error", "mid_error", "high_error"),
    "paths": tuple(
        f"{output}_{name}"
        for output in ("softmax", "logit")
        for name in (
            *(
                f"{where}_{scalar}"
                for where in ("within", "between")
                for scalar in (*_PATHS, "power_centroid")
            ),
            *(f"{scalar}_difference" for scalar in _PATHS),
        )
    ),
    "fprinciple": ("mean_low_error", "mean_high_error", "error_gap"),
    "dfm": ("rank_correlation", "top_overlap", "split_half_correlation", "dominant_radius", "loss"),
    "shortcuts": ("headline_tpr", "headline_fpr", "headline_shortcuts", "mean_clean_tpr"),
    "weight-svd": ("mean_effective_rank_share", "mean_stable_rank_share", "mean_alignment"),
    "gradient-svd": ("mean_effective_rank_share", "mean_stable_rank_share"),
}
"""Measure → scalars; those of `gradient` are of a profile (METHODS 3), and are correlated with complexity."""


def faults(study: Study, claim: Claim) -> Iterator[str]:
    """Yield what is wrong with the instances and the scalar of a claim, each with its option."""
    if claim.kind == "separated" and claim.scalar in LEARNING:
        return
    for option in ("instance", "lower_instance", "higher_instance"):
        name = getattr(claim, option, None)
        if name is not None and name not in study.measures:
            yield f"{option}: found {name!r}, but the instances are: {', '.join(study.measures)}"
            return
    for group in study.groups_of(claim):
        measure = study.measures[group.instance].measure
        if claim.scalar not in OF_MEASURE[measure]:
            learning = f"; those of learning: {', '.join(LEARNING)}" if claim.kind == "separated" else ""
            yield (
                f"scalar: found {claim.scalar!r}, but the scalars of {group.instance} ({measure}) are: "
                f"{', '.join(OF_MEASURE[measure])}{learning}"
            )
