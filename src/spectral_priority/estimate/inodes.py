"""How many files and folders a study takes of a quota, by place. A file with two names (a hard link) is one.

Counted is what grows with tiers and runs. Packed images, tables, figures, logs of Snakemake and of a queue come on top:
some hundred, whatever the number of runs.
"""

from __future__ import annotations

from dataclasses import dataclass

RUN_FILES = 4
"""checkpoints.safetensors, history.csv, class_history.csv, run.json."""
TIER_FILES = 5
"""Manifest and indices; complexity, and two spectra of the class means."""
TIER_JOBS = 2
"""tier and complexity."""


@dataclass(frozen=True)
class Inodes:
    """Files and folders, by the place where they lie.

    Attributes
    ----------
    results : int
        results/<study>.
    logs, run_times : int
        results/logs/<study> and results/benchmarks/<study>.
    state : int
        results/state/<study>, beyond the files that it shares with results/<study>. It may be deleted when a study is
        done.
    records : int
        .snakemake/metadata: what Snakemake knows of each result.
    """

    results: int
    logs: int
    run_times: int
    state: int
    records: int

    @property
    def all(self) -> int:
        """All places together."""
        return self.results + self.logs + self.run_times + self.state + self.records


def count_inodes(tiers: int, recipes_of_tiers: int, runs: int, measures: int) -> Inodes:
    """Count the files and folders of tiers and runs.

    Parameters
    ----------
    tiers : int
    recipes_of_tiers : int
        Pairs of a tier and a recipe that it is trained with.
    runs : int
    measures : int
        Instances of measures of each run.

    Returns
    -------
    Inodes

    Examples
    --------
    Of one more run with four measures:

    >>> one, two = count_inodes(1, 1, 1, 4), count_inodes(1, 1, 2, 4)
    >>> two.results - one.results, two.state - one.state, two.all - one.all
    (10, 23, 55)
    """
    folders = tiers + recipes_of_tiers + 2 * runs  # <tier>, <recipe>, seed<k>, spectra
    jobs = TIER_JOBS * tiers + (1 + measures) * runs
    files = RUN_FILES + measures
    kept_run = 3 + 2  # checksums.json, a run.json of its own, the lock's guard; finished/<fingerprint>
    kept_measure = 1 + 3  # checksums.json; <instance>/finished/<fingerprint>
    return Inodes(
        results=TIER_FILES * tiers + files * runs + folders + tiers,  # complexity/<tier>
        logs=jobs + folders,
        run_times=jobs + folders,
        state=(kept_run + kept_measure * measures) * runs + folders,
        records=TIER_FILES * tiers + files * runs,
    )
