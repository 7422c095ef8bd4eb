"""Power by band and class, and where spectra end: what was blurred, enlarged or subsampled has nothing above that."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..fourier import bands, ring_sizes, rings
from .finding import Finding, listed, severity
from .sample import Seen, frequencies

SERIOUS, WARNING = 20.0, 8.0
"""Of the largest median share of power in the high band ÷ the smallest."""
EMPTY, ROUNDED = -1.5, 4.0
"""The last tenth of the rings is empty where it lies that many decades below the power law of lower ones, or holds no
more than that many times the power of rounding to 8 bits."""
ROUNDING = 1 / 12 / 255**2
"""Power per frequency of rounding to 8 bits."""
NO_COLOUR = 0.2
"""Share of power above a quarter of the sampling frequency, chroma ÷ luma, below which colour is lost."""
SUBSAMPLED = ("4:2:0", "4:2:2", "4:1:1", "4:4:0", "4:1:0")
"""Chroma subsampling that halves the resolution of colour in a direction, or more."""
RAISED = 0.3
"""Decades by which a class's highest rings lie above those of the class in the middle, from which they are raised."""
LEAST_IMAGES = 10
"""Images of a class below which it is not compared."""


def spectra_by_class(seen: Seen, label: np.ndarray, classes: int) -> list[dict[str, Any]]:
    """Return a row per class: images, `density` by ring, shares of bands, fall-off.

    `density` is the mean power per frequency. Shares are medians over images of power in the band ÷ power in all kept
    rings; images without power are left out. `fall_off` is in decades: log10 of the mean density of the last tenth of
    the rings, less that of the power law through the rings from a sixth to a half of the highest; `above_rounding` is
    that mean ÷ the power of rounding to 8 bits. Both are of slanted frequencies only: where opposite edges of images
    differ, the jump between them leaves power along the axes.
    """
    power = seen.power.sum(axis=2, dtype=np.float64)
    total = power.sum(axis=1)
    inside, ring = bands(seen.size), rings(seen.size)
    off_axis = frequencies(seen.size)[:, 1::2].sum(axis=1)
    last = ring >= 0.9 * ring[-1]
    rows = []
    for number in range(classes):
        mine = (label == number) & (total > 0)
        row: dict[str, Any] = {"spectra": int(mine.sum())}
        if mine.any():
            density = power[mine].mean(axis=0) / ring_sizes(seen.size)
            row["density"] = density.tolist()
            for band, members in inside.items():
                row[f"{band}_share"] = float(np.median(power[mine][:, members].sum(axis=1) / total[mine]))
            slanted = seen.power[mine][..., 1::2].sum(axis=2, dtype=np.float64).mean(axis=0) / off_axis
            middle = (ring >= seen.size / 12) & (ring <= seen.size / 4) & (slanted > 0)
            if middle.sum() >= 2 and (slanted[last] > 0).all():
                slope, level = np.polyfit(np.log10(ring[middle]), np.log10(slanted[middle]), 1)
                row["above_rounding"] = float(slanted[last].mean() / ROUNDING)
                expected = level + slope * np.log10(ring[last])
                row["fall_off"] = float((np.log10(slanted[last]) - expected).mean())
        rows.append(row)
    return rows


def check_spectra(rows: list[dict[str, Any]], names: list[str], column: str) -> list[Finding]:
    """Return findings where classes differ in the high band by a factor, and where the highest rings are empty."""
    compared = [i for i, row in enumerate(rows) if row["spectra"] >= LEAST_IMAGES]
    findings = []
    if len(compared) >= 2:
        share = np.array([rows[i]["high_share"] for i in compared])
        order = np.argsort(share)
        ratio = float(share[order[-1]] / max(share[order[0]], 1e-12))
        level = severity(ratio, SERIOUS, WARNING)
        if level:
            shown = [
                f"{names[compared[i]]} {share[i]:.1e}"
                for i in (order if len(order) <= 8 else order[[0, 1, 2, -3, -2, -1]])
            ]
            findings.append(
                Finding(
                    level,
                    "spectra",
                    "the share of power above a third of the sampling frequency differs between classes by a factor of "
                    f"{ratio:.0f}: {', '.join(shown)}",
                    "find out whether it is the objects or how they were recorded and stored; compare results with "
                    "all images low-passed at the lowest class's limit",
                    column,
                    tuple(names[compared[i]] for i in order[[0, -1]]),
                    ratio,
                )
            )
    fall_off = np.array([rows[i].get("fall_off", np.nan) for i in compared])
    above = fall_off - np.nanmedian(fall_off) if np.isfinite(fall_off).any() else fall_off
    raised = [compared[i] for i in np.flatnonzero(above >= RAISED)]
    if raised:
        shown = [f"{names[i]} {10 ** above[compared.index(i)]:.1f} times" for i in raised]
        findings.append(
            Finding(
                "warning",
                "spectra",
                "the highest rings hold more than the class in the middle's, against the power law of lower ones: "
                f"{listed(shown)}",
                "look whether these images were reduced without a filter (aliasing), sharpened, or are noisier: none "
                "of it is the objects'",
                column,
                tuple(names[i] for i in raised),
                float(np.nanmax(above)),
            )
        )
    empty = [names[i] for i in compared if _is_empty(rows[i])]
    if empty:
        findings.append(
            Finding(
                "warning",
                "spectra",
                f"the highest rings are next to empty in {len(empty)} of {len(compared)} classes ({listed(empty)}): "
                "their images were blurred, denoised or enlarged before they came here",
                "lower size until the highest rings hold something, or take the original files",
                column,
                tuple(empty),
                float(len(empty)),
            )
        )
    return findings


def _is_empty(row: dict[str, Any]) -> bool:
    return row.get("fall_off", 0.0) <= EMPTY or row.get("above_rounding", np.inf) <= ROUNDED


def check_colour(seen: Seen, chroma: np.ndarray | None) -> list[Finding]:
    """Return a note where colour has next to nothing at high frequencies, as chroma subsampling leaves it.

    Parameters
    ----------
    seen : Seen
    chroma : ndarray of str, optional
        Subsampling of every image's file, where it was noted.
    """
    if seen.colour is None:
        return []
    upper = rings(seen.size) > seen.size / 4
    luma, colour = seen.power.sum(axis=2, dtype=np.float64), seen.colour.astype(np.float64)
    both = (luma.sum(axis=1) > 0) & (colour.sum(axis=1) > 0)
    if not both.any():
        return []
    luma_share, colour_share = (
        float(np.median(power[both][:, upper].sum(axis=1) / power[both].sum(axis=1)))
        for power in (luma, colour)
    )
    if colour_share >= NO_COLOUR * luma_share:
        return []
    halved = (
        ""
        if chroma is None
        else f"; {100 * np.isin(chroma, SUBSAMPLED).mean():.0f} % of the files have chroma subsampling"
    )
    return [
        Finding(
            "note",
            "spectra",
            f"colour has {colour_share:.1e} of its power above 0.25 cycles/pixel, where brightness has "
            f"{luma_share:.1e}{halved}",
            "do not read anything into colour at high frequencies; color: grey leaves it out",
            value=colour_share / luma_share,
        )
    ]
