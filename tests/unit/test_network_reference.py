"""The reference space of a network: principal components of what its head takes, for every image of the data set."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_training import write_data
from torchvision.models import get_model
from torchvision.models.feature_extraction import create_feature_extractor

from spectral_priority.config.statistics import Reference
from spectral_priority.data.images import PackedImages
from spectral_priority.data.reference import load_reference
from spectral_priority.models.features import features
from spectral_priority.store.netcdf import read_provenance

PROGRAM = Path(__file__).parents[2] / "workflow" / "scripts" / "network_reference.py"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def network():
    """A ResNet as torchvision makes it, with statistics of its own, that has learned nothing."""
    torch.manual_seed(0)
    model = get_model("resnet18", weights=None, num_classes=7).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model


def reference(folder, **options):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--images", folder / "images.h5", "--options", json.dumps(options),
         "--data-root", folder, "--output", folder / "reference.h5"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done


def by_hand(network, images, size=None):
    """What fc takes, by torchvision's own means: pixels in three channels, normalised as its weights expect."""
    pixels = torch.from_numpy(np.array(images.pixels)).permute(0, 3, 1, 2).expand(-1, 3, -1, -1) / 255
    if size:
        pixels = torch.nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    pixels = (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    with torch.no_grad():
        return create_feature_extractor(network, ["flatten"])(pixels)["flatten"].double().numpy()


@pytest.mark.parametrize("size", [None, 32])
def test_points_are_principal_components_of_the_features(tmp_path, network, size):
    write_data(tmp_path)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    done = reference(tmp_path, weights="w.pth", model="resnet18", components=5, size=size)
    assert done.returncode == 0, done.stderr
    images = PackedImages(tmp_path / "images.h5")
    found = load_reference(tmp_path / "reference.h5", images)
    expected = by_hand(network, images, size)
    centred = expected - expected.mean(axis=0)
    _, values, rows = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found["explained"], values[:5] ** 2 / (len(images) - 1), rtol=1e-4)
    projected = centred @ rows[:5].T
    signs = np.sign((projected * found["points"].values).sum(axis=0))
    np.testing.assert_allclose(found["points"], projected * signs, atol=1e-3 * np.abs(projected).max())
    assert found.attrs["unit"] == "L2 of features" and "resnet18" in found.attrs["space"]
    assert len(read_provenance(found)["weights"]) == 64, "the file of weights by its SHA-256"


def test_weights_that_do_not_fit_are_refused(tmp_path, network):
    write_data(tmp_path)
    missing = reference(tmp_path, weights="w.pth", model="resnet18")
    assert missing.returncode == 2 and "complexity.reference.weights: w.pth: there is no" in missing.stderr
    torch.save(network.state_dict(), tmp_path / "w.pth")
    other = reference(tmp_path, weights="w.pth", model="resnet34")
    assert other.returncode == 2 and "does not fit the model 'resnet34'" in other.stderr
    state = network.state_dict()
    torch.save({**state, "conv1.weight": state["conv1.weight"].repeat(1, 2, 1, 1)}, tmp_path / "w.pth")
    channels = reference(tmp_path, weights="w.pth", model="resnet18")
    assert channels.returncode == 2 and "weights for images of 6 channels" in channels.stderr
    assert not (tmp_path / "reference.h5").exists()


@pytest.mark.parametrize(
    "options",
    [{"weights": "w.pth"}, {"model": "resnet18"}, {"size": 64}],
    ids=["no name", "no file", "no network"],
)
def test_a_network_has_name_and_weights(options):
    with pytest.raises(ValidationError, match=r"give both|leave it out"):
        Reference(**options)


def test_a_head_that_is_a_convolution_gives_means_over_places():
    torch.manual_seed(0)
    model = get_model("squeezenet1_1", weights=None, num_classes=3).eval()
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        expected = model.features(pixels).mean(dim=(2, 3))
    torch.testing.assert_close(features(model, pixels), expected)
