"""Claims are held, failed, or not evaluable, and say by which numbers."""

import numpy as np
import pandas as pd
import pytest
from known_tables import runs_of, study
from scipy import stats

from spectral_priority.errors import InputError
from spectral_priority.statistics.claims import NotEvaluable, estimate, evaluate

SEPARATED = {
    "kind": "separated",
    "text": "Two groups are read from lower frequencies than sixteen",
    "lower": "regroup-2",
    "higher": "regroup-16",
    "reading": "matched-loss",
}
INCREASING = {
    "kind": "increasing",
    "text": "The centroid rises with the number of groups",
    "tiers": ["regroup-2", "regroup-4", "regroup-8"],
    "reading": "matched-loss",
}


def judged(claim, *tables):
    found = evaluate(study(claims=[claim]), pd.concat(tables, ignore_index=True))
    assert len(found) == 1
    return found.iloc[0]


def test_separated_groups_are_held_apart():
    low = [runs_of("regroup-2-d0", [5.0, 5.2]), runs_of("regroup-2-d1", [5.1, 5.1])]
    high = [runs_of("regroup-16-d0", [9.0, 9.2]), runs_of("regroup-16-d1", [9.2, 9.2])]
    claim = judged(SEPARATED, *low, *high)
    assert claim.held
    # Draw means 5.1, 5.1 and 9.1, 9.2: a common variance of 0.005 / 2 on two degrees of freedom.
    reach = stats.t.ppf(0.975, 2) * np.sqrt(0.0025 / 2)
    assert claim.found == pytest.approx((9.15 - reach) - (5.1 + reach))
    assert "regroup-16 9.15 [8.998, 9.302] (95% pooled t interval over 2 draws)" in claim.detail


def test_overlapping_intervals_are_not_separated_though_every_run_is():
    """With two draws each, t is 4.3 standard errors: 5 ± 0.6 and 6 ± 0.6 overlap."""
    low = [runs_of("regroup-2-d0", [4.8]), runs_of("regroup-2-d1", [5.2])]
    high = [runs_of("regroup-16-d0", [5.8]), runs_of("regroup-16-d1", [6.2])]
    claim = judged(SEPARATED, *low, *high)
    assert not claim.held
    assert claim.found == pytest.approx(1 - 2 * stats.t.ppf(0.975, 2) * 0.2)


def test_the_margin_must_be_exceeded():
    tables = runs_of("regroup-2-d0", [5.0, 5.0, 5.0]), runs_of("regroup-16-d0", [9.0, 9.0, 9.0])
    assert judged({**SEPARATED, "margin": 3.9}, *tables).held
    assert not judged({**SEPARATED, "margin": 4.0}, *tables).held


def test_the_other_way_round_is_not_held():
    claim = judged(SEPARATED, runs_of("regroup-2-d0", [9.0, 9.1]), runs_of("regroup-16-d0", [5.0, 5.1]))
    assert not claim.held
    assert claim.found < 0


def test_the_unit_is_the_draw_then_the_seed_then_the_image():
    draws = pd.concat([runs_of("regroup-2-d0", [5.0, 5.4]), runs_of("regroup-2-d1", [5.6, 5.6])])
    over_draws = estimate("regroup-2", draws, 0.95)
    assert (over_draws.over, over_draws.n, over_draws.standard_error) == ("draws", 2, pytest.approx(0.2))
    over_seeds = estimate("regroup-2", runs_of("regroup-2-d0", [5.0, 5.4, 5.8]), 0.95)
    assert (over_seeds.over, over_seeds.n) == ("seeds", 3)
    assert over_seeds.upper == pytest.approx(5.4 + stats.t.ppf(0.975, 2) * 0.4 / np.sqrt(3))
    one = estimate("regroup-2", runs_of("regroup-2-d0", [5.0], standard_error=0.1, n=240), 0.95)
    assert (one.over, one.n, one.upper) == ("images", 240, pytest.approx(5 + 1.959964 * 0.1))


