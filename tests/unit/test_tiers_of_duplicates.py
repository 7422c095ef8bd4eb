"""From images to tiers: whatever shows the same, by its pixels or nearly, ends up in one part."""

import io

import numpy as np
import pytest
from made_packs import made_pack, photographs
from PIL import Image

from spectral_priority.config.tiers import ClassCount
from spectral_priority.data.find_duplicates import find_duplicates
from spectral_priority.data.manifest import PARTS
from spectral_priority.data.together import load_pairs
from spectral_priority.tiers import make_tier

CLASSES, EACH = 3, 60
LABEL = np.repeat(np.arange(CLASSES), EACH)
SPLIT = np.tile((np.arange(EACH) >= 40).astype(int), CLASSES)


def encoded_again(image):
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "JPEG", quality=92)
    return np.asarray(Image.open(file))[..., None]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """In every class images 0–9 come back at 40–49, and 10–19 at 50–59 as JPEG; and two classes share one."""
    pixels = photographs(CLASSES * EACH, 32)
    for start in range(0, CLASSES * EACH, EACH):
        pixels[start + 40 : start + 50] = pixels[start : start + 10]
        pixels[start + 50 : start + 60] = [encoded_again(image) for image in pixels[start + 10 : start + 20]]
    pixels[EACH + 30] = pixels[30]
    return made_pack(tmp_path_factory.mktemp("pack"), pixels, LABEL, SPLIT)


def tier(images, folder, apart, train=54, draw=0):
    found = find_duplicates(images)
    found.write(folder / "duplicates.csv", folder / "twins.csv")
    options = ClassCount.model_validate(
        {
            "kind": "count",
            "dataset": "made",
            "counts": [3],
            "floor": 1,
            "apart": apart,
            "images": {"train": train, "validation": 21, "probe": 21},
        }
    )
    return make_tier(
        images, options, "count", "3", draw, None, load_pairs(folder / "duplicates.csv", len(images))
    )


def shared(images, made):
    """Pairs of parts that have an image in common, by its number in the source: near and identical ones told apart."""
    number = np.array([int(name) for name in images.source])
    place = {part: number[made.index[part]] for part in PARTS}
    within, found = {part: place[part] % EACH for part in PARTS}, set()
    for one in PARTS:
        for other in PARTS:
            for i, a in zip(place[one], within[one], strict=True):
                twin = {True: i + 40}.get(a < 20)
                if one != other and twin in place[other]:
                    found.add(("identical" if a < 10 else "near", *sorted((one, other))))
    return found


@pytest.mark.parametrize("draw", range(4))
def test_nothing_that_shows_the_same_lies_in_two_parts(images, tmp_path, draw):
    made = tier(images, tmp_path, "near", draw=draw)
    assert shared(images, made) == set()
    assert made.facts["images"] == {"train": 54, "validation": 21, "probe": 21}
    for part in PARTS:
        assert (np.bincount(made.label[part], minlength=3) == made.facts["images"][part] // 3).all()
    both = {int(images.source.index(f"{number:06d}")) for number in (30, EACH + 30)}
    assert not both & set(np.concatenate([made.index[part] for part in PARTS]).tolist()), (
        "the true label is not known"
    )


def test_without_asking_they_would(images, tmp_path):
    """The parts of a tier are no accident: with `none` both kinds leak, with `identical` the near ones do."""
    found = {
        apart: set().union(*(shared(images, tier(images, tmp_path, apart, draw=draw)) for draw in range(4)))
        for apart in ("none", "identical")
    }
    assert {kind for kind, *_ in found["none"]} == {"identical", "near"}
    assert {kind for kind, *_ in found["identical"]} == {"near"}
