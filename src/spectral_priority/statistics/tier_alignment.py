"""Does what a model responds to follow the spectrum of its own task more than those of other tasks? (METHODS 9)

Each tier's profile at the last checkpoint is compared with a spectrum of that tier: of its images, of its class means,
or Pinson's predictor. The null permutes which tier goes with which spectrum. Rings are never permuted: neighbours are
alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from math import factorial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import false_discovery_control

from ..config.statistics import Statistics
from ..config.study import Study
from ..store.atomic import read_json
from ..store.netcdf import read_dataset
from .alignment import octave_distance, overlap
from .least_squares import FEWEST_DRAWS
from .permutation import SLACK
from .tables import TIER_ALIGNMENT

SPECTRA = ("image-psd", "class-mean-psd", "pinson")
SAME = 1e-9
"""Spectra of tiers that differ by no more are the same spectrum."""


def tier_alignment(
    study: Study, profiles: xr.Dataset, spectra: Mapping[str, Mapping[str, np.ndarray]]
) -> pd.DataFrame:
    """Compare tiers' profiles with tiers' spectra, by family, recipe, instance and kind of spectrum.

    Parameters
    ----------
    study : Study
    profiles : xarray.Dataset
        profiles.h5.
    spectra : mapping
        Kind of spectrum → tier → share of power per ring.

    Returns
    -------
    DataFrame
        The columns TIER_ALIGNMENT: mean overlap and distance of tiers with their own spectrum, the means over all
        arrangements, and one-sided p: how often an arrangement has as much overlap, or as little distance. All of it is
        exploratory; `p_adjusted` is Benjamini–Hochberg over the rows, of the overlap.
    """
    of_tier = _last_profiles(profiles)
    rows = []
    for (recipe, instance), shares in of_tier.items():
        for family, options in study.tiers.items():
            names = [
                tier.name for tier in study.list_tiers() if tier.family == family and tier.name in shares
            ]
            if options.kind == "control" or not names:
                continue
            for kind, by_tier in spectra.items():
                about = {"family": family, "recipe": recipe, "instance": instance, "spectrum": kind}
                known = [name for name in names if _usable(by_tier.get(name), shares[name])]
                own = [shares[name] for name in known]
                rows.append({**about, **compared(own, [by_tier[name] for name in known], study.statistics)})
    table = pd.DataFrame(rows, columns=list(TIER_ALIGNMENT))
    tested = table["p_overlap"].notna()
    if tested.any():
        table.loc[tested, "p_adjusted"] = false_discovery_control(
            table.loc[tested, "p_overlap"].to_numpy(float)
        )
    return table.astype({"arrangements": "Int64"})


def compared(
    profiles: list[np.ndarray], spectra: list[np.ndarray], settings: Statistics
) -> dict[str, object]:
    """Compare profiles with spectra, both in the order of their tiers, and with the spectra exchanged.

    Parameters
    ----------
    profiles, spectra : list of ndarray (ring,)
    settings : Statistics
        All arrangements are gone through where there are at most `permutations`; otherwise that many are drawn.

    Examples
    --------
    >>> own = list(np.eye(6) + 0.1)
    >>> found = compared(own, own, Statistics())
    >>> round(found["overlap"], 6), found["arrangements"], round(found["p_overlap"], 4)
    (1.0, 720, 0.0014)
    """
    count = len(profiles)
    found: dict[str, object] = {"tiers": count}
    if not count:
        return {**found, "note": "not available: no tier has this spectrum on the rings of its profile"}
    every = {
        "overlap": np.array([[overlap(own, other) for other in spectra] for own in profiles]),
        "distance": np.array([[octave_distance(own, other) for other in spectra] for own in profiles]),
    }
    found |= {name: float(np.diagonal(values).mean()) for name, values in every.items()}
    found |= {f"{name}_exchanged": float(values.mean()) for name, values in every.items()}
    if count < FEWEST_DRAWS:
        return {**found, "note": f"too few tiers: {count}; at least {FEWEST_DRAWS}"}
    shares = np.stack([spectrum / spectrum.sum() for spectrum in spectra])
    if np.ptp(shares, axis=0).max() <= SAME:
        return {**found, "note": "all tiers have the same spectrum: nothing to exchange"}
    orders, exact = _arrangements(count, settings)
    overlaps = every["overlap"][np.arange(count), orders].mean(axis=1)
    distances = every["distance"][np.arange(count), orders].mean(axis=1)
    return {
        **found,
        "p_overlap": float((overlaps >= overlaps[0] - SLACK).mean()),
        "p_distance": float((distances <= distances[0] + SLACK).mean()),
        "permutation": "exact" if exact else "monte-carlo",
        "arrangements": len(orders),
        "note": "",
    }


def read_spectra_of_tiers(study: Study, results: Path) -> dict[str, dict[str, np.ndarray]]:
    """Read the spectra of all tiers but controls: kind of spectrum → tier → share per ring.

    The image PSD of a tier is the mean over its classes of psd.h5, which holds no class of fewer than two images.
    """
    found: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in SPECTRA}
    read: dict[Path, xr.DataArray] = {}
    for tier in study.list_tiers(controls=False):
        folder = results / study.study
        for kind in ("class-mean-psd", "pinson"):
            path = folder / "complexity" / tier.name / f"{kind}.h5"
            found[kind][tier.name] = read_dataset(path, f"data:{kind}")["share"].values
        facts = read_json(folder / "tiers" / f"{tier.name}.json")
        name = study.dataset_of(tier.name)
        pack = f"{name}-{study.datasets[name].size}px"
        path = results / "data" / pack / "spectra" / facts["label"] / "psd.h5"
        if path not in read:
            read[path] = read_dataset(path, "data:psd")["share"]
        members = [member for entry in facts["classes"] for member in entry["members"]]
        own = read[path].sel(
            {"class": [member for member in members if member in read[path]["class"].values]}
        )
        if own.sizes["class"]:
            found["image-psd"][tier.name] = own.mean("class").values
    return found


def _last_profiles(profiles: xr.Dataset) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Profiles at the last checkpoint, mean over seeds: (recipe, instance) → tier → share on rings 1 … ⌊N/2⌋."""
    names = ["tier", "recipe", "seed", "instance"]
    key = pd.DataFrame({name: profiles[name].values for name in [*names, "step", "size"]})
    last = key.loc[key.groupby(names, sort=False)["step"].idxmax()]
    share, found = profiles["share"].values, {}
    for (recipe, instance, tier), rows in last.groupby(["recipe", "instance", "tier"], sort=False):
        mean = share[rows.index, : int(rows["size"].iloc[0]) // 2].mean(axis=0)
        if np.isfinite(mean).all():
            found.setdefault((recipe, instance), {})[tier] = mean
    return found


def _usable(spectrum: np.ndarray | None, profile: np.ndarray) -> bool:
    """Has a tier this spectrum, on the rings of its profile, with any power?"""
    return spectrum is not None and len(spectrum) == len(profile) and bool(spectrum.sum() > 0)


def _arrangements(count: int, settings: Statistics) -> tuple[np.ndarray, bool]:
    """Which spectrum each tier gets, (arrangement, tier), the observed one first; and whether these are all."""
    if factorial(min(count, 20)) <= settings.permutations:
        return np.array(list(permutations(range(count)))), True
    random = np.random.default_rng(settings.seed)
    drawn = random.permuted(np.tile(np.arange(count), (settings.permutations, 1)), axis=1)
    return np.vstack([np.arange(count), drawn]), False
