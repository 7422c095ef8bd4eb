"""Measures inside a training, of the model at each checkpoint, so that no weights need be kept.

The training program loads this by name, for what a training learns does not depend on it. Imports neither torch nor
xarray before a hook is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.recipe import Recipe
from ..errors import InputError
from ..fingerprint import expect_code
from .identity import identity_of
from .registry import measure_module, measure_options

if TYPE_CHECKING:
    from torch import nn

    from ..training.task import Task


def read_instances(text: str, recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Check the instances that a training is to measure: their options, and that their code is the expected one.

    Parameters
    ----------
    text : str
        JSON: name of the instance → `options`, and the `code` fingerprint of its measure.
    recipe : Recipe
        `measure_during_training` is read.

    Raises
    ------
    InputError
        Where only one of the two asks for measuring; for unknown options; for code edited since the study's start.
    """
    instances = json.loads(text)
    if bool(instances) != recipe.measure_during_training:
        raise InputError(
            "--measures", f"found {text}", "instances, if and only if measure_during_training is set"
        )
    checked = {}
    for instance, given in instances.items():
        name = given["options"].get("measure", instance)
        code = expect_code("measure", given.get("code"), roots=[measure_module(name)])
        options = measure_options(name, {"measure": name, **given["options"]})
        for option in ("probe", "masks"):
            if getattr(options, option, None) is not None:
                raise InputError(
                    f"measures.{instance}.{option}",
                    "can't be had inside a training, which knows the tier's images only",
                    todo="leave it out, or measure_during_training",
                )
        checked[instance] = {"options": options.model_dump(mode="json"), "code": code}
    return checked


def measuring_hook(
    task: Task, instances: Mapping[str, Any], run: str, work: Path
) -> Callable[[int, nn.Module], None]:
    """Return a hook that measures a model as the measure program would afterwards, into the same work folders.

    Parameters
    ----------
    task : Task
    instances : mapping
        From `read_instances`.
    run : str
        Fingerprint of the training.
    work : path
        Its work folder.
    """
    from .parts import Parts, measuring
    from .probe import read_probe

    made = []
    for instance, given in instances.items():
        options = measure_options(given["options"]["measure"], given["options"])
        data, manifest = task.images.content_sha256, task.manifest
        identity = identity_of(options, run, manifest.sha256, data, given["code"])
        probe = read_probe(task.images, manifest, task.recipe, getattr(options, "batch_norm_images", 0))
        made.append(Parts(work / "spectra" / instance, identity, options, probe))
    return measuring(made)
