"""Complexity in the reference space: slow references, libraries, constructed data with a known answer, invariances."""

import logging

import numpy as np
import pytest
import torch

from spectral_priority import complexity
from spectral_priority.complexity.label_frequency import NAMES, low_ratios
from spectral_priority.config.measures import FPrinciple
from spectral_priority.measures.fprinciple import _filtered

RANDOM = np.random.default_rng(0)
LABEL = np.repeat([0, 1, 2, 3], [40, 30, 50, 40])
FEATURES = RANDOM.normal(size=(160, 6)) * [3, 2, 1, 1, 0.5, 0.1] + 0.6 * LABEL[:, None] + 30

MEASURES = {
    "fisher_ratio": complexity.fisher_ratio,
    "n3": complexity.n3,
    "silhouette": complexity.silhouette,
    "csg": complexity.csg,
    "gbc": complexity.gbc,
    "h_score": complexity.h_score,
    "within_class_diversity": complexity.within_class_diversity,
    "intrinsic_dimension": lambda features, label: complexity.intrinsic_dimension(features),
    **{name: lambda x, y, name=name: complexity.label_low_ratios(x, y)[name] for name in NAMES},
}


@pytest.mark.parametrize("name", MEASURES)
def test_names_of_classes_order_of_images_place_and_scale_play_no_part(name):
    found = MEASURES[name](FEATURES, LABEL)
    order = RANDOM.permutation(len(LABEL))
    renamed = np.array([9, 2, 7, 4])[LABEL] if name != "fisher_ratio" else np.array([1, 3, 0, 2])[LABEL]
    assert MEASURES[name](FEATURES, renamed).value == pytest.approx(found.value, rel=1e-9)
    assert MEASURES[name](FEATURES[order], LABEL[order]).value == pytest.approx(found.value, rel=1e-9)
    larger = 10 if name == "within_class_diversity" else 1
    assert MEASURES[name](10 * FEATURES - 4, LABEL).value == pytest.approx(larger * found.value, rel=1e-9)


@pytest.mark.parametrize("name", ["fisher_ratio", "n3", "silhouette", "csg", "gbc", "h_score", *NAMES])
def test_classes_that_come_closer_are_harder_in_the_direction_that_the_table_says(name):
    noise = np.random.default_rng(1).normal(size=(300, 4))
    label = np.repeat([0, 1, 2], 100)
    near, far = (MEASURES[name](noise + gap * label[:, None], label).value for gap in (0.2, 2.0))
    higher = complexity.MEASURES[name].harder == "higher"
    assert near > far if higher else near < far


def test_silhouette_is_that_of_a_slow_loop():
    label = LABEL.copy()
    label[:1] = 5  # a class of one image
    each = np.zeros(len(label))
    for number, own in enumerate(FEATURES):
        away = np.sqrt(((FEATURES - own) ** 2).sum(axis=1))
        others = np.arange(len(label)) != number
        mean = {
            name: away[others & (label == name)].mean()
            for name in set(label)
            if (others & (label == name)).any()
        }
        if label[number] in mean:
            inside, outside = mean.pop(label[number]), min(mean.values())
            each[number] = (outside - inside) / max(inside, outside)
    found = complexity.silhouette(FEATURES, label)
    assert found.value == pytest.approx(each.mean(), rel=1e-9)
    assert found.standard_error == pytest.approx(each.std(ddof=1) / np.sqrt(len(each)), rel=1e-9)


def test_nearest_neighbours_are_those_of_a_loop():
    found = complexity.nearest(FEATURES, 3)
    for number, own in enumerate(FEATURES):
        away = np.sqrt(((FEATURES - own) ** 2).sum(axis=1))
        away[number] = np.inf  # itself
        assert found.index[number].tolist() == np.argsort(away)[:3].tolist()
        np.testing.assert_allclose(found.distance[number], np.sort(away)[:3], rtol=1e-12)


