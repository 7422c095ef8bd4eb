"""Weights from elsewhere: another run's or a file's, where they come from and where they fit."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from tiny_training import make_task, start, write_data

from spectral_priority.config import Run, parse_study
from spectral_priority.config.recipe import Init, Recipe, Teacher
from spectral_priority.config.sources import source_of
from spectral_priority.errors import InputError
from spectral_priority.models import build_model
from spectral_priority.models.heads import head_name
from spectral_priority.store.checksum import file_sha256
from spectral_priority.training.checkpoints import write_checkpoints
from spectral_priority.training.sources import file_source, find_source, run_source
from spectral_priority.training.weights import initial_weights, load_teacher

SMALL = Recipe(width=4)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def built(recipe=SMALL, classes=3, channels=1, size=8):
    """A model whose batch-norm statistics are its own too."""
    model = build_model(recipe, classes, channels, size)
    with torch.no_grad():
        for buffer in model.buffers():
            if buffer.dim() == 1:
                buffer.uniform_(0.5, 1.5)
    return model


def write_run(folder: Path, models: dict, recipe=SMALL, fingerprint="0123abcd") -> Path:
    """The files of a finished run: its checkpoints by step, and run.json."""
    folder.mkdir(exist_ok=True)
    path = folder / "checkpoints.safetensors"
    write_checkpoints(path, {step: model.state_dict() for step, model in models.items()}, fingerprint)
    facts = {"fingerprint": fingerprint, "options": recipe.model_dump(mode="json")}
    (folder / "run.json").write_text(json.dumps(facts))
    return path


def same(one, other, names) -> bool:
    return all(torch.equal(one[name], other[name]) for name in names)


# --- which weights ------------------------------------------------------------------------------------------


def test_a_run_is_taken_at_its_last_checkpoint_unless_a_step_is_named(tmp_path):
    path = write_run(tmp_path, {0: built(), 20: built()})
    assert run_source(path).step == 20
    assert run_source(path, 0).identity == "0123abcd/0"


def test_a_step_without_a_checkpoint_is_refused_with_those_there_are(tmp_path):
    path = write_run(tmp_path, {0: built(), 20: built()})
    with pytest.raises(InputError, match=r"has no checkpoint of step 7\. Allowed: 0, 20"):
        run_source(path, 7)


def test_a_file_is_known_by_its_bytes_and_a_copied_run_by_its_fingerprint(tmp_path):
    save_file({"conv1.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    assert file_source("a.safetensors", tmp_path).identity == file_sha256(tmp_path / "a.safetensors")
    write_run(tmp_path, {0: built(), 20: built()}).rename(tmp_path / "b.safetensors")
    assert file_source("b.safetensors", tmp_path).identity == "0123abcd/20"


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"init\.weights: a\.pth: there is no .*data_root"):
        file_source("a.pth", tmp_path)
    with pytest.raises(InputError, match="there is no such file"):
        run_source(tmp_path / "checkpoints.safetensors")


def test_a_file_that_holds_no_run_is_no_source_run(tmp_path):
    save_file({"conv1.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="holds no checkpoints of a run"):
        run_source(tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"no header at all")
    with pytest.raises(InputError, match="is damaged or no safetensors file"):
        run_source(tmp_path / "a.safetensors")


def test_a_program_that_is_not_told_where_the_weights_are_says_so():
    assert find_source(None, "--init", None, None) is None
    with pytest.raises(InputError, match="--teacher: is missing, but the recipe names a run of 'base'"):
        find_source(Teacher(recipe="base"), "--teacher", None, None)
    with pytest.raises(InputError, match="--data-root: is missing"):
        find_source(Init(weights="a.pth"), "--init", None, None)


def test_a_run_depends_on_what_its_sources_are_and_not_on_where_they_lie(tmp_path):
    write_data(tmp_path)
    task = make_task(tmp_path)
    source = run_source(write_run(tmp_path / "run", {0: built()}))
    moved = dataclasses.replace(source, path=Path("elsewhere"))
    other = dataclasses.replace(source, identity="4567cdef/0")
    fingerprints = [
        dataclasses.replace(task, **{use: weights}).fingerprint("code", "cpu")
        for use in ("init", "teacher")
        for weights in (source, moved, other)
    ]
    assert fingerprints[0] == fingerprints[1] and fingerprints[3] == fingerprints[4]
    assert len({task.fingerprint("code", "cpu"), *fingerprints}) == 5


def test_the_program_starts_from_the_weights_that_it_is_given(tmp_path):
    write_data(tmp_path)
    pretrained = built(classes=5)
    path = write_run(tmp_path / "source", {0: built(classes=5), 20: pretrained})
    options = {"init": {"recipe": "base"}, "steps": 3}
    done = start(tmp_path, tmp_path, "--init", str(path), **options)
    assert done.wait() == 0, done.stderr.read()
    states = [pretrained.state_dict(), *(start_of(tmp_path / "checkpoints.safetensors"),)]
    assert same(*states, [name for name in states[1] if "convolution" in name])
    facts = json.loads((tmp_path / "run.json").read_text())
    assert facts["init"] == {"path": str(path), "step": 20, "identity": "0123abcd/20"}
    assert facts["teacher"] is None


def start_of(checkpoints: Path) -> dict:
    """The weights of a run at step 0."""
    from spectral_priority.training.checkpoints import open_checkpoints

    return open_checkpoints(checkpoints).load(0)


# --- initial weights ----------------------------------------------------------------------------------------


def saved(folder, state, kind="safetensors"):
    """Write a state dict to a file; return its source."""
    if kind == "safetensors":
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "w.safetensors")
        return file_source("w.safetensors", folder)
    torch.save(state, folder / "w.pth", _use_new_zipfile_serialization=kind == "zip")
    return file_source("w.pth", folder)


def shapes_only(folder, state):
    """Write a state dict whose tensors have the right shapes and take no room."""
    hollow = {
        name: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for name, tensor in state.items()
    }
    return saved(folder, hollow, "zip")


def plain(state):
    """The names that a network has without our normalisation around it, as in torchvision's files."""
    return {name.removeprefix("network."): tensor for name, tensor in state.items()}


