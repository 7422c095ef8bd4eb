"""Images that belong together (a patient's, duplicates) never lie in two parts of a tier."""

import itertools

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tiers import program
from toy_tiers import (
    ALIKE,
    COUNT,
    LABELS,
    NESTED,
    PER_CLASS,
    REGROUP,
    SHIFTED,
    SUPERCLASSES,
    TEXTURES,
    WANTED,
    family,
    pack_toy,
)

from spectral_priority.config.tiers import ClassCount, Images
from spectral_priority.data.duplicates import COLUMNS
from spectral_priority.data.images import HELD_OUT, TRAIN, PackedImages
from spectral_priority.data.manifest import PARTS, read_manifest
from spectral_priority.data.together import (
    Pairs,
    Together,
    belonging_together,
    components,
    load_pairs,
)
from spectral_priority.errors import InputError
from spectral_priority.similarity import wu_palmer
from spectral_priority.tiers import make_tier
from spectral_priority.tiers.refusals import check_split
from spectral_priority.tiers.split import Split, _walk, allocate, split_images
from spectral_priority.tiers.supply import supply_of

FAMILIES = [
    (LABELS, "ring"),
    (REGROUP, "3"),
    (COUNT, "8"),
    (NESTED, "6"),
    (PER_CLASS, "8"),
    (ALIKE, "mid"),
    (SUPERCLASSES, "1"),
    (SHIFTED, "1"),
]
NOTHING = np.zeros((0, 2), dtype=np.int64)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