def test_images_that_are_nearly_the_same_have_their_exact_distance():
    """Differences of squares, as fast libraries take them, would leave rounding alone."""
    features = np.array([[1000.0, 0.0], [1000.0 + 1e-6, 0.0], [-1000.0, 0.0], [-1000.0, 2e-6]])
    found = complexity.nearest(features, 1)
    np.testing.assert_allclose(found.distance[:, 0], [1e-6, 1e-6, 2e-6, 2e-6], rtol=1e-6)
    assert found.index[:, 0].tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("images", "components", "seed", "dimension"),
    [(2000, 2, 0, 1.9817688897017574), (500, 7, 1, 6.758150211482621), (3000, 20, 2, 16.584526976062897)],
)
def test_the_dimension_is_that_of_scikit_dimension(images, components, seed, dimension):
    """What skdim.id.TwoNN(discard_fraction=0.1) of scikit-dimension 0.5.0 returns for these numbers."""
    features = np.random.default_rng(seed).normal(size=(images, components))
    assert complexity.intrinsic_dimension(features).value == pytest.approx(dimension, rel=1e-12)


def test_csg_is_that_of_a_slow_loop():
    found, classes = complexity.nearest(FEATURES, 3), 4
    rows = np.zeros((classes, classes))
    for own, neighbours in zip(LABEL, found.index, strict=True):
        each = np.zeros(classes)
        for neighbour in neighbours:
            each[LABEL[neighbour]] += 1 / (LABEL[neighbour] == LABEL).sum()
        rows[own] += each / each.sum() / (own == LABEL).sum()
    alike = np.array([[1 - abs(a - b).sum() / (a + b).sum() for b in rows] for a in rows])
    values = np.linalg.eigvalsh(np.diag(alike.sum(axis=1)) - alike)
    total = largest = 0.0
    for place in range(classes - 1):
        largest = max(largest, (values[place + 1] - values[place]) / (classes - place))
        total += largest
    assert complexity.csg(FEATURES, LABEL).value == pytest.approx(total, rel=1e-9)


def test_csg_of_classes_alike_is_one_for_two_and_grows_with_their_number():
    """A complete graph of k nodes has the eigenvalues 0 and k, so its gradient is 1 at every place: k − 1."""
    features = np.random.default_rng(2).normal(size=(4000, 3))
    for classes in (2, 4):
        found = complexity.csg(features, np.arange(4000) % classes).value
        assert found == pytest.approx(classes - 1, abs=0.1 * classes)


def test_gbc_is_that_of_a_slow_loop_and_two_equal_classes_have_minus_two():
    total = 0.0
    for one in range(4):
        for other in range(4):
            if one != other:
                a, b = FEATURES[one == LABEL], FEATURES[other == LABEL]
                both = (a.var(axis=0) + b.var(axis=0)) / 2
                distance = ((a.mean(axis=0) - b.mean(axis=0)) ** 2 / both).sum() / 8
                distance += np.log(both / np.sqrt(a.var(axis=0) * b.var(axis=0))).sum() / 2
                total -= np.exp(-distance)
    found = complexity.gbc(FEATURES, LABEL)
    assert found.value == pytest.approx(total, rel=1e-9) and found.n == 12
    assert complexity.gbc(np.tile(FEATURES, (2, 1)), np.repeat([0, 1], 160)).value == pytest.approx(-2)


def test_h_score_is_the_trace_and_any_linear_map_leaves_it():
    means = np.stack([FEATURES[one == LABEL].mean(axis=0) for one in range(4)])[LABEL]
    expected = np.trace(
        np.linalg.inv(np.cov(FEATURES.T, bias=True)) @ np.cov(means.T, bias=True),
    )
    assert complexity.h_score(FEATURES, LABEL).value == pytest.approx(expected, rel=1e-9)
    turned = FEATURES @ np.random.default_rng(3).normal(size=(6, 6))
    assert complexity.h_score(turned, LABEL).value == pytest.approx(expected, rel=1e-6)
    flat = np.concatenate([FEATURES, FEATURES[:, :2]], axis=1)  # a direction in which no images differ
    assert complexity.h_score(flat, LABEL).value == pytest.approx(expected, rel=1e-6)


