"""Alignment with a planted artefact: spectra of artefacts, their overlap with profiles, and what goes with it."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from made_images import two_splits, write_zip
from matplotlib.text import Text
from scipy.stats import spearmanr

from spectral_priority.config import parse_study
from spectral_priority.config.artefacts import LowPass, NonLocalMeans, PhotonNoise, Tag
from spectral_priority.config.datasets import Dataset
from spectral_priority.config.statistics import Statistics
from spectral_priority.data.artefact_spectrum import artefact_spectrum, with_and_without
from spectral_priority.data.artefacts import plant
from spectral_priority.data.images import TRAIN, PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError
from spectral_priority.figures.alignment import artefact_names, draw, finding
from spectral_priority.figures.tables import Alignment, Tables
from spectral_priority.fourier import ring_sizes
from spectral_priority.report.parts import alignment_rows
from spectral_priority.statistics.alignment import (
    alignments,
    clean_tier,
    compared,
    octave_distance,
    overlap,
)
from spectral_priority.statistics.overfitting import exchanged, overfitting

RNG = np.random.default_rng(0)
RINGS = np.arange(1, 17)
KINDS = ("low-pass", "photon-noise", "tag")


# --- the spectrum of an artefact ------------------------------------------------------------------------------


def changed(artefact, images, channels=3):
    """Spectrum of an artefact planted in images."""
    after = np.stack([plant(image, artefact, f"{number}.png") for number, image in enumerate(images)])
    return artefact_spectrum(after, images)["share"].values


def grey(count=40, size=32, level=128):
    return np.full((count, size, size, 1), level, dtype=np.uint8)


def test_what_a_blur_takes_away_lies_above_its_cutoff():
    noise = RNG.integers(0, 256, (30, 32, 32, 3), dtype=np.uint8)
    share = changed(LowPass(kind="low-pass", of_class="a", cutoff=6), noise)
    # White noise has power ∝ frequencies in a ring; a blur takes the share (1 − 2^−(r/c)²)² of it.
    expected = ring_sizes(32) * (1 - 2.0 ** -((RINGS / 6) ** 2)) ** 2
    assert share[8:] == pytest.approx((expected / expected.sum())[8:], rel=0.1)
    assert share[:3].sum() < 0.01


def test_photon_noise_is_white_so_its_power_grows_with_the_ring():
    share = changed(PhotonNoise(kind="photon-noise", of_class="a", photons=50), grey(200))
    assert share == pytest.approx(ring_sizes(32) / ring_sizes(32).sum(), rel=0.15)


def test_a_tag_changes_low_rings():
    share = changed(Tag(kind="tag", of_class="a", side=0.5), grey())
    assert share[:3].sum() > 0.7
    smaller = changed(Tag(kind="tag", of_class="a", side=0.12), grey())
    assert (RINGS * smaller).sum() > 2 * (RINGS * share).sum(), "a smaller square is wider in frequency"


def test_a_spectrum_is_its_definition_on_the_full_plane():
    before = RNG.integers(0, 256, (5, 15, 15, 3), dtype=np.uint8)
    after = RNG.integers(0, 256, (5, 15, 15, 3), dtype=np.uint8)
    u = np.fft.fftfreq(15, 1 / 15)
    ring = np.floor(np.hypot(u[:, None], u) + 0.5)
    shares = []
    for one, other in zip(after / 255, before / 255, strict=True):
        power = (np.abs(np.fft.fft2(one - other, axes=(0, 1))) ** 2).sum(axis=2)
        sums = np.array([power[ring == r].sum() for r in range(1, 8)])
        shares.append(sums / sums.sum())
    found = artefact_spectrum(after, before)
    assert found["share"].values == pytest.approx(np.mean(shares, axis=0))
    assert found["share_se"].values == pytest.approx(np.std(shares, axis=0, ddof=1) / np.sqrt(5))


def test_images_that_an_artefact_left_alone_count_for_nothing():
    before = RNG.integers(0, 256, (6, 16, 16, 1), dtype=np.uint8)
    after = before.copy()
    after[:3] = RNG.integers(0, 256, (3, 16, 16, 1), dtype=np.uint8)
    found, alone = artefact_spectrum(after, before), artefact_spectrum(after[:3], before[:3])
    assert (int(found["n"]), int(found["unchanged"])) == (3, 3)
    assert found["share"].values == pytest.approx(alone["share"].values)
    with pytest.raises(InputError, match="changed 0 of 3 training images"):
        artefact_spectrum(after[3:], before[3:])


def packed(root, **options):
    write_zip(
        root / "files.zip", dict(reversed(two_splits(train=5).items()))
    )  # no image arrives in its place
    checked = Dataset.model_validate(
        {"size": 16, "source": {"kind": "image-folder", "paths": ["files.zip"]}, **options}
    )
    target = root / f"{len(options)}-packed" / "images.h5"
    pack(open_source(checked, root, 2), "made", checked, target, {})
    return PackedImages(target)


def test_a_pack_keeps_planted_training_images_as_they_were(tmp_path):
    clean = packed(tmp_path)
    images = packed(tmp_path, artefact={"kind": "tag", "of_class": "bee", "train": 0.6})
    after, before = with_and_without(images)
    assert len(before) == 3
    different = (images.pixels != clean.pixels).any(axis=(1, 2, 3))
    planted = np.flatnonzero(different & (images.split == TRAIN))
    assert np.array_equal(before, clean.pixels[planted])
    assert np.array_equal(after, images.pixels[planted])
    with pytest.raises(InputError, match="holds no images from before an artefact"):
        with_and_without(clean)


def test_a_denoised_image_has_a_spectrum_of_its_own():
    noise = np.clip(128 + 20 * RNG.normal(size=(4, 32, 32, 1)), 0, 255).astype(np.uint8)
    share = changed(NonLocalMeans(kind="non-local-means", of_class="a", strength=0.2), noise)
    assert share[10:].sum() > share[:5].sum()


# --- overlap and distance --------------------------------------------------------------------------------------


def reference_distance(first, second):
    """Area between the two cumulative distributions over log2 r."""
    total, octave = 0.0, np.log2(np.arange(1, len(first) + 1))
    below = [0.0, 0.0]
    for r in range(len(first) - 1):
        below[0] += first[r] / first.sum()
        below[1] += second[r] / second.sum()
        total += abs(below[0] - below[1]) * (octave[r + 1] - octave[r])
    return total


def test_overlap_and_distance_are_their_definitions():
    for _ in range(20):
        first, second = RNG.exponential(size=(2, 16))
        coefficient = sum(
            (a * b) ** 0.5 for a, b in zip(first / first.sum(), second / second.sum(), strict=True)
        )
        assert overlap(first, second) == pytest.approx(coefficient)
        assert octave_distance(first, second) == pytest.approx(reference_distance(first, second))


def test_a_profile_overlaps_itself_fully_and_is_an_octave_from_itself_moved_by_one():
    profile, moved = np.zeros(16), np.zeros(16)
    profile[[1, 2, 4]] = [0.5, 0.2, 0.3]  # rings 2, 3, 5
    moved[[3, 5, 9]] = [0.5, 0.2, 0.3]  # rings 4, 6, 10
    assert overlap(profile, profile) == pytest.approx(1)
    assert octave_distance(profile, profile) == 0
    assert overlap(profile, moved) == 0
    assert octave_distance(profile, moved) == pytest.approx(1)
    assert octave_distance(moved, profile) == pytest.approx(1)


def test_a_profile_without_power_is_aligned_with_nothing():
    profile, nothing = np.ones(4), np.zeros(4)
    for compare in (overlap, octave_distance):
        assert np.isnan(compare(profile, nothing))
        assert np.isnan(compare(nothing * np.nan, profile))


# --- a study's tables ------------------------------------------------------------------------------------------


def bump(place, width=2.0):
    share = np.exp(-((RINGS - place) ** 2) / (2 * width**2)) + 0.01
    return share / share.sum()


def study_of(kinds=KINDS, recipes=("scratch", "from-low", "from-high"), clean=True, seeds=2):
    """A source data set, and the same target images clean and with artefacts."""
    images = {"source": {"kind": "shapes-textures"}, "size": 32}
    family = {"kind": "labels", "labels": ["ring"], "recipes": list(recipes)}
    planted = {
        kind: {**images, "artefact": {"kind": kind, "label": "ring", "of_class": "4"}} for kind in kinds
    }
    targets = {**({"clean": images} if clean else {}), **planted}
    sources = {"low": "shape", "high": "orientation"}
    return parse_study(
        {
            "study": "made", "seeds": seeds, "measures": {"gradient": {}},
            "datasets": {"source": {**images, "color": "rgb", "source": {"kind": "shapes-textures", "seed": 1}},
                         **targets},
            "tiers": {"source": {"kind": "labels", "dataset": "source", "labels": list(sources.values()),
                                 "recipes": ["pretrain"]},
                      **{f"on-{name}": {**family, "dataset": name} for name in targets}},
            "recipes": {"scratch": {"steps": 100}, "pretrain": {"steps": 100},
                        **{f"from-{name}": {"steps": 100, "init": {
                            "tier": f"source-{label}-d0", "recipe": "pretrain"}} for name, label in sources.items()}},
        }
    )  # fmt: skip


START = {"scratch": 6.0, "from-low": 3.0, "from-high": 12.0, "pretrain": 6.0}
SPECTRA = {"low-pass": bump(12), "photon-noise": bump(14, 4), "tag": bump(3)}


def tables_of(study, gap_of=lambda name, recipe, seed: 0.1):
    """learning.csv and profiles.h5 of a study whose profile at step 0 is a bump at the recipe's START."""
    learning, rows = [], []
    for run in study.list_runs():
        name = study.dataset_of(run.tier)
        gap = gap_of(name, run.recipe, run.seed)
        end = {"source-shape-d0": 2.0, "source-orientation-d0": 13.0}.get(run.tier, 9.0)
        for step, share, accuracy in ((0, bump(START[run.recipe]), 0.3), (100, bump(end), 0.9 - gap)):
            train = 0.3 if step == 0 else 0.9
            learning.append({**run._asdict(), "step": step, "fixed_train_accuracy": train,
                             "validation_accuracy": accuracy})  # fmt: skip
            rows.append((*run, "gradient", step, 32, share))
    columns = list(zip(*rows, strict=True))
    names = ("tier", "recipe", "seed", "instance", "step", "size")
    profiles = xr.Dataset(
        {
            "share": (
                ("profile", "ring"),
                np.pad(np.stack(columns[6]), ((0, 0), (0, 4)), constant_values=np.nan),
            )
        },
        {name: ("profile", np.array(values)) for name, values in zip(names, columns[:6], strict=True)},
    )
    return pd.DataFrame(learning), profiles


