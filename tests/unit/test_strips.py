"""The strips of images in the report show training images of the very class that they name."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny_training import write_data

from spectral_priority.config import parse_study
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.errors import InputError
from spectral_priority.report.parts import training_time
from spectral_priority.report.strips import GAP, IMAGES, SIDE, first_draws, strip_address, tier_strips


def study_of(**tiers):
    datasets = {"shapes": {"source": {"kind": "shapes-textures"}}}
    return parse_study({"study": "s", "datasets": datasets, "recipes": {"base": {}}, "tiers": tiers})


LABELS = {"kind": "labels", "dataset": "shapes", "labels": ["shape"]}


def picture(address: str) -> np.ndarray:
    data = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_strip_shows_training_images_of_its_class_untouched(tmp_path):
    write_data(tmp_path)
    (tmp_path / "tiers").mkdir()
    for ending in ("json", "npz"):
        shutil.copy(tmp_path / f"tier.{ending}", tmp_path / "tiers" / f"labels-shape-d0.{ending}")
    (strip,), left_out = tier_strips(study_of(labels=LABELS), tmp_path, {"shapes": tmp_path / "images.h5"})
    assert left_out == 0 and strip["number_of_classes"] == 3
    assert [one["title"] for one in strip["classes"]] == ["one", "two", "three"]
    images = PackedImages(tmp_path / "images.h5")
    manifest = read_manifest(tmp_path / "tier.json", tmp_path / "tier.npz")
    for number, one in enumerate(strip["classes"]):
        pixels = picture(one["address"])
        own = images.read(manifest.index["train"][manifest.label["train"] == number])[..., 0]
        for start in range(0, IMAGES * (8 + GAP), 8 + GAP):
            tile = pixels[:, start : start + 8]
            assert (own == tile).all(axis=(1, 2)).sum() == 1, "each tile is one of the class's images"


def test_large_images_are_reduced_and_colours_kept():
    red = np.zeros((2, 100, 100, 3), dtype=np.uint8)
    red[..., 0] = 200
    shown = picture(strip_address(red))
    assert shown.shape == (SIDE, 2 * SIDE + GAP, 3)
    assert (shown[:, :SIDE] == [200, 0, 0]).all() and (shown[:, SIDE : SIDE + GAP] == 255).all()


def test_one_draw_of_each_level_is_shown_and_no_control():
    study = study_of(
        labels={**LABELS, "labels": ["texture"]},
        regroup={
            "kind": "regroup",
            "dataset": "shapes",
            "label": "texture",
            "classes": 12,
            "groups": [2, 4],
            "draws": 3,
        },
        control={"kind": "control", "of": "labels-texture-d0"},
    )
    assert [tier.name for tier in first_draws(study)] == ["labels-texture-d0", "regroup-2-d0", "regroup-4-d0"]


def test_missing_images_are_refused_by_name(tmp_path):
    write_data(tmp_path)
    with pytest.raises(InputError, match=r"nothing\.h5: there is no such file"):
        tier_strips(study_of(labels=LABELS), tmp_path, {"shapes": tmp_path / "nothing.h5"})


def test_hours_are_counted_by_device_and_by_gpu():
    runs = [{"device": "A", "seconds": 1800, "options": {"gpus": 2}, "threads": 8}] * 3
    runs += [{"device": "B", "seconds": 3600, "options": {"gpus": 1}, "threads": 8}]
    assert training_time(runs) == ["A: 3 runs, 3.00 GPU-hours", "B: 1 run, 1.00 GPU-hours"]
