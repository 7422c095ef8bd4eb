"""The variables of a measure's result: each with dimensions, unit and name, and its standard error beside it."""

from __future__ import annotations

from typing import Any

import numpy as np


class Variables(dict[str, tuple]):
    """Variables by name, as `xarray.Dataset` takes them.

    Parameters
    ----------
    over : str
        What standard errors are over.

    Examples
    --------
    >>> found = Variables()
    >>> found.add("accuracy", (), 0.9, "share of images classified correctly", error=0.03, n="n")
    >>> found.add("n", (), 100, "images used", "images")
    >>> list(found), found["accuracy_se"][2]["long_name"]
    (['accuracy', 'accuracy_se', 'n'], 'standard error of accuracy over images')
    """

    def __init__(self, over: str = "images"):
        super().__init__()
        self.over = over

    def add(
        self,
        name: str,
        dims: tuple[str, ...],
        values: Any,
        long_name: str,
        units: str = "1",
        *,
        error: Any = None,
        n: str = "",
    ) -> None:
        """Add a number, and its standard error if it has one; `n` names the variables that say of how many it is."""
        of = {"n_in": n} if n else {}
        self[name] = (dims, values, {"units": units, "long_name": long_name} | of)
        if error is not None:
            told = f"standard error of {name} over {self.over}"
            self[f"{name}_se"] = (dims, error, {"units": units, "long_name": told} | of)

    def count_missing(self, name: str, counted: str, long_name: str) -> None:
        """Count the NaN of a variable in another, `counted`, which it names as its `missing_in` from then on."""
        self[name][2]["missing_in"] = counted
        missing = int(np.isnan(self[name][1]).sum())
        self.setdefault(counted, ((), missing, {"units": "1", "long_name": long_name}))
