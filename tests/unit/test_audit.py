"""The audit finds what was planted, says so, and finds nothing in clean images."""

import io
import json
import re

import numpy as np
import pytest
from made_packs import made_pack, photographs
from PIL import Image
from scipy.ndimage import gaussian_filter

from spectral_priority.audit.files import file_facts
from spectral_priority.audit.finding import SEVERITIES
from spectral_priority.audit.page import build_page
from spectral_priority.audit.rings import band_accuracies
from spectral_priority.audit.sample import DIRECTIONS, choose_sample, see
from spectral_priority.audit.whole import audit
from spectral_priority.config.audit import Audit
from spectral_priority.config.datasets import Dataset
from spectral_priority.data.find_duplicates import find_duplicates
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.data.together import components
from spectral_priority.fourier import bands, radial_sum, rings

CLASSES, EACH, SIZE = 4, 90, 48
LABEL = np.repeat(np.arange(CLASSES), EACH)
SPLIT = np.tile(np.arange(EACH) >= 60, CLASSES).astype(int)


def clean(channels=1, seed=0):
    """Four classes of images that nothing tells apart."""
    return photographs(CLASSES * EACH, SIZE, channels, seed)


def audited(folder, pixels, label=LABEL, split=SPLIT, **more):
    images = made_pack(folder, pixels, label, split, **more)
    return audit(images, find_duplicates(images), Audit(images=2000)), images


def checks(found):
    return {(one.severity, one.check) for one in found.findings}


def the_one(found, check):
    (finding,) = [one for one in found.findings if one.check == check]
    return finding


def changed(pixels, number, change):
    """The images, those of one class changed."""
    mine = number == LABEL
    pixels = pixels.copy()
    pixels[mine] = np.stack([change(image) for image in pixels[mine]])
    return pixels


def through_jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)


