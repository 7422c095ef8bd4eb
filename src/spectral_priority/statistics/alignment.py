"""Alignment of what a model responds to, before it sees a task, with the spectrum of an artefact planted in that task.

Two profiles over the same rings are compared by their Bhattacharyya overlap and by how many octaves apart they lie
(METHODS 9). Beside it stands what alignment may go with: the run's overfitting to the artefact, the accuracy that is
lost on images in which the artefact no longer goes with its class.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import wasserstein_distance

from ..config.sources import source_of
from ..config.study import Run, Study
from .tables import ALIGNMENT, ALIGNMENT_PROFILES

RUN = ["tier", "recipe", "seed"]


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Bhattacharyya overlap Σ√(S q) of two ring profiles: 1 if they are the same, 0 if they share no ring.

    Parameters
    ----------
    first, second : ndarray (ring,)
        Not negative; divided by their sums. NaN for a profile without power.

    Examples
    --------
    >>> overlap(np.array([1.0, 1, 0]), np.array([1.0, 1, 0])), overlap(np.array([1.0, 0]), np.array([0.0, 1]))
    (1.0, 0.0)
    """
    with np.errstate(invalid="ignore"):
        return float(np.sqrt((first / first.sum()) * (second / second.sum())).sum())


def octave_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the 1-D Wasserstein distance of two ring profiles in log2 r: the octaves that power must be moved by.

    Parameters
    ----------
    first, second : ndarray (ring,)
        Of rings 1, 2, …, not negative. NaN for a profile without power.

    Examples
    --------
    >>> octave_distance(np.array([0.0, 1, 0, 0]), np.array([0.0, 0, 0, 1]))
    1.0
    """
    if not (first.sum() > 0 and second.sum() > 0):
        return float("nan")
    octave = np.log2(np.arange(1, len(first) + 1))
    return float(wasserstein_distance(octave, octave, first, second))


def alignments(
    study: Study, learning: pd.DataFrame, profiles: xr.Dataset, spectra: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Compare every run on a data set with an artefact with the spectra of all the study's artefacts.

    Its own artefact's is the one that alignment.csv holds; the others are what a permutation puts in its place.

    Parameters
    ----------
    study : Study
    learning : DataFrame
        learning.csv.
    profiles : xarray.Dataset
        profiles.h5.
    spectra : mapping
        Data set with an artefact → the artefact's share of power per ring.

    Returns
    -------
    DataFrame
        The columns ALIGNMENT, and `spectrum`: the data set whose artefact's spectrum a row is about. `overlap` and
        `distance` are of the run's own profile at step 0, `source_overlap` of the checkpoint that it starts from, in
        the run that made it: NaN where it starts from none of this study. NaN too where the numbers of rings differ.
        `gap` is the accuracy on fixed training images minus that on validation images, at the last checkpoint;
        `clean_gap` the same of the run of this recipe and seed on the images without artefact, NaN where there is none.
    """
    on_artefacts, by_run = _runs_on(study, spectra), _by_run(profiles)
    clean_of = {tier: clean_tier(study, tier) for tier in {run.tier for run in on_artefacts}}
    last = learning.sort_values("step").groupby(RUN).last()
    gap = last["fixed_train_accuracy"] - last["validation_accuracy"]
    rows = []
    for run in on_artefacts:
        name = study.dataset_of(run.tier)
        end = last.loc[tuple(run)]
        facts = {
            **study.tier(run.tier)._asdict(),
            **run._asdict(),
            "dataset": name,
            "artefact": study.datasets[name].artefact.kind,
            "step": int(end["step"]),
            "train_accuracy": end["fixed_train_accuracy"],
            "validation_accuracy": end["validation_accuracy"],
            "gap": gap[tuple(run)],
            "clean_gap": gap.get((clean_of[run.tier], run.recipe, run.seed), np.nan),
        }
        facts.pop("name")
        for instance in study.measures:
            if (run, instance) not in by_run:
                continue  # a measure without a profile
            own, source = by_run[run, instance].loc[0], _source_profile(study, run, instance, by_run)
            for spectrum, share in spectra.items():
                rows.append(
                    {
                        **facts,
                        "instance": instance,
                        "spectrum": spectrum,
                        "overlap": _same_rings(overlap, own, share),
                        "distance": _same_rings(octave_distance, own, share),
                        "source_overlap": _same_rings(overlap, source, share),
                    }
                )
    return pd.DataFrame(rows, columns=[*ALIGNMENT, "spectrum"])


