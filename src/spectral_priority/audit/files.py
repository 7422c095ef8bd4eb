"""What the files were like, by class: encoder quality, chroma subsampling, colour mode, format and size.

Question: can a class be told without looking at the picture? What differs between classes in how they were stored
differs in their spectra, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data.images import PackedImages
from ..errors import InputError
from .finding import Finding, listed, severity

ORDERED = {
    "encoder_quality": "JPEG quality",
    "side": "shorter side in the file",
    "aspect": "ratio of width to height",
}
"""Numbers: their distributions are compared by their largest distance (Kolmogorov–Smirnov)."""
NAMED = {"mode": "colour mode", "chroma": "chroma subsampling", "format": "file format"}
"""Names: their shares are compared (total variation)."""
SERIOUS, WARNING = 0.5, 0.25
"""Of the distance of a class from all others, less what chance explains."""
REMEDIES = {
    "encoder_quality": "encode all images again at the lowest quality before they are packed, or take classes of one "
    "source",
    "side": "the reduction differs, and so does what is left of the highest rings: choose classes of one source, or "
    "bring all files to the smallest size first",
    "aspect": "crops or stretches then differ by class: choose another crop, or classes of one source",
    "mode": "pack with color: grey, so that colour and grey images are alike",
    "chroma": "pack with color: grey, or encode all images again with one subsampling",
    "format": "convert all files to one format and quality before they are packed",
}


def file_facts(images: PackedImages) -> dict[str, np.ndarray]:
    """Return what is known of every image's file, (sample,) each: `ORDERED` and `NAMED`, those that the pack holds."""
    height, width = (images.fact(f"original_{side}").astype(float) for side in ("height", "width"))
    facts = {
        "encoder_quality": images.fact("encoder_quality"),
        "side": np.minimum(height, width),
        "aspect": width / np.maximum(height, 1),
    }
    for name in NAMED:
        try:
            facts[name] = images.fact(name)
        except InputError:  # packed before this was noted
            continue
    return facts


def facts_by_class(facts: dict[str, np.ndarray], label: np.ndarray, classes: int) -> list[dict[str, Any]]:
    """Return a row per class: medians of numbers with their smallest and largest, the commonest name with its share."""
    rows = []
    for number in range(classes):
        mine, row = label == number, {}
        for name, values in facts.items():
            own = values[mine]
            if not len(own):
                row[name] = None
            elif name in ORDERED:
                row[name], row[f"{name}_least"], row[f"{name}_most"] = (
                    float(value) for value in (np.median(own), own.min(), own.max())
                )
            else:
                found, count = np.unique(own, return_counts=True)
                row[name], row[f"{name}_share"] = str(found[count.argmax()]), float(count.max() / len(own))
        rows.append(row)
    return rows


def check_files(
    facts: dict[str, np.ndarray], label: np.ndarray, names: list[str], column: str
) -> list[Finding]:
    """Return a finding for every fact that gives classes away."""
    findings = []
    for name, values in facts.items():
        apart = np.array([_apart(values, label == number, name in ORDERED) for number in range(len(names))])
        level = severity(float(apart.max(initial=0)), SERIOUS, WARNING)
        if level:
            odd = [int(i) for i in np.argsort(-apart, kind="stable") if apart[i] >= WARNING]
            shown = [f"{names[i]} {_usual(values[label == i], name)}" for i in odd]
            called = {**ORDERED, **NAMED}[name]
            findings.append(
                Finding(
                    level,
                    "files",
                    f"the {called} differs between classes and can give them away: {listed(shown)}",
                    REMEDIES[name],
                    column,
                    tuple(names[i] for i in odd),
                    float(apart.max()),
                )
            )
    return findings


def _apart(values: np.ndarray, mine: np.ndarray, ordered: bool) -> float:
    """How far a class's distribution is from that of all others, less what chance explains at 1 %."""
    own, others = values[mine], values[~mine]
    if not len(own) or not len(others):
        return 0.0
    if ordered:
        grid = np.unique(values)
        ours, theirs = (
            np.searchsorted(np.sort(part), grid, side="right") / len(part) for part in (own, others)
        )
        distance = np.abs(ours - theirs).max()
    else:
        distance = sum(abs((own == name).mean() - (others == name).mean()) for name in np.unique(values)) / 2
    chance = 1.63 * np.sqrt(1 / len(own) + 1 / len(others))
    return float(max(0.0, distance - chance))


def _usual(values: np.ndarray, name: str) -> str:
    if name in ORDERED:
        middle = float(np.median(values))
        return "unknown" if name == "encoder_quality" and middle < 0 else f"{middle:.4g}"
    found, count = np.unique(values, return_counts=True)
    share = count.max() / len(values)
    return f"{found[count.argmax()] or 'none'}" + (f" ({100 * share:.0f} %)" if share < 1 else "")
