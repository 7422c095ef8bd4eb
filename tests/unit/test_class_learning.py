"""Which class is learned first: distinctiveness of spectra, scores of classes, their order, claims, figure and page."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.text import Text
from scipy.stats import spearmanr

from spectral_priority.config import parse_study
from spectral_priority.config.statistics import Statistics
from spectral_priority.data.distinctiveness import FLOOR, class_distinctiveness
from spectral_priority.data.spectra import class_spectra
from spectral_priority.errors import InputError
from spectral_priority.figures.class_learning import draw, finding
from spectral_priority.figures.tables import ClassLearning, Tables
from spectral_priority.report.parts import class_learning_rows
from spectral_priority.statistics.claims import evaluate
from spectral_priority.statistics.class_curves import class_curves
from spectral_priority.statistics.learned_first import (
    class_learning,
    crossing_step,
    f1_by_chance,
    f1_error,
    leads,
)
from spectral_priority.statistics.learning_order import clopper_pearson, learning_order
from spectral_priority.statistics.tables import (
    CLASS_CURVES,
    CLASS_LEARNING,
    CLASS_LEARNING_SUMMARY,
    HISTORY,
    read_class_curves,
    read_class_learning,
    read_class_learning_summary,
    with_words,
)
from spectral_priority.store.atomic import read_json, write_json
from spectral_priority.store.tables import write_csv

CLASSES = ("a", "b", "c", "d")
STEPS = (0, 10, 30, 100)
RNG = np.random.default_rng(0)


# --- how distinctive a spectrum is -----------------------------------------------------------------------------


def maps_of(amplitude, names=CLASSES):
    return xr.Dataset({"amplitude": (("class", "u", "v"), amplitude)}, {"class": list(names)})


def rings_of(size):
    u = np.fft.fftfreq(size, 1 / size)
    return np.floor(np.hypot(u[:, None], u) + 0.5)


def test_distinctiveness_is_its_definition_on_the_full_plane():
    images = RNG.integers(0, 256, (80, 12, 12, 1), dtype=np.uint8)
    _, maps = class_spectra(images, np.repeat(np.arange(4), 20), CLASSES)
    found = class_distinctiveness(maps, CLASSES).set_index("class")
    e, ring = maps["amplitude"].values, rings_of(12)
    for c, name in enumerate(CLASSES):
        signs, contrast = [], []
        for r in range(1, 7):
            scores, ratios = [], []
            for place in np.argwhere(ring == r):
                own = e[(c, *place)]
                others = [e[(j, *place)] for j in range(4) if j != c]
                scores.append(abs(sum(np.sign(own - other) for other in others)) / 3)
                ratios.append(abs(np.log(own) - np.median(np.log(others))))
            signs.append(np.mean(scores))
            contrast.append(np.mean(ratios))
        assert found.loc[name, "distinctiveness"] == pytest.approx(np.mean(signs))
        assert found.loc[name, "contrast"] == pytest.approx(np.mean(contrast))
        assert found.loc[name, "frequency"] == pytest.approx(np.average(np.arange(1, 7), weights=contrast))


def banded(factor, share=1.0, size=32):
    """Amplitudes alike but for a factor that class c has in band c of four, at a share of the frequencies."""
    ring, random = rings_of(size), np.random.default_rng(1)
    amplitude = np.ones((4, size, size)) * (1 + 1e-9 * random.normal(size=(4, 1, 1)))
    for c in range(4):
        inside = (ring > size // 8 * c) & (ring <= size // 8 * (c + 1))
        amplitude[c][inside] *= factor[c]
    return amplitude


def test_contrast_is_the_size_of_the_difference_and_frequency_its_place():
    found = class_distinctiveness(maps_of(banded([2.0, 2.0, 0.5, 4.0])), CLASSES)
    quarter = np.log(2) / 4  # of the rings
    assert found["contrast"].tolist() == pytest.approx([quarter, quarter, quarter, 2 * quarter])
    assert found["frequency"].tolist() == pytest.approx([2.5, 6.5, 10.5, 14.5])


def test_signs_do_not_see_the_size_but_at_how_many_frequencies_a_class_stands_out():
    small, large = (
        class_distinctiveness(maps_of(banded([factor] * 4)), CLASSES)["distinctiveness"]
        for factor in (1.1, 9.0)
    )
    assert small.tolist() == pytest.approx(large.tolist())
    only = class_distinctiveness(
        maps_of(np.where(rings_of(32) > 12, 2.0, 1.0) * [[[1]], [[1]], [[1]], [[0.5]]]), CLASSES
    )
    assert only["distinctiveness"].tolist() == pytest.approx([1 / 3] * 3 + [1.0])


def test_classes_that_differ_by_noise_alone_have_what_is_said_to_be_chance():
    for count, expected in ((2, 1.0), (3, 2 / 3), (4, 2 / 3), (5, 0.6)):
        amplitude = 1 + 0.01 * RNG.normal(size=(count, 64, 64))
        names = [str(number) for number in range(count)]
        found = class_distinctiveness(maps_of(amplitude, names), names)["distinctiveness"]
        assert found.mean() == pytest.approx(expected, abs=0.02), count


def test_only_the_classes_of_the_task_are_compared():
    amplitude = banded([2.0, 2.0, 2.0, 2.0])
    found = class_distinctiveness(maps_of(amplitude), ("d", "a"))
    assert found["class"].tolist() == ["d", "a"]
    assert found["contrast"].tolist() == pytest.approx([np.log(2) / 2] * 2), "both differ in both bands"
    with pytest.raises(InputError, match="holds no class e"):
        class_distinctiveness(maps_of(amplitude), ("a", "e"))
    with pytest.raises(InputError, match="1 class has nothing to differ from"):
        class_distinctiveness(maps_of(amplitude), ("a",))


def test_classes_without_power_or_difference_have_defined_values():
    alike = class_distinctiveness(maps_of(np.ones((4, 16, 16))), CLASSES)
    assert (alike["distinctiveness"] == 0).all() and (alike["contrast"] == 0).all()
    assert alike["frequency"].isna().all()
    dark = np.ones((4, 16, 16))
    dark[0] = 0
    found = class_distinctiveness(maps_of(dark), CLASSES)
    assert found["contrast"].tolist() == pytest.approx([-np.log(FLOOR), 0, 0, 0])


# --- scores of classes ------------------------------------------------------------------------------------------


def study_of(tiers=("low", "high"), seeds=3, step=30, kind="labels", control=False, claims=(), **more):
    family = {"dataset": "made", "labels": ["band"]} if kind == "labels" else more.pop("family")
    return parse_study(
        {
            "study": "made", "seeds": seeds, "learned_first": {"step": step},
            "datasets": {"made": {"source": {"kind": "band-biased"}}},
            "tiers": {
                **{name: {"kind": kind, **family} for name in tiers},
                **({"control": {"kind": "control", "of": f"{tiers[0]}-band-d0", "seeds": 1}} if control else {}),
            },
            "recipes": {"base": {"steps": 100, "checkpoints": {"early": [0, 10, 30]}}},
            "claims": list(claims), **more,
        }
    )  # fmt: skip


def scores(n, f1):
    """Recall and precision that are both F1."""
    return {"n": n, "recall": f1, "precision": f1, "f1": f1}


def curves_of(study, f1_of, n=100):
    """class_curves.csv: `f1_of(tier, seed, class, step)`."""
    return pd.DataFrame(
        [
            {**run._asdict(), "step": step, "epoch": step / 50, "class": name,
             **scores(n, f1_of(run.tier, run.seed, name, step))}
            for run in study.list_runs()
            for step in STEPS
            for name in CLASSES
        ]
    )  # fmt: skip


def apart(distinctiveness=(0.9, 0.7, 0.6, 0.65), frequency=(2.5, 6.5, 10.5, 14.5)):
    return pd.DataFrame(
        {
            "class": CLASSES,
            "distinctiveness": distinctiveness,
            "contrast": distinctiveness,
            "frequency": frequency,
        }
    )


SPEED = {"a": 0.9, "b": 0.6, "c": 0.5, "d": 0.3}
"""F1 at step 30."""


def rising(tier, seed, name, step):
    """`a` first, then b, c, d; all known at the end."""
    return {0: 0.1, 10: 0.2, 30: SPEED[name] + 0.01 * seed, 100: 0.98}[step]


def learned_of(study, f1_of=rising, distinctive=None):
    return class_learning(
        study,
        curves_of(study, f1_of),
        {tier.name: (distinctive or {}).get(tier.name, apart()) for tier in study.list_tiers()},
    )


def test_a_row_per_run_and_class_says_how_well_it_is_known_at_the_early_step():
    study = study_of(control=True)
    table = learned_of(study)
    assert list(table) == list(CLASS_LEARNING)
    assert len(table) == (2 * 3 + 1) * 4
    row = table[(table["tier"] == "low-band-d0") & (table["seed"] == 2) & (table["class"] == "b")].iloc[0]
    assert (row["f1"], row["step"], row["rank"], row["n"]) == (0.62, 30, 2, 100)
    assert (row["distinctiveness"], row["frequency"]) == (0.7, 6.5)
    assert (row["by_chance"], row["last_f1"]) == (0.4, 0.98)
    assert table.loc[table["family"] == "control", "control"].eq("shuffled").all()
    assert table.loc[table["family"] != "control", "control"].isna().all()


def test_midway_lies_between_always_naming_the_class_and_the_last_score():
    table = learned_of(study_of()).set_index(["tier", "seed", "class"])
    # From 0.2 at step 10 to 0.9 at step 30; midway is (0.4 + 0.98) ÷ 2 = 0.69.
    part = (0.69 - 0.2) / (0.9 - 0.2)
    expected = np.expm1((1 - part) * np.log1p(10) + part * np.log1p(30))
    assert table.loc[("low-band-d0", 0, "a"), "midway_step"] == pytest.approx(expected)
    assert 30 < table.loc[("low-band-d0", 0, "d"), "midway_step"] < 100
    assert table["learned"].all()


def test_a_class_that_is_not_above_chance_is_not_learned_and_has_no_midway():
    never = learned_of(
        study_of(), lambda tier, seed, name, step: 0.45 if name == "d" else rising(tier, seed, name, step)
    )
    last = never[never["class"] == "d"]
    assert not last["learned"].any() and last["midway_step"].isna().all()
    assert never[never["class"] != "d"]["learned"].all()
    # 0.4 + 3 SE: with 100 images of each class the error is about 0.045.
    assert f1_error(100, 0.45, 0.45) == pytest.approx(0.045, abs=0.01)


@pytest.mark.parametrize(("hit", "false"), [(0.3, 0.05), (0.7, 0.1), (0.95, 0.02), (0.99, 0.01), (0.9, 0.3)])
def test_the_error_of_f1_is_the_spread_of_f1_over_samples_of_images(hit, false):
    n, others = 100, 300
    hits, alarms = RNG.binomial(n, hit, 20000), RNG.binomial(others, false, 20000)
    f1 = 2 * hits / (n + hits + alarms)
    error = f1_error(n, hit, n * hit / (n * hit + others * false))
    most = 1.6 if false == 0.3 else 1.1  # too large, not too small, where false alarms are many
    assert 0.95 < error / f1.std() < most


def test_no_score_has_an_error_of_zero_and_errors_fall_with_the_images():
    assert f1_error(100, 0.0, 0.0) > 0 and f1_error(100, 1.0, 1.0) > 0
    assert f1_error(400, 0.8, 0.8) == pytest.approx(f1_error(100, 0.8, 0.8) / 2)


def test_chance_is_the_score_of_always_naming_the_class():
    label, named = np.repeat([0, 1, 2, 3], 25), np.zeros(100)
    hits = ((named == 0) & (label == 0)).sum()
    assert f1_by_chance(0.25) == pytest.approx(2 * hits / ((label == 0).sum() + (named == 0).sum()))


def test_a_quantity_that_falls_back_has_crossed_where_it_first_did():
    step = np.array([0, 10, 30, 100])
    assert crossing_step(step, np.array([0.1, 0.5, 0.2, 0.9]), 0.5) == pytest.approx(10)
    assert np.isnan(crossing_step(step, np.array([0.1, 0.2, 0.2, 0.3]), 0.5))


def test_missing_steps_and_scores_are_refused_by_name():
    study = study_of()
    curves = curves_of(study, rising)
    known = {tier.name: apart() for tier in study.list_tiers()}
    with pytest.raises(InputError, match=r"low-band-d0, base, 0.*has no step 30"):
        class_learning(study, curves[curves["step"] != 30], known)
    with pytest.raises(InputError, match="class c has no F1"):
        class_learning(study, curves.assign(f1=curves["f1"].where(curves["class"] != "c")), known)


def written(folder, study, steps=STEPS):
    """Files of a study's runs, as the tier and train programs write them."""
    for tier in study.list_tiers():
        facts = {"tier": tier.name, "chain": None, "control": None, "manifest_sha256": "m"}
        write_json(folder / "made" / "tiers" / f"{tier.name}.json", facts)
    for run in study.list_runs():
        place = folder / "made" / "runs" / run.tier / run.recipe / f"seed{run.seed}"
        place.mkdir(parents=True)
        facts = {**run._asdict(), "fingerprint": "f", "code": "c", "manifest_sha256": "m"}
        write_json(place / "run.json", facts)
        write_csv(place / "history.csv", pd.DataFrame({**dict.fromkeys(HISTORY, 0.5), "step": STEPS}))
        rows = [
            {"step": step, "epoch": 0.0, "class": name, **scores(9, 0.5)}
            for step in steps
            for name in ("007", "b")
        ]
        write_csv(place / "class_history.csv", pd.DataFrame(rows))
    return folder


