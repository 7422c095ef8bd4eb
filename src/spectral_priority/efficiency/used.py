"""What each finished job used and asked for, from the tables that Snakemake writes for `benchmark:`."""

from __future__ import annotations

import ast
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.study import Study


@dataclass(frozen=True)
class Used:
    """One finished job.

    Attributes
    ----------
    kind : str
        Its stage, with the recipe or the instance where there is one: `train base`, `measure gradient`, `figures`.
    seconds : float
        Wall time of its last start.
    memory_mb : float or None
        Most memory that it was seen to hold, of all its processes together (MiB). Snakemake looks every half second at
        first, then every 30 seconds. None where the job was over before that.
    cpu_seconds : float or None
    threads, memory_asked_mb, minutes_asked, gpus : float or None
        What it asked for; None where Snakemake did not write it (`--benchmark-extended`).
    """

    kind: str
    seconds: float
    memory_mb: float | None
    cpu_seconds: float | None
    threads: float | None = None
    memory_asked_mb: float | None = None
    minutes_asked: float | None = None
    gpus: float | None = None


def read_used(results: Path, study: str, known: Study | None = None) -> tuple[list[Used], list[Path]]:
    """Read what the jobs of a study used.

    Parameters
    ----------
    results : path
        The folder results/.
    study : str
        Name of the study.
    known : Study, optional
        Its configuration: says which data sets are its own.

    Returns
    -------
    list of Used
    list of path
        Tables that can't be read.
    """
    folders = [results / "benchmarks" / study]
    if known is not None:
        packs = [f"{name}-{options.size}px" for name, options in known.datasets.items()]
        folders = [*(results / "benchmarks" / "data" / pack for pack in packs), *folders]
    found, damaged = [], []
    for folder in folders:
        for path in sorted(folder.rglob("*.tsv")):
            try:
                found.extend(_rows(path, kind_of(path.relative_to(folder))))
            except (OSError, ValueError, KeyError, SyntaxError):
                damaged.append(path)
    return found, damaged


def kind_of(path: Path) -> str:
    """Name the kind of a job by the place of its table.

    >>> kind_of(Path("runs/count-4-d0/base/seed0/train.tsv"))
    'train base'
    >>> kind_of(Path("runs/count-4-d0/base/seed0/spectra/gradient.tsv"))
    'measure gradient'
    >>> kind_of(Path("tiers/count-4-d0.tsv")), kind_of(Path("gather.tsv"))
    ('tiers', 'gather')
    """
    if path.parts[0] == "runs":
        stage = {"train": "train", "spectra": "measure", "pictures": "picture"}.get(Path(path.parts[4]).stem)
        return f"train {path.parts[2]}" if stage == "train" else f"{stage or path.parts[4]} {path.stem}"
    return Path(path.parts[0]).stem


def _rows(path: Path, kind: str) -> list[Used]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [_used(row, kind) for row in rows]


def _used(row: dict[str, str], kind: str) -> Used:
    asked = ast.literal_eval(row.get("resources") or "{}")
    return Used(
        kind,
        float(row["s"]),
        _number(row["max_rss"]),
        _number(row["cpu_time"]),
        _number(row.get("threads")),
        _number(asked.get("mem_mb")),
        _number(asked.get("runtime")),
        _number(asked.get("gpu")),
    )


def _number(found: Any) -> float | None:
    return None if found in (None, "", "NA", "-", "<TBD>") else float(found)
