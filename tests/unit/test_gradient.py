"""Statements about the gradient spectrum; the slow reference works image by image in float64, with loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, linear, network
from torch import nn

import spectral_priority as sp
from spectral_priority import fourier

SCALARS = (
    *("centroid", "centroid_per_pixel", "power_centroid", "median_frequency", "low_share", "mid_share"),
    *("high_share", "slope", "slope_r2", "entropy", "top_share", "dc_share", "corner_share"),
)


def objective_value(logits, label, objective):
    if objective == "loss":
        return nn.functional.cross_entropy(logits[None], torch.tensor([label]))
    others = torch.cat([logits[:label], logits[label + 1 :]])
    return logits[label] - others.max() if objective == "margin" else logits.softmax(0)[label]


def slow_reference(model, pixels, labels, objective="loss", channels="keep", corners=False):
    """METHODS 3, one image and one frequency after another."""
    size = pixels.shape[1]
    last = round(np.sqrt(2) * (size // 2)) if corners else size // 2
    shares, powers, totals, dc, corner = [], [], [], [], []
    mean_plane = np.zeros((size, size))
    for image, label in zip(pixels, labels, strict=True):
        x = torch.from_numpy(image.transpose(2, 0, 1) / 255).requires_grad_(True)
        objective_value(model(x[None])[0], int(label), objective).backward()
        gradient = x.grad.numpy()
        if channels != "keep":
            gradient = getattr(gradient, channels)(axis=0)[None]
        plane = sum(np.abs(np.fft.fft2(one)) ** 2 for one in gradient) / size**2
        ring_power, in_corners = np.zeros(last + 1), 0.0
        for i in range(size):
            for j in range(size):
                u, v = (k - size if k > (size - 1) // 2 else k for k in (i, j))
                ring = int(np.floor(np.sqrt(u * u + v * v) + 0.5))
                if ring <= last:
                    ring_power[ring] += plane[i, j]
                in_corners += plane[i, j] * (ring > size // 2)
        kept = ring_power[1:].sum()
        shares.append(ring_power[1:] / kept)
        powers.append(ring_power[1:])
        totals.append(kept)
        dc.append(plane[0, 0] / plane.sum())
        corner.append(in_corners / plane.sum())
        mean_plane += plane / kept / len(pixels)
    shares, powers, totals = np.array(shares), np.array(powers), np.array(totals)
    ring = np.arange(1, last + 1)
    return {
        "share": shares.mean(axis=0),
        "share_se": shares.std(axis=0, ddof=1) / np.sqrt(len(shares)),
        "power": powers.mean(axis=0),
        "power_share": powers.sum(axis=0) / totals.sum(),
        "n_eff": totals.sum() ** 2 / (totals**2).sum(),
        "centroid": (shares.mean(axis=0) * ring).sum(),
        "centroid_se": (shares @ ring).std(ddof=1) / np.sqrt(len(shares)),
        "power_centroid": (powers.sum(axis=0) * ring).sum() / totals.sum(),
        "low_share": shares[:, ring <= size / 6].sum(axis=1).mean(),
        "high_share": shares[:, ring > size / 3].sum(axis=1).mean(),
        "dc_share": np.mean(dc),
        "corner_share": np.mean(corner),
        "map": mean_plane[:, : size // 2 + 1].astype(np.float32),
    }


CASES = [
    {},
    {"objective": "margin", "channels": "sum"},
    {"objective": "probability", "corners": True},
    {"channels": "mean", "corners": True},
]


@pytest.mark.parametrize("size", [12, 9])
@pytest.mark.parametrize("options", CASES)
def test_the_measure_equals_the_slow_reference(size, options):
    pixels, labels = images(size=size)
    model = network(size, kind=torch.float64)
    found = sp.gradient_spectrum(model, pixels, labels, batch_size=7, **options)
    for name, expected in slow_reference(model, pixels, labels, **options).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6 if name == "map" else 1e-9, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(4, 17),
    channels=st.integers(1, 4),
    count=st.integers(2, 6),
    classes=st.integers(2, 5),
    batch_size=st.integers(1, 7),
    seed=st.integers(0, 100),
)
def test_any_shape_equals_the_slow_reference(size, channels, count, classes, batch_size, seed):
    pixels, labels = images(count, size, channels, classes, seed)
    model = network(size, channels, classes, seed, torch.float64)
    found = sp.gradient_spectrum(model, pixels, labels, batch_size=batch_size)
    expected = slow_reference(model, pixels, labels)
    for name in ("share", "power", "power_share", "centroid", "dc_share", "corner_share"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-8, err_msg=name)
    assert found.parseval_residual < 1e-12
    assert int(found.n) == count and found.class_n.sum() == count


def test_two_logits_of_a_linear_model_have_the_spectrum_of_their_difference():
    weight = torch.randn(2, 3, 16, 16, generator=torch.manual_seed(1), dtype=torch.float64)
    found = sp.gradient_spectrum(linear(weight), *images(5, 16, 3, 2))
    power = fourier.radial_sum(fourier.half_plane_power((weight[0] - weight[1]).numpy()).sum(axis=0))
    np.testing.assert_allclose(found.share, power / power.sum(), rtol=1e-12)
    np.testing.assert_allclose(found.share_se, 0, atol=1e-15)


def test_a_linear_model_has_the_spectrum_of_its_weight_rows_mixture():
    weight = torch.randn(4, 3, 16, 16, generator=torch.manual_seed(1), dtype=torch.float64) / 10
    pixels, labels = images(20, 16, 3, 4)
    found = sp.gradient_spectrum(linear(weight), pixels, labels)
    logits = linear(weight)(torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255))
    mixture = (logits.softmax(1) - nn.functional.one_hot(torch.from_numpy(labels), 4)).detach()
    gradients = torch.einsum("ij,jcyx->icyx", mixture, weight).numpy()
    power = fourier.radial_sum(fourier.half_plane_power(gradients).sum(axis=1))
    np.testing.assert_allclose(found.share, (power / power.sum(axis=1, keepdims=True)).mean(axis=0))
    np.testing.assert_allclose(found.power, power.mean(axis=0))


def test_a_model_that_looks_at_one_sinusoid_has_its_ring():
    y, x = np.mgrid[:16, :16] / 16
    wave = torch.from_numpy(np.cos(2 * np.pi * (3 * x + 4 * y)))[None, None]
    found = sp.gradient_spectrum(linear(torch.cat([wave, -wave])), *images(4, 16, 1, 2))
    assert found.share.sel(ring=5) == pytest.approx(1)
    assert found.centroid == pytest.approx(5) and found.median_frequency == pytest.approx(5)
    assert found.centroid_per_pixel == pytest.approx(5 / 16)
    assert found.top_share == pytest.approx(1)


def test_turning_the_images_and_the_model_changes_nothing():
    weight = torch.randn(3, 2, 15, 15, generator=torch.manual_seed(2), dtype=torch.float64) / 10
    pixels, labels = images(12, 15, 2, 3)
    straight = sp.gradient_spectrum(linear(weight), pixels, labels)
    turned = sp.gradient_spectrum(
        linear(torch.rot90(weight, 1, (2, 3))), np.rot90(pixels, 1, (1, 2)).copy(), labels
    )
    np.testing.assert_allclose(turned.share, straight.share, rtol=1e-9)
    np.testing.assert_allclose(turned.power, straight.power, rtol=1e-9)


def test_gradients_of_white_noise_have_a_flat_density_and_a_share_that_grows():
    class Noise(nn.Module):
        """A model with a gradient of its own for every image: the image, fixed as a constant, is the weight."""

        def forward(self, x):
            z = ((x.detach() - 0.5) * x).sum(dim=(1, 2, 3))
            return torch.stack([z, -z], dim=1) / 100

    pixels = np.random.default_rng(0).integers(0, 256, (1500, 16, 16, 1), dtype=np.uint8)
    found = sp.gradient_spectrum(Noise(), pixels, np.zeros(1500, int))
    np.testing.assert_allclose(found.density, 1 / 8, rtol=0.05)
    assert abs(found.slope) < 3 * found.slope_se + 0.01
    assert found.share[-1] > 4 * found.share[0]
    deviation = (found.density - 1 / 8) / found.density_se
    assert (abs(deviation) < 4.5).all()


def confident(gap, kind):
    """A model that is sure of class 0 by a logit gap."""
    weight = torch.randn(4, 3, 12, 12, generator=torch.manual_seed(3)) / 100
    model = nn.Sequential(nn.Flatten(), nn.Linear(432, 4)).to(kind)
    model[1].weight.data = weight.flatten(1).to(kind)
    model[1].bias.data = torch.tensor([gap, 0, 0, 0], dtype=kind)
    return model


@pytest.mark.parametrize("gap", [20, 40, 60])
def test_a_confident_model_has_the_shares_that_float64_has(gap):
    pixels, labels = images(16)[0], np.zeros(16, int)
    single = sp.gradient_spectrum(confident(gap, torch.float32), pixels, labels)
    double = sp.gradient_spectrum(confident(gap, torch.float64), pixels, labels)
    np.testing.assert_allclose(single.share, double.share, rtol=1e-5)
    np.testing.assert_allclose(single.power, double.power, rtol=1e-4)
    np.testing.assert_allclose(single.power_share, double.power_share, rtol=1e-4)
    if gap == 20:  # float64 itself loses the direction beyond 36
        naive = slow_reference(confident(gap, torch.float64), pixels, labels)
        np.testing.assert_allclose(double.share, naive["share"], rtol=1e-6)
        np.testing.assert_allclose(double.power, naive["power"], rtol=1e-6)


@pytest.mark.parametrize("factor", [1e-30, 1e-15, 1e15, 1e30])
def test_shares_do_not_depend_on_the_size_of_gradients(factor):
    weight = torch.randn(2, 3, 16, 16, generator=torch.manual_seed(1), dtype=torch.float64)
    model = linear(weight).float()
    model[1].weight.data *= factor
    power = fourier.radial_sum(fourier.half_plane_power((weight[0] - weight[1]).numpy()).sum(axis=0))
    found = sp.gradient_spectrum(model, *images(5, 16, 3, 2))
    np.testing.assert_allclose(found.share, power / power.sum(), rtol=1e-5)
    assert found.parseval_residual < 1e-5 and found.n_zero == 0


def test_a_gradient_too_small_for_float64_still_has_shares():
    pixels, labels = images(16)[0], np.zeros(16, int)
    sure = sp.gradient_spectrum(confident(2000, torch.float32), pixels, labels)
    usual = sp.gradient_spectrum(confident(60, torch.float32), pixels, labels)
    np.testing.assert_allclose(sure.power_share, usual.power_share, rtol=1e-2)
    assert (sure.power == 0).all() and sure.n_eff > 15
    of_mean, usual = (
        sp.gradient_spectrum(confident(gap, torch.float32), pixels, labels, of="mean-gradient", batch_size=5)
        for gap in (2000, 60)
    )
    np.testing.assert_allclose(of_mean.share, usual.share, rtol=1e-2)
    np.testing.assert_allclose(of_mean.class_share, usual.class_share, rtol=1e-2)


def test_batch_size_and_order_do_not_matter():
    """Float32 arithmetic of convolutions differs between batch sizes in the last bits: 2·10⁻⁶ relative."""
    pixels, labels = images(41, 16)
    names = np.arange(100, 141)
    order = np.random.default_rng(0).permutation(41)
    for options in ({}, {"of": "mean-gradient"}, {"legacy": "freqbias"}, {"corners": True}):
        model = network(16)
        whole = sp.gradient_spectrum(model, pixels, labels, image_ids=names, **options)
        for batch_size, chosen in [(1, slice(None)), (7, order), (41, order[::-1])]:
            again = sp.gradient_spectrum(
                model,
                pixels[chosen],
                labels[chosen],
                image_ids=names[chosen],
                batch_size=batch_size,
                **options,
            )
            for name in set(whole.data_vars) - {"parseval_residual"}:
                rtol = 2e-6 if not name.endswith("_se") else 1e-4
                np.testing.assert_allclose(again[name], whole[name], rtol=rtol, atol=1e-8, err_msg=name)


def test_zero_gradients_are_dropped_and_counted():
    class Half(nn.Module):
        """Its logits depend on the image only where the first pixel is bright."""

        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return torch.where(x[:, 0, 0, 0, None] > 0.5, self.inner(x), 0 * x.sum(dim=(1, 2, 3))[:, None])

    pixels, labels = images()
    bright = pixels[:, 0, 0, 0] > 127
    model = Half()
    found = sp.gradient_spectrum(model, pixels, labels, batch_size=8, legacy="freqbias")
    only = sp.gradient_spectrum(model, pixels[bright], labels[bright], legacy="freqbias")
    assert int(found.n) == bright.sum() and int(found.n_zero) == (~bright).sum()
    for name in ("share", "share_se", "power", "power_share", "n_eff", "top_share", "legacy"):
        np.testing.assert_allclose(found[name], only[name], rtol=1e-5)


class Brightness(nn.Module):
    """Its gradients are uniform: all power is DC."""

    def __init__(self, kind):
        super().__init__()
        self.weight = nn.Parameter(
            torch.tensor([[3, 0.9, 2.1], [-1.2, 0.3, 2.7], [0.6, 1.8, -2.4]], dtype=kind)
        )

    def forward(self, x):
        return x.mean(dim=(2, 3)) @ self.weight


MODES = (
    {}, {"of": "mean-gradient"}, {"legacy": "freqbias"}, {"legacy": "fourier-sensitivity"}, {"corners": True},
    {"per_class": False}, {"objective": "probability"}, {"channels": "sum"},
)  # fmt: skip


@pytest.mark.parametrize("options", MODES)
def test_a_collapsed_model_has_no_power_no_shares_and_no_images(options):
    model = network()
    model[-1].weight.data.zero_()
    pixels, labels = images()
    found = sp.gradient_spectrum(model, pixels, labels, **options)
    usual = sp.gradient_spectrum(network(), pixels, labels, **options)
    assert set(found.variables) == set(usual.variables) and found.sizes == usual.sizes
    assert (found.n, found.n_zero, found.n_eff, found.slope_missing) == (0, len(labels), 0, 1)
    assert (found.power == 0).all() and found.parseval_residual == 0
    for name in ("share", "map", "centroid", "centroid_se", "legacy"):
        assert name not in found or np.isnan(found[name]).all(), name


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [12, 15, 33, 224])
def test_rounding_beside_dc_is_no_spectrum(size, kind):
    """At 33 and 224 pixels the transform of a uniform gradient leaves 10⁻¹⁵ and 10⁻³² of its power in the rings."""
    pixels, labels = images(3, size, classes=3)
    for options in MODES[:3]:
        found = sp.gradient_spectrum(Brightness(kind), pixels, labels, **options)
        assert (found.n, found.n_zero) == (0, 3) and np.isnan(found.centroid)
    pixels[:, 0, 0, 0] = 0
    weak = nn.Conv2d(3, 3, size, bias=False).to(kind)
    weak.weight.data[:] = Brightness(kind).weight.T[:, :, None, None].detach()
    weak.weight.data[:, 0, 0, 0] *= (
        1 + 1e4 * torch.finfo(kind).eps
    )  # one pixel that is a little more than rounding
    found = sp.gradient_spectrum(nn.Sequential(weak, nn.Flatten()), pixels, labels)
    assert (found.n, found.n_zero) == (3, 0)


def test_a_slope_that_an_empty_ring_forbids_is_missing_and_counted():
    wave = torch.tensor([1.0, 0, -1, 0] * 2, dtype=torch.float64).expand(1, 1, 8, 8)
    found = sp.gradient_spectrum(linear(torch.cat([wave, -wave])), *images(4, 8, 1, 2))
    assert found.share.values.tolist() == [0, 1, 0, 0] and found.centroid == 2
    assert np.isnan(found.slope) and np.isnan(found.slope_r2_se)
    assert found.slope_missing == 1 and found.slope_se_missing == 1
    usual = sp.gradient_spectrum(network(), *images())
    assert usual.slope_missing == 0 and usual.slope_se_missing == 0


def test_the_profile_of_a_class_is_that_of_its_images():
    pixels, labels = images(40)
    found = sp.gradient_spectrum(network(), pixels, labels, class_names=["a", "b", "c", "d"])
    mine = labels == 2
    alone = sp.gradient_spectrum(network(), pixels[mine], labels[mine])
    np.testing.assert_allclose(found.class_share.sel({"class": "c"}), alone.share, rtol=1e-5)
    np.testing.assert_allclose(found.class_share_se.sel({"class": "c"}), alone.share_se, rtol=1e-4)
    assert found.class_n.sel({"class": "c"}) == mine.sum()


def test_the_spectrum_of_the_mean_gradient():
    pixels, labels = images(24)
    model = network(kind=torch.float64)
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255).requires_grad_(True)
    nn.functional.cross_entropy(model(x), torch.from_numpy(labels), reduction="sum").backward()
    mean = x.grad.mean(dim=0).numpy()
    power = fourier.radial_sum(fourier.half_plane_power(mean).sum(axis=0))
    found = sp.gradient_spectrum(model, pixels, labels, of="mean-gradient", batch_size=5)
    np.testing.assert_allclose(found.power, power, rtol=1e-9)
    np.testing.assert_allclose(found.share, power / power.sum(), rtol=1e-9)
    of_class = x.grad[torch.from_numpy(labels) == 1].mean(dim=0).numpy()
    power = fourier.radial_sum(fourier.half_plane_power(of_class).sum(axis=0))
    np.testing.assert_allclose(found.class_share[1], power / power.sum(), rtol=1e-9)


def test_errors_foretell_how_results_scatter_between_samples():
    model = network(16)
    # The jackknife errs on the large side where the mean gradient is mostly sampling noise, as here.
    for options, most in (({}, 1.7), ({"of": "mean-gradient"}, 2.5)):
        runs = [sp.gradient_spectrum(model, *images(60, 16, seed=seed), **options) for seed in range(40)]
        for name in ("centroid", "slope", "power_centroid", "median_frequency", "top_share", "entropy"):
            spread = np.std([float(run[name]) for run in runs], ddof=1)
            told = np.mean([float(run[f"{name}_se"]) for run in runs])
            assert 0.6 < told / spread < most, (name, options)


def test_one_image_has_a_profile_without_errors():
    found = sp.gradient_spectrum(network(), *images(1))
    assert found.share.sum() == pytest.approx(1) and int(found.n) == 1
    assert all(np.isnan(found[f"{name}_se"]) for name in SCALARS)


def test_every_scalar_has_a_unit_and_an_error():
    found = sp.gradient_spectrum(network(), *images())
    for name in SCALARS:
        assert found[name].dims == () and found[f"{name}_se"].attrs["units"] == found[name].attrs["units"]
        assert np.isfinite(found[name]) and found[f"{name}_se"] >= 0
    assert found["map"].dims == ("u", "v") and found["map"].dtype == np.float32
    assert found.u[-1] == -1 and found.v[-1] == 6
    assert found.frequency[-1] == 0.5 and found.frequency.attrs["units"] == "cycles/pixel"


@pytest.mark.parametrize("as_floats", [False, True])
def test_images_lie_in_memory_as_the_models_weights_do_and_no_number_hangs_on_it(as_floats):
    """A model that flattens what it is given by a view, as many do, can't take channels-last images."""
    pixels, labels = images(9)
    if as_floats:
        pixels = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / np.float32(255))
    found = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        model, seen = network().to(memory_format=layout), []
        model.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        found[layout] = sp.gradient_spectrum(model, pixels, labels, batch_size=4)
        assert len(seen) == 3 and all(one.is_contiguous(memory_format=layout) for one in seen)
    one, other = found.values()
    np.testing.assert_allclose(one.share, other.share, rtol=1e-5)
    np.testing.assert_allclose(one.power, other.power, rtol=1e-5)


def test_a_class_of_confident_images_keeps_the_spectrum_of_its_mean_gradient():
    """Its gradients are e^−400 of the other class's, and their squares smaller than any number."""
    model = linear(torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.manual_seed(0)))
    pixels, _ = images(12)
    labels = np.arange(12) % 2
    model[1].bias = nn.Parameter(torch.tensor([400.0, 0.0], dtype=torch.float64))
    for first in (0, 1):  # the confident class may come first or last
        of = (labels + first) % 2
        found = sp.gradient_spectrum(model, pixels, of, of="mean-gradient", batch_size=5)
        assert not found.class_share.isnull().any() and not found.share_se.isnull().any()
        for number in (0, 1):
            alone = sp.gradient_spectrum(model, pixels[of == number], of[of == number], of="mean-gradient")
            np.testing.assert_allclose(found.class_share[number], alone.share, rtol=1e-9)
