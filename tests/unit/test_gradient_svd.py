"""Statements about spectra of weight gradients; the slow reference takes one image, and one layer, after another."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, linear, network
from torch import nn

import spectral_priority as sp
from spectral_priority.config.measures import GradientSvd
from spectral_priority.errors import InputError
from spectral_priority.measures.gradient_svd import measure
from spectral_priority.measures.group_difference import group_difference
from spectral_priority.measures.layer_gradients import SummedGradient, recording, sketched
from spectral_priority.measures.probe import Probe

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Tokens(nn.Module):
    """Image rows as tokens: a linear layer that sees several rows per image, used twice."""

    def __init__(self):
        super().__init__()
        self.mix, self.head = nn.Linear(36, 36), nn.Linear(36, 4)

    def forward(self, x):
        tokens = x.movedim(1, 2).flatten(2)
        return self.head(self.mix(self.mix(tokens).tanh()).mean(dim=1))


def built(name):
    torch.manual_seed(0)
    if name == "tokens":
        return Tokens().double()
    layers = {
        "plain": [nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(125, 4)],
        "padded": [
            *(nn.Conv2d(3, 6, 3, padding="same", dilation=2), nn.Tanh()),
            *(nn.Conv2d(6, 6, (3, 2), groups=3, padding=1, padding_mode="circular"), nn.Tanh()),
            *(nn.Conv2d(6, 4, 5, padding=(1, 0), padding_mode="reflect"), nn.Flatten(), nn.Linear(360, 4)),
        ],
        "one-dimensional": [
            *(nn.Flatten(2), nn.Conv1d(3, 8, 5, stride=3, groups=1), nn.Tanh(), nn.Conv1d(8, 8, 3, groups=8)),
            *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(32, 40), nn.Tanh(), nn.Linear(40, 4)),
        ],
    }
    return nn.Sequential(*layers[name]).double()


def volume_network(seed=0, kind=torch.float64, norm=False):
    torch.manual_seed(seed)
    layers = [nn.Conv3d(1, 6, 3), *([nn.BatchNorm3d(6)] if norm else []), nn.ReLU(inplace=True)]
    layers += [
        nn.Conv3d(6, 8, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    ]
    return nn.Sequential(*layers).to(kind)


def as_tensor(pixels):
    return torch.from_numpy(pixels).movedim(-1, 1).double() / 255


def gradients_of_images(model, pixels, labels):
    """Weight gradients of every image alone: layer → (image, c_out, c_in·k)."""
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, KINDS)}
    found = {name: [] for name in layers}
    for image, label in zip(as_tensor(pixels), labels, strict=True):
        model.zero_grad()
        nn.functional.cross_entropy(model(image[None]), torch.tensor([label])).backward()
        for name, layer in layers.items():
            found[name].append(layer.weight.grad.flatten(1).numpy().copy())
    model.zero_grad()
    return {name: np.array(of_images) for name, of_images in found.items()}


def ranks(matrix):
    values = np.linalg.svd(matrix)[1]
    shares = values / values.sum()
    shares = shares[shares > 1e-14]
    return {
        "largest": values[0],
        "effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "stable_rank": (values**2).sum() / values[0] ** 2,
    }


def slow_errors(of_images):
    """Standard errors by finite differences: what a little more of one image does to each number."""
    mean, step = of_images.mean(axis=0), 1e-6
    influence = {name: [] for name in ranks(mean)}
    for image in of_images:
        up, down = (ranks(mean + sign * step * (image - mean)) for sign in (1, -1))
        for name, values in influence.items():
            values.append((up[name] - down[name]) / (2 * step))
    return {name: np.std(values, ddof=1) / np.sqrt(len(values)) for name, values in influence.items()}


@pytest.mark.parametrize("batch_size", [64, 5])
@pytest.mark.parametrize("name", ["plain", "padded", "one-dimensional", "tokens"])
def test_the_measure_equals_the_slow_reference(name, batch_size):
    model, (pixels, labels) = built(name), images()
    found = sp.gradient_svd(model, pixels, labels, batch_size=batch_size, permutations=0)
    expected = gradients_of_images(model, pixels, labels)
    assert found.layer.values.tolist() == list(expected) and found.group.values.tolist() == list("0123")
    for layer, of_images in expected.items():
        for group in range(4):
            mine = of_images[labels == group]
            here = found.sel(layer=layer, group=str(group))
            values = np.linalg.svd(mine.mean(axis=0))[1][:32]
            np.testing.assert_allclose(here.singular_value[: len(values)], values, rtol=1e-9, atol=1e-14)
            assert (here.singular_value[len(values) :] == 0).all() and here.full_rank == min(mine[0].shape)
            errors = slow_errors(mine)
            for rank, value in ranks(mine.mean(axis=0)).items():
                np.testing.assert_allclose(here[rank], value, rtol=1e-8, err_msg=f"{layer} {rank}")
                np.testing.assert_allclose(
                    here[f"{rank}_se"], errors[rank], rtol=1e-4, atol=1e-9, err_msg=rank
                )


@settings(max_examples=20, deadline=None)
@given(
    size=st.integers(6, 9),
    channels=st.integers(1, 4),
    count=st.integers(2, 9),
    batch_size=st.integers(1, 10),
    seed=st.integers(0, 99),
)
def test_any_shape_equals_the_slow_reference(size, channels, count, batch_size, seed):
    model = network(size, channels, 3, seed, torch.float64)
    pixels, labels = images(count, size, channels, 3, seed)
    groups = np.random.default_rng(seed).integers(0, 2, count)
    found = sp.gradient_svd(model, pixels, labels, groups=groups, batch_size=batch_size, permutations=3)
    for layer, of_images in gradients_of_images(model, pixels, labels).items():
        for group in np.unique(groups):
            values = np.linalg.svd(of_images[groups == group].mean(axis=0))[1]
            here = found.singular_value.sel(layer=layer, group=str(group))
            np.testing.assert_allclose(here[: len(values)], values, rtol=1e-9, atol=1e-14)
    assert found.group_n.sum() == count


def test_the_scalars_are_means_with_the_errors_of_means():
    model, (pixels, labels) = built("plain"), images(40)
    found = sp.gradient_svd(model, pixels, labels, permutations=0)
    shares = found.effective_rank / found.full_rank
    np.testing.assert_allclose(found.mean_effective_rank_share, shares.mean(), rtol=1e-12)
    expected, step, squares = gradients_of_images(model, pixels, labels), 1e-6, 0
    for group in range(4):
        influence = []
        for number in np.flatnonzero(labels == group):
            ends = []
            for sign in (1, -1):
                of_layers = []
                for of_images in expected.values():
                    mean = of_images[labels == group].mean(axis=0)
                    moved = mean + sign * step * (of_images[number] - mean)
                    of_layers.append(ranks(moved)["effective_rank"] / min(mean.shape))
                ends.append(np.mean(of_layers))
            influence.append((ends[0] - ends[1]) / (2 * step))
        squares += np.var(influence, ddof=1) / len(influence)
    np.testing.assert_allclose(found.mean_effective_rank_share_se, np.sqrt(squares) / 4, rtol=1e-4)


def with_a_weight_per_group(layer, groups):
    """The layer with a weight of its own for each group: its gradient is what that group's rows give."""
    weights = [layer.weight.detach().clone().requires_grad_(True) for _ in range(2)]

    def forward(x):
        made = [
            nn.functional.linear(x, weight, layer.bias)
            if isinstance(layer, nn.Linear)
            else layer._conv_forward(x, weight, layer.bias)
            for weight in weights
        ]
        return torch.where(groups.view(-1, *[1] * (made[0].ndim - 1)) == 0, *made)

    layer.forward = forward
    return weights


