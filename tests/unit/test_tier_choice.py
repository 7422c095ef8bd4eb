"""Which classes a tier is made of: sampled, nested in chains, or chosen by how alike they are."""

import itertools

import numpy as np
import pytest
from toy_tiers import (
    ALIKE,
    COUNT,
    NESTED,
    RINGS,
    TEXTURES,
    TURNS,
    family,
    pack_toy,
    write_images,
)

from spectral_priority.config.tiers import ClassCount, Images, Regroup, Similarity
from spectral_priority.data.images import TRAIN
from spectral_priority.similarity import closeness, mean_between, wu_palmer
from spectral_priority.tiers import make_tier
from spectral_priority.tiers.alike import OVERLAP_COST, alike
from spectral_priority.tiers.choose import sample
from spectral_priority.tiers.supply import Supply


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


@pytest.fixture(scope="module")
def similarity(images):
    return wu_palmer(TEXTURES, images.hierarchy("texture"))


def test_nested_chains_nest(images):
    for draw in range(3):
        made = [make_tier(images, NESTED, "c", str(k), draw) for k in NESTED.counts]
        for small, large in itertools.pairwise(made):
            assert set(small.class_names) < set(large.class_names)
        assert {one.facts["chain"] for one in made} == {f"c-d{draw}"}
    assert make_tier(images, COUNT, "c", "6", 0).facts["chain"] is None


def test_draws_sample_other_classes_and_say_how_many_they_share(images):
    first, second = (make_tier(images, COUNT, "c", "6", draw) for draw in (0, 1))
    assert first.class_names != second.class_names
    assert first.facts["overlap"] is None
    assert second.facts["overlap"] == pytest.approx(len(set(first.class_names) & set(second.class_names)) / 6)
    assert (first.facts["overlaps"], second.facts["overlaps"]) == ([], [second.facts["overlap"]])


def test_every_beginning_of_a_chain_can_be_filled_in_a_data_set_of_unequal_classes():
    random = np.random.default_rng(0)
    supply = Supply(random.integers(0, 300, 60), random.integers(0, 20, 60))
    wanted = Images(train=900, validation=60, probe=60)
    for draw in range(5):
        chains = {}
        for count in range(1, 60):
            enough = supply.enough(count, wanted, floor=10)
            if enough.sum() >= count:
                chains[count] = set(sample(supply, wanted, 10, count, True, 0, draw))
                assert enough[list(chains[count])].all()
        assert len(chains) > 10
        for small, large in itertools.pairwise(chains):
            assert chains[small] < chains[large]


def test_rarer_classes_catch_up_in_a_chain_once_they_can_fill_their_part():
    supply = Supply(np.repeat([1000, 100], 30), np.zeros(60, int))  # the rarer half is enough for ten classes
    first = [
        sample(supply, Images(train=900, validation=45, probe=45), 10, 25, True, 0, draw)
        for draw in range(20)
    ]
    rare = np.mean([(chain >= 30).sum() for chain in first])
    assert 11 < rare < 14.5  # about half, as in a sample that doesn't look at numbers of images
    assert all((sample(supply, Images(train=900), 10, 9, True, 0, draw) < 30).all() for draw in range(20))


def test_near_is_more_alike_than_mid_than_far(images, similarity):
    for draw in range(2):
        near, mid, far = (
            make_tier(images, ALIKE, "s", level, draw, similarity).facts["mean_similarity"]
            for level in ("near", "mid", "far")
        )
        assert near > mid > far


def test_near_draws_of_a_symmetric_hierarchy_are_its_branches_in_order(images, similarity):
    for draw in range(RINGS):
        made = make_tier(images, ALIKE, "s", "near", draw, similarity)
        assert made.class_names == TEXTURES[TURNS * draw : TURNS * (draw + 1)]
        assert made.facts["overlap"] == (0 if draw else None)


def test_near_and_far_are_what_enumeration_finds():
    similarity = closeness(np.random.default_rng(3).normal(size=(11, 3)))
    every = {
        chosen: mean_between(similarity, [[one] for one in chosen])[0]
        for chosen in itertools.combinations(range(11), 4)
    }
    assert tuple(alike(similarity, 4, "near", 0, 0).classes) == max(every, key=every.get)
    assert tuple(alike(similarity, 4, "far", 0, 0).classes) == min(every, key=every.get)
    middle = (max(every.values()) + min(every.values())) / 2
    mid = every[tuple(int(one) for one in alike(similarity, 4, "mid", 0, 0).classes)]
    assert abs(mid - middle) < 0.02 * (max(every.values()) - min(every.values()))


def small_similarity(seed):
    """A small similarity: of points, with no structure at all, or of leaves of a random tree (many ties)."""
    random = np.random.default_rng(seed)
    number = int(random.integers(6, 12))
    if seed % 3 == 0:
        return closeness(random.normal(size=(number, 3)))
    if seed % 3 == 1:
        values = np.triu(random.random((number, number)), 1)
        return values + values.T + np.eye(number)
    nodes, edges = ["root"], []
    for node in range(number + 6):
        edges.append((str(random.choice(nodes[:8])), f"node{node}"))
        nodes.append(f"node{node}")
    return wu_palmer(nodes[-number:], edges)


