"""Lists what there is: the scenarios that ship, and who the devices of a fleet are. Reads and prints only."""

from __future__ import annotations

import csv as csv_format
import json
import sys
import tomllib
from dataclasses import asdict, fields
from pathlib import Path

from scenarios.load import shipped
from scenarios.schema import json_schema
from simulator.composition import What, compose
from simulator.errors import UserError
from simulator.fleet import DeviceFacts, device_facts, make_fleet

_SHOWN = ("row", "serial", "model", "department", "site", "user", "display_name", "spare")
# The key of a real device is what a server knows it by: no business of a list.
_COLUMNS = tuple(field.name for field in fields(DeviceFacts) if field.name != "state_key")


def show_scenarios(*, schema: bool) -> int:
    """Print name, title and question of each shipped scenario, or the JSON Schema of a scenario file."""
    if schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return 0
    for name, path in shipped().items():
        said = tomllib.loads(path.read_text("utf-8"))
        print(f"{name:<16} {said['title']}\n{'':<16} {said['question']}")
    return 0


def show_fleet(what: What, *, rows: int, csv: Path | None) -> int:
    """Print the first rows of a scenario's fleet, or write all of them as CSV."""
    scenario = compose(what).scenario
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    if csv is not None:
        try:
            with csv.open("w", newline="", encoding="utf-8") as file:
                writer = csv_format.DictWriter(file, _COLUMNS, extrasaction="ignore")
                writer.writeheader()
                for row in range(scenario.devices):
                    writer.writerow(asdict(device_facts(fleet, scenario.organisation, row)))
        except OSError as error:
            raise UserError(f"--csv {csv}: cannot be written: {error.strerror}") from None
        print(f"{scenario.devices:,} devices written to {csv}")
        return 0
    print(f"{scenario.organisation.title}: {scenario.devices:,} devices, {scenario.staff:,} with a person")
    writer = csv_format.DictWriter(sys.stdout, _SHOWN, extrasaction="ignore", dialect="excel-tab", lineterminator="\n")
    writer.writeheader()
    for row in range(min(rows, scenario.devices)):
        writer.writerow(asdict(device_facts(fleet, scenario.organisation, row)))
    return 0
