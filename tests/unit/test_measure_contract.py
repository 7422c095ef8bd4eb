"""What every measure promises, and what its kind promises besides: a new one is tested as soon as it is registered.

There are two kinds, told apart by their options: measures of a model's responses to images (`Measured`), and measures
of its weights alone (`OfWeights` only), to which no image matters.
"""

import re
import subprocess
import sys
from dataclasses import replace
from functools import reduce
from inspect import signature

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spectral_priority as sp
from spectral_priority.config.measures import MEASURES, Measured, OfWeights
from spectral_priority.config.scalars import OF_MEASURE
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import SOURCE, code_fingerprint
from spectral_priority.measures.probe import Probe
from spectral_priority.measures.reference import function_of
from spectral_priority.measures.registry import (
    load_measure,
    load_over_training,
    measure_module,
    measure_names,
    measure_options,
)
from spectral_priority.measures.sweep import join
from spectral_priority.store.netcdf import read_dataset, write_dataset

RTOL = 2e-6
"""Of numbers that are kept in float32."""
RTOL_OF_ERRORS = 1e-4
"""Standard errors are differences of nearly equal numbers; test statistics divide by them."""
QUICK = {"paths": {"pairs": 20, "samples": 16}}
"""Options of costly measures that keep this suite quick; what is promised holds for any."""

ADD_NOISE = ("critical-band", "fourier-heatmap")
"""Measures whose noise is drawn for the place of a pixel or a frequency: it does not turn with the images."""

OF_IMAGES = [name for name in measure_names() if issubclass(MEASURES[name], Measured)]
OF_WEIGHTS = [name for name in measure_names() if name not in OF_IMAGES]

every_measure = pytest.mark.parametrize("name", measure_names())
every_measure_of_images = pytest.mark.parametrize("name", OF_IMAGES)
every_measure_of_weights = pytest.mark.parametrize("name", OF_WEIGHTS)


def model() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.3), nn.AvgPool2d(4)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * 16, 4))


def probe(count: int = 45, shape: tuple[int, int] = (16, 16)) -> Probe:
    rng = np.random.default_rng(0)
    return Probe(
        images=rng.integers(0, 256, (count, *shape, 3), dtype=np.uint8),
        labels=rng.integers(0, 4, count),
        image_ids=np.arange(1000, 1000 + count),
        class_names=["ant", "bee", "cat", "dog"],
        training=rng.integers(0, 256, (40, *shape, 3), dtype=np.uint8),
    )


def taken(name: str, of: Probe | None = None, kind=torch.float32, **options) -> xr.Dataset:
    return load_measure(name)(model().to(kind), of or probe(), options_of(name, **options))


def options_of(name: str, **options):
    return measure_options(name, {**QUICK.get(name, {}), **options})


def taken_in_double(name: str, of: Probe | None = None, **options) -> xr.Dataset:
    """Float32 arithmetic differs between batch sizes in the last bits, which decide between close ranks."""
    return taken(name, of, torch.float64, **options)


def same(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.variables) == set(other.variables)
    for variable, expected in one.data_vars.items():
        if variable.endswith("_residual"):  # rounding errors themselves
            continue
        rtol = RTOL_OF_ERRORS if variable.endswith(("_se", "_statistic")) else RTOL
        np.testing.assert_allclose(other[variable], expected, rtol=rtol, atol=1e-8, err_msg=variable)
    for name, expected in one.coords.items():
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(other[name], expected, rtol=RTOL, err_msg=name)
        else:
            assert (other[name] == expected).all(), name


@every_measure
def test_every_variable_has_named_dimensions_a_unit_and_a_name(name):
    found = taken(name)
    for variable in found.variables.values():
        assert variable.attrs["units"] and variable.attrs["long_name"]
    assert not any(str(dimension).startswith("dim_") for dimension in found.dims)
    assert all(dimension in found.coords for dimension in found.dims)
    assert found.attrs["measure"] == name


@every_measure
def test_the_scalars_that_claims_may_name_are_those_with_an_error(name):
    found = taken(name)
    of_one = {str(key) for key, values in found.data_vars.items() if not values.dims}
    with_error = {key for key in of_one if {f"{key}_se", f"{key}_lower"} & of_one}
    unclaimed = (
        {"centroid_per_pixel", "slope_r2", "dc_share", "corner_share"} if name == "gradient" else set()
    )
    assert set(OF_MEASURE[name]) == with_error - unclaimed and "n" in of_one