def aligned_of(study, gap_of=lambda name, recipe, seed: 0.1, spectra=SPECTRA):
    return alignments(
        study, *tables_of(study, gap_of), {k: v for k, v in spectra.items() if k in study.datasets}
    )


def own(aligned):
    return aligned[aligned["spectrum"] == aligned["dataset"]]


def test_every_run_on_an_artefact_and_no_other_has_a_row():
    study = study_of().model_dump(mode="json")
    study["tiers"]["control"] = {"kind": "control", "of": "on-tag-ring-d0", "recipes": ["scratch"]}
    rows = own(aligned_of(parse_study(study)))
    assert len(rows) == 3 * 3 * 2
    assert set(rows["artefact"]) == set(KINDS)
    assert set(rows["tier"]) == {f"on-{kind}-ring-d0" for kind in KINDS}


def test_alignment_is_that_of_the_profile_before_the_run_saw_its_task():
    rows = own(aligned_of(study_of())).set_index(["artefact", "recipe", "seed"])
    for (kind, recipe, _), row in rows.iterrows():
        assert row["overlap"] == pytest.approx(overlap(bump(START[recipe]), SPECTRA[kind]))
        assert row["distance"] == pytest.approx(octave_distance(bump(START[recipe]), SPECTRA[kind]))
    assert rows["source_overlap"].xs("scratch", level="recipe").isna().all()
    at = rows.loc[("tag", "from-low", 0), "source_overlap"]
    assert at == pytest.approx(overlap(bump(2.0), SPECTRA["tag"])), "the source run's last checkpoint"


