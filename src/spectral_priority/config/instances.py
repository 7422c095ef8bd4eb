"""Instances of measures that look at other images than the tier's, or at what another instance found: do they fit?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Section
    from .study import Study


def probe_of(options: Section) -> Section | None:
    """Return the other images that an instance is measured on (`OtherImages`); None: the tier's held-out ones."""
    return getattr(options, "probe", None)


def masks_of(options: Section) -> str | None:
    """Return the instance whose masks an instance tries; None: it looks for its own."""
    return getattr(options, "masks", None)


def of_measure(study: Study, measure: str) -> list[str]:
    """Return the instances of a measure."""
    return [name for name, options in study.measures.items() if options.measure == measure]


def faults(study: Study) -> Iterator[str]:
    """Yield what is wrong with the instances of a study, each with its field."""
    inside = [name for name, recipe in study.recipes.items() if recipe.measure_during_training]
    for name, options in study.measures.items():
        if probe_of(options):
            yield from _faults_of_probe(study, f"measures.{name}.probe", probe_of(options).dataset)
        if masks_of(options) is not None:
            yield from _faults_of_masks(study, f"measures.{name}.masks", masks_of(options))
        for option in ("probe", "masks"):
            if inside and getattr(options, option, None) is not None:
                yield (
                    f"measures.{name}.{option}: can't be had with recipes.{inside[0]}.measure_during_training, which "
                    "knows the tier's images only; leave out one of the two"
                )


def _faults_of_probe(study: Study, field: str, other: str) -> Iterator[str]:
    if other not in study.datasets:
        yield f"{field}.dataset: found {other!r}, but the data sets are: {', '.join(study.datasets)}"
        return
    for tier in study.list_tiers():
        own = study.dataset_of(tier.name)
        for option in ("size", "color"):
            ours, theirs = (getattr(study.datasets[name], option) for name in (own, other))
            if ours != theirs:
                yield (
                    f"{field}.dataset: {other} has {option}: {theirs}, but the tier {tier.name} is made from {own}, "
                    f"which has {option}: {ours}; a model takes one of them"
                )


def _faults_of_masks(study: Study, field: str, other: str) -> Iterator[str]:
    known = [name for name in of_measure(study, "shortcuts") if masks_of(study.measures[name]) is None]
    if other not in known:
        yield (
            f"{field}: found {other!r}, but the instances of shortcuts that look for masks of their own are: "
            f"{', '.join(known) or 'none'}"
        )
