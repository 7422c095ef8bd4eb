"""The gradient measure on a CUDA device: the numbers of the CPU, whatever the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectral_priority.config.recipe import Recipe
from spectral_priority.measures.gradient import gradient_spectrum
from spectral_priority.models import build_model

pytestmark = pytest.mark.gpu

NETWORKS = {"small_cnn": Recipe(width=8), "resnet18": Recipe(model="resnet18", stem="cifar")}


@pytest.fixture(params=NETWORKS)
def model(request) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(NETWORKS[request.param], classes=4, channels=3, size=32)


@pytest.fixture(scope="module")
def probe() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8), random.integers(0, 4, 40)


def test_the_gradient_measure_is_the_same_on_both_devices(model, probe):
    on_cpu = gradient_spectrum(model, *probe)
    on_cuda = gradient_spectrum(model, *probe, device="cuda", batch_size=17)
    for name, expected in on_cpu.data_vars.items():
        if not name.endswith("_residual"):  # rounding errors themselves
            np.testing.assert_allclose(on_cuda[name], expected, rtol=1e-3, atol=1e-6, err_msg=name)


def test_a_measure_takes_float32_although_tf32_was_allowed(model, probe):
    expected = gradient_spectrum(model, *probe, device="cuda")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        found = gradient_spectrum(model, *probe, device="cuda")
        assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    assert found.equals(expected)