def test_the_gap_is_lost_accuracy_and_the_clean_gap_that_of_the_same_run_without_artefact():
    rows = own(aligned_of(study_of(), lambda name, recipe, seed: 0.05 + 0.1 * seed + 0.3 * (name == "tag")))
    tag = rows[rows["artefact"] == "tag"]
    assert tag.groupby("seed")["gap"].first().tolist() == pytest.approx([0.35, 0.45])
    assert tag.groupby("seed")["clean_gap"].first().tolist() == pytest.approx([0.05, 0.15])
    assert own(aligned_of(study_of(clean=False)))["clean_gap"].isna().all()


def test_the_clean_tier_differs_in_the_artefact_only():
    study = study_of()
    assert clean_tier(study, "on-tag-ring-d0") == "on-clean-ring-d0"
    assert clean_tier(study, "source-shape-d0") == "source-shape-d0"
    other = study.model_dump(mode="json")
    other["datasets"]["clean"]["source"]["seed"] = 7
    assert clean_tier(parse_study(other), "on-tag-ring-d0") is None
    other = study.model_dump(mode="json")
    other["tiers"]["on-clean"]["images"]["train"] = 1000
    assert clean_tier(parse_study(other), "on-tag-ring-d0") is None
    other = study.model_dump(mode="json")
    other["tiers"]["on-clean"]["recipes"] = ["scratch"]
    assert clean_tier(parse_study(other), "on-tag-ring-d0") == "on-clean-ring-d0"