def test_group_sums_are_exact_where_batch_normalisation_couples_samples():
    """Training mode, volumes: the parts add up to weight.grad, and each is the gradient of that group's weights."""
    model = volume_network(norm=True).train()
    volumes = torch.rand(10, 1, 9, 8, 7, dtype=torch.float64, generator=torch.manual_seed(1))
    labels = torch.tensor([0, 1, 1, 0, 1, 1, 0, 0, 1, 0])
    twin = copy.deepcopy(model)
    with sp.group_gradients(model, labels) as gradients:
        nn.functional.cross_entropy(model(volumes), labels).backward()
    weights = {
        name: with_a_weight_per_group(layer, labels)
        for name, layer in twin.named_modules()
        if isinstance(layer, KINDS)
    }
    nn.functional.cross_entropy(twin(volumes), labels).backward()
    assert list(gradients) == list(weights) == ["0", "3", "7"]
    for name, of_groups in gradients.items():
        whole = model.get_submodule(name).weight.grad.flatten(1)
        torch.testing.assert_close(of_groups.sum(dim=0), whole, rtol=1e-12, atol=1e-16)
        for part, weight in zip(of_groups, weights[name], strict=True):
            torch.testing.assert_close(part, weight.grad.flatten(1), rtol=1e-12, atol=1e-16)


