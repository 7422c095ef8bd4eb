"""In band-biased images each class stands out in its own band, as much as was asked for, and nowhere else."""

import numpy as np
import pytest
from pydantic import ValidationError

from spectral_priority.config.datasets import Dataset
from spectral_priority.config.generators import BandBiased
from spectral_priority.data import band_biased
from spectral_priority.data.band_biased import BandBiasedSource, background, equal_bands
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError

BANDS = ((1, 4), (5, 8), (9, 12), (13, 16))


def source_of(size=32, channels=1, **options):
    return BandBiasedSource(
        BandBiased(kind="band-biased", **{"train": 240, "held_out": 48, **options}), size, channels
    )


def made(size=32, channels=1, **options):
    """Make a data set; return its pixels and its placement."""
    source = source_of(size, channels, **options)
    batches = list(source.batches())
    placement = source.place([key for batch in batches for key in batch.key])
    return np.concatenate([batch.pixels for batch in batches]), placement


def mean_power(pixels, placement):
    """Mean power of every class at every frequency of the full plane, its standard error, and the rings."""
    power = np.abs(np.fft.fft2(pixels[..., 0] / 255.0)) ** 2
    label, size = placement.labels["band"], pixels.shape[1]
    u = np.fft.fftfreq(size, 1 / size)
    ring = np.floor(np.hypot(u[:, None], u) + 0.5)
    return np.stack([power[label == number].mean(axis=0) for number in range(4)]), ring


def ring_means(plane, ring):
    return np.array([plane[ring == r].mean() for r in range(1, 17)])


def test_a_class_has_the_power_asked_for_in_its_band_and_that_of_all_others_elsewhere():
    power, ring = mean_power(*made(train=4000, noise=0, gain=(2.0,)))
    for number, (first, last) in enumerate(BANDS):
        others = [other for other in range(4) if other != number]
        own = ring_means(power[number], ring)
        for other in others:
            ratio = own / ring_means(power[other], ring)
            inside = np.isin(np.arange(1, 17), np.arange(first, last + 1))
            alike = ~inside & ~np.isin(np.arange(1, 17), np.arange(BANDS[other][0], BANDS[other][1] + 1))
            # Amplitude twice as high: four times the power. 1,000 images per class, 8 frequencies in the first ring.
            assert ratio[inside] == pytest.approx(4, rel=0.12), (number, other)
            assert ratio[alike] == pytest.approx(1, rel=0.12), (number, other)


def test_energy_can_be_missing_from_one_class_and_planted_in_another():
    power, ring = mean_power(*made(train=4000, noise=0, gain=(3.0, 1.0, 1.0, 0.5)))
    ratio = ring_means(power[0], ring) / ring_means(power[1], ring)
    assert ratio[:4] == pytest.approx(9, rel=0.12) and ratio[4:] == pytest.approx(1, rel=0.12)
    ratio = ring_means(power[3], ring) / ring_means(power[1], ring)
    assert ratio[:12] == pytest.approx(1, rel=0.12) and ratio[12:] == pytest.approx(0.25, rel=0.12)
    assert ring_means(power[1], ring) == pytest.approx(ring_means(power[2], ring), rel=0.12)


def test_only_the_share_asked_for_stands_out_in_every_ring_and_a_smaller_one_is_part_of_a_larger():
    quarter, half = source_of(share=(0.25,)).gains(), source_of(share=(0.5,)).gains()
    u, v = np.fft.fftfreq(32, 1 / 32), np.fft.rfftfreq(32, 1 / 32)
    ring = np.floor(np.hypot(u[:, None], v) + 0.5)
    for number, (first, last) in enumerate(BANDS):
        outside = (ring < first) | (ring > last)
        assert (quarter[number][outside] == 1).all()
        for own in range(first, last + 1):
            count = (quarter[number][ring == own] == 2).sum()
            assert 0.1 < count / (ring == own).sum() < 0.4, own
        assert set(np.unique(quarter[number])) == {1.0, 2.0}
        assert (half[number] >= quarter[number]).all() and half[number].sum() > quarter[number].sum()
    assert (source_of(share=(0.0,)).gains() == 1).all()
    assert not (quarter == source_of(share=(0.25,), seed=1).gains()).all()


def test_gains_are_the_same_at_both_frequencies_of_a_wave():
    for gains in source_of(share=(0.25,)).gains():
        # Only then is the inverse of a shaped real field that field: column 0 must hold Hermitian partners.
        assert (gains[1:, 0] == gains[:0:-1, 0]).all() and (gains[1:, -1] == gains[:0:-1, -1]).all()


def test_one_class_can_be_more_distinctive_than_the_others():
    power, ring = mean_power(*made(train=4000, noise=0, share=(0.25, 0.25, 0.25, 1.0)))
    excess = [
        np.mean([ring_means(power[c], ring)[r - 1] / np.median(
            [ring_means(power[o], ring)[r - 1] for o in range(4) if o != c]) - 1 for r in range(first, last + 1)])
        for c, (first, last) in enumerate(BANDS)
    ]  # fmt: skip
    assert excess[3] == pytest.approx(3, rel=0.1)  # (2² − 1) · 1
    assert excess[:3] == pytest.approx([0.75] * 3, rel=0.25)  # (2² − 1) · ¼, up to whole pairs


