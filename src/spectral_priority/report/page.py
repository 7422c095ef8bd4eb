"""Build the report page from a study's tables, figures and run records."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..errors import InputError
from ..explorer.fragment import explorer
from ..figures.shown import (
    class_order_row,
    families,
    is_related,
    primary,
    primary_recipes,
    reading_name,
    reading_of,
)
from ..figures.tables import Tables
from ..store.provenance import provenance
from .answer import Sentence, answer
from .audits import audit_sections
from .captions import further
from .contrasts import level_sentences
from .parts import (
    MOST_RUNS,
    alignment_rows,
    class_learning_rows,
    correlation_rows,
    provenance_facts,
    run_records,
    run_rows,
    tier_rows,
    unreached,
)
from .primary import adjusted_rows, mixed_rows, tier_alignment_rows
from .shortcuts import shortcut_rows
from .strips import tier_strips

CAPTIONS = {
    "complexity": "Priority against the complexity of the task. A point is a draw (seeds averaged, ±1 standard error); "
    "the line is least squares through draws with its t interval, where there are at least five.",
    "profiles": "Share of gradient power per ring (cycles/image) at the last checkpoint, by level of each family. "
    "Bands: ±1 standard error, over what the note below the axes says. Dashed grey: the untrained model.",
    "heatmaps": "Priority over training, a panel per tier: share of gradient power per ring (cycles/image) at each "
    "checkpoint, mean over seeds, without interval. The line is the centroid, the first column the untrained model.",
    "correlations": "Spearman’s ρ of priority scalars (rows) with complexity measures (columns) over draws, by family. "
    "Hatched: too few draws, or a measure that does not vary.",
    "learning": "Chance-corrected validation accuracy and training loss ÷ label entropy against optimiser steps, a "
    "line per tier (mean over seeds, ±1 standard error). Dashed: the loss at which tiers are matched.",
}
"""Figure, in the order of the page → what it shows: units, n, kind of interval."""

CONTRASTS = (
    "Difference of each recipe from the reference of its family (0), in the priority at the last checkpoint and at the "
    "matched loss: mean over pairs of runs with the same tier and seed, and its t interval. Filled: clear of zero."
)
"""What the figure of a study with several recipes shows."""

ALIGNMENT = (
    "Left: accuracy on training minus validation images at the last checkpoint, against the Bhattacharyya overlap of "
    "the model’s profile before training with the artefact’s spectrum; a point is an artefact × recipe (±1 standard "
    "error over runs). Right: the spectra of what artefacts change in an image, and the profiles at step 0 (dashed)."
)
"""What the figure of a study with planted artefacts shows."""

CLASS_LEARNING = (
    "F1 of each class on validation images over training, a panel per tier (mean over seeds, ±1 standard error); "
    "colours run from classes that stand out at low frequencies to those at high ones, and the thick line is the class "
    "with the most distinctive spectrum. Last panel: F1 at the early step (dashed in the others) against its "
    "distinctiveness."
)
"""What the figure of a study shows that asks which class is learned first."""

SHORTCUTS = (
    "Part of a class’s images that are recognised (filled), and of other images that are taken for it (open), when "
    "only the class’s dominant frequencies are kept: a column per set of images, a colour per recipe."
)
"""What the figure of a study with shortcuts shows."""

SOURCES = (
    (
        "Lu, Juodelyte, Victor, Cheplygina 2024",
        "https://arxiv.org/abs/2407.11379",
        "spectra of model gradients",
    ),
    ("Lin, Gao, Sang 2022", "https://arxiv.org/abs/2205.03154", "gradient spectra over training"),
    (
        "Krishnamachari et al. 2022",
        "https://arxiv.org/abs/2301.13514",
        "Fourier sensitivity; low, mid and high bands",
    ),
    ("Wang et al. 2023", "https://arxiv.org/abs/2307.09829", "frequency shortcuts; classes learned first"),
)
"""Source, link, what is taken from it."""


def build_page(
    tables: Tables,
    results: Path,
    figures: Path,
    audits: Sequence[Path] = (),
    profiles: Path | None = None,
    images: Mapping[str, Path] | None = None,
) -> str:
    """Return the report as one page of HTML.

    Parameters
    ----------
    tables : Tables
        The study's tables (their profiles are not used).
    results : path
        results/<study>, with tiers/ and runs/.
    figures : path
        Folder of the figures' SVG files.
    audits : sequence of path
        audit.json of the study's data sets.
    profiles : path, optional
        profiles.h5, for the explorer; None: the page has none, and no script.
    images : mapping of path, optional
        Data set → its images.h5, for strips of images; None: the page has none.

    Raises
    ------
    InputError
        For a missing or damaged file, by name.
    """
    study = tables.study
    records = run_records(tables, results)
    correlations, left_out = correlation_rows(tables)
    sentences, classes = answer(tables), None
    strips, strips_left_out = tier_strips(study, results, images) if images else ([], 0)
    if tables.class_learning:
        classes = {
            "figure": _figure(figures, "class-learning", CLASS_LEARNING),
            "rows": class_learning_rows(tables.class_learning),
            "step": study.learned_first.step,
        }
        found = "clear" if is_related(class_order_row(tables, "distinctiveness")) else "unclear"
        sentences.insert(0, Sentence("Class learned first", classes["figure"]["finding"] + ".", found))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(
        files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        study=study,
        sentences=sentences,
        claims=tables.claims.to_dict("records"),
        audits=audit_sections(audits),
        strips=strips,
        strips_left_out=strips_left_out,
        explorer=explorer(study, profiles, tables.learning, primary(study)) if profiles else None,
        figures=[_figure(figures, name, caption) for name, caption in (*CAPTIONS.items(), *further(study))],
        contrasts={
            "figure": _figure(figures, "contrasts", CONTRASTS),
            "sentences": level_sentences(tables),
        }
        if study.contrasted()
        else None,
        alignment={
            "figure": _figure(figures, "alignment", ALIGNMENT),
            "rows": alignment_rows(tables.alignment),
        }
        if tables.alignment
        else None,
        class_learning=classes,
        shortcuts={
            "figure": _figure(figures, "shortcuts", SHORTCUTS),
            "rows": shortcut_rows(tables.shortcuts),
        }
        if tables.shortcuts
        else None,
        tiers=tier_rows(tables, results),
        correlations=correlations,
        correlations_left_out=left_out,
        mixed=mixed_rows(tables),
        adjusted=adjusted_rows(tables),
        tier_alignment=tier_alignment_rows(tables),
        runs=run_rows(tables, records),
        runs_left_out=max(len(records) - MOST_RUNS, 0),
        unreached=unreached(tables),
        readings={family: reading_name(*reading_of(tables, family)) for family in families(study)},
        recipes=primary_recipes(study),
        instance=primary(study)[1],
        sources=SOURCES,
        made=provenance_facts(records),
        page=provenance(),
    )


def _figure(folder: Path, name: str, caption: str) -> dict[str, Any]:
    """A figure as a data address, with its finding (the SVG's title)."""
    path = folder / f"{name}.svg"
    try:
        drawn = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"can't be read ({error})", todo="make it with the figure rule") from None
    title = re.search(r"<dc:title>(.*?)</dc:title>", drawn, re.DOTALL)
    size = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', drawn)
    if not title or not size:
        raise InputError(
            path, "is no figure of ours (no title or viewBox)", todo="delete it; it is made again"
        )
    return {
        "name": name,
        "finding": unescape(title[1]),
        "caption": caption,
        "address": "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode(),
        "width": round(float(size[1])),
        "height": round(float(size[2])),
    }