def test_statistics_of_the_batch_are_those_of_a_training_step():
    model = volume_network(norm=True).eval()
    before = copy.deepcopy(model.state_dict())
    volumes = torch.rand(12, 1, 8, 8, 8, dtype=torch.float64, generator=torch.manual_seed(1))
    labels = torch.arange(12) % 2
    found = sp.gradient_svd(model, volumes, labels, statistics="batch", batch_size=3, permutations=0)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    with sp.group_gradients(model.train(), labels) as gradients:
        nn.functional.cross_entropy(model(volumes), labels, reduction="sum").backward()
    for name, of_groups in gradients.items():
        values = torch.linalg.svdvals(of_groups / 6)
        here = found.singular_value.sel(layer=name).values[:, : values.shape[1]]
        np.testing.assert_allclose(here, values, rtol=1e-9, atol=1e-14)
    few = sp.gradient_svd(model, volumes, labels, statistics="batch", together=7)
    assert int(few.n) == 7 and found.attrs["statistics"] == "batch"


@pytest.mark.parametrize("rows", [1, 3, 7, 8, 30])
def test_the_decomposition_of_few_rows_is_that_of_their_product(rows):
    torch.manual_seed(0)
    layer = nn.Linear(11, 8)
    inputs, adjoints = torch.randn(rows, 11, dtype=torch.float64), torch.randn(rows, 8, dtype=torch.float64)
    summed = SummedGradient(layer)
    for part in zip(inputs.split(2), adjoints.split(2), strict=True):
        summed.add(*part)
    u, values, v = summed.decomposed()
    assert len(values) == min(rows, 8)
    torch.testing.assert_close((u * values) @ v, adjoints.T @ inputs, rtol=1e-10, atol=1e-12)
    expected = np.linalg.svd((adjoints.T @ inputs).numpy())[1][: len(values)]
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def slow_test(gradients, groups, permutations, seed):
    """Pseudo-values by finite differences, Welch's statistic, one permutation after another."""
    rng = np.random.default_rng(seed)
    least = min((groups == group).sum() for group in range(2))
    taken = [rng.permutation(np.flatnonzero(groups == group))[:least] for group in range(2)]
    orders = [np.arange(2 * least)] + [rng.permutation(2 * least) for _ in range(permutations)]
    rank, statistics = [], []
    for of_images in gradients:
        pseudo = []
        for of_group in taken:
            mine, step = of_images[of_group], 1e-6
            mean = mine.mean(axis=0)
            of_ends = [
                [ranks(mean + sign * step * (image - mean))["effective_rank"] for image in mine]
                for sign in (1, -1)
            ]
            pseudo += list(ranks(mean)["effective_rank"] + np.subtract(*of_ends) / (2 * step))
        rank.append([ranks(of_images[of_group].mean(axis=0))["effective_rank"] for of_group in taken])
        row = []
        for order in orders:
            one, other = np.array(pseudo)[order].reshape(2, least)
            errors = (one.var(ddof=1) + other.var(ddof=1)) / least
            row.append((one.mean() - other.mean()) ** 2 / errors)
        statistics.append(row)
    statistics = np.array(statistics)
    own = statistics[:, :1] - 1e-3
    p = (statistics >= own).mean(axis=1), (statistics.max(axis=0) >= own).mean(axis=1)
    return np.array(rank), statistics[:, 0], *p


