"""The explorer of the report page, in a real browser: it draws what is chosen, and asks nobody for anything."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from chromium import Browser, find

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from simulated_study import STEPS, simulate

from spectral_priority.config import load_study
from spectral_priority.explorer.fragment import explorer
from spectral_priority.figures.shown import primary
from spectral_priority.statistics.tables import read_learning

pytestmark = pytest.mark.skipif(find() is None, reason="there is no Chromium on this machine")

READY = "document.documentElement.dataset.explorer === 'ready'"
CHARTS = ("profile", "low", "mid", "high", "accuracy", "loss")
RINGS = 16


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> dict[str, Path]:
    """A simulated study, with a page that holds its explorer only."""
    folder = tmp_path_factory.mktemp("study")
    paths = simulate(folder, groups=(2, 4))
    found = load_study(paths["study"])
    part = explorer(found, paths["profiles"], read_learning(paths["learning"]), primary(found))
    page = folder / "page.html"
    head = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Explorer</title>'
    size = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    style = "<style>* { box-sizing: border-box; } .wide { overflow-x: auto; }</style>"
    page.write_text(f"{head}{size}{style}<body>{part}</body></html>", encoding="utf-8")
    return {**paths, "page": page}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def browser(chromium, study):
    """The page as it is when it was just opened."""
    chromium.open(study["page"], 1000, ready=READY)
    chromium.settle()
    return chromium


def drawn(browser, chart: str, mark: str = "line") -> list[str]:
    """Outlines of a chart's lines."""
    return browser.ask(
        f"[...document.querySelectorAll('#chart-{chart} .mark-{mark} path')]"
        ".map(path => path.getAttribute('d') + getComputedStyle(path).strokeDasharray)"
    )


def rule(browser, chart: str) -> float:
    """Where the rule of the chosen step stands."""
    return browser.ask(
        f"document.querySelector('#chart-{chart} .mark-rule.role-mark line').getBoundingClientRect().x"
    )


def place_of(browser, element: str) -> list[float]:
    """Left and upper edge and width of an element in the window."""
    return browser.ask(
        f"(r => [r.x, r.y, r.width])(document.querySelector('{element}').getBoundingClientRect())"
    )


def rows(browser) -> list[list[str]]:
    return browser.ask(
        "[...document.querySelectorAll('#explorer-table tbody tr')].map(row => [...row.cells].map(c => c.textContent))"
    )


def tick(browser, group: str, value: str) -> None:
    """Click a box."""
    browser.ask(f"document.querySelector('#choose-{group} input[value=\"{value}\"]').click()")
    browser.settle()


def focus(browser) -> None:
    browser.ask("document.getElementById('checkpoint').focus()")


def mean_shares(study, tier: str, step: int, recipe: str = "base", instance: str = "gradient") -> np.ndarray:
    """Share by ring, mean over seeds, straight from profiles.h5."""
    with xr.open_dataset(study["profiles"], engine="h5netcdf") as profiles:
        own = (profiles["tier"] == tier) & (profiles["recipe"] == recipe) & (profiles["step"] == step)
        own &= profiles["instance"] == instance
        return profiles["share"].values[own.values].mean(axis=0)


def test_it_loads_without_a_complaint_and_without_the_network(browser, study):
    assert browser.messages == []
    asked = [address for address in browser.requests if not address.startswith(("data:", "blob:"))]
    assert asked == [study["page"].resolve().as_uri()]
    for chart in CHARTS:
        assert len(drawn(browser, chart)) == (6 if chart == "profile" else 3), chart


def test_it_starts_with_the_first_family_at_the_last_checkpoint(browser, study):
    found = rows(browser)
    assert [row[0] for row in found] == [
        f"labels-{level}-d0, base" for level in ("shape", "ring", "orientation")
    ]
    for row, level in zip(found, ("shape", "ring", "orientation"), strict=True):
        share = mean_shares(study, f"labels-{level}-d0", STEPS[-1])
        assert row[1] == "600"
        assert float(row[2].split()[0]) == pytest.approx((share @ np.arange(1, RINGS + 1)).item(), abs=0.006)
        bands = [share[:5].sum(), share[5:10].sum(), share[10:].sum()]
        assert [float(cell.split()[0]) for cell in row[3:6]] == pytest.approx(bands, abs=0.0006)


