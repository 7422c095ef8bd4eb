"""Made studies through the shipped correlate program: a small `make calibrate`, and that it would see a fault."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

FOLDER = Path(__file__).resolve().parents[2] / "calibration"
sys.path.insert(0, str(FOLDER))
from made_study import DESIGNS, SLOPES, study_of, write_drawn, write_fixed  # noqa: E402
from page import write_page  # noqa: E402
from rates import rates  # noqa: E402
from run_studies import arguments_of, run_studies  # noqa: E402

sys.path.remove(str(FOLDER))

BY_NAME = {design.name: design for design in DESIGNS}
SMALL = BY_NAME["5 levels × 2 draws × 2 seeds"]
STUDIES = 24


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    parts = [run_studies(folder, SMALL, 0.0, range(STUDIES), 99, check=True)]  # the program by itself, too
    parts.append(run_studies(folder, SMALL, 1.0, range(5), 99))
    return pd.concat(parts, ignore_index=True)


def within_chance(count, n, probability):
    """Would a count this far out turn up in fewer than one of a thousand tests?"""
    low, high = binom.interval(0.999, n, probability)
    return low <= count <= high


def test_false_positives_and_coverage_are_what_they_promise(outcomes):
    for question in ("primary-1", "primary-2", "nested"):
        some = outcomes[(outcomes["question"] == question) & outcomes["answered"]]
        assert within_chance(some["t"].astype(bool).sum(), len(some), 0.95)
        none = some[some["effect"] == 0].astype({"rejected": bool})
        assert none["rejected"].sum() <= binom.ppf(0.999, len(none), 0.05)
        for level in (0.05, 0.5):
            assert (none["p_spearman"] <= level).sum() <= binom.ppf(0.999, len(none), level)
    held = outcomes.loc[outcomes["question"] == "primary-1", "bootstrap"].dropna().astype(bool)
    assert within_chance(held.sum(), len(held), 0.95)


def test_the_planted_slope_is_found_and_has_the_planted_size(outcomes):
    found = outcomes[(outcomes["effect"] == 1) & (outcomes["question"] == "primary-1")]
    assert found["rejected"].dropna().astype(bool).mean() > 0.5
    assert found["slope"].mean() == pytest.approx(SLOPES["regroup"], abs=0.15)


def test_the_rates_would_show_intervals_that_are_half_as_wide(outcomes):
    """What the program says is held against the truth: an error of half its size is outside of what is asked for."""
    many = pd.concat([outcomes.assign(answered=True)] * 20, ignore_index=True)
    half = many.assign(t=np.random.default_rng(0).random(len(many)) < 0.68)
    table = rates(half).set_index(["question", "rate"])["kept"]
    assert not table[("primary-1", "coverage, t")]


def test_designs_have_the_tiers_of_the_studies_that_they_are_named_after():
    for name, file in (("demo", "config.yaml"), ("tiny-imagenet", "studies/tiny-imagenet.yaml")):
        from spectral_priority.config import load_study

        real = load_study(FOLDER.parent / "config" / file)
        made = study_of(BY_NAME[name], 99)
        for family in ("regroup", "similar"):
            places = [
                [(tier.level, tier.draw) for tier in one.list_tiers() if tier.family == family]
                for one in (real, made)
            ]
            assert places[0] == places[1]


def test_a_made_study_is_the_same_each_time_and_another_for_another_number(tmp_path):
    study = study_of(SMALL, 99)
    write_fixed(tmp_path, study)
    read = []
    for number in (3, 3, 4):
        write_drawn(tmp_path, SMALL, study, 1.0, number)
        read.append(arguments_of(tmp_path)["priority"].read_bytes())
    assert read[0] == read[1] != read[2]


def test_the_page_holds_every_rate_with_its_error(outcomes, tmp_path):
    write_page(rates(outcomes), tmp_path, 99)
    text = (tmp_path / "calibration.md").read_text()
    answered = outcomes[(outcomes["question"] == "primary-1") & (outcomes["effect"] == 0)]["answered"].sum()
    assert f"| {SMALL.name} | number of classes | {answered} |" in text
    for heading in ("False positives and power", "Coverage of 95 % intervals", "Permutation p"):
        assert f"## {heading}" in text
    assert text.count("±") > 20 and "statsmodels" in text
    assert (tmp_path / "calibration.svg").read_text().startswith("<?xml")