@every_measure_of_images
def test_it_says_the_size_of_its_images_and_how_many_made_the_batch_norm_statistics(name):
    assert taken(name).attrs["size"] == 16 and taken(name).attrs["batch_norm_images"] == 40
    assert taken(name, batch_norm_images=0).attrs["batch_norm_images"] == 0


def assert_counted(found: xr.Dataset) -> None:
    """No number is infinite, and none is NaN without a count beside it.

    A number that may be missing names, in the attribute `missing_in`, the variable that counts how many are; or, in
    `n_in`, those that say of how many images or paths it is. It is then missing only where that is below `n_least`: 1,
    and 2 for a standard error.
    """
    for name, values in found.variables.items():
        if values.dtype.kind not in "fi":
            continue
        assert not np.isinf(values).any(), name
        missing = np.isnan(found[name])
        if counted := values.attrs.get("missing_in"):
            assert int(missing.sum()) == int(found[counted].sum()), name
        elif missing.any():
            assert "n_in" in values.attrs, f"{name} is NaN, and nothing says why"
            of = reduce(np.minimum, (found[part] for part in values.attrs["n_in"].split()))
            of = of.min([dimension for dimension in of.dims if dimension not in values.dims])
            least = values.attrs.get("n_least", 2 if name.endswith("_se") else 1)
            assert not (missing & (of >= least)).any(), f"{name} is NaN, of {of.values}"


@every_measure
def test_every_number_is_finite_or_missing_and_counted(name):
    found = taken(name)
    assert_counted(found)
    nan = [
        key for key, values in found.data_vars.items() if values.dtype.kind == "f" and values.isnull().any()
    ]
    assert all("missing_in" in found[key].attrs for key in nan), "of so many images nothing else is missing"


@every_measure
def test_whatever_says_how_many_exists_and_counts(name):
    found = taken(name)
    for values in found.data_vars.values():
        for of in [values.attrs.get("missing_in"), *values.attrs.get("n_in", "").split()]:
            if of:
                assert found[of].dtype.kind in "iu" and not np.isnan(found[of]).any()


class Scaled(nn.Module):
    """A model whose logits are multiplied: by 0 it is dead, by much it is saturated."""

    def __init__(self, by: float, kind: torch.dtype = torch.float32):
        super().__init__()
        self.inner, self.by = model().to(kind), by

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.inner(pixels) * self.by