def test_the_scores_of_every_run_are_gathered_and_strange_ones_refused(tmp_path):
    study = study_of(control=True)
    curves = class_curves(study, written(tmp_path / "a", study))
    assert list(curves) == list(CLASS_CURVES)
    assert len(curves) == 7 * len(STEPS) * 2 and set(curves["class"]) == {"007", "b"}
    with pytest.raises(InputError, match=r"class_history.csv.*has other steps than history.csv"):
        class_curves(study, written(tmp_path / "b", study, steps=(0, 10)))
    strange = tmp_path / "a" / "made" / "runs" / "low-band-d0" / "base" / "seed1" / "run.json"
    write_json(strange, {**read_json(strange), "code": "other"})
    with pytest.raises(InputError, match="was made with code other"):
        class_curves(study, tmp_path / "a")


# --- the order --------------------------------------------------------------------------------------------------


def one(table, by="distinctiveness", outcome="f1", tier="low-band-d0"):
    rows = table[(table["by"] == by) & (table["outcome"] == outcome)]
    return rows[rows["tier"].isna() if tier is None else rows["tier"] == tier].iloc[0]


def test_classes_that_are_learned_by_their_distinctiveness_are_found():
    # F1 falls a, b, c, d; distinctiveness orders a, b, d, c: ρ = 0.8; frequency rises: ρ = −1.
    table = learning_order(learned_of(study_of()), Statistics())
    assert list(table) == list(CLASS_LEARNING_SUMMARY)
    row = one(table)
    assert (row["rho"], row["rho_se"], row["first"], row["class"]) == (pytest.approx(0.8), 0, 1, "a")
    assert (row["over"], row["n"], row["runs"], row["classes"]) == ("seeds", 3, 3, 4)
    assert (row["first_lower"], row["first_upper"]) == (pytest.approx(0.025 ** (1 / 3)), 1)
    assert row["first_by_chance"] == 0.25
    place = one(table, "frequency")
    assert (place["rho"], place["first"], place["class"]) == (pytest.approx(-1), 0, "d")
    assert place["p"] == pytest.approx(2 / 24) and place["permutation"] == "exact"
    assert "p can't be below 0.083" in place["note"]
    assert one(table, outcome="midway_step")["rho"] == pytest.approx(0.8), "sooner is earlier"


