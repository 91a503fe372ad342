"""The summary as a terminal shows it: plain lines, no colour, at most 100 columns where names allow.

Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports import wording

_COLUMNS = ("step", "count", "not ok", "p50", "p95", "p99", "max", "most frequent reason")


def text(run: Mapping[str, Any], summary: Mapping[str, Any], page: str = "") -> str:
    """The lines, joined, with a newline at the end.

    Args:
        run: run.json.
        summary: summary.json of the same run.
        page: where the report is; left out if empty.
    """
    said = wording.headline(run, summary)
    parts = [_devices(summary), _steps(summary)]
    if summary["objectives"]:
        parts.append(_objectives(summary))
    if "comparison" in summary:
        parts.append(_comparison(summary["comparison"]))
    if summary["outages"]:
        parts.append(["went down:", *(f"  {wording.down(outage)}" for outage in summary["outages"])])
    trust = [f"note: {note}" for note in summary["harness"]["notes"]]
    parts.append([f"{said.word}. {said.because}", wording.standing(run, summary), *trust])
    if page:
        parts.append([f"report: {page}"])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def series_text(run: Mapping[str, Any], summary: Mapping[str, Any], page: str = "") -> str:
    """The same of repeated runs.

    Args:
        run: run.json of the first run. summary: of the series, with the `steps` of the first run.
        page: where the report is; left out if empty.
    """
    said = wording.headline(run, summary)
    count = sum(not one["left_out"] for one in summary["runs"])
    parts = [[f"{len(summary['runs'])} of {summary['planned_runs']} runs were played, {count} of them count"]]
    if summary["objectives"]:
        parts.append(_objectives(summary, banded=True))
    if "comparison" in summary:
        parts.append(_comparison(summary["comparison"]))
    notes = [f"note: {note}" for note in summary["harness"]["notes"]]
    parts.append([f"{said.word}. {said.because}", wording.standing(run, summary), *notes])
    if page:
        parts.append([f"report: {page}"])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _devices(summary: Mapping[str, Any]) -> list[str]:
    counts = summary["devices"]
    words = [f"{counts[key]:,} {key.replace('_', ' ')}" for key in counts if key != "planned"]
    return [f"{counts['planned']:,} devices: {', '.join(words)}"]


def _steps(summary: Mapping[str, Any]) -> list[str]:
    rows: list[tuple[str, ...]] = [_COLUMNS]
    rows += [
        (
            name,
            f"{row['count']:,}",
            f"{row['count'] - row['ok']:,}",
            *(wording.time_of(row, key) for key in ("p50", "p95", "p99", "max")),
            next(iter(row["reasons"]), ""),
        )
        for name, row in summary["steps"].items()
    ]
    return _aligned(rows, left=(0, 7))


def _objectives(summary: Mapping[str, Any], *, banded: bool = False) -> list[str]:
    mark = {"pass": "met", "fail": "MISSED", "unknown": "undecided"}
    rows = [
        (
            row["name"],
            "at most",
            wording.figure(row["limit"], row["unit"]),
            wording.measured(row),
            *([f"({wording.band(row)})" if row["low"] not in (None, row["high"]) else ""] if banded else []),
            mark[row["verdict"]],
            "" if row["verdict"] == "pass" else row["reason"],
        )
        for row in summary["objectives"]
    ]
    return _aligned(rows, left=(0, 1, 4, 5, 6))


def _comparison(told: Mapping[str, Any]) -> list[str]:
    mark = {"regressed": "WORSE", "better": "better", "same": "no difference", "undecided": "undecided"}
    rows = [
        (
            f"  {row['name']}",
            wording.figure(row["baseline"], row["unit"]),
            "->",
            wording.figure(row["value"], row["unit"]),
            wording.change(row["change"], row["unit"]),
            f"same device {wording.change(row['devices']['change'], 's')}" if row["devices"] else "",
            mark[row["verdict"]],
            f"found from {wording.change(row['smallest_found'], row['unit'])}" if row["smallest_found"] else "",
        )
        for row in told["objectives"]
    ]
    lines = [f"against earlier runs ({len(told['baselines'])}):", *_aligned(rows, left=(0, 5, 6, 7))] if rows else []
    lines += [f"note: {notice}" for notice in told["notices"]]
    return lines + [f"note: left out {name}: {why}" for name, why in wording.left_out(told["left_out"])]


def _aligned(rows: Sequence[Sequence[str]], left: tuple[int, ...]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    cells = [
        [cell.ljust(w) if at in left else cell.rjust(w) for at, (cell, w) in enumerate(zip(row, widths, strict=True))]
        for row in rows
    ]
    return ["  ".join(row).rstrip() for row in cells]