def test_the_test_of_groups_equals_a_slow_permutation_test():
    """Layers narrower than the sketch are tested on their own gradients."""
    model, (pixels, labels) = network(6, 1, 3, kind=torch.float64), images(24, 6, 1, 3)
    groups = np.random.default_rng(1).integers(0, 2, 24)
    found = sp.gradient_svd(model, pixels, labels, groups=groups, permutations=50, seed=4, sketch=90)
    expected = gradients_of_images(model, pixels, labels)
    order = np.lexsort((np.arange(24), groups))
    rank, statistic, p, adjusted = slow_test(
        [part[order] for part in expected.values()], groups[order], 50, 4
    )
    np.testing.assert_allclose(found.equal_rank, rank, rtol=1e-7)
    np.testing.assert_allclose(found.difference_statistic, statistic, rtol=1e-4)
    np.testing.assert_allclose(found.difference_p, p)
    np.testing.assert_allclose(found.difference_p_adjusted, adjusted)
    assert (groups == 0).sum() != 12 and int(found.equal_n) == min(np.bincount(groups))
    assert int(found.n_permutations) == 50


@pytest.mark.parametrize("name", ["padded", "one-dimensional", "tokens"])
def test_sketches_are_projections_of_each_images_gradient(name):
    model, (pixels, labels) = built(name), images(6)
    layers = {key: layer for key, layer in model.named_modules() if isinstance(layer, KINDS)}
    with recording(layers) as uses:
        nn.functional.cross_entropy(
            model(as_tensor(pixels)), torch.from_numpy(labels), reduction="sum"
        ).backward()
    for key, of_images in gradients_of_images(model, pixels, labels).items():
        rows, columns = of_images[0].shape
        left, right = torch.randn(3, rows, dtype=torch.float64), torch.randn(columns, 4, dtype=torch.float64)
        found = sum(sketched(layers[key], left, right, *use, 6) for use in uses[key])
        expected = left.numpy() @ of_images @ right.numpy()
        np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-12)


def gradients_around(strengths, count, rng):
    """Gradients (image, 4, 5) whose mean has given singular values in directions of its own, and noise."""
    u, v = (np.linalg.qr(rng.standard_normal((side, 4)))[0] for side in (4, 5))
    return (u * strengths) @ v.T + rng.standard_normal((count, 4, 5)) / 3


def test_groups_of_equal_rank_differ_as_often_as_the_level_says():
    """Also where their directions, and their sizes, are others."""
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        layers = [
            np.concatenate([gradients_around([3, 2, 1, 1], count, rng) for count in (20, 60)])
            for _ in range(2)
        ]
        found.append(group_difference(layers, np.repeat([0, 1], [20, 60]), 2, 39, seed))
    p = np.array([one.p for one in found])
    adjusted = np.array([one.p_adjusted for one in found])
    assert 0.04 < (p <= 0.1).mean() < 0.17  # 300 tests of level 0.1, four standard errors
    assert 0.02 < (adjusted.min(axis=1) <= 0.1).mean() < 0.2  # any of both layers
    assert (adjusted >= p).all() and (adjusted > p).any() and found[0].number == 20


def test_a_group_of_few_directions_is_found_in_its_layer_only():
    rng = np.random.default_rng(0)
    same = [gradients_around([3, 2, 1, 1], 20, rng) for _ in range(3)]
    other = [gradients_around(strengths, 20, rng) for strengths in ([3, 2, 1, 1], [3, 2, 1, 1], [3, 0, 0, 0])]
    layers = [np.concatenate(same), np.concatenate(other)]
    found = group_difference(layers, np.repeat([0, 1, 2], 20), 3, 199, 0)
    assert found.p_adjusted[1] == 1 / 200 and found.p_adjusted[0] > 0.05
    assert found.rank[1, 2] < found.rank[1, :2].min() - 3 * found.error[1].max()