def test_p_is_how_often_exchanged_spectra_go_as_well_with_the_order():
    noise = {}
    study = study_of()
    curves = curves_of(study, lambda *key: noise.setdefault(key, RNG.uniform(0.3, 0.9)))
    x = {"low-band-d0": RNG.uniform(size=4), "high-band-d0": RNG.uniform(size=4)}
    table = learning_order(
        class_learning(study, curves, {tier: apart(values) for tier, values in x.items()}),
        Statistics(permutations=24 * 24),
    )
    null = {}
    for tier, values in x.items():
        early = [[noise[tier, seed, name, 30] for name in CLASSES] for seed in range(3)]
        null[tier] = [
            np.mean([spearmanr(values[list(order)], one_seed).statistic for one_seed in early])
            for order in permutations(range(4))
        ]
        row = one(table, tier=tier)
        assert row["rho"] == pytest.approx(null[tier][0])
        assert row["p"] == pytest.approx(np.mean(np.abs(null[tier]) >= abs(null[tier][0]) - 1e-9))
    both = np.add.outer(*null.values()).ravel() / 2
    row = one(table, tier=None)
    assert row["rho"] == pytest.approx(both[0])
    assert row["p"] == pytest.approx(np.mean(np.abs(both) >= abs(both[0]) - 1e-9))
    assert (row["permutation"], row["arrangements"], row["over"], row["n"]) == ("exact", 576, "tiers", 2)
    drawn = one(learning_order(
        class_learning(study, curves, {tier: apart(values) for tier, values in x.items()}), Statistics(permutations=100)
    ), tier=None)  # fmt: skip
    assert drawn["permutation"] == "monte-carlo" and drawn["arrangements"] == 101
    assert drawn["p"] == pytest.approx(row["p"], abs=0.2)


