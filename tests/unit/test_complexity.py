"""Complexity of a task: each measure against a slow or independent reference, and what degenerate input gives."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from made_checksums import add_checksums
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import spectral_priority as sp
from spectral_priority import complexity
from spectral_priority.config.tiers import Images, Regroup
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import write_manifest
from spectral_priority.data.reference import fit_reference, with_points
from spectral_priority.fourier import half_plane_power, radial_sum
from spectral_priority.similarity import closeness, write_similarity
from spectral_priority.similarity.points import shares
from spectral_priority.store.netcdf import read_dataset, read_provenance, write_dataset
from spectral_priority.tiers import make_tier

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


def tier(k):
    return SimpleNamespace(number_of_classes=k, facts={"tier": "t", "family": "f", "level": "x", "draw": 0})


def test_equal_classes_have_entropy_log_k():
    assert complexity.label_entropy(np.tile(np.arange(5), 7)).value == pytest.approx(np.log(5))
    assert complexity.log2_classes(tier(8)).value == 3
    assert complexity.classes(tier(8)).value == 8


def test_unequal_classes_have_less_entropy():
    assert complexity.label_entropy(np.array([0, 0, 0, 1])).value == pytest.approx(
        -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    )


def test_fisher_ratio_equals_a_slow_loop_and_does_not_depend_on_axes():
    random = np.random.default_rng(0)
    label = random.integers(0, 4, 60)
    features = random.normal(size=(60, 5)) + 100 + label[:, None] * random.normal(size=5)
    between = within = 0.0
    for one in range(4):
        members = [x for x, own in zip(features, label, strict=True) if own == one]
        mean = sum(members) / len(members)
        between += len(members) * ((mean - features.mean(axis=0)) ** 2).sum()
        within += sum(((x - mean) ** 2).sum() for x in members)
    found = complexity.fisher_ratio(features, label)
    assert found.value == pytest.approx(between / within, rel=1e-10)
    turned = features @ np.linalg.qr(random.normal(size=(5, 5)))[0]
    assert complexity.fisher_ratio(turned, label).value == pytest.approx(found.value, rel=1e-9)


def test_fisher_ratio_of_two_classes_is_half_of_ho_and_basus():
    one, other = np.random.default_rng(1).normal(size=(2, 50)) * [[1], [3]] + [[0], [2]]
    expected = (one.mean() - other.mean()) ** 2 / (one.var() + other.var()) / 2
    found = complexity.fisher_ratio(np.r_[one, other][:, None], np.repeat([0, 1], 50))
    assert found.value == pytest.approx(expected)


def test_n3_equals_leave_one_out_nearest_neighbour():
    random = np.random.default_rng(2)
    label = random.integers(0, 3, 120)
    features = random.normal(size=(120, 4)) + 50 + 0.8 * label[:, None]
    predicted = cross_val_predict(KNeighborsClassifier(1), features, label, cv=LeaveOneOut())
    found = complexity.n3(features, label)
    assert found.value == pytest.approx((predicted != label).mean(), abs=1e-12)
    assert found.standard_error == pytest.approx(np.sqrt(found.value * (1 - found.value) / 120))


def test_closer_classes_are_harder_by_every_feature_measure():
    random = np.random.default_rng(3)
    noise, label = random.normal(size=(300, 4)), np.repeat([0, 1, 2], 100)
    near, far = (noise + gap * label[:, None] for gap in (0.3, 3.0))
    assert complexity.fisher_ratio(near, label).value < complexity.fisher_ratio(far, label).value
    assert complexity.n3(near, label).value > complexity.n3(far, label).value


def test_white_noise_has_a_flat_spectrum_whose_centroid_is_that_of_ring_sizes():
    noise = np.random.default_rng(4).normal(size=(400, 32, 32))
    power = shares(radial_sum(half_plane_power(noise)))
    slope, centroid = complexity.psd_slope(power, 32), complexity.psd_centroid(power)
    assert abs(slope.value) < 4 * slope.standard_error < 0.05
    ring = np.arange(1, 17)
    sizes = radial_sum(np.ones((32, 17)))
    assert abs(centroid.value - (ring * sizes).sum() / sizes.sum()) < 4 * centroid.standard_error


def test_standard_errors_of_the_spectrum_are_the_spread_over_repetitions():
    random = np.random.default_rng(5)
    found = []
    for _ in range(300):
        amplitude = np.exp(random.normal(size=(40, 1)) * np.linspace(0, 1, 8))
        power = amplitude * random.gamma(2.0, size=(40, 8))
        found.append((complexity.psd_slope(shares(power), 16), complexity.psd_centroid(shares(power))))
    for measure in zip(*found, strict=True):
        spread = np.std([one.value for one in measure], ddof=1)
        assert np.mean([one.standard_error for one in measure]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (
            lambda: complexity.fisher_ratio(np.eye(3), np.zeros(3, int)),
            "fisher_ratio: there is a single class",
        ),
        (
            lambda: complexity.fisher_ratio(np.repeat([[0.1], [5.3]], 3, axis=0), np.repeat([0, 1], 3)),
            "fisher_ratio: images of a class don't differ",
        ),
        (lambda: complexity.n3(np.eye(3), np.zeros(3, int)), "n3: there is a single class among 3 images"),
        (lambda: complexity.n3(np.eye(1), np.zeros(1, int)), "n3: there is a single class among 1 images"),
        (
            lambda: complexity.class_similarity("hierarchy_similarity", np.full((2, 2), np.nan), [[0], [1]]),
            "hierarchy_similarity: some classes of this tier have none",
        ),
        (
            lambda: complexity.psd_slope(np.full((3, 4), np.nan), 8),
            "psd_slope: a ring holds no power in any image",
        ),
        (lambda: complexity.psd_slope(np.eye(4)[:1], 8), "psd_slope: a ring holds no power in any image"),
        (
            lambda: complexity.psd_centroid(np.full((3, 4), np.nan)),
            "psd_centroid: 3 constant images left out",
        ),
    ],
)
def test_what_does_not_exist_is_empty_and_the_log_says_why(caplog, measure, text):
    with caplog.at_level(logging.WARNING):
        found = measure()
    assert np.isnan(found.value) and np.isnan(found.standard_error)
    assert text in caplog.text


def test_images_of_which_some_are_constant_count_the_others(caplog):
    power = np.array([[0.5, 0.5, 0.0, 0.0], [np.nan] * 4])
    with caplog.at_level(logging.WARNING):
        assert complexity.psd_centroid(power)[::2] == (1.5, 1)
    assert "1 constant images left out" in caplog.text


def test_images_alike_in_all_but_rounding_have_no_fisher_ratio():
    features = np.repeat(np.random.default_rng(0).normal(size=(2, 6)), 50, axis=0)
    assert np.isnan(complexity.fisher_ratio(features + 1e3, np.repeat([0, 1], 50)).value)


def pack(path):
    """Four classes of 40 images: gratings of ring 2, 4, 6, 8 in noise."""
    random = np.random.default_rng(0)
    label = np.tile(np.arange(4), 40)
    wave = np.sin(2 * np.pi * (2 + 2 * label[:, None]) * np.arange(16) / 16 + random.random((160, 1)) * 6)
    pixels = 128 + 60 * wave[:, None, :, None] + random.normal(size=(160, 16, 16, 1)) * 5
    with h5py.File(path, "w") as file:
        file["images"] = pixels.clip(0, 255).round().astype(np.uint8)
        file["split"], file["label_class"] = (np.arange(160) >= 120).astype(np.uint8), label.astype(np.int32)
        file.attrs.update(
            schema="spectral-priority/1",
            kind="images",
            dataset="toy",
            content_sha256="7" * 64,
            classes=json.dumps({"class": list("abcd")}),
            hierarchy=json.dumps({"class": [["low", "a"], ["low", "b"], ["high", "c"], ["high", "d"]]}),
        )
        add_checksums(file)
    return PackedImages(path)


def run(name, *arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", SCRIPTS / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| torch" not in done.stderr.replace("  ", "")
    return done.stderr


def test_the_programs_measure_a_tier_from_files(tmp_path):
    images = pack(tmp_path / "images.h5")
    reference = with_points(fit_reference(images.pixels, 5), [images.pixels], "pixels", "L2 of pixels")
    write_dataset(tmp_path / "reference.h5", reference, "reference", {})
    for kind in ("hierarchy", "feature", "spectral"):
        run(
            "similarity", "--images", images.path, "--label", "class", "--kind", kind,
            "--reference", tmp_path / "reference.h5", "--output", tmp_path / f"{kind}.csv",
        )  # fmt: skip
    spectral = pd.read_csv(tmp_path / "spectral.csv", index_col="class")
    assert list(spectral.columns) == list(spectral.index) == list("abcd")
    assert (spectral.to_numpy() == spectral.to_numpy().T).all()
    hierarchy = pd.read_csv(tmp_path / "hierarchy.csv", index_col="class")
    assert hierarchy.loc["a", "b"] == pytest.approx(2 / 3) and hierarchy.loc["a", "c"] == pytest.approx(1 / 3)

    family = Regroup(
        kind="regroup", dataset="toy", classes=4, groups=(2, 4), floor=2,
        images=Images(train=80, validation=16, probe=16),
    )  # fmt: skip
    found, spectra = {}, {}
    for level in ("2", "4"):
        made = make_tier(images, family, "r", level, 0)
        place = tmp_path / f"{level}.json", tmp_path / f"{level}.npz"
        write_manifest(*place, made.facts, made.index, made.label)
        run(
            "complexity", "--images", images.path, "--reference", tmp_path / "reference.h5",
            "--hierarchy-similarity", tmp_path / "hierarchy.csv", "--spectral-similarity", tmp_path / "spectral.csv",
            "--manifest", place[0], "--indices", place[1], "--options", '{"images": 50}',
            "--output", tmp_path / f"{level}.csv",
            "--class-mean-psd", tmp_path / f"{level}-class-mean-psd.h5", "--pinson", tmp_path / f"{level}-pinson.h5",
        )  # fmt: skip
        pixels = np.asarray(images.read(made.index["train"]))
        for measure, function in (("class-mean-psd", sp.class_mean_psd), ("pinson", sp.pinson)):
            stored = read_dataset(tmp_path / f"{level}-{measure}.h5", f"data:{measure}")
            again = function(pixels, made.label["train"], made.index["train"])
            assert stored.equals(again) and stored.attrs["tier"] == made.facts["tier"]
            assert (
                read_provenance(stored)["manifest_sha256"]
                == json.loads(place[0].read_text())["manifest_sha256"]
            )
            spectra[level, measure] = stored
        found[level] = pd.read_csv(tmp_path / f"{level}.csv").set_index("measure")
        for measure in ("class-mean-psd", "pinson"):
            row = found[level].loc[measure.replace("-", "_") + "_centroid"]
            assert (row.value, row.standard_error, row.n) == (
                spectra[level, measure].centroid, spectra[level, measure].centroid_se, 80,
            )  # fmt: skip
            assert row.unit == "cycles/image" and pd.isna(row.harder)
    columns = "tier,family,level,draw,measure,value,standard_error,n,unit,harder"
    assert (tmp_path / "2.csv").read_text().splitlines()[0] == columns
    two, four = found["2"], found["4"]
    assert list(two.index) == list(complexity.MEASURES)
    assert four.value["classes"] == 4 and two.value["log2_classes"] == 1
    assert four.value["label_entropy"] == pytest.approx(np.log(4))
    assert four.value["hierarchy_similarity"] == pytest.approx((2 * 2 / 3 + 4 / 3) / 6)
    assert two.n["n3"] == 50 and four.value["n3"] < 0.5
    for measure in ("psd_slope", "psd_centroid"):  # the same images, so the same spectrum
        assert two.value[measure] == four.value[measure]
    for measure in ("class-mean-psd", "pinson"):  # a regrouped task has class means of its own
        assert float(spectra["2", measure].centroid) != float(spectra["4", measure].centroid)
    assert 4.5 < four.value["psd_centroid"] < 5.5 and four.standard_error["psd_centroid"] > 0


def test_a_data_set_without_hierarchy_has_an_empty_value(tmp_path):
    similarity = closeness(np.array([[np.nan], [np.nan]]))
    write_similarity(tmp_path / "hierarchy.csv", ["a", "b"], similarity)
    estimates = dict.fromkeys(complexity.MEASURES, complexity.Estimate(1.0))
    estimates["hierarchy_similarity"] = complexity.class_similarity(
        "hierarchy_similarity", similarity, [[0], [1]]
    )
    lines = complexity.table(tier(2), estimates, "L2 of pixels").to_csv(index=False).splitlines()
    assert "t,f,x,0,hierarchy_similarity,,,1,1,higher" in lines
