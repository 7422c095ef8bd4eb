"""Frequency shortcuts: classes that a model recognises by a few dominant frequencies alone (METHODS 5).

Of all images of a probe only the dominant frequencies D_c of a class c are kept. Where the model still finds class c (a
high true-positive rate), these frequencies are a shortcut; the false-positive rate says whether it calls everything c.

Question
--------
Is a class still recognised when only its few dominant frequencies are kept?

Equation
--------
tpr_c = mean_{i of c} [argmax f(D_c x_i) = c],   fpr_c = mean_{i not of c} [argmax f(D_c x_i) = c]
shortcut_c = [tpr_c > threshold];   D_c keeps DC and the dominant frequencies of c

Source
------
Wang et al. 2023 (arXiv 2307.09829); `search: patches`: Wang et al. 2025 (arXiv 2503.03519).

Cost
----
To find frequencies, for each image that they are chosen by: `search: ranking`, a forward pass per frequency and one
more (N²/2 + 2 for even N, 514 at 32 px); `search: patches`, `candidates` forward passes at each stage (2,000 at
32 px). To try them: classes · masks + 2 forward passes of each image. No backward pass.

Pitfalls
--------
- A high `tpr` alone is no shortcut: with a high `fpr` everything is taken for the class, and `dc_tpr` is what an
  empty image gets.
- With `evaluate: all`, as published, frequencies are tried on the images that they were chosen by, which flatters the
  rates.
- Retraining varies much: compare three seeds or more.
- The threshold is a convention: `shortcuts_lower` and `shortcuts_upper` say how many classes it leaves in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .. import half_plane
from ..config.measures import Shortcuts
from ..errors import InputError
from .keeping import answers_to_kept
from .labelled_images import LabelledImages, labelled_images
from .measured_model import device_of, measuring, precision_of, to_pixels, with_fresh_batch_norm
from .patch_search import patch_search, patch_sizes
from .ranking import top
from .registry import measure_options
from .removal import batches, images_by_class, loss_increases
from .shortcut_rates import rates_dataset, recognition_rates

if TYPE_CHECKING:
    from .probe import Probe


def frequency_shortcuts(
    model: nn.Module,
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    options: Shortcuts | Mapping[str, Any] | None = None,
    *,
    device: str | torch.device | None = None,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
    masks: xr.Dataset | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Measure how far each class is recognised by its dominant frequencies alone.

    Parameters
    ----------
    model : nn.Module
        Takes pixels in [0, 1], (n, channel, N, N), and returns logits (n, k), k ≥ 2; normalisation is its first layer.
        Measured in eval mode and left as it was found.
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : array or Tensor (n,) of whole numbers
        Class of each image, 0 … k−1.
    options : Shortcuts or mapping, optional
        Options of the measure (`spectral_priority.config.measures.Shortcuts`), also as keywords: `search`, `top`,
        `threshold`, `images_per_class`, `evaluate`, `patch_sizes`, `patch_share`, `candidates`, `survivors`, `seed`,
        `batch_size`.
    device : str or torch.device, optional
        Where to measure; by default where the model is.
    image_ids : ndarray (n,) of whole numbers, optional
        Identity of each image, which draws follow; by default its position.
    class_names : sequence of str, optional
        Names of the classes; by default their numbers.
    masks : xarray.Dataset, optional
        An earlier result, whose frequencies are taken instead of looking for some: on other images of the same classes
        it tells whether shortcuts transfer.

    Returns
    -------
    xarray.Dataset
        On (`class`, `mask`): `tpr`, part of the class's images that are recognised when only its dominant frequencies
        and DC are kept; `fpr`, part of all other images that are then taken for the class; `shortcut`: 1 where
        `tpr` > threshold; `kept_share`, part of the frequencies that is kept. `kept` (also on `u`, `v`): the half-plane
        mask, DC included. Masks are `top-1`, … (per cent, from a ranking) or `patch-8`, … (stages of the search). On
        `class`: `clean_tpr`, `clean_fpr` of the images as they are, `dc_tpr`, `dc_fpr` of DC alone (what a class gains
        from an empty image); `class_n`, `class_n_other` images. On `mask`: `mean_tpr`, `mean_fpr` over classes.
        `mean_clean_tpr`: accuracy on the images as they are, mean over classes. `headline_tpr`, `headline_fpr`,
        `headline_shortcuts` (number of classes) are of the mask `top-5` (the last one, where it is not there).
        `<name>_se` is the standard error over images, `<name>_lower`, `<name>_upper` a 95 % interval (Wilson's; of
        `shortcuts`, the numbers of classes by either end of theirs). `n`, `n_chosen` images that frequencies were
        chosen by; `n_constant` images without any frequency but DC, which every mask leaves as they are; `n_unranked`
        classes in whose ranking all frequencies are alike, so that it is that of the radius.
        A class with one image has no standard error (NaN). Without images of other classes `fpr` is 0, its error NaN
        and its interval [0, 1].

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], labels that no logit belongs to, a
        model with one logit, logits that are not finite, masks of another size, and where no image is left to evaluate.

    Notes
    -----
    METHODS 5; Wang et al., ICCV 2023 (arXiv 2307.09829), and for `search: patches` Wang et al., CVPR 2025
    (arXiv 2503.03519). Retraining varies much: compare three seeds or more. With `evaluate: all`, as published, the
    images that frequencies are chosen by are those they are tried on, which flatters the rates where images are few.

    Examples
    --------
    >>> from torchvision.models import resnet18
    >>> _ = torch.manual_seed(0)
    >>> model = resnet18(num_classes=2)
    >>> found = frequency_shortcuts(model, torch.rand(8, 3, 8, 8), torch.arange(8) % 2)
    >>> found.tpr.dims, found["mask"].values.tolist()
    (('class', 'mask'), ['top-1', 'top-5', 'top-10', 'top-20'])
    >>> elsewhere = frequency_shortcuts(model, torch.rand(8, 3, 8, 8), torch.arange(8) % 2, masks=found)
    >>> bool((elsewhere.kept == found.kept).all())
    True
    """
    options = _options(options, settings, masks is not None)
    given = labelled_images(images, labels, image_ids, class_names)
    chosen = images_by_class(given, options.images_per_class, options.seed)
    with measuring(model, device) as measured:
        if masks is not None:
            here, unranked = _labels_of(masks, given), 0
            chosen = {number: chosen[number][:0] for number in here}
            kept = masks.kept.values[np.isin(masks.label, here)].astype(bool)
            names = [str(name) for name in masks["mask"].values]
        else:
            find = _by_ranking if options.search == "ranking" else _by_patches
            pairs, names, unranked = find(measured, given, chosen, options)
            kept = half_plane.on_half_plane(pairs, dc=True)
        places = _to_evaluate(given, chosen, options)
        called, constant = _answers(measured, given, places, np.array(list(chosen)), kept, options.batch_size)
    rates = recognition_rates(called, given.labels[places] == np.array(list(chosen))[:, None])
    shares = kept[..., *half_plane.frequency_pairs(given.size).T].mean(axis=-1)
    counts = {
        "n": (len(places), "images that were classified", "images"),
        "n_chosen": (sum(map(len, chosen.values())), "images that frequencies were chosen by", "images"),
        "n_constant": (constant, "classified images that have no frequency but DC", "images"),
        "n_unranked": (unranked, "classes whose frequencies all have the same loss increase", "classes"),
    }
    classes = {number: str(number if class_names is None else class_names[number]) for number in chosen}
    return rates_dataset(rates, kept, shares, counts, classes, names, options)


