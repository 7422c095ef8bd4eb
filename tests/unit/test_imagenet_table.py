"""The built-in facts on ImageNet's 1,000 classes agree with each other, and with what is known elsewhere."""

import csv

from spectral_priority.data.hierarchy import (
    IMAGENET,
    TINY_IMAGENET,
    above,
    leaves,
    read_edges,
    read_ilsvrc_ids,
    read_titles,
)
from spectral_priority.similarity.hierarchy import wu_palmer

EDGES, IDS, TITLES = read_edges(IMAGENET), read_ilsvrc_ids(IMAGENET), read_titles(IMAGENET)
FIRST_IDS = [490, 361, 171, 822, 297, 482, 13, 704, 599, 164]
"""First lines of ILSVRC2012_validation_ground_truth.txt, as others quote them."""
FIRST_PLACES = [65, 970, 230, 809, 516, 57, 334, 415, 674, 332]
"""The same images' classes in Caffe's val.txt: places among the sorted WordNet ids."""

# fmt: off
KIT_FIRST = (
    "n02119789", "n02100735", "n02110185", "n02096294", "n02102040",
    "n02066245", "n02509815", "n02124075", "n02417914", "n02123394",
)
KIT_LAST = ("n02815834", "n09229709", "n07697313", "n03888605", "n03355925")
# fmt: on
"""Classes 1 … 10 and 991 … 995 of the development kit, as the documentation of MLDatasets.jl shows them."""


def test_there_are_a_thousand_classes_numbered_from_1_to_1000():
    assert sorted(IDS) == list(range(1, 1001))
    assert len(set(IDS.values())) == 1000
    assert leaves(EDGES) == set(IDS.values())
    assert len({node for edge in EDGES for node in edge}) == 1860, "the synsets of the development kit"


def test_known_classes_have_their_known_numbers_and_names():
    known = {
        1: "n02119789",
        2: "n02100735",
        3: "n02110185",
        490: "n01751748",
        361: "n09193705",
        1000: "n03255030",
    }
    assert {number: IDS[number] for number in known} == known
    assert TITLES["n02119789"] == "kit fox" and TITLES["n01440764"] == "tench"
    assert TITLES["n03255030"] == "dumbbell" and TITLES["n01751748"] == "sea snake"
    for number, wnid in {
        **dict(enumerate(KIT_FIRST, start=1)),
        **dict(enumerate(KIT_LAST, start=991)),
    }.items():
        assert IDS[number] == wnid
    places = sorted(IDS.values())
    assert places[0] == "n01440764" and places[999] == "n15075141"
    assert [places.index(IDS[number]) for number in FIRST_IDS] == FIRST_PLACES


def test_every_class_reaches_the_one_root():
    parents = {parent for parent, _ in EDGES}
    roots = parents - {child for _, child in EDGES}
    assert roots == {"n00001740"}
    for wnid in IDS.values():
        assert "n00001740" in {parent for parent, _ in above(EDGES, [wnid])}, wnid


def test_no_edge_and_no_number_is_there_twice():
    assert len(set(EDGES)) == len(EDGES)
    with IMAGENET.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    told = {}
    for row in rows:
        told.setdefault(row["child"], set()).add((row["title"], row["ilsvrc2012_id"]))
    assert all(len(values) == 1 for values in told.values())


def test_it_agrees_with_the_table_of_tiny_imagenet():
    tiny = read_edges(TINY_IMAGENET)
    nodes = {child for _, child in tiny}
    assert {edge for edge in EDGES if edge[1] in nodes} == set(tiny)
    assert {node: TITLES[node] for node in nodes} == read_titles(TINY_IMAGENET)
    classes = sorted(leaves(tiny))
    assert set(classes) <= set(IDS.values())
    some = classes[::20]
    assert (wu_palmer(some, EDGES) == wu_palmer(some, tiny)).all()


def test_likeness_follows_wordnet():
    foxes_and_pillow = ["n02119789", "n02119022", "n03938244"]  # kit fox, red fox, pillow
    similarity = wu_palmer(foxes_and_pillow, EDGES)
    assert similarity[0, 1] > 0.9 > 0.5 > similarity[0, 2]
