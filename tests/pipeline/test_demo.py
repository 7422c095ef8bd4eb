"""The demo has a true answer: a pipeline that doesn't recover it is broken."""

import subprocess
import sys

import pandas as pd
import pytest
from small_study import PROJECT

from spectral_priority.config import load_study

pytestmark = pytest.mark.pipeline

DEMO = load_study(PROJECT / "config/config.yaml")


def passes(run, instances) -> int:
    """Images that go through the model for one run: training, evaluation at checkpoints, and some measures."""
    recipe, family = DEMO.recipes[run.recipe], DEMO.tiers[DEMO.tier(run.tier).family]
    images = DEMO.tiers["labels"].images if family.kind == "control" else family.images
    per_epoch = images.train // recipe.batch_size
    later = range(0, recipe.steps + 1, int(per_epoch * recipe.checkpoints.every_epochs))
    checkpoints = {
        0,
        recipe.steps,
        *later,
        *(step for step in recipe.checkpoints.early if step <= recipe.steps),
    }
    evaluated = recipe.batch_norm_images + recipe.evaluation_images + images.validation
    of_image = {
        "gradient": 1,
        "band-accuracy": 1 + 2 * 4 + 3 + 4,
    }  # filters: none, low and high, bands, rings
    measured = 0
    for name in instances:
        options = DEMO.measures[name]
        measured += getattr(options, "batch_norm_images", 0) + of_image.get(name, 0) * images.probe
        measured += 2 * options.pairs * options.samples if name == "paths" else 0
    return recipe.steps * recipe.batch_size + len(checkpoints) * (evaluated + measured)


def test_the_demo_is_small():
    assert len(DEMO.list_runs()) <= 16
    assert max(passes(run, ["gradient"]) for run in DEMO.list_runs()) <= 12_000
    assert set(DEMO.measures) == {"gradient", "band-accuracy", "paths", "weight-svd"}
    assert max(passes(run, DEMO.measures) for run in DEMO.list_runs()) <= 40_000  # the rest only forward


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")),
            *("--directory", str(folder), "--cores", "2", "--quiet", "rules"),
        ],
        check=True,
        timeout=1800,
    )
    return folder / "results/demo"


def test_the_demo_recovers_the_planted_order(demo):
    claims = pd.read_csv(demo / "claims.csv")
    assert len(claims) == len(DEMO.claims) >= 2
    assert claims["held"].all(), claims[["claim", "detail"]].to_string()


def test_the_demo_answers_both_primary_hypotheses_with_an_interval(demo):
    primary = pd.read_csv(demo / "correlations.csv").query("hypothesis.str.startswith('primary')")
    assert set(primary["hypothesis"]) == {"primary-1", "primary-2"}
    assert (primary["draws"] >= 5).all() and primary[["lower", "upper"]].notna().all().all()


def test_near_tasks_are_the_three_rings_in_order(demo):
    import json

    rings = [
        {entry["name"].rsplit("-angle", 1)[0] for entry in json.loads(path.read_text())["classes"]}
        for path in sorted((demo / "tiers").glob("similar-near-d*.json"))
    ]
    assert rings == [{"ring-4"}, {"ring-8"}, {"ring-12"}]


def test_the_untrained_control_is_the_same_for_both_labels_of_the_same_images(demo):
    priority = pd.read_csv(demo / "priority.csv").query(
        "reading == 'last' and scalar == 'centroid' and family == 'labels' and seed == 0"
    )
    untrained = priority["untrained"].to_numpy()
    assert abs(untrained[0] - untrained[1]) < 1.0 < abs(priority["value"].diff().iloc[-1])
