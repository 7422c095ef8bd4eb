"""Images become squares of one size: anti-aliased, without a shift, said in words, and alike for every image."""

import hashlib
import io
import json

import numpy as np
import pytest
from made_images import encoded, noise, write_zip
from PIL import Image
from pydantic import ValidationError

from spectral_priority.config.datasets import Dataset
from spectral_priority.data.decode import Unreadable, decode, from_pixels
from spectral_priority.data.images import PackedImages
from spectral_priority.data.pack import pack
from spectral_priority.data.resampling import FILTERS, Resampling
from spectral_priority.data.sources import open_source

SIDE, SIZE = 256, 64
NYQUIST = SIZE // 2
LEFT = {"lanczos": 0.001, "bicubic": 0.006, "bilinear": 0.01, "hamming": 0.09, "box": 0.11}
"""Largest share of a grating's power that is left from 1.5 times the new Nyquist frequency on."""
KEPT = {"lanczos": 0.99, "bicubic": 0.97, "bilinear": 0.87, "hamming": 0.93, "box": 0.93}
"""Least share that is kept at a quarter of it."""


def made(height=90, width=70):
    y, x = np.mgrid[:height, :width]
    return np.stack([(x * 3 + y) % 256, (x * x + y * 7) % 256, (x * y) % 256], -1).astype(np.uint8)