def test_rounding_is_no_difference():
    """Gradients of one direction, but for float32's rounding."""
    rng = np.random.default_rng(0)
    flat = np.einsum("i,p,q->ipq", *(rng.uniform(1, 2, side) for side in (30, 4, 5))).astype(np.float32)
    flat += flat * rng.choice([-6e-8, 6e-8], flat.shape)
    found = group_difference([flat.astype(np.float64)], np.repeat([0, 1], 15), 2, 99, 0)
    assert found.p == 1 and found.rank == pytest.approx(1, abs=1e-4)


def volumes_of_two_groups(count=48):
    """Synthetic 3-D images of two classes: noise, and one blob at another brightness; half of each from either site."""
    rng = np.random.default_rng(0)
    labels, sites = np.arange(count) % 2, np.arange(count) // 2 % 2
    z, y, x = np.mgrid[-1:1:9j, -1:1:9j, -1:1:9j]
    blob = np.exp(-(z**2 + y**2 + x**2) * 3)
    volumes = np.where(
        labels[:, None, None, None] == 1,
        blob * rng.uniform(0.4, 1, (count, 1, 1, 1)),
        rng.uniform(0, 1, (count, 9, 9, 9)),
    )
    return volumes[:, None].astype(np.float32), labels, sites


@pytest.mark.parametrize("statistics", ["running", "batch"])
def test_in_a_three_dimensional_network_classes_of_volumes_differ_and_sites_do_not(statistics):
    volumes, labels, sites = volumes_of_two_groups()
    model = volume_network(1, torch.float32, norm=True)
    found = sp.gradient_svd(model, volumes, labels, statistics=statistics, batch_size=10)
    assert found.attrs["size"] == [9, 9, 9] and found.layer.values.tolist() == ["0", "3", "7"]
    for layer in ("0", "3"):
        here = found.sel(layer=layer)
        assert here.difference_p_adjusted == 1 / 1000
        # Noise and blob: one gradient of many directions, one of few.
        assert abs(here.effective_rank[0] - here.effective_rank[1]) > 5 * here.effective_rank_se.max()
    assert found.difference_p.sel(layer="7") == 1  # two logits: always one direction
    alike = sp.gradient_svd(model, volumes, labels, groups=sites, statistics=statistics, batch_size=10)
    assert (alike.difference_p_adjusted > 0.05).all()


def test_packed_volumes_are_read_as_images_are():
    packed = np.random.default_rng(0).integers(0, 256, (6, 7, 8, 9, 1), dtype=np.uint8)
    model, labels = volume_network(), np.arange(6) % 2
    one = sp.gradient_svd(model, packed, labels)
    assert one.equals(sp.gradient_svd(model, as_tensor(packed), labels)) and one.attrs["size"] == [7, 8, 9]


def test_errors_foretell_how_results_scatter_between_samples():
    model, group = network(8), np.zeros(80, int)
    # They err on the large side where the mean gradient is mostly sampling noise: labels at random.
    for of_class, most in ((0, 1.7), (None, 2.5)):
        runs = []
        for seed in range(40):
            pixels, labels = images(80, 8, seed=seed)
            labels = labels if of_class is None else labels * 0
            runs.append(sp.gradient_svd(model, pixels, labels, groups=group))
        for name in ("effective_rank", "stable_rank", "largest"):
            values = np.array([run[name].values.ravel() for run in runs])
            told = np.mean([run[f"{name}_se"].values.ravel() for run in runs], axis=0)
            ratio = told / values.std(axis=0, ddof=1)
            assert ((ratio > 0.6) & (ratio < most)).all(), (name, ratio)


def test_a_confident_model_has_the_ranks_that_float64_has():
    model = network(8)
    model[3].bias.data[0] = 40
    pixels = images(16, 8)[0]
    single = sp.gradient_svd(model, pixels, np.zeros(16, int))
    double = sp.gradient_svd(copy.deepcopy(model).double(), pixels, np.zeros(16, int))
    for name in ("effective_rank", "stable_rank", "largest"):
        np.testing.assert_allclose(single[name], double[name], rtol=1e-4, err_msg=name)
    assert double.largest.max() < 1e-12 and int(single.n_zero) == 0


