"""The shortcut gallery shows the masks that a run's file holds, and images through exactly these."""

import numpy as np
import pytest
import xarray as xr
from made_packs import made_pack
from matplotlib.text import Text

from spectral_priority import filtering, half_plane
from spectral_priority.config import parse_study
from spectral_priority.data.manifest import write_manifest
from spectral_priority.errors import InputError
from spectral_priority.figures import gallery_instance
from spectral_priority.figures.result_files import shortcut_gallery
from spectral_priority.figures.shortcut_gallery import _filtered, draw
from spectral_priority.figures.tables import Tables
from spectral_priority.store.netcdf import write_dataset

SIZE, CLASSES = 16, ("ant", "bee")
STUDY = parse_study(
    {
        "study": "small",
        "datasets": {name: {"source": {"kind": "shapes-textures"}, "size": SIZE} for name in ("s", "far")},
        "tiers": {"labels": {"kind": "labels", "dataset": "s", "labels": ["shape"]}},
        "measures": {
            "gradient": {},
            "there": {"measure": "shortcuts", "masks": "here", "probe": {"dataset": "far"}},
            "here": {"measure": "shortcuts"},
        },
        "recipes": {"base": {}},
    }
)
TIER = "labels-shape-d0"


def files(root, fpr=(0.1, 0.9), classes=CLASSES):
    """A run whose ant is known by ring 2 alone and whose bee by the frequency (0, 5), at the last checkpoint."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 1), dtype=np.uint8)
    made_pack(root / "data" / f"s-{SIZE}px", pixels, label=[0, 1, 0, 1, 0, 1])
    facts = {"tier": TIER, "classes": [{"name": name, "title": name, "members": [name]} for name in CLASSES]}
    part = {"train": [0, 1], "validation": [2, 3], "probe": [4, 5]}
    folder = root / "small"
    write_manifest(
        folder / "tiers" / f"{TIER}.json",
        folder / "tiers" / f"{TIER}.npz",
        facts,
        {name: np.array(at) for name, at in part.items()},
        {name: np.array([0, 1]) for name in part},
    )
    ring = filtering.low_pass(SIZE, 2) - filtering.low_pass(SIZE, 1)
    spot = np.zeros((SIZE, SIZE // 2 + 1))
    spot[0, 5] = 1
    kept = np.stack([ring, spot])
    kept[:, 0, 0] = 1
    kept = np.stack([np.zeros_like(kept), kept])[:, :, None]  # the untrained model has none
    told = {"units": "1", "long_name": "made up"}
    data = {"kept": (("checkpoint", "class", "mask", "u", "v"), kept, told)}
    for name, values in {
        "tpr": (0.8, 0.7),
        "tpr_lower": (0.6, 0.5),
        "tpr_upper": (0.9, 0.8),
        "fpr": fpr,
    }.items():
        data[name] = (
            ("checkpoint", "class", "mask"),
            np.broadcast_to(np.array(values)[:, None], (2, 2, 1)),
            told,
        )
    data["dc_tpr"] = (("checkpoint", "class"), np.zeros((2, 2)), told)
    data["class_n"] = (("checkpoint", "class"), np.full((2, 2), 20), told)
    coordinates = {"class": ("class", list(classes), told), "mask": ("mask", ["top-5"], told)}
    coordinates |= {name: ("checkpoint", [0, 9], told) for name in ("step", "epoch")}
    path = folder / "runs" / TIER / "base" / "seed0" / "spectra" / "here.h5"
    write_dataset(path, xr.Dataset(data, coordinates), "measure:shortcuts", {})
    return root, pixels


def tables(root):
    return Tables(STUDY, *[None] * 7, results=root)


def test_the_instance_with_masks_of_its_own_on_the_tiers_images_is_shown():
    assert gallery_instance(STUDY) == "here"


def test_the_numbers_are_the_masks_and_the_title_counts_false_positives(tmp_path):
    root, _ = files(tmp_path)
    figure, data = draw(tables(root))
    bee = data[(data["class"] == "bee") & ((data["u"] != 0) | (data["v"] != 0))]
    assert sorted(bee[["u", "v"]].values.tolist()) == [[0, -5], [0, 5]], "the partner is kept, too"
    ant = data[(data["class"] == "ant") & ((data["u"] != 0) | (data["v"] != 0))]
    assert set(np.rint(np.hypot(ant["u"], ant["v"]))) == {2}
    assert figure.title_text.startswith(
        "2 of 2 classes (1 with few false positives) are recognised by their 5 %"
    )
    assert "lowest for ant" in figure.title_text and "highest for bee (5.0)" in figure.title_text
    assert data["source"].groupby(data["class"]).first().to_dict() == {"ant": 4, "bee": 5}


def test_images_are_the_first_of_each_class_in_the_probe(tmp_path):
    root, pixels = files(tmp_path)
    gallery = shortcut_gallery(STUDY, root, "here")
    assert np.allclose(gallery.images, pixels[[4, 5]] / 255)
    assert int(gallery.masks["step"]) == 9 and gallery.run == f"{TIER}/base/seed0"


def test_a_filtered_image_holds_the_kept_waves_and_no_others():
    waves = np.array([[0, 5], [3, 1]])
    both = filtering.basis_images(SIZE, waves)
    pairs = half_plane.frequency_pairs(SIZE).tolist()
    kept = np.zeros(len(pairs))
    kept[pairs.index([0, 5])] = 1
    mask = half_plane.on_half_plane(kept, dc=1)
    seen = _filtered((0.5 + both.sum(axis=0))[None, ..., None], mask[None])
    assert np.allclose(seen[0, ..., 0], 0.5 + both[0])


def test_the_same_files_give_the_same_figure_and_texts_can_be_read(tmp_path):
    root, _ = files(tmp_path)
    first, second = draw(tables(root)), draw(tables(root))
    assert first[1].equals(second[1]) and first[0].title_text == second[0].title_text
    figure = first[0]
    figure.canvas.draw()
    assert all(text.get_fontsize() >= 7 for text in figure.findobj(Text))
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01 and box.x1 <= width + 0.01 and box.y1 <= height + 0.01


def test_a_class_that_is_not_the_tiers_is_refused(tmp_path):
    root, _ = files(tmp_path, classes=("ant", "wasp"))
    with pytest.raises(
        InputError, match="holds the class 'wasp', of which labels-shape-d0 has no probe image"
    ):
        shortcut_gallery(STUDY, root, "here")
