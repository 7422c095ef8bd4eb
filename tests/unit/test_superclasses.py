"""Superclasses: nodes at one depth of a hierarchy, each with equally many classes below it."""

import numpy as np
import pytest
from toy_tiers import EDGES, SHIFTED, SUPERCLASSES, TEXTURES, WANTED, family, pack_toy, write_images

from spectral_priority.config.tiers import Images, Superclasses
from spectral_priority.data.hierarchy import TINY_IMAGENET, leaves, read_edges
from spectral_priority.data.images import HELD_OUT, TRAIN
from spectral_priority.errors import InputError
from spectral_priority.tiers import make_tier
from spectral_priority.tiers.superclasses import members_at, sample_subclasses

ENTITY, ANIMAL, ARTIFACT, LIVING = "n00001740", "n00015388", "n00021939", "n00004258"
CLASSES = ["cat", "dog", "bat", "owl", "car", "toy car"]
GRAPH = [
    *(("thing", "animal"), ("thing", "vehicle"), ("thing", "toy"), ("animal", "mammal"), ("animal", "bird")),
    *(("mammal", "cat"), ("mammal", "dog"), ("mammal", "bat"), ("bird", "owl"), ("animal", "bat")),
    *(("vehicle", "car"), ("vehicle", "toy car"), ("toy", "toy car"), ("thing", "bat")),
]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


def names(members, classes=CLASSES):
    return {node: [classes[one] for one in below] for node, below in members.items()}


def test_members_of_nodes_at_each_depth_by_hand():
    assert names(members_at(CLASSES, GRAPH, "thing", 1)) == {
        "animal": ["cat", "dog", "owl"],
        "bat": ["bat"],  # the shortest way down to it is one edge
        "toy": ["toy car"],  # as near as vehicle, and before it by name
        "vehicle": ["car"],
    }
    assert names(members_at(CLASSES, GRAPH, "thing", 2)) == {
        "bird": ["owl"],
        "car": ["car"],
        "mammal": ["cat", "dog", "bat"],
        "toy car": ["toy car"],
    }
    assert names(members_at(CLASSES, GRAPH, "animal", 1)) == {
        "bat": ["bat"],
        "bird": ["owl"],
        "mammal": ["cat", "dog"],
    }
    assert members_at(CLASSES, GRAPH, "mammal", 3) == {}


def test_a_class_below_several_nodes_belongs_to_the_nearest():
    edges = [("root", "far"), ("root", "near"), ("far", "between"), ("between", "leaf"), ("near", "leaf")]
    assert members_at(["leaf"], edges, "root", 1) == {"near": [0]}
    order = [*reversed(edges)]
    assert members_at(["leaf"], order, "root", 1) == {"near": [0]}


@pytest.mark.parametrize(
    ("root", "depth", "nodes", "classes", "with_4", "with_8"),
    [
        (ENTITY, 3, 4, 200, 4, 3),
        (ENTITY, 4, 8, 200, 4, 4),
        (ENTITY, 5, 19, 199, 6, 4),
        (ENTITY, 6, 38, 197, 10, 5),
        (ENTITY, 7, 77, 193, 9, 7),
        (ENTITY, 8, 96, 178, 6, 3),
        (LIVING, 2, 1, 59, 1, 1),
        (LIVING, 3, 3, 59, 3, 3),
    ],
)
def test_superclasses_of_tiny_imagenet(root, depth, nodes, classes, with_4, with_8):
    edges = read_edges(TINY_IMAGENET)
    found = members_at(sorted(leaves(edges)), edges, root, depth)
    sizes = [len(members) for members in found.values()]
    assert (len(sizes), sum(sizes)) == (nodes, classes)
    assert (sum(size >= 4 for size in sizes), sum(size >= 8 for size in sizes)) == (with_4, with_8)
    chosen = [one for members in found.values() for one in members]
    assert len(set(chosen)) == len(chosen)  # nobody belongs to two


def test_living_things_and_artefacts_of_tiny_imagenet_are_told_apart():
    edges = read_edges(TINY_IMAGENET)
    found = members_at(sorted(leaves(edges)), edges, ENTITY, 4)
    assert {node: len(members) for node, members in found.items() if len(members) > 10} == {
        LIVING: 59,
        ARTIFACT: 118,
    }


def test_every_superclass_has_the_same_number_of_subclasses_and_images(images):
    made = make_tier(images, SUPERCLASSES, "nodes", "1", 0)
    assert made.facts["tier"] == "nodes-1-d0" and made.class_names == ["ring0", "ring1", "ring2"]
    for entry in made.facts["classes"]:
        assert len(entry["members"]) == 2 and "held_back" not in entry
        assert all(name.startswith(entry["name"]) for name in entry["members"])
    assert np.bincount(made.label["train"]).tolist() == [60, 60, 60]
    assert made.facts["images"] == WANTED.model_dump()


