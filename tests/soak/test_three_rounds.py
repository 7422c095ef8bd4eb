"""Three rounds of faults in a whole study, by the machinery of `make soak` (tests/soak/pipeline_soak.py)."""

from __future__ import annotations

import random

import pytest
from pipeline_faults import KINDS
from pipeline_round import play
from same_results import differences, results_of
from tiny_study import begin, prepare

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A copy of the project, the study made by it, and its results."""
    project, whole = prepare(tmp_path_factory.mktemp("rounds"))
    return project, whole, results_of(whole)


@pytest.mark.parametrize("name", ["SIGINT to group", "bit flipped, time kept", "changed clock"])
def test_after_a_fault_the_same_command_ends_with_the_same_results(made, tmp_path, name):
    project, whole, expected = made
    kind = next(kind for kind in KINDS if kind.name == name)
    played = play(project, whole, tmp_path / "round", kind, random.Random(0), expected)
    assert played.faults == [] and played.codes[-1] == 0, played.told
    assert len(played.codes) > 1 or kind.between, played.told


def test_what_the_rounds_look_for_would_be_found(made, tmp_path):
    _, whole, expected = made
    begin(whole, tmp_path / "copy", "whole")
    assert differences(expected, results_of(tmp_path / "copy")) == []
    results = tmp_path / "copy/results/tiny"
    (results / "priority.csv").write_bytes((results / "priority.csv").read_bytes()[:-2])
    (results / "contrasts.csv").unlink()
    (results / "more.csv").write_text("a")
    spectra = results / "runs/labels-shape-d0/base/seed0/spectra/gradient.h5"
    spectra.unlink()
    spectra.write_bytes((whole / "results/data/blobs-16px/reference.h5").read_bytes())
    found = differences(expected, results_of(tmp_path / "copy"))
    gradient = spectra.relative_to(tmp_path / "copy/results").as_posix()
    names = ("tiny/contrasts.csv is missing", "tiny/more.csv is left", "tiny/priority.csv differs")
    assert sorted(found) == sorted([*names, f"{gradient} differs"])
