"""The built-in images hold what their labels say, and nothing that would give the labels away elsewhere."""

import hashlib

import numpy as np
import pytest
from pydantic import ValidationError

from spectral_priority.config.generators import ShapesTextures
from spectral_priority.data import shapes_textures
from spectral_priority.data.ring_noise import ring_masks, ring_noise
from spectral_priority.data.shapes_textures import ShapesTexturesSource
from spectral_priority.data.spectra import radial_shares
from spectral_priority.errors import InputError


def made(size=32, channels=1, **options):
    """Make a data set; return its pixels and its placement."""
    options = {"train": 240, "held_out": 48, **options}
    source = ShapesTexturesSource(ShapesTextures(kind="shapes-textures", **options), size, channels)
    batches = list(source.batches())
    placement = source.place([key for batch in batches for key in batch.key])
    return np.concatenate([batch.pixels for batch in batches]), placement


ALL_OFF = {
    "position": "centre", "rotation": 0, "radius": (0.3, 0.3), "polarity": "bright", "background": (0.5, 0.5),
    "step": (0.2, 0.2), "contrast": (0.5, 0.5), "phase": 0, "jitter": 0, "tint": 0, "noise": 0,
}  # fmt: skip
"""Every nuisance switched off."""
ON = {
    "position": "random", "rotation": 90, "radius": (0.2, 0.4), "polarity": "both", "background": (0.4, 0.6),
    "step": (0.1, 0.2), "contrast": (0.2, 1), "phase": 360, "jitter": 8, "tint": 0.2, "noise": 0.05,
}  # fmt: skip
"""Each of them switched on."""


@pytest.mark.parametrize("size, channels, options, sha256", [
    (32, 1, {}, "cdad4fe72d133a2e878df439e9d70145a1b9fe2b88b3936cbdeb0ccd7201800f"),
    (32, 3, {}, "65be9d198ee8a7865b277118a7231de54a075e89c53299726f433bfd28d8903d"),
    (48, 3, {"orientations": 1, "seed": 3}, "b4405e5cf7d97dcec81344bb0c69493991c0e6dafcbc275704d7fa10f02bae47"),
])  # fmt: skip
def test_the_images_of_the_first_version_stay_as_they_were(size, channels, options, sha256):
    pixels, _ = made(size, channels, train=60, held_out=12, **options)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == sha256


@pytest.mark.parametrize("texture", ["grating", "noise"])
def test_an_image_does_not_depend_on_the_number_made_at_a_time(monkeypatch, texture):
    whole, _ = made(channels=3, texture=texture)
    monkeypatch.setattr(shapes_textures, "CHUNK_BYTES", 7 * 8 * 32 * 32 * 3)
    assert (made(channels=3, texture=texture)[0] == whole).all()


def distinct(pixels, label):
    """How many different images each class has, at most."""
    return max(len(np.unique(pixels[label == number], axis=0)) for number in np.unique(label))


def test_without_nuisances_all_images_of_a_combination_are_one():
    pixels, placement = made(channels=3, **ALL_OFF)
    assert distinct(pixels, placement.labels["both"]) == 1
    assert len(np.unique(pixels, axis=0)) == 48


@pytest.mark.parametrize("nuisance", ON)
def test_each_nuisance_can_be_switched_on_alone(nuisance):
    options = {**ALL_OFF, nuisance: ON[nuisance]}
    options = {**options, "contrast": (0, 0)} if nuisance == "rotation" else options
    pixels, placement = made(channels=3, shapes=("square", "cross"), **options)
    assert distinct(pixels, placement.labels["both"]) >= 2


def test_with_one_orientation_the_direction_is_a_nuisance_that_can_be_switched_off():
    for direction, most in ((0, 1), (90, 1000)):
        pixels, placement = made(**ALL_OFF, orientations=1, direction=direction)
        assert (distinct(pixels, placement.labels["both"]) == 1) == (most == 1)


def test_a_nuisance_that_is_switched_off_leaves_the_others_as_they_were():
    usual, _ = made(channels=3)
    for polarity in ("bright", "dark"):
        pixels, _ = made(channels=3, polarity=polarity)
        same = (pixels == usual).all(axis=(1, 2, 3))
        assert 0.4 < same.mean() < 0.6
    wave, _ = made(noise=0, contrast=(0, 0))
    still, _ = made(noise=0, contrast=(0, 0), phase=0, jitter=0)
    assert (wave == still).all()


