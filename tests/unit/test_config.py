"""What a study file may say, and what is said about one that can't be used."""

import json
from pathlib import Path

import pytest
import yaml

from spectral_priority.config import canonical, choose_study, load_study, parse_study
from spectral_priority.config.reference import README, SCHEMA, readme, schema
from spectral_priority.errors import InputError

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = PROJECT / "config"
STUDIES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").glob("*.yaml"))]

SMALL = """
study: small
datasets:
  s: {source: {kind: shapes-textures}}
tiers:
  regroup: {kind: regroup, dataset: s, label: texture, classes: 4, groups: [2, 4], draws: 2}
  labels: {kind: labels, dataset: s, labels: [shape, texture]}
  control: {kind: control, of: labels-shape-d0}
"""


def study(**changes):
    return parse_study({**yaml.safe_load(SMALL), **changes}, where="small.yaml")


def fault(document) -> str:
    with pytest.raises(InputError) as error:
        parse_study(document, where="small.yaml")
    return str(error.value)


def changed(path: str, value) -> str:
    """The message for the small study with the value at a dotted path replaced."""
    document = yaml.safe_load(SMALL)
    *above, last = path.split(".")
    section = document
    for key in above:
        section = section[key]
    section[last] = value
    return fault(document)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_are_valid_and_named_after_their_files(path):
    name = "demo" if path.stem == "config" else path.stem
    assert load_study(path).study == name


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_resolved_study_means_the_same_as_its_file(path):
    loaded = load_study(path)
    resolved = yaml.safe_load(yaml.safe_dump(loaded.model_dump(mode="json"), allow_unicode=True))
    assert parse_study(resolved) == loaded


@pytest.mark.parametrize(("name", "runs"), [("interventions", 48), ("transfer", 60), ("shortcuts", 18)])
def test_the_studies_of_recipes_list_every_run_once(name, runs):
    listed = load_study(CONFIG / "studies" / f"{name}.yaml").list_runs()
    assert len(listed) == len(set(listed)) == runs


def test_a_recipe_may_say_only_in_what_it_differs_from_another(tmp_path):
    recipes = "recipes:\n  base: &base {steps: 10, width: 8}\n  longer: {<<: *base, steps: 20}\n"
    path = tmp_path / "small.yaml"
    path.write_text(SMALL + recipes)
    found = load_study(path).recipes
    assert (found["base"].steps, found["longer"].steps, found["longer"].width) == (10, 20, 8)
    path.write_text(SMALL + recipes + "  wide: {<<: *base, width: 16, width: 32}\n")
    with pytest.raises(InputError, match="the key 'width' is given twice"):
        load_study(path)


def test_tiers_are_called_family_level_draw_and_a_full_regrouping_has_one_draw():
    names = [tier.name for tier in study().list_tiers()]
    assert names == [
        *("regroup-2-d0", "regroup-2-d1", "regroup-4-d0"),
        *("labels-shape-d0", "labels-texture-d0", "control-shuffled-d0"),
    ]


def test_a_family_may_have_fewer_seeds_than_the_study():
    document = yaml.safe_load(SMALL)
    document["tiers"]["control"]["seeds"] = 1
    runs = parse_study(document).list_runs()
    assert [run.seed for run in runs if run.tier == "control-shuffled-d0"] == [0]
    assert [run.seed for run in runs if run.tier == "labels-shape-d0"] == [0, 1]


def test_a_number_like_1e3_without_a_dot_is_a_number():
    assert study(recipes={"base": {"learning_rate": "1e-3"}}).recipes["base"].learning_rate == 0.001


