"""A folder with a class of one image, black images and a broken file goes through, and what was left out is said."""

import json

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from small_study import snakemake, write_study

pytestmark = pytest.mark.pipeline


def test_a_folder_with_odd_images_goes_through(tmp_path):
    rng = np.random.default_rng(0)
    for split, number in (("train", 70), ("val", 20)):
        for name in ("ant", "bee", "cat"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(folder / f"{i}.png")
            Image.new("RGB", (20, 20)).save(folder / "black.png")
    lonely = tmp_path / "data/train/dog"
    lonely.mkdir()
    Image.new("RGB", (20, 20), "green").save(lonely / "0.png")
    broken = tmp_path / "data/train/ant/0.png"
    broken.write_bytes(broken.read_bytes()[:300])

    source = {"kind": "image-folder", "paths": ["."]}
    tiers = {
        "count": {
            "kind": "count",
            "dataset": "odd",
            "counts": [3],
            "draws": 1,
            "floor": 40,
            "images": {"train": 120, "validation": 20, "probe": 30},
        }
    }
    write_study(
        tmp_path,
        datasets={"odd": {"size": 16, "source": source, "max_unreadable": 0.01}},
        tiers=tiers,
        claims=[],
    )
    snakemake(tmp_path, "--config", f"data_root={tmp_path / 'data'}")

    pack = json.loads((tmp_path / "results/data/odd-16px/pack.json").read_text())
    assert [entry["source"] for entry in pack["unreadable"]] == ["train/ant/0.png"]
    assert pack["constant_images"] == 7 and any("dog" in warning for warning in pack["warnings"])
    manifest = json.loads((tmp_path / "results/mini/tiers/count-3-d0.json").read_text())
    assert manifest["excluded"] == ["dog"]
    with xr.open_dataset(tmp_path / "results/data/odd-16px/spectra/class/psd.h5", engine="h5netcdf") as psd:
        assert psd.attrs["left_out"] == "dog" and psd["share"].notnull().all()
    assert (tmp_path / "results/mini/report.html").exists()