def kept_power(cycles, across, filter):
    wave = 127.5 + 100 * np.cos(2 * np.pi * cycles * np.arange(SIDE) / SIDE + 0.3)
    image = np.broadcast_to(wave if across else wave[:, None], (SIDE, SIDE)).round().astype(np.uint8)
    return np.asarray(Resampling(filter=filter).apply(Image.fromarray(image), SIZE)).var() / 5000


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("filter", FILTERS)
def test_what_is_finer_than_the_new_pixels_is_gone_and_what_is_coarse_is_kept(filter, across):
    above = [kept_power(cycles, across, filter) for cycles in range(NYQUIST * 3 // 2, SIDE // 2)]
    assert max(above) < LEFT[filter]
    assert kept_power(2 * NYQUIST, across, filter) < 0.001
    assert kept_power(NYQUIST // 4, across, filter) > KEPT[filter]
    assert kept_power(2, across, filter) > 0.99


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("options", [{}, {"share": 0.8}, {"crop": "stretch"}, {"crop": "pad"}])
@pytest.mark.parametrize("shape", [(97, 97), (100, 160), (161, 99)])
def test_what_is_in_the_middle_stays_there(options, filter, shape):
    y, x = ((np.arange(side) - (side - 1) / 2) / 12 for side in shape)
    blob = (250 * np.exp(-(y[:, None] ** 2) - x**2)).round().astype(np.uint8)
    for size in (32, 45):
        small = np.asarray(
            Resampling(filter=filter, **options).apply(Image.fromarray(blob), size), dtype=float
        )
        small -= np.median(small)
        # Half a pixel of the file at most, where sides of odd and even length meet.
        half = 0.6 * size / min(shape) if shape[0] != shape[1] else 0.02
        for axis in (0, 1):
            profile = small.sum(axis=1 - axis)
            assert (profile * np.arange(size)).sum() / profile.sum() == pytest.approx(
                (size - 1) / 2, abs=half
            )


@pytest.mark.parametrize("shape", [(512, 512), (512, 640), (640, 512)])
@pytest.mark.parametrize("filter", FILTERS)
def test_a_crop_in_one_step_is_the_usual_crop_in_two(shape, filter):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))
    width, height = (side // 8 for side in image.size)  # the shorter side becomes 64 = 56 / 0.875
    resized = np.asarray(image.resize((width, height), FILTERS[filter]))
    top, left = (height - 56) // 2, (width - 56) // 2
    one_step = np.asarray(Resampling(share=0.875, filter=filter).apply(image, 56))
    assert np.abs(one_step - resized[top : top + 56, left : left + 56].astype(int)).max() <= 1


def test_a_share_below_one_crops_images_of_the_right_size_too():
    image = Image.fromarray(noise(0, 32))
    assert Resampling().apply(image, 32) is image
    assert (np.asarray(Resampling(share=0.5).apply(image, 32)) != noise(0, 32)).any()


def test_stretching_shows_all_of_the_image_and_cropping_its_middle():
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, :20] = 255
    middle = decode(encoded(wide), 20, 3, 10_000).pixels
    assert (middle == 0).all()
    stretched = decode(encoded(wide), 20, 3, 10_000, Resampling("stretch", filter="box")).pixels
    assert (stretched[:, :6] == 255).all() and (stretched[:, 7:] == 0).all()


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (15, 64)])
def test_margins_have_the_mean_colour_of_the_image(shape):
    image = np.zeros((*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2, : shape[1] // 2] = [200, 100, 40]
    padded = np.asarray(Resampling("pad").apply(Image.fromarray(image), 32))
    padded = padded if shape[1] > shape[0] else padded.transpose(1, 0, 2)
    mean = image.reshape(-1, 3).mean(0).round()
    assert (padded[:9] == mean).all() and (padded[-9:] == mean).all()
    assert padded[13:19].std() > 20 > 1 > padded[:9, :, 0].std()
    assert padded.reshape(-1, 3).mean(0) == pytest.approx(mean, abs=2)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("shape", [(50, 80), (81, 50)])
def test_padding_in_two_passes_is_padding_the_whole_square(shape, filter):
    colours = np.random.default_rng(1).integers(60, 200, (*shape, 3), dtype=np.uint8)  # nothing is clipped
    image = Image.fromarray(colours)
    mean = tuple(np.asarray(image).reshape(-1, 3).mean(0).round().astype(int).tolist())
    square = Image.new("RGB", (max(shape), max(shape)), mean)
    square.paste(image, tuple((max(shape) - side) // 2 for side in image.size))
    slow = np.asarray(square.resize((32, 32), FILTERS[filter]), dtype=int)
    assert np.abs(np.asarray(Resampling("pad", filter=filter).apply(image, 32)) - slow).max() <= 2


def test_a_thin_image_is_not_padded_beyond_memory():
    thin = encoded(Image.new("L", (50_000, 1)))
    assert decode(thin, 16, 1, 50_000).width == 50_000
    with pytest.raises(
        Unreadable, match="50000 × 1 pixels, 800,000 while padded: more than max_pixels = 799,999"
    ):
        decode(thin, 16, 1, 799_999, Resampling("pad"))
    assert decode(thin, 16, 1, 800_000, Resampling("pad")).pixels.max() == 0


# By Pillow 13.0.0, before crops and filters were options.
USUAL = {
    (32, 3): "bb413c801c31c5ecaba4fcd514d6dad3b7f292697fe8c185459b32466cfb2535",
    (32, 1): "f6cb9345752175cd75914b0e2d6738044d1026dbaa21b55572a393ca3b921931",
    (70, 3): "2a33f5772e09fe099365365b1ac2fb53828ddbd1d87275e5168c8ace69149f51",
    (128, 3): "ccc88bdb06ec1f91df78457c85429b16ea3cc150429eb49be3ff083a48a98176",
}


@pytest.mark.parametrize("size, channels", USUAL)
def test_without_options_pixels_are_what_they_always_were(size, channels):
    found = decode(encoded(made()), size, channels, 10**6).pixels
    assert hashlib.sha256(found).hexdigest() == USUAL[size, channels]
    assert (decode(encoded(made()), size, channels, 10**6, Resampling()).pixels == found).all()


WORDS = {
    "centre": "centre crop to a square, then Pillow Lanczos; images of the right size are left as they are",
    "share": "centre crop of 0.875 of the shorter side, then Pillow bicubic, both in one step",
    "stretch": "the whole image, each side scaled by itself, by Pillow box; "
    "images of the right size are left as they are",
    "pad": "the whole image in a square filled with its mean colour, then Pillow Lanczos; "
    "images of the right size are left as they are",
}
OPTIONS = {
    "centre": {},
    "share": {"crop_share": 0.875, "filter": "bicubic"},
    "stretch": {"crop": "stretch", "filter": "box"},
    "pad": {"crop": "pad"},
}


def packed(root, **options):
    source = {"kind": "image-folder", "paths": ["a.zip"]}
    checked = Dataset.model_validate({"size": 16, **options, "source": source})
    target = root / "packed" / "images.h5"
    return pack(open_source(checked, root, 2), "made", checked, target, {}), PackedImages(target)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_image_is_treated_alike_whatever_its_class_split_and_format(tmp_path, name):
    image, files = made(40, 26), {}
    for form, suffix in (("PNG", "png"), ("BMP", "bmp"), ("TIFF", "tif"), ("PPM", "ppm")):
        for place in ("train/ant", "train/bee", "val/ant", "val/bee"):
            files[f"{place}/{form}.{suffix}"] = encoded(image, form)
    write_zip(tmp_path / "a.zip", files)
    report, images = packed(tmp_path, **OPTIONS[name])
    assert len(images) == 16 and (images.pixels == images.pixels[:1]).all()
    assert images.attributes["resampling"] == report["resampling"] == WORDS[name]
    stored = json.loads(images.attributes["options"])
    assert Resampling.of(stored).words == WORDS[name]


def test_images_that_are_enlarged_are_counted_by_what_is_taken_of_them(tmp_path):
    files = {f"{split}/ant/1.png": encoded(made(18, 30)) for split in ("train", "val")}
    write_zip(tmp_path / "a.zip", files)
    assert packed(tmp_path)[0]["enlarged_images"] == 0
    assert packed(tmp_path, crop_share=0.875)[0]["enlarged_images"] == 2  # 15.75 pixels of 18
    assert packed(tmp_path, size=20)[0]["enlarged_images"] == 2
    assert packed(tmp_path, size=20, crop="stretch")[0]["enlarged_images"] == 2
    assert packed(tmp_path, size=20, crop="pad")[0]["enlarged_images"] == 0


def test_generators_say_that_nothing_is_resampled(tmp_path):
    source = {"kind": "shapes-textures", "train": 8, "held_out": 8}
    options = Dataset.model_validate({"size": 32, "source": source})
    report = pack(open_source(options, tmp_path, 1), "made", options, tmp_path / "images.h5", {})
    assert report["resampling"] == "none: images are made at the pack's size"


def test_options_that_mean_nothing_together_are_refused():
    source = {"kind": "image-folder", "paths": ["a.zip"]}
    with pytest.raises(ValidationError, match="crop_share: crop is pad, which takes the whole image"):
        Dataset.model_validate({"source": source, "crop": "pad", "crop_share": 0.5})
    for wrong in ({"crop": "center"}, {"filter": "nearest"}, {"crop_share": 0}, {"crop_share": 1.1}):
        with pytest.raises(ValidationError):
            Dataset.model_validate({"source": source, **wrong})


@pytest.mark.parametrize("crop", ["centre", "stretch", "pad"])
@pytest.mark.parametrize("filter", ["lanczos", "box"])
def test_pixels_from_an_array_are_those_from_a_file(crop, filter):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    resampling = Resampling(crop=crop, share=0.875 if crop == "centre" else 1.0, filter=filter)
    decoded = decode(file.getvalue(), 16, 1, 10_000, resampling).pixels
    np.testing.assert_array_equal(from_pixels(pixels, 16, 1, 10_000, resampling), decoded)