def test_saturated_images_have_rank_zero_and_are_counted():
    model = network(8)
    model[3].bias.data[0] = 1000
    pixels, labels = images(12, 8, classes=2)
    found = sp.gradient_svd(model, pixels, labels, permutations=5)
    sure = int((labels == 0).sum())
    assert int(found.n_zero) == sure and int(found.n_without) == 2
    for name in ("largest", "effective_rank", "stable_rank", "entropy", "effective_rank_se"):
        assert (found[name].sel(group="0") == 0).all(), name
    assert (found.effective_rank.sel(group="1") >= 1 - 1e-6).all()


def test_one_group_has_nothing_to_differ_from():
    found = sp.gradient_svd(network(8), images(6, 8)[0], np.zeros(6, int))
    assert (found.difference_p_adjusted == 1).all() and (found.equal_rank == 0).all()
    assert int(found.equal_n) == int(found.n_permutations) == 0


def test_a_group_of_one_image_has_no_errors_and_one_direction_in_a_linear_layer():
    pixels, labels = images(6, 8, classes=2)
    found = sp.gradient_svd(network(8), pixels, labels, groups=np.array([0, 0, 0, 0, 0, 1]))
    assert np.isnan(found.effective_rank_se.sel(group="1")).all()
    assert np.isfinite(found.effective_rank_se.sel(group="0")).all()
    assert found.effective_rank.sel(layer="3", group="1") == pytest.approx(1)


def test_the_test_takes_no_more_images_than_it_is_told():
    pixels = images(30, 8)[0]
    found = sp.gradient_svd(network(8), pixels, np.arange(30) % 2, test_images=11, singular_values=2)
    assert 2 <= int(found.equal_n) <= 5 and int(found.n) == 30 and found.sizes["index"] == 2


def test_draws_of_images_follow_their_ids_and_not_their_order():
    pixels, labels = images(40, 8)
    model, ids = network(8, kind=torch.float64), np.arange(100, 140)
    options = {"together": 25, "statistics": "batch", "test_images": 15, "groups": np.arange(40) % 2}
    usual = sp.gradient_svd(model, pixels, labels, image_ids=ids, **options)
    order = np.random.default_rng(0).permutation(40)
    options["groups"] = options["groups"][order]
    shuffled = sp.gradient_svd(model, pixels[order], labels[order], image_ids=ids[order], **options)
    assert int(usual.n) == 25 and int(usual.equal_n) >= 2 and usual.identical(shuffled)
    other = sp.gradient_svd(model, pixels[order], labels[order], image_ids=ids[order], seed=1, **options)
    assert not usual.equals(other)


def test_what_is_only_looked_at_inside_a_step_adds_nothing_to_its_gradients():
    model, labels = volume_network(), torch.arange(4) % 2
    volumes = torch.rand(4, 1, 8, 8, 8, dtype=torch.float64)
    with sp.group_gradients(model, labels) as gradients:
        nn.functional.cross_entropy(model(volumes), labels).backward()
        with torch.no_grad():
            model(volumes[:3])
    torch.testing.assert_close(gradients["6"].sum(dim=0), model[6].weight.grad, rtol=1e-12, atol=1e-16)


