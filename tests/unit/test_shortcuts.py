"""Statements about frequency shortcuts; the slow reference filters image by image with whole transforms."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from small_models import images, linear, network

import spectral_priority as sp
from spectral_priority import fourier, half_plane
from spectral_priority.config.measures import Shortcuts
from spectral_priority.errors import InputError
from spectral_priority.measures.labelled_images import labelled_images
from spectral_priority.measures.patch_search import candidates, mean_losses, patch_search, patch_sizes
from spectral_priority.measures.removal import images_by_class
from spectral_priority.measures.shortcut_rates import wilson_interval


def predictions(model, pixels, mask):
    """Predicted class of each image when only the frequencies of a full-plane mask are kept."""
    x = pixels.transpose(0, 3, 1, 2) / 255
    filtered = np.stack([[np.fft.ifft2(np.fft.fft2(plane) * mask).real for plane in image] for image in x])
    with torch.no_grad():
        return model(torch.from_numpy(filtered)).argmax(dim=1).numpy()


@settings(max_examples=12, deadline=None)
@given(
    size=st.integers(4, 9),
    channels=st.integers(1, 4),
    count=st.integers(2, 8),
    classes=st.integers(2, 4),
    batch_size=st.integers(1, 40),
    seed=st.integers(0, 100),
)
def test_rates_equal_the_slow_reference(size, channels, count, classes, batch_size, seed):
    pixels, labels = images(count, size, channels, classes, seed)
    model = network(size, channels, classes, seed, torch.float64)
    found = sp.frequency_shortcuts(model, pixels, labels, top=[5, 40], batch_size=batch_size)
    plain = predictions(model, pixels, np.ones((size, size)))
    mean = predictions(model, pixels, np.eye(1, size**2).reshape(size, size))
    for number in found.label.values:
        of_class, own = found.isel({"class": found.label == number}).squeeze("class"), labels == number
        cases = [(of_class.sel(mask=name), "") for name in ("top-5", "top-40")]
        seen = [predictions(model, pixels, fourier.full_plane(case.kept.values)) for case, _ in cases]
        cases += [(of_class, "clean_"), (of_class, "dc_")]
        for (case, prefix), answer in zip(cases, [*seen, plain, mean], strict=True):
            assert case[f"{prefix}tpr"] == pytest.approx((answer == number)[own].mean())
            others = (answer == number)[~own]
            assert case[f"{prefix}fpr"] == pytest.approx(others.mean() if len(others) else 0)
            if own.sum() > 1:
                error = (answer == number)[own].std(ddof=1) / np.sqrt(own.sum())
                assert case[f"{prefix}tpr_se"] == pytest.approx(error)
        assert of_class.class_n == own.sum() and of_class.class_n_other == (~own).sum()


def test_what_is_kept_are_the_dominant_frequencies_of_the_map():
    pixels, labels = images(20, 9)
    model = network(9, kind=torch.float64)
    found = sp.frequency_shortcuts(model, pixels, labels)
    dominant = sp.dominant_frequency_map(model, pixels, labels).dominant
    assert (found.kept.values == dominant.values).all()
    np.testing.assert_allclose(found.kept_share.sel(mask="top-10"), 4 / 40)


def test_intervals_are_wilsons():
    for hits, count in ((0, 7), (3, 7), (7, 7), (50, 200)):
        expected = binomtest(hits, count).proportion_ci(method="wilson")
        np.testing.assert_allclose(wilson_interval(np.array(hits), np.array(count)), expected, atol=1e-6)
    assert [float(end) for end in wilson_interval(np.array(0), np.array(0))] == [0, 1]


def planted(count=10, size=16):
    """Classes 0 and 1 have a wave of their own, class 2 has none; the model looks for the waves, or else says 2."""
    y, x = np.mgrid[:size, :size] / size
    waves = np.stack([np.cos(2 * np.pi * (3 * x + 4 * y)), np.cos(2 * np.pi * (6 * x - 2 * y)), 0 * x])
    labels = np.repeat([0, 1, 2], count)
    noise = np.random.default_rng(0).normal(0, 8, (3 * count, size, size))
    pixels = (128 + 60 * waves[labels] + noise).clip(0, 255).astype(np.uint8)[..., None]
    model = linear(torch.from_numpy(waves)[:, None] / 5)
    model[1].bias = torch.nn.Parameter(torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64))
    return model, pixels, labels


@pytest.mark.parametrize("search", ["ranking", "patches"])
def test_planted_shortcuts_are_found_and_the_class_of_nothing_is_told_by_its_false_positives(search):
    model, pixels, labels = planted()
    found = sp.frequency_shortcuts(
        model,
        pixels,
        labels,
        class_names=["steep", "flat", "none"],
        search=search,
        candidates=60,
        survivors=4,
    )
    last = found.isel(mask=0 if search == "ranking" else -1)
    waves = last.sel({"class": ["steep", "flat"]})
    assert (waves.tpr == 1).all() and (waves.fpr == 0).all() and (waves.dc_tpr == 0).all()
    assert waves.kept.sel({"class": "steep", "u": 4, "v": 3}) and waves.kept.sel(
        {"class": "flat", "u": -2, "v": 6}
    )
    nothing = last.sel({"class": "none"})
    assert nothing.tpr == 1 and nothing.fpr > 0.4 and nothing.dc_tpr == 1 and nothing.dc_fpr == 1
    assert last.shortcuts == 3 and (last.shortcut == 1).all() and found.headline_shortcuts == 3
    assert found.headline_tpr == 1 and found.mean_tpr_se.isel(mask=0) == 0


def test_a_shortcut_is_a_rate_above_the_threshold():
    pixels, labels = images(40, 8)
    model = network(8, kind=torch.float64)
    found = sp.frequency_shortcuts(model, pixels, labels, threshold=0.3)
    assert (found.shortcut == (found.tpr > 0.3)).all() and 0 < found.shortcut.sum() < found.shortcut.size
    assert (found.shortcuts == found.shortcut.sum("class")).all()
    assert (found.shortcuts_lower <= found.shortcuts).all() and (
        found.shortcuts <= found.shortcuts_upper
    ).all()
    assert found.headline_tpr == found.mean_tpr.sel(mask="top-5") == found.tpr.sel(mask="top-5").mean()
    error = np.sqrt((found.fpr_se.sel(mask="top-5") ** 2).sum()) / 4
    assert found.headline_fpr_se == pytest.approx(float(error))


def test_masks_are_tried_on_other_images():
    model, pixels, labels = planted()
    found = sp.frequency_shortcuts(model, pixels, labels)
    again = sp.frequency_shortcuts(model, pixels, labels, masks=found)
    xr.testing.assert_allclose(again.drop_vars("n_chosen"), found.drop_vars("n_chosen"))
    assert again.n_chosen == 0 and found.n_chosen == 30
    inverted = sp.frequency_shortcuts(model, 255 - pixels[:20], labels[:20], masks=found)
    assert inverted.label.values.tolist() == [0, 1] and (inverted.tpr == 0).all()
    with pytest.raises(InputError, match="masks: are of 16 pixels, the images of 8"):
        sp.frequency_shortcuts(model, *images(4, 8), masks=found)
    with pytest.raises(InputError, match="no class in common"):
        sp.frequency_shortcuts(model, pixels, labels + 5, masks=found)


@pytest.mark.parametrize("search", ["ranking", "patches"])
def test_images_that_frequencies_were_chosen_by_can_be_left_out(search):
    pixels, labels = images(40, 8, classes=2)
    model = network(8, classes=2, kind=torch.float64)
    options = {"search": search, "images_per_class": 5, "seed": 3, "candidates": 30}
    found = sp.frequency_shortcuts(model, pixels, labels, evaluate="others", **options)
    taken = np.concatenate(list(images_by_class(labelled_images(pixels, labels), 5, 3).values()))
    rest = np.setdiff1d(np.arange(40), taken)
    apart = sp.frequency_shortcuts(model, pixels[rest], labels[rest], masks=found)
    np.testing.assert_allclose(found.tpr, apart.tpr)
    assert found.n == 30 and found.n_chosen == 10
    first = sp.frequency_shortcuts(model, pixels[taken], labels[taken], search=search, candidates=30, seed=3)
    assert (first.kept == found.kept).all()
    with pytest.raises(InputError, match="class 0: has no image left"):
        sp.frequency_shortcuts(model, pixels, labels, evaluate="others", images_per_class=40)
    with pytest.raises(InputError, match="images_per_class above 0"):
        sp.frequency_shortcuts(model, pixels, labels, evaluate="others")


def test_a_search_depends_neither_on_the_batch_nor_on_the_order_of_images():
    pixels, labels = images(30, 8)
    model, order = network(8, kind=torch.float64), np.random.default_rng(0).permutation(30)
    options = {"search": "patches", "candidates": 40, "survivors": 3}
    found = sp.frequency_shortcuts(model, pixels, labels, **options)
    again = sp.frequency_shortcuts(
        model, pixels[order], labels[order], image_ids=order, batch_size=7, **options
    )
    xr.testing.assert_allclose(found, again)
    other = sp.frequency_shortcuts(model, pixels, labels, seed=1, **options)
    assert (other.kept != found.kept).any()


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("side", [1, 2, 3])
def test_a_candidate_keeps_whole_patches_of_a_survivor(size, side):
    random = np.random.default_rng(0)
    pairs = len(half_plane.frequency_pairs(size))
    survivors = random.random((2, 3, pairs)) < 0.7
    made = candidates(random, survivors, size, side, 0.6, 30)
    grids = [half_plane.patches(size, side, shifted) for shifted in (False, side > 1)]
    for turn, mask in enumerate(made):
        parents = [parent for parent in survivors.reshape(-1, pairs) if not (mask & ~parent).any()]
        assert parents and (turn % 3 == 2 or any(_whole(mask, parent, grids[turn % 3]) for parent in parents))
    free = candidates(random, np.ones((1, 1, pairs), dtype=bool), size, side, 0.6, 90)
    assert (
        0.4 < free[2::3].mean() < 0.65
    )  # two draws of half as many overlap; single frequencies have one grid
    for turn, mask in enumerate(free):
        if turn % 3 < 2:
            patches = grids[turn % 3].max() + 1
            assert len(np.unique(grids[turn % 3][mask])) == max(1, round(0.6 * patches))


def _whole(mask, parent, grid):
    """Is each patch either kept, as far as the parent has it, or not?"""
    return all(
        (mask == parent)[grid == patch].all() or not mask[grid == patch].any()
        for patch in range(grid.max() + 1)
    )


def test_patches_are_squares_of_the_plane_and_shift_by_half():
    for size, side in ((8, 2), (9, 3), (16, 4)):
        row, column = half_plane.frequency_pairs(size).T
        u = np.where(row > (size - 1) // 2, row - size, row)
        for shifted in (False, True):
            grid = half_plane.patches(size, side, shifted)
            for patch in range(grid.max() + 1):
                of_u, of_v = u[grid == patch], column[grid == patch]
                assert np.ptp(of_u) < side and np.ptp(of_v) < side
        assert len(np.unique(half_plane.patches(size, 1))) == len(row)
        assert (half_plane.patches(size, side) != half_plane.patches(size, side, shifted=True)).any()


def test_losses_of_masks_equal_the_slow_reference_and_the_best_survives():
    pixels, labels = images(12, 8, classes=2)
    model = network(8, classes=2, kind=torch.float64).eval()
    probe = labelled_images(pixels, labels)
    chosen = images_by_class(probe, 0, 0)
    masks = np.random.default_rng(0).random((5, len(half_plane.frequency_pairs(8)))) < 0.5
    loss = mean_losses(model, probe, chosen, masks, 7)
    for number in range(2):
        for place, plane in enumerate(fourier.full_plane(half_plane.on_half_plane(masks, dc=True))):
            x = pixels[labels == number].transpose(0, 3, 1, 2) / 255
            filtered = np.fft.ifft2(np.fft.fft2(x) * plane).real
            target = torch.full((len(x),), number)
            with torch.no_grad():
                expected = torch.nn.functional.cross_entropy(model(torch.from_numpy(filtered)), target)
            assert loss[number, place] == pytest.approx(float(expected), rel=1e-9)
    options = Shortcuts(candidates=30, survivors=4, patch_sizes=[2])
    best = patch_search(model, probe, chosen, options)
    drawn = candidates(np.random.default_rng([0, 0]), np.ones((2, 1, masks.shape[1]), bool), 8, 2, 0.8, 30)
    losses = mean_losses(model, probe, chosen, drawn, 64)
    assert (best[:, 0] == drawn[losses.argmin(axis=1)]).all()


def test_a_search_lowers_the_share_of_frequencies_stage_by_stage():
    model, pixels, labels = planted(4, 16)
    found = sp.frequency_shortcuts(model, pixels, labels, search="patches", candidates=30, patch_share=0.6)
    assert found["mask"].values.tolist() == ["patch-4", "patch-2", "patch-1"]
    share = found.kept_share.mean("class")
    np.testing.assert_allclose(share, [0.6, 0.36, 0.2], atol=0.12)
    assert patch_sizes(9, Shortcuts()) == [2, 1] and patch_sizes(4, Shortcuts()) == [1]
    with pytest.raises(InputError, match=r"patch_sizes: found \[2, 4\]"):
        sp.frequency_shortcuts(model, pixels, labels, search="patches", patch_sizes=[2, 4])


def test_degenerate_probes_have_defined_values():
    model, pixels, labels = planted()
    pixels[:2] = 90
    alone = sp.frequency_shortcuts(model, pixels[:10], labels[:10])
    assert alone.n_constant == 2 and alone.class_n_other == 0
    assert (alone.fpr == 0).all() and (alone.fpr_upper == 1).all() and np.isnan(alone.fpr_se).all()
    np.testing.assert_allclose(alone.tpr, 0.8)
    one = sp.frequency_shortcuts(model, pixels[9:20], labels[9:20])
    assert np.isnan(one.tpr_se.sel({"class": "0"})).all() and (one.tpr_lower.sel({"class": "0"}) > 0).all()
    dead = network(8)
    dead[3].weight.data.zero_()
    found = sp.frequency_shortcuts(dead, *images(20, 8))
    assert found.n_unranked == 4 and (found.tpr == found.fpr).all() and found.tpr.sum() == 4
    broken = network(8)
    broken[3].bias.data[0] = torch.nan
    with pytest.raises(InputError, match="logits: are not finite"):
        sp.frequency_shortcuts(broken, *images(6, 8))