def test_all_weights_but_the_heads_are_another_runs(tmp_path):
    source, model = built(classes=5), built(classes=3)
    drawn = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    initial_weights(run_source(write_run(tmp_path, {0: source})), model, SMALL)
    head = {name for name in drawn if name.startswith("network.head.")}
    assert len(head) == 2 and same(model.state_dict(), drawn, head)
    assert same(model.state_dict(), source.state_dict(), set(drawn) - head)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "pickle"])
@pytest.mark.parametrize(
    "written",
    [
        lambda state: state,
        plain,
        lambda state: {f"module.{name}": tensor for name, tensor in plain(state).items()},
    ],
    ids=["ours", "torchvision's", "of several GPUs"],
)
def test_files_may_have_our_names_or_torchvisions(tmp_path, kind, written):
    source, model = built(classes=5), built(classes=3)
    initial_weights(saved(tmp_path, written(source.state_dict()), kind), model, SMALL)
    names = [name for name in model.state_dict() if not name.startswith("network.head.")]
    assert same(model.state_dict(), source.state_dict(), names)


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_state_dict_is_found_beside_other_things(tmp_path, wrapper):
    source, model = built(), built()
    initial_weights(saved(tmp_path, {wrapper: source.state_dict(), "epoch": 3}, "zip"), model, SMALL)
    name = "network.convolution1.weight"
    assert torch.equal(model.state_dict()[name], source.state_dict()[name])


def test_a_head_of_a_convolution_or_of_a_thousand_classes_is_left_out_too(tmp_path):
    import torchvision

    recipe = Recipe(model="squeezenet1_1")
    model, theirs = built(recipe, 5, 3, 32), torchvision.models.squeezenet1_1(weights=None)
    drawn = model.get_submodule(head_name(model)).weight.clone()
    initial_weights(saved(tmp_path, theirs.state_dict(), "zip"), model, recipe)
    assert torch.equal(model.get_submodule(head_name(model)).weight, drawn)
    assert torch.equal(model.network.features[0].weight, theirs.features[0].weight)


