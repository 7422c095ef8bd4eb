"""The figure and the sentences on recipes say what the table of contrasts says, and no more."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from simulated_study import simulate

from spectral_priority.config import load_study
from spectral_priority.figures.contrasts import draw
from spectral_priority.figures.tables import read_tables
from spectral_priority.report.contrasts import level_sentences

TABLES = ("priority", "complexity", "learning", "profiles", "correlations", "contrasts", "claims")


def tables_of(folder, **options):
    paths = simulate(folder, **options)
    return read_tables(load_study(paths["study"]), **{name: paths[name] for name in TABLES})


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return tables_of(tmp_path_factory.mktemp("study"), families=("labels",), seeds=3)


def with_wide(tables, level, difference, lower, upper):
    """The tables with one contrast of the centroid at the last checkpoint replaced, and all others at zero."""
    rows = tables.contrasts.copy()
    rows[["difference", "lower", "upper"]] = [0.0, -0.1, 0.1]
    one = (rows["level"] == level) & (rows["scalar"] == "centroid") & (rows["reading"] == "last")
    rows.loc[one, ["difference", "lower", "upper"]] = [difference, lower, upper]
    return replace(tables, contrasts=rows)


def points(axes):
    """Differences that a panel shows: (x, filled)."""
    lines = [line for line in axes.get_lines() if line.get_marker() == "o" and len(line.get_xdata())]
    return [(line.get_xdata()[0], line.get_markerfacecolor() != "white") for line in lines]


def test_a_difference_clear_of_zero_is_filled_and_named(tables):
    figure, data = draw(with_wide(tables, "ring", -2.0, -2.5, -1.5))
    last, matched = figure.axes
    assert points(last) == [(0.0, False), (-2.0, True), (0.0, False)]
    assert not any(filled for _, filled in points(matched))
    assert "1 of 3 contrasts in the centroid at the last checkpoint are clear of zero" in figure.title_text
    assert "wide on labels ring (−2.00 cycles/image, interval −2.50 to −1.50)" in figure.title_text
    assert set(data["recipe"]) == {"wide"} and set(data["reference"]) == {"base"}


def test_nothing_is_claimed_where_every_interval_holds_zero(tables):
    unclear = with_wide(tables, "ring", -2.0, -4.5, 0.5)
    assert draw(unclear)[0].title_text.startswith("No recipe moves the centroid clearly from its reference")
    assert all("clearly with no recipe; not clearly with wide" in text for text in level_sentences(unclear))


def test_an_interval_far_longer_than_any_difference_is_cut_and_the_note_says_so(tables):
    note = "Arrowheads: the interval goes on beyond the panel"
    figure, _ = draw(with_wide(tables, "ring", 1.0, -40.0, 42.0))
    assert max(figure.axes[0].get_xlim()) < 3
    assert note in " ".join(note_of(figure).split())
    assert note not in " ".join(note_of(draw(with_wide(tables, "ring", 1.0, 0.5, 1.5))[0]).split())


def test_a_contrast_without_a_value_is_shown_as_such(tables):
    figure, _ = draw(with_wide(tables, "ring", np.nan, np.nan, np.nan))
    assert [text.get_text().strip() for text in figure.axes[0].texts] == ["no result"]


def test_a_sentence_per_level_gives_the_difference_with_its_interval(tables):
    sentences = level_sentences(with_wide(tables, "ring", -2.0, -2.5, -1.5))
    assert len(sentences) == 3
    assert sentences[1] == (
        "labels, ring: compared with base, the centroid changes clearly with wide (−2.00, interval −2.50 to −1.50). "
        "Differences in cycles/image."
    )


def test_families_without_the_first_recipe_are_shown_with_their_own_first(tmp_path):
    """As in a study of transfer: what is pre-trained has a recipe that nothing else has."""
    mixed = tables_of(
        tmp_path, families=("labels", "regroup"), groups=(2, 4), trained_with={"regroup": ["wide"]}
    )
    assert set(mixed.profiles["tier"]) == {tier.name for tier in mixed.study.list_tiers()}
    for name in ("complexity", "learning", "overview", "profiles", "correlations"):
        figure, data = import_module(f"spectral_priority.figures.{name}").draw(mixed)
        if "tier" in data:
            assert set(data["tier"]) == {tier.name for tier in mixed.study.list_tiers()}
        assert "Recipe base (regroup: wide)" in " ".join(note_of(figure).split())
    assert set(draw(mixed)[1]["family"]) == {"labels"}


def note_of(figure):
    return next(text.get_text() for text in figure.texts if text.get_gid() == "note")
