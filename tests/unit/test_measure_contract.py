"""What every measure promises, and what its kind promises besides: a new one is tested as soon as it is registered.

There are two kinds, told apart by their options: measures of a model's responses to images (`Measured`), and measures
of its weights alone (`OfWeights` only), to which no image matters.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from spectral_priority.config.measures import MEASURES, Measured, OfWeights
from spectral_priority.config.scalars import OF_MEASURE
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import SOURCE, code_fingerprint
from spectral_priority.measures.probe import Probe
from spectral_priority.measures.registry import load_measure, measure_module, measure_names, measure_options
from spectral_priority.store.netcdf import read_dataset, write_dataset

RTOL = 2e-6
"""Of numbers that are kept in float32."""
RTOL_OF_ERRORS = 1e-4
"""Standard errors are differences of nearly equal numbers; test statistics divide by them."""
QUICK = {"paths": {"pairs": 20, "samples": 16}}
"""Options of costly measures that keep this suite quick; what is promised holds for any."""

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


@every_measure
def test_every_number_is_finite_or_missing_and_counted(name):
    """A number that may be missing names, in the attribute `missing_in`, the variable that counts how many are."""
    found = taken(name)
    for variable, values in found.variables.items():
        if values.dtype.kind in "fi":
            counted = values.attrs.get("missing_in")
            assert (~np.isfinite(values)).sum() == (found[counted] if counted else 0), variable
            assert not np.isinf(values).any(), variable


@every_measure
def test_the_same_twice_gives_the_same(name):
    torch.manual_seed(1)
    first = taken(name)
    torch.manual_seed(2)
    assert first.identical(taken(name))


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
def test_the_model_and_its_mode_are_left_alone(name):
    measured = model().train()
    before = {key: value.clone() for key, value in measured.state_dict().items()}
    load_measure(name)(measured, probe(), options_of(name))
    assert measured.training and all(parameter.grad is None for parameter in measured.parameters())
    assert all(torch.equal(before[key], value) for key, value in measured.state_dict().items())


@every_measure_of_images
def test_images_that_are_not_square_are_refused_by_their_shape(name):
    with pytest.raises(InputError, match=r"16×12 pixels.*square"):
        taken(name, probe(shape=(16, 12)), batch_norm_images=0)


@every_measure
def test_a_probe_whose_parts_do_not_fit_is_refused(name):
    with pytest.raises(InputError, match="found 3 images, 2 labels and 3 image ids"):
        taken(name, Probe(np.zeros((3, 8, 8, 3), np.uint8), np.zeros(2), np.arange(3), ["a"], np.zeros(0)))


@pytest.mark.gpu
@every_measure
def test_cpu_and_gpu_agree(name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    on_gpu = load_measure(name)(model().cuda(), probe(), options_of(name))
    for variable, expected in taken(name).data_vars.items():
        if not variable.endswith("_residual"):
            np.testing.assert_allclose(on_gpu[variable], expected, rtol=1e-3, atol=1e-6, err_msg=variable)


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