def test_a_name_does_not_catch_tiers_that_only_begin_alike():
    """`regroup-1` is not the start of `regroup-16-d0` as a name: levels are whole words."""
    found = evaluate(
        study(claims=[SEPARATED]),
        pd.concat([runs_of("regroup-2-d0", [5.0, 5.1, 5.0]), runs_of("regroup-16-d0", [9.0, 9.1, 9.0]),
                   runs_of("regroup-20-d0", [99.0, 99.0, 99.0])]),
    )  # fmt: skip
    assert "regroup-2 5.033" in found.detail[0]


def test_a_rise_from_each_tier_to_the_next_is_increasing():
    tables = [
        runs_of(f"regroup-{k}-d0", values) for k, values in {2: [5, 5.2], 4: [6, 6.2], 8: [6.5, 6.7]}.items()
    ]
    claim = judged(INCREASING, *tables)
    assert claim.held
    assert claim.found == pytest.approx(0.5)
    assert claim.detail == (
        "centroid in cycles/image: regroup-2 5.1 (SE 0.1 over 2 seeds) < regroup-4 6.1 (SE 0.1 over 2 seeds)"
        " < regroup-8 6.6 (SE 0.1 over 2 seeds); smallest rise 0.5, margin 0"
    )
    assert not judged({**INCREASING, "margin": 0.6}, *tables).held


def test_one_step_down_is_not_increasing():
    tables = [runs_of(f"regroup-{k}-d0", [value]) for k, value in {2: 5.0, 4: 7.0, 8: 6.9}.items()]
    claim = judged(INCREASING, *tables)
    assert not claim.held
    assert claim.found == pytest.approx(-0.1)


def test_a_claim_reads_its_own_recipe_reading_and_fraction():
    right = [runs_of("regroup-2-d0", [5.0, 5.1, 5.0]), runs_of("regroup-16-d0", [9.0, 9.1, 9.0])]
    wrong = [
        runs_of(tier, [value] * 3, **other)
        for other in (
            {"recipe": "other"},
            {"reading": "last", "fraction": np.nan},
            {"fraction": 0.7},
            {"scalar": "entropy"},
            {"instance": "margin"},
        )
        for tier, value in {"regroup-2-d0": 9.0, "regroup-16-d0": 5.0}.items()
    ]
    assert judged(SEPARATED, *right, *wrong).held


def test_a_claim_may_compare_two_instances_of_other_measures():
    measures = {"gradient": {}, "here": {"measure": "shortcuts"}, "there": {"measure": "shortcuts"}}
    claim = SEPARATED | {
        "text": "Fewer are recognised elsewhere", "higher": "regroup-2", "scalar": "headline_tpr",
        "lower_instance": "there", "higher_instance": "here",
    }  # fmt: skip
    rows = [
        runs_of("regroup-2-d0", values, instance=instance, scalar=scalar, unit="1")
        for instance, scalar, values in (
            ("there", "headline_tpr", [0.2, 0.3, 0.2]),
            ("here", "headline_tpr", [0.8, 0.9, 0.8]),
            ("there", "headline_fpr", [0.9, 0.9, 0.9]),
            ("elsewhere", "headline_tpr", [0.9, 0.9, 0.9]),
        )
    ]
    found = evaluate(study(claims=[claim], measures=measures), pd.concat(rows, ignore_index=True)).iloc[0]
    assert found.held
    assert found.detail.startswith("headline_tpr: regroup-2 by there 0.2333 [")
    assert "regroup-2 by here 0.8333 [" in found.detail


RECIPES = {"recipes": {"base": {}, "wide": {"width": 64}, "deep": {"model": "resnet18"}}}
BETWEEN = {
    "kind": "separated",
    "text": "A wide network reads two groups from higher frequencies than a deep one",
    "lower": "regroup-2",
    "lower_recipe": "deep",
    "higher": "regroup-2",
    "higher_recipe": "wide",
    "reading": "matched-loss",
}


def judged_between(claim, *tables, learning=None):
    return evaluate(study(claims=[claim], **RECIPES), pd.concat(tables, ignore_index=True), learning).iloc[0]


