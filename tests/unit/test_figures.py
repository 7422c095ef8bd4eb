"""Figures show the numbers in their tables, say what these numbers show, and can be read at their final size."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.text import Text
from simulated_study import simulate

from spectral_priority import complexity
from spectral_priority.config import load_study
from spectral_priority.figures import (
    FIGURES,
    OF_ARTEFACTS,
    OF_CLASSES,
    OF_FILES,
    OF_MEASURES,
    OF_SHORTCUTS,
    PER_TIER,
)
from spectral_priority.figures.names import COMPLEXITY_NAMES
from spectral_priority.figures.save import save
from spectral_priority.figures.tables import read_tables

ROOT = Path(__file__).resolve().parents[2]
TABLES = ("priority", "complexity", "learning", "profiles", "correlations", "contrasts", "claims")
ELSEWHERE = {*OF_ARTEFACTS, *OF_CLASSES, *OF_SHORTCUTS, *OF_MEASURES, *OF_FILES}
"""Figures that test_alignment.py, test_class_learning.py, test_shortcut_tables.py, test_measured_figures.py and
test_shortcut_gallery.py draw."""
DRAWN = [name for name in FIGURES if name not in ELSEWHERE]


def tables_of(folder, **options):
    paths = simulate(folder, **options)
    return read_tables(load_study(paths["study"]), **{name: paths[name] for name in TABLES})


def draw(name, tables):
    function = import_module(f"spectral_priority.{FIGURES[name]}").draw
    return function(tables, tables.study.list_tiers()[0].name) if name in PER_TIER else function(tables)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return tables_of(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def falling(tmp_path_factory):
    return tables_of(tmp_path_factory.mktemp("falling"), families=("regroup",), slope=-0.8)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return tables_of(
        tmp_path_factory.mktemp("small"), families=("labels", "control"), draws=1, seeds=1, reached=False
    )


def test_every_complexity_measure_has_a_name_for_people():
    assert list(COMPLEXITY_NAMES) == list(complexity.MEASURES)
    assert len(set(COMPLEXITY_NAMES.values())) == len(COMPLEXITY_NAMES)


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_makes_three_files_and_the_same_bytes_when_redrawn(name, tables, tmp_path):
    for time in ("first", "second"):
        figure, data = draw(name, tables)
        save(figure, data, *(tmp_path / f"{time}.{kind}" for kind in ("svg", "png", "csv")))
    for kind in ("svg", "png", "csv"):
        assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()
    svg = (tmp_path / "first.svg").read_text()
    assert "<text" in svg, "text stays text"
    assert "<dc:date>" not in svg
    assert len(pd.read_csv(tmp_path / "first.csv")) == len(data) > 0
    assert (tmp_path / "first.png").read_bytes().startswith(b"\x89PNG")


def test_noise_of_the_layout_solver_does_not_reach_the_files(tables, tmp_path):
    for noise in (0.0, 1e-12):
        figure, data = draw("correlations", tables)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axes in figure.axes:
            axes.set_position([side + noise for side in axes.get_position(original=True).bounds])
        save(figure, data, *(tmp_path / f"{noise}.{kind}" for kind in ("svg", "png", "csv")))
    assert (tmp_path / "0.0.svg").read_bytes() == (tmp_path / "1e-12.svg").read_bytes()


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("study", ["tables", "small"])
def test_no_text_is_smaller_than_7_pt_or_cut_off(name, study, request):
    figure, _ = draw(name, request.getfixturevalue(study))
    figure.canvas.draw()
    assert round(figure.get_size_inches()[0] * 25.4) in (85, 180)
    for text in figure.findobj(Text):
        assert text.get_fontsize() >= 7, text.get_text()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= -0.01
    assert drawn.y0 >= -0.01
    assert drawn.x1 <= width + 0.01
    assert drawn.y1 <= height + 0.01


def test_the_heatmap_shows_the_mean_share_over_seeds(tables):
    figure, data = draw("heatmap", tables)
    mesh = next(found for found in figure.findobj(QuadMesh) if found.get_array().shape == (16, 7))
    table = data.pivot(index="ring", columns="step", values="share")
    assert np.array_equal(mesh.get_array(), table.to_numpy())
    runs = tables.profiles[tables.profiles["tier"] == "labels-shape-d0"]
    expected = runs[(runs["step"] == 100) & (runs["ring"] == 5)]["share"]
    assert len(expected) == 2
    assert table.loc[5, 100] == pytest.approx(expected.mean())
    line = figure.axes[0].get_lines()[0]
    by_step = data.drop_duplicates("step")
    assert np.array_equal(line.get_xdata(), by_step["step"])
    assert np.allclose(line.get_ydata(), [np.sum(table.index * table[step]) for step in table])
    assert line.get_xdata()[0] == 0, "the untrained model is shown"


def test_small_multiples_share_one_colour_scale(tables):
    figure, data = draw("heatmaps", tables)
    meshes = [mesh for mesh in figure.findobj(QuadMesh) if mesh.get_array().shape == (16, 7)]
    assert len(meshes) == data["tier"].nunique() == len(tables.study.list_tiers())
    assert {(mesh.norm.vmin, mesh.norm.vmax) for mesh in meshes} == {(0, data["share"].max())}


def test_profiles_average_seeds_within_draws_and_draws_within_levels(tables):
    figure, data = draw("profiles", tables)
    runs = tables.profiles[(tables.profiles["step"] == 600) & (tables.profiles["ring"] == 7)]
    draws = [runs[runs["tier"] == f"regroup-4-d{k}"]["share"].mean() for k in (0, 1)]
    row = data[(data["family"] == "regroup") & (data["level"] == "4") & (data["ring"] == 7)].iloc[0]
    assert row["share"] == pytest.approx(np.mean(draws))
    assert row["standard_error"] == pytest.approx(np.std(draws, ddof=1) / np.sqrt(2))
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left") == "regroup")
    shown = {line.get_label().split(":")[0]: line for line in axes.get_lines()}
    for label in ("2", "4", "untrained", "shuffled"):
        rows = data[data["family"] == "regroup"]
        state = {"untrained": "untrained", "shuffled": "control"}.get(label, "trained")
        rows = rows[(rows["state"] == state) & (rows["level"] == (label if state == "trained" else ""))]
        assert np.array_equal(shown[label].get_ydata(), rows["share"]), label


def test_one_run_has_an_error_over_images_and_the_note_says_so(small):
    figure, data = draw("profiles", small)
    assert set(data.loc[data["state"] == "trained", "interval"]) == {"images"}
    assert "standard error over probe images" in " ".join(note_of(figure).split())


def test_complexity_shows_draw_means_and_agrees_with_the_correlations(tables):
    figure, data = draw("complexity", tables)
    chosen = tables.primary_priority()
    chosen = chosen[(chosen["scalar"] == "centroid") & (chosen["reading"] == "matched-loss")]
    row = data[data["tier"] == "regroup-8-d1"].iloc[0]
    assert row["value"] == pytest.approx(chosen[chosen["tier"] == "regroup-8-d1"]["value"].mean())
    assert row["complexity"] == 3
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("regroup"))
    points = next(container for container in axes.containers if container.get_label() == "draw").lines[0]
    rows = data[(data["family"] == "regroup") & (data["control"] == "")]
    assert np.array_equal(points.get_xdata(), rows["complexity"])
    assert np.array_equal(points.get_ydata(), rows["value"])
    found = tables.correlations
    found = found[found["hypothesis"] == "primary-1"].iloc[0]
    text = f"rises by {found['slope']:.2f} cycles/image per doubling of the classes"
    assert text in figure.title_text
    assert f"{found['lower']:+.2f} to {found['upper']:+.2f}" in figure.title_text


def test_a_control_that_never_reaches_the_loss_is_shown_at_the_last_checkpoint(tables):
    figure, data = draw("complexity", tables)
    control = data[data["control"] == "shuffled"].iloc[0]
    assert control["reading"] == "last checkpoint"
    assert "they never reach that loss" in " ".join(note_of(figure).split())


def test_the_correlation_matrix_shows_rho_and_hatches_what_has_too_few_draws(tables):
    figure, data = draw("correlations", tables)
    axes = next(axes for axes in figure.axes if axes.get_xlabel().startswith("regroup"))
    texts = {text.get_text() for text in axes.texts}
    row = data[(data["family"] == "regroup") & (data["complexity"] == "psd_slope")].iloc[0]
    assert any(f"{abs(row['spearman']):.2f}"[1:] in text for text in texts)
    labels = next(axes for axes in figure.axes if axes.get_xlabel().startswith("labels"))
    assert not labels.texts
    assert len(labels.patches) == 24
    assert all(patch.get_hatch() for patch in labels.patches)


def test_learning_curves_are_means_over_seeds(tables):
    figure, data = draw("learning", tables)
    curve = tables.learning[
        (tables.learning["tier"] == "labels-shape-d0") & (tables.learning["recipe"] == "base")
    ]
    rows = data[data["tier"] == "labels-shape-d0"]
    assert np.allclose(rows["loss_fraction"], curve.groupby("step")["loss_fraction"].mean())
    line = figure.axes[0].get_lines()[0]
    assert np.array_equal(line.get_ydata(), rows["corrected_accuracy"])


def test_titles_say_the_direction_that_the_numbers_have(tables, falling):
    assert "falls from" in draw("heatmap", tables)[0].title_text
    assert "rises from" in draw("heatmap", falling)[0].title_text
    assert "the centroid rises by" in draw("complexity", tables)[0].title_text
    assert "the centroid falls by" in draw("complexity", falling)[0].title_text
    assert "highest for orientation" in draw("profiles", tables)[0].title_text
    assert "lowest for 16" in draw("profiles", falling)[0].title_text
    assert "ρ = +" in draw("correlations", tables)[0].title_text
    assert "ρ = −" in draw("correlations", falling)[0].title_text


def test_no_trend_is_claimed_where_the_interval_holds_zero(tmp_path):
    level = tables_of(tmp_path, families=("regroup",), slope=0.0)
    rows = level.priority["scalar"] == "centroid"
    level.priority.loc[rows, "value"] = 8 + np.random.default_rng(0).normal(0, 1, rows.sum())
    assert "shows no clear trend" in draw("complexity", level)[0].title_text


def test_too_few_draws_and_missing_readings_are_said(small):
    figure, data = draw("complexity", small)
    assert set(data["reading"]) == {"last checkpoint"}
    assert "never reach the matched loss" in " ".join(note_of(figure).split())
    assert "Too few draws" in draw("correlations", small)[0].title_text
    assert draw("learning", small)[0].title_text.startswith("None of 3 runs")


def test_sixty_tiers_say_what_was_left_out(tmp_path):
    many = tables_of(
        tmp_path, families=("regroup",), groups=(2, 3, 4, 5, 6, 8, 10, 12, 14, 16), draws=6, seeds=1
    )
    assert len(many.study.list_tiers()) > 50
    figure, data = draw("heatmaps", many)
    assert data["tier"].nunique() == 24
    assert "Left out for room: 31 tiers" in " ".join(note_of(figure).split())
    assert "24 tiers shown" in figure.title_text
    assert "regroup shows 8 of 10 levels" in " ".join(note_of(draw("profiles", many)[0]).split())


def test_the_program_draws_without_torch_one_figure_or_that_of_every_tier(tmp_path):
    paths = simulate(tmp_path, families=("labels",), seeds=1)
    outputs = [f"--{kind}={tmp_path / 'out'}.{kind}" for kind in ("svg", "png", "csv")]
    inputs = [f"--{name}={paths[name]}" for name in ("study", *TABLES)]
    program = (
        "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__'); "
        "assert not {'torch', 'torchvision', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    script = str(ROOT / "workflow" / "scripts" / "figure.py")
    drawn = subprocess.run(
        [sys.executable, "-c", program, script, "--figure=profiles", *inputs, *outputs],
        capture_output=True,
        text=True,
    )
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "out.svg").exists()
    every = subprocess.run(
        [sys.executable, script, "--figure=heatmap", *inputs, f"--folder={tmp_path / 'all'}"],
        capture_output=True,
        text=True,
    )
    assert every.returncode == 0, every.stderr
    tiers = [f"labels-{label}-d0" for label in ("orientation", "ring", "shape")]
    assert sorted(path.name for path in (tmp_path / "all").glob("*.svg")) == [
        f"heatmap-{tier}.svg" for tier in tiers
    ]
    for asked, said in (
        ("--figure=heatmap", "--folder: found None"),
        ("--figure=profiles", "shows all tiers and takes none"),
    ):
        tier = ["--tier=labels-ring-d0"] if "profiles" in asked else []
        refused = subprocess.run(
            [sys.executable, script, asked, *tier, *inputs, *outputs], capture_output=True, text=True
        )
        assert refused.returncode == 2
        assert said in refused.stderr


def note_of(figure):
    return next(text.get_text() for text in figure.texts if text.get_gid() == "note")
