"""Figures of a study: one file per figure, one shared style. Importing this imports no plotting library.

Every figure's module has `draw(tables)` (`draw(tables, tier)` for those of one tier), which returns a matplotlib Figure
and the table behind it.
"""

FIGURES = {
    "heatmaps": "figures.overview",
    "profiles": "figures.profiles",
    "complexity": "figures.complexity",
    "correlations": "figures.correlations",
    "learning": "figures.learning",
    "heatmap": "figures.heatmap",
}
"""Figure → module of the package that draws it."""

PER_TIER = ("heatmap",)
"""Figures of which there is one per tier."""