def test_draws_take_other_subclasses_and_say_how_many_they_share(images):
    made = [make_tier(images, SUPERCLASSES, "nodes", "1", draw) for draw in range(3)]
    members = [{name for entry in one.facts["classes"] for name in entry["members"]} for one in made]
    assert members[0] != members[1]
    assert made[0].facts["overlap"] is None and made[0].facts["overlaps"] == []
    assert made[2].facts["overlaps"] == [len(members[2] & other) / 6 for other in members[:2]]
    assert made[2].facts["overlap"] == len(members[2] & (members[0] | members[1])) / 6


def test_the_sample_of_a_superclass_does_not_depend_on_the_others():
    members, enough = {"a": [0, 1, 2, 3], "b": [4, 5, 6]}, np.ones(7, dtype=bool)
    both = sample_subclasses(members, enough, 2, seed=0, depth=1, draw=0)
    assert both["a"] == sample_subclasses({"a": members["a"]}, enough, 2, 0, 1, 0)["a"]
    enough[[4, 5]] = False
    assert list(sample_subclasses(members, enough, 2, 0, 1, 0)) == ["a"]


def test_a_shifted_probe_shows_subclasses_that_are_never_trained_on(images):
    for draw in range(3):
        made = make_tier(images, SHIFTED, "nodes", "1", draw)
        texture = np.array(TEXTURES)[images.labels("texture")]
        trained = {name for entry in made.facts["classes"] for name in entry["members"]}
        held_back = {name for entry in made.facts["classes"] for name in entry["held_back"]}
        assert len(trained) == len(held_back) == 6 and not trained & held_back
        for part in ("train", "validation"):
            assert set(texture[made.index[part]]) == trained
        assert set(texture[made.index["probe"]]) == held_back
        ring = images.labels("ring")
        for part in ("train", "validation", "probe"):  # the superclass is the label, of both halves
            np.testing.assert_array_equal(made.label[part], ring[made.index[part]])
        assert (images.split[made.index["probe"]] == HELD_OUT).all()


def test_superclasses_with_too_few_images_fall_out_and_leave_more_for_each(tmp_path):
    number = np.array([60, 60, 60, 60, 60, 3])  # the last superclass has one rare subclass
    label = np.repeat(np.arange(6), number)
    edges = [("top", node) for node in "abc"] + [(node, f"{node}{one}") for node in "abc" for one in range(2)]
    rare = write_images(
        tmp_path / "images.h5",
        {"class": label},
        {"class": [f"{node}{one}" for node in "abc" for one in range(2)]},
        np.full(len(label), TRAIN),
        {"class": edges},
    )
    options = family(
        Superclasses,
        label="class",
        root="top",
        depths=(1,),
        subclasses=2,
        images=Images(train=120, validation=12, probe=12),
    )
    made = make_tier(rare, options, "nodes", "1", 0)
    assert made.class_names == ["a", "b"] and made.facts["excluded"] == ["c1"]
    assert np.bincount(made.label["train"]).tolist() == [60, 60]


REFUSALS = [
    ({"root": "elsewhere"}, r"^tiers\.f\.root: found 'elsewhere', but the hierarchy of label 'texture' of data set "
     r"toy has no such node\. Allowed: a node of it, such as texture\.$"),
    ({"label": "shape"}, r"^tiers\.f\.root: found 'texture', but label 'shape' of data set toy has no hierarchy"),
    ({"subclasses": 5}, r"^tiers\.f\.depths: found 1: of the 3 nodes so far below texture, 0 have 5 subclasses with "
     r"enough images\. Allowed: at least 2 such nodes; the largest have 4, 4, 4\. What to do: choose another depth"),
    ({"images": Images(train=600)}, r"^tiers\.f\.depths: found 1: of the 3 nodes so far below texture, 0 have 2 subcl"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "text"), REFUSALS)
def test_what_the_hierarchy_can_not_give_is_refused_by_field(images, change, text):
    with pytest.raises(InputError, match=text):
        make_tier(images, SUPERCLASSES.model_copy(update=change), "f", "1", 0)


def test_half_of_an_odd_number_of_subclasses_is_refused():
    with pytest.raises(ValueError, match="found 3, which has no half; shift needs an even number"):
        family(Superclasses, root="texture", depths=(1,), subclasses=3, shift="subclasses")


def test_the_toy_tree_has_twelve_superclasses_of_one_at_its_leaves():
    assert members_at(TEXTURES, EDGES, "texture", 2) == {name: [one] for one, name in enumerate(TEXTURES)}