def test_orders_that_have_nothing_to_do_with_spectra_are_seldom_called_related():
    p, table = [], learned_of(study_of(tiers=("x", "y", "z"), seeds=2))
    for _ in range(100):
        inborn = dict(zip(CLASSES, RNG.normal(size=4), strict=True))  # some are learned sooner, in all runs
        table["f1"] = 0.5 + 0.1 * table["class"].map(inborn) + 0.01 * RNG.normal(size=len(table))
        for _, own in table.groupby("tier"):
            table.loc[own.index, "distinctiveness"] = own["class"].map(
                dict(zip(CLASSES, RNG.uniform(size=4), strict=True))
            )
        p.append(one(learning_order(table, Statistics(permutations=500)), tier=None)["p"])
    for level in (0.05, 0.2):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 100)


def test_ties_share_the_first_place_and_runs_without_any_learning_have_none():
    tied = one(
        learning_order(
            learned_of(study_of(), lambda t, s, name, step: 0.9 if name in "ab" else 0.3), Statistics()
        )
    )
    assert tied["first"] == pytest.approx(0.5) and tied["undecided"] == 0
    nothing = one(learning_order(learned_of(study_of(), lambda *_: 0.4), Statistics()))
    assert (nothing["first"], nothing["undecided"], nothing["rho"]) == (0, 3, 0)
    assert "no class above chance in 3 runs" in nothing["note"]