def noisy(image):
    random = np.random.default_rng(int(image.sum()))
    return np.clip(image + random.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def enlarged(image):
    side = image.shape[0]
    small = Image.fromarray(image[..., 0]).resize((side * 5 // 8,) * 2, Image.Resampling.BOX)
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))[..., None]


def blurred(image):
    return gaussian_filter(image.astype(float), (1.6, 1.6, 0)).round().astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_is_found_in_clean_images(tmp_path, channels):
    found, images = audited(tmp_path, clean(channels))
    assert found.findings == []
    assert "nothing found" in build_page(found, images, find_duplicates(images))


def test_nothing_is_found_in_the_built_in_images(tmp_path):
    for kind in ("shapes-textures", "band-biased"):
        options = Dataset.model_validate(
            {"source": {"kind": kind, "train": 1200, "held_out": 400}, "size": 32}
        )
        pack(open_source(options, tmp_path, 1), kind, options, tmp_path / kind / "images.h5", {})
        images = PackedImages(tmp_path / kind / "images.h5")
        found = audit(images, find_duplicates(images), Audit())
        assert found.findings == []
        planted = {column for column, label in found.labels.items() if label.planted}
        assert planted == ({"band"} if kind == "band-biased" else {"ring", "orientation", "texture", "both"})


def test_an_encoder_quality_that_differs_by_class_is_found(tmp_path):
    quality = np.where(LABEL == 2, 60, 90)
    found, _ = audited(tmp_path, clean(), quality=quality.tolist())
    finding = the_one(found, "files")
    assert finding.severity == "serious" and finding.classes[0] == "class-2"
    assert (
        "JPEG quality" in finding.text
        and "class-2 60" in finding.text
        and "encode all images again" in finding.todo
    )
    mixed = np.random.default_rng(0).permutation(quality)
    assert audited(tmp_path, clean(), quality=mixed.tolist())[0].findings == []


@pytest.mark.parametrize(
    ("fact", "usual", "odd", "called"),
    [
        ("mode", "RGB", "L", "colour mode"),
        ("height", 48, 500, "shorter side"),
        ("chroma", "4:4:4", "4:2:0", "chroma subsampling"),
        ("format", "PNG", "JPEG", "file format"),
    ],
)
def test_other_facts_of_files_that_differ_by_class_are_found(tmp_path, fact, usual, odd, called):
    values = np.where(LABEL == 1, odd, usual).tolist()
    more = {fact: values, **({"width": values} if fact == "height" else {})}
    found, _ = audited(tmp_path, clean(), **more)
    finding = the_one(found, "files")
    assert finding.severity == "serious" and called in finding.text and finding.classes[0] == "class-1"
    some = np.where((LABEL == 1) & (np.arange(len(LABEL)) % 2 == 0), odd, usual).tolist()
    more = {fact: some, **({"width": some} if fact == "height" else {})}
    assert the_one(audited(tmp_path, clean(), **more)[0], "files").severity == "warning"


def test_noise_in_one_class_gives_it_away_in_the_high_band(tmp_path):
    found, _ = audited(tmp_path, changed(clean(), 3, noisy))
    finding = the_one(found, "rings")
    assert finding.classes[0] == "class-3" and "chance 25 %" in finding.text
    assert found.labels["class"].bands[2].recall[3] > 0.9


def test_a_label_that_the_encoder_tells_is_told_from_one_that_it_does_not(tmp_path):
    """One encoder quality for all removes what JPEG of several qualities did to white noise; not other noise."""
    pixels = clean(seed=4)
    for number, spread in enumerate((2, 5, 10, 20)):
        random = np.random.default_rng(number)
        pixels = changed(
            pixels,
            number,
            lambda image, s=spread, r=random: np.clip(image + r.normal(0, s, image.shape), 0, 255),
        )
    finding = the_one_of(audited(tmp_path, pixels.astype(np.uint8))[0], "rings")
    assert finding.severity == "serious" and "does not remove it" in finding.todo


def the_one_of(found, check):
    return next(one for one in found.findings if one.check == check)


def test_labels_by_chance_are_told_by_chance(tmp_path):
    found, _ = audited(tmp_path, clean(seed=1))
    for plain in found.labels["class"].bands:
        assert abs(plain.accuracy - plain.chance) < 4 * plain.standard_error
        assert plain.chance == 0.25 and plain.n == CLASSES * 30


def test_classes_whose_power_lies_elsewhere_are_named(tmp_path):
    random = np.random.default_rng(0)
    steep, flat = photographs(EACH, SIZE, seed=5, slope=2.5), random.integers(60, 190, (EACH, SIZE, SIZE, 1))
    pixels = clean()
    pixels[LABEL == 0], pixels[LABEL == 3] = steep, flat
    finding = next(
        one
        for one in audited(tmp_path, pixels)[0].findings
        if "differs between classes by a factor" in one.text
    )
    assert finding.severity == "serious" and finding.classes == ("class-0", "class-3") and finding.value > 20


def test_enlarged_images_are_found_by_their_period(tmp_path):
    found, _ = audited(tmp_path, changed(clean(), 1, enlarged))
    finding = the_one_of(found, "traces")
    assert finding.severity == "serious" and finding.classes == ("class-1",)
    period = float(re.search(r"period ([0-9.]+) pixels", finding.text)[1])
    assert period == pytest.approx(8 / 3, rel=0.05), "of an enlargement by 8/5: 3 cycles in 8 pixels"
    assert all(row["resampling"] < 0.05 for i, row in enumerate(found.labels["class"].classes) if i != 1)


def test_repeated_pixels_are_found_by_their_period(tmp_path):
    found, _ = audited(tmp_path, changed(clean(), 3, lambda image: image[::2, ::2].repeat(2, 0).repeat(2, 1)))
    finding = the_one_of(found, "traces")
    assert (
        finding.severity == "serious"
        and finding.classes == ("class-3",)
        and "period 2 pixels" in finding.text
    )


def test_images_reduced_without_a_filter_have_raised_rings(tmp_path):
    large = photographs(EACH, 4 * SIZE, seed=11)
    pixels = np.stack(
        [
            np.asarray(Image.fromarray(image[..., 0]).resize((SIZE, SIZE), 1))
            for image in photographs(CLASSES * EACH, 2 * SIZE, seed=12)
        ]
    )[..., None]
    pixels[LABEL == 1] = large[:, ::4, ::4]
    finding = next(one for one in audited(tmp_path, pixels)[0].findings if "aliasing" in one.todo)
    assert finding.severity == "warning" and finding.classes == ("class-1",)


def test_everything_enlarged_is_a_warning(tmp_path):
    pixels = np.stack([enlarged(image) for image in clean()])
    assert ("warning", "traces") in checks(audited(tmp_path, pixels)[0])


def test_blocks_of_jpeg_are_no_resampling(tmp_path):
    found, _ = audited(tmp_path, changed(clean(), 2, lambda image: through_jpeg(image, 15)))
    finding = the_one_of(found, "traces")
    assert finding.severity == "note" and "blocks of JPEG show in class-2" in finding.text


def test_blurred_images_have_empty_rings(tmp_path):
    found, _ = audited(tmp_path, changed(clean(), 0, blurred))
    finding = next(one for one in found.findings if "highest rings" in one.text)
    assert finding.severity == "warning" and finding.classes == ("class-0",)


def test_colour_that_the_encoder_dropped_is_noted(tmp_path):
    pixels = np.stack([through_jpeg(image, 95) for image in clean(channels=3)])
    finding = the_one(audited(tmp_path, pixels)[0], "spectra")
    assert finding.severity == "note" and finding.text.startswith("colour has")


def test_duplicates_are_judged_by_labels_and_splits(tmp_path):
    pixels = clean()
    pixels[1] = pixels[0]  # within class-0, both trained on
    pixels[EACH] = pixels[2]  # class-1 and class-0, both trained on
    pixels[2 * EACH + 70] = through_jpeg(pixels[2 * EACH], 60)  # class-2, nearly the same, across
    found, images = audited(tmp_path, pixels)
    said = [(one.severity, one.text) for one in found.findings if one.check == "duplicates"]
    conflict = next(one for one in found.findings if "different labels" in one.text)
    assert (
        conflict.severity == "serious"
        and set(conflict.classes) == {"class-0", "class-1"}
        and conflict.value == 1
    )
    assert (
        "warning",
        "1 of 120 held-out images show the same as a training image (0 identical pairs across the splits)",
    ) in said
    assert ("note", "2 training images are identical to an earlier one") in said
    page = build_page(found, images, find_duplicates(images))
    assert "Images that show the same" in page and "class-0 and class-1" in page


def test_nearly_identical_images_with_other_labels_are_a_warning(tmp_path):
    pixels = clean()
    pixels[EACH] = through_jpeg(pixels[0], 70)
    finding = next(one for one in audited(tmp_path, pixels)[0].findings if "different labels" in one.text)
    assert finding.severity == "warning" and "1 pairs of nearly identical images" in finding.text
    assert set(finding.classes) == {"class-0", "class-1"}


def test_a_random_split_would_leak_where_most_images_have_a_near_duplicate(tmp_path):
    pixels = clean()
    mine = np.flatnonzero(LABEL == 3)
    pixels[mine[1:60:2]] = np.stack([through_jpeg(image, 70) for image in pixels[mine[0:60:2]]])
    finding = next(one for one in audited(tmp_path, pixels)[0].findings if "random split" in one.text)
    expected = (
        60 / 90 * 0.8
    )  # 60 of 90 images have one near-duplicate, which is trained on in 80 % of the splits
    assert finding.classes == ("class-3",) and finding.value == pytest.approx(expected, abs=1e-9)


def test_near_empty_images_are_counted_by_class(tmp_path):
    pixels = clean()
    pixels[np.flatnonzero(LABEL == 2)[:7]] = 17
    finding = the_one_of(audited(tmp_path, pixels)[0], "near-empty")
    assert finding.severity == "warning" and finding.classes == ("class-2",) and "class-2 7" in finding.text


def test_a_patient_in_both_splits_is_serious(tmp_path):
    groups = [f"patient-{i // 3}" for i in range(len(LABEL))]
    found, _ = audited(tmp_path, clean(), group=groups)
    assert found.findings == [], "patients of three neighbouring images lie in one split"
    groups[0] = groups[EACH - 1]  # a training image of a held-out patient
    finding = the_one(audited(tmp_path, clean(), group=groups)[0], "groups")
    assert finding.severity == "serious" and finding.text.startswith(
        "1 groups (such as patients) have images in both"
    )


def test_classes_that_a_split_lacks_and_unequal_ones_are_named(tmp_path):
    kept = (LABEL != 3) | ((SPLIT == 0) & (np.arange(len(LABEL)) % EACH < 5))
    found, _ = audited(tmp_path, clean()[kept], LABEL[kept], SPLIT[kept])
    texts = [(one.severity, one.text) for one in found.findings if one.check == "counts"]
    assert ("warning", "1 classes have no held-out images: class-3") in texts
    assert any(level == "note" and "12 times" in text for level, text in texts)


def test_findings_come_worst_first_and_are_plain_values(tmp_path):
    pixels = changed(changed(clean(), 1, enlarged), 3, noisy)
    pixels[0] = pixels[1]
    found, images = audited(tmp_path, pixels)
    levels = [SEVERITIES.index(one.severity) for one in found.findings]
    assert levels == sorted(levels) and len(set(levels)) > 1
    answers = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert answers["images"] == len(LABEL) and len(answers["labels"]["class"]["classes"]) == CLASSES
    page = build_page(found, images, find_duplicates(images))
    for one in found.findings:
        assert one.severity in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page), "the page needs the network"


