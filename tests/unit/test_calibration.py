"""The statistics keep their promises over many simulated studies: coverage, uniform p, power."""

import numpy as np
from scipy.stats import binom, kstest

from spectral_priority.statistics.least_squares import least_squares
from spectral_priority.statistics.permutation import rank_correlations

STUDIES = 2000
LEVELS, DRAWS, SEEDS = 5, 2, 2
COMPLEXITY = np.repeat(np.arange(1.0, LEVELS + 1), DRAWS)


def studies(slope, seed, studies=STUDIES, draw_noise=0.5, seed_noise=0.3):
    """Draw means of many studies (draw, study), noise of draws and of seeds inside them."""
    generator = np.random.default_rng(seed)
    draws = generator.normal(0, draw_noise, (LEVELS * DRAWS, studies, 1))
    seeds = generator.normal(0, seed_noise, (LEVELS * DRAWS, studies, SEEDS))
    return slope * COMPLEXITY[:, None] + (draws + seeds).mean(axis=2)


def within_chance(count, probability, studies=STUDIES):
    """Would a count this far out turn up in fewer than one of a thousand tests?"""
    low, high = binom.interval(0.999, studies, probability)
    return low <= count <= high


def test_95_percent_intervals_hold_the_slope_in_95_percent_of_studies():
    """5 levels × 2 draws × 2 seeds, the case that METHODS 9 names."""
    lines = least_squares(COMPLEXITY, studies(0.4, seed=0))
    assert within_chance(((lines.lower < 0.4) & (lines.upper > 0.4)).sum(), 0.95)


def test_treating_seeds_as_draws_would_not_hold_it():
    """Why seeds are averaged first: as points of their own they promise 95 % and keep far less."""
    generator = np.random.default_rng(1)
    draws = generator.normal(0, 0.5, (LEVELS * DRAWS, STUDIES, 1))
    seeds = draws + generator.normal(0, 0.3, (LEVELS * DRAWS, STUDIES, SEEDS))
    points = np.concatenate([seeds[..., 0], seeds[..., 1]])
    lines = least_squares(np.tile(COMPLEXITY, SEEDS), points)
    assert ((lines.lower < 0) & (lines.upper > 0)).mean() < 0.9


def test_p_of_the_slope_is_uniform_without_an_effect():
    p = least_squares(COMPLEXITY, studies(0.0, seed=2)).p
    assert kstest(p, "uniform").pvalue > 0.001
    assert within_chance((p < 0.05).sum(), 0.05)


def test_permutation_p_is_uniform_without_an_effect():
    found = rank_correlations(COMPLEXITY, studies(0.0, seed=3), [None] * len(COMPLEXITY), permutations=1999)
    assert found.method == "monte-carlo"
    for p in (found.p_spearman, found.p_kendall):
        for level in (0.05, 0.2, 0.5):
            assert (p <= level).mean() <= level + 3.3 * np.sqrt(level * (1 - level) / STUDIES)
            assert (p <= level).mean() >= 0.8 * level


def test_permutation_within_chains_is_uniform_where_chains_differ():
    """Three chains with levels of their own far apart: within-chain p keeps its level."""
    generator = np.random.default_rng(4)
    chain = np.repeat(["a", "b", "c"], 4)
    x = np.tile([1.0, 2, 3, 4], 3) + np.repeat([0, 2, 4], 4)
    y = np.repeat([0, 5, 10], 4)[:, None] + generator.normal(size=(12, STUDIES))
    within = rank_correlations(x, y, chain, permutations=1999)
    free = rank_correlations(x, y, [None] * 12, permutations=1999)
    assert (within.p_spearman <= 0.05).mean() < 0.07
    assert (free.p_spearman <= 0.05).mean() > 0.9


def test_the_smallest_detectable_slope_is_detected_in_80_percent_of_studies():
    """Of the true residual spread: its estimate scatters from study to study."""
    spread = ((COMPLEXITY - COMPLEXITY.mean()) ** 2).sum()
    noise = np.sqrt(0.5**2 + 0.3**2 / SEEDS)
    lines = least_squares(COMPLEXITY, studies(0.0, seed=5))
    slope = np.median(lines.detectable / lines.standard_error) * noise / np.sqrt(spread)
    found = least_squares(COMPLEXITY, studies(slope, seed=6)).p < 0.05
    assert abs(found.mean() - 0.8) < 0.03
