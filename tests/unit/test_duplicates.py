"""Images that show the same are found, all of them and no others."""

import io

import numpy as np
import pytest
from made_packs import made_pack, photographs
from PIL import Image

from spectral_priority.data import find_duplicates as finding
from spectral_priority.data.duplicates import Duplicates, read_duplicates
from spectral_priority.data.find_duplicates import NEAR, find_duplicates
from spectral_priority.data.thumbnails import area_means, thumbnails
from spectral_priority.data.together import components
from spectral_priority.errors import InputError


def clusters(found, number):
    return components(number, np.stack([found.first, found.second], axis=1))


def reencoded(image, quality=40):
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))[..., None]


def resized(image, side):
    small = Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(small.resize(image.shape[:2], Image.Resampling.BICUBIC))[..., None]


def test_area_means_average_what_each_piece_covers():
    for size, side in ((64, 16), (30, 16), (224, 16), (17, 16)):
        fine = np.repeat(np.arange(size, dtype=float) ** 2, side)  # each pixel in `side` equal pieces
        expected = fine.reshape(side, size).mean(axis=1)
        np.testing.assert_allclose(
            area_means(size, side) @ np.arange(size, dtype=float) ** 2, expected, rtol=1e-5
        )


@pytest.mark.parametrize(
    "change",
    [
        reencoded,
        lambda image: resized(image, 48),
        lambda image: resized(image, 150),
        lambda image: np.clip(image.astype(int) + 12, 0, 255).astype(np.uint8),
        lambda image: (0.7 * image + 30).astype(np.uint8),
    ],
    ids=["other encoder", "smaller and enlarged", "larger and reduced", "brighter", "less contrast"],
)
def test_the_same_picture_is_found_whatever_was_done_to_it(tmp_path, change):
    pixels = photographs(60, size=64)
    pixels = np.clip(pixels.astype(int), 20, 235).astype(np.uint8)
    changed = np.stack([change(image) for image in pixels[:10]])
    images = made_pack(tmp_path, np.concatenate([pixels, changed]))
    found = find_duplicates(images)
    assert sorted(zip(found.first, found.second, strict=True)) == [(i, 60 + i) for i in range(10)]
    assert not found.identical.any() and (found.near[:10] == 1).all() and not found.near[10:60].any()


def test_identical_images_are_found_across_splits_and_counted(tmp_path):
    pixels = photographs(20)
    again = np.concatenate([pixels, pixels[:3], pixels[:1]])
    split = np.array([0] * 20 + [1, 1, 0, 0])
    images = made_pack(tmp_path, again, split=split)
    found = find_duplicates(images)
    names = np.array([int(name) for name in images.source])
    place = np.argsort(names)
    assert found.identical.all() and (found.distance == 0).all() and len(found.first) == 4
    assert found.twins[place].tolist() == [2, 1, 1] + [0] * 17 + [2, 1, 1, 2]
    assert found.across[place].tolist() == [True, True, False] + [False] * 17 + [True, True, False, True]


def test_every_pair_of_the_definition_is_found_and_no_other(tmp_path, monkeypatch):
    """Against all pairs in float64, on images between which distances take every value."""
    random = np.random.default_rng(3)
    base = photographs(40, size=32)
    steps = (
        random.uniform(0, 8, (40, 4, 1, 1, 1)) * random.standard_normal((40, 4, 32, 32, 1)).cumsum(axis=2) / 4
    )
    mixed = np.clip(base[:, None] + steps, 0, 255).round().astype(np.uint8).reshape(-1, 32, 32, 1)
    pixels = np.concatenate([base, mixed, np.full((3, 32, 32, 1), 90, np.uint8), base[:1] // 32 + 100])
    images = made_pack(tmp_path, pixels)
    monkeypatch.setattr(finding, "CANDIDATES", 50)  # in many pieces
    found = find_duplicates(images)
    small = thumbnails(images.pixels).astype(np.float64)
    contrast = small.std(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.corrcoef(small)
        stretched = small / contrast[:, None] * finding.USUAL_CONTRAST
    near = np.zeros((len(pixels),) * 2, dtype=bool)
    for points in (small, stretched):
        distance = np.sqrt(np.square(points[:, None] - points[None]).mean(axis=2))
        near |= (distance <= NEAR) & (correlation >= finding.LEAST_CORRELATION)
    shown = contrast >= finding.LEAST_CONTRAST
    near &= shown[:, None] & shown[None] & ~np.eye(len(pixels), dtype=bool)
    same = (pixels[:, None] == pixels[None]).all(axis=(2, 3, 4)) & ~np.eye(len(pixels), dtype=bool)
    assert near.sum() > 60
    np.testing.assert_array_equal(found.near, (near & ~same).sum(axis=1))
    np.testing.assert_array_equal(found.twins, same.sum(axis=1))
    pairs = np.argwhere(near | same)
    np.testing.assert_array_equal(clusters(found, len(pixels)), components(len(pixels), pairs))
    assert len(found.first) == len(pixels) - len(np.unique(clusters(found, len(pixels)))), (
        "more than a forest"
    )


def test_pale_and_empty_images_are_nobodys_near_duplicate(tmp_path):
    random = np.random.default_rng(0)
    pale = random.integers(99, 102, (20, 32, 32, 1)).astype(np.uint8)
    assert not find_duplicates(made_pack(tmp_path, pale)).near.any()


def test_tables_read_back_and_belong_to_their_images(tmp_path):
    pixels = photographs(12)
    images = made_pack(tmp_path, np.concatenate([pixels, pixels[:2]]), split=[0] * 12 + [1, 1])
    found = find_duplicates(images)
    pairs, twins = tmp_path / "duplicates.csv", tmp_path / "twins.csv"
    found.write(pairs, twins)
    again = Duplicates.read(pairs, twins, len(images))
    for name in ("first", "second", "identical", "distance", "twins", "near", "across"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert read_duplicates(pairs, 14).tolist() == [[0, 12], [1, 13]]
    with pytest.raises(InputError, match=r"duplicates.csv: speaks of image 13. Allowed: images 0 … 12"):
        read_duplicates(pairs, 13)
    empty = find_duplicates(made_pack(tmp_path / "empty", pixels))
    empty.write(pairs, twins)
    assert read_duplicates(pairs, 12).shape == (0, 2)
    assert not Duplicates.read(pairs, twins, 12).twins.any()