def test_an_instance_is_named_after_its_measure_unless_it_says_otherwise():
    measures = study(
        measures={"gradient": None, "margin": {"measure": "gradient", "objective": "margin"}}
    ).measures
    assert measures["gradient"].objective == "loss" and measures["margin"].objective == "margin"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("stduy", 1, "stduy: unknown key; did you mean 'study'?"),
        ("datasets.s.siez", 32, "datasets.s.siez: unknown key; did you mean 'size'?"),
        ("datasets.s.source.ring", [4], "datasets.s.source.ring: unknown key; did you mean 'rings'?"),
        ("datasets.s.source.kind", "shape-texture", "datasets.s.source.kind: found 'shape-texture'"),
        ("tiers.regroup.group", [2], "tiers.regroup.group: unknown key; did you mean 'groups'?"),
        ("tiers.regroup.groups", [2, 8], "tiers.regroup.groups: found 8, but 4 classes make at most 4 groups"),
        ("tiers.regroup.groups", "two", "tiers.regroup.groups: found 'two'"),
        ("tiers.regroup.dataset", "t", "tiers.regroup.dataset: found 't', but the data sets are: s"),
        ("tiers.control.of", "labels-shape", "but the tiers are: regroup-2-d0"),
        ("study", "data", "'data' is a folder of the pipeline"),
        ("study", "a/b", "study: found 'a/b'"),
        ("seeds", "some", "seeds: found 'some'"),
        ("recipes", {"base": {"optimizer": "adam"}}, "did you mean 'adamw'?"),
        ("recipes", {"base": {"learning_rate": float("nan")}}, "recipes.base.learning_rate: found nan"),
        ("measures", {"gradeint": {}}, "measures.gradeint.measure: found 'gradeint', but the measures are"),
        ("measures", {"gradient": {"objectiv": "loss"}}, "measures.gradient.objectiv: unknown key; did you mean 'obj"),
        ("measures", {"m": {"measure": "gradient", "legacy": "no"}}, "measures.m.legacy: found 'no'"),
    ],
)  # fmt: skip
def test_faults_name_the_field_what_was_found_and_what_is_allowed(path, value, said):
    message = changed(path, value)
    assert said in message
    assert message.startswith("small.yaml: ")


def test_all_faults_of_a_file_are_told_at_once():
    document = yaml.safe_load(SMALL)
    document["sed"] = 1
    document["tiers"]["regroup"]["draws"] = 0
    message = fault(document)
    assert "sed: unknown key" in message and "tiers.regroup.draws: found 0" in message


def test_a_claim_about_a_tier_that_does_not_exist_is_refused():
    claim = {"kind": "increasing", "text": "x", "tiers": ["regroup-2-d0", "regroup-9-d0"]}
    assert "claims[0]: found 'regroup-9-d0'" in fault({**yaml.safe_load(SMALL), "claims": [claim]})


def test_a_study_without_the_gradient_and_a_claim_about_another_measure_are_refused():
    small = yaml.safe_load(SMALL)
    assert "measures: found none of gradient" in fault({**small, "measures": {"paths": {}}})
    claim = {
        "kind": "increasing",
        "text": "x",
        "tiers": ["regroup-2-d0", "regroup-4-d0"],
        "instance": "paths",
    }
    measures = {"gradient": {}, "paths": {}}
    found = fault({**small, "measures": measures, "claims": [claim]})
    assert "claims[0].scalar: found 'centroid', but the scalars of paths (paths) are: softmax_w" in found
    claim |= {"instance": "path"}
    found = fault({**small, "measures": measures, "claims": [claim]})
    assert "claims[0].instance: found 'path', but the instances are: gradient, paths" in found
    claim |= {"instance": "paths", "scalar": "logit_within_centroid"}
    parse_study({**small, "measures": measures, "claims": [claim]})


def test_a_claim_may_compare_two_instances_that_have_the_scalar():
    measures = {"gradient": {}, "here": {"measure": "shortcuts"}, "there": {"measure": "shortcuts"}}
    claim = {
        "kind": "separated", "text": "x", "lower": "labels-shape", "higher": "labels-shape",
        "lower_instance": "there", "higher_instance": "here", "scalar": "headline_tpr",
    }  # fmt: skip
    small = {**yaml.safe_load(SMALL), "measures": measures}
    parse_study({**small, "claims": [claim]})
    found = fault({**small, "claims": [claim | {"lower_instance": "gradient"}]})
    assert "claims[0].scalar: found 'headline_tpr', but the scalars of gradient (gradient) are: cen" in found
    assert "those of learning: validation_accuracy" in found
    found = fault({**small, "claims": [claim | {"higher_instance": "away"}]})
    assert "claims[0].higher_instance: found 'away'" in found
    found = fault({**small, "claims": [claim | {"higher_instance": "there"}]})
    assert "the same tiers with the same recipe and instance" in found


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(SMALL + "\nseeds: 1\nseeds: 2\n")
    with pytest.raises(InputError, match="'seeds' is given twice"):
        load_study(path)


