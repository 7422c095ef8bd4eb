"""The reference space is that of principal components: orthonormal, ordered, deterministic."""

import numpy as np
import pytest
import xarray as xr

from spectral_priority.data import reference as module
from spectral_priority.data.reference import fit_reference, load_reference, project, with_points
from spectral_priority.errors import InputError
from spectral_priority.store.netcdf import write_dataset

RNG = np.random.default_rng(0)


def correlated(count, size=12, channels=3, seed=0):
    """Images whose power falls with frequency, as that of photographs does."""
    noise = np.random.default_rng(seed).normal(size=(count, size, size, channels))
    smooth = noise.cumsum(axis=1).cumsum(axis=2)
    return np.clip(128 + 6 * smooth, 0, 255).astype(np.uint8)


IMAGES = correlated(300)


def test_components_are_those_of_a_singular_value_decomposition():
    fitted = fit_reference(IMAGES, 10)
    points = IMAGES.reshape(300, -1) / 255.0
    _, values, rows = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(fitted["mean"], points.mean(axis=0))
    np.testing.assert_allclose(fitted["explained"], values[:10] ** 2 / 299)
    np.testing.assert_allclose(np.abs(fitted["components"].values @ rows[:10].T), np.eye(10), atol=1e-7)
    assert fitted.attrs["total_variance"] == pytest.approx((values**2).sum() / 299)


def test_the_iteration_finds_the_same_space(monkeypatch):
    exact = fit_reference(IMAGES, 10)
    monkeypatch.setattr(module, "EXACT", 10)
    monkeypatch.setattr(module, "CHUNK_BYTES", 70 * 8 * 12 * 12 * 3)
    iterated = fit_reference(IMAGES, 10)
    np.testing.assert_allclose(iterated["explained"], exact["explained"], rtol=1e-5)
    np.testing.assert_allclose(iterated["components"], exact["components"], atol=5e-3)
    xr.testing.assert_identical(iterated, fit_reference(IMAGES, 10))


def test_projections_have_no_mean_and_the_variance_explained():
    fitted = fit_reference(IMAGES, 10)
    points = project(IMAGES, fitted)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(np.cov(points.T), np.diag(fitted["explained"]), atol=1e-9)
    assert project(IMAGES[:0], fitted).shape == (0, 10)


def test_signs_are_fixed():
    components = fit_reference(IMAGES, 10)["components"].values
    assert (components[np.arange(10), np.abs(components).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize("exact", [True, False])
def test_fewer_components_where_the_images_span_no_more(exact, monkeypatch):
    if not exact:
        monkeypatch.setattr(module, "EXACT", 0)
    assert fit_reference(IMAGES[:5], 64).sizes["component"] == 4
    two = np.concatenate([IMAGES[:2]] * 10)
    fitted = fit_reference(two, 64)
    assert fitted.sizes["component"] == 1
    assert np.unique(project(two, fitted).round(6)).size == 2
    assert fit_reference(correlated(100, size=4, channels=1), 64).sizes["component"] <= 16


def test_images_that_are_all_the_same_are_refused():
    with pytest.raises(InputError, match="the reference space: all its images are the same"):
        fit_reference(np.full((10, 8, 8, 1), 7, dtype=np.uint8), 4)
    with pytest.raises(ValueError, match="at least two images; found 1"):
        fit_reference(IMAGES[:1], 4)


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match="made for images of 432 numbers; these have 144"):
        project(IMAGES[..., :1], fit_reference(IMAGES, 4))


def test_the_file_has_the_place_of_every_image(tmp_path):
    fitted = fit_reference(IMAGES, 4)
    placed = with_points(fitted, [IMAGES[:70], IMAGES[70:]], "pixels", "L2 of pixels")
    write_dataset(tmp_path / "reference.h5", placed, "reference", {})
    read = load_reference(tmp_path / "reference.h5", Packed(300))
    np.testing.assert_allclose(read["points"], project(IMAGES, fitted), rtol=1e-6, atol=1e-6)
    assert read.attrs["unit"] == "L2 of pixels"
    with pytest.raises(InputError, match=r"has the places of 300 images.*those of the 299 in images\.h5"):
        load_reference(tmp_path / "reference.h5", Packed(299))


class Packed:
    """As many packed images as are said."""

    path = "images.h5"

    def __init__(self, number):
        self.number = number

    def __len__(self):
        return self.number


def test_features_are_taken_as_they_are():
    features = np.random.default_rng(3).normal(3.0, 2.0, size=(50, 6)).astype(np.float32)
    fitted = fit_reference(features, 6)
    np.testing.assert_allclose(fitted["mean"], features.mean(axis=0), rtol=1e-5)
    assert fitted["explained"].sum() == pytest.approx(features.astype(float).var(axis=0, ddof=1).sum())