def test_what_is_learned_from_never_shows_the_same_as_what_is_tested_on(tmp_path):
    pixels = clean()
    pixels[60:70] = pixels[:10]  # held-out images of class-0 that are training images
    images = made_pack(tmp_path, pixels, LABEL, SPLIT)
    found = find_duplicates(images)
    belonging = components(len(images), np.stack([found.first, found.second], axis=1))
    sample = choose_sample(images, belonging, 10_000, 0)
    assert not np.isin(belonging[sample.test], belonging[sample.train]).any()
    assert len(sample.train) == CLASSES * 60 and len(sample.test) == CLASSES * 30 - 10
    alone = made_pack(tmp_path / "alone", pixels, LABEL, np.zeros(len(LABEL), dtype=int))
    found = find_duplicates(alone)
    belonging = components(len(alone), np.stack([found.first, found.second], axis=1))
    sample = choose_sample(alone, belonging, 10_000, 0)
    assert not np.isin(belonging[sample.test], belonging[sample.train]).any()
    assert 40 < len(sample.test) < 110 and len(sample.test) + len(sample.train) == len(LABEL)
    assert len(choose_sample(alone, belonging, 100, 0).train) == 100


@pytest.mark.parametrize("size", [32, 33, 48])
def test_power_by_ring_and_direction_is_that_of_every_frequency(tmp_path, size):
    pixels = photographs(5, size, channels=3, seed=7)
    seen = see(made_pack(tmp_path, pixels), np.arange(5))
    luma = pixels.astype(np.float64) @ [0.299, 0.587, 0.114] / 255
    power = np.abs(np.fft.fft2(luma, norm="ortho")) ** 2
    expected = np.zeros((5, len(rings(size)), DIRECTIONS))
    for row, v in enumerate(np.fft.fftfreq(size, 1 / size)):
        for column, u in enumerate(np.fft.fftfreq(size, 1 / size)):
            ring = round(np.hypot(u, v))
            if not 1 <= ring <= size // 2 or (u < 0 or (u == 0 and v < 0)):
                continue
            own = 1 if (2 * abs(u) in (0, size) and 2 * abs(v) in (0, size)) else 2
            if 2 * abs(u) == size or (u == 0 and 2 * abs(v) == size):
                own = 1
            sector = int(np.floor(np.mod(np.arctan2(v, u) / np.pi + 0.5 / DIRECTIONS, 1) * DIRECTIONS))
            expected[:, ring - 1, sector] += own * power[:, row, column]
    np.testing.assert_allclose(seen.power.sum(axis=2), radial_sum(power[..., : size // 2 + 1]), rtol=1e-4)
    if size % 2:  # at the Nyquist frequency of even sizes a direction has its mirror image
        np.testing.assert_allclose(seen.power, expected, rtol=1e-3, atol=1e-7)
    bends = np.abs(luma[:, 2:] - 2 * luma[:, 1:-1] + luma[:, :-2]).mean(axis=2)
    np.testing.assert_allclose(seen.bends[:, 1, 0], bends / bends.mean(axis=1, keepdims=True), rtol=1e-3)
    steps = np.abs(luma[:, :, 1:-1] - luma[:, :, :-2]).mean(axis=1)
    np.testing.assert_allclose(seen.bends[:, 0, 1], steps / steps.mean(axis=1, keepdims=True), rtol=1e-3)


def test_a_classifier_sees_its_own_band_only(tmp_path):
    pixels = clean()
    images = made_pack(tmp_path, pixels, LABEL, SPLIT)
    train, test = np.flatnonzero(images.split == 0), np.flatnonzero(images.split == 1)
    learn, held = see(images, train), see(images, test)
    label = images.labels("class")
    for band, inside in bands(SIZE).items():
        power = [one.power.copy() for one in (learn, held)]
        for one, own in zip(power, (label[train], label[test]), strict=True):
            one[:, inside] *= (1 + own)[:, None, None] ** 3.0
        planted = [
            type(one)(one.index, p, None, one.bends) for one, p in zip((learn, held), power, strict=True)
        ]
        told = {
            found.band: found.accuracy
            for found in band_accuracies(*planted, label[train], label[test], CLASSES)
        }
        assert told[band] > 0.9 and max(value for name, value in told.items() if name != band) < 0.45


def test_classes_of_few_images_take_no_part(tmp_path):
    kept = (LABEL != 3) | ((np.arange(len(LABEL)) % EACH) < 3)
    found, _ = audited(tmp_path, clean()[kept], LABEL[kept], SPLIT[kept])
    assert found.labels["class"].bands[0].chance == 1 / 3 and np.isnan(
        found.labels["class"].bands[0].recall[3]
    )
    one, _ = audited(tmp_path, clean()[LABEL == 0], LABEL[LABEL == 0], SPLIT[LABEL == 0])
    assert one.labels["class"].bands == []


def test_facts_of_files_are_read_from_the_pack(tmp_path):
    images = made_pack(tmp_path, clean(), LABEL, SPLIT, height=[100] * len(LABEL), width=[50] * len(LABEL))
    facts = file_facts(images)
    assert (facts["side"] == 50).all() and (facts["aspect"] == 0.5).all() and set(facts["mode"]) == {"RGB"}