def test_shapes_are_as_bright_and_where_they_are_asked_to_be():
    for polarity, sign in (("bright", 1), ("dark", -1)):
        pixels, _ = made(noise=0, contrast=(0, 0), polarity=polarity, position="centre", rotation=0)
        image = pixels[..., 0].astype(float)
        shift = image - image[:, :1, :1]
        assert (sign * shift >= 0).all() and (sign * shift.sum(axis=(1, 2)) > 0).all()
        weight = np.abs(shift) / np.abs(shift).sum(axis=(1, 2), keepdims=True)
        assert np.abs((weight.sum(axis=1) * (np.arange(32) - 15.5)).sum(axis=1)).max() < 0.2  # left and right
    upright, _ = made(noise=0, contrast=(0, 0), position="centre", rotation=0)
    assert (np.abs(upright.astype(int) - upright[:, :, ::-1]) <= 1).all(), (
        "an upright shape is its mirror image"
    )
    turned, _ = made(noise=0, contrast=(0, 0), position="centre")
    assert not (np.abs(turned.astype(int) - turned[:, :, ::-1]) <= 1).all()


def test_an_image_does_not_depend_on_the_number_of_images():
    few, _ = made(train=100, held_out=10)
    many, _ = made(train=150, held_out=20)
    assert (few[:100] == many[:100]).all() and (few[100:] == many[150:160]).all()


def test_seeds_and_splits_differ():
    pixels, _ = made()
    assert not (pixels[:48] == pixels[240:]).all(axis=(1, 2, 3)).any()
    assert not (pixels == made(seed=1)[0]).all(axis=(1, 2, 3)).any()


def test_every_combination_is_equally_often_up_to_one():
    _, placement = made(train=250)
    for column, names in placement.classes.items():
        label = placement.labels[column]
        for split in (0, 1):
            assert np.ptp(np.bincount(label[placement.split == split], minlength=len(names))) <= (
                1 if column == "both" else 250
            )
    counts = np.bincount(placement.labels["both"][placement.split == 0])
    assert len(counts) == 48 and np.ptp(counts) == 1


def test_labels_agree_with_each_other():
    _, placement = made()
    named = {
        column: np.array(placement.classes[column])[placement.labels[column]] for column in placement.classes
    }
    for shape, ring, orientation, texture, both in zip(
        *(named[column] for column in ("shape", "ring", "orientation", "texture", "both")), strict=True
    ):
        assert texture == f"{ring}-{orientation}" and both == f"{shape}-{texture}"
    assert placement.classes["ring"] == ["ring-4", "ring-8", "ring-12"]
    assert placement.classes["orientation"] == ["angle-0", "angle-45", "angle-90", "angle-135"]
    assert placement.source[0] == "train/000000" and placement.source[-1] == "held_out/000047"


def test_hierarchies_lead_from_one_root_to_every_class():
    _, placement = made()
    for column, root in (("texture", "textures"), ("both", "images")):
        parent = {child: above for above, child in placement.hierarchy[column]}
        for name in placement.classes[column]:
            assert parent[parent[name]] == root
    assert {child: above for above, child in placement.hierarchy["texture"]}["ring-4-angle-45"] == "ring-4"
    assert {child: above for above, child in placement.hierarchy["both"]}["disc-ring-4-angle-45"] == "disc"


