"""The report answers from the numbers, stands alone, and can't be made to run what a study file says."""

import re
from html.parser import HTMLParser
from importlib import import_module

import pytest
from made_curves import write_curves
from simulated_study import QUESTION, simulate

from spectral_priority.config import load_study
from spectral_priority.errors import InputError
from spectral_priority.figures import FIGURES, figures_of
from spectral_priority.figures.save import save
from spectral_priority.figures.tables import read_tables
from spectral_priority.report.answer import answer
from spectral_priority.report.page import build_page

TABLES = ("priority", "complexity", "learning", "correlations", "contrasts", "claims")


def tables_of(paths, **more):
    return read_tables(load_study(paths["study"]), **{name: paths[name] for name in TABLES}, **more)


def page_of(folder, explored=False, **options):
    paths = simulate(folder, **options)
    made = write_curves(load_study(paths["study"]), folder)
    tables = tables_of(paths, profiles=paths["profiles"], **made)
    for name in figures_of(tables.study):
        figure, data = import_module(f"spectral_priority.{FIGURES[name]}").draw(tables)
        save(figure, data, *(folder / "figures" / f"{name}.{kind}" for kind in ("svg", "png", "csv")))
    profiles = paths["profiles"] if explored else None
    return build_page(tables_of(paths), paths["results"], folder / "figures", profiles=profiles)


@pytest.fixture(scope="module")
def small_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    families = ("labels", "regroup")
    return page_of(folder, families=families, groups=(2, 4), draws=1, seeds=1, reached=False, held=False)


class Elements(HTMLParser):
    """The tags, attributes and text of a page."""

    VOID = frozenset({"meta", "img", "br", "link", "hr", "input"})

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("study"), groups=(2, 4, 8), seeds=1)


def test_the_page_stands_alone(page):
    elements = Elements(page)
    assert not elements.open, "every element is closed"
    for tag, attributes in elements.found:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        for name in ("src", "srcset", "data", "poster"):
            assert (
                attributes.get(name, "data:").startswith("data:image/svg+xml;base64,")
                or name not in attributes
            )
        if "href" in attributes:
            assert tag == "a"
            assert attributes["href"].startswith(("#", "https://arxiv.org/"))
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in page
    assert "url(" not in page.split("</style>")[0]


