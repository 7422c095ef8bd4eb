"""The whole report page in a real browser: it fits narrow and wide windows, can be read there, and printed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from chromium import Browser, find

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_report import page_of

from spectral_priority.figures.style import SMALL

pytestmark = pytest.mark.skipif(find() is None, reason="there is no Chromium on this machine")

READY = "document.documentElement.dataset.explorer === 'ready'"


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    path.write_text(page_of(folder, explored=True, groups=(2, 4), draws=2, seeds=1), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_fits_and_can_be_read(browser, page, width):
    browser.open(page, width, ready=READY)
    browser.settle()
    assert browser.messages == []
    assert [address for address in browser.requests if not address.startswith("data:")] == [page.as_uri()]
    assert browser.ask("document.documentElement.scrollWidth") <= width
    sizes = browser.ask(
        "[...document.querySelectorAll('body *')].filter(e => e.getClientRects().length && !e.ownerSVGElement && "
        "[...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert len(sizes) > 100 and min(sizes) >= 9
    scales = browser.ask(
        "[...document.querySelectorAll('figure .scroll img')].map("
        "image => image.getBoundingClientRect().width / image.getAttribute('width'))"
    )
    assert len(scales) >= 5 and min(scales) * SMALL >= 9, "the smallest text of a figure"


def test_every_picture_is_shown(browser, page):
    browser.open(page, 1000, ready=READY)
    assert browser.ask("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_every_link_within_the_page_can_be_reached_by_the_keyboard(browser, page):
    browser.open(page, 1000, ready=READY)
    seen = []
    for _ in range(40):
        browser.press("Tab")
        seen.append(browser.ask("document.activeElement.id || document.activeElement.getAttribute('href')"))
    assert "#explore" in seen and "#figures" in seen and "checkpoint" in seen


def test_the_page_can_be_printed_on_sheets_of_a4(browser, page, tmp_path):
    browser.open(page, 1000, ready=READY)
    browser.print(tmp_path / "page.pdf")
    text = (tmp_path / "page.pdf").read_bytes()
    assert text.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95996 841.91998]" in text or b"/MediaBox [0 0 595" in text