def measure(model: nn.Module, probe: Probe, options: Shortcuts) -> xr.Dataset:
    """Measure one checkpoint on a probe: `frequency_shortcuts` of a copy with fresh batch-norm statistics.

    With the option `masks` the frequencies are those that another instance found at this checkpoint.
    """
    model, recomputed = with_fresh_batch_norm(model, probe, options.batch_norm_images)
    found = frequency_shortcuts(
        model,
        probe.images,
        probe.labels,
        options,
        image_ids=probe.image_ids,
        class_names=probe.class_names,
        masks=probe.earlier,
    )
    return found.assign_attrs(batch_norm_images=recomputed)


def _by_ranking(
    model: nn.Module, given: LabelledImages, chosen: dict[int, np.ndarray], options: Shortcuts
) -> tuple[np.ndarray, list[str], int]:
    """Masks (class, mask, pairs) of the top frequencies by exact removal, their names, and the unranked classes."""
    kind, where, masks, unranked = precision_of(model), device_of(model), [], 0
    for number, positions in chosen.items():
        total = np.zeros(len(half_plane.frequency_pairs(given.size)))
        for batch in batches(len(positions), options.batch_size):
            pixels = to_pixels(given.images[positions[batch]], kind, where)
            labels = torch.full((len(pixels),), number, device=where)
            total += loss_increases(model, pixels, labels, options.batch_size)[1].sum(dim=0).cpu().numpy()
        masks.append([top(total, percent) for percent in options.top])
        unranked += int(np.ptp(total) == 0)
    return np.array(masks), [f"top-{percent:g}" for percent in options.top], unranked


