"""A picture of any result file says what the numbers say."""

import numpy as np
import pytest
import xarray as xr

from spectral_priority.errors import InputError
from spectral_priority.figures.result import VIEWS, draw
from spectral_priority.figures.save import save
from spectral_priority.measures import reference
from spectral_priority.measures.registry import measure_names


def named(units="1"):
    return {"units": units, "long_name": "a number"}


@pytest.mark.parametrize("name", measure_names())
def test_every_measure_has_a_picture_over_training(name, tmp_path):
    found = [reference.measured(name, seed=seed)[0] for seed in (0, 1)]
    swept = reference.join(found, [0, 10], steps_per_epoch=10)
    figure, data = draw(swept, name, "a run")
    known = np.sort(np.concatenate([swept[variable].values.ravel() for variable in VIEWS[name].variables]))
    place = np.searchsorted(known, data["value"]).clip(1, len(known) - 1)
    nearest = np.minimum(np.abs(known[place] - data["value"]), np.abs(known[place - 1] - data["value"]))
    assert len(data) and nearest.max() < 1e-6
    assert figure.title_text.startswith(f"{name} of a run: ")
    save(figure, data, tmp_path / "a.svg", tmp_path / "a.png", tmp_path / "a.csv")
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_the_title_of_curves_over_training_names_the_largest_change():
    values = [[0.2, 0.5], [0.2, 0.9], [0.3, 0.6]]
    dataset = xr.Dataset(
        {
            "accuracy": (("checkpoint", "filter"), values, named()),
            "accuracy_se": (("checkpoint", "filter"), np.full((3, 2), 0.01), named()),
            "n": ("checkpoint", [7, 7, 7], named("images")),
        },
        {"filter": ["none", "low-pass"], "step": ("checkpoint", [0, 10, 100])},
    )
    figure, data = draw(dataset, "band-accuracy", "x")
    assert (
        figure.title_text == "band-accuracy of x: accuracy of none goes from 0.20 to 0.30, the largest change"
    )
    assert "n = 7 images. Bands: 95 % intervals." in " ".join(figure.texts[1].get_text().split())
    assert data.columns.tolist() == ["step", "curve", "value", "standard_error"] and len(data) == 6


def test_a_map_has_its_strongest_frequency_where_the_numbers_have_it():
    half = np.zeros((2, 16, 9))
    half[1, -3, 4] = -2.0  # u = −3, v = 4, and its partner
    dataset = xr.Dataset(
        {"loss_increase": (("class", "u", "v"), half, named("nat"))}, {"class": ["cat", "dog"]}
    )
    figure, data = draw(dataset, "dfm", "x")
    assert figure.title_text == "dfm of x: loss increase is strongest at 5.0 cycles/image, for dog"
    strong = data[data["value"] != 0]
    assert strong[["map", "u", "v"]].values.tolist() == [["dog", -3, 4], ["dog", 3, -4]]


def test_a_measure_without_a_picture_is_refused():
    with pytest.raises(InputError, match=r"found 'taste'.*gradient"):
        draw(xr.Dataset(), "taste", "x")