def test_h_score_of_labels_at_random_is_what_its_text_says():
    random = np.random.default_rng(4)
    found = [complexity.h_score(random.normal(size=(200, 6)), np.arange(200) % 5).value for _ in range(200)]
    assert np.mean(found) == pytest.approx(6 * 4 / 199, rel=0.06)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_a_gaussian_of_few_dimensions_among_64_has_as_many(dimension):
    random = np.random.default_rng(5)
    axes = np.linalg.qr(random.normal(size=(64, 64)))[0][:dimension]
    found = complexity.intrinsic_dimension(random.normal(size=(3000, dimension)) @ axes)
    assert abs(found.value - dimension) < 4 * found.standard_error < 0.1 * dimension


def test_twonn_is_the_line_through_the_origin():
    first, second = complexity.nearest(FEATURES, 2).distance.T
    x = np.sort(np.log(second / first))[:144]
    y = -np.log(1 - np.arange(1, 145) / 160)
    assert complexity.intrinsic_dimension(FEATURES).value == pytest.approx(
        np.linalg.lstsq(x[:, None], y, rcond=None)[0][0], rel=1e-9
    )


def test_equal_images_are_left_out_of_the_dimension(caplog):
    doubled = np.concatenate([FEATURES, FEATURES[:9]])
    with caplog.at_level(logging.WARNING):
        found = complexity.intrinsic_dimension(doubled)
    assert found.n == 160 - 9 and "18 images are equal to another" in caplog.text


def test_diversity_is_the_distance_of_two_images_of_a_class():
    random = np.random.default_rng(6)
    found = []
    for _ in range(200):
        features = random.normal(size=(60, 8)) * 1.5 + 20 * (np.arange(60) % 2)[:, None]
        found.append(complexity.within_class_diversity(features, np.arange(60) % 2))
    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(1.5 * np.sqrt(2 * 8), rel=0.01)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(values.std(ddof=1), rel=0.15)


def test_widths_and_ratios_are_those_of_the_frequency_principle():
    assert FPrinciple().quantiles == complexity.QUANTILES
    random = np.random.default_rng(7)
    features, target = random.normal(size=(60, 4)), np.eye(3)[np.arange(60) % 3]
    weight = np.exp(-((features[:, None] - features) ** 2).sum(axis=2) / 3)
    groups = [slice(start, start + 3) for start in range(0, 60, 3)]
    there = _filtered(torch.from_numpy(weight), torch.zeros(60, 3).double(), torch.from_numpy(target), groups)
    np.testing.assert_allclose(
        low_ratios(weight, target, groups), there["label_low"] / there["label"], rtol=1e-9
    )


def test_ratios_are_those_of_a_slow_loop():
    squared = ((FEATURES[:, None] - FEATURES) ** 2).sum(axis=2)
    target = np.eye(4)[LABEL] - np.bincount(LABEL) / 160
    for quantile, found in zip(
        complexity.QUANTILES, complexity.label_low_ratios(FEATURES, LABEL).values(), strict=True
    ):
        weight = np.exp(-squared / 2 / np.quantile(squared[np.triu_indices(160, 1)], quantile))
        low = np.stack([(row[:, None] * target).sum(axis=0) / row.sum() for row in weight])
        assert found.value == pytest.approx((low**2).sum() / (target**2).sum(), rel=1e-9)


def test_standard_error_of_the_ratio_is_the_spread_over_repetitions():
    random = np.random.default_rng(8)
    found = []
    for _ in range(150):
        label = random.integers(0, 2, 120)
        features = random.normal(size=(120, 2)) + label[:, None]
        found.append(complexity.label_low_ratios(features, label)["lfr_1"])
    spread = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.25)