def _by_patches(
    model: nn.Module, given: LabelledImages, chosen: dict[int, np.ndarray], options: Shortcuts
) -> tuple[np.ndarray, list[str], int]:
    """Masks of every stage of the search over patches, and their names."""
    names = [f"patch-{side}" for side in patch_sizes(given.size, options)]
    return patch_search(model, given, chosen, options), names, 0


def _labels_of(masks: xr.Dataset, given: LabelledImages) -> list[int]:
    """Class numbers of an earlier result that have images here."""
    size = masks.attrs["size"]
    if size != given.size:
        raise InputError("masks", f"are of {size} pixels, the images of {given.size}", "the same size")
    here = [number for number in masks.label.values.tolist() if number in given.labels]
    if not here:
        raise InputError("masks", "have no class in common with the labels")
    return here


def _to_evaluate(given: LabelledImages, chosen: dict[int, np.ndarray], options: Shortcuts) -> np.ndarray:
    """Positions of the images to classify, by id."""
    left = np.ones(len(given.labels), dtype=bool)
    if options.evaluate == "others":
        left[np.concatenate(list(chosen.values()))] = False
    if missing := sorted(set(chosen) - set(given.labels[left].tolist())):
        raise InputError(
            f"class {missing[0]}",
            "has no image left that its frequencies were not chosen by",
            "images_per_class below the number of its images",
        )
    order = np.argsort(given.image_ids, kind="stable")
    return order[left[order]]


def _answers(
    model: nn.Module,
    given: LabelledImages,
    places: np.ndarray,
    classes: np.ndarray,
    kept: np.ndarray,
    batch_size: int,
) -> tuple[np.ndarray, int]:
    """How many images are taken for class c when only D_c is kept?

    Returns
    -------
    called : ndarray (2, class, mask + 2) int64
        Of the class's own images, and of others; by mask, then for the images as they are, then for DC alone.
    constant : int
        Images without any frequency but DC.
    """
    kind, where = precision_of(model), device_of(model)
    number, of_class = kept.shape[:2]
    alone = np.zeros((2, *kept.shape[2:]), dtype=bool)
    alone[0], alone[1, 0, 0] = True, True
    planes = np.concatenate([kept.reshape(-1, *kept.shape[2:]), alone])
    called, constant = np.zeros((2, number, of_class + 2), dtype=np.int64), 0
    for batch in batches(len(places), batch_size):
        pixels = to_pixels(given.images[places[batch]], kind, where)
        labels = given.labels[places[batch]]
        found = answers_to_kept(model, pixels, torch.from_numpy(labels).to(where), planes, batch_size)
        predicted = np.concatenate([of_part.cpu().numpy() for _, of_part, _ in found])
        by_class = predicted[:-2].reshape(number, of_class, -1)
        for place, wanted in enumerate(classes):
            said = np.concatenate([by_class[place], predicted[-2:]]) == wanted
            own = labels == wanted
            called[:, place] += [said[:, own].sum(axis=1), said[:, ~own].sum(axis=1)]
        constant += int((pixels == pixels[:, :, :1, :1]).flatten(1).all(dim=1).sum())
    return called, constant


def _options(
    options: Shortcuts | Mapping[str, Any] | None, settings: Mapping[str, Any], masked: bool
) -> Shortcuts:
    given = options.model_dump() if isinstance(options, Shortcuts) else dict(options or {})
    options = measure_options("shortcuts", {**given, **settings})
    if options.masks is not None and not masked:
        raise InputError(
            "masks", f"names the instance {options.masks!r}, but no masks were given", "a result"
        )
    if options.evaluate == "others" and not options.images_per_class:
        raise InputError(
            "evaluate", "found 'others', but all images are chosen by", "images_per_class above 0"
        )
    return options
