"""Models take pixels and give logits; their measured copies have fresh batch-norm statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from spectral_priority.config.recipe import Recipe
from spectral_priority.errors import InputError
from spectral_priority.models import Normalise, build_model, has_batch_norm, load_weights, recalibrated
from spectral_priority.models.heads import head_name


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_num_threads(1)


def test_normalisation_is_the_first_layer_and_fixed():
    model = build_model(Recipe(width=4), 3, 3, 16)
    first = model[0]
    assert isinstance(first, Normalise)
    assert not list(first.state_dict(keep_vars=True)) and not list(first.parameters())
    pixels = torch.tensor([0.0, 0.5, 1.0]).expand(1, 3, 1, 3)
    assert torch.equal(first(pixels), torch.tensor([-2.0, 0.0, 2.0]).expand(1, 3, 1, 3))


def test_imagenet_normalisation_is_that_of_torchvisions_weights():
    from torchvision.models import ResNet18_Weights

    preset = ResNet18_Weights.DEFAULT.transforms()
    pixels = torch.rand(2, 3, 4, 4)
    expected = (pixels - torch.tensor(preset.mean)[:, None, None]) / torch.tensor(preset.std)[:, None, None]
    assert torch.allclose(Normalise("imagenet", 3)(pixels), expected)


def test_imagenet_normalisation_of_grey_images_is_that_of_the_three_channels_on_average():
    colour, grey = Normalise("imagenet", 3), Normalise("imagenet", 1)
    assert grey.mean.item() == pytest.approx(colour.mean.mean().item(), abs=1e-6)
    assert grey.deviation.item() == pytest.approx(colour.deviation.mean().item(), abs=1e-6)


def test_a_recipes_normalisation_is_the_first_layer_of_its_model():
    first = build_model(Recipe(width=4, normalisation="imagenet"), 2, 1, 8)[0]
    assert torch.allclose(first(torch.full((1, 1, 8, 8), 0.449)), torch.zeros(1, 1, 8, 8))


def test_an_embedder_gives_minus_the_squared_distance_to_each_class_mean():
    model = build_model(Recipe(width=4, objective="triplet", embedding=5), 3, 1, 8).eval()
    assert torch.equal(model.state_dict()["class_means"], torch.zeros(3, 5))
    model.class_means.normal_()
    pixels = torch.rand(2, 1, 8, 8)
    embedded, means = model.embed(pixels).detach().double().numpy(), model.class_means.double().numpy()
    assert embedded.shape == (2, 5)
    expected = [[-sum((e - mean) ** 2) for mean in means] for e in embedded]
    assert model(pixels).detach().numpy() == pytest.approx(np.array(expected), rel=1e-5)


FAMILIES = [
    *(
        ("alexnet", 64),
        ("convnext_tiny", 32),
        ("densenet121", 32),
        ("efficientnet_b0", 32),
        ("googlenet", 32),
    ),
    *(
        ("inception_v3", 75),
        ("maxvit_t", 224),
        ("mnasnet0_5", 32),
        ("mobilenet_v2", 32),
        ("mobilenet_v3_small", 32),
    ),
    *(("regnet_x_400mf", 32), ("regnet_y_400mf", 32), ("resnext50_32x4d", 32), ("shufflenet_v2_x0_5", 32)),
    *(("squeezenet1_0", 32), ("swin_t", 32), ("swin_v2_t", 32), ("vgg11", 32)),
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "size"), FAMILIES)
def test_every_family_of_torchvision_gets_the_channels_and_a_head_of_the_classes(name, size, channels):
    model = build_model(Recipe(model=name), 5, channels, size)
    head = model.get_submodule(head_name(model))
    assert len(head.weight) == 5
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    assert first.in_channels == channels


def test_weights_from_a_file_of_tensors_fit_mnasnet_too_whose_own_loading_asks_for_more():
    model, other = (build_model(Recipe(model="mnasnet0_5"), 5, 3, 32).eval() for _ in range(2))
    load_weights(model, dict(other.state_dict()))
    pixels = torch.rand(1, 3, 32, 32)
    assert torch.equal(model(pixels), other(pixels))


def test_weights_of_another_model_are_not_loaded():
    model, other = (build_model(Recipe(width=width), 2, 1, 8) for width in (4, 5))
    with pytest.raises(ValueError, match="another model's"):
        load_weights(model, other.state_dict())


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