def test_equal_spectra_have_no_correlation_and_say_so():
    same = learned_of(study_of(), distinctive={"low-band-d0": apart((0.5, 0.5, 0.5, 0.5))})
    table = learning_order(same, Statistics())
    row, every = one(table), one(table, tier=None)
    assert np.isnan(row["rho"]) and np.isnan(row["p"])
    assert "same spectrum by this measure: low-band-d0" in row["note"]
    assert every["rho"] == pytest.approx(0.8), "of the tier that has one"


def test_controls_play_no_part_and_exploratory_p_values_are_corrected():
    with_control = learned_of(study_of(control=True))
    without = with_control[with_control["control"].isna()]
    table = learning_order(with_control, Statistics())
    pd.testing.assert_frame_equal(table, learning_order(without, Statistics()))
    assert (table["p_adjusted"] >= table["p"] - 1e-12).all()
    alone = learning_order(learned_of(study_of(tiers=("low",), seeds=1)), Statistics())
    assert alone["tier"].notna().all() and alone["rho_lower"].isna().all()


def test_the_interval_of_a_share_is_clopper_and_pearson():
    lower, upper = clopper_pearson(2, 10, 0.95)
    assert (lower, upper) == (pytest.approx(0.0252, abs=1e-4), pytest.approx(0.5561, abs=1e-4))
    assert clopper_pearson(0, 4, 0.95) == (0.0, pytest.approx(1 - 0.025**0.25))


# --- the study file and its claims -----------------------------------------------------------------------------


CLAIM = {"kind": "learned-first", "text": "a first", "tier": "low"}