# --- does it go with overfitting? ------------------------------------------------------------------------------


def aligned_gap(name, recipe, seed):
    """Overfitting that follows from the overlap alone."""
    return 0.5 * overlap(bump(START[recipe]), SPECTRA[name]) + 0.01 * seed if name in SPECTRA else 0.02


def one_row(aligned, alignment="overlap", outcome="gap", settings=None):
    table = overfitting(aligned, settings or Statistics())
    return table[(table["alignment"] == alignment) & (table["outcome"] == outcome)].iloc[0]


def test_overfitting_that_follows_from_overlap_is_found():
    aligned = aligned_of(study_of(), aligned_gap)
    row = one_row(aligned)
    assert (row["n"], row["artefacts"], row["recipes"]) == (9, 3, 3)
    assert (row["slope"], row["spearman"]) == (pytest.approx(0.5), pytest.approx(1))
    assert row["lower"] <= 0.5 <= row["upper"]


def test_excess_is_overfitting_beyond_that_on_clean_images():
    aligned = aligned_of(study_of(), aligned_gap)
    aligned["clean_gap"] = aligned["gap"] - aligned["recipe"].map(START)
    row = one_row(aligned, outcome="excess_gap")
    points = own(aligned).drop_duplicates(["dataset", "recipe"])
    assert row["slope"] == pytest.approx(np.polyfit(points["overlap"], points["recipe"].map(START), 1)[0])


def test_p_is_how_often_exchanged_spectra_align_as_well():
    study = study_of()
    aligned = aligned_of(study, lambda name, recipe, seed: RNG.uniform())
    points = own(aligned).groupby(["dataset", "recipe"])["gap"].mean()
    reached, count = 0, 0
    for order in permutations(KINDS):
        given = dict(zip(KINDS, order, strict=True))
        x = [overlap(bump(START[recipe]), SPECTRA[given[name]]) for name, recipe in points.index]
        reached += abs(spearmanr(x, points).statistic) >= abs(one_row(aligned)["spearman"]) - 1e-9
        count += 1
    row = one_row(aligned)
    assert row["p_spearman"] == pytest.approx(reached / count)
    assert (row["permutation"], row["arrangements"]) == ("exact", 6)
    assert "3 artefacts have 6 arrangements: p can't be below 0.17" in row["note"]


def test_p_of_random_arrangements_agrees_with_the_exact_one():
    aligned = aligned_of(study_of(), lambda name, recipe, seed: RNG.uniform())
    exact, drawn = one_row(aligned), one_row(aligned, settings=Statistics(permutations=5))
    assert (drawn["permutation"], drawn["arrangements"]) == ("monte-carlo", 6)
    assert drawn["spearman"] == pytest.approx(exact["spearman"])
    assert 1 / 6 <= drawn["p_spearman"] <= 1


def test_overfitting_that_has_nothing_to_do_with_spectra_is_seldom_called_aligned():
    spectra = [*SPECTRA.values(), bump(7)]
    points = [
        (number, START[recipe]) for number in range(4) for recipe in ("scratch", "from-low", "from-high")
    ]
    every = np.array([[overlap(bump(start), share) for share in spectra] for _, start in points])
    number = np.array([number for number, _ in points])
    p = []
    for _ in range(400):  # some artefacts are more tempting than others, whatever their spectra
        gap = RNG.normal(size=4)[number] + 0.1 * RNG.normal(size=len(points))
        p.append(exchanged(every, number, gap, Statistics())["p_spearman"])
    for level in (0.1, 0.25):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 400)


def test_the_unit_is_artefact_by_recipe_so_seeds_with_the_same_values_change_nothing():
    gap = {2: None, 4: None}
    for seeds in gap:
        gap[seeds] = one_row(
            aligned_of(study_of(seeds=seeds), lambda name, recipe, seed: aligned_gap(name, recipe, 0))
        )
    columns = ["n", "slope", "lower", "upper", "spearman", "p_spearman"]
    assert gap[2][columns].astype(float).tolist() == pytest.approx(gap[4][columns].astype(float).tolist())


def test_too_few_points_have_no_interval_and_no_p_and_say_so():
    row = one_row(aligned_of(study_of(("tag",)), aligned_gap))
    assert row["n"] == 3
    assert np.isnan(row["lower"])
    assert np.isnan(row["p_spearman"])
    assert "too few points for an interval or a p: 3; at least 5" in row["note"]
    assert row["spearman"] == pytest.approx(1)


