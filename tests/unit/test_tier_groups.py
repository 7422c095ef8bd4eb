"""Regrouped tiers: one image set, its classes in groups."""

import itertools

import numpy as np
import pytest
from toy_tiers import (
    REGROUP,
    TEXTURES,
    TURNS,
    pack_toy,
)

from spectral_priority.data.manifest import PARTS
from spectral_priority.errors import InputError
from spectral_priority.similarity import closeness, mean_between, wu_palmer
from spectral_priority.tiers import make_tier
from spectral_priority.tiers.groups import hierarchy_groups, number_of_groupings, random_groups, sizes


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return pack_toy(tmp_path_factory.mktemp("toy") / "images.h5")


@pytest.fixture(scope="module")
def similarity(images):
    return wu_palmer(TEXTURES, images.hierarchy("texture"))


def test_all_groupings_and_draws_of_a_regroup_family_share_their_images(images):
    made = [make_tier(images, REGROUP, "r", str(k), draw) for k in (2, 3, 5, 6) for draw in range(3)]
    made.append(make_tier(images, REGROUP, "r", "12", 0))
    for other in made[1:]:
        for part in PARTS:
            np.testing.assert_array_equal(made[0].index[part], other.index[part])
    maps = {tuple(map(tuple, (entry["members"] for entry in one.facts["classes"]))) for one in made}
    assert len(maps) == len(made)


def test_groups_are_of_equal_size_to_one_class(images):
    for k in REGROUP.groups:
        made = make_tier(images, REGROUP, "r", str(k), 0)
        members = [entry["members"] for entry in made.facts["classes"]]
        assert len(members) == k
        assert {len(group) for group in members} <= {12 // k, 12 // k + 1}
        assert sorted(itertools.chain(*members)) == sorted(TEXTURES)


def test_a_group_of_one_class_keeps_its_name_and_title(images):
    made = make_tier(images, REGROUP, "r", "12", 0)
    assert made.facts["classes"][0] == {
        "name": "ring0-turn0",
        "title": "broad stripes",
        "members": ["ring0-turn0"],
    }
    made = make_tier(images, REGROUP, "r", "2", 0)
    assert made.class_names == ["group-0", "group-1"]
    assert made.facts["classes"][0]["title"].endswith(" and 3 more")


def test_random_draws_go_through_all_groupings_then_stop():
    found = [random_groups(5, 2, seed=1, draw=draw) for draw in range(10)]
    assert len({str(one) for one in found}) == number_of_groupings(5, 2) == 10
    with pytest.raises(
        InputError, match=r"draw 10 is asked for, but only 10 different groupings of 5 classes into 2"
    ):
        random_groups(5, 2, seed=1, draw=10)


@pytest.mark.parametrize(("classes", "groups"), [(4, 2), (6, 3), (7, 3), (6, 4), (5, 5)])
def test_the_number_of_groupings_is_that_of_enumeration(classes, groups):
    found = set()
    for row in itertools.permutations(range(classes)):
        cuts = np.split(np.array(row), np.cumsum(sizes(classes, groups))[:-1])
        found.add(tuple(sorted(tuple(sorted(map(int, cut))) for cut in cuts)))
    assert number_of_groupings(classes, groups) == len(found)


def test_groups_along_the_hierarchy_are_its_branches(images, similarity):
    options = REGROUP.model_copy(update={"along": "hierarchy"})
    made = make_tier(images, options, "r", "3", 0, similarity)
    assert [entry["members"] for entry in made.facts["classes"]] == [
        TEXTURES[:4],
        TEXTURES[4:8],
        TEXTURES[8:],
    ]
    assert made.facts["mean_similarity"] == pytest.approx(mean_between(similarity, [[0], [4], [8]])[0])


def test_groups_follow_whichever_similarity_they_are_along(images, similarity):
    """The same matrix under another name gives the same groups: only the file differs."""
    made = {
        along: make_tier(
            images,
            REGROUP.model_copy(update={"along": along}),
            "r",
            "3",
            0,
            None if along == "random" else similarity,
        )
        for along in ("random", "hierarchy", "path", "feature")
    }
    assert [one.facts["by"] for one in made.values()] == [None, "hierarchy", "path", "feature"]
    groups = [[entry["members"] for entry in one.facts["classes"]] for one in made.values()]
    assert groups[1] == groups[2] == groups[3] != groups[0]


def test_a_hierarchy_with_one_best_grouping_has_no_second_draw(images, similarity):
    options = REGROUP.model_copy(update={"along": "hierarchy"})
    with pytest.raises(
        InputError, match=r"tiers\.r\.draws: draw 1 is asked for, but only 1 different grouping of 12"
    ):
        make_tier(images, options, "r", "3", 1, similarity)


def test_draws_along_the_hierarchy_differ_and_follow_it(similarity):
    found = [hierarchy_groups(similarity, 6, seed=0, draw=draw) for draw in range(3)]
    assert len({str(one) for one in found}) == 3
    for grouping in found:
        assert all(one // TURNS == other // TURNS for one, other in grouping)


def within(similarity, grouping):
    """Sum of similarities of pairs in the same group."""
    return sum(
        similarity[one, other] for group in grouping for one, other in itertools.combinations(group, 2)
    )


def test_the_best_groups_are_what_enumeration_finds():
    similarity = closeness(np.random.default_rng(5).normal(size=(8, 2)))
    halves = itertools.combinations(range(8), 4)
    best = max(within(similarity, (half, set(range(8)) - set(half))) for half in halves)
    assert within(similarity, hierarchy_groups(similarity, 2, seed=0, draw=0)) == pytest.approx(best)


def test_no_exchange_of_two_classes_makes_groups_more_alike():
    similarity = closeness(np.random.default_rng(5).normal(size=(30, 3)))
    for draw in range(2):
        grouping = hierarchy_groups(similarity, 4, seed=0, draw=draw)
        reached = within(similarity, grouping)
        for group, other_group in itertools.combinations(grouping, 2):
            for one, other in itertools.product(range(len(group)), range(len(other_group))):
                group[one], other_group[other] = other_group[other], group[one]
                assert within(similarity, grouping) <= reached + 1e-6
                group[one], other_group[other] = other_group[other], group[one]
