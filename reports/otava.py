"""A history as Apache Otava reads it: one CSV for each group of runs, and the configuration that names their columns.

Facts: Otava's documentation, "Importing results from CSV"; verified with apache-otava 0.8.0. Its YAML is written as
JSON, which every YAML reader takes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from reports.history import Group

CONFIGURATION: Final = "otava.yaml"


def name_of(group: Group) -> str:
    """What a group is called in file names, and as Otava's test: its scenario and the head of its comparable hash."""
    return f"{group.scenario}-{group.key[:8]}"


def table(group: Group) -> str:
    """The CSV: `time` (ISO 8601, UTC), `run`, and a column for each objective, in seconds or shares.

    Otava takes no empty cell, so a row stands only for a run that counts and has a figure for every objective.
    """
    columns = {trend.name: {point.run.name: point.value for point in trend.points} for trend in group.trends}
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["time", "run", *columns])
    for run in group.runs:
        values = [column.get(run.name) for column in columns.values()]
        if run.counted and None not in values:
            writer.writerow([run.utc, run.name, *values])
    return made.getvalue()


def configuration(groups: Sequence[tuple[Group, str]]) -> str:
    """Otava's configuration.

    Args:
        groups: each with the path of its CSV.
    """
    tests: dict[str, Any] = {
        name_of(group): {
            "type": "csv",
            "file": file,
            "time_column": "time",
            "attributes": ["run"],
            "metrics": {trend.name: {"column": trend.name, "direction": -1, "scale": 1} for trend in group.trends},
            "csv_options": {"delimiter": ",", "quote_char": '"'},
        }
        for group, file in groups
    }
    return json.dumps({"tests": tests}, indent=1, ensure_ascii=False) + "\n"
