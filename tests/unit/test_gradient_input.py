"""What the gradient spectrum takes, what it refuses by name, and that it leaves the model alone."""

import numpy as np
import pytest
import torch
from small_models import images, network
from torch import nn

import spectral_priority as sp
from spectral_priority.errors import InputError


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(400, 4)
    )
    model.train()
    model[1].eval()
    model[0].bias.requires_grad_(False)
    model(torch.rand(2, 3, 12, 12)).sum().backward()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    modes = [module.training for module in model.modules()]
    asked = [parameter.requires_grad for parameter in model.parameters()]
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    with torch.no_grad():
        first = sp.gradient_spectrum(model, *images())
    with pytest.raises(InputError):
        sp.gradient_spectrum(model, np.full((1, 3, 12, 12), np.nan), np.array([0]))
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == asked
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    for name, parameter in model.named_parameters():
        before = gradients[name]
        assert parameter.grad is before or torch.equal(parameter.grad, before)
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == (precision, tf32)
    assert first.equals(sp.gradient_spectrum(model, *images()))


def test_packed_pixels_and_floats_are_the_same_images():
    pixels, labels = images()
    packed = sp.gradient_spectrum(network(), pixels, labels)
    floats = sp.gradient_spectrum(network(), pixels.transpose(0, 3, 1, 2) / 255, torch.from_numpy(labels))
    np.testing.assert_allclose(floats.share, packed.share, rtol=1e-6)


def floats(*shape):
    return np.full(shape, 0.5)


@pytest.mark.parametrize("pixels, labels, text", [
    (floats(2, 3, 12, 10), [0, 1], r"images: found float64 of shape .*12×10 pixels\. Allowed: square images"),
    (np.zeros((2, 3, 12, 12), np.uint8), [0, 1], "found uint8 of shape .*3×12 pixels"),
    (floats(2, 12, 12), [0, 1], r"images: found shape \(2, 12, 12\)"),
    (floats(2, 3, 12, 12), [0], r"labels: found shape \(1,\)\. Allowed: one label per image, \(2,\)"),
    (floats(2, 3, 12, 12), [0, 4], r"labels: found 4\. Allowed: 0 … 3, for the model has 4 logits"),
    (floats(2, 3, 12, 12), [-1, 0], "labels: found -1"),
    (floats(2, 3, 12, 12), [0.0, 1.0], "labels: found float64. Allowed: whole numbers"),
    (floats(2, 3, 12, 12) * np.nan, [0, 1], r"images: found NaN\. Allowed: pixels in \[0, 1\]"),
    (floats(2, 3, 12, 12) * 255, [0, 1], r"found values from 128 to 128.*normalisation the model's first layer"),
])  # fmt: skip
def test_faulty_input_is_refused_by_name(pixels, labels, text):
    with pytest.raises(InputError, match=text):
        sp.gradient_spectrum(network(), pixels, np.array(labels))


class Broken(nn.Module):
    def forward(self, x):
        return x.sum(dim=(1, 2, 3))[:, None] * torch.tensor([1.0, torch.inf, 0, 0])


@pytest.mark.parametrize("model, text", [
    (network(classes=1), r"model: returns one logit.*torch\.cat\(\[torch\.zeros_like\(z\), z\], 1\)"),
    (nn.Conv2d(3, 4, 3), r"model: returns shape \(2, 4, 10, 10\)"),
    (Broken(), "gradients: are not finite.*training has diverged"),
    (network().half(), "model: has torch.float16 parameters. Allowed: float32 or float64"),
    (nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), network()), "without running statistics"),
])  # fmt: skip
def test_models_that_cannot_be_measured_are_refused(model, text):
    with pytest.raises(InputError, match=text):
        sp.gradient_spectrum(model, floats(2, 3, 12, 12), np.array([0, 0]))


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"objectiv.*Allowed: .*measure, objective, channels"):
        sp.gradient_spectrum(network(), *images(2), objectiv="loss")


def test_lists_are_refused_with_what_is_wanted():
    pixels, labels = images(4)
    with pytest.raises(InputError, match=r"images: found list.*an array or a tensor, uint8"):
        sp.gradient_spectrum(network(), pixels.tolist(), labels)
    with pytest.raises(InputError, match=r"labels: found list.*an array or a tensor, whole numbers"):
        sp.gradient_spectrum(network(), pixels, labels.tolist())
