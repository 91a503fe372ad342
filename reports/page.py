"""report.html: one file that holds all it shows, for a screen of any width, for paper, and without a network.

Puts the summary, the words and the charts before the template. Nothing is measured or judged here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from reports import charts, wording
from reports.figures import FIGURES, story
from reports.runfolder import RunData
from reports.series import processes
from reports.steps import Steps, is_milestone

TROUBLES_SHOWN: Final = 60
EXAMPLES_SHOWN: Final = 3
_LONGEST_TEXT: Final = 400


def page(data: RunData, summary: Mapping[str, Any], steps: Steps | None = None) -> str:
    """The page.

    Args:
        data: the run as recorded.
        summary: summary.json of the same run.
        steps: its samples by step, where the caller has them already.
    """
    of = story(data, steps or Steps(data.run, data.samples), summary)
    with charts.unchecked():
        figures = {section: [chart for make in makers for chart in make(of)] for section, makers in FIGURES.items()}
    every = [chart for section in figures.values() for chart in section]
    return _template().render(
        run=data.run,
        folder=data.path.name,
        summary=summary,
        headline=wording.headline(data.run, summary),
        standing=wording.standing(data.run, summary),
        tested=wording.what_was_tested(data.run, summary),
        objectives=[{**row, "gauge": _gauge(row)} for row in summary["objectives"]],
        facts=_facts(summary),
        troubles=_troubles(data, summary),
        figures=figures,
        stills={
            chart.caption.name: Markup(chart.still(alone=at == 0 and len(section) % 2 == 1))
            for section in figures.values()
            for at, chart in enumerate(section)
        },
        specs=Markup(_inline({chart.caption.name: chart.spec for chart in every})),
        runtime=Markup(charts.runtime()),
        processes=processes(data),
        command=data.run["command"],
        slice_s=of.axis.width_s,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": wording.duration,
        "span": wording.span,
        "share": wording.share,
        "size": wording.size,
        "figure": wording.figure,
        "measured": wording.measured,
        "over": wording.over,
        "soft": _soft,
        "clock": wording.city_clock,
    }
    environment.tests["milestone"] = is_milestone
    return environment.get_template("report.html.j2")


def _soft(name: str) -> Markup:
    """A step's name that may be broken after its dots and underscores."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))


def _inline(value: Any) -> str:
    """JSON that no browser can mistake for markup inside a script element (HTML, 4.12.1.3)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _facts(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The few figures of the first screen: a name, a figure, what to know about it."""
    facts = []
    devices, steps = summary["devices"], summary["steps"]
    if (row := steps.get("ready")) is not None:
        known, ends = row["latency_ms"]["p95"], row["latency_band_ms"]["p95"]
        band = f"{wording.span(*ends)} within this run" if ends else "too few for a band"
        if known is None:
            band = "fewer than 95 of 100 ended ok"
        text = wording.duration(known) if known is not None else wording.over(row["at_least_ms"])
        facts.append(("Ready, 95 of 100", text, band))
        facts.append(("Got ready", f"{row['ok']:,}", f"of {row['count']:,} lids opened"))
    before = f", {devices['enrolled_before']:,} of them before" if "enrolled_before" in devices else ""
    facts.append(("Devices", f"{devices['planned']:,}", f"{devices['enrolled']:,} enrolled{before}"))
    real = [row for name, row in steps.items() if not is_milestone(name)]
    count, bad = sum(row["count"] for row in real), sum(row["count"] - row["ok"] for row in real)
    facts.append(("Did not end ok", f"{bad:,}", f"of {count:,} steps"))
    peak = summary["phases"]["morning"]["peak_per_s"]
    facts.append(("Busiest second", f"{peak:,}", "exchanges sent"))
    return facts


def _gauge(row: Mapping[str, Any]) -> dict[str, float] | None:
    """Where value, band and limit stand on a bar, in percent of its length; None where there is nothing to draw."""
    if row["value"] is None:
        return None
    known = [x for x in (row["value"], row["high"], row["limit"]) if x is not None]
    full = max(known) * 1.15 or 1.0
    places = {key: row[key] if row[key] is not None else row["value"] for key in ("value", "low", "high", "limit")}
    return {key: round(100 * value / full, 2) for key, value in places.items()}


def _troubles(data: RunData, summary: Mapping[str, Any]) -> dict[str, Any]:
    """What did not end ok by (step, reason), most frequent first, with examples; bounded, whatever a server sent."""
    examples: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in data.examples:
        kept = examples.setdefault((one["step"], one["reason"]), [])
        if len(kept) < EXAMPLES_SHOWN:
            kept.append({**one, **{key: str(one[key])[:_LONGEST_TEXT] for key in ("detail", "url")}})
    rows = [
        {
            "step": step,
            "reason": reason,
            "count": count,
            "of": row["count"],
            "examples": examples.get((step, reason), []),
        }
        for step, row in summary["steps"].items()
        for reason, count in row["reasons"].items()
    ]
    rows.sort(key=lambda row: -row["count"])
    rest = rows[TROUBLES_SHOWN:]
    return {"rows": rows[:TROUBLES_SHOWN], "more": len(rest), "more_count": sum(row["count"] for row in rest)}