def test_groups_of_classes_and_steps_without_checkpoint_are_refused():
    family = {"dataset": "made", "label": "band", "classes": 4, "groups": [2, 4]}
    with pytest.raises(InputError, match=r"the classes of tiers\.low are groups"):
        study_of(tiers=("low",), kind="regroup", family=family)
    with pytest.raises(
        InputError, match=r"learned_first.step: found 20, but recipes.base.checkpoints.early are: 0, 10, 30"
    ):
        study_of(step=20)
    with pytest.raises(InputError, match="the study has no section learned_first"):
        study_of(claims=[CLAIM], learned_first=None)
    with pytest.raises(InputError, match="found 'middle', but the tiers are"):
        study_of(claims=[{**CLAIM, "tier": "middle"}])


def judged(claim, f1_of=rising, **options):
    study = study_of(claims=[{**CLAIM, **claim}], **options)
    return evaluate(
        study, pd.DataFrame(columns=["scalar", "reading", "instance"]), None, learned_of(study, f1_of)
    ).iloc[0]


def test_a_claim_holds_where_the_lead_of_its_class_is_clear_of_the_margin():
    held = judged({})
    assert held["held"] and held["found"] == pytest.approx(0.3), "the lead is 0.3 in every seed"
    assert (
        "F1 of the class of the highest distinctiveness − the largest F1 of another class in low: 0.3"
        in held["detail"]
    )
    assert not judged({"margin": 0.31})["held"]
    assert not judged({"class_name": "b"})["held"] and judged({"class_name": "b"})["found"] == pytest.approx(
        -0.3
    )
    spread = judged({}, lambda tier, seed, name, step: 0.7 + 0.2 * (seed - 1) if name == "a" else 0.65)
    assert not spread["held"], "leads of −0.15, 0.05 and 0.25 have an interval that holds 0"
    lead = np.array([-0.15, 0.05, 0.25])
    assert spread["found"] == pytest.approx(lead.mean() - 4.302653 * lead.std(ddof=1) / np.sqrt(3))


def test_a_claim_on_a_class_that_is_not_there_can_not_be_judged():
    unknown = judged({"class_name": "z"})
    assert (
        not unknown["held"] and "no tier has one class 'z'; the classes are a, b, c, d" in unknown["detail"]
    )
    study = study_of(claims=[CLAIM])
    without = evaluate(study, pd.DataFrame(columns=["scalar", "reading", "instance"])).iloc[0]
    assert not without["held"] and "there is no class_learning.csv" in without["detail"]


def test_one_run_is_judged_by_its_error_over_images():
    table = learned_of(study_of(seeds=1))
    row = leads(table, "a", "distinctiveness").iloc[0]
    assert row["value"] == pytest.approx(0.3)
    assert row["standard_error"] == pytest.approx(np.hypot(f1_error(100, 0.9, 0.9), f1_error(100, 0.6, 0.6)))
    assert "normal interval over 100 images" in judged({}, seeds=1)["detail"]


# --- tables, figure, page ---------------------------------------------------------------------------------------


def shown_of(study, f1_of=rising):
    learned = learned_of(study, f1_of)
    nothing = pd.DataFrame()
    found = ClassLearning(learned, learning_order(learned, study.statistics), curves_of(study, f1_of))
    return Tables(study, *[nothing] * 6, nothing, class_learning=found)


def test_tables_are_read_as_they_were_written(tmp_path):
    found = shown_of(study_of(control=True)).class_learning
    named = found.runs.replace({"class": {"a": "007"}})
    write_csv(tmp_path / "runs.csv", with_words(named, "learned"))
    write_csv(tmp_path / "summary.csv", found.summary)
    write_csv(tmp_path / "curves.csv", found.curves.replace({"class": {"a": "007"}}))
    back = read_class_learning(tmp_path / "runs.csv")
    pd.testing.assert_frame_equal(back, named.reset_index(drop=True), check_dtype=False)
    assert back["learned"].dtype == bool and "007" in set(back["class"])
    assert "007" in set(read_class_curves(tmp_path / "curves.csv")["class"])
    summary = read_class_learning_summary(tmp_path / "summary.csv")
    assert summary["tier"].isna().sum() == 6 and one(summary, tier=None)["rho"] == pytest.approx(0.8)