def test_a_single_direction_is_a_nuisance_and_no_label():
    pixels, placement = made(orientations=1, noise=0, rings=(8,))
    assert "orientation" not in placement.labels
    assert placement.classes["texture"] == placement.classes["ring"] == ["ring-8"]
    power = np.abs(np.fft.fft2(pixels[..., 0] / 255.0)) ** 2
    u = np.fft.fftfreq(32, 1 / 32)
    on_ring = np.abs(np.hypot(u[:, None], u) - 8) < 1
    strongest = np.where(on_ring, power, 0).reshape(len(power), -1).argmax(axis=1)
    angle = np.rad2deg(np.arctan2(u[strongest // 32], u[strongest % 32])) % 180
    assert (np.histogram(angle, bins=6, range=(0, 180))[0] > 20).all()


@pytest.mark.parametrize("orientations", [1, 2, 4])
def test_the_grating_lies_in_its_ring(orientations):
    pixels, placement = made(orientations=orientations, noise=0)
    flat, _ = made(orientations=orientations, noise=0, contrast=(0, 0))
    gain = radial_shares(pixels) - radial_shares(flat)
    for number, ring in enumerate((4, 8, 12)):
        mean = gain[placement.labels["ring"] == number].mean(axis=0)
        assert abs(mean.argmax() + 1 - ring) <= 1
        assert mean[ring - 3 : ring + 2].sum() > 0.75 * mean.sum()


def test_the_grating_lies_in_its_direction():
    pixels, placement = made(noise=0, rings=(8,))
    power = np.abs(np.fft.fft2(pixels[..., 0] / 255.0)) ** 2
    u = np.fft.fftfreq(32, 1 / 32)
    on_ring = np.abs(np.hypot(u[:, None], u) - 8) < 1.5
    strongest = np.where(on_ring, power, 0).reshape(len(power), -1).argmax(axis=1)
    angle = np.rad2deg(np.arctan2(u[strongest // 32], u[strongest % 32]))
    expected = 45.0 * placement.labels["orientation"]
    off = np.abs((angle - expected + 90) % 180 - 90)
    assert np.mean(off < 22.5) > 0.97 and np.median(off) < 9


def test_texture_leaves_no_trace_in_the_brightness():
    textured, _ = made(train=480, noise=0, contrast=(1, 1))
    plain, _ = made(train=480, noise=0, contrast=(0, 0))
    difference = textured.mean(axis=(1, 2, 3)) - plain.mean(axis=(1, 2, 3))
    assert np.abs(difference).max() < 0.3  # of 255: rounding
    assert np.abs(textured.astype(int) - plain).max() > 60


def test_shapes_have_their_areas():
    pixels, placement = made(size=64, noise=0, contrast=(0, 0), radius=(0.3, 0.3))
    image = pixels[..., 0].astype(float)
    background = image[:, :1, :1]  # no shape reaches the corner
    shift = image - background
    level = np.take_along_axis(
        shift.reshape(len(shift), -1), np.abs(shift).reshape(len(shift), -1).argmax(1)[:, None], 1
    )
    area = shift.sum(axis=(1, 2)) / level[:, 0] / (0.3 * 64) ** 2
    circle = {"disc": np.pi, "square": 2, "triangle": 3 * np.sqrt(3) / 4, "cross": 2.0}
    for number, name in enumerate(placement.classes["shape"]):
        mine = area[placement.labels["shape"] == number]
        assert mine == pytest.approx(circle[name], rel=0.06), name


def test_shapes_lie_whole_inside_the_image():
    pixels, _ = made(noise=0, contrast=(0, 0))
    border = np.concatenate([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)[..., 0]
    share = (np.abs(border.astype(int) - np.median(border, axis=1, keepdims=True)) > 3).mean(axis=1)
    assert share.max() < 0.2


def test_the_noise_has_the_spread_asked_for():
    quiet, _ = made(noise=0, contrast=(0, 0))
    noisy, _ = made(noise=0.05, contrast=(0, 0))
    assert (noisy.astype(float) - quiet).std() / 255 == pytest.approx(0.05, rel=0.03)


def test_colour_is_a_slight_tint():
    pixels, _ = made(channels=3, noise=0)
    channel = pixels.reshape(len(pixels), -1, 3).mean(axis=1)
    ratio = channel.max(axis=1) / channel.min(axis=1)
    assert np.median(ratio) > 1.0 and ratio.max() < 1.13


def test_what_the_size_can_not_show_is_refused():
    with pytest.raises(InputError, match=r"source.rings: 20 cycles/image. Allowed: at most 16 at 32 pixels"):
        made(rings=(4, 20))
    with pytest.raises(InputError, match=r"source.radius: found 0.6. Allowed: at most 0.5"):
        made(radius=(0.2, 0.6))
    with pytest.raises(InputError, match=r"source.rings: lists a value twice"):
        made(rings=(4, 4))


@pytest.mark.parametrize("orientations", [1, 4])
@pytest.mark.parametrize("size, rings, width", [(32, (4, 8, 12), 1.0), (48, (5, 10.5, 18), 2.0)])
def test_noise_lies_in_its_ring(orientations, size, rings, width):
    options = {"size": size, "rings": rings, "orientations": orientations, "noise": 0}
    pixels, placement = made(**options, texture="noise", bandwidth=width, contrast=(0.3, 0.5))
    flat, _ = made(**options, texture="noise", bandwidth=width, contrast=(0, 0))
    gain = radial_shares(pixels) - radial_shares(flat)
    for number, ring in enumerate(rings):
        mean = gain[placement.labels["ring"] == number].mean(axis=0)
        radius = np.arange(len(mean)) + 1
        assert abs(radius[mean.argmax()] - ring) <= 1
        near = np.abs(radius - ring) <= width / 2 + 2  # the shape's outline spreads it
        assert mean[near].sum() > 0.75 * mean.sum()


def test_noise_lies_in_its_direction():
    pixels, placement = made(noise=0, rings=(8,), texture="noise", contrast=(0.3, 0.5))
    power = np.abs(np.fft.fft2(pixels[..., 0] / 255.0)) ** 2
    u = np.fft.fftfreq(32, 1 / 32)
    angle = np.rad2deg(np.arctan2(u[:, None], u))
    on_ring = np.abs(np.hypot(u[:, None], u) - 8) < 1.5
    shares = []
    for direction in (0, 45, 90, 135):
        near = on_ring & (np.abs((angle - direction + 90) % 180 - 90) < 22.5)
        shares.append(power[:, near].sum(axis=1) / power[:, on_ring].sum(axis=1))
    assert np.mean(np.argmax(shares, axis=0) == placement.labels["orientation"]) > 0.97


def test_ring_noise_has_one_amplitude_in_its_ring_and_none_elsewhere():
    for size in (16, 17):
        masks = ring_masks(size, (3, 5), 2, 1.5).reshape(4, size, -1)
        fields = ring_noise(np.random.default_rng(0).standard_normal((4, size, size)), masks)
        u = np.fft.fftfreq(size, 1 / size)
        distance, angle = np.hypot(u[:, None], u), np.rad2deg(np.arctan2(u[:, None], u))
        for number, (ring, direction) in enumerate(((3, 0), (3, 90), (5, 0), (5, 90))):
            off = np.abs((angle - direction + 90) % 180 - 90)
            mine = (np.abs(distance - ring) <= 0.75) & (off <= 22.5)
            amplitude = np.abs(np.fft.fft2(fields[number]))
            assert amplitude[mine].min() == pytest.approx(amplitude[mine].max(), rel=1e-9)
            assert amplitude[~mine].max() < 1e-9 * amplitude.max()
            assert (fields[number] ** 2).mean() == pytest.approx(0.5, rel=1e-9)


def test_noise_has_as_much_energy_as_a_grating_and_phases_of_its_own():
    options = {**ALL_OFF, "contrast": (0.3, 0.3), "orientations": 1, "train": 480, "phase": 360}
    spread = {}
    for texture in ("grating", "noise"):
        pixels, placement = made(**options, texture=texture)
        flat, _ = made(**{**options, "contrast": (0, 0)}, texture=texture)
        spread[texture] = (pixels.astype(float) - flat).var(axis=(1, 2, 3)).mean()
    assert spread["noise"] == pytest.approx(spread["grating"], rel=0.05)
    assert distinct(pixels, placement.labels["both"]) > 10


def test_noise_leaves_no_trace_in_the_brightness():
    textured, _ = made(noise=0, contrast=(0.4, 0.4), texture="noise")
    plain, _ = made(noise=0, contrast=(0, 0), texture="noise")
    assert np.abs(textured.mean(axis=(1, 2, 3)) - plain.mean(axis=(1, 2, 3))).max() < 0.3


def test_noise_that_can_not_be_is_refused():
    with pytest.raises(InputError, match=r"source.bandwidth: noise of the ring 15 reaches 17 cycles/image"):
        made(texture="noise", rings=(4, 15), bandwidth=4)
    with pytest.raises(
        InputError, match=r"at 0.1 cycles/image the ring 2.4 has no frequency in direction 0°"
    ):
        made(texture="noise", rings=(2.4,), bandwidth=0.1)
    wrong = {"rotation": 361, "phase": -1, "jitter": 46, "direction": 181, "tint": 1.1, "position": "left",
             "polarity": "dim", "background": (0.6, 0.4), "bandwidth": 0}  # fmt: skip
    for option, value in wrong.items():
        with pytest.raises(ValidationError, match=option):
            ShapesTextures(kind="shapes-textures", **{option: value})
