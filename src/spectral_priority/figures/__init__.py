"""Figures of a study: one file per figure, one shared style. Importing this imports no plotting library.

Every figure's module has `draw(tables)` (`draw(tables, tier)` for those of one tier), which returns a matplotlib Figure
and the table behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..config.instances import masks_of, of_measure, probe_of

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
    "matched-loss": "figures.matched_loss",
    "ring-order": "figures.ring_order",
    "band-accuracy": "figures.band_accuracy",
    "paths": "figures.paths",
    "singular-values": "figures.singular_values",
    "similarity": "figures.similarity",
    "data-psd": "figures.data_psd",
    "shortcut-gallery": "figures.shortcut_gallery",
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

OF_MEASURES = {
    "ring-order": ("gradient",),
    "band-accuracy": ("band-accuracy",),
    "paths": ("paths",),
    "singular-values": ("weight-svd", "gradient-svd"),
}
"""Figures of what measures say over training → the measures of which a study must have one."""

OF_FILES = ("similarity", "data-psd", "shortcut-gallery")
"""Figures of data, classes and images, which read result files beside the tables."""


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
    if not gallery_instance(study):
        absent.add("shortcut-gallery")
    if not any(study.similarity_of(family) for family in study.tiers):
        absent.add("similarity")
    for name, measures in OF_MEASURES.items():
        if not any(of_measure(study, measure) for measure in measures):
            absent.add(name)
    return [name for name in FIGURES if name not in absent]


def gallery_instance(study: Study) -> str | None:
    """Return the instance whose masks the shortcut gallery shows: the first with its own, on the tier's images."""
    for name in of_measure(study, "shortcuts"):
        if masks_of(study.measures[name]) is None and probe_of(study.measures[name]) is None:
            return name
    return None
