"""Every tier can be made again from its manifest, to the byte; what differs is named."""

import json

import numpy as np
import pandas as pd
import pytest
from test_tiers import ALL
from test_tiers import program as tier_program
from toy_tiers import ALIKE, COUNT, REGROUP, TEXTURES, pack_toy, write_images

from spectral_priority.config.tiers import Control
from spectral_priority.data.duplicates import COLUMNS
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import Manifest, read_manifest, write_manifest
from spectral_priority.data.together import Pairs
from spectral_priority.errors import InputError
from spectral_priority.similarity import path_similarity, write_similarity, wu_palmer
from spectral_priority.tiers import make_control, make_tier
from spectral_priority.tiers.rebuild import first_difference, make_again

PAIRS = Pairs(np.array([[0, 12], [24, 500]]), np.array([[36, 504]]))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


@pytest.fixture(scope="module")
def similarity(images):
    return wu_palmer(TEXTURES, images.hierarchy("texture"))


def stored(folder, made):
    """Write a tier and read it back: its paths, and what they hold."""
    place = (folder / "t.json", folder / "t.npz")
    write_manifest(*place, made.facts, made.index, made.label)
    return place, read_manifest(*place)


@pytest.mark.parametrize(("options", "level"), ALL)
@pytest.mark.parametrize("duplicates", [None, PAIRS])
def test_a_tier_of_every_family_is_made_again_to_the_byte(
    images, similarity, options, level, duplicates, tmp_path
):
    made = make_tier(images, options, "f", level, 1, similarity, duplicates)
    place, held = stored(tmp_path, made)
    again = make_again(held, images, similarity, duplicates)
    assert first_difference(*place, held, again) is None
    other = make_again(Manifest({**held.facts, "draw": 0}, {}, {}), images, similarity, duplicates)
    assert first_difference(*place, held, other).startswith("tier: ")


def test_a_control_is_made_again_from_the_tier_that_it_shuffles(images, tmp_path):
    of = make_tier(images, COUNT, "c", "6", 0)
    made = make_control(images, Control(kind="control", of="c-6-d0", seed=3), of, "control", "shuffled", 1)
    place, held = stored(tmp_path, made)
    assert first_difference(*place, held, make_again(held, images, of=of)) is None
    with pytest.raises(
        InputError, match=r"tier control-shuffled-d1: is a control of c-6-d0\. .* --of-manifest"
    ):
        make_again(held, images)


def test_the_first_difference_is_named(images, similarity, tmp_path):
    place, held = stored(tmp_path, make_tier(images, ALIKE, "s", "near", 0, similarity))

    def differing(change, value):
        facts = {**held.facts, "options": {**held.facts["options"], change: value}}
        again = make_again(Manifest(facts, {}, {}), images, similarity)
        return first_difference(*place, held, again)

    assert differing("seed", 7) == "seed: 0 stored, 7 made again"
    assert differing("apart", "none") == "options.apart: 'near' stored, 'none' made again"
    again = make_again(held, images, path_similarity(TEXTURES, images.hierarchy("texture")))
    assert first_difference(*place, held, again).startswith(
        "mean_similarity: 0.6666666666666666 stored, 0.333"
    )
    again = make_again(held, images, similarity)
    again.index["probe"][3] += 1
    assert first_difference(*place, held, again).startswith("probe_index[3]: ")
    place[1].write_bytes(place[1].read_bytes() + b"more")
    whole = make_again(held, images, similarity)
    assert "t.npz: byte " in first_difference(*place, held, whole)


def test_duplicates_that_a_tier_kept_together_are_asked_for(images, tmp_path):
    held = stored(tmp_path, make_tier(images, REGROUP, "r", "3", 0, None, PAIRS))[1]
    with pytest.raises(InputError, match=r"tier r-3-d0: kept 3 pairs of images together\. .* --duplicates"):
        make_again(held, images)


def test_a_tier_of_other_images_or_without_options_is_refused(images, tmp_path):
    made = make_tier(images, COUNT, "c", "6", 0)
    with pytest.raises(InputError, match=r"tier c-6-d0: was made from images with content 6666"):
        make_again(Manifest({**made.facts, "data_sha256": "6" * 64}, {}, {}), images)
    del made.facts["options"]
    with pytest.raises(InputError, match=r"tier c-6-d0: its manifest holds no options"):
        make_again(made, images)


def test_the_program_makes_a_tier_again_and_fails_where_it_is_another(images, similarity, tmp_path):
    write_similarity(tmp_path / "hierarchy.csv", TEXTURES, similarity)
    rows = [(*pair, "near", 1.0) for pair in ((0, 12), (24, 500))]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(tmp_path / "duplicates.csv", index=False)
    inputs = ["--images", images.path, "--duplicates", tmp_path / "duplicates.csv"]
    inputs += ["--similarity", tmp_path / "hierarchy.csv"]
    tier = ["--tier", "s-mid-d1", "--family", "s", "--level", "mid", "--draw", 1]
    place = ["--manifest", tmp_path / "s.json"]
    options = ALIKE.model_dump_json(exclude={"recipes", "seeds", "draws"})
    done = tier_program(*inputs, *tier, "--options", options, *place, "--indices", tmp_path / "s.npz")
    assert done.returncode == 0, done.stderr
    before = sorted(path.name for path in tmp_path.iterdir())

    done = tier_program(*inputs, *place, name="rebuild")
    assert done.returncode == 0, done.stderr
    assert "s-mid-d1: made again, the same to the byte" in done.stderr

    write_similarity(tmp_path / "hierarchy.csv", TEXTURES, 0.5 + similarity / 2)
    done = tier_program(*inputs, *place, name="rebuild")
    assert done.returncode == 2
    assert "s.json: made again it is another: mean_similarity: " in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before

    facts = json.loads((tmp_path / "s.json").read_text())
    (tmp_path / "s.json").write_text(json.dumps({**facts, "seed": 5}))
    done = tier_program(*inputs, *place, name="rebuild")
    assert done.returncode == 2 and "was changed after it was made" in done.stderr


def test_other_labels_of_the_same_images_make_another_tier(images, tmp_path):
    """The content hash says so first; were it blind to labels, the images would."""
    place, held = stored(tmp_path, make_tier(images, COUNT, "c", "6", 0))
    labels = {column: images.labels(column).copy() for column in images.label_columns}
    labels["texture"] = np.roll(labels["texture"], 1)
    path = tmp_path / "other.h5"
    write_images(path, labels, images.classes, images.split, {"texture": images.hierarchy("texture")})
    again = make_again(held, PackedImages(path))
    assert first_difference(*place, held, again).startswith("train_index[")