def test_the_background_is_a_power_law_of_variance_one_without_a_mean():
    amplitude = background(32, 1.5)
    assert amplitude[0, 0] == 0
    assert amplitude[0, 2] / amplitude[0, 8] == pytest.approx(4**1.5)
    field = np.fft.irfft2(
        np.fft.rfft2(np.random.default_rng(0).normal(size=(2000, 32, 32)), norm="ortho") * amplitude,
        norm="ortho",
    )
    assert field.var() == pytest.approx(1, rel=0.05)
    pixels, _ = made(train=2000, noise=0, gain=(1.0,), contrast=(0.1, 0.1))
    assert pixels.std() / 255 == pytest.approx(0.1, rel=0.05)
    assert abs(pixels.mean(axis=(1, 2, 3)) - 127.5).max() < 0.5  # rounding


def test_phases_and_so_places_are_drawn_anew():
    pixels, placement = made(train=2000, noise=0)
    spectrum = np.fft.fft2(pixels[..., 0] / 255.0 - 0.5)[placement.labels["band"] == 0]
    spectrum = spectrum[:, 1:5, 1:5]
    coherence = np.abs((spectrum / np.abs(spectrum)).mean(axis=0))
    assert coherence.max() < 4 / np.sqrt(len(spectrum))  # of random phases: about 1/√n


def test_contrast_and_noise_tell_no_class():
    pixels, placement = made(train=2000, gain=(1.0,), contrast=(0.05, 0.15), noise=0.02)
    spread, label = pixels.std(axis=(1, 2, 3)) / 255, placement.labels["band"]
    assert spread.min() > 0.04 and spread.max() > 0.13 > 0.07 > spread.min()
    means = [spread[label == number].mean() for number in range(4)]
    assert np.ptp(means) < 4 * spread.std() / np.sqrt(len(spread) / 4)
    quiet, _ = made(noise=0, contrast=(0, 0))
    assert (quiet == 128).all() or (quiet == 127).all()
    noisy, _ = made(noise=0.05, contrast=(0, 0), channels=3)
    assert noisy.std() / 255 == pytest.approx(0.05, rel=0.03)
    grey = noisy.astype(float) - 127.5
    assert abs((grey[..., 0] * grey[..., 1]).mean()) < 0.02 * grey.var()  # each channel has noise of its own


def test_an_image_depends_neither_on_the_number_made_at_a_time_nor_on_that_of_images(monkeypatch):
    whole, _ = made(channels=3)
    longer, _ = made(channels=3, train=300, held_out=60)
    assert (whole[:240] == longer[:240]).all() and (whole[240:] == longer[300:348]).all()
    monkeypatch.setattr(band_biased, "CHUNK_BYTES", 7 * 8 * 32 * 32 * 3)
    assert (made(channels=3)[0] == whole).all()


def test_seeds_and_splits_differ_and_conditions_share_their_fields():
    pixels, _ = made()
    assert not (pixels[:48] == pixels[240:]).all(axis=(1, 2, 3)).any()
    assert not (pixels == made(seed=1)[0]).all(axis=(1, 2, 3)).any()
    # Data sets that differ in their gains only are pairs: the classes that they agree on have the very same images.
    other, placement = made(gain=(2.0, 2.0, 2.0, 3.0))
    same = (pixels == other).all(axis=(1, 2, 3))
    assert (same == (placement.labels["band"] != 3)).all()


def test_classes_take_turns_and_are_named_after_their_bands():
    _, placement = made(train=250)
    assert placement.classes == {"band": ["band-1-4", "band-5-8", "band-9-12", "band-13-16"]}
    assert np.ptp(np.bincount(placement.labels["band"][placement.split == 0])) == 1
    assert placement.source[0] == "train/000000" and placement.source[-1] == "held_out/000047"
    assert made(bands=((2, 3), (7, 9)))[1].classes == {"band": ["band-2-3", "band-7-9"]}


@pytest.mark.parametrize("size", [8, 15, 30, 33, 64])
def test_equal_bands_hold_every_ring_once(size):
    bands = equal_bands(size)
    assert [ring for first, last in bands for ring in range(first, last + 1)] == list(range(1, size // 2 + 1))
    assert np.ptp([last - first for first, last in bands]) <= 1
    assert made(size=size, train=4, held_out=4)[0].shape == (8, size, size, 1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"source.bands: 20 cycles/image. Allowed: at most 16 at 32 pixels"):
        made(bands=((1, 4), (5, 20)))
    with pytest.raises(InputError, match=r"source.gain: has 3 numbers. Allowed: one, or one per band: 4"):
        made(gain=(2.0, 2.0, 2.0))
    with pytest.raises(InputError, match=r"source.share: has 2 numbers"):
        made(share=(0.5, 0.5))
    for wrong, said in (
        ({"bands": [[1, 4], [4, 8]]}, "1–4 and 4–8 share rings"),
        ({"bands": [[4, 1], [5, 8]]}, "the first ring \\(4\\) is larger"),
        ({"contrast": [0.2, 0.1]}, "contrast: the first number"),
        ({"gain": [0.0]}, "greater than 0"),
        ({"share": [1.5]}, "less than or equal to 1"),
    ):
        with pytest.raises(ValidationError, match=said):
            BandBiased(kind="band-biased", **wrong)
    with pytest.raises(ValidationError, match="a generator have no files"):
        Dataset.model_validate({"source": {"kind": "band-biased"}, "pack": "encoded"})


def test_it_is_a_source_among_the_others(tmp_path):
    options = Dataset.model_validate({"source": {"kind": "band-biased"}, "size": 16, "color": "grey"})
    source = open_source(options, tmp_path, 1)
    assert isinstance(source, BandBiasedSource) and source.total == 8000