def test_second_classifiers_and_a_missing_count_of_batches_do_not_matter(tmp_path):
    source = plain(built().state_dict())
    state = {name: tensor for name, tensor in source.items() if not name.endswith("num_batches_tracked")}
    model = built()
    initial_weights(saved(tmp_path, {**state, "aux1.fc1.weight": torch.ones(2)}), model, SMALL)
    assert torch.equal(model.network.convolution1.weight, source["convolution1.weight"])


def test_torchvisions_older_names_in_a_densenet_are_understood(tmp_path):
    recipe = Recipe(model="densenet121")
    model = built(recipe, 3, 3, 32)
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor
        for name, tensor in plain(model.state_dict()).items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    initial_weights(shapes_only(tmp_path, old), model, recipe)
    assert not model.network.features.denseblock1.denselayer1.norm1.weight.any()


def test_class_means_are_not_taken_over(tmp_path):
    triplet = Recipe(width=4, objective="triplet", embedding=5)
    source, model = built(triplet), built(triplet)
    source.class_means.fill_(1)
    initial_weights(run_source(write_run(tmp_path, {0: source})), model, triplet)
    assert not model.class_means.any()
    assert torch.equal(model.network.convolution1.weight, source.network.convolution1.weight)
    initial_weights(run_source(write_run(tmp_path, {0: source})), built(), SMALL)  # nor missed


def refused(folder, state, recipe, **images) -> str:
    """What is said about weights that don't fit the model of a recipe."""
    model = built(recipe, **images)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(InputError) as error:
        initial_weights(shapes_only(folder, state), model, recipe)
    assert same(model.state_dict(), before, before), "half the weights were loaded"
    return str(error.value)


def test_weights_of_another_stem_are_refused_with_that_cause(tmp_path):
    cifar, standard = (Recipe(model="resnet18", stem=stem) for stem in ("cifar", "standard"))
    text = refused(tmp_path, built(standard, 3, 3, 32).state_dict(), cifar, channels=3, size=32)
    assert "network.conv1.weight 64×3×7×7 instead of 64×3×3×3" in text and "set stem" in text


def test_colour_weights_for_grey_images_are_refused_with_that_cause(tmp_path):
    text = refused(tmp_path, built(channels=3).state_dict(), SMALL, channels=1)
    assert "w.pth: does not fit the model 'small_cnn' (stem: standard)" in text
    assert "for images of 3 channels, these have 1: set color: rgb" in text


def test_weights_of_another_width_or_model_are_refused_with_the_first_few_tensors(tmp_path):
    text = refused(tmp_path, built(Recipe(width=5)).state_dict(), SMALL)
    assert "another width" in text and "and 17 more" in text
    state = plain(built().state_dict())
    state["blocks.0.weight"] = state.pop("convolution2.weight")
    text = refused(tmp_path, state, SMALL)
    assert "it misses network.convolution2.weight; has network.blocks.0.weight" in text
    assert "another model" in text


def test_vision_transformer_weights_for_another_image_size_are_refused_with_that_cause(tmp_path):
    recipe = Recipe(model="vit_b_32")
    state = shapes = build_model(recipe, 3, 3, 32).state_dict()
    state = {**shapes, "network.encoder.pos_embedding": torch.zeros(1, 50, 768)}
    text = refused(tmp_path, state, recipe, channels=3, size=32)
    assert "pos_embedding 1×50×768 instead of 1×2×768" in text and "images of another size" in text


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    for name, write in (
        ("zip.pth", torch.save),
        ("pickle.pt", lambda things, path: path.write_bytes(pickle.dumps(things, protocol=2))),
    ):
        trap = tmp_path / f"{name}-was-run"
        write({"state_dict": built().state_dict(), "more": Trap(trap)}, tmp_path / name)
        with pytest.raises(InputError, match="could run code") as error:
            initial_weights(file_source(name, tmp_path), built(), SMALL)
        assert name in str(error.value) and "torch.save(model.state_dict()" in str(error.value)
        assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"no pickle at all", b"PK\x03\x04 and then nothing", None])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    if content is None:
        torch.save(built().state_dict(), tmp_path / "w.pth")
        content = (tmp_path / "w.pth").read_bytes()[:3000]
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pth: is damaged"):
        initial_weights(file_source("w.pth", tmp_path), built(), SMALL)


