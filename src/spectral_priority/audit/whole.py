"""The whole audit of a data set: every question asked, the findings with the worst first, and all numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..config.audit import Audit
from ..data.duplicates import Duplicates
from ..data.images import HELD_OUT, TRAIN, PackedImages
from ..data.together import Pairs, belonging_together
from ..fourier import rings
from .counts import check_counts, check_groups, check_near_empty, contrasts, counts_by_class
from .files import check_files, facts_by_class, file_facts
from .finding import Finding, by_severity
from .rings import BandAccuracy, band_accuracies, check_bands
from .sample import Seen, choose_sample, see
from .spectra import check_colour, check_spectra, spectra_by_class
from .traces import check_traces, traces_by_class
from .twins import check_leaks, check_twins, twins_by_class


@dataclass(frozen=True)
class LabelAudit:
    """What was found of one label column.

    Attributes
    ----------
    names, titles : list of str
        Of its classes.
    planted : bool
        Whether its classes differ in frequency by construction (built-in data): that is then no finding.
    classes : list of dict
        A row of numbers per class.
    bands, recoded : list of BandAccuracy
        What each band alone tells, as packed and after one encoder quality for all.
    """

    names: list[str]
    titles: list[str]
    planted: bool
    classes: list[dict[str, Any]]
    bands: list[BandAccuracy]
    recoded: list[BandAccuracy]


@dataclass(frozen=True)
class WholeAudit:
    """What was found of a data set.

    Attributes
    ----------
    findings : list of Finding
        The worst first.
    labels : dict of LabelAudit
        By label column.
    contrast : ndarray (sample,)
        Of every image, in grey levels.
    facts : dict
        Counts of the data set as a whole.
    """

    findings: list[Finding]
    labels: dict[str, LabelAudit]
    contrast: np.ndarray
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values: audit.json."""
        return {
            **self.facts,
            "findings": [asdict(finding) for finding in self.findings],
            "labels": {
                column: {
                    "planted": label.planted,
                    "bands": [_plain(found) for found in label.bands],
                    "recoded": [_plain(found) for found in label.recoded],
                    "classes": [
                        {"class": name, **row} for name, row in zip(label.names, label.classes, strict=True)
                    ],
                }
                for column, label in self.labels.items()
            },
        }


def audit(
    images: PackedImages,
    duplicates: Duplicates,
    options: Audit,
    progress: Callable[[int], object] = lambda images: None,
) -> WholeAudit:
    """Ask every question of a data set.

    Parameters
    ----------
    images : PackedImages
    duplicates : Duplicates
    options : Audit
    progress : callable
        Told how many images were just read.
    """
    number = len(images)
    identical = duplicates.identical
    pairs = np.stack([duplicates.first, duplicates.second], axis=1)
    together = belonging_together(images, "near", Pairs(pairs[identical], pairs[~identical]))
    belonging = np.arange(number) if together is None else together.cluster
    sample = choose_sample(images, belonging, options.images, options.seed)
    every = np.concatenate([sample.train, sample.test])
    seen, recoded = see(images, every, progress=progress), see(images, every, recode=True, progress=progress)
    contrast, facts = contrasts(images, progress), file_facts(images)
    findings = [
        *check_groups(images.group, images.split),
        *check_leaks(duplicates, images.split),
        *check_colour(seen, facts.get("chroma")),
    ]
    labels = {}
    for position, column in enumerate(images.label_columns):
        names, label = images.classes[column], images.labels(column)
        planted = column in images.planted
        here = len(sample.train)
        bands, again = (
            band_accuracies(
                _some(one, slice(None, here)),
                _some(one, slice(here, None)),
                label[sample.train],
                label[sample.test],
                len(names),
            )
            for one in (seen, recoded)
        )
        counts = counts_by_class(images.split, contrast, label, len(names))
        spectra = spectra_by_class(seen, label[every], len(names))
        traces = traces_by_class(seen, label[every], len(names))
        files = facts_by_class(facts, label, len(names))
        twins = twins_by_class(duplicates, images.split, label, len(names))
        rows = [
            dict(**a, **b, **c, **d, **e)
            for a, b, c, d, e in zip(counts, files, twins, spectra, traces, strict=True)
        ]
        titles = [images.titles.get(name, name) for name in names]
        labels[column] = LabelAudit(names, titles, planted, rows, bands, again)
        findings += check_counts(counts, titles, column)
        if not planted:
            findings += check_bands(bands, again, column, titles)
            findings += check_spectra(spectra, titles, column)
        findings += check_files(facts, label, titles, column)
        findings += check_traces(traces, titles, column)
        findings += check_twins(duplicates, images.split, label, titles, column)
        if position == 0:
            findings += check_near_empty(counts, titles, column)
    return WholeAudit(
        by_severity(findings),
        labels,
        contrast,
        {
            "dataset": images.name,
            "size": images.size,
            "channels": images.channels,
            "data_sha256": images.content_sha256,
            "images": number,
            "train": int((images.split == TRAIN).sum()),
            "held_out": int((images.split == HELD_OUT).sum()),
            "sampled": {
                "learned_from": len(sample.train),
                "tested_on": len(sample.test),
                "seed": options.seed,
            },
            "rings": rings(images.size).tolist(),
        },
    )


def _some(seen: Seen, part: slice) -> Seen:
    return Seen(
        seen.index[part],
        seen.power[part],
        None if seen.colour is None else seen.colour[part],
        seen.bends[part],
    )


def _plain(found: BandAccuracy) -> dict[str, Any]:
    recall = [None if np.isnan(value) else float(value) for value in found.recall]
    return {**found._asdict(), "corrected": found.corrected, "recall": recall}
