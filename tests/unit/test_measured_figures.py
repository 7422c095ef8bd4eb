"""Figures of what measures say over training, of classes and of data: they say what was planted, and no more."""

from dataclasses import replace
from importlib import import_module
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from made_curves import over_training, psd, similarity, write_result_files
from matplotlib.text import Text
from simulated_study import document, simulate

from spectral_priority.config import load_study, parse_study
from spectral_priority.figures import FIGURES, figures_of
from spectral_priority.figures.data_psd import finding as psd_finding
from spectral_priority.figures.data_psd import psd_table
from spectral_priority.figures.levels import by_level
from spectral_priority.figures.save import to_svg
from spectral_priority.figures.similarity import _order
from spectral_priority.figures.tables import read_tables

TABLES = ("priority", "complexity", "learning", "profiles", "correlations", "contrasts", "claims")
OVER_TRAINING = ("ring-order", "band-accuracy", "paths", "singular-values")
NEW = ("matched-loss", *OVER_TRAINING, "similarity", "data-psd")
MEASURES = {"gradient": {}, "band-accuracy": {}, "paths": {}, "weight-svd": {}, "gradient-svd": {}}


def tables_of(folder, of_similarity=None, steps=(0, 10, 100, 600), gap=3.0, curves=None, **options):
    paths = simulate(folder, **options)
    read = read_tables(load_study(paths["study"]), **{name: paths[name] for name in TABLES})
    study = parse_study({**document(**{k: v for k, v in options.items() if k not in ("slope", "reached")}),
                         "measures": MEASURES})  # fmt: skip
    results = write_result_files(study, folder, gap=gap, **(of_similarity or {}))
    made = over_training(study, steps=steps, **(curves or {}))
    return replace(read, study=study, over_training=made, results=results)


def drawn(name, tables):
    return import_module(f"spectral_priority.{FIGURES[name]}").draw(tables)


def title(name, tables):
    return drawn(name, tables)[0].title_text


def note_of(figure):
    text = next(text.get_text() for text in figure.texts if text.get_gid() == "note")
    return " ".join(text.split())


