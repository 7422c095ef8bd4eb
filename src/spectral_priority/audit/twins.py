"""Images that show the same, within and across the splits, with the same and with other labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.duplicates import Duplicates
from ..data.images import HELD_OUT, TRAIN
from .finding import Finding, listed

LEAK = 0.05
"""Share of a class's images that a random split would give a near-duplicate in training, from which it is a finding."""
RANDOM_SPLIT = 0.8
"""Share of images that such a split would train on."""


def twins_by_class(
    found: Duplicates, split: np.ndarray, label: np.ndarray, classes: int
) -> list[dict[str, Any]]:
    """Return a row per class: images with identical ones and near-duplicates, leaks of this and of a random split."""
    others = found.twins + found.near
    leak = 1 - (1 - RANDOM_SPLIT) ** others.astype(float)
    rows = []
    for number in range(classes):
        mine = label == number
        held_out = mine & (split == HELD_OUT)
        rows.append(
            {
                "identical": int((mine & (found.twins > 0)).sum()),
                "near": int((mine & (found.near > 0)).sum()),
                "held_out_leaked": int((held_out & found.across).sum()),
                "random_split_leak": float(leak[mine].mean()) if mine.any() else None,
            }
        )
    return rows


def check_twins(
    found: Duplicates, split: np.ndarray, label: np.ndarray, names: list[str], column: str
) -> list[Finding]:
    """Return findings on identical images with conflicting labels, and on what a random split would leak."""
    findings = []
    first, second = found.first, found.second
    conflict = label[first] != label[second]
    for kind, which, level in (
        ("identical", found.identical, "serious"),
        ("nearly identical", ~found.identical, "warning"),
    ):
        pairs = conflict & which
        if pairs.any():
            across = int((pairs & (split[first] != split[second])).sum())
            shown = [
                f"{names[label[a]]} and {names[label[b]]}"
                for a, b in zip(first[pairs], second[pairs], strict=True)
            ]
            findings.append(
                Finding(
                    level,
                    "duplicates",
                    f"{int(pairs.sum())} pairs of {kind} images have different labels, {across} of them across "
                    "the splits: "
                    f"{listed(list(dict.fromkeys(shown)), 4)}",
                    "remove one image of each pair, or both: no frequency can tell them apart",
                    column,
                    tuple(
                        sorted(
                            {names[i] for i in np.concatenate([label[first[pairs]], label[second[pairs]]])}
                        )
                    ),
                    float(pairs.sum()),
                )
            )
    rows = twins_by_class(found, split, label, len(names))
    leak = np.array([row["random_split_leak"] or 0.0 for row in rows])
    if leak.max(initial=0) >= LEAK:
        order = [i for i in np.argsort(-leak, kind="stable") if leak[i] >= LEAK]
        findings.append(
            Finding(
                "warning",
                "duplicates",
                "under a random split many test images would have a near-duplicate in training: "
                + listed([f"{names[i]} {100 * leak[i]:.0f} %" for i in order]),
                "never split at random; keep the split by source, or let tiers keep near-duplicates in one part (they "
                "do by default)",
                column,
                tuple(names[i] for i in order),
                float(leak.max()),
            )
        )
    return findings


def check_leaks(found: Duplicates, split: np.ndarray) -> list[Finding]:
    """Return findings on held-out images that show the same as training images, and on duplicates within a split."""
    findings = []
    leaked, held_out = int((found.across & (split == HELD_OUT)).sum()), int((split == HELD_OUT).sum())
    if leaked:
        share = leaked / held_out
        pairs = found.identical & (split[found.first] != split[found.second])
        findings.append(
            Finding(
                "serious" if share >= 0.01 else "warning",
                "duplicates",
                f"{leaked} of {held_out} held-out images show the same as a training image ({int(pairs.sum())} "
                "identical pairs across the splits)",
                "tiers leave such images out of validation and probe by default (apart: near)",
                value=share,
            )
        )
    again = int(
        (found.identical & (split[found.first] == split[found.second]) & (split[found.first] == TRAIN)).sum()
    )
    if again:
        findings.append(
            Finding(
                "note" if again < 0.01 * (split == TRAIN).sum() else "warning",
                "duplicates",
                f"{again} training images are identical to an earlier one",
                "remove them: they count twice, and their class has fewer images than it seems",
                value=float(again),
            )
        )
    return findings
