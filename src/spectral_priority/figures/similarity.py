"""Similarity: how alike the classes of a data set are, in clustered order, with the classes of each tier beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from .levels import listed
from .result_files import Similarity, manifest, similarities
from .shown import levels_of
from .style import OKABE_ITO, SHARE_COLOURS, TWO_COLUMNS, canvas, frame, level_colours, styled
from .tables import Tables

MOST_MATRICES, MOST_NAMES, MOST_TIERS = 3, 40, 18
"""Similarities, class names and tiers that one figure can show."""
MOST_ORDERED = 300
"""Classes up to which neighbouring leaves are put in the best order: its time grows with their cube."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw each similarity that tiers are made by as a clustered matrix, the tiers' classes marked on its left.

    Returns
    -------
    figure : Figure
    data : DataFrame
        dataset, label, kind, first, second (class names), first_place, second_place (in clustered order; empty where a
        class has no similarity), similarity, tiers (those that have both classes); of more than 300 classes only pairs
        that some tier has.
    """
    study, results = tables.study, tables.results
    found = similarities(study, results)
    shown = found[:MOST_MATRICES]
    members = {tier.name: _members(manifest(study, results, tier.name)) for tier in study.list_tiers()}
    orders = [_order(one.matrix) for one in shown]
    heights = [76.0] * len(shown)
    figure = canvas(TWO_COLUMNS, sum(heights))
    strips = max(2.0, 0.2 * max(len(_tiers_of(tables, one)) for one in shown))  # names need room
    panels = figure.subplots(
        len(shown), 3, squeeze=False, width_ratios=[strips, 5, 1.1], height_ratios=heights
    )
    parts = []
    for row, one, (order, tree) in zip(panels, shown, orders, strict=True):
        tiers = _tiers_of(tables, one)
        _strips(row[0], tables, one, order, tiers, members)
        mesh = _matrix(row[1], one, order)
        figure.colorbar(mesh, ax=row[1], label=f"{one.kind} similarity", pad=0.02)
        _tree(row[2], tree)
        parts.append(_table(one, order, {tier: members[tier] for tier in tiers}))
    frame(figure, finding(tables, shown, members), _note(tables, shown, orders, len(found)))
    return figure, pd.concat(parts, ignore_index=True)


def finding(tables: Tables, shown: list[Similarity], members: dict[str, dict[str, int]]) -> str:
    """Say how alike the classes of each level are, against any two classes."""
    said = []
    for one in shown:
        everything = _mean(one.matrix, np.arange(len(one.classes)))
        for family in one.families:
            parts = []
            for level in levels_of(tables.study, family):
                means = []
                for tier in tables.study.list_tiers():
                    if (tier.family, tier.level) == (family, level):
                        groups = {
                            one.classes.index(name): of
                            for name, of in members[tier.name].items()
                            if name in one.classes
                        }
                        means.append(
                            _mean(one.matrix, np.array(list(groups)), np.array(list(groups.values())))
                        )
                if means and np.isfinite(means).any():
                    parts.append((level, float(np.nanmean(means))))
            if parts:
                numbers = listed([f"{mean:.2f} ({level})" for level, mean in parts[:4]])
                said.append(
                    f"{family}: mean {one.kind} similarity between a task’s classes {numbers}, "
                    f"of all pairs {everything:.2f}"
                )
    text = "; ".join(said[:2])
    return f"{text[0].upper()}{text[1:]}" if text else "No tier has two classes with a similarity"


def _mean(matrix: np.ndarray, classes: np.ndarray, groups: np.ndarray | None = None) -> float:
    """Mean similarity over pairs of classes that lie in different groups, without those that have none."""
    groups = np.arange(len(classes)) if groups is None else groups
    pairs = np.triu(groups[:, None] != groups[None, :], 1)
    values = matrix[np.ix_(classes, classes)][pairs] if len(classes) else np.array([])
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def _members(facts: dict) -> dict[str, int]:
    """Class of the data set → number of the tier's class that it belongs to."""
    return {name: number for number, one in enumerate(facts["classes"]) for name in one["members"]}


def _order(matrix: np.ndarray) -> tuple[np.ndarray, dict | None]:
    """Places of the classes that have a similarity in clustered order (average linkage), and the tree."""
    known = np.flatnonzero(np.isfinite(matrix).sum(axis=1) > 1)
    if len(known) < 2:
        return np.arange(len(matrix)), None
    values = matrix[np.ix_(known, known)]
    distance = np.where(
        np.isfinite(values), np.nanmax(values) - values, np.nanmax(values) - np.nanmin(values)
    )
    np.fill_diagonal(distance, 0.0)
    between = squareform((distance + distance.T) / 2, checks=False)
    tree = linkage(between, "average")
    if len(known) <= MOST_ORDERED:
        tree = optimal_leaf_ordering(tree, between)
    drawn = dendrogram(tree, no_plot=True)
    return known[drawn["leaves"]], drawn


def _named(classes: tuple[str, ...]) -> bool:
    return len(classes) <= MOST_NAMES


def _tiers_of(tables: Tables, one: Similarity) -> list[str]:
    """The tiers made by this similarity, first draws first where there are too many, in the study's order."""
    tiers = [tier for tier in tables.study.list_tiers() if tier.family in one.families]
    first = sorted(tiers, key=lambda tier: tier.draw)[:MOST_TIERS]
    return [tier.name for tier in tiers if tier in first]


