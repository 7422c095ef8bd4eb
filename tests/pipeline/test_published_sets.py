"""ImageNet and RadImageNet in miniature go through a whole study's plan, and tiers are made from them."""

import json
import sys

import pytest
from small_study import PROJECT, planned, snakemake, write_study

sys.path.insert(0, str(PROJECT / "tests" / "unit"))

from made_imagenet import (
    TRUTHS,
    jpeg,
    radimagenet_images,
    radimagenet_tables,
    training,
    training_tar,
    validation,
)
from made_images import write_folder, write_tar

pytestmark = pytest.mark.pipeline

TRUTH = "ILSVRC2012_validation_ground_truth.txt"
FAMILIES = {
    "imagenet": {
        "regroup": {"kind": "regroup", "classes": 3, "groups": [2, 3], "draws": 1},
        "similar": {"kind": "similarity", "classes": 2, "levels": ["near", "far"], "draws": 1},
    },
    "radimagenet": {
        "labels": {"kind": "labels", "labels": ["modality", "anatomy", "class"]},
        "similar": {"kind": "similarity", "classes": 2, "levels": ["near", "far"], "draws": 1},
    },
}


def official_imagenet(folder):
    # No image twice: of identical images of two classes none would be in a tier.
    more = {
        f"{name[:-5]}{i}.JPEG": jpeg(1000 + 10 * number + i)
        for number, name in enumerate(training())
        for i in range(6)
    }
    training_tar(folder / "ILSVRC2012_img_train.tar", {**training(), **more})
    write_tar(folder / "ILSVRC2012_img_val.tar", validation())
    (folder / TRUTH).write_text(TRUTHS[TRUTH])


def published_radimagenet(folder):
    kinds = ("CT/lung/normal", "CT/lung/Nodule", "CT/abd/normal", "MR/knee/normal", "US/gb")
    rows = [
        (f"{kind}/x{i:06d}.png", kind.split("/")[-1], "train" if i < 8 else "val")
        for kind in kinds
        for i in range(12)
    ]
    write_folder(folder, radimagenet_tables(rows))
    write_tar(folder / "radimagenet.tar.gz", radimagenet_images(rows))


@pytest.mark.parametrize(
    "name, write", [("imagenet", official_imagenet), ("radimagenet", published_radimagenet)]
)
def test_a_study_of_it_is_planned_and_its_tiers_are_made(tmp_path, name, write):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    images = {"train": 15, "validation": 4, "probe": 4}
    tiers = {
        family: {"dataset": name, "images": images, "floor": 2, **options}
        for family, options in FAMILIES[name].items()
    }
    write_study(
        tmp_path,
        data_root=str(tmp_path / "data"),
        datasets={name: {"size": 16, "source": {"kind": name}}},
        tiers={**tiers, "control": {"kind": "control", "of": "similar-near-d0"}},
        claims=[],
    )
    jobs = planned(tmp_path)
    levels = sum(len(o.get("levels", o.get("groups", o.get("labels")))) for o in FAMILIES[name].values())
    assert jobs["pack"] == 1 and jobs["tier"] == jobs["train"] == levels + 1
    near, far = (f"results/mini/tiers/similar-{level}-d0.json" for level in ("near", "far"))
    other = {"imagenet": "regroup-2-d0", "radimagenet": "labels-anatomy-d0"}[name]
    snakemake(tmp_path, near, far, f"results/mini/tiers/{other}.json")
    made = {path: json.loads((tmp_path / path).read_text()) for path in (near, far)}
    assert made[near]["mean_similarity"] > made[far]["mean_similarity"]
    report = json.loads((tmp_path / f"results/data/{name}-16px/pack.json").read_text())
    assert report["unreadable"] == [] and report["warnings"]