def compared(study: Study, profiles: xr.Dataset, spectra: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Return what is compared: every artefact's spectrum, and the mean profile that each recipe starts with.

    Parameters
    ----------
    study : Study
    profiles : xarray.Dataset
        profiles.h5.
    spectra : mapping
        Data set with an artefact → its artefact.h5.

    Returns
    -------
    DataFrame
        The columns ALIGNMENT_PROFILES. Standard errors are over images for artefacts and over runs for profiles.
    """
    parts = []
    for name, spectrum in spectra.items():
        share, error = spectrum["share"].values, spectrum["share_se"].values
        parts.append(_compared("artefact", name, None, share, error, int(spectrum["n"])))
    by_run, runs = _by_run(profiles), _runs_on(study, spectra)
    for instance in study.measures:
        for recipe in study.recipes:
            starts = [
                by_run[run, instance].loc[0].to_numpy()
                for run in runs
                if run.recipe == recipe and (run, instance) in by_run
            ]
            if starts and len({len(start) for start in starts}) == 1:
                mean, n = np.mean(starts, axis=0), len(starts)
                error = np.std(starts, axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(mean), np.nan)
                parts.append(_compared("start", recipe, instance, mean, error, n))
    return pd.concat(parts, ignore_index=True)


def _compared(
    kind: str, name: str, instance: str | None, share: np.ndarray, error: np.ndarray, n: int
) -> pd.DataFrame:
    ring = np.arange(1, len(share) + 1)
    values = (kind, name, instance, ring, share, error, n)
    return pd.DataFrame(dict(zip(ALIGNMENT_PROFILES, values, strict=True)))


def _runs_on(study: Study, spectra: Mapping[str, object]) -> list[Run]:
    """Runs on the data sets with an artefact, without controls."""
    tiers = [tier.name for tier in study.list_tiers(controls=False) if study.dataset_of(tier.name) in spectra]
    return [run for run in study.list_runs() if run.tier in tiers]


def clean_tier(study: Study, name: str) -> str | None:
    """Return the tier that differs from a tier in nothing but that its images have no artefact; None if there is none.

    How often and with which recipes a tier is trained makes it no other task.
    """
    tier = study.tier(name)
    for other in study.list_tiers(controls=False):
        same_place = (other.level, other.draw) == (tier.level, tier.draw)
        if same_place and _task(study, other.family) == _task(study, tier.family, clean=True):
            return other.name
    return None


def _task(study: Study, family: str, clean: bool = False) -> tuple[dict, dict]:
    """A family's options and its data set's, with the artefact taken away if asked."""
    options = study.tiers[family]
    dataset = study.datasets[options.dataset]
    return (
        options.model_dump(exclude={"dataset", "recipes", "seeds"}),
        (dataset.model_copy(update={"artefact": None}) if clean else dataset).model_dump(),
    )


def _by_run(profiles: xr.Dataset) -> dict[tuple[Run, str], pd.DataFrame]:
    """Every run's profiles, (step, ring), on the rings 1 … ⌊N/2⌋ that artefacts' spectra have, too."""
    names = [*RUN, "instance"]
    key = pd.DataFrame({name: profiles[name].values for name in names}).astype({"seed": int})
    share, step, size = (profiles[name].values for name in ("share", "step", "size"))
    return {
        (Run(tier, recipe, seed), instance): pd.DataFrame(
            share[places, : int(size[places[0]]) // 2], index=step[places]
        )
        for (tier, recipe, seed, instance), places in key.groupby(names).indices.items()
    }


def _source_profile(
    study: Study, run: Run, instance: str, by_run: Mapping[tuple[Run, str], pd.DataFrame]
) -> pd.Series | None:
    """The profile of the checkpoint that a run starts from, measured in the run that made it."""
    source = source_of(study, run, "init")
    if source is None or source[0] != study.study:
        return None
    found = by_run[source[1], instance]
    step = study.recipes[run.recipe].init.step
    return found.loc[found.index.max() if step is None else step]


def _same_rings(compare, profile: pd.Series | None, share: np.ndarray) -> float:
    return (
        compare(profile.to_numpy(), share) if profile is not None and len(profile) == len(share) else np.nan
    )