def amplitudes(images, label, parts=1):
    found = complexity.ClassAmplitudes(label.max() + 1)
    for part in np.array_split(np.arange(len(label)), parts):
        found.add(images[part], label[part])
    return found


def test_adcs_share_is_that_of_a_slow_loop_in_whatever_parts_images_come():
    random = np.random.default_rng(9)
    images, label = random.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), np.arange(30) % 3
    mean = [np.abs(np.fft.fft2(images[label == c] / 255.0, axes=(1, 2))).mean(axis=(0, 3)) for c in range(3)]
    radius = np.hypot(*np.meshgrid(8 * np.fft.fftfreq(8), 8 * np.fft.fftfreq(8)))
    rings = np.floor(radius + 0.5)
    total = [
        np.mean([np.abs(sum(np.sign(own - other) for other in mean))[rings == r].mean() / 2 for r in (1, 2, 3, 4)])
        for own in mean
    ]  # fmt: skip
    for parts in (1, 4):
        found = complexity.adcs_share(amplitudes(images, label, parts))
        assert found.value == pytest.approx(np.mean(total), rel=1e-9) and found.n == 30


def test_classes_that_differ_by_noise_alone_have_the_share_that_the_text_says():
    images = np.random.default_rng(10).integers(0, 256, (400, 16, 16, 1), dtype=np.uint8)
    assert complexity.adcs_share(amplitudes(images, np.arange(400) % 4)).value == pytest.approx(
        2 / 3, abs=0.05
    )
    assert complexity.adcs_share(amplitudes(images, np.arange(400) % 2)).value == 1


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (lambda: complexity.silhouette(np.eye(3), np.zeros(3, int)), "silhouette: 1 classes among 3 images"),
        (lambda: complexity.silhouette(np.eye(3), np.arange(3)), "silhouette: 3 classes among 3 images"),
        (lambda: complexity.csg(np.eye(3), np.zeros(3, int)), "csg: there is a single class"),
        (lambda: complexity.gbc(np.eye(3), np.zeros(3, int)), "gbc: there is a single class"),
        (lambda: complexity.gbc(np.eye(3), np.arange(3)), "gbc: images of a class don't differ"),
        (lambda: complexity.h_score(np.eye(3), np.zeros(3, int)), "h_score: there is a single class"),
        (
            lambda: complexity.h_score(FEATURES[:29], np.arange(29) % 2),
            "h_score: 29 images for 6 components, fewer than 5 each",
        ),
        (
            lambda: complexity.within_class_diversity(np.eye(3), np.array([0, 0, 1])),
            "within_class_diversity: a class has a single image",
        ),
        (lambda: complexity.intrinsic_dimension(np.eye(1)), "intrinsic_dimension: 1 images"),
        (lambda: complexity.intrinsic_dimension(FEATURES[:19]), "intrinsic_dimension: 19 images that differ"),
        (lambda: complexity.intrinsic_dimension(np.ones((30, 2))), "30 images are equal to another"),
        (
            lambda: complexity.label_low_ratios(np.eye(3), np.zeros(3, int))["lfr_1"],
            "label_low_ratios: there is a single class",
        ),
        (
            lambda: complexity.label_low_ratios(np.ones((3, 2)), np.arange(3))["lfr_1"],
            "label_low_ratios: all images are the same",
        ),
        (
            lambda: complexity.adcs_share(amplitudes(np.zeros((2, 8, 8, 1), np.uint8), np.array([1, 1]))),
            "adcs_share: a class has no image",
        ),
    ],
)
def test_what_does_not_exist_is_empty_and_the_log_says_why(caplog, measure, text):
    with caplog.at_level(logging.WARNING):
        found = measure()
    assert np.isnan(found.value) and np.isnan(found.standard_error)
    assert text in caplog.text
