"""Finds every field of a study that takes text, and plants text there that a shell would act upon."""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel

HOSTILE = (
    "; touch x #' ; touch x #\" ; touch x # $(touch x) `touch x` & touch x | touch x {wildcards.tier} {input} "
    "{0} {{}} \\ %s > x"
)
"""Ends any quotes that it is put into, and has the braces that Snakemake fills in."""

SKELETONS = [
    """
study: hostile
datasets:
  made: {source: {kind: shapes-textures, train: 480, held_out: 160}}
  folder:
    source: {kind: image-folder, paths: [a]}
    artefact: {kind: tag, prevalence: {a: {train: 0.5}}}
  table:
    source: {kind: csv-manifest, table: a, images: [a], labels: [a]}
    artefact: {kind: low-pass, of_class: a}
  tiny: {source: {kind: tiny-imagenet}, artefact: {kind: photon-noise, of_class: a}}
  large: {source: {kind: imagenet}, artefact: {kind: non-local-means, of_class: a}}
  scans: {source: {kind: radimagenet}}
  arrays: {source: {kind: medmnist, paths: [a]}}
  biased: {source: {kind: band-biased}}
  published: {source: {kind: torchvision, name: svhn}}
tiers:
  labels: {kind: labels, dataset: made, labels: [shape], recipes: [base]}
  regroup: {kind: regroup, dataset: made, classes: 4, groups: [2], label: shape, draws: 1, recipes: [tuned]}
  count: {kind: count, dataset: folder, counts: [2], draws: 1, recipes: [base]}
  per-class: {kind: count-per-class, dataset: folder, counts: [2], draws: 1, recipes: [base]}
  similar: {kind: similarity, dataset: folder, classes: 2, levels: [near], draws: 1, recipes: [base]}
  above: {kind: superclasses, dataset: tiny, root: a, depths: [1], draws: 1, recipes: [base]}
  control: {kind: control, of: labels-shape-d0, recipes: [base]}
recipes:
  base: {augment: RandAugment}
  tuned: {init: {weights: a}}
measures:
  gradient:
  gradient-svd: {label: a}
  shortcuts: {probe: {dataset: made}}
  tried: {measure: shortcuts, masks: shortcuts, probe: {dataset: made}}
seeds: 1
claims:
  - {kind: separated, text: a, lower: labels, higher: count}
  - {kind: increasing, text: a, tiers: [labels, count]}
""",
    """
study: hostile
datasets: {made: {source: {kind: shapes-textures, train: 480, held_out: 160}}}
tiers: {labels: {kind: labels, dataset: made, labels: [shape]}}
recipes: {base: {checkpoints: {early: [0, 10]}}}
seeds: 1
learned_first: {step: 10}
claims: [{kind: learned-first, text: a, tier: labels, class_name: a}]
""",
]
"""Studies with every kind of section that has a field of text; regrouped classes and `learned_first` can't be one."""


class Field(typing.NamedTuple):
    """A field of a study that holds text: where it is, and values that put a text there."""

    path: tuple[str | int, ...]
    declared: tuple[str, str]
    values: list[Any]


def text_fields(model: type[BaseModel]) -> set[tuple[str, str]]:
    """Return (class, field) of every field of text in the sections that can stand below a model."""
    found: set[tuple[str, str]] = set()
    _collect(model, found, set())
    return found


def fields_of(section: BaseModel, path: tuple[str | int, ...] = ()) -> Iterator[Field]:
    """Go through the fields of text of a study, and of every section in it."""
    hints = typing.get_type_hints(type(section), include_extras=True)
    for name in type(section).model_fields:
        values = list(_planted(hints[name], f"{HOSTILE} {type(section).__name__}.{name}"))
        if values:
            yield Field((*path, name), _declared(type(section), name), values)
        yield from _fields_below(getattr(section, name), (*path, name))


def with_value(document: dict, path: tuple[str | int, ...], value: Any) -> dict:
    """Return a copy of a document with another value at a path."""
    document = copy.deepcopy(document)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def skeletons() -> list[dict]:
    """Return the studies, as they are read from their files."""
    return [yaml.safe_load(text) for text in SKELETONS]


def _collect(annotation: Any, found: set[tuple[str, str]], seen: set[type]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        for name, hint in typing.get_type_hints(annotation, include_extras=True).items():
            if name in annotation.model_fields:
                if any(True for _ in _planted(hint, "a")):
                    found.add(_declared(annotation, name))
                _collect(hint, found, seen)
        return
    for argument in typing.get_args(annotation):
        _collect(argument, found, seen)


def _declared(section: type[BaseModel], name: str) -> tuple[str, str]:
    """The class that declares a field, so that a field which several kinds inherit counts once."""
    owner = next(base for base in reversed(section.__mro__) if name in getattr(base, "model_fields", {}))
    return owner.__name__, name


def _fields_below(value: Any, path: tuple[str | int, ...]) -> Iterator[Field]:
    if isinstance(value, BaseModel):
        yield from fields_of(value, path)
    elif isinstance(value, dict | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _fields_below(item, (*path, key))


def _planted(annotation: Any, text: str) -> Iterator[Any]:
    """Go through the values of a type that hold a text: itself, in a list, as a key of a mapping."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is str or annotation is Any:
        yield text
    elif origin is typing.Annotated:
        yield from _planted(arguments[0], text)
    elif origin is tuple:
        yield from ([value] for value in _planted(arguments[0], text))
    elif origin is dict:
        for key in _planted(arguments[0], text):
            yield {key: next(_planted(arguments[1], text), {})}
    elif origin is not typing.Literal and not isinstance(annotation, type):
        for argument in arguments:
            yield from _planted(argument, text)
