"""The audit as one page of HTML that needs no network."""

from __future__ import annotations

import base64
import io
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from ..data.duplicates import Duplicates
from ..data.images import PackedImages
from ..store.provenance import provenance
from .counts import NEAR_EMPTY
from .finding import SEVERITIES
from .whole import LabelAudit, WholeAudit

MOST_CLASSES, PER_CLASS = 12, 10
"""Classes on a contact sheet, and images of each."""
MOST_ROWS = 60
"""Classes in a table; audit.csv has all."""
MOST_PICTURES = 24
"""Pairs, or near-empty images, that are shown."""

COLUMNS = {
    "train": "training",
    "held_out": "held out",
    "encoder_quality": "JPEG quality",
    "chroma": "chroma",
    "mode": "mode",
    "side": "shorter side",
    "high_share": "high band",
    "fall_off": "fall-off",
    "blocks": "blocks",
    "resampling": "resampling",
    "near_empty": "near-empty",
    "identical": "identical",
    "near": "near-duplicates",
    "random_split_leak": "leak, random split",
}
"""Numbers of a class that the page shows, with their heads."""


def build_page(found: WholeAudit, images: PackedImages, duplicates: Duplicates) -> str:
    """Return the audit page.

    Parameters
    ----------
    found : WholeAudit
    images : PackedImages
        For the pictures.
    duplicates : Duplicates
        For the pictures of pairs.
    """
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        facts=found.facts,
        findings=found.findings,
        counts={level: sum(one.severity == level for one in found.findings) for level in SEVERITIES},
        labels=[_label(images, found, column, label) for column, label in found.labels.items()],
        pairs=_pairs(images, duplicates, found),
        empty=_empty(images, found),
        least=NEAR_EMPTY,
        made=provenance(),
    )


def _label(images: PackedImages, found: WholeAudit, column: str, label: LabelAudit) -> dict[str, Any]:
    from ..figures.audit import draw

    number = images.labels(column)
    shown = range(len(label.names))
    if len(label.names) > MOST_CLASSES:
        shown = np.linspace(0, len(label.names) - 1, MOST_CLASSES).round().astype(int).tolist()
    rows = [np.flatnonzero(number == i)[:PER_CLASS].tolist() for i in shown]
    heads = [name for name in COLUMNS if any(row.get(name) is not None for row in label.classes)]
    return {
        "column": column,
        "planted": label.planted,
        "classes": len(label.names),
        "figure": _svg(draw(label, column, found.facts["size"])),
        "sheet": _sheet(images, [row for row in rows if row]),
        "shown": [label.titles[i] for i, row in zip(shown, rows, strict=True) if row],
        "heads": ["class", *(COLUMNS[name] for name in heads)],
        "rows": [
            [title, *(_cell(row.get(name)) for name in heads)]
            for title, row in list(zip(label.titles, label.classes, strict=True))[:MOST_ROWS]
        ],
        "left_out": max(0, len(label.names) - MOST_ROWS),
    }


def _pairs(images: PackedImages, duplicates: Duplicates, found: WholeAudit) -> dict[str, Any] | None:
    """Pairs that show the same, the ones with different labels first, then those across the splits."""
    if not len(duplicates.first):
        return None
    column, label = next(iter(found.labels.items()))
    number = images.labels(column)
    first, second = duplicates.first, duplicates.second
    seen = np.flatnonzero(np.minimum(found.contrast[first], found.contrast[second]) >= NEAR_EMPTY)
    if not len(seen):
        return None
    first, second, distance = first[seen], second[seen], duplicates.distance[seen]
    same_label, same_split = number[first] == number[second], images.split[first] == images.split[second]
    order = np.lexsort((distance, same_split, same_label))[:MOST_PICTURES]
    columns = 2 * (MOST_PICTURES // 4)
    flat = np.stack([first[order], second[order]], axis=1).ravel().tolist()
    text = [
        f"{label.titles[number[a]]} and {label.titles[number[b]]}" for a, b in zip(first, second, strict=True)
    ]
    return {
        "sheet": _sheet(images, [flat[start : start + columns] for start in range(0, len(flat), columns)]),
        "text": list(dict.fromkeys(text[i] for i in order if not same_label[i])),
        "all": len(duplicates.first),
    }


def _empty(images: PackedImages, found: WholeAudit) -> dict[str, Any] | None:
    empty = np.flatnonzero(found.contrast < NEAR_EMPTY)
    if not len(empty):
        return None
    shown, columns = empty[:MOST_PICTURES].tolist(), MOST_PICTURES // 2
    return {
        "sheet": _sheet(images, [shown[start : start + columns] for start in range(0, len(shown), columns)]),
        "all": len(empty),
    }


def _sheet(images: PackedImages, rows: list[list[int]]) -> str:
    from .pictures import sheet

    return sheet(images, rows)


def _svg(figure: Any) -> str:
    from ..figures.save import to_svg

    file = io.BytesIO()
    to_svg(figure, file)
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}".replace("-", "−")
    return str(value)