def test_groups_can_be_the_classes_of_another_label_column():
    pixels, labels = images(12, 8)
    columns, names = (
        {"class": labels, "site": np.arange(12) // 3 % 2},
        {"class": list("abcd"), "site": ["near", "far"]},
    )
    probe = Probe(pixels, labels, np.arange(12), list("abcd"), pixels[:0], columns, names)
    found = measure(network(8), probe, GradientSvd(label="site"))
    expected = sp.gradient_svd(
        network(8), pixels, labels, groups=columns["site"], group_names=["near", "far"]
    )
    assert found.attrs["label"] == "site" and found.drop_attrs(deep=False).identical(
        expected.drop_attrs(deep=False)
    )
    assert measure(network(8), probe, GradientSvd()).group.values.tolist() == [
        list("abcd")[k] for k in np.unique(labels)
    ]
    with pytest.raises(InputError, match=r"gradient-svd: label: found 'scanner'. Allowed: class, site"):
        measure(network(8), probe, GradientSvd(label="scanner"))


def test_layers_that_are_not_called_are_counted():
    class Unused(nn.Module):
        def __init__(self):
            super().__init__()
            self.other, self.inner = nn.Linear(3, 3), network(8)

        def forward(self, x):
            return self.inner(x)

    found = sp.gradient_svd(Unused(), *images(6, 8))
    assert found.layer.values.tolist() == ["inner.0", "inner.3"]
    assert int(found.n_layers) == 2 and int(found.n_left_out) == 1


def test_an_input_that_is_overwritten_is_refused():
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner = nn.Conv2d(3, 3, 1), network(8)

        def forward(self, x):
            x = self.first(x)
            made = self.inner(x)
            x.zero_()
            return made

    with pytest.raises(InputError, match=r"inner\.0: has an input that is overwritten in place"):
        sp.gradient_svd(Overwriting(), *images(6, 8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"groups": np.zeros(5, int)}, "groups: found int64 of shape"),
        ({"groups": np.zeros(6)}, "groups: found float64"),
        ({"labels": np.full(6, 7)}, "labels: found 7"),
        ({"image_ids": np.arange(5)}, "image_ids: found shape"),
        ({"group_names": ["a"], "groups": np.arange(6)}, "group_names: found 1, but a group is 5"),
        ({"model": nn.Sequential(nn.Flatten(), nn.ReLU())}, "no layer whose weights are a matrix"),
    ],
)
def test_what_does_not_fit_is_refused(change, said):
    pixels, labels = images(6, 8)
    given = {"model": network(8), "images": pixels, "labels": labels} | change
    with pytest.raises(InputError, match=said):
        sp.gradient_svd(**given)


def test_gradients_that_are_not_finite_are_refused():
    model = network(8)
    model[3].bias.data[0] = torch.nan
    with pytest.raises(InputError, match=r"gradients: are not finite"):
        sp.gradient_svd(model, *images(6, 8))


class Rows(nn.Module):
    """A transformer's layer over rows of pixels, with samples first, or with tokens first as torch's default is."""

    def __init__(self, samples_first: bool):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.head = nn.Linear(36, 8), nn.Linear(8, 4)
        self.samples_first = samples_first

    def forward(self, pixels):
        rows = pixels.transpose(1, 2).flatten(2)
        if self.samples_first:
            return self.head(self.inner(rows).tanh().mean(dim=1))
        return self.head(self.inner(rows.transpose(0, 1)).tanh().mean(dim=0))


def test_layers_that_see_tokens_before_samples_are_refused_whatever_the_number_of_images():
    for number in (4, 6, 12, 13):  # of 12 rows each
        pixels, labels = images(number)
        assert int(sp.gradient_svd(Rows(samples_first=True), pixels, labels).n) == number
        with pytest.raises(InputError, match=r"model: inner: sees rows of one image.*batch_first=True"):
            sp.gradient_svd(Rows(samples_first=False), pixels, labels)


def test_a_compiled_model_is_measured_as_the_model_that_it_was_made_from():
    pixels, labels = images(8)
    plain = network()
    compiled = torch.compile(plain, backend="eager")
    with torch.no_grad():
        compiled(torch.rand(2, 3, 12, 12))
    one, other = (sp.gradient_svd(model, pixels, labels, permutations=0) for model in (plain, compiled))
    assert one.identical(other)


def test_ranks_of_tiny_gradients_have_errors():
    pixels, _ = images(12)
    model = linear(torch.randn(2, 3, 12, 12, dtype=torch.float64, generator=torch.manual_seed(0)))
    model[1].bias = nn.Parameter(torch.tensor([0.0, 600.0], dtype=torch.float64))
    found = sp.gradient_svd(model, pixels, np.ones(12, dtype=int), permutations=0)
    assert 0 < float(found.largest[0, 0]) < 1e-108
    assert np.isfinite(found.stable_rank_se).all() and np.isfinite(found.effective_rank_se).all()