def _strips(
    axes: Axes,
    tables: Tables,
    one: Similarity,
    order: np.ndarray,
    tiers: list[str],
    members: dict[str, dict[str, int]],
) -> None:
    """A column per tier: filled where a class belongs to it, coloured by level, or by group in `regroup`."""
    place_of = {one.classes[number]: place for place, number in enumerate(order)}
    levels = list(dict.fromkeys(tables.study.tier(name).level for name in tiers))
    colours = level_colours(levels)
    used = {}
    for column, name in enumerate(tiers):
        tier = tables.study.tier(name)
        grouped = tables.study.tiers[tier.family].kind == "regroup"
        for class_name, group in members[name].items():
            if class_name not in place_of:
                continue
            colour = OKABE_ITO[group % len(OKABE_ITO)] if grouped else colours[tier.level]
            if not grouped:
                used[tier.level] = colour
            axes.add_patch(_box(column, place_of[class_name], colour))
    axes.set_xlim(-0.6, max(len(tiers), 5) - 0.4)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xticks(range(len(tiers)), [_brief(tables, name) for name in tiers], rotation=90)
    axes.tick_params(axis="x", length=0)
    axes.set_yticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title(f"classes of {', '.join(one.families)}", pad=3)
    if used:
        handles = [
            Line2D([], [], linestyle="", marker="s", color=colour, label=level)
            for level, colour in used.items()
        ]
        axes.legend(handles=handles, loc="upper right", bbox_to_anchor=(-0.02, 1.0), handletextpad=0.2)


def _box(column: int, place: int, colour: str) -> Rectangle:
    return Rectangle((column - 0.4, place - 0.5), 0.8, 1.0, facecolor=colour, edgecolor="none")


def _brief(tables: Tables, name: str) -> str:
    """A tier's level and draw; of a family alone."""
    tier = tables.study.tier(name)
    return f"{tier.level}-d{tier.draw}"


def _matrix(axes: Axes, one: Similarity, order: np.ndarray):
    values = one.matrix[np.ix_(order, order)]
    shown = values.copy()
    np.fill_diagonal(shown, np.nan)  # a class is itself, whatever the scale
    known = shown[np.isfinite(shown)]
    scale = Normalize(float(known.min()), float(known.max())) if known.size else Normalize(0, 1)
    image = axes.imshow(
        np.ma.masked_invalid(shown),
        cmap=SHARE_COLOURS,
        norm=scale,
        aspect="auto",
        interpolation="nearest",
        rasterized=True,
    )
    axes.set_facecolor("#dddddd")
    axes.set_title(
        f"{one.dataset}, label {one.label}: {len(order)} classes",
        pad=3,
    )
    axes.set_xticks([])  # the same classes as on the left
    axes.set_yticks([])
    if _named(one.classes):
        axes.set_yticks(range(len(order)), [one.classes[number] for number in order])
    axes.tick_params(length=0)
    return image


def _tree(axes: Axes, tree: dict | None) -> None:
    axes.set_axis_off()
    if tree is None:
        return
    for across, along in zip(tree["dcoord"], tree["icoord"], strict=True):
        axes.plot(across, (np.array(along) - 5) / 10, color="black", linewidth=0.6, solid_joinstyle="miter")
    axes.set_ylim(len(tree["leaves"]) - 0.5, -0.5)
    axes.set_xlim(left=0)


def _table(one: Similarity, order: np.ndarray, members: dict[str, dict[str, int]]) -> pd.DataFrame:
    first, second = np.triu_indices(len(one.classes), 1)
    place = np.full(len(one.classes), np.nan)
    place[order] = np.arange(len(order))
    names = np.array(one.classes)
    both = np.full(len(first), "", dtype=object)
    for tier, own in members.items():
        has = np.isin(names, list(own))
        both[has[first] & has[second]] += f" {tier}"
    if len(names) > MOST_ORDERED:  # the matrix itself is a file of the data set
        first, second, both = (of[both != ""] for of in (first, second, both))
    return pd.DataFrame(
        {
            "dataset": one.dataset, "label": one.label, "kind": one.kind, "first": names[first],
            "second": names[second],
            "first_place": place[first], "second_place": place[second], "similarity": one.matrix[first, second],
            "tiers": [tiers.strip() for tiers in both],
        }
    )  # fmt: skip


def _note(tables: Tables, shown: list[Similarity], orders: list, found: int) -> str:
    without = sum(len(one.classes) - len(order) for one, (order, _) in zip(shown, orders, strict=True))
    grouped = any(tables.study.tiers[family].kind == "regroup" for one in shown for family in one.families)
    tiers = sum(tier.family in one.families for one in shown for tier in tables.study.list_tiers())
    drawn = sum(len(_tiers_of(tables, one)) for one in shown)
    return (
        "Colour: similarity of two classes, 1 = the same (diagonal left out); order and tree: average linkage. Left: "
        f"the classes of each tier (level–draw){', coloured by group' if grouped else ''}. No interval: "
        "n is all classes."
        + (f" Without a similarity, left out: {without} classes." if without else "")
        + (f" Left out for room: {tiers - drawn} tiers." if tiers > drawn else "")
        + (f" Left out for room: {found - len(shown)} similarities." if found > len(shown) else "")
    )