def test_what_is_unknown_says_why():
    lone = one_row(aligned_of(study_of(("tag",), recipes=("scratch",)), aligned_gap), "source_overlap")
    assert lone["n"] == 0
    assert lone["note"] == "not available: no run has both"
    same = one_row(aligned_of(study_of(), lambda name, recipe, seed: 0.1))
    assert "all points have the same outcome" in same["note"]
    assert np.isnan(same["spearman"])


def test_exploratory_p_values_are_corrected_within_the_table():
    table = overfitting(aligned_of(study_of(), aligned_gap), Statistics())
    tested = table["p_spearman"].notna()
    assert tested.sum() == 6
    assert (table.loc[tested, "p_adjusted"] >= table.loc[tested, "p_spearman"]).all()


# --- the figure and the page -----------------------------------------------------------------------------------


def shown_of(study, gap_of=aligned_gap):
    """The tables that the figure is drawn from."""
    learning, profiles = tables_of(study, gap_of)
    spectra = {
        name: xr.Dataset({"share": ("ring", share), "share_se": ("ring", share / 20), "n": 9})
        for name, share in SPECTRA.items()
        if name in study.datasets
    }
    aligned = alignments(study, learning, profiles, {name: s["share"].values for name, s in spectra.items()})
    tables = (own(aligned), overfitting(aligned, study.statistics), compared(study, profiles, spectra))
    nothing = pd.DataFrame()
    return Tables(study, *[nothing] * 6, nothing, alignment=Alignment(*tables))


def test_the_figure_has_a_point_per_artefact_and_recipe_with_the_means_over_seeds():
    tables = shown_of(study_of())
    figure, data = draw(tables)
    assert len(data) == 9
    row = data[(data["artefact"] == "tag") & (data["recipe"] == "from-low")].iloc[0]
    runs = tables.alignment.runs
    gaps = runs[(runs["artefact"] == "tag") & (runs["recipe"] == "from-low")]["gap"]
    assert row["gap"] == pytest.approx(gaps.mean())
    assert row["gap_standard_error"] == pytest.approx(gaps.std(ddof=1) / np.sqrt(2))
    points = {(c.lines[0].get_xdata()[0], c.lines[0].get_ydata()[0]) for c in figure.axes[0].containers}
    assert points == set(zip(data["overlap"], data["gap"], strict=True))


def test_a_figure_without_a_standard_error_still_fits_its_page():
    figure, _ = draw(shown_of(study_of(seeds=1)))
    figure.canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= -0.01
    assert drawn.x1 <= width + 0.01
    assert drawn.y0 >= -0.01
    assert drawn.y1 <= height + 0.01
    assert all(text.get_fontsize() >= 7 for text in figure.findobj(Text))


def with_numbers(**changed):
    """What the figure says of other numbers in the summary."""
    tables = shown_of(study_of())
    summary = tables.alignment.summary.assign(**changed)
    return finding(replace(tables, alignment=replace(tables.alignment, summary=summary)))


def test_the_finding_says_what_the_numbers_say():
    assert "3 artefacts, too few to judge (ρ = +1.00, n = 9)" in finding(shown_of(study_of()))
    assert "3 points, too few to judge" in finding(shown_of(study_of(("tag",))))
    enough = {"arrangements": 24, "p_adjusted": 0.042}
    assert "is larger where a model was more aligned" in with_numbers(**enough)
    assert "is smaller where a model was more aligned" in with_numbers(**enough, spearman=-0.9)
    assert "is not clearly related" in with_numbers(arrangements=24, p_adjusted=0.2)


def test_two_artefacts_of_one_kind_are_told_apart_by_their_data_sets():
    data = pd.DataFrame({"dataset": ["a", "b", "c"], "artefact": ["tag", "tag", "low-pass"]})
    assert artefact_names(data) == {"a": "a", "b": "b", "c": "low-pass"}


def test_the_profiles_shown_are_means_over_runs_at_step_0():
    profiles = shown_of(study_of()).alignment.profiles
    start = profiles[(profiles["kind"] == "start") & (profiles["name"] == "from-high")]
    assert start["share"].to_numpy() == pytest.approx(bump(START["from-high"]))
    assert set(start["n"]) == {3 * 2}
    assert set(profiles.loc[profiles["kind"] == "start", "name"]) == {"scratch", "from-low", "from-high"}


def test_the_page_has_a_row_per_instance_alignment_and_outcome():
    rows = alignment_rows(shown_of(study_of()).alignment)
    assert len(rows) == 6
    assert rows[0][:4] == ["gradient", "overlap at step 0", "overfitting", "9"]