def test_the_figure_has_a_panel_per_tier_with_the_means_over_seeds():
    figure, data = draw(shown_of(study_of(control=True)))
    assert len(figure.axes) == 3 and set(data["tier"]) == {"low-band-d0", "high-band-d0"}
    assert len(data) == 2 * 4 * len(STEPS)
    row = data[(data["tier"] == "low-band-d0") & (data["class"] == "b") & (data["step"] == 30)].iloc[0]
    assert row["f1"] == pytest.approx(0.61) and row["f1_standard_error"] == pytest.approx(0.01 / np.sqrt(3))
    drawn = {tuple(line.get_ydata()) for line in figure.axes[0].lines}
    for name in CLASSES:
        own = data[(data["tier"] == "low-band-d0") & (data["class"] == name)]
        assert tuple(own["f1"]) in drawn
    assert "thick: a (0.90; next 0.70)" in figure.axes[0].get_title(loc="left")
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() > 2]
    assert [tuple(line.get_ydata()) for line in thick] == [
        tuple(data[(data["tier"] == "low-band-d0") & (data["class"] == "a")]["f1"])
    ]
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 7


@pytest.mark.parametrize("tiers", [("low",), ("low", "high"), tuple("abcdefghij")])
def test_nothing_is_cut_off_and_legends_lie_between_title_and_panels(tiers):
    figure, _ = draw(shown_of(study_of(tiers=tiers)))
    figure.draw_without_rendering()
    whole = figure.bbox
    named = [text for legend in figure.legends for text in legend.get_texts()]
    around = [part for axes in figure.axes for part in (axes.xaxis.label, axes.yaxis.label, axes._left_title)]
    for text in (*figure.texts, *named, *around):
        box = text.get_window_extent()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1, text.get_text()
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1, text.get_text()
    title, note = (
        next(text for text in figure.texts if text.get_gid() == part) for part in ("title", "note")
    )
    panels = [axes.get_tightbbox() for axes in figure.axes]
    rows = [[text.get_window_extent() for text in legend.get_texts()] for legend in figure.legends]
    assert title.get_window_extent().y0 > max(box.y1 for box in rows[0])
    assert min(box.y0 for box in rows[0]) > max(box.y1 for box in rows[1])
    assert min(box.y0 for box in rows[1]) > max(box.y1 for box in panels)
    assert note.get_window_extent().y1 <= min(box.y0 for box in panels)


def test_the_finding_says_the_numbers_and_whether_they_are_clear():
    tiers = tuple("abcde")
    clear = finding(shown_of(study_of(tiers=tiers)))
    assert "is first in 100 % of 15 runs (by chance 25 %)" in clear
    assert "F1 at step 30 rises with distinctiveness (ρ = +0.80" in clear
    assert "and falls with frequency (ρ = −1.00" in clear
    open_ = finding(shown_of(study_of(tiers=("low",))))
    assert "does not clearly go with distinctiveness (ρ = +0.80, corrected p = 0.3" in open_
    tables = shown_of(study_of())
    runs = tables.class_learning.runs.assign(distinctiveness=0.5)
    same = replace(tables.class_learning, runs=runs, summary=learning_order(runs, Statistics()))
    assert "nothing to correlate" in finding(replace(tables, class_learning=same))


def test_the_figure_leaves_out_what_does_not_fit_and_says_so():
    figure, data = draw(shown_of(study_of(tiers=tuple("abcdefghij"), seeds=1)))
    assert len(figure.axes) == 9 and data["tier"].nunique() == 10
    note = next(text.get_text() for text in figure.texts if text.get_gid() == "note")
    assert "Left out for room: 2 tiers" in " ".join(note.split()) and "no bands (one seed)" in " ".join(
        note.split()
    )


def test_the_page_has_a_row_for_every_row_of_the_summary_all_tiers_first():
    found = shown_of(study_of()).class_learning
    rows = class_learning_rows(found)
    assert len(rows) == len(found.summary)
    assert [row[0] for row in rows[:6]] == ["all tiers"] * 6 and rows[6][0] == "low-band-d0"
    assert rows[6][2:8] == [
        "distinctiveness",
        "F1 at the step",
        "a",
        "1.00 (0.29 to 1.00)",
        "0.80",
        "0.80 to 0.80",
    ]
