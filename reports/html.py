"""Puts what a page shows before its template: the filters, the language, the charts with the script that draws them.

Every page extends templates/base.html.j2. Nothing is measured, judged or worded here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import drawing, wording
from reports.drawing import Chart
from reports.messages import Lang, Say
from reports.steps import is_milestone

_SPOKEN: Final = (wording.span, wording.measured, wording.band, wording.over, wording.time_of, wording.change)
"""Number formats with a word in them: on a page they speak its language."""


def render(template: str, say: Say, *, charts: Iterable[Chart] = (), **content: Any) -> str:
    """One whole page.

    Args:
        template: its name in reports/templates.
        say: its language, `say` in the template.
        charts: all charts that the template shows (with the macro `charts` of macros.html.j2), for their live pictures.
        content: what else the template names.
    """
    specs = {chart.caption.name: chart.spec for chart in charts}
    return (
        _environment(say.lang)
        .get_template(template)
        .render(say=say, lang=say.lang, specs=Markup(_inline(specs)), runtime=_runtime() if specs else "", **content)
    )


def _runtime() -> Markup:
    return Markup(drawing.runtime())


@cache
def _environment(lang: Lang) -> Environment:
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    say = Say(lang)
    environment.filters |= {one.__name__: _spoken(one, say) for one in _SPOKEN}
    environment.filters |= {
        "duration": wording.duration,
        "share": wording.share,
        "size": wording.size,
        "figure": wording.figure,
        "gauged": wording.gauged,
        "clock": wording.city_clock,
        "count": "{:,}".format,
        "soft": _soft,
        "heard": say.heard,
    }
    environment.tests["milestone"] = is_milestone
    return environment


def _spoken(said: Callable[..., str], say: Say) -> Callable[..., str]:
    return lambda *figures: said(*figures, say)


def _soft(name: str) -> Markup:
    """A step's name that may be broken after its dots and underscores."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))


def _inline(value: Any) -> str:
    """JSON that no browser can mistake for markup inside a script element (HTML, 4.12.1.3)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
