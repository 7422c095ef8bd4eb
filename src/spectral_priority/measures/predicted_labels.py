"""Labels of a probe that is the same for all tiers: the classes that the measured model predicts (METHODS 3)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from .answers import logits_of
from .measured_model import device_of, layout_of, measuring, precision_of, to_pixels, with_fresh_batch_norm
from .probe import Probe


def with_predicted_labels(model: nn.Module, probe: Probe, batch_norm_images: int, batch_size: int) -> Probe:
    """Label each image of a probe by the class that a model predicts, the first of equal ones.

    Parameters
    ----------
    model : nn.Module
        As it is measured afterwards: a copy with fresh batch-norm statistics predicts.
    probe : Probe
    batch_norm_images, batch_size : int
        Options of the measure.

    Returns
    -------
    Probe
        Its `labels` are int64 (n,), of the tier's classes.
    """
    model, _ = with_fresh_batch_norm(model, probe, batch_norm_images)
    found = []
    with measuring(model) as measured:
        how = precision_of(measured), device_of(measured), layout_of(measured)
        for start in range(0, len(probe.images), batch_size):
            batch = slice(start, start + batch_size)
            pixels = to_pixels(probe.images[batch], *how)
            found.append(logits_of(measured, pixels, probe.labels[batch]).argmax(dim=1))
    return replace(probe, labels=torch.cat(found).cpu().numpy(), predicted=False)
