"""The built-in images hold what their labels say, and nothing that would give the labels away elsewhere."""

import numpy as np
import pytest

from spectral_priority.config.generators import ShapesTextures
from spectral_priority.data import shapes_textures
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


def test_an_image_does_not_depend_on_the_number_made_at_a_time(monkeypatch):
    whole, _ = made(channels=3)
    monkeypatch.setattr(shapes_textures, "CHUNK_BYTES", 7 * 8 * 32 * 32 * 3)
    assert (made(channels=3)[0] == whole).all()


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