@pytest.mark.parametrize("content", [[torch.ones(2)], {"epoch": 3}, torch.ones(2)])
def test_a_file_without_a_state_dict_is_refused_by_name(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth: holds no state dict"):
        initial_weights(file_source("w.pth", tmp_path), built(), SMALL)


# --- teachers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe", [SMALL, Recipe(width=4, objective="triplet", embedding=5, normalisation="imagenet")]
)
def test_a_teacher_answers_as_its_run_did_at_that_checkpoint(tmp_path, recipe):
    early, late = built(recipe).eval(), built(recipe).eval()
    path = write_run(tmp_path, {0: early, 20: late}, recipe)
    pixels = torch.rand(4, 1, 8, 8)
    assert torch.equal(load_teacher(run_source(path), 3, 1, 8, "cpu")(pixels), late(pixels))
    assert torch.equal(load_teacher(run_source(path, 0), 3, 1, 8, "cpu")(pixels), early(pixels))


def test_a_teacher_does_not_learn(tmp_path):
    teacher = load_teacher(run_source(write_run(tmp_path, {0: built()})), 3, 1, 8, "cpu")
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    assert not teacher(torch.rand(4, 1, 8, 8)).requires_grad
    assert same(teacher.state_dict(), before, before), "it took batches into its statistics"


@pytest.mark.parametrize("recipe", [SMALL, Recipe(width=4, objective="triplet", embedding=5)])
def test_a_teacher_of_other_classes_is_refused(tmp_path, recipe):
    path = write_run(tmp_path, {0: built(recipe, classes=5)}, recipe)
    with pytest.raises(InputError, match=r"is a teacher of 5 classes\. Allowed: .*teach: 3"):
        load_teacher(run_source(path), 3, 1, 8, "cpu")


def test_a_teacher_of_images_with_other_channels_is_refused(tmp_path):
    path = write_run(tmp_path, {0: built(channels=3)})
    with pytest.raises(InputError, match=r"teacher .*for images of 3 channels, these have 1"):
        load_teacher(run_source(path), 3, 1, 8, "cpu")


def test_a_teachers_run_json_has_to_be_of_its_training(tmp_path):
    path = write_run(tmp_path, {0: built()})
    (tmp_path / "run.json").write_text(json.dumps({"fingerprint": "4567cdef", "options": {}}))
    with pytest.raises(InputError, match=r"run\.json: has the fingerprint '4567cdef', but .*'0123abcd'"):
        load_teacher(run_source(path), 3, 1, 8, "cpu")
    (tmp_path / "run.json").write_text(json.dumps({"fingerprint": "0123abcd", "options": {"of": "later"}}))
    with pytest.raises(InputError, match=r"run\.json: options: are not those of a recipe"):
        load_teacher(run_source(path), 3, 1, 8, "cpu")


# --- what a study may say -----------------------------------------------------------------------------------

STUDY = """
study: small
datasets:
  s: {source: {kind: shapes-textures}}
  grey: {source: {kind: shapes-textures}, color: grey}
tiers:
  one: {kind: labels, dataset: s, labels: [shape, texture]}
  few: {kind: labels, dataset: s, labels: [texture], recipes: [tuned], seeds: 1}
  pale: {kind: labels, dataset: grey, labels: [shape], recipes: [plain]}
  control: {kind: control, of: one-shape-d0, recipes: [tuned]}
recipes:
  base: {steps: 500}
  plain: {steps: 500}
  tuned: {init: {recipe: base, tier: one-texture-d0}}
  student: {teacher: {recipe: tuned, seed: 1, study: earlier}}
"""


def study(**recipes):
    document = yaml.safe_load(STUDY)
    for name, options in recipes.items():
        document["recipes"][name] = {**document["recipes"].get(name, {}), **options}
    return parse_study(document, where="small.yaml")


