"""A study: data sets, tiers, recipes, measures and claims, and the runs that follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from . import instances, scalars, sources
from .audit import Audit
from .base import Count, Name, Section
from .datasets import GENERATORS, Dataset
from .measures import MEASURES, MeasureOptions
from .recipe import Recipe
from .statistics import Claim, Complexity, LearnedFirst, Statistics
from .tiers import Control, Labels, Regroup, Similarity, TierFamily

RESERVED = ("benchmarks", "data", "logs", "state")
"""Folders of results/ that are no study's."""


class Tier(NamedTuple):
    """One task of a study. Its name comes from the configuration; its images are chosen by the tier rule."""

    name: str
    family: str
    level: str
    draw: int


class Run(NamedTuple):
    """One training: its results lie in results/<study>/runs/<tier>/<recipe>/seed<seed>/."""

    tier: str
    recipe: str
    seed: int


class Group(NamedTuple):
    """Runs that a claim is about: the start of their tiers' names, their recipe, and the instance that is read."""

    tiers: str
    recipe: str
    instance: str


class Study(Section):
    """One study = one YAML file that stands alone."""

    study: Name
    """Name of the study: its results lie in results/<study>/."""
    question: str = ""
    """What the study asks, for the report."""
    data_root: str = "data"
    """Folder that the paths of data sets start from; `--config data_root=…` overrides it. No result depends on
    it and changing it reruns nothing."""
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    """Data sets by name."""
    tiers: Annotated[dict[Name, TierFamily], Field(min_length=1)]
    """Families of tiers by name; a tier is called <family>-<level>-d<draw>."""
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)] = {"base": Recipe()}
    """Model and training options by name; the first is the primary one."""
    measures: Annotated[dict[Name, MeasureOptions], Field(min_length=1)] = {
        "gradient": MEASURES["gradient"]()
    }
    """Instances of measures by name; `measure` may be left out where the name is the measure's."""
    seeds: Count = 2
    """Training repetitions of each tier (seeds 0, 1, …)."""
    audit: Audit = Audit()
    """How the data sets are audited."""
    complexity: Complexity = Complexity()
    """Complexity of tasks."""
    statistics: Statistics = Statistics()
    """Correlation of priority with complexity."""
    learned_first: LearnedFirst | None = None
    """Which class is learned first; null: not asked."""
    claims: tuple[Claim, ...] = ()
    """Claims made before the run; the report shows each as held or failed."""

    @model_validator(mode="before")
    @classmethod
    def _instances_are_named_after_their_measure(cls, values):
        instances = values.get("measures") if isinstance(values, dict) else None
        if isinstance(instances, dict):
            named = {}
            for name, options in instances.items():
                options = {} if options is None else options
                if isinstance(options, dict):
                    options = {"measure": name, **options}
                    if options["measure"] not in MEASURES:
                        raise ValueError(
                            f"measures.{name}.measure: found {options['measure']!r}, "
                            f"but the measures are: {', '.join(MEASURES)}"
                        )
                named[name] = options
            values = {**values, "measures": named}
        return values

    @model_validator(mode="after")
    def _parts_fit_together(self):
        if self.study in RESERVED:
            raise ValueError(f"study: {self.study!r} is a folder of the pipeline; choose another name")
        for key, family in self.tiers.items():
            field = f"tiers.{key}"
            for recipe in family.recipes or ():
                if recipe not in self.recipes:
                    raise ValueError(
                        f"{field}.recipes: found {recipe!r}, but the recipes are: {', '.join(self.recipes)}"
                    )
            if isinstance(family, Control):
                if family.of not in {tier.name for tier in self.list_tiers(controls=False)}:
                    known = ", ".join(tier.name for tier in self.list_tiers(controls=False))
                    raise ValueError(f"{field}.of: found {family.of!r}, but the tiers are: {known}")
            elif family.dataset not in self.datasets:
                raise ValueError(
                    f"{field}.dataset: found {family.dataset!r}, but the data sets are: {', '.join(self.datasets)}"
                )
            if isinstance(family, Regroup) and max(family.groups) > family.classes:
                raise ValueError(
                    f"{field}.groups: found {max(family.groups)}, but {family.classes} classes "
                    f"make at most {family.classes} groups"
                )
        tiers = {tier.name for tier in self.list_tiers()}
        if len(tiers) < len(self.list_tiers()):
            raise ValueError("tiers: two tiers have the same name; a level is listed twice")
        for fault in (*sources.faults(self), *instances.faults(self)):
            raise ValueError(fault)
        for fault in learned_first_faults(self):
            raise ValueError(fault)
        if all(options.measure != "gradient" for options in self.measures.values()):
            raise ValueError(
                "measures: found none of gradient, which statistics and figures rest on; add one"
            )
        for number, claim in enumerate(self.claims):
            field = f"claims[{number}]"
            for option in ("recipe", "lower_recipe", "higher_recipe"):
                recipe = getattr(claim, option, None)
                if recipe is not None and recipe not in self.recipes:
                    raise ValueError(
                        f"{field}.{option}: found {recipe!r}, but the recipes are: {', '.join(self.recipes)}"
                    )
            if claim.kind == "learned-first" and self.learned_first is None:
                raise ValueError(f"{field}: the study has no section learned_first, which says at which step")
            for fault in scalars.faults(self, claim) if claim.kind != "learned-first" else ():
                raise ValueError(f"{field}.{fault}")
            for name, recipe, _ in self.groups_of(claim):
                group = [tier for tier in tiers if tier == name or tier.startswith(name + "-")]
                if not group:
                    raise ValueError(
                        f"{field}: found {name!r}, but the tiers are: {', '.join(sorted(tiers))}"
                    )
                for family in sorted({self.tier(tier).family for tier in group}):
                    if recipe not in self.recipes_of(family):
                        raise ValueError(
                            f"{field}: {name} is to be read with the recipe {recipe!r}, but tiers.{family} is "
                            f"trained with: {', '.join(self.recipes_of(family))}"
                        )
            if claim.kind == "separated":
                lower, higher = self.groups_of(claim)
                if lower == higher:
                    raise ValueError(
                        f"{field}: lower and higher are the same tiers with the same recipe and instance"
                    )
        return self

    def list_tiers(self, controls: bool = True) -> list[Tier]:
        """Every tier, in the order of the file.

        Parameters
        ----------
        controls : bool
            Include the control tiers.
        """
        tiers = []
        for family, options in self.tiers.items():
            if isinstance(options, Control) and not controls:
                continue
            for level in options.levels_listed:
                only_one = isinstance(options, Regroup) and level == str(options.classes)
                for draw in range(1 if only_one else options.draws):
                    tiers.append(Tier(f"{family}-{level}-d{draw}", family, level, draw))
        return tiers

    def tier(self, name: str) -> Tier:
        """Return the tier of that name."""
        return self._tiers[name]

    @cached_property
    def _tiers(self) -> dict[str, Tier]:
        """Tiers by name: a plan asks for that of every job, so a search would take time of tiers × jobs."""
        return {tier.name: tier for tier in self.list_tiers()}

    def dataset_of(self, tier: str) -> str:
        """Return the name of the data set that a tier is made from."""
        family = self.tiers[self.tier(tier).family]
        return self.dataset_of(family.of) if isinstance(family, Control) else family.dataset

    def recipes_of(self, family: str) -> tuple[str, ...]:
        """Return the recipes that a family's tiers are trained with, in the study's order; the first is its primary."""
        listed = self.tiers[family].recipes or self.recipes
        return tuple(recipe for recipe in self.recipes if recipe in listed)

    def contrasted(self) -> tuple[str, ...]:
        """Return the families that are trained with several recipes, without controls."""
        return tuple(
            family
            for family, options in self.tiers.items()
            if not isinstance(options, Control) and len(self.recipes_of(family)) > 1
        )

    def groups_of(self, claim: Claim) -> tuple[Group, ...]:
        """Return the groups of runs that a claim compares."""
        common = claim.recipe or next(iter(self.recipes))
        if claim.kind == "increasing":
            return tuple(Group(name, common, claim.instance) for name in claim.tiers)
        if claim.kind == "learned-first":
            return (Group(claim.tier, common, ""),)
        return (
            Group(claim.lower, claim.lower_recipe or common, claim.lower_instance or claim.instance),
            Group(claim.higher, claim.higher_recipe or common, claim.higher_instance or claim.instance),
        )

    def artefacts(self) -> list[str]:
        """Names of the data sets of tiers, without controls, that have an artefact in training images."""
        names = dict.fromkeys(self.dataset_of(tier.name) for tier in self.list_tiers(controls=False))
        planted = {name: self.datasets[name].artefact for name in names}
        return [name for name, artefact in planted.items() if artefact and artefact.in_training]

    def list_runs(self) -> list[Run]:
        """Every training: tiers × their recipes × seeds."""
        return [
            Run(tier.name, recipe, seed)
            for tier in self.list_tiers()
            for recipe in self.recipes_of(tier.family)
            for seed in range(self.tiers[tier.family].seeds or self.seeds)
        ]

    def similarity_of(self, family: str) -> tuple[str, str] | None:
        """Return the (label column, kind) of the class similarity that a family's tiers are chosen by, if any."""
        options = self.tiers[family]
        if isinstance(options, Similarity):
            return options.label, options.by
        if isinstance(options, Regroup) and options.along != "random":
            return options.label, options.along
        return None

    def looks_for_duplicates(self, tier: str) -> bool:
        """Tell whether a tier's images were kept together where they show the same; those of a generator never do."""
        family = self.tiers[self.tier(tier).family]
        if isinstance(family, Control):
            return self.looks_for_duplicates(family.of)
        return family.apart != "none" and self.datasets[family.dataset].source.kind not in GENERATORS

    def labels_of(self, tier: str) -> str:
        """Return the label column that a tier's classes come from."""
        family = self.tiers[self.tier(tier).family]
        if isinstance(family, Control):
            return self.labels_of(family.of)
        return self.tier(tier).level if isinstance(family, Labels) else family.label


def learned_first_faults(study: Study) -> Iterator[str]:
    """Say what keeps a study from telling which class is learned first."""
    if study.learned_first is None:
        return
    step = study.learned_first.step
    for key, family in study.tiers.items():
        of = study.tiers[study.tier(family.of).family] if isinstance(family, Control) else family
        if isinstance(of, Regroup):
            yield (
                f"learned_first: the classes of tiers.{key} are groups, which have no spectrum of their own in the "
                "data; leave out learned_first, or put these tiers into another study"
            )
        for name in study.recipes_of(key):
            recipe = study.recipes[name]
            early = [own for own in recipe.checkpoints.early if own <= recipe.steps]
            if step not in early:
                yield (
                    f"learned_first.step: found {step}, but recipes.{name}.checkpoints.early are: "
                    f"{', '.join(map(str, early))}"
                )
