"""Class similarity: Wu–Palmer in a hierarchy, closeness of class means, and its file."""

import logging
from itertools import pairwise

import numpy as np
import pytest

from spectral_priority.errors import InputError
from spectral_priority.similarity import (
    class_means,
    closeness,
    log_spectra,
    mean_between,
    path_similarity,
    read_similarity,
    write_similarity,
    wu_palmer,
)
from spectral_priority.similarity.points import blocks, shares

TREE = [
    ("thing", "animal"),
    ("thing", "vehicle"),
    ("animal", "cat"),
    ("animal", "reptile"),
    ("reptile", "turtle"),
    ("reptile", "tortoise"),
    ("vehicle", "car"),
]


def all_paths(node, edges):
    """Every way from a node up to a root, as lists of nodes."""
    above = [parent for parent, child in edges if child == node]
    if not above:
        return [[node]]
    return [[node, *path] for parent in above for path in all_paths(parent, edges)]


def slow_wu_palmer(one, other, edges):
    """Go through all pairs of paths: the definition, without a graph."""
    best = 0.0
    for left in all_paths(one, edges):
        for right in all_paths(other, edges):
            for ancestor in set(left) & set(right):
                depth = min(len(path) for path in all_paths(ancestor, edges))
                up = left.index(ancestor) + right.index(ancestor)
                best = max(best, 2 * depth / (up + 2 * depth))
    return best


def test_wu_palmer_of_a_tree_by_hand():
    found = wu_palmer(["cat", "turtle", "tortoise", "car"], TREE)
    # depths: thing 1, animal 2, reptile 3, cat 3, turtle and tortoise 4, vehicle 2, car 3
    expected = [
        [1, 2 * 2 / (3 + 4), 2 * 2 / (3 + 4), 2 * 1 / (3 + 3)],
        [4 / 7, 1, 2 * 3 / (4 + 4), 2 * 1 / (4 + 3)],
        [4 / 7, 6 / 8, 1, 2 / 7],
        [2 / 6, 2 / 7, 2 / 7, 1],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_turtles_are_nearer_to_tortoises_than_cats_are():
    cat_tortoise, turtle_tortoise = wu_palmer(["cat", "turtle", "tortoise"], TREE)[2, :2]
    assert turtle_tortoise > cat_tortoise


def slow_path(one, other, edges):
    """Go through all pairs of paths that meet; the shortest counts."""
    edges_between = [
        left.index(ancestor) + right.index(ancestor)
        for left in all_paths(one, edges)
        for right in all_paths(other, edges)
        for ancestor in set(left) & set(right)
    ]
    return 1 / (1 + min(edges_between))


def test_path_similarity_of_a_tree_by_hand():
    found = path_similarity(["cat", "turtle", "tortoise", "car"], TREE)
    expected = [
        [1, 1 / 4, 1 / 4, 1 / 5],
        [1 / 4, 1, 1 / 3, 1 / 6],
        [1 / 4, 1 / 3, 1, 1 / 6],
        [1 / 5, 1 / 6, 1 / 6, 1],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_paths_do_not_look_at_depth_and_wu_palmer_does():
    deep = [
        ("root", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "left"),
        ("c", "right"),
        ("root", "x"),
        ("root", "y"),
    ]
    classes = ["left", "right", "x", "y"]
    by_path, by_depth = path_similarity(classes, deep), wu_palmer(classes, deep)
    assert by_path[0, 1] == by_path[2, 3] == 1 / 3
    assert by_depth[0, 1] > by_depth[2, 3]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("fast", "slow"), [(wu_palmer, slow_wu_palmer), (path_similarity, slow_path)])
def test_similarity_in_a_graph_with_several_parents_equals_the_slow_reference(seed, fast, slow):
    random = np.random.default_rng(seed)
    nodes = ["root"]
    edges = []
    for number in range(16):
        for parent in random.choice(nodes, size=min(len(nodes), int(random.integers(1, 4))), replace=False):
            edges.append((str(parent), f"node{number}"))
        nodes.append(f"node{number}")
    classes = nodes[5:]  # some classes lie above others
    found = fast(classes, edges)
    expected = [[slow(one, other, edges) for other in classes] for one in classes]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found.max() == 1.0 and (found[~np.eye(len(classes), dtype=bool)] < 1).all()


def test_several_roots_are_joined_by_a_virtual_one():
    two_trees = [("animal", "cat"), ("animal", "dog"), ("vehicle", "car")]
    joined = [("anything", "animal"), ("anything", "vehicle"), *two_trees]
    classes = ["cat", "dog", "car"]
    np.testing.assert_array_equal(wu_palmer(classes, two_trees), wu_palmer(classes, joined))


def test_a_hierarchy_that_lacks_a_class_is_refused():
    with pytest.raises(
        InputError, match=r"images\.h5: does not hold the classes dog, horse\. Allowed: .*add an edge"
    ):
        wu_palmer(["cat", "dog", "horse"], TREE, "images.h5")


def test_a_hierarchy_that_goes_in_a_circle_is_refused():
    circle = [("root", "a"), ("a", "b"), ("b", "a"), ("b", "leaf")]
    with pytest.raises(InputError, match="goes in a circle through a, b"):
        wu_palmer(["leaf"], circle)


def test_without_a_hierarchy_nothing_is_known(caplog):
    with caplog.at_level(logging.WARNING):
        found = wu_palmer(["cat", "dog"], [])
    np.testing.assert_array_equal(found, path_similarity(["cat", "dog"], []))
    assert np.isnan(found[0, 1]) and found[0, 0] == 1
    assert "has no hierarchy" in caplog.text


def test_closeness_does_not_depend_on_the_unit_and_falls_with_distance():
    points = np.random.default_rng(0).normal(size=(7, 3))
    found = closeness(points)
    np.testing.assert_allclose(found, closeness(1000 * points), rtol=1e-9)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 1)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    off = ~np.eye(7, dtype=bool)
    assert (
        np.corrcoef(np.argsort(np.argsort(distance[off])), np.argsort(np.argsort(found[off])))[0, 1] < -0.99
    )
    np.testing.assert_allclose(found, 1 / (1 + distance / np.median(distance[off])), rtol=1e-9)


