"""What every chart is made of: its caption, its picture live and still, its colours, axes and layers.

One Vega-Lite specification gives both pictures: live in the page, still for print and where scripts do not run. Colours
are the page's CSS variables, so that either follows its theme. Which charts there are is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import altair as alt
import vl_convert
from altair.utils.schemapi import debug_mode

from reports.messages import ENGLISH, Say
from reports.series import Row

HEIGHT: Final = 200
STILL_WIDTH: Final = 520
STILL_WIDTH_ALONE: Final = 1040
SERIES: Final = tuple(f"var(--series-{number})" for number in range(1, 8))
FAIL: Final = "var(--fail)"
MUTED: Final = "var(--muted)"
FONT: Final = "system-ui, sans-serif"
CLOCK: Final = "utcFormat(datum.value, utcseconds(datum.value) ? '%H:%M:%S' : '%H:%M')"
"""How an axis writes milliseconds after midnight."""
FIGURE: Final = "format(datum.value, abs(datum.value) < 1 ? '~r' : '~s')"
"""How an axis writes a figure: 20k, and 0.5 where an SI prefix would make it 500m."""
_LINE: Final = "var(--line)"


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands over a chart; `told` says in words what the picture shows, for whoever does not see it.

    `say` is the language of what stands inside it.
    """

    name: str
    title: str
    unit: str
    told: str
    say: Say = ENGLISH


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure. `legend` pairs a label with a CSS colour; `spec` is Vega-Lite, as wide as its container."""

    caption: Caption
    legend: tuple[tuple[str, str], ...]
    spec: dict[str, Any]

    def still(self, *, alone: bool) -> str:
        """The picture as SVG, twice as wide where it stands `alone` in its row."""
        width = STILL_WIDTH_ALONE if alone else STILL_WIDTH
        svg: str = vl_convert.vegalite_to_svg({**self.spec, "width": width}, allowed_base_urls=[])
        return svg


def unchecked() -> AbstractContextManager[None]:
    """Inside it charts are made without Altair checking each against the schema, which takes most of the time.

    What a chart is made of does not change from run to run; the tests make every chart with the check on.
    """
    checking: AbstractContextManager[None] = debug_mode(False)
    return checking


@cache
def runtime() -> str:
    """The script that draws live charts, with all it needs: nothing is loaded from anywhere."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.replace("</script", "<\\/script")


def figure_axis() -> Any:
    """The axis of figures, whose unit the caption says."""
    return alt.Axis(title=None, tickCount=4, domain=False, ticks=False, labelExpr=FIGURE)


def figure_of(field: str) -> Any:
    """A figure upwards from zero."""
    return alt.Y(f"{field}:Q", axis=figure_axis(), scale=alt.Scale(zero=True, nice=True))


def across(limit: float, y: Any = None) -> Any:
    """A limit, drawn across a chart; `y` is that of its field `limit`, upwards from zero when left out."""
    y = figure_of("limit") if y is None else y
    return alt.Chart(data_of([{"limit": limit}])).mark_rule(color=FAIL, strokeDash=[2, 3]).encode(y=y)


def data_of(rows: Sequence[Row]) -> Any:
    """Rows as a layer's own data."""
    return alt.InlineData(values=list(rows))


def finished(layers: Sequence[Any], height: int = HEIGHT, *, apart: bool = False) -> dict[str, Any]:
    """The specification; `apart` gives each layer its own vertical scale."""
    axis = alt.AxisConfig(
        labelColor=MUTED,
        titleColor=MUTED,
        labelFont=FONT,
        labelFontSize=12,
        labelPadding=6,
        domainColor=_LINE,
        tickColor=_LINE,
        gridColor=_LINE,
    )
    chart = alt.layer(*layers).properties(
        width="container", height=height, padding=4, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    if apart:
        chart = chart.resolve_scale(y="independent")
    chart = chart.configure(background="transparent", aria=False, axis=axis, view=alt.ViewConfig(stroke=None))
    spec: dict[str, Any] = json.loads(chart.to_json(indent=None))
    return spec
