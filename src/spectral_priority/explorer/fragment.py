"""The explorer as a part of an HTML page: its numbers, charts and scripts, all inside the page."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined

from ..config import Study
from ..store.netcdf import read_dataset
from .charts import charts
from .lines import CURVES, Curve, Explored, Line, explored
from .numbers import packed


def explorer(study: Study, profiles: Path, learning: pd.DataFrame, first: tuple[str, str]) -> str:
    """Return the explorer of a study as HTML, to be put into a page as it is.

    Parameters
    ----------
    study : Study
    profiles : path
        profiles.h5.
    learning : DataFrame
        learning.csv.
    first : (str, str)
        Recipe and measure that are chosen at the start.

    Raises
    ------
    InputError
        Where the profiles are missing or damaged.
    """
    shown = explored(study, read_dataset(profiles, "profiles"), learning)
    last = max(int(one.steps[-1]) for one in [*shown.lines, *shown.curves])
    document = {
        "study": study.study,
        "recipe": first[0],
        "measure": first[1],
        "charts": charts(last),
        "lines": [_line(line) for line in shown.lines],
        "curves": [_curve(curve) for curve in shown.curves],
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_text("fragment.html.j2"))
    return template.render(
        data=in_script(document),
        library=library(),
        script=_text("explorer.js"),
        left_out=_left_out(shown),
    )


@cache
def library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, from the copy that vl-convert brings along."""
    import vl_convert  # here, for no other part of the package needs it

    return vl_convert.javascript_bundle()


def in_script(document: Any) -> str:
    """Write JSON that can stand inside a script element, whatever its texts say.

    >>> in_script({"title": "</script><script>"})
    '{"title":"\\\\u003c/script\\\\u003e\\\\u003cscript\\\\u003e"}'
    """
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _line(line: Line) -> dict[str, Any]:
    return {
        **{name: getattr(line.tier, name) for name in ("family", "level", "draw")},
        "tier": line.tier.name,
        **{name: getattr(line, name) for name in ("recipe", "instance", "size", "seeds")},
        "steps": line.steps.tolist(),
        "epochs": _short(line.epochs),
        **{
            name: packed(getattr(line, name))
            for name in ("share", "share_se", "bands", "bands_se", "centroid", "centroid_se")
        },
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        **{name: getattr(curve, name) for name in ("tier", "recipe", "seeds")},
        "chance": round(curve.chance, 4),
        "steps": curve.steps.tolist(),
        "epochs": _short(curve.epochs),
        "mean": {name: packed(curve.mean[name]) for name in CURVES},
        "error": {name: packed(curve.error[name]) for name in CURVES},
    }


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _left_out(shown: Explored) -> str:
    rounded = "Numbers are rounded to 1/65,534 of the largest of their kind."
    if shown.checkpoints == shown.of:
        return f"Every checkpoint is here. {rounded}"
    return (
        f"To keep the page small, {shown.checkpoints:,} of {shown.of:,} checkpoints of profiles are here, evenly on "
        f"log(1 + step); the others are in profiles.h5. {rounded}"
    )


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