def test_the_page_with_an_explorer_stands_alone_too(tmp_path):
    explored = page_of(tmp_path, explored=True, families=("labels",), seeds=1)
    elements = Elements(explored)
    assert not elements.open
    scripts = [attributes for tag, attributes in elements.found if tag == "script"]
    assert len(scripts) == 3 and all("src" not in attributes for attributes in scripts)
    for tag, attributes in elements.found:
        assert tag not in ("link", "iframe", "object", "embed")
        assert attributes.get("src", "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    assert len(explored) < 2_500_000


def test_links_lead_to_sections_and_ids_are_unique(page):
    elements = Elements(page)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {
        attributes["href"][1:]
        for tag, attributes in elements.found
        if tag == "a" and attributes["href"][0] == "#"
    }
    assert links <= set(ids)


def test_every_figure_has_its_finding_as_alternative_text(page):
    images = [attributes for tag, attributes in Elements(page).found if tag == "img"]
    assert len(images) == 10
    told = ("centroid", "runs", "ρ", "similarity")
    assert all(any(word in image["alt"] for word in told) for image in images)


def test_the_answer_holds_slope_interval_and_claims(page):
    text = Elements(page).text
    assert QUESTION in text
    assert re.search(
        r"In regroup, at matched loss .* the centroid rises by \d\.\d\d cycles/image per doubling", text
    )
    assert "1 of 1 claims made before the run held" in text
    assert "primary-1" in text
    assert "exploratory" in text
    assert "similarity-near-d0" in text
    assert "snakemake --cores all --config study=simulated" in text


def test_the_answer_follows_the_numbers(tmp_path):
    falling = tables_of(simulate(tmp_path, families=("regroup",), slope=-0.8))
    sentences = answer(falling)
    assert "falls by" in sentences[0].text
    assert sentences[0].verdict == "clear"
    assert "similarity family" in sentences[1].text
    row = falling.correlations["hypothesis"] == "primary-1"
    falling.correlations.loc[row, ["lower", "upper"]] = [-1.0, 0.2]
    unclear = answer(falling)[0]
    assert unclear.verdict == "unclear"
    assert "no clear change" in unclear.text
    assert "could have detected" in unclear.text
    falling.correlations.loc[row, ["lower", "upper", "p_adjusted"]] = [-1.0, -0.2, 0.2]
    assert answer(falling)[0].verdict == "unclear", "significant before correction only"


def test_a_study_of_several_recipes_says_what_each_changes_and_another_has_no_such_section(page, tmp_path):
    assert "What the recipes change" in Elements(page).text
    assert re.search(
        r"labels, shape: compared with base, the centroid changes [^.]* with wide", Elements(page).text
    )
    alone = page_of(tmp_path, families=("labels",), seeds=1, recipes={"base": {"steps": 600}})
    assert "What the recipes change" not in alone
    assert "figure-contrasts" not in alone


def test_a_power_weighted_centroid_of_the_other_sign_is_flagged(tmp_path):
    tables = tables_of(simulate(tmp_path, families=("regroup",)))
    assert "Caution" not in answer(tables)[0].text
    tables.correlations.loc[tables.correlations["scalar"] == "power_centroid", "slope"] *= -1
    assert "power-weighted centroid has a slope of the other sign" in answer(tables)[0].text


def test_too_few_draws_and_a_failed_claim_are_said(small_page):
    text = Elements(small_page).text
    assert "No answer yet from regroup, at matched loss (0.5 of label entropy): no matched result" in text
    assert "0 of 1 claims made before the run held; failed: “Shapes are read" in text
    assert "failed : Shapes are read" in text
    assert "regroup-2-d0 1 of 1" in text, "runs that never reach the matched loss are counted"
    assert "not reached" in text


def test_too_few_draws_are_counted(tmp_path):
    few = tables_of(simulate(tmp_path, families=("regroup",), groups=(2, 4), draws=1))
    assert "there are 2 draws, and an interval needs at least 5" in answer(few)[0].text
    assert answer(few)[0].verdict == "open"


def test_without_a_matched_result_the_last_checkpoint_is_given_as_exploratory(tmp_path):
    late = tables_of(simulate(tmp_path, families=("regroup",), reached=False))
    assert re.search(r"At the last checkpoint, exploratory: slope \d\.\d\d", answer(late)[0].text)
    assert answer(late)[0].verdict == "open"


def test_what_a_study_file_says_is_text_not_markup(tmp_path):
    attack = '<script>alert(1)</script> & "quotes" </title>'
    page = page_of(tmp_path, families=("labels",), seeds=1, question=attack)
    assert "<script" not in page
    assert attack in Elements(page).text


def test_what_a_study_file_says_is_no_markup_in_the_explorer_either(tmp_path):
    attack = "</script><script>alert(1)</script>"
    recipes = {"base": {"steps": 600}, "x'\"<b>": {"steps": 600}}
    with pytest.raises(InputError, match="recipes"):
        simulate(tmp_path, families=("labels",), seeds=1, recipes=recipes)
    page = page_of(tmp_path, explored=True, families=("labels",), seeds=1, question=attack)
    assert len([tag for tag, _ in Elements(page).found if tag == "script"]) == 3


def test_a_missing_run_is_refused_by_name(tmp_path):
    paths = simulate(tmp_path, families=("labels",), seeds=1)
    missing = tmp_path / "runs" / "labels-ring-d0" / "base" / "seed0" / "run.json"
    missing.unlink()
    with pytest.raises(InputError, match=r"labels-ring-d0/base/seed0/run\.json: there is no such file"):
        build_page(tables_of(paths), paths["results"], tmp_path)


def test_numbers_that_are_missing_are_dashes_not_nan(small_page):
    assert "–" in small_page
    assert not re.search(r"\bnan\b", Elements(small_page).text, re.IGNORECASE)
