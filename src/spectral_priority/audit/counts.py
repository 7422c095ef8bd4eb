"""How many images each class has in each split, which of them show next to nothing, and groups in both splits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.images import BLOCK_BYTES, HELD_OUT, TRAIN, PackedImages
from ..data.thumbnails import grey
from .finding import Finding, listed

NEAR_EMPTY = 2.0
"""Standard deviation of the luma in grey levels of 0 … 255 below which an image is near-empty."""
IMBALANCE = 10
"""Largest class ÷ smallest class from which counts are called unequal."""
SHOWN = 10


def contrasts(images: PackedImages, progress: Callable[[int], object] = lambda images: None) -> np.ndarray:
    """Return the standard deviation of every image's luma, in grey levels of 0 … 255, (sample,) float32."""
    found = np.empty(len(images), dtype=np.float32)
    step = max(1, BLOCK_BYTES // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        index = np.arange(start, min(start + step, len(images)))
        found[index] = grey(images.read(index)).reshape(len(index), -1).std(axis=1)
        progress(len(index))
    return found


def counts_by_class(
    split: np.ndarray, contrast: np.ndarray, label: np.ndarray, classes: int
) -> list[dict[str, Any]]:
    """Return a row per class: images in either split, near-empty ones, mean contrast."""
    rows = []
    for number in range(classes):
        mine = label == number
        rows.append(
            {
                "train": int((mine & (split == TRAIN)).sum()),
                "held_out": int((mine & (split == HELD_OUT)).sum()),
                "near_empty": int((mine & (contrast < NEAR_EMPTY)).sum()),
                "contrast": float(contrast[mine].mean()) if mine.any() else None,
            }
        )
    return rows


def check_counts(rows: list[dict[str, Any]], names: list[str], column: str) -> list[Finding]:
    """Return findings on classes of very unequal size, and on those that a split lacks."""
    train = np.array([row["train"] for row in rows])
    held_out = np.array([row["held_out"] for row in rows])
    findings = []
    for counts, called in ((train, "training"), (held_out, "held-out")):
        absent = [names[i] for i in np.flatnonzero(counts == 0)]
        if absent and counts.any():
            findings.append(
                Finding(
                    "warning",
                    "counts",
                    f"{len(absent)} classes have no {called} images: {listed(absent)}",
                    "leave these classes out, or split the data anew",
                    column,
                    tuple(absent),
                    float(len(absent)),
                )
            )
    present = train[train > 0]
    if len(present) > 1 and present.max() >= IMBALANCE * present.min():
        small = [f"{names[i]} {train[i]}" for i in np.argsort(train, kind="stable")[:5] if train[i]]
        findings.append(
            Finding(
                "note",
                "counts",
                f"the largest class has {present.max() / present.min():.0f} times the training images of the smallest: "
                f"{', '.join(small)}",
                "tiers balance classes; those under the floor are left out and listed in each manifest",
                column,
                value=float(present.max() / present.min()),
            )
        )
    return findings


def check_near_empty(rows: list[dict[str, Any]], names: list[str], column: str) -> list[Finding]:
    """Return a finding on images that show next to nothing: warning where they are a class's own."""
    empty = np.array([row["near_empty"] for row in rows])
    if not empty.any():
        return []
    share = empty / np.maximum([row["train"] + row["held_out"] for row in rows], 1)
    shown = [f"{names[i]} {empty[i]}" for i in np.argsort(-empty, kind="stable") if empty[i]]
    return [
        Finding(
            "warning" if share.max() >= 0.01 else "note",
            "near-empty",
            f"{empty.sum()} images are near-empty (their standard deviation is below {NEAR_EMPTY:g} grey levels): "
            f"{listed(shown)}",
            "remove them: they have next to no power, so their shares are those of rounding",
            column,
            tuple(names[i] for i in np.flatnonzero(empty)),
            float(share.max()),
        )
    ]


def check_groups(group: np.ndarray, split: np.ndarray) -> list[Finding]:
    """Return a finding where images of one group, such as a patient, lie in both splits."""
    known = group >= 0
    both = np.intersect1d(group[known & (split == TRAIN)], group[known & (split == HELD_OUT)])
    if not len(both):
        return []
    touched = int((np.isin(group, both) & (split == HELD_OUT)).sum())
    return [
        Finding(
            "serious",
            "groups",
            f"{len(both)} groups (such as patients) have images in both splits: {touched} of "
            f"{int((split == HELD_OUT).sum())} held-out images have others of their group among the training images",
            "split by group; tiers keep groups whole and leave such held-out images out",
            value=float(touched / max((split == HELD_OUT).sum(), 1)),
        )
    ]