@pytest.fixture(scope="module")
def similarity(images):
    return wu_palmer(TEXTURES, images.hierarchy("texture"))


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Every five images of a texture are of one patient; patients straddle the data set's own splits."""
    path = tmp_path_factory.mktemp("patients") / "images.h5"
    number = len(pack_toy(path))
    texture, turn = np.arange(number) % 12, np.random.default_rng(2).permutation(number // 12)
    names = [f"{kind}-{turn[place // 12] // 5}" for place, kind in enumerate(texture)]
    with h5py.File(path, "a") as file:
        file.create_dataset("group", data=np.array(names, dtype=object), dtype=h5py.string_dtype())
    return PackedImages(path)


def pairs_across(images, number, seed=0):
    """Pairs of a training and a held-out image of one class each, as (identical, near)."""
    random = np.random.default_rng(seed)
    texture, found = images.labels("texture"), []
    for kind in range(12):
        own = [np.flatnonzero((texture == kind) & (images.split == split)) for split in (TRAIN, HELD_OUT)]
        found.append(np.stack([random.choice(part, number, replace=False) for part in own], axis=1))
    pairs = np.concatenate(found)
    return Pairs(pairs[::2], pairs[1::2])


def parts_of(made):
    """The part of every chosen image, by its place in images.h5."""
    return {int(one): part for part in PARTS for one in made.index[part]}


def counts_by_class(images, made, part):
    counts = np.bincount(images.labels("texture")[made.index[part]], minlength=12)
    return counts[counts > 0]


@pytest.mark.parametrize(("options", "level"), FAMILIES)
def test_images_that_show_the_same_never_lie_in_two_parts(images, similarity, options, level):
    duplicates = pairs_across(images, 2)
    split_by_chance = 0
    for draw in range(2):
        made = make_tier(images, options, "f", level, draw, similarity, duplicates)
        parts = parts_of(made)
        for first, second in np.concatenate(duplicates):
            assert parts.get(first, "none") == parts.get(second, "none") or "none" in (
                parts.get(first, "none"),
                parts.get(second, "none"),
            )
        careless = make_tier(
            images, options.model_copy(update={"apart": "none"}), "f", level, draw, similarity, duplicates
        )
        parts = parts_of(careless)
        split_by_chance += sum(
            first in parts and second in parts and parts[first] != parts[second]
            for first, second in np.concatenate(duplicates)
        )
        assert made.facts["images"] == careless.facts["images"]
        assert made.facts["apart"]["pairs"] == 24 and careless.facts["apart"]["pairs"] == 0
        if options is not LABELS:
            for part in PARTS:
                counts = counts_by_class(images, made, part)
                assert counts.max() - counts.min() <= 1
    assert split_by_chance > 0  # or this test would hold of anything


@pytest.mark.parametrize(("options", "level"), FAMILIES)
def test_patients_never_lie_in_two_parts(patients, similarity, options, level):
    if (
        options is not PER_CLASS
    ):  # few enough that two whole patients of each class are left for the other parts
        few = Images(train=72, validation=12, probe=12)
        options = options.model_copy(update={"images": few, "floor": 5})
    made = make_tier(patients, options, "f", level, 0, similarity)
    seen = [set(patients.group[made.index[part]]) for part in PARTS]
    assert not any(one & other for one, other in itertools.combinations(seen, 2))
    assert made.facts["apart"]["left_out"] > 0
    careless = make_tier(patients, options.model_copy(update={"apart": "none"}), "f", level, 0, similarity)
    seen = [set(patients.group[careless.index[part]]) for part in PARTS]
    assert any(one & other for one, other in itertools.combinations(seen, 2))


def test_near_duplicates_may_lie_apart_where_only_identical_images_are_kept_together(images):
    duplicates = pairs_across(images, 3)
    made = make_tier(images, COUNT.model_copy(update={"apart": "identical"}), "c", "8", 0, None, duplicates)
    parts = parts_of(made)

    def apart(pairs):
        return sum(a in parts and b in parts and parts[a] != parts[b] for a, b in pairs)

    assert apart(duplicates.identical) == 0 < apart(duplicates.near)


def test_the_held_out_twin_of_a_trained_image_is_left_out_and_counted(images):
    duplicates = pairs_across(images, 4)
    made = make_tier(images, COUNT, "c", "6", 0, None, duplicates)
    trained = set(made.index["train"].tolist())
    twins = [held for train, held in np.concatenate(duplicates) if train in trained]
    assert twins and not set(twins) & set(parts_of(made))
    assert made.facts["apart"]["left_out"] == len(twins)


def test_identical_images_of_two_classes_of_a_task_are_in_no_part(images):
    texture = images.labels("texture")
    one, other, third = (np.flatnonzero(texture == kind)[:3] for kind in (0, 5, 9))
    duplicates = Pairs(np.stack([one, other], axis=1), np.stack([one, third], axis=1))
    whole = make_tier(images, REGROUP, "r", "3", 0, None, duplicates)
    assert not {*one.tolist(), *other.tolist()} & set(parts_of(whole))
    assert whole.facts["apart"]["contradicting"] == 6
    for draw in range(4):  # in a task with one of the two classes nothing contradicts
        made = make_tier(images, COUNT, "c", "6", draw, None, duplicates)
        both = {TEXTURES[0], TEXTURES[5]} <= set(made.class_names)
        assert made.facts["apart"]["contradicting"] == (6 if both else 0)


def test_without_groups_and_pairs_nothing_changes(images, similarity):
    for options, level in FAMILIES:
        made = make_tier(images, options, "f", level, 1, similarity, Pairs(NOTHING, NOTHING))
        plain = make_tier(images, options, "f", level, 1, similarity)
        assert made.facts == plain.facts
        for part in PARTS:
            np.testing.assert_array_equal(made.index[part], plain.index[part])


def test_patients_too_few_for_three_parts_are_refused_by_field(tmp_path):
    path = tmp_path / "images.h5"
    texture = pack_toy(path).labels("texture")
    with h5py.File(path, "a") as file:  # two patients a texture
        names = [f"{kind}-{place // 12 % 2}" for place, kind in enumerate(texture)]
        file.create_dataset("group", data=np.array(names, dtype=object), dtype=h5py.string_dtype())
    with pytest.raises(
        InputError,
        match=r"^tiers\.c\.counts: found 12, but only 0 of the 12 classes .* 10 held out, some of which belong "
        r"together and so stay in one part",
    ):
        make_tier(PackedImages(path), COUNT, "c", "12", 0)
    with h5py.File(path, "a") as file:  # two patients in all
        file["group"][:] = np.array([str(place // 12 % 2) for place in range(len(texture))], dtype=object)
    with pytest.raises(
        InputError,
        match=r"^tiers\.l\.images\.validation: found 48, but images that belong together .* which leaves 0\. .* lower "
        r"tiers\.l\.images, or keep less together \(tiers\.l\.apart\)",
    ):
        make_tier(PackedImages(path), LABELS, "l", "ring", 0)


def test_parts_that_are_not_even_are_refused_with_the_class_that_has_least():
    index = {"train": np.arange(6), "validation": np.arange(6, 8), "probe": np.arange(8, 10)}
    cells = dict.fromkeys(PARTS, np.array([0, 0, 0, 0, 0, 1, 0, 1, 0, 1]))
    asked = (Images(train=6, validation=2, probe=2), {part: ["cat", "dog"] for part in PARTS}, "f")
    with pytest.raises(
        InputError,
        match=r"^tiers\.f\.images\.train: found 6, .* which leaves 6: 1 of 'dog', 5 of others\. Allowed",
    ):
        check_split(Split(index, 0), cells, *asked, True)
    check_split(Split(index, 0), cells, *asked, False)


class Rows:
    """What `supply_of` asks of packed images."""

    def __init__(self, label, split, classes):
        self.label, self.split, self.classes = label, split, {"class": list(map(str, range(classes)))}

    def labels(self, column):
        return self.label


@pytest.mark.parametrize("part", range(4))
def test_classes_that_are_said_to_have_enough_do_have_enough_in_whole_clusters(part):
    refused_by_clusters = filled = 0
    for seed in range(50 * part, 50 * part + 50):
        random = np.random.default_rng(seed)
        classes = int(random.integers(3, 8))
        label = np.repeat(np.arange(classes), random.integers(10, 90, classes))
        split = (random.random(len(label)) < random.choice([0, 0.2])).astype(np.uint8)
        patient = np.concatenate(  # of up to seven images of one class
            [1000 * kind + np.cumsum(random.random((label == kind).sum()) < random.choice([0.15, 0.5, 1.0]))
             for kind in range(classes)]
        )  # fmt: skip
        cluster = np.unique(patient, return_inverse=True)[1]
        images = Rows(label, split, classes)
        supply = supply_of(images, "class", Together(cluster, np.arange(len(label)), 0))
        plain = supply_of(images, "class")
        np.testing.assert_array_equal(plain.train, supply.train)
        for count in range(2, classes + 1):
            wanted = Images(train=20 * count, validation=4 * count, probe=5 * count)
            enough = supply.enough(count, wanted, 5)
            assert not (enough & ~plain.enough(count, wanted, 5)).any()
            refused_by_clusters += int((plain.enough(count, wanted, 5) & ~enough).sum())
            if enough.sum() >= count:
                members = np.flatnonzero(enough)[:count]
                cell = np.where(np.isin(label, members), np.searchsorted(members, label), -1)
                found = split_images(cell, split, wanted, seed, cluster=cluster)
                for name in PARTS:
                    assert set(np.bincount(cell[found.index[name]], minlength=count)) == {
                        getattr(wanted, name) // count
                    }
                filled += 1
    assert refused_by_clusters > 20 and filled > 50


def test_images_that_contradict_another_class_are_not_counted():
    label, split = np.repeat([0, 1, 2], 10), np.zeros(30, dtype=np.uint8)
    picture = np.arange(30)
    picture[10:13] = [0, 1, 2]
    supply = supply_of(Rows(label, split, 3), "class", Together(picture, picture, 3))
    assert supply.train.tolist() == [7, 7, 10]


def test_where_chance_leaves_a_part_short_the_largest_clusters_are_trained_on():
    cluster = np.repeat([0, 1, 2], [60, 60, 100])
    cell, split = np.zeros(220, dtype=int), np.full(220, TRAIN)
    for seed in range(20):
        found = split_images(cell, split, Images(train=100, validation=60, probe=60), seed, cluster=cluster)
        assert [len(found.index[part]) for part in PARTS] == [100, 60, 60]
        assert set(cluster[found.index["train"]]) == {2}


def slow_split(cell, split, images, preference, order, cluster):
    """Walk through clusters one by one, as the docstring says it."""
    owner, index = {}, {}
    first = {one: int(np.flatnonzero(cluster == one)[0]) for one in set(cluster.tolist())}
    for turn, part in enumerate(("train", "probe", "validation")):
        free = [
            place
            for place in range(len(cell))
            if cell[place] >= 0 and cluster[place] not in owner and (part != "train" or split[place] == TRAIN)
        ]
        capacity = np.bincount(cell[free], minlength=len(order)) if free else np.zeros(len(order), int)
        left = allocate(min(getattr(images, part), int(capacity.sum())), capacity, np.roll(order, turn))

        def later(place, part=part):
            return 0 if part == "train" else int(split[place] != HELD_OUT)

        queue = sorted(
            {int(cluster[place]) for place in free},
            key=lambda one: (
                min(later(place) for place in free if cluster[place] == one) + preference[first[one]]
            ),
        )
        index[part] = []
        for one in queue:
            members = sorted(
                (place for place in free if cluster[place] == one),
                key=lambda place: later(place) + preference[place],
            )
            for place in members:
                if left[cell[place]]:
                    left[cell[place]] -= 1
                    index[part].append(place)
                    owner[one] = part
    return {part: sorted(places) for part, places in index.items()}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_the_split_is_what_a_walk_through_the_clusters_gives(seed):
    random = np.random.default_rng(seed)
    number, cells = int(random.integers(20, 60)), int(random.integers(1, 4))
    cell = random.integers(-1, cells, number)
    cell[:cells] = np.arange(cells)
    split = random.integers(0, 2, number)
    links = random.integers(0, number, (int(random.integers(0, 25)), 2))
    cluster = components(number, links)
    wanted = Images(train=int(random.integers(1, 15)), validation=3, probe=4)
    preference, order = random.random(number), random.permutation(cells)
    parts = {"train": cell, "probe": cell, "validation": cell}
    found = _walk(parts, split, wanted, preference, order, cluster, False)
    expected = slow_split(cell, split, wanted, preference, order, cluster)
    assert {part: places.tolist() for part, places in found.index.items()} == expected
    chosen = np.concatenate(list(found.index.values()))
    same = np.isin(cluster, cluster[chosen]) & (cell >= 0)
    assert found.left_out == same.sum() - len(chosen)


def test_a_chain_of_pairs_and_a_patient_are_one_cluster(patients):
    one = int(np.flatnonzero(patients.group == 3)[0])
    far = [int(np.flatnonzero(patients.group == number)[0]) for number in (7, 8)]
    chain = np.array([[one, far[0]], [far[0], far[1]]])
    found = belonging_together(patients, "near", Pairs(NOTHING, chain)).cluster
    members = np.flatnonzero(np.isin(patients.group, (3, 7, 8)))
    assert len(set(found[members])) == 1
    assert (found == found[one]).sum() == len(members)


def test_images_of_no_known_patient_are_each_their_own(tmp_path):
    path = tmp_path / "images.h5"
    number = len(pack_toy(path))
    with h5py.File(path, "a") as file:
        names = ["anna", "anna", *[""] * (number - 2)]
        file.create_dataset("group", data=np.array(names, dtype=object), dtype=h5py.string_dtype())
    found = belonging_together(PackedImages(path), "near", None).cluster
    assert len(set(found)) == number - 1 and found[0] == found[1]


def test_the_program_reads_duplicates_and_says_what_was_left_out(images, tmp_path):
    duplicates = pairs_across(images, 4)
    rows = [
        (*pair, kind, 0.0)
        for kind, pairs in zip(("identical", "near"), duplicates, strict=True)
        for pair in pairs
    ]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(tmp_path / "duplicates.csv", index=False)
    read = load_pairs(tmp_path / "duplicates.csv", len(images))
    for found, expected in zip(read, duplicates, strict=True):
        np.testing.assert_array_equal(found, expected)
    done = program(
        "--images", images.path, "--draw", 0, "--duplicates", tmp_path / "duplicates.csv",
        "--tier", "c-6-d0", "--family", "c", "--level", 6, "--options", COUNT.model_dump_json(),
        "--manifest", tmp_path / "c.json", "--indices", tmp_path / "c.npz",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    left_out = make_tier(images, COUNT, "c", "6", 0, None, duplicates).facts["apart"]["left_out"]
    facts = read_manifest(tmp_path / "c.json", tmp_path / "c.npz").facts
    assert facts["apart"] == {"by": "near", "pairs": 48, "left_out": left_out, "contradicting": 0}
    assert f"left out: {left_out} images that belong together with chosen ones" in done.stderr


def test_a_part_may_hold_two_images_that_show_the_same(images):
    texture = images.labels("texture")
    twins = np.stack([np.flatnonzero(texture == kind)[:2] for kind in range(12)])
    everything = family(ClassCount, counts=(12,), images=Images(train=480, validation=48, probe=48))
    made = make_tier(images, everything, "c", "12", 0, None, Pairs(twins, NOTHING))
    assert set(twins.ravel().tolist()) <= set(made.index["train"].tolist())
    assert made.facts["images"] == {**WANTED.model_dump(), "train": 480}
