"""Figures of a study: one file per figure, one shared style. Importing this imports no plotting library.

Every figure's module has `draw(tables)` (`draw(tables, tier)` for those of one tier), which returns a matplotlib Figure
and the table behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.instances import of_measure

if TYPE_CHECKING:
    from ..config import Study

FIGURES = {
    "heatmaps": "figures.overview",
    "profiles": "figures.profiles",
    "complexity": "figures.complexity",
    "correlations": "figures.correlations",
    "learning": "figures.learning",
    "contrasts": "figures.contrasts",
    "alignment": "figures.alignment",
    "class-learning": "figures.class_learning",
    "shortcuts": "figures.shortcuts",
    "heatmap": "figures.heatmap",
}
"""Figure → module of the package that draws it."""

PER_TIER = ("heatmap",)
"""Figures of which there is one per tier."""

OF_RECIPES = ("contrasts",)
"""Figures of studies that train a family with several recipes; no others have them."""

OF_ARTEFACTS = ("alignment",)
"""Figures of studies with a planted artefact."""

OF_CLASSES = ("class-learning",)
"""Figures of studies that ask which class is learned first."""


OF_SHORTCUTS = ("shortcuts",)
"""Figures of studies with an instance of the measure `shortcuts`."""


def figures_of(study: Study) -> list[str]:
    """Return the figures that a study has one of; those of single tiers are not among them."""
    absent = {*PER_TIER}
    if not study.contrasted():
        absent.update(OF_RECIPES)
    if not study.artefacts():
        absent.update(OF_ARTEFACTS)
    if not study.learned_first:
        absent.update(OF_CLASSES)
    if not of_measure(study, "shortcuts"):
        absent.update(OF_SHORTCUTS)
    return [name for name in FIGURES if name not in absent]
