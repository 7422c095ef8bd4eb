"""Periodic traces of what was done to images: resampling before they came here, and the blocks of JPEG.

An enlarged image is an interpolation, whose second difference is larger at some places than at others, in a period of
the enlargement (Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed images"); where pixels
were repeated it is the first difference. JPEG's blocks leave a period of eight pixels, with its overtones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .finding import Finding, listed
from .sample import Seen

BLOCK = 1 / 8
"""Cycles/pixel of JPEG's blocks."""
NEAREST = 0.025
"""Cycles/pixel by which a peak may miss a multiple of BLOCK."""
LOWEST = 0.15
"""Cycles/pixel below which objects in the same place in all images leave periods of their own."""
WINDOW = 9
"""Places over which the slow course along a row is averaged."""
STRONG, WEAK = 0.15, 0.05
"""Depth of a modulation that counts as a trace; one that does not."""
LEAST_IMAGES = 20


def traces_by_class(seen: Seen, label: np.ndarray, classes: int) -> list[dict[str, Any]]:
    """Return a row per class: the depth of JPEG's period (`blocks`), and of the deepest other one with its `period`.

    The depth is that of a wave about the mean difference, 0 … 1. For resampling, which goes both ways, the smaller one
    of rows and columns counts, and the larger one of first and second differences; for blocks the largest of all.
    """
    rows = []
    for number in range(classes):
        bends = seen.bends[label == number]
        bends = bends[bends.sum(axis=(1, 2, 3)) > 0]
        row: dict[str, Any] = {"traced": len(bends)}
        if len(bends) >= LEAST_IMAGES and seen.size >= 2 * WINDOW:
            depth, frequency = _depths(bends.mean(axis=0))
            multiple = np.abs(frequency - BLOCK * np.rint(frequency / BLOCK)) <= NEAREST
            first = np.abs(frequency - BLOCK) <= NEAREST
            blocks = depth[..., first].max(axis=2, initial=0)
            row["blocks"] = float(blocks.max())
            # A multiple of 1/8 is an overtone of the blocks as long as it is no deeper than their own period.
            other = np.where(multiple & (depth <= 1.5 * blocks[..., None]), 0.0, depth)
            other = other[..., frequency >= LOWEST].min(axis=1).max(axis=0)
            row["resampling"] = float(other.max(initial=0))
            row["period"] = float(1 / frequency[frequency >= LOWEST][other.argmax()]) if len(other) else None
        rows.append(row)
    return rows


def check_traces(rows: list[dict[str, Any]], names: list[str], column: str) -> list[Finding]:
    """Return findings on resampling that images went through before, and on blocks that not all classes have."""
    traced = [i for i, row in enumerate(rows) if "resampling" in row]
    if not traced:
        return []
    resampled = [i for i in traced if rows[i]["resampling"] >= STRONG]
    findings = []
    if resampled:
        clean = [i for i in traced if rows[i]["resampling"] < WEAK]
        shown = [f"{names[i]} (period {rows[i]['period']:.3g} pixels)" for i in resampled]
        findings.append(
            Finding(
                "serious" if clean else "warning",
                "traces",
                f"{len(resampled)} of {len(traced)} classes were resampled before they came here: {listed(shown)}"
                + (f"; {len(clean)} were not" if clean else ""),
                "take the original files; otherwise treat the highest rings as an interpolation's, and compare "
                "classes of one history only",
                column,
                tuple(names[i] for i in resampled),
                max(rows[i]["resampling"] for i in traced),
            )
        )
    blocks = np.array([rows[i]["blocks"] for i in traced])
    if len(traced) > 1 and blocks.max() >= STRONG and blocks.min() < WEAK:
        strong = [names[traced[i]] for i in np.argsort(-blocks) if blocks[i] >= STRONG]
        findings.append(
            Finding(
                "note",
                "traces",
                f"the blocks of JPEG show in {listed(strong)} (depth up to {blocks.max():.2f}), and not in "
                f"{listed([names[traced[i]] for i in np.flatnonzero(blocks < WEAK)])}",
                "encode all images again at one quality, or resample them all (size), which breaks the blocks up",
                column,
                tuple(strong),
                float(blocks.max()),
            )
        )
    return findings


def _depths(bends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth of the waves about the slow course, (order, axis, frequency), and their frequencies in cycles/pixel."""
    from scipy.ndimage import uniform_filter1d

    length = bends.shape[-1]
    window = np.hanning(length)
    slow = uniform_filter1d(bends, WINDOW, axis=-1, mode="mirror")
    waves = np.fft.rfft((bends / np.maximum(slow, 1e-9) - 1) * window, axis=-1)
    # At the highest frequency of an even length, which has no partner, a whole wave would count double.
    depth = np.minimum(np.abs(waves) / (window.sum() / 2), 1.0)
    return depth, np.fft.rfftfreq(length)
