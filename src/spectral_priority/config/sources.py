"""Runs that start from, or learn from, other runs: which ones, and that they can be made in some order."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from .recipe import OtherRun

if TYPE_CHECKING:
    from .datasets import Dataset
    from .study import Run, Study

USES = ("init", "teacher")
"""Options of a recipe that name another run."""
SAME_MODEL = ("model", "stem", "width", "normalisation")
"""Options in which a recipe agrees with the one that it starts from: weights mean nothing in another model."""


def source_of(study: Study, run: Run, use: str) -> tuple[str, Run] | None:
    """Return the study and the run whose weights a run uses; None where it uses none, or those of a file.

    Parameters
    ----------
    study : Study
    run : Run
    use : str
        `init` or `teacher`.
    """
    other: OtherRun | None = getattr(study.recipes[run.recipe], use)
    if other is None or other.recipe is None:
        return None
    seed = run.seed if other.seed is None else other.seed
    return other.study or study.study, type(run)(other.tier or run.tier, other.recipe, seed)


def faults(study: Study) -> Iterator[str]:
    """Yield what is wrong with the sources of a study's runs, each with its field; the first one may cause others."""
    for name in study.recipes:
        for use in USES:
            yield from _faults_of_recipe(study, name, use)
    runs = study.list_runs()
    known = set(runs)
    families = {tier.name: tier.family for tier in study.list_tiers()}
    edges: dict[Run, list[Run]] = {run: [] for run in runs}
    for run in runs:
        for use in USES:
            source = source_of(study, run, use)
            if source is None or source[0] != study.study:
                continue
            edges[run].append(source[1])
            if source[1] not in known:
                yield _why_unknown(study, run, source[1], f"recipes.{run.recipe}.{use}", families)
                continue
            theirs, ours = (_dataset(study, families, tier).color for tier in (source[1].tier, run.tier))
            if theirs != ours:
                yield (
                    f"recipes.{run.recipe}.{use}: {source[1].tier} has images of color: {theirs}, "
                    f"and {run.tier} of color: {ours}; a model takes one of them"
                )
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        around = [f"{run.tier}/{run.recipe}/seed{run.seed}" for run in error.args[1]]
        field = f"recipes.{error.args[1][0].recipe}"
        yield f"{field}: {around[0]} would have to be trained before itself ({' → '.join(around)})"


def _faults_of_recipe(study: Study, name: str, use: str) -> Iterator[str]:
    recipe, field = study.recipes[name], f"recipes.{name}.{use}"
    other: OtherRun | None = getattr(recipe, use)
    if other is None or other.recipe is None or (other.study or study.study) != study.study:
        return
    source = study.recipes.get(other.recipe)
    if source is None:
        yield f"{field}.recipe: found {other.recipe!r}, but the recipes are: {', '.join(study.recipes)}"
        return
    if other.step is not None and other.step > source.steps:
        yield f"{field}.step: found {other.step}, but {other.recipe} ends at step {source.steps}"
    elif other.step not in (None, source.steps) and source.measure_during_training:
        yield (
            f"{field}.step: found {other.step}, but {other.recipe} keeps its last weights only "
            "(measure_during_training)"
        )
    for option in SAME_MODEL if use == "init" else ():
        ours, theirs = getattr(recipe, option), getattr(source, option)
        if ours != theirs:
            yield f"recipes.{name}.{option}: found {ours!r}, but it starts from {other.recipe}, which has {theirs!r}"


def _dataset(study: Study, families: dict[str, str], tier: str) -> Dataset:
    family = study.tiers[families[tier]]
    return (
        study.datasets[family.dataset] if family.kind != "control" else _dataset(study, families, family.of)
    )


def _why_unknown(study: Study, run: Run, source: Run, field: str, families: dict[str, str]) -> str:
    if source.tier not in families:
        return f"{field}.tier: found {source.tier!r}, but the tiers are: {', '.join(families)}"
    family = families[source.tier]
    listed = study.tiers[family].recipes
    if listed is not None and source.recipe not in listed:
        return (
            f"{field}: {run.tier} needs the recipe {source.recipe!r} on {source.tier}, "
            f"but tiers.{family}.recipes lists only: {', '.join(listed)}"
        )
    seeds = study.tiers[family].seeds or study.seeds
    return f"{field}.seed: found {source.seed}, but {source.tier} is trained with the seeds 0 to {seeds - 1}"
