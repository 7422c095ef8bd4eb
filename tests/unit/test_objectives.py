"""What a training minimises, against slow references in float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from spectral_priority.config.recipe import Recipe
from spectral_priority.training.objectives import CrossEntropy, Triplet, distillation, uneven_cross_entropy
from spectral_priority.training.randomness import Order

RANDOM = np.random.default_rng(0)
LOGITS, TAUGHT = RANDOM.normal(size=(2, 6, 4)) * 3
LABELS = np.array([0, 1, 2, 3, 1, 1])


def softmax(logits):
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def cross_entropy(target, logits):
    return -(target * np.log(softmax(logits))).sum(1).mean()


class Known(nn.Module):
    """Returns given numbers for each image, whatever it shows."""

    def __init__(self, values):
        super().__init__()
        self.values = torch.from_numpy(values)

    def forward(self, pixels):
        return self.values

    embed = forward


def step_loss(objective, values, positions=None):
    positions = np.arange(len(LABELS)) if positions is None else positions
    return objective.loss(Known(values), torch.zeros(1), torch.from_numpy(LABELS), 0, positions).item()


def test_label_smoothing_and_noise_spread_the_target_evenly_over_the_classes():
    weight = RANDOM.random(8)
    positions = np.array([7, 0, 3, 2, 1, 5])
    recipe = Recipe(label_smoothing=0.1, batch_size=6)
    objective = CrossEntropy(recipe, Order(0, 8, 6), classes=4, noise=torch.from_numpy(weight))
    certain = (0.9 * (1 - weight[positions]))[:, None]
    target = certain * np.eye(4)[LABELS] + (1 - certain) / 4
    assert step_loss(objective, LOGITS, positions) == pytest.approx(cross_entropy(target, LOGITS), rel=1e-6)


def test_targets_without_certainty_are_flat():
    logits = torch.from_numpy(LOGITS)
    flat = uneven_cross_entropy(logits, torch.from_numpy(LABELS), torch.zeros(6)).item()
    assert flat == pytest.approx(cross_entropy(np.full((6, 4), 0.25), LOGITS), rel=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_the_divergence_from_the_teacher_times_the_squared_temperature(temperature):
    ours, theirs = softmax(LOGITS / temperature), softmax(TAUGHT / temperature)
    expected = temperature**2 * (theirs * np.log(theirs / ours)).sum(1).mean()
    found = distillation(torch.from_numpy(LOGITS), torch.from_numpy(TAUGHT), temperature).item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_teacher_takes_its_share_of_the_loss():
    recipe = Recipe(teacher={"recipe": "base", "weight": 0.25, "temperature": 3}, batch_size=6)
    objective = CrossEntropy(recipe, Order(0, 6, 6), classes=4, teacher=Known(TAUGHT))
    ours, theirs = softmax(LOGITS / 3), softmax(TAUGHT / 3)
    divergence = (theirs * np.log(theirs / ours)).sum(1).mean()
    expected = 0.75 * cross_entropy(np.eye(4)[LABELS], LOGITS) + 0.25 * 9 * divergence
    assert step_loss(objective, LOGITS) == pytest.approx(expected, rel=1e-5)


def triplet(label, batch_size=8, margin=0.7):
    recipe = Recipe(objective="triplet", batch_size=batch_size, margin=margin)
    return Triplet(recipe, Order(3, len(label), batch_size // 2), label, seed=3)


def test_partners_are_other_images_of_the_same_class_and_all_of_them_occur():
    label = np.repeat([0, 1, 2], [2, 5, 9])
    objective, pairs = triplet(label), set()
    for step in range(600):
        anchors, partners = np.split(objective.positions(step), 2)
        assert (label[anchors] == label[partners]).all()
        assert (anchors != partners).all()
        pairs |= set(zip(anchors.tolist(), partners.tolist(), strict=True))
    assert len(pairs) == 2 * 1 + 5 * 4 + 9 * 8


def test_triplets_compare_with_the_partner_and_an_image_of_another_class():
    label = np.array([0, 0, 1, 1, 1, 0, 1, 0])
    objective, embedded = triplet(label), RANDOM.normal(size=(8, 3))
    positions = objective.positions(5)
    classes = label[positions]
    other, found = objective._others(classes, 5)
    assert found.all()
    assert (classes[other] != classes).all()
    distance = np.linalg.norm(embedded[:, None] - embedded[None, :], axis=2)
    partner = np.concatenate([np.arange(4, 8), np.arange(4)])
    expected = np.maximum(distance[range(8), partner] - distance[range(8), other] + 0.7, 0).mean()
    loss = objective.loss(Known(embedded), torch.zeros(1), torch.zeros(1), 5, positions).item()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_a_batch_of_one_class_has_no_triplets():
    objective = triplet(np.zeros(8, dtype=int))
    embedded = RANDOM.normal(size=(8, 3))
    assert (
        objective.loss(Known(embedded), torch.zeros(1), torch.zeros(1), 0, objective.positions(0)).item() == 0
    )