def test_a_file_that_is_no_yaml_is_refused_by_name(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("study: [unclosed")
    with pytest.raises(InputError, match=r"broken\.yaml: can't be read as YAML"):
        load_study(path)


def test_a_missing_study_file_hints_at_the_nearest(tmp_path):
    (tmp_path / "mine.yaml").write_text(SMALL)
    with pytest.raises(InputError, match="did you mean 'mine'"):
        load_study(tmp_path / "mne.yaml")


def test_nothing_given_means_the_demo():
    assert choose_study({}, [], CONFIG) == (CONFIG / "config.yaml", None)


def test_a_misspelt_config_key_does_not_run_the_demo():
    with pytest.raises(InputError, match="unknown key 'stduy'; did you mean 'study'"):
        choose_study({"stduy": "x"}, [], CONFIG)


def test_an_unknown_study_name_hints_at_the_nearest():
    with pytest.raises(InputError, match="did you mean 'tiny-imagenet'"):
        choose_study({"study": "tiny-imagnet"}, [], CONFIG)


def test_the_data_root_can_be_given_on_the_command_line():
    assert choose_study({"data_root": "elsewhere"}, [], CONFIG)[1] == "elsewhere"


def test_options_that_are_equal_have_the_same_canonical_text():
    assert canonical(study().recipes["base"]) == canonical(
        study(recipes={"base": {"steps": 1000}}).recipes["base"]
    )


def test_the_written_schema_and_reference_are_those_of_the_typed_configuration():
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(schema())), "run: make reference"
    assert README.read_text() == readme(), "run: make reference"


def test_measures_on_other_images_and_with_the_masks_of_another_instance_fit_the_study():
    datasets = {
        "s": {"source": {"kind": "shapes-textures"}, "size": 32},
        "other": {"source": {"kind": "shapes-textures"}, "size": 32},
        "large": {"source": {"kind": "shapes-textures"}, "size": 48},
        "grey": {"source": {"kind": "shapes-textures"}, "size": 32, "color": "grey"},
    }
    fits = {
        "gradient": {},
        "shortcuts": {},
        "there": {"measure": "shortcuts", "masks": "shortcuts", "probe": {"dataset": "other"}},
    }
    assert study(datasets=datasets, measures=fits).measures["there"].probe.dataset == "other"

    def said(recipes=None, **there):
        document = yaml.safe_load(SMALL) | {"datasets": datasets, "recipes": recipes or {"base": {}}}
        return fault(document | {"measures": fits | {"there": {"measure": "shortcuts", **there}}})

    assert "measures.there.probe.dataset: found 'none', but the data sets are: s, other, large, grey" in said(
        probe={"dataset": "none"}
    )
    assert "large has size: 48, but the tier regroup-2-d0 is made from s, which has size: 32" in said(
        probe={"dataset": "large"}
    )
    assert "grey has color: grey, but the tier" in said(probe={"dataset": "grey"})
    for other in ("none", "gradient", "there"):
        assert f"measures.there.masks: found {other!r}, but the instances of shortcuts that look" in said(
            masks=other
        )
    chain = fits | {"last": {"measure": "shortcuts", "masks": "there"}}
    document = yaml.safe_load(SMALL) | {"datasets": datasets, "measures": chain}
    assert "measures.last.masks: found 'there'" in fault(document)
    inside = {"base": {"measure_during_training": True}}
    for option in ({"masks": "shortcuts"}, {"probe": {"dataset": "other"}}):
        (name,) = option
        assert f"measures.there.{name}: can't be had with recipes.base.measure_during_training" in said(
            inside, **option
        )