class Brightness(nn.Module):
    """A model that looks at the mean of each channel: of its gradients DC alone is more than rounding."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        with torch.no_grad():
            self.layer.weight.copy_(torch.linspace(-3, 2.7, 12).reshape(4, 3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.layer(pixels.mean(dim=(2, 3)))


def with_images(of: Probe, images: np.ndarray) -> Probe:
    return replace(of, images=images)


def constants(of: Probe) -> np.ndarray:
    """As many images of one colour each, some of them equal."""
    colour = (np.arange(len(of.images)) * 37 % 11 * 20).astype(np.uint8)
    return np.broadcast_to(colour[:, None, None, None], of.images.shape).copy()


def some_constant(of: Probe) -> np.ndarray:
    images = of.images.copy()
    images[:10] = 77
    return images


DEGENERATE = {
    "a dead model": (lambda: Scaled(0.0), lambda of: of),
    "a model that looks at brightness alone": (Brightness, lambda of: of),
    "a model saturated a thousandfold": (lambda: Scaled(1e3), lambda of: of),
    "a model saturated ten thousandfold": (lambda: Scaled(1e4), lambda of: of),
    "images of one colour": (model, lambda of: with_images(of, constants(of))),
    "ten images of one colour": (model, lambda of: with_images(of, some_constant(of))),
    "black images": (model, lambda of: with_images(of, 0 * of.images)),
    "one class": (model, lambda of: replace(of, labels=0 * of.labels)),
    "one image": (model, lambda of: probe(1)),
    "one image a class": (model, lambda of: replace(probe(4), labels=np.arange(4))),
}
"""What makes a model, and a probe from the usual one."""
REFUSED = {
    (
        "paths",
        "black images",
    ): "images: found 45, none of which differ. Allowed: two images that differ, or more",
    ("paths", "one image"): "images: found 1, none of which differ. Allowed: two images that differ, or more",
    (
        "fprinciple",
        "black images",
    ): "images: found 45, all the same. Allowed: two images that differ, or more",
    ("fprinciple", "one class"): "labels: found 0 only. Allowed: two classes or more",
    ("fprinciple", "one image"): "labels: found 1 only. Allowed: two classes or more",
}
"""Data that a question can't be asked of. What a model does is never refused: it would stop a sweep."""
COUNTS = {
    ("gradient", "a dead model"): {"n": 0, "n_zero": 45, "n_eff": 0},
    ("gradient", "a model that looks at brightness alone"): {"n": 0, "n_zero": 45, "n_eff": 0},
    ("gradient", "a model saturated ten thousandfold"): {"n": 45, "n_zero": 0},
    ("gradient", "images of one colour"): {"n": 45, "n_zero": 0},
    ("band-accuracy", "a dead model"): {"n": 45, "low_drop": 0, "mid_drop": 0, "high_drop": 0},
    ("band-accuracy", "images of one colour"): {"n_constant": 45, "high_drop": 0},
    ("band-accuracy", "ten images of one colour"): {"n_constant": 10},
    ("critical-band", "a dead model"): {"n": 45, "threshold_missing": 4, "channel_missing": 1},
    ("critical-band", "one class"): {"chance": 1, "threshold_missing": 4},
    ("fourier-heatmap", "one class"): {"n": 45},
    ("paths", "a dead model"): {"softmax_within_n": 0, "softmax_within_n_flat": 20, "logit_between_n": 0},
    ("paths", "one class"): {"softmax_within_n": 20, "softmax_between_n": 0},
    ("paths", "images of one colour"): {"n": 38, "n_identical": 2},
    ("fprinciple", "a dead model"): {"n": 45, "mean_error_missing": 0},
    ("dfm", "a dead model"): {"n": 45, "n_unchanged": 45, "n_unranked": 4},
    ("dfm", "images of one colour"): {"n_constant": 45, "n_unchanged": 45, "n_unranked": 4},
    ("dfm", "ten images of one colour"): {"n_constant": 10, "n_unchanged": 10, "n_unranked": 0},
    ("shortcuts", "images of one colour"): {"n_constant": 45},
    ("shortcuts", "ten images of one colour"): {"n_constant": 10},
    ("gradient-svd", "a dead model"): {"n": 45, "n_without": 8},
    ("gradient-svd", "one class"): {"n": 45, "equal_n": 0},
}
"""What must be counted, by measure and case."""


@every_measure_of_images
@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.filterwarnings("error")  # NumPy's: a mean of nothing, a division by zero
def test_degenerate_models_and_images_have_defined_values_and_counts(name, case):
    made, change = DEGENERATE[case]
    if text := REFUSED.get((name, case)):
        with pytest.raises(InputError, match=re.escape(text)):
            load_measure(name)(made(), change(probe()), options_of(name))
        return
    found = load_measure(name)(made(), change(probe()), options_of(name))
    assert_counted(found)
    assert set(found.variables) == set(taken(name).variables)
    for count, expected in COUNTS.get((name, case), {}).items():
        assert found[count] == expected, count


@every_measure
def test_a_model_that_collapses_in_training_is_swept_and_counted(name):
    collapsed = model()
    collapsed[-1].weight.data.zero_()
    parts = [load_measure(name)(made, probe(), options_of(name)) for made in (model(), collapsed, model())]
    swept = join(parts, [0, 10, 20], steps_per_epoch=10)
    conclude = load_over_training(name)
    assert_counted(swept if conclude is None else conclude(swept))


MODES = [
    ("gradient", {"legacy": "freqbias"}),
    ("gradient", {"legacy": "fourier-sensitivity", "corners": True}),
    ("gradient", {"of": "mean-gradient", "objective": "margin"}),
    ("gradient", {"channels": "sum", "objective": "probability"}),
    ("band-accuracy", {"keep_dc": False, "energy_rings": 0}),
    ("critical-band", {"legacy": "critical-band-masking"}),
    ("fourier-heatmap", {"largest": 3, "most_images": 20}),
    ("paths", {"legacy": "spectral-bias", "per_class": False}),
    ("fprinciple", {"legacy": "uncentred", "most_images": 30}),
    ("dfm", {"images_per_class": 5}),
    ("shortcuts", {"search": "patches", "candidates": 20}),
    ("shortcuts", {"images_per_class": 4, "evaluate": "others"}),
    ("gradient-svd", {"statistics": "batch", "permutations": 0}),
]
"""Options under which a measure does something else, which is promised the same."""