def test_choosing_another_task_changes_what_is_drawn(browser):
    before = {chart: drawn(browser, chart) for chart in CHARTS}
    tick(browser, "tiers", "labels: shape")
    tick(browser, "tiers", "regroup: 4")
    assert [row[0] for row in rows(browser)] == [
        *("labels-ring-d0, base", "labels-orientation-d0, base", "regroup-4-d0, base")
    ]
    for chart in CHARTS:
        assert drawn(browser, chart) != before[chart], chart
    assert browser.messages == []


def test_draws_recipes_and_measures_can_be_chosen(browser):
    tick(browser, "draws", "1")
    assert len(rows(browser)) == 3, "labels have one draw"
    tick(browser, "tiers", "regroup: 2")
    assert [row[0] for row in rows(browser)][-2:] == ["regroup-2-d0, base", "regroup-2-d1, base"]
    tick(browser, "recipes", "wide")
    assert len(rows(browser)) == 10
    before = drawn(browser, "profile")
    browser.ask(
        "(menu => { menu.value = 'gradient-margin'; menu.dispatchEvent(new Event('change')); })"
        "(document.getElementById('measure'))"
    )
    browser.settle()
    assert len(drawn(browser, "profile")) == len(before) == 20


def test_where_nothing_is_chosen_the_page_says_so(browser):
    tick(browser, "recipes", "base")
    assert rows(browser) == [] and drawn(browser, "profile") == []
    assert "Nothing is chosen" in browser.ask("document.getElementById('explorer-note').textContent")
    tick(browser, "recipes", "base")
    assert len(rows(browser)) == 3
    assert browser.messages == []


def test_the_slider_moves_profile_rule_and_numbers_by_the_keyboard(browser, study):
    profile, curve = drawn(browser, "profile"), drawn(browser, "low")
    places = {chart: rule(browser, chart) for chart in CHARTS[1:]}
    focus(browser)
    browser.press("ArrowLeft")
    assert rows(browser)[0][1] == "450"
    assert drawn(browser, "profile") != profile
    assert drawn(browser, "low") == curve, "only the rule moves over training"
    assert all(rule(browser, chart) < place for chart, place in places.items())
    browser.press("Home")
    assert "step 0" in browser.ask("document.getElementById('checkpoint-name').textContent")
    assert "untrained" in browser.ask("document.getElementById('checkpoint').getAttribute('aria-valuetext')")
    share = mean_shares(study, "labels-shape-d0", 0)
    assert float(rows(browser)[0][2].split()[0]) == pytest.approx(
        (share @ np.arange(1, 17)).item(), abs=0.006
    )
    shapes = [re.sub(r"\dpx, \dpx$", "", line) for line in drawn(browser, "profile")]
    assert len(set(shapes)) == 3, "at step 0 each line lies on its untrained one"


def test_the_slider_stays_at_its_step_when_another_task_is_chosen(browser):
    focus(browser)
    browser.press("Home")
    browser.press("ArrowRight")
    tick(browser, "tiers", "regroup: 4")
    assert {row[1] for row in rows(browser)} == {"10"}


def test_pointing_at_a_line_shows_its_value(browser, study):
    browser.ask("document.getElementById('chart-profile').scrollIntoView()")
    x, y, width = place_of(browser, "#chart-profile .background")
    browser.point(x + width * 7 / 15, y + 60)  # ring 8 of 1 … 16, near the top: the line of rings
    browser.wait("document.querySelector('#vg-tooltip-element.visible')")
    told = browser.ask("document.getElementById('vg-tooltip-element').textContent")
    assert "labels-ring-d0" in told and "ring 8 (0.250 cycles/pixel), step 600" in told
    share = mean_shares(study, "labels-ring-d0", 600)[7]
    assert float(re.search(r"value([\d.]+) ±", told)[1]) == pytest.approx(share, abs=0.0006)
    assert browser.messages == []


