"""Shortcuts by class and over seeds: the tables, the figure and the page say what the files of runs hold."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from matplotlib.text import Text
from scipy import stats

from spectral_priority.config import parse_study
from spectral_priority.errors import InputError
from spectral_priority.figures import figures_of
from spectral_priority.figures.shortcuts import class_table, draw, finding
from spectral_priority.figures.tables import Shortcuts, Tables
from spectral_priority.report.shortcuts import shortcut_rows
from spectral_priority.statistics.shortcuts import shortcuts_by_class, summarised
from spectral_priority.statistics.tables import HISTORY, read_shortcuts, read_shortcuts_summary
from spectral_priority.store.atomic import write_json
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.tables import write_csv

SCRIPT = Path(__file__).resolve().parents[2] / "workflow" / "scripts" / "shortcuts.py"
STEPS, CLASSES, MASKS = np.array([0, 9]), ["ant", "bee", "cat"], ["top-1", "top-5"]
TIER = "labels-shape-d0"
DOCUMENT = {
    "study": "small",
    "datasets": {name: {"source": {"kind": "shapes-textures"}, "size": 32} for name in ("s", "faint")},
    "tiers": {"labels": {"kind": "labels", "dataset": "s", "labels": ["shape"]}},
    "recipes": {"base": {}, "wide": {"width": 64}},
    "measures": {
        "gradient": {},
        "shortcuts": {},
        "there": {"measure": "shortcuts", "masks": "shortcuts", "probe": {"dataset": "faint"}},
    },
    "seeds": 3,
}
STUDY = parse_study(DOCUMENT)
HERE = {
    "base": [[0.9, 0.8, 0.2], [0.9, 0.3, 0.2], [0.9, 0.7, 0.6]],
    "wide": [[0.9, 0.9, 0.9]] * 3,
}
"""True-positive rates of the classes at top-5, by recipe and seed; elsewhere all but that of the ant are 0.4 lower."""


def rates(tpr):
    described = {"units": "1", "long_name": "made up"}
    shape = (len(STEPS), len(CLASSES), len(MASKS))
    tpr = np.stack([np.zeros(shape[1:]), np.stack([np.array(tpr) / 2, tpr], axis=1)])
    values = {"tpr": tpr, "fpr": tpr / 10, "kept_share": np.full(shape, 0.05), "shortcut": (tpr > 0.5) * 1}
    for name in ("tpr", "fpr"):
        values |= {f"{name}_lower": values[name] - 0.05, f"{name}_upper": values[name] + 0.05}
    data = {name: (("checkpoint", "class", "mask"), of, described) for name, of in values.items()}
    for name, value in {"dc_tpr": 0.1, "dc_fpr": 0.2, "clean_tpr": 0.95, "clean_fpr": 0.01}.items():
        data[name] = (("checkpoint", "class"), np.full(shape[:2], value), described)
    for name, value in {"class_n": 20, "class_n_other": 40}.items():
        data[name] = (("checkpoint", "class"), np.full(shape[:2], value), described)
    coordinates = dict.fromkeys(("step", "epoch"), ("checkpoint", STEPS, described))
    coordinates |= {"class": ("class", CLASSES, described), "mask": ("mask", MASKS, described)}
    return xr.Dataset(data, coordinates, {"headline": "top-5", "threshold": 0.5})


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    folder = root / "small"
    facts = {"tier": TIER, "chain": None, "control": None, "manifest_sha256": "m"}
    write_json(folder / "tiers" / f"{TIER}.json", facts)
    for run in STUDY.list_runs():
        at = folder / "runs" / run.tier / run.recipe / f"seed{run.seed}"
        name = f"{run.recipe}/{run.seed}"
        write_json(
            at / "run.json", run._asdict() | {"fingerprint": name, "code": "c", "manifest_sha256": "m"}
        )
        history = pd.DataFrame(0.25, index=range(len(STEPS)), columns=list(HISTORY))
        write_csv(at / "history.csv", history.assign(step=STEPS))
        tpr = np.array(HERE[run.recipe][run.seed])
        for instance, values in {"shortcuts": tpr, "there": tpr - [0, 0.4, 0.4]}.items():
            made_by = {"run_fingerprint": name, "code": "5"}
            path = at / "spectra" / f"{instance}.h5"
            write_dataset(path, rates(values.clip(0)), "measure:shortcuts", made_by)
    return root


def row(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_every_class_mask_instance_and_run_has_a_row_of_the_last_checkpoint(results):
    table = shortcuts_by_class(STUDY, results)
    assert len(table) == 6 * 2 * 3 * 2 and set(table["step"]) == {9}
    cell = {"recipe": "base", "seed": 1, "instance": "shortcuts", "class": "bee"}
    found = row(table, **cell, mask="top-5")
    assert (found["tpr"], found["tpr_lower"], found["fpr"]) == pytest.approx((0.3, 0.25, 0.03))
    assert (found["dc_tpr"], found["clean_tpr"], found["n"], found["n_other"]) == (0.1, 0.95, 20, 40)
    assert not found["shortcut"] and found["headline"]
    assert not row(table, **cell, mask="top-1")["headline"]
    assert row(table, **(cell | {"class": "ant"}), mask="top-5")["shortcut"]


def test_over_seeds_shortcuts_are_counted_and_those_that_transfer(results):
    table = summarised(STUDY, shortcuts_by_class(STUDY, results))
    cell = {"recipe": "base", "mask": "top-5"}
    count = row(table, **cell, instance="shortcuts", quantity="shortcuts")  # 2, 1 and 3 of three classes
    assert (count["mean"], count["standard_error"]) == pytest.approx((2, 1 / np.sqrt(3)))
    assert (count["lower"], count["upper"]) == (0, 3), "t says 2 ± 2.5, but there are three classes"
    assert (count["n"], count["classes"], count["unit"]) == (3, 3, "classes")
    moved = row(table, **cell, instance="there", quantity="transferred")
    assert (moved["mean"], moved["note"]) == (1, "all seeds have the same value")
    assert "transferred" not in set(table.loc[table["instance"] == "shortcuts", "quantity"])
    assert row(table, **cell, instance="there", quantity="accuracy")["mean"] == pytest.approx(0.95)
    tpr = row(table, **cell, instance="shortcuts", quantity="tpr")
    assert tpr["mean"] == pytest.approx(np.mean(HERE["base"]))
    reach = stats.t.ppf(0.975, 2) * np.std(np.mean(HERE["base"], 1), ddof=1) / np.sqrt(3)
    assert (tpr["lower"], tpr["upper"]) == pytest.approx((tpr["mean"] - reach, tpr["mean"] + reach))
    assert tpr["standard_error"] == pytest.approx(np.std(np.mean(HERE["base"], 1), ddof=1) / np.sqrt(3))


def test_a_class_that_is_only_recognised_elsewhere_has_not_transferred(results):
    table = shortcuts_by_class(STUDY, results)
    gained = (table["instance"] == "there") & (table["class"] == "cat")
    table.loc[gained, "shortcut"] = True
    found = row(
        summarised(STUDY, table), recipe="base", mask="top-5", instance="there", quantity="transferred"
    )
    assert found["mean"] == pytest.approx(4 / 3)  # the ant, and the cat of the third seed


def test_a_class_that_everything_is_taken_for_is_not_selective(results):
    table = shortcuts_by_class(STUDY, results)
    table.loc[(table["class"] == "ant") & (table["seed"] < 2), "fpr"] = 0.51
    found = summarised(STUDY, table)
    cell = {"recipe": "base", "mask": "top-5", "quantity": "selective"}
    assert row(found, **cell, instance="shortcuts")["mean"] == pytest.approx((1 + 0 + 3) / 3)
    assert row(found, **cell, instance="there")["mean"] == pytest.approx(1 / 3)
    assert row(found, **cell, instance="there")["unit"] == "classes"


def test_one_seed_has_no_interval(results):
    table = shortcuts_by_class(STUDY, results)
    found = summarised(STUDY, table[table["seed"] == 0])
    assert found[["standard_error", "lower", "upper"]].isna().all(axis=None)
    assert set(found["note"]) == {"one seed: no interval"}


def test_files_of_another_training_are_refused(results, tmp_path):
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "small" / "runs" / TIER / "wide" / "seed2" / "spectra" / "there.h5"
    write_dataset(path, rates([0, 0, 0]), "measure:shortcuts", {"run_fingerprint": "other", "code": "5"})
    with pytest.raises(InputError, match=r"there\.h5: was measured on run other"):
        shortcuts_by_class(STUDY, tmp_path)


@pytest.fixture(scope="module")
def tables(results):
    """What the program writes, read back."""
    study, made = results / "study.yaml", [results / "shortcuts.csv", results / "shortcuts_summary.csv"]
    study.write_text(yaml.safe_dump(DOCUMENT))
    command = [sys.executable, SCRIPT, "--study", study, "--results", results, "--shortcuts", made[0]]
    ended = subprocess.run([*command, "--summary", made[1]], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert f"{TIER}/base by shortcuts: 2 of 3 classes" in ended.stderr
    empty = dict.fromkeys(
        ("priority", "complexity", "learning", "profiles", "correlations", "contrasts", "claims")
    )
    read = Shortcuts(read_shortcuts(made[0]), read_shortcuts_summary(made[1]))
    return Tables(STUDY, **empty, shortcuts=read)


def test_the_tables_read_back_as_they_were(results, tables):
    by_class = shortcuts_by_class(STUDY, results)
    pd.testing.assert_frame_equal(tables.shortcuts.by_class, by_class, check_dtype=False)
    summary = summarised(STUDY, by_class)
    pd.testing.assert_frame_equal(tables.shortcuts.summary, summary.fillna(np.nan), check_dtype=False)


def test_the_figure_shows_the_rates_of_every_class_and_recipe(tables):
    figure, data = draw(tables)
    assert len(data) == 2 * 2 * 3 and set(data["mask"]) == {"top-5"}
    point = row(class_table(tables), recipe="base", instance="shortcuts", **{"class": "bee"})
    assert (point["tpr"], point["tpr_min"], point["tpr_max"]) == pytest.approx((0.6, 0.3, 0.8))
    assert point["shortcuts"] == 2 and point["runs"] == 3
    here, there = figure.axes
    assert (here.get_title(loc="left"), there.get_title(loc="left")) == (
        f"{TIER}: in distribution",
        f"{TIER}: on faint",
    )
    drawn = {round(float(line.get_ydata()[0]), 3) for line in here.lines if line.get_marker() == "o"}
    assert {0.9, 0.6, 0.333} == drawn
    assert finding(tables) == (
        "With base, 2 of 3 classes (2 with few false positives) are recognised by their dominant frequencies alone in "
        f"distribution; of these 1 (1) on faint ({TIER}, mean over seeds)"
    )


def test_the_figure_fits_its_page_in_readable_type(tables):
    figure, _ = draw(tables)
    figure.canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= -0.01 and drawn.x1 <= width + 0.01 and drawn.y0 >= -0.01 and drawn.y1 <= height + 0.01
    assert all(text.get_fontsize() >= 7 for text in figure.findobj(Text))


def test_only_studies_that_measure_shortcuts_have_the_figure():
    assert "shortcuts" in figures_of(STUDY)
    assert "shortcuts" not in figures_of(parse_study({**DOCUMENT, "measures": {"gradient": {}}}))


def test_the_page_has_a_row_per_recipe_and_instance(tables):
    rows = shortcut_rows(tables.shortcuts)
    assert [cells[1:5] for cells in rows] == [
        ["base", "shortcuts", "top-5", "3"],
        ["wide", "shortcuts", "top-5", "3"],
        ["base", "there", "top-5", "3"],
        ["wide", "there", "top-5", "3"],
    ]
    assert rows[0][5:8] == ["2.00 of 3 [0.00, 3.00]", "", "2.00 of 3 [0.00, 3.00]"]
    assert rows[2][6:8] == ["1.00 of 3 [1.00, 1.00]", "1.00 of 3 [1.00, 1.00]"]