def every_other(rows):
    """Half of what an interval is over: the second draw of a level, or the second seed where it has one draw."""
    drawn_once = rows["tier"].str.startswith(("labels", "regroup-16"))
    return (rows["tier"].str.endswith("d1") & ~drawn_once) | ((rows["seed"] == 1) & drawn_once)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return tables_of(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """One draw, one seed, two levels, the untrained checkpoint alone; nothing reaches the matched loss."""
    options = {"families": ("similarity",), "draws": 1, "seeds": 1, "reached": False}
    return tables_of(tmp_path_factory.mktemp("poor"), steps=(0,), of_similarity={"unknown": 2}, **options)


def as_svg(figure):
    target = BytesIO()
    to_svg(figure, target)
    return target.getvalue()


def check_texts(figure):
    figure.canvas.draw()
    assert all(text.get_fontsize() >= 7 for text in figure.findobj(Text))
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01
    assert round(width * 25.4) in (85, 180)
    assert "n = " in note_of(figure) or "n is" in note_of(figure)


@pytest.mark.parametrize("name", NEW)
def test_the_same_numbers_give_the_same_bytes_and_texts_can_be_read(name, tables):
    first, second = drawn(name, tables), drawn(name, tables)
    assert len(first[1]) > 0 and first[1].equals(second[1])
    assert as_svg(first[0]) == as_svg(second[0])
    check_texts(drawn(name, tables)[0])


@pytest.mark.parametrize("name", NEW)
def test_a_study_of_one_seed_and_one_checkpoint_is_drawn(name, poor):
    figure, data = drawn(name, poor)
    check_texts(figure)
    assert len(data) > 0


def test_a_study_has_the_figures_of_its_measures():
    assert set(OVER_TRAINING[1:]) & set(figures_of(parse_study(document()))) == set()
    study = {**document(), "measures": {"gradient": {}, "paths": {}, "shortcuts": {}}}
    own = set(figures_of(parse_study(study)))
    assert {"matched-loss", "ring-order", "paths", "data-psd", "similarity", "shortcut-gallery"} <= own
    assert {"band-accuracy", "singular-values"} & own == set()
    assert "similarity" not in figures_of(parse_study(document(families=("labels", "regroup"))))


def test_seeds_are_averaged_within_draws_and_the_interval_is_over_draws(tables):
    rows = pd.DataFrame(
        {
            "tier": ["regroup-4-d0", "regroup-4-d0", "regroup-4-d1", "labels-ring-d0", "control-shuffled-d0"],
            "seed": [0, 1, 0, 0, 0],
            "value": [1.0, 3.0, 6.0, 5.0, 99.0],
            "standard_error": 0.25,
        }
    )
    found = by_level(tables.study, rows).set_index("family")
    assert found["value"].to_dict() == {"labels": 5.0, "regroup": 4.0}
    assert found.loc["regroup", ["interval", "draws", "runs"]].tolist() == ["draws", 2, 3]
    assert found.loc["regroup", "standard_error"] == pytest.approx(2.0), "of 2 and 6"
    assert found.loc["regroup", "reach"] == pytest.approx(12.7062 * 2.0, rel=1e-4), (
        "t with one degree of freedom"
    )
    alike = by_level(tables.study, rows.assign(value=4.0)).set_index("family").loc["regroup"]
    assert alike["standard_error"] == 0 and alike["reach"] == pytest.approx(
        1.959964 * 0.25 / np.sqrt(3), rel=1e-5
    )
    assert found.loc["labels", ["interval", "standard_error"]].tolist() == ["measured", 0.25]
    assert found.loc["labels", "reach"] == pytest.approx(1.959964 * 0.25, rel=1e-5)


def test_levels_that_differ_still_do_at_matched_loss(tables, tmp_path):
    figure, data = drawn("matched-loss", tables)
    assert figure.title_text.startswith("At matched loss levels differ in their centroid as at the end in ")
    own = tables.primary_priority()
    own = own[(own["tier"] == "labels-ring-d0") & (own["scalar"] == "centroid") & (own["reading"] == "last")]
    row = data[(data["level"] == "ring") & (data["reading"] == "last checkpoint")].iloc[0]
    assert row["value"] == pytest.approx(own["value"].mean())
    same = replace(tables, priority=tables.priority.assign(value=8.0))
    rows = same.priority
    rows["value"] += np.random.default_rng(0).normal(0, 0.5, len(rows))
    assert title("matched-loss", same).startswith("No levels differ clearly")


def test_a_family_that_never_reaches_the_loss_is_not_drawn_there(poor):
    figure, data = drawn("matched-loss", poor)
    assert figure.title_text == "No family has two levels that reach the matched loss"
    assert data["fraction"].isna().all()
    assert "similarity at matched loss 0.5 (100 % of runs never reach it)" in note_of(figure)


@pytest.mark.parametrize(
    ("order", "said"), [(1.0, "Low rings change first in"), (-1.0, "High rings change first in")]
)
def test_the_order_of_rings_is_the_planted_one(order, said, tables):
    made = replace(tables, over_training=over_training(tables.study, order=order))
    figure, data = drawn("ring-order", made)
    assert figure.title_text.startswith(said)
    assert np.allclose(data["rho"], order, atol=0.02)
    ring = data[(data["ring"] == 4) & (data["level"] == "shape")].iloc[0]
    assert ring["step"] == pytest.approx(20 * 4.0**order, rel=0.03)


def test_runs_that_disagree_on_the_order_have_none(tables):
    made = over_training(tables.study)
    odd = (made["variable"] == "half_time") & every_other(made)
    made.loc[odd, "value"] = 400 / made.loc[odd, "value"]
    assert title("ring-order", replace(tables, over_training=made)).startswith("Neither low nor high rings")


def test_rings_that_do_not_change_have_no_order(tables):
    made = over_training(tables.study)
    made.loc[made["variable"] == "half_time", "value"] = np.nan
    assert "there is no order of rings" in title("ring-order", replace(tables, over_training=made))


def test_the_band_that_costs_most_accuracy_is_named(tables):
    figure, data = drawn("band-accuracy", tables)
    levels = data.drop_duplicates(["family", "level"])
    assert f"depends most on the low band in {len(levels)} of {len(levels)} levels" in figure.title_text
    assert "(at most 4" in figure.title_text and "points without low in" in figure.title_text
    last = data[(data["quantity"] == "drop") & (data["step"] == 600)]
    assert np.allclose(last.groupby("filter")["value"].mean().to_numpy(), [0.1, 0.4, 0.1], atol=0.02)


def test_where_no_band_costs_accuracy_none_is_named(tables):
    made = over_training(tables.study, drops=(0.0, 0.0, 0.0))
    drops = made["variable"].str.endswith("_drop")
    made.loc[drops, "value"] = 0.02 + np.where(every_other(made)[drops], 0.3, -0.3)
    assert title("band-accuracy", replace(tables, over_training=made)).startswith(
        "No band’s removal costs clearly"
    )


@pytest.mark.parametrize(
    ("difference", "said"), [(0.5, "at higher frequencies in"), (-0.5, "at lower frequencies in")]
)
def test_paths_between_classes_are_held_against_paths_within(difference, said, tables):
    made = replace(tables, over_training=over_training(tables.study, difference=difference))
    figure, data = drawn("paths", made)
    assert said in figure.title_text
    last = data[(data["quantity"] == "centroid_difference") & (data["step"] == 600)]
    assert np.allclose(last["value"], difference, atol=0.03)


def test_paths_of_one_frequency_show_no_clear_difference(poor):
    made = poor.over_training.copy()
    own = made["variable"] == "softmax_centroid_difference"
    made.loc[own, "value"] = 1.5 * made.loc[own, "standard_error"]
    assert "no clearly different frequency" in title("paths", replace(poor, over_training=made))


def test_ranks_fall_and_singular_values_grow_as_planted(tables):
    figure, data = drawn("singular-values", tables)
    levels = data.loc[data["quantity"] == "effective_rank_share", "level"].nunique()
    title_text = figure.title_text
    assert (
        f"the effective rank of weights falls in {levels} of {levels} levels of labels (at most 0.9"
        in title_text
    )
    assert f"that of gradients falls in {levels} of {levels} (at most 0.9" in title_text
    assert "ends at 4 times its first" in figure.title_text or "ends at 4.1 times" in figure.title_text
    assert set(data["of"]) == {"weights", "gradients"}
    level = replace(tables, over_training=over_training(tables.study, rank=(0.8, 0.8)))
    assert "changes clearly in none of" in title("singular-values", level)


def test_classes_that_are_alike_stand_together_and_the_tiers_are_marked(tables):
    figure, data = drawn("similarity", tables)
    assert "0.80 (near), 0.20 (mid) and 0.20 (far), of all pairs 0.36" in figure.title_text
    alike = data[data["similarity"] == 0.8]
    assert (alike["first_place"] - alike["second_place"]).abs().max() == 3, "blocks of four lie together"
    near = data[data["tiers"].str.split().map(lambda names: "similarity-near-d0" in names)]
    assert len(near) == 6 and (near["similarity"] == 0.8).all()


def test_classes_without_a_similarity_are_left_out_and_counted(poor):
    figure, data = drawn("similarity", poor)
    assert "Without a similarity, left out: 2 classes" in note_of(figure)
    assert data["second_place"].isna().sum() > 0


def test_one_class_has_no_tree():
    order, tree = _order(similarity(1)[0])
    assert order.tolist() == [0] and tree is None


def test_the_lowest_and_the_highest_spectrum_are_named(tables):
    figure, data = drawn("data-psd", tables)
    assert figure.title_text.startswith(
        "Images of c0 have the lowest spectra (centroid 5.00), those of c11 the highest (8.00 cycles/image;"
    )
    row = data[(data["class"] == "c0") & (data["ring"] == 4)].iloc[0]
    assert row["power_density"] == pytest.approx(4.0**-2.5) and row["images"] == 100


def test_spectra_that_are_alike_are_not_told_apart():
    assert "no clear difference between classes" in psd_finding(psd_table("d", "l", psd(["a", "b"], gap=0.1)))
    assert psd_finding(psd_table("d", "l", psd(["a"], gap=0))).startswith("One class, a")
