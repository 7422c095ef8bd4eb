"""Profiles beside the spectra of their tasks: which tier goes with which spectrum is permuted, never rings."""

from itertools import permutations

import numpy as np
import pytest
import xarray as xr

from spectral_priority.config import parse_study
from spectral_priority.config.statistics import Statistics
from spectral_priority.statistics.alignment import octave_distance, overlap
from spectral_priority.statistics.tables import TIER_ALIGNMENT
from spectral_priority.statistics.tier_alignment import compared, read_spectra_of_tiers, tier_alignment
from spectral_priority.store.atomic import write_json
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance

RINGS = np.arange(1, 9)
STUDY = parse_study(
    {
        "study": "small",
        "datasets": {"shapes": {"source": {"kind": "shapes-textures"}, "size": 16}},
        "tiers": {
            "similar": {
                "kind": "similarity", "dataset": "shapes", "label": "texture", "classes": 4,
                "levels": ["near", "mid", "far"], "draws": 2,
            },
            "control": {"kind": "control", "of": "similar-near-d0"},
        },
        "measures": {"gradient": {}},
        "seeds": 2,
    }
)  # fmt: skip
TIERS = [tier.name for tier in STUDY.list_tiers(controls=False)]


def bump(place):
    share = np.exp(-((RINGS - place) ** 2) / 2) + 0.01
    return share / share.sum()


def profiles_of(places):
    """profiles.h5: flat at step 0, a bump at the end, seeds a little apart."""
    rows = [
        (tier, seed, step, bump(place + 0.1 * seed) if step else np.full(8, 1 / 8))
        for tier, place in places.items()
        for seed in (0, 1)
        for step in (0, 100)
    ]
    columns = {"tier": 0, "seed": 1, "step": 2}
    values = {name: [row[place] for row in rows] for name, place in columns.items()}
    values |= {"recipe": ["base"] * len(rows), "instance": ["gradient"] * len(rows), "size": [16] * len(rows)}
    return xr.Dataset(
        {"share": (("profile", "ring"), np.stack([row[3] for row in rows]))},
        {name: ("profile", np.array(found)) for name, found in values.items()},
    )


def spectra_of(places):
    return {"pinson": {tier: bump(place) for tier, place in places.items()}}


PLACES = dict(zip(TIERS, (1, 2.5, 4, 5, 6, 7.5), strict=True))


def test_profiles_that_follow_their_own_task_overlap_with_it_most():
    row = tier_alignment(STUDY, profiles_of(PLACES), spectra_of(PLACES)).iloc[0]
    assert (row.family, row.spectrum, row.tiers, row.arrangements) == ("similar", "pinson", 6, 720)
    assert row.p_overlap == row.p_distance == pytest.approx(1 / 720)
    assert row.overlap > 0.98 > 0.8 > row.overlap_exchanged
    assert row.distance < 0.2 < row.distance_exchanged


def test_profiles_that_follow_another_task_do_not():
    others = dict(zip(TIERS, reversed(PLACES.values()), strict=True))
    row = tier_alignment(STUDY, profiles_of(PLACES), spectra_of(others)).iloc[0]
    assert row.p_overlap > 0.5 and row.p_distance > 0.5


def test_numbers_are_those_of_a_slow_loop():
    random = np.random.default_rng(0)
    profiles, spectra = random.random((2, 5, 8))
    found = compared(list(profiles), list(spectra), Statistics())
    means = [np.mean([overlap(profiles[t], spectra[o]) for t, o in enumerate(order)])
             for order in permutations(range(5))]  # fmt: skip
    octaves = [np.mean([octave_distance(profiles[t], spectra[o]) for t, o in enumerate(order)])
               for order in permutations(range(5))]  # fmt: skip
    assert found["overlap"] == pytest.approx(means[0]) and found["distance"] == pytest.approx(octaves[0])
    assert found["overlap_exchanged"] == pytest.approx(np.mean(means))
    assert found["p_overlap"] == pytest.approx(np.mean(np.array(means) >= means[0] - 1e-12))
    assert found["p_distance"] == pytest.approx(np.mean(np.array(octaves) <= octaves[0] + 1e-12))


def test_p_is_uniform_where_tiers_and_spectra_have_nothing_to_do_with_each_other():
    random = np.random.default_rng(1)
    p = np.array(
        [compared(*random.dirichlet(np.ones(8), (2, 5)), Statistics())["p_overlap"] for _ in range(400)]
    )
    for level in (0.05, 0.2, 0.5):
        assert abs((p <= level).mean() - level) < 3.5 * np.sqrt(level * (1 - level) / 400)


@pytest.mark.parametrize(
    ("count", "same", "note"),
    [
        (4, False, "too few tiers: 4; at least 5"),
        (6, True, "all tiers have the same spectrum: nothing to exchange"),
    ],
)
def test_what_cannot_be_tested_says_why(count, same, note):
    own = [bump(place) for place in range(1, count + 1)]
    found = compared(own, [own[0]] * count if same else own, Statistics())
    assert found["note"] == note and "p_overlap" not in found and np.isfinite(found["overlap"])


def test_controls_and_tiers_without_the_spectrum_stay_out():
    places = {**PLACES, "control-shuffled-d0": 3}
    without = dict(PLACES)
    without.pop(TIERS[0])
    row = tier_alignment(STUDY, profiles_of(places), spectra_of(without)).iloc[0]
    assert row.tiers == 5
    nothing = tier_alignment(STUDY, profiles_of(places), {"pinson": {}})
    assert nothing["note"].tolist() == [
        "not available: no tier has this spectrum on the rings of its profile"
    ]
    assert tuple(nothing.columns) == TIER_ALIGNMENT


def test_spectra_are_read_from_the_files_of_the_study(tmp_path):
    about = {"units": "1", "long_name": "made"}
    ring = ("ring", RINGS, {"units": "cycles/image", "long_name": "ring"})
    classes = ("class", ["a", "b", "c"], about)
    shares = np.stack([bump(1), bump(3), bump(8)])
    psd = xr.Dataset({"share": (("class", "ring"), shares, about)}, {"ring": ring, "class": classes})
    path = tmp_path / "data" / "shapes-16px" / "spectra" / "texture" / "psd.h5"
    path.parent.mkdir(parents=True)
    write_dataset(path, psd, "data:psd", provenance())
    for tier in TIERS:
        folder = tmp_path / "small" / "complexity" / tier
        folder.mkdir(parents=True)
        for kind in ("class-mean-psd", "pinson"):
            made = xr.Dataset({"share": ("ring", bump(PLACES[tier]), about)}, {"ring": ring})
            write_dataset(folder / f"{kind}.h5", made, f"data:{kind}", provenance())
        facts = {"label": "texture", "classes": [{"members": ["a", "b"]}, {"members": ["rare"]}]}
        (tmp_path / "small" / "tiers").mkdir(exist_ok=True)
        write_json(tmp_path / "small" / "tiers" / f"{tier}.json", facts)
    found = read_spectra_of_tiers(STUDY, tmp_path)
    assert {kind: sorted(by_tier) for kind, by_tier in found.items()} == dict.fromkeys(found, sorted(TIERS))
    np.testing.assert_allclose(found["image-psd"][TIERS[0]], shares[:2].mean(axis=0))
    np.testing.assert_allclose(found["pinson"][TIERS[1]], bump(PLACES[TIERS[1]]))