@pytest.mark.parametrize(("name", "options"), MODES)
@pytest.mark.filterwarnings("error")
def test_other_modes_are_counted_and_depend_neither_on_batch_nor_order(name, options):
    usual = probe()
    order = np.random.default_rng(3).permutation(len(usual.labels))
    chosen = (part[order] for part in (usual.images, usual.labels, usual.image_ids))
    shuffled = Probe(*chosen, usual.class_names, usual.training)
    measure, double = load_measure(name), model().double()
    expected = measure(double, usual, options_of(name, **options))
    same(expected, measure(double, shuffled, options_of(name, **options, batch_size=7)))
    assert_counted(expected)
    cases = ["a dead model", "a model saturated ten thousandfold", "ten images of one colour"]
    if "evaluate" not in options:  # without the images that frequencies were chosen by, none would be left
        cases.append("one image a class")
    for made, change in map(DEGENERATE.get, cases):
        assert_counted(measure(made(), change(usual), options_of(name, **options)))


@every_measure_of_images
@pytest.mark.parametrize("by", [1e3, 1e4])
def test_a_saturated_model_has_the_numbers_that_float64_has(name, by):
    """Every number to a thousandth of the largest of its kind, though softmax is 0 or 1 in float32."""
    single, double = (
        load_measure(name)(Scaled(by, kind), probe(), options_of(name))
        for kind in (torch.float32, torch.float64)
    )
    compared = [key for key in double if double[key].dtype.kind == "f" and not key.endswith("_residual")]
    assert len(compared) > 5
    for key in compared:
        largest = float(abs(double[key]).fillna(0).max())
        np.testing.assert_allclose(single[key], double[key], rtol=0, atol=1e-3 * largest + 1e-8, err_msg=key)