def test_a_claim_may_compare_two_recipes_on_the_same_tier():
    deep = runs_of("regroup-2-d0", [5.0, 5.1, 5.0], recipe="deep")
    wide = runs_of("regroup-2-d0", [9.0, 9.1, 9.0], recipe="wide")
    base = runs_of("regroup-2-d0", [1.0, 99.0, 50.0])
    claim = judged_between(BETWEEN, deep, wide, base)
    assert claim.held
    assert "regroup-2 with deep 5.033" in claim.detail and "regroup-2 with wide 9.033" in claim.detail
    assert not judged_between({**BETWEEN, "lower_recipe": "wide", "higher_recipe": "deep"}, deep, wide).held


def test_a_side_without_a_recipe_of_its_own_has_the_claims():
    runs = [
        runs_of("regroup-2-d0", [value] * 3, recipe=recipe)
        for recipe, value in {"base": 5.0, "deep": 7.0, "wide": 9.0}.items()
    ]
    first = {name: value for name, value in BETWEEN.items() if name != "lower_recipe"}
    assert judged_between(first, *runs).found == pytest.approx(4.0), "the study's first"
    assert judged_between({**first, "recipe": "deep"}, *runs).found == pytest.approx(2.0)


def test_a_claim_may_be_about_how_well_runs_learned():
    learning = pd.DataFrame(
        [
            ("regroup-2-d0", recipe, seed, step, 1.0, validation + 0.01 * seed)
            for recipe, validation in (("deep", 0.9), ("wide", 0.6))
            for seed in (0, 1, 2)
            for step in (0, 100)
        ],
        columns=["tier", "recipe", "seed", "step", "fixed_train_accuracy", "validation_accuracy"],
    )
    claim = judged_between(
        {**BETWEEN, "scalar": "gap", "reading": "last"}, runs_of("regroup-2-d0", [5.0]), learning=learning
    )
    assert claim.held
    assert claim.detail.startswith("gap: regroup-2 with deep 0.09 ")
    assert "regroup-2 with wide 0.39 " in claim.detail


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"higher_recipe": "brode"},
            "claims[0].higher_recipe: found 'brode', but the recipes are: base, wide, deep",
        ),
        (
            {"lower_recipe": "wide"},
            "claims[0]: lower and higher are the same tiers with the same recipe",
        ),
        (
            {"lower": "similar"},
            "claims[0]: similar is to be read with the recipe 'deep', but tiers.similar is trained with: base",
        ),
        (
            {"scalar": "gap"},
            "reading: found 'matched-loss', but gap has only the reading last",
        ),
    ],
)
def test_a_claim_that_no_run_can_answer_is_refused_before_the_first_run(changes, message):
    tiers = study().model_dump(mode="json")["tiers"]
    tiers["similar"]["recipes"] = ["base"]
    with pytest.raises(InputError) as error:
        study(tiers=tiers, claims=[{**BETWEEN, **changes}], **RECIPES)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        (
            [runs_of("regroup-2-d0", [5.0, np.nan]), runs_of("regroup-16-d0", [9.0, 9.0])],
            "can't be evaluated: regroup-2: runs that never reached the level: 1 of 2",
        ),
        (
            [runs_of("regroup-2-d0", [5.0, 5.0]), runs_of("regroup-16-d0", [9.0, np.nan], reached=True)],
            "can't be evaluated: regroup-16: runs without a value: 1 of 2",
        ),
        (
            [runs_of("regroup-2-d0", [5.0, 5.0])],
            "can't be evaluated: regroup-16: there is no such run",
        ),
        (
            [runs_of("regroup-2-d0", [5.0], standard_error=np.nan), runs_of("regroup-16-d0", [9.0, 9.0])],
            "can't be evaluated: regroup-2: too few runs: 1, and it has no standard error over images",
        ),
    ],
)
def test_a_claim_without_numbers_has_not_held_and_says_why(tables, reason):
    claim = judged(SEPARATED, *tables)
    assert not claim.held
    assert claim.detail == reason
    assert pd.isna(claim.found)


def test_a_study_without_claims_has_an_empty_table():
    assert evaluate(study(), runs_of("regroup-2-d0", [5.0])).empty


def test_an_empty_group_is_not_evaluable():
    with pytest.raises(NotEvaluable, match="there is no such run"):
        estimate("regroup-2", runs_of("regroup-2-d0", []), 0.95)
