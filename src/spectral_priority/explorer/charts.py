"""The explorer's charts, as Vega-Lite specifications made with Altair; the page's script gives them their rows.

Every chart takes rows named `rows`, whose colours and line widths are decided by the script, so that a line looks the
same in all of them; `step` is the checkpoint that the reader chose.
"""

from __future__ import annotations

from typing import Any

import altair as alt

FONT, INK, SOFT = 12, "#1b1f24", "#57606a"
"""Smallest text in px, colours of text: those of the report page."""
DATA = "rows"
OVER_TRAINING = ("low", "mid", "high", "accuracy", "loss")
"""Charts with optimiser steps below: bands of the profile, and learning curves."""


def charts(last_step: int) -> dict[str, dict[str, Any]]:
    """Return the specifications by the name of their place in the page.

    Parameters
    ----------
    last_step : int
        The last optimiser step of any run: axes of training end there.

    Returns
    -------
    dict
        `profile`, and over training `low`, `mid`, `high`, `accuracy`, `loss`.

    Examples
    --------
    >>> sorted(charts(240))
    ['accuracy', 'high', 'loss', 'low', 'mid', 'profile']
    """
    over_training = _finished(_over_training(last_step))
    return {"profile": _finished(_profile()), **dict.fromkeys(OVER_TRAINING, over_training)}


def step_ticks(last: int) -> list[int]:
    """Return the marked steps of an axis of log(1 + step).

    >>> step_ticks(240), step_ticks(90000)
    ([0, 10, 100], [0, 10, 100, 1000, 10000])
    """
    ticks = [0]
    while 10 ** len(ticks) <= max(last, 10):
        ticks.append(10 ** len(ticks))
    return ticks


def _profile() -> alt.LayerChart:
    """Share against ring: untrained models dashed, ±1 standard error shaded, values where the pointer is."""
    rows = alt.Chart(alt.NamedData(DATA))
    ring = alt.X(
        "ring:Q",
        title="spatial frequency (cycles/image)",
        axis=alt.Axis(tickMinStep=1, tickCount=8, grid=False),
        scale=alt.Scale(nice=False, zero=False),
    )
    share = alt.Y("value:Q", title=None, scale=alt.Scale(domainMin=0, domainMax=alt.ExprRef("top")))
    dash = alt.StrokeDash(
        "state:N",
        scale=alt.Scale(domain=["chosen", "untrained"], range=[[1, 0], [4, 4]]),
        legend=None,
    )
    band = rows.mark_area(opacity=0.15, clip=True).encode(
        ring, alt.Y("low:Q", title=None), alt.Y2("high:Q"), _colour(), detail=["name:N", "state:N"]
    )
    line = rows.mark_line(clip=True).encode(
        ring, share, _colour(), _width(), dash, detail=["name:N", "state:N"]
    )
    # Values of untrained models are those at step 0: half as many areas for the pointer to meet.
    chosen = rows.transform_filter("datum.state === 'chosen'")
    return alt.layer(band, line, _pointed(chosen, ring, share)).add_params(alt.param("top", value=0.2))


def _over_training(last_step: int) -> alt.LayerChart:
    """A quantity against optimiser steps on log(1 + step), with a rule at the step that was chosen."""
    rows = alt.Chart(alt.NamedData(DATA))
    scale = alt.Scale(type="symlog", constant=1, domain=[0, last_step], nice=False)
    step = alt.X(
        "step:Q",
        title="optimiser step",
        scale=scale,
        axis=alt.Axis(values=step_ticks(last_step), grid=False, format="~s"),
    )
    value = alt.Y("value:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5))
    band = rows.mark_area(opacity=0.15, clip=True).encode(
        step, alt.Y("low:Q", title=None), alt.Y2("high:Q"), _colour(), detail="name:N"
    )
    line = rows.mark_line().encode(step, value, _colour(), _width(), detail="name:N")
    rule = (
        alt.Chart(alt.NamedData("rule"))
        .mark_rule(color=SOFT, strokeWidth=1.5, strokeDash=[2, 2])
        .encode(alt.X("step:Q", scale=scale))
    )
    return alt.layer(band, line, rule, _pointed(rows, step, value))


def _pointed(rows: alt.Chart, x: alt.X, y: alt.Y) -> alt.Chart:
    """Points that show, with their values, where the pointer is nearest."""
    nearest = alt.selection_point("pointed", nearest=True, on="pointerover", clear="pointerout", empty=False)
    told = {"task": "name", "at": "where", "value": "shown"}
    # What the pointer meets is the area around a point, whose datum is the point: Vega-Lite 6.4 takes it for the row.
    tip = ", ".join(f"'{title}': (datum.datum || datum).{column}" for title, column in told.items())
    return (
        rows.mark_point(size=60, filled=True, clip=True)
        .encode(
            x,
            y,
            _colour(),
            opacity=alt.condition(nearest, alt.value(1), alt.value(0)),
            tooltip=alt.value(alt.ExprRef("{" + tip + "}")),
        )
        .add_params(nearest)
    )


def _colour() -> alt.Color:
    return alt.Color("colour:N", scale=None, legend=None)


def _width() -> alt.StrokeWidth:
    return alt.StrokeWidth("width:Q", scale=None, legend=None)


def _finished(chart: alt.LayerChart) -> dict[str, Any]:
    sized = chart.properties(
        width="container",
        height=220,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
    ).configure(
        font='system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
        axis=alt.AxisConfig(
            labelFontSize=FONT,
            titleFontSize=FONT,
            titleFontWeight="normal",
            labelColor=INK,
            titleColor=INK,
            gridColor="#eaeef2",
            domainColor=SOFT,
            tickColor=SOFT,
        ),
        view=alt.ViewConfig(stroke=None),
    )
    return sized.to_dict()