@every_measure_of_images
@settings(max_examples=8, deadline=None)
@given(
    size=st.integers(4, 9),
    channels=st.integers(1, 4),
    count=st.integers(1, 5),
    batch_size=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_any_shape_is_measured_and_counted_whatever_the_batch(name, size, channels, count, batch_size, seed):
    """Odd and even sizes, one to four channels, tiny sets and batches; few images is all that is ever refused."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
    labels = rng.integers(0, 3, count)
    of = Probe(images, labels, np.arange(count), ["ant", "bee", "cat"], images[:0])
    torch.manual_seed(seed)
    layers = [nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * size * size, 3)]
    measured = nn.Sequential(*layers).double()
    try:
        found = load_measure(name)(measured, of, options_of(name, batch_size=batch_size))
    except InputError as refusal:
        few = {"paths": count < 2, "fprinciple": len(set(labels.tolist())) < 2}
        assert few.get(name) and ("differ" in str(refusal) or "two classes" in str(refusal))
        return
    assert_counted(found)
    same(found, load_measure(name)(measured, of, options_of(name, batch_size=100)))


@every_measure
def test_one_call_from_python_measures_what_the_pipeline_does(name):
    of, function = probe(), getattr(sp, function_of(name))
    named = {"image_ids": of.image_ids, "class_names": of.class_names, "group_names": of.class_names}
    given = [model(), of.images, of.labels] if name in OF_IMAGES else [model()]
    found = function(
        *given,
        options_of(name),
        **{key: named[key] for key in signature(function).parameters if key in named},
    )
    expected = taken(name, **({"batch_norm_images": 0} if name in OF_IMAGES else {}))
    expected.attrs.pop("label", None)  # the column of the data set that names a tier's groups
    xr.testing.assert_identical(found, expected)


@every_measure
def test_the_same_twice_gives_the_same(name):
    found, one = [], model()  # before the seeds, for it sets one
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 – the state that others may use
        found.append(load_measure(name)(one, probe(), options_of(name)))
    assert found[0].identical(found[1])


@every_measure_of_images
@pytest.mark.parametrize("batch_size", [1, 7, 44])
def test_batch_size_does_not_matter(name, batch_size):
    same(taken_in_double(name), taken_in_double(name, batch_size=batch_size))


@every_measure_of_images
def test_the_order_of_images_does_not_matter(name):
    usual = probe()
    order = np.random.default_rng(3).permutation(len(usual.labels))
    shuffled = Probe(
        usual.images[order], usual.labels[order], usual.image_ids[order], usual.class_names, usual.training
    )
    same(taken_in_double(name), taken_in_double(name, shuffled, batch_size=10))


class Turned(nn.Module):
    """A model that turns its images back by a right angle."""

    def __init__(self):
        super().__init__()
        self.inner = model().double()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.inner(torch.rot90(pixels, -1, (2, 3)))


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("name", [name for name in OF_IMAGES if name not in ADD_NOISE])
def test_turning_the_images_and_the_model_by_a_right_angle_changes_nothing_but_maps(name, size):
    usual = probe(shape=(size, size))
    turned = replace(
        usual,
        images=np.rot90(usual.images, 1, (1, 2)).copy(),
        training=np.rot90(usual.training, 1, (1, 2)).copy(),
    )
    straight = load_measure(name)(model().double(), usual, options_of(name))
    found = load_measure(name)(Turned(), turned, options_of(name))
    if name == "gradient-svd":
        straight["layer"] = [f"inner.{layer}" for layer in straight.layer.values]
    maps = [key for key, values in straight.variables.items() if {"u", "v"} & set(values.dims)]
    assert len(straight.data_vars) > len(maps) + 5
    same(straight.drop_vars(maps), found.drop_vars(maps))


@every_measure_of_weights
def test_no_image_matters_to_a_measure_of_weights(name):
    other = probe(count=3, shape=(16, 12))
    assert taken(name).identical(taken(name, other))
    assert not {"batch_size", "batch_norm_images"} & set(MEASURES[name].model_fields)


@every_measure
def test_another_model_has_another_result(name):
    changed = model()
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.add_(torch.randn_like(parameter) / 10)
    found = load_measure(name)(changed, probe(), options_of(name))
    assert not found.equals(taken(name))


@every_measure
def test_its_options_are_of_one_of_the_two_kinds(name):
    assert issubclass(MEASURES[name], OfWeights) and OF_WEIGHTS and OF_IMAGES


@every_measure
def test_what_is_written_reads_back_equal(name, tmp_path):
    found = taken(name)
    write_dataset(tmp_path / "measure.h5", found, f"measure:{name}", {})
    back = read_dataset(tmp_path / "measure.h5", f"measure:{name}")
    assert back.equals(found)
    assert back.drop_attrs(deep=False).identical(found.drop_attrs(deep=False))


@every_measure
@pytest.mark.parametrize("copied", [True, False])
def test_the_model_and_its_mode_are_left_alone(name, copied):
    """Whether a copy with fresh batch-norm statistics is measured, or the model itself."""
    measured = model().train()
    measured[0].bias.requires_grad_(False)
    users = measured[2].register_forward_hook(lambda *_: None)
    measured[6] = nn.utils.parametrizations.spectral_norm(
        measured[6]
    )  # changes when it is looked at in training mode
    asked, usual = [p.requires_grad for p in measured.parameters()], probe()
    cudnn = torch.backends.cudnn
    switches = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = False, True
    before = {key: value.clone() for key, value in measured.state_dict().items()}
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    numpys = np.random.get_state()[1].copy()  # noqa: NPY002
    options = {} if copied or name in OF_WEIGHTS else {"batch_norm_images": 0}
    load_measure(name)(measured, usual, options_of(name, **options))
    assert (cudnn.deterministic, cudnn.benchmark) == (False, True)
    cudnn.deterministic, cudnn.benchmark = switches
    assert (usual.images == probe().images).all() and (usual.training == probe().training).all()
    users.remove()
    assert all(module.training for module in measured.modules())
    assert all(parameter.grad is None for parameter in measured.parameters())
    assert [p.requires_grad for p in measured.parameters()] == asked and asked.count(False) == 1
    assert all(torch.equal(before[key], value) for key, value in measured.state_dict().items())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    assert not any(getattr(module, kind) for module in measured.modules() for kind in hooks)
    assert torch.equal(torch.get_rng_state(), random) and torch.get_num_threads() == threads
    assert (np.random.get_state()[1] == numpys).all()  # noqa: NPY002


class Overwriting(nn.Module):
    """Changes the images that it is given, as a first layer with `inplace=True` does."""

    def __init__(self, kind: torch.dtype, in_place: bool):
        super().__init__()
        self.inner, self.in_place = model().to(kind), in_place

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.inner(pixels.mul_(2).sub_(1) if self.in_place else 2 * pixels - 1)


@every_measure_of_images
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_model_that_works_in_place_changes_neither_images_nor_numbers(name, kind):
    usual = probe(12)
    pixels = torch.from_numpy(usual.images.transpose(0, 3, 1, 2) / 255).to(kind)
    given, function = pixels.clone(), getattr(sp, function_of(name))
    found = [
        function(Overwriting(kind, in_place).eval(), given, usual.labels, **QUICK.get(name, {}))
        for in_place in (False, True)
    ]
    assert torch.equal(given, pixels)
    same(*found)


@every_measure_of_images
@pytest.mark.parametrize(
    "change",
    [
        lambda images: images[..., ::-1],
        lambda images: images.astype(">f4"),
        lambda images: torch.from_numpy(images).requires_grad_(True),
        lambda images: torch.from_numpy(images).to(torch.bfloat16),
        lambda images: np.frombuffer(images.tobytes(), np.float32).reshape(images.shape),  # read-only
    ],
    ids=["reversed", "big-endian", "with gradients", "bfloat16", "read-only"],
)
@pytest.mark.filterwarnings("error")
def test_images_are_taken_in_any_form_that_arrays_have(name, change):
    usual = probe(12)
    pixels = (usual.images.transpose(0, 3, 1, 2) // 128 * 128 / 256).astype(np.float32)  # exact in bfloat16
    given, function = change(pixels), getattr(sp, function_of(name))
    plain = pixels[..., ::-1].copy() if isinstance(given, np.ndarray) and given.strides[-1] < 0 else pixels
    same(*(function(model(), each, usual.labels, **QUICK.get(name, {})) for each in (plain, given)))


@every_measure_of_images
def test_images_that_are_not_square_are_refused_by_their_shape(name):
    with pytest.raises(InputError, match=r"16×12 pixels.*square"):
        taken(name, probe(shape=(16, 12)), batch_norm_images=0)


SHADES = np.linspace(0, 1, 3)[:, None, None, None] * np.ones((3, 3, 16, 16))
"""A black, a grey and a white image."""


def test_a_probe_whose_parts_do_not_fit_is_refused():
    with pytest.raises(InputError, match="found 3 images, 2 labels and 3 image ids"):
        Probe(np.zeros((3, 8, 8, 3), np.uint8), np.zeros(2), np.arange(3), ["a"], np.zeros(0))


@every_measure_of_images
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"labels": np.arange(2)}, r"labels: found shape \(2,\)"),
        ({"labels": np.arange(3) / 2}, "labels: found float64"),
        ({"labels": np.array([0, 1, 4])}, "labels: found 4"),
        ({"labels": np.array([0, 1, -1])}, "labels: found -1"),
        ({"images": np.zeros((3, 3, 16, 12))}, "16×12 pixels.*square"),
        ({"images": np.zeros((3, 16, 16))}, r"images: found shape \(3, 16, 16\)"),
        ({"images": np.where(np.arange(768).reshape(3, 16, 16) == 7, np.nan, SHADES)}, "images: found NaN"),
        ({"images": 2 * SHADES}, r"images: found values from .* to 2\. Allowed: pixels in \[0, 1\]"),
        ({"image_ids": np.arange(2)}, "image_ids: found"),
    ],
)
def test_what_python_gives_is_refused_by_name(name, change, text):
    random = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    usual = {"images": random, "labels": np.arange(3)}
    with pytest.raises(InputError, match=text):
        getattr(sp, function_of(name))(model(), **usual | change, **QUICK.get(name, {}))


def test_the_registry_knows_modules_without_importing_torch_or_xarray():
    code = (
        "import sys; from spectral_priority.measures.registry import measure_module, measure_names\n"
        "assert all(map(measure_module, measure_names()))\n"
        "found = {'torch', 'xarray', 'pandas', 'numpy'} & set(sys.modules)\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@every_measure
def test_a_measure_is_one_module_and_counts_in_the_fingerprint(name):
    assert (SOURCE / f"{measure_module(name).replace('.', '/')}.py").is_file()
    assert code_fingerprint("measure", [measure_module(name)]) != code_fingerprint("measure")


def test_an_unknown_measure_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"measure 'spectrum': there is no such measure. Allowed: gradient"):
        measure_module("spectrum")