@pytest.mark.parametrize("width", [400, 1000])
def test_no_label_is_cut_off_and_no_value_hangs_out_of_the_window(chromium, study, width):
    chromium.open(study["page"], width, ready=READY)
    for level in ("shape", "ring", "orientation"):
        tick(chromium, "tiers", f"labels: {level}")
    tick(chromium, "tiers", "control: shuffled")  # axes with other numbers
    cut = chromium.ask(
        "[...document.querySelectorAll('#explorer svg text')].filter(e => e.textContent && (text => { "
        "const chart = e.ownerSVGElement.getBoundingClientRect(); "
        "return text.left < chart.left - 1 || text.right > chart.right + 1 || text.bottom > chart.bottom + 1; })"
        "(e.getBoundingClientRect())).map(e => e.textContent)"
    )
    assert cut == []
    chromium.ask("document.getElementById('chart-profile').scrollIntoView()")
    x, y, wide = place_of(chromium, "#chart-profile .background")
    for part in (0.05, 0.5, 0.95):
        chromium.point(x + wide * part, y + 100)
        chromium.wait("document.querySelector('#vg-tooltip-element.visible')")
        left, _, width_of = place_of(chromium, "#vg-tooltip-element")
        assert left >= 0 and left + width_of <= width


@pytest.mark.parametrize("width", [400, 1000, 1600])
def test_it_fits_the_window_and_can_be_read(chromium, study, width):
    chromium.open(study["page"], width, ready=READY)
    chromium.settle()
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    wide = chromium.ask(
        "[...document.querySelectorAll('#explorer *')].filter(e => !e.closest('.wide') && "
        "e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    sizes = chromium.ask(
        "[...document.querySelectorAll('#explorer *')].filter(e => e.getClientRects().length && "
        "[...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map("
        "e => parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement ? e.getCTM().a : 1))"
    )
    assert len(sizes) > 50 and min(sizes) >= 9
    charts = chromium.ask(
        f"{list(CHARTS)}.map(name => document.querySelector(`#chart-${{name}} svg`).getBoundingClientRect().width)"
    )
    assert min(charts) > 230, "no chart is squeezed"
    if width == 400:
        assert min(charts) > 300, "charts stand below each other"


def test_a_narrower_window_makes_the_charts_narrower(browser):
    before = browser.ask("document.querySelector('#chart-profile svg').getBoundingClientRect().width")
    browser.resize(500)
    browser.settle()
    after = browser.ask("document.querySelector('#chart-profile svg').getBoundingClientRect().width")
    assert after < before and browser.ask("document.documentElement.scrollWidth") <= 500


def test_printed_it_is_a_still_without_controls(browser):
    browser.send("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.ask("getComputedStyle(document.querySelector('.choices')).display") == "none"
        assert browser.ask("getComputedStyle(document.getElementById('checkpoint')).display") == "none"
        assert (
            browser.ask("document.querySelector('#chart-profile svg').getBoundingClientRect().height") > 100
        )
        assert browser.ask("document.getElementById('checkpoint-name').getClientRects().length") == 1
    finally:
        browser.send("Emulation.setEmulatedMedia", media="")


def downloaded(browser, link: str, folder: Path) -> pd.DataFrame:
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.ask(f"document.getElementById('{link}').click()")
    give_up = time.monotonic() + 60
    while not (found := list(folder.glob("*.csv"))):
        assert time.monotonic() < give_up
        browser.settle()
    return pd.read_csv(io.StringIO(found[0].read_text(encoding="utf-8")))


def test_the_profiles_that_are_downloaded_are_those_of_the_study(browser, study, tmp_path):
    table = downloaded(browser, "download-profiles", tmp_path)
    assert len(table) == 3 * len(STEPS) * RINGS
    for (tier, step), found in table.groupby(["tier", "step"]):
        share = mean_shares(study, tier, step)
        np.testing.assert_allclose(found.sort_values("ring")["share"], share, atol=1e-5)
    assert set(table["seeds"]) == {2} and (table["standard_error"] > 0).all()


def test_the_curves_that_are_downloaded_are_those_of_the_study(browser, study, tmp_path):
    table = downloaded(browser, "download-curves", tmp_path)
    assert len(table) == 3 * len(STEPS) * 6
    learning = read_learning(study["learning"])
    one = table.query("tier == 'labels-ring-d0' and quantity == 'validation_accuracy'").set_index("step")[
        "value"
    ]
    own = learning.query("tier == 'labels-ring-d0' and recipe == 'base'").groupby("step")[
        "validation_accuracy"
    ]
    np.testing.assert_allclose(one, own.mean(), atol=2e-5)
