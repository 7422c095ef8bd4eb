"""Frequency shortcuts of a study by class, and over seeds: how many there are, and how many serve on other images.

A class has a shortcut where its true-positive rate lies above the measure's threshold; the last checkpoint is read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..config.instances import masks_of, of_measure
from ..config.study import Run, Study
from ..store.netcdf import read_provenance
from .contrasts import paired_t
from .runs import OneCode, code_of, read_run, read_spectra, read_tier
from .tables import SHORTCUTS, SHORTCUTS_SUMMARY

BY_CLASS = (
    "tpr", "tpr_lower", "tpr_upper", "fpr", "fpr_lower", "fpr_upper", "shortcut", "kept_share",
    "dc_tpr", "dc_fpr", "clean_tpr", "clean_fpr",
)  # fmt: skip
"""Variables of the measure that go to the table as they are."""
PLURAL = {"shortcut": "shortcuts"}
COUNTED = ("shortcuts", "transferred", "selective")
"""Quantities that are numbers of classes."""
RUN = ["tier", "recipe", "seed"]


def shortcuts_by_class(study: Study, results: Path) -> pd.DataFrame:
    """Read every run's shortcuts at its last checkpoint.

    Parameters
    ----------
    study : Study
        Its file paths follow from it.
    results : path
        The folder results/.

    Returns
    -------
    DataFrame
        shortcuts.csv: a row per run × instance of `shortcuts` × class × mask.

    Raises
    ------
    InputError
        By file name: missing, damaged, foreign, or a mixture of trainings, manifests or code.
    """
    tiers = {tier.name: read_tier(study, results, tier.name) for tier in study.list_tiers()}
    codes, tables = OneCode(), []
    for run in study.list_runs():
        files = read_run(study, results, run, tiers[run.tier])
        for instance in of_measure(study, "shortcuts"):
            found = read_spectra(study, files, instance)
            path = files.folder / "spectra" / f"{instance}.h5"
            codes.check("shortcuts", path, code_of(path, read_provenance(found)))
            tables.append(_rows(run, instance, found))
    return pd.concat(tables, ignore_index=True)[list(SHORTCUTS)]


def summarised(study: Study, by_class: pd.DataFrame) -> pd.DataFrame:
    """Summarise the shortcuts of each recipe over its seeds, on one tier by one instance.

    Quantities: `shortcuts`, the number of classes with one; `transferred`, of those that have one by the instance whose
    masks were tried, how many have one here too; `selective`, of these (of `shortcuts`, where masks are an instance's
    own) those whose false-positive rate is not above the threshold as well, so that not everything is taken for the
    class; `tpr`, `fpr`, means over classes; `accuracy`, the mean of `clean_tpr`.

    Parameters
    ----------
    study : Study
        Its confidence, and which instance tries whose masks.
    by_class : DataFrame
        From `shortcuts_by_class`.

    Returns
    -------
    DataFrame
        shortcuts_summary.csv: mean over seeds with a t interval, cut at what is possible. One seed has none; seeds
        that agree have one of no width, which `note` says.
    """
    rows = []
    keys = [*RUN, "class", "mask"]
    for instance, here in by_class.groupby("instance", sort=False):
        source = masks_of(study.measures[instance])
        told, here = "shortcut", here.assign(few_false=here["fpr"] <= here["threshold"])
        if source is not None:
            there = by_class[by_class["instance"] == source]
            here = here.merge(there[[*keys, "shortcut"]], on=keys, suffixes=("", "_there"))
            told, here = "transferred", here.assign(transferred=here["shortcut"] & here["shortcut_there"])
        here = here.assign(selective=here[told] & here["few_false"])
        cells = here.groupby([*RUN, "mask"], sort=False)
        counts = list(dict.fromkeys(["shortcut", told, "selective"]))
        quantities = {PLURAL.get(name, name): cells[name].sum() for name in counts}
        quantities |= {
            "tpr": cells["tpr"].mean(),
            "fpr": cells["fpr"].mean(),
            "accuracy": cells["clean_tpr"].mean(),
        }
        headlines = set(here.loc[here["headline"], "mask"])
        for quantity, values in quantities.items():
            counted = quantity in COUNTED
            for (tier, recipe, mask), seeds in values.groupby(level=["tier", "recipe", "mask"], sort=False):
                classes = here.loc[here["tier"] == tier, "class"].nunique()
                rows.append(
                    {
                        "tier": tier,
                        "recipe": recipe,
                        "instance": instance,
                        "mask": mask,
                        "headline": mask in headlines,
                        "quantity": quantity,
                        "classes": classes,
                        "unit": "classes" if counted else "1",
                        "confidence": study.statistics.confidence,
                        **_over_seeds(
                            seeds.to_numpy(float), study.statistics.confidence, classes if counted else 1
                        ),
                    }
                )
    return pd.DataFrame(rows, columns=list(SHORTCUTS_SUMMARY))


def _over_seeds(values: np.ndarray, confidence: float, most: float) -> dict[str, object]:
    """Mean and interval of a quantity between 0 and `most`."""
    found = paired_t(values, confidence)
    alike = len(values) > 1 and np.ptp(values) == 0
    note = "one seed: no interval" if len(values) == 1 else "all seeds have the same value" if alike else None
    interval = {}
    if "lower" in found:
        lower, upper = max(found["lower"], 0.0), min(found["upper"], float(most))
        interval = {"standard_error": found["standard_error"], "lower": lower, "upper": upper}
    return {"mean": found["difference"], **interval, "n": len(values), "note": note}


def _rows(run: Run, instance: str, found: xr.Dataset) -> pd.DataFrame:
    """The last checkpoint of one file, a row per class × mask."""
    last = found.isel(checkpoint=-1)
    table = last[[*BY_CLASS, "class_n", "class_n_other"]].to_dataframe().reset_index()
    return table.rename(columns={"class_n": "n", "class_n_other": "n_other"}).assign(
        **run._asdict(),
        instance=instance,
        step=int(last["step"]),
        shortcut=table["shortcut"].astype(bool),
        headline=table["mask"] == found.attrs["headline"],
        threshold=float(found.attrs["threshold"]),
    )
