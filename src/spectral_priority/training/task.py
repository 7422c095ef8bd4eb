"""What is trained: data, options and seed; its fingerprint; and what makes it impossible. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config.recipe import Recipe
from ..data.images import PackedImages
from ..data.manifest import Manifest
from ..errors import InputError
from ..fingerprint import options_fingerprint

if TYPE_CHECKING:
    from .sources import Source

NO_RESULT_DEPENDS_ON = {"threads", "time_limit_minutes"}
"""Options that change when a run ends, not where."""


@dataclass(frozen=True)
class Task:
    """A run to make: a tier of packed images, a recipe under its name, a seed, and the weights that it uses."""

    images: PackedImages
    manifest: Manifest
    recipe_name: str
    recipe: Recipe
    seed: int
    init: Source | None = None
    teacher: Source | None = None
    measures: Mapping[str, Any] = field(default_factory=dict)
    """Instances that are measured while training, with their code: a changed one trains anew."""

    @property
    def name(self) -> str:
        """Name of the run, as its folder's: <tier>/<recipe>/seed<seed>."""
        return f"{self.manifest.facts['tier']}/{self.recipe_name}/seed{self.seed}"

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; the images left over are dropped (other ones in every epoch)."""
        present = len(self.manifest.index["train"])
        return min(present, self.recipe.images or present) // self.recipe.batch_size

    def fingerprint(self, code: str, device: str) -> str:
        """Return the fingerprint of all that the results depend on.

        Parameters
        ----------
        code : str
            Code fingerprint of the program.
        device : str
            `cpu` or `cuda`: their results differ in the last digits.
        """
        return options_fingerprint(
            {
                "options": self.recipe.model_dump(mode="json", exclude=NO_RESULT_DEPENDS_ON),
                "seed": self.seed,
                "manifest": self.manifest.sha256,
                "data": self.images.content_sha256,
                "code": code,
                "device": device,
                "init": self.init and self.init.identity,
                "teacher": self.teacher and self.teacher.identity,
                "measures": dict(self.measures),
            }
        )


def check_task(task: Task) -> None:
    """Refuse a run that can't be made, before its first step.

    Raises
    ------
    InputError
        For a manifest of other images, labels or indices out of range, a class without training images, a batch larger
        than the training part, or validation images of fewer than two classes.
    """
    manifest, images, classes = task.manifest, task.images, task.manifest.number_of_classes
    where = f"tier {manifest.facts['tier']}"
    again = "delete the manifest; the tier rule makes it again"
    if manifest.facts["data_sha256"] != images.content_sha256:
        raise InputError(where, f"was made from other images than {images.path}", todo=again)
    if classes < 2:
        raise InputError(where, f"has {classes} class", "two classes or more")
    for part, index in manifest.index.items():
        label = manifest.label[part]
        if len(index) != len(label):
            raise InputError(where, f"has {len(index)} {part} images but {len(label)} labels", todo=again)
        if len(index) and not (index.min() >= 0 and index.max() < len(images)):
            raise InputError(where, f"names {part} images outside of {images.path}", todo=again)
        if len(label) and not (label.min() >= 0 and label.max() < classes):
            raise InputError(
                where,
                f"has {part} labels from {label.min()} to {label.max()}",
                f"0 to {classes - 1}",
                again,
            )
    present = np.bincount(manifest.label["train"], minlength=classes)
    if not present.all():
        missing = [manifest.class_names[number] for number in np.flatnonzero(present == 0)]
        raise InputError(
            where, f"has no training images of {', '.join(missing)}", "images of every class", again
        )
    wanted = task.recipe.images
    if wanted is not None and not classes <= wanted <= present.sum():
        raise InputError(
            f"recipes.{task.recipe_name}.images",
            f"found {wanted}, but {where} has {classes} classes and {present.sum()} training images",
            f"{classes} to {present.sum()}",
        )
    if task.recipe.objective == "triplet" and present.min() < 2:
        alone = [manifest.class_names[number] for number in np.flatnonzero(present < 2)]
        raise InputError(
            where,
            f"has one training image of {', '.join(alone)}",
            "two or more for the triplet objective",
            again,
        )
    if task.recipe.batch_size > present.sum():
        raise InputError(
            f"recipes.{task.recipe_name}.batch_size",
            f"found {task.recipe.batch_size}, more than the {present.sum()} training images of {where}",
            f"1 to {present.sum()}",
        )
    if len(np.unique(manifest.label["validation"])) < 2:
        raise InputError(
            where, "has validation images of fewer than two classes", "two classes or more", again
        )