def cost_gaps(similarity, count, level, seed, draws=3):
    """How much dearer each draw is than the cheapest of all sets, in parts of the range from far to near."""
    sets = np.array(list(itertools.combinations(range(len(similarity)), count)))
    mean = np.array([mean_between(similarity, chosen[:, None])[0] for chosen in sets])
    low, high = mean.min(), mean.max()
    reached = {"near": -mean, "far": mean, "mid": np.abs(mean - (low + high) / 2)}[level]
    used, gaps = np.zeros(len(similarity), dtype=bool), []
    for draw in range(draws):
        choice = alike(similarity, count, level, seed, draw)
        assert (choice.farthest, choice.nearest) == (pytest.approx(low), pytest.approx(high))
        cost = reached + OVERLAP_COST * (high - low) * used[sets].mean(axis=1)
        own = cost[(sets == choice.classes).all(axis=1)][0]
        gaps.append((own - cost.min()) / (high - low))
        used[choice.classes] = True
    return gaps


@pytest.mark.parametrize("seed", range(12))
def test_every_draw_is_the_best_of_all_sets_once_overlap_is_paid_for(seed):
    similarity = small_similarity(seed)
    for count in (2, 4):
        for level in ("near", "far"):
            assert max(cost_gaps(similarity, count, level, seed)) < 1e-7
    assert max(cost_gaps(similarity, 4, "mid", seed)) < 0.1  # a search from random sets: near the best


def test_mid_is_nearly_always_the_best_of_all_sets():
    gaps = np.concatenate([cost_gaps(small_similarity(seed), 4, "mid", seed) for seed in range(12)])
    assert (gaps < 1e-3).mean() > 0.9


def test_a_manifest_tells_what_was_reached_and_what_could_be(images, similarity):
    every = [
        mean_between(similarity, [[one] for one in chosen])[0]
        for chosen in itertools.combinations(range(len(TEXTURES)), 4)
    ]
    made = {
        (level, draw): make_tier(images, ALIKE, "s", level, draw, similarity)
        for level in ("near", "mid", "far")
        for draw in range(3)
    }
    for (level, draw), one in made.items():
        low, high = one.facts["similarity_range"]
        assert (low, high) == (pytest.approx(min(every)), pytest.approx(max(every)))
        assert low <= one.facts["mean_similarity"] <= high
        earlier = [set(made[level, other].class_names) for other in range(draw)]
        own = set(one.class_names)
        assert one.facts["overlaps"] == [len(own & other) / 4 for other in earlier]
        assert one.facts["overlap"] == (len(own & set().union(*earlier)) / 4 if draw else None)
        assert one.facts["by"] == "hierarchy" and one.facts["exploratory"] is None
    first = [made[level, 0].facts["mean_similarity"] for level in ("far", "near")]
    assert first == made["mid", 2].facts["similarity_range"]


def test_a_choice_by_spectra_is_allowed_and_says_that_it_is_circular(images, similarity):
    for by in ("path", "feature", "spectral"):
        made = make_tier(images, ALIKE.model_copy(update={"by": by}), "s", "near", 0, similarity)
        assert made.facts["by"] == by
        assert bool(made.facts["exploratory"]) == (by == "spectral")
    assert "circular" in made.facts["exploratory"]


def test_draws_by_similarity_overlap_little_where_there_are_classes_enough():
    similarity = closeness(np.random.default_rng(3).normal(size=(200, 3)))
    for level in ("near", "mid", "far"):
        draws = [alike(similarity, 5, level, 0, draw) for draw in range(4)]
        assert max(draw.overlap for draw in draws) <= 0.2


def test_a_choice_of_all_classes_is_possible():
    similarity = closeness(np.random.default_rng(3).normal(size=(4, 3)))
    for level in ("near", "mid", "far"):
        assert alike(similarity, 4, level, 0, 1).classes.tolist() == [0, 1, 2, 3]
        assert alike(similarity, 4, level, 0, 1).overlap == 1


def test_classes_too_rare_are_left_out_and_listed(tmp_path):
    label = np.repeat(np.arange(5), [60, 60, 60, 60, 8])
    rare = write_images(
        tmp_path / "images.h5",
        {"class": label},
        {"class": ["a", "b", "c", "d", "rare"]},
        np.full(len(label), TRAIN),
    )
    small = Images(train=80, validation=10, probe=10)
    for options, level in (
        (family(ClassCount, label="class", counts=(4,), images=small), "4"),
        (family(Regroup, label="class", classes=4, groups=(2,), images=small), "2"),
        (family(Similarity, label="class", classes=4, images=small), "near"),
    ):
        made = make_tier(rare, options, "f", level, 0, closeness(np.arange(5.0)[:, None]))
        assert made.facts["excluded"] == ["rare"]
        assert sorted(itertools.chain(*(entry["members"] for entry in made.facts["classes"]))) == [
            "a",
            "b",
            "c",
            "d",
        ]
        assert made.facts["held_out"] == 0
