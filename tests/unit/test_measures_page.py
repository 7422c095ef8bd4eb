"""docs/measures.md says what the code does: it is made of docstrings, options and results, and held against them."""

import re
import sys
import types

import pytest
import yaml

from spectral_priority.measures import reference
from spectral_priority.measures.registry import measure_names, measure_options

SIZE, IMAGES, CLASSES = reference.SIZE, reference.IMAGES, reference.CLASSES
FREQUENCIES = SIZE**2 // 2 + 1  # Hermitian pairs without DC, of an even size
PATHS = 200 + CLASSES * 15  # six images a class make 15 pairs

COSTS = {
    "gradient": (IMAGES, IMAGES),
    "band-accuracy": (IMAGES * (1 + 2 * 4 + 3 + 4), 0),
    "critical-band": (IMAGES * (1 + 4 * 4), 0),
    "fourier-heatmap": (IMAGES * (FREQUENCIES + 2), 0),
    "paths": (PATHS * 64, 0),
    "fprinciple": (IMAGES, 0),
    "dfm": (IMAGES * (FREQUENCIES + 2), IMAGES),
    "shortcuts": (IMAGES * (FREQUENCIES + 1 + CLASSES * 4 + 2), 0),
    "weight-svd": (0, 0),
    "gradient-svd": (IMAGES + 2, IMAGES + 2),
}
"""Passes forward and back, by the formulas that the page states."""


@pytest.fixture(scope="module")
def page():
    return reference.page()


def test_the_written_page_is_that_of_the_code(page):
    assert reference.PAGE.read_text() == page, "run: make reference"


def test_every_measure_has_a_chapter_with_every_part(page):
    chapters = dict(re.findall(r"^## (\S+)\n((?:(?!## ).*\n?)*)", page, flags=re.MULTILINE))
    assert list(chapters) == [*measure_names(), *reference.DATA_MEASURES]
    for name, text in chapters.items():
        for part in ("Question", "Source", "Result", "Cost", "Pitfalls"):
            assert text.count(f"**{part}.** ") + text.count(f"**{part}.**\n") == 1, (name, part)
        assert "```text\n" in text and "```python\n" in text and "methods.md#" in text
        assert text.count("**Options.**") == (name not in reference.DATA_MEASURES)


def test_every_measure_has_its_picture(page):
    names = re.findall(r"^!\[.+\]\(pictures/(.+)\.png\)$", page, flags=re.MULTILINE)
    assert names == [*measure_names(), *reference.DATA_MEASURES]
    assert {file.stem for file in reference.PICTURES.glob("*.png")} == set(names)


def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(page):
    tables = re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE)
    assert len(tables) > 2 * len(measure_names())
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


def test_every_link_leads_to_a_heading(page):
    def anchors(text):
        headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors(page)
    assert set(re.findall(r"\]\(methods\.md#([^)]+)\)", page)) <= anchors(reference.METHODS.read_text())


def test_the_instances_that_it_shows_are_valid(page):
    shown = [
        yaml.safe_load(text)["measures"] for text in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    ]
    assert [name for instances in shown for name in instances] == measure_names()
    for instances in shown:
        for name, settings in instances.items():
            assert settings and measure_options(name, settings) == measure_options(name, {})


@pytest.mark.parametrize("name", measure_names())
def test_the_passes_that_it_counts_are_those_that_it_states(name):
    assert reference.measured(name)[1] == COSTS[name]


def test_numbers_beside_another_one_share_its_row_and_missing_ones_name_their_count(page):
    assert "| `tpr`, `…_se`, `…_lower`, `…_upper` | `class`, `mask` | 1 |" in page
    assert "counted in `threshold_missing` and `threshold_se_missing` |" in page
    assert "`threshold_se_missing` | – |" in page


def test_what_only_all_checkpoints_or_a_legacy_mode_have_is_told_apart(page):
    gradient = page.partition("\n## gradient\n")[2].partition("\n## ")[0]
    result, _, later = gradient.partition("Over all checkpoints of a run")
    assert "`half_time`" not in result and "`half_time` | `ring` | steps |" in later
    assert "`legacy_sd`" not in result and later.count("`legacy_sd`") == 2
    assert "and no longer `left_vector`, `right_vector`" in page


def test_a_measure_whose_docstring_lacks_a_section_is_refused_by_name(monkeypatch):
    module = types.ModuleType("spectral_priority.measures.silent", "Silent.\n\nQuestion\n--------\nWhy?\n")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(
        ValueError, match=r"measures\.silent has the sections Question, not Question, Equation"
    ):
        reference.sections_of("measures.silent")
