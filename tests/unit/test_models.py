"""Models take pixels and give logits; their measured copies have fresh batch-norm statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spectral_priority.config.recipe import Recipe
from spectral_priority.errors import InputError
from spectral_priority.models import Normalise, build_model, has_batch_norm, recalibrated


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def test_normalisation_is_the_first_layer_and_fixed():
    model = build_model(Recipe(width=4), 3, 3, 16)
    first = model[0]
    assert isinstance(first, Normalise)
    assert not list(first.parameters())
    assert torch.equal(first(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([-2.0, 0.0, 2.0]))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 4}, 8),
        ({"width": 4}, 33),
        ({"model": "resnet18"}, 32),
        ({"model": "resnet18", "stem": "cifar"}, 16),
        ({"model": "squeezenet1_1"}, 32),
        ({"model": "vit_b_32"}, 32),
    ],
)
def test_models_map_pixels_to_logits(options, size, channels):
    model = build_model(Recipe(**options), classes=5, channels=channels, size=size)
    pixels = torch.rand(2, channels, size, size, requires_grad=True)
    logits = model(pixels)
    assert logits.shape == (2, 5)
    (gradient,) = torch.autograd.grad(logits.sum(), pixels)
    assert gradient.shape == pixels.shape
    assert model.training


def test_the_highest_frequency_reaches_the_first_convolution():
    for options in ({"width": 4}, {"model": "resnet18", "stem": "cifar"}):
        model = build_model(Recipe(**options), 2, 3, 16)
        first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
        assert first.stride == (1, 1)


def test_the_same_random_state_gives_the_same_weights():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build_model(Recipe(width=4), 3, 1, 8).state_dict())
    name = "network.convolution1.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_an_unknown_model_hints_at_the_nearest():
    with pytest.raises(InputError, match=r"found 'resnet19' \(did you mean 'resnet18'\?\)"):
        build_model(Recipe(model="resnet19"), 2, 3, 32)
    with pytest.raises(InputError, match=r"did you mean 'small_cnn'"):
        build_model(Recipe(model="smallcnn"), 2, 3, 32)


def test_sizes_and_stems_that_a_model_can_not_have_are_refused():
    with pytest.raises(InputError, match="images of 4 pixels are too small"):
        build_model(Recipe(), 2, 3, 4)
    with pytest.raises(InputError, match="alexnet: can't take images of 32 pixels"):
        build_model(Recipe(model="alexnet"), 2, 3, 32)
    with pytest.raises(InputError, match="vit_b_16: can't take images of 33 pixels"):
        build_model(Recipe(model="vit_b_16"), 2, 3, 33)
    with pytest.raises(InputError, match="stem of small_cnn: found 'cifar'"):
        build_model(Recipe(stem="cifar"), 2, 3, 32)
    with pytest.raises(InputError, match="stem of squeezenet1_1: found 'cifar'"):
        build_model(Recipe(model="squeezenet1_1", stem="cifar"), 2, 3, 32)


def test_recalibrated_statistics_are_those_of_the_images():
    layers = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    layers(5 + 9 * torch.rand(10, 1, 4, 4))  # leaves other statistics behind
    batches = [torch.rand(10, 1, 4, 4) for _ in range(3)]
    copy = recalibrated(layers, iter(batches))
    maps = [layers[0](batch).detach().double() for batch in batches]
    mean = torch.stack([values.mean((0, 2, 3)) for values in maps]).mean(0)
    variance = torch.stack([values.var((0, 2, 3)) for values in maps]).mean(0)
    assert torch.allclose(copy[1].running_mean.double(), mean, atol=1e-6)
    assert torch.allclose(copy[1].running_var.double(), variance, atol=1e-6)
    assert copy[1].momentum == 0.1
    assert not any(layer.training for layer in copy.modules())


def test_recalibration_leaves_the_model_and_other_layers_alone():
    model = nn.Sequential(nn.Dropout(0.9), nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batch = torch.rand(10, 1, 4, 4)
    copy = recalibrated(model, [batch])
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training
    # With dropout on, nine tenths of the input would be missing.
    assert torch.allclose(copy[2].running_mean, model[1](batch).mean((0, 2, 3)), atol=1e-6)


def test_a_model_without_batch_norm_is_only_copied():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert not has_batch_norm(model)
    assert has_batch_norm(build_model(Recipe(width=4), 2, 1, 8))
    copy = recalibrated(model, [])
    assert copy is not model
    assert torch.equal(copy[1].weight, model[1].weight)