def test_a_run_uses_the_run_of_its_own_tier_and_seed_unless_others_are_named():
    found = study(student={"teacher": {"recipe": "base"}})
    run = Run("few-texture-d0", "tuned", 0)
    assert source_of(found, run, "init") == ("small", Run("one-texture-d0", "base", 0))
    assert source_of(found, run, "teacher") is None
    run = Run("one-shape-d0", "student", 1)
    assert source_of(found, run, "teacher") == ("small", Run("one-shape-d0", "base", 1))
    assert source_of(study(), run, "teacher") == ("earlier", Run("one-shape-d0", "tuned", 1))
    assert source_of(study(student={"init": {"weights": "a.pth"}}), run, "init") is None


def test_a_family_is_trained_with_the_recipes_that_it_lists():
    runs = study().list_runs()
    assert {run.recipe for run in runs if run.tier == "few-texture-d0"} == {"tuned"}
    assert {run.recipe for run in runs if run.tier == "one-shape-d0"} == {"base", "plain", "tuned", "student"}


def init(**other):
    return {"tuned": {"init": {"recipe": "base", "tier": "one-texture-d0", **other}}}


@pytest.mark.parametrize(
    ("recipes", "said"),
    [
        (init(recipe="bse"), "recipes.tuned.init.recipe: found 'bse', but the recipes are: base, plain, tuned"),
        (init(tier="one"), "recipes.tuned.init.tier: found 'one', but the tiers are: one-shape-d0, one-texture-d0"),
        (init(seed=2), "recipes.tuned.init.seed: found 2, but one-texture-d0 is trained with the seeds 0 to 1"),
        (init(tier=None), "recipes.tuned.init: few-texture-d0 needs the recipe 'base' on few-texture-d0, "
                          "but tiers.few.recipes lists only: tuned"),
        (init(recipe="plain", tier="pale-shape-d0"),
         "pale-shape-d0 has images of color: grey, and one-shape-d0 of color: rgb"),
        (init(step=501), "recipes.tuned.init.step: found 501, but base ends at step 500"),
        ({**init(step=100), "base": {"measure_during_training": True}}, "base keeps its last weights only"),
        ({"base": {"width": 8}}, "recipes.tuned.width: found 32, but it starts from base, which has 8"),
        ({"base": {"init": {"recipe": "base"}}}, "one-shape-d0/base/seed0 would have to be trained before itself"),
        ({"base": {"teacher": {"recipe": "tuned", "tier": "one-shape-d0"}}}, "trained before itself ("),
        ({"base": {"init": {"recipe": "base", "weights": "a.pth"}}}, "name a run by its recipe, or a file"),
        ({"base": {"init": {"weights": "a.pth", "step": 3}}}, "weights is a file; leave them out"),
        ({"student": {"objective": "triplet"}}, "recipes.student: teacher: changes the target of cross-entropy"),
        ({"student": {"objective": "triplet", "teacher": None, "label_smoothing": 0.1}}, "label_smoothing: changes"),
        ({"student": {"objective": "triplet", "teacher": None, "batch_size": 33}}, "even, 4 or more"),
        ({"base": {"augment": "flip-crop", "augment_options": {"size": 3}}}, "augment: flip-crop has no options"),
        ({"base": {"images": 100}}, "images: found 100, fewer than one batch (128)"),
        ({"base": {"gpus": 3}}, "gpus: found 3, which does not divide batch_size (128)"),
    ],
)  # fmt: skip
def test_sources_and_variants_that_can_not_be_are_refused_with_the_field(recipes, said):
    with pytest.raises(InputError) as error:
        study(**recipes)
    assert said in str(error.value) and str(error.value).startswith("small.yaml: ")


def test_a_family_that_lists_an_unknown_recipe_is_refused():
    document = yaml.safe_load(STUDY)
    document["tiers"]["few"]["recipes"] = ["tned"]
    with pytest.raises(
        InputError, match=r"tiers.few.recipes: found 'tned', but the recipes are: base, plain"
    ):
        parse_study(document)


def test_shuffled_labels_go_with_triplets():
    recipe = {"objective": "triplet", "teacher": None, "label_noise": {"kind": "shuffled"}}
    assert study(student=recipe).recipes["student"].label_noise.share == 1