def test_classes_with_the_same_mean_are_fully_alike():
    np.testing.assert_array_equal(closeness(np.ones((3, 2))), np.ones((3, 3)))


def test_a_class_without_images_has_no_similarity():
    found = closeness(np.array([[0.0], [np.nan], [1.0]]))
    assert np.isnan(found[0, 1]) and found[1, 1] == 1 and found[0, 2] == 0.5


def test_class_means_do_not_depend_on_blocks(monkeypatch):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (50, 4, 4, 3)).astype(np.uint8)
    index, label = np.arange(1, 50, 2), random.integers(0, 3, 25)

    def flat(block):
        return block.reshape(len(block), -1).astype(float)

    expected = [pixels[index[label == one]].reshape(-1, 48).mean(axis=0) for one in range(3)]
    np.testing.assert_allclose(class_means(flat, pixels, index, label, 3), expected)
    monkeypatch.setattr("spectral_priority.similarity.points.BLOCK_BYTES", 200)
    assert len(blocks(pixels, index)) > 5
    np.testing.assert_allclose(class_means(flat, pixels, index, label, 3), expected)


def test_constant_images_do_not_enter_a_mean_spectrum():
    power = np.array([[1.0, 3.0], [0.0, 1e-25], [2.0, 2.0]])
    pixels, index, label = np.zeros((3, 1, 1, 1), np.uint8), np.arange(3), np.array([0, 0, 1])
    found = class_means(lambda _: shares(power), pixels, index, label, 3)
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.5, 0.5], [np.nan, np.nan]])


def test_spectral_similarity_does_not_depend_on_contrast():
    power = np.random.default_rng(0).random((4, 8))
    assert np.allclose(log_spectra(shares(power)), log_spectra(shares(9 * power)))


def test_mean_between_one_class_per_group_is_the_mean_of_all_pairs():
    similarity = closeness(np.random.default_rng(0).normal(size=(5, 2)))
    mean, pairs = mean_between(similarity, [[0], [1], [2], [3], [4]])
    assert pairs == 10
    assert mean == pytest.approx(similarity[np.triu_indices(5, 1)].mean())


def test_mean_between_leaves_out_pairs_within_a_group():
    similarity = closeness(np.random.default_rng(0).normal(size=(5, 2)))
    groups = [[3, 0], [1], [4, 2]]
    expected = [
        similarity[a, b]
        for i, one in enumerate(groups)
        for other in groups[i + 1 :]
        for a in one
        for b in other
    ]
    mean, pairs = mean_between(similarity, groups)
    assert pairs == len(expected) == 8
    assert mean == pytest.approx(np.mean(expected))


def test_a_similarity_reads_back_as_written(tmp_path):
    classes = ["001", "nan", "class, quoted"]
    similarity = closeness(np.array([[0.1], [np.nan], [1.7]]))
    write_similarity(tmp_path / "feature.csv", classes, similarity)
    assert (tmp_path / "feature.csv").read_text().splitlines()[0] == 'class,001,nan,"class, quoted"'
    np.testing.assert_array_equal(read_similarity(tmp_path / "feature.csv", classes), similarity)


def test_a_similarity_of_other_classes_is_refused(tmp_path):
    write_similarity(tmp_path / "feature.csv", ["a", "b"], np.eye(2))
    with pytest.raises(
        InputError, match=r"feature\.csv: holds 2 classes \(a, b, …\)\. .* the 2 classes .*\(b, a"
    ):
        read_similarity(tmp_path / "feature.csv", ["b", "a"])


def test_a_similarity_that_is_not_symmetric_is_refused(tmp_path):
    write_similarity(tmp_path / "feature.csv", ["a", "b"], np.array([[1, 0.2], [0.3, 1]]))
    with pytest.raises(InputError, match="is not symmetric"):
        read_similarity(tmp_path / "feature.csv", ["a", "b"])


def test_similarity_falls_with_the_distance_along_a_chain():
    chain = list(pairwise(["root", *"abcdef"]))
    found = wu_palmer(list("abcdef"), chain)
    assert (np.diff(found[-1]) > 0).all()
