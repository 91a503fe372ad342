"""Lists what there is: the scenarios that ship, who the devices of a fleet are, how a kept fleet stands, what to
register at an identity provider.

Nothing is sent; the one file that is ever changed is a kept fleet's, on demand.
"""

from __future__ import annotations

import csv as csv_format
import json
import re
import sys
import tomllib
from collections import Counter
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

from scenarios.load import shipped
from scenarios.schema import json_schema
from simulator.composition import What, compose
from simulator.enrollments import STATES
from simulator.enrollments_file import EnrollmentsFile, locked
from simulator.errors import UserError
from simulator.fleet import DeviceFacts, device_facts, make_fleet
from simulator.protocols.gaia import STAND_IN_URL, service_of
from simulator.protocols.saml_metadata import service_metadata

_SHOWN = ("row", "serial", "model", "department", "site", "user", "display_name", "spare")
# The key of a real device is what a server knows it by: no business of a list.
_COLUMNS = tuple(field.name for field in fields(DeviceFacts) if field.name != "state_key")


def show_metadata() -> int:
    """Print the SAML metadata of fleetrush's service provider, for whoever registers it at an identity provider."""
    print(service_metadata(*service_of(STAND_IN_URL)).decode())
    return 0


def show_scenarios(*, schema: bool) -> int:
    """Print name, title and question of each shipped scenario, or the JSON Schema of a scenario file."""
    if schema:
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
        return 0
    for name, path in shipped().items():
        said = tomllib.loads(path.read_text("utf-8"))
        print(f"{name:<20} {said['title']}\n{'':<20} {said['question']}")
    return 0


def show_enrollments(path: Path, *, rows: int, drop: str | None, re_enroll: str | None) -> int:
    """Drop rows from a file of enrollments or let them enroll anew, then print how its fleet stands; never a token.

    Args:
        rows: how many of them to print.
        drop: which to forget, so that the next run meets a device that it never saw. re_enroll: which to let enroll
            anew, as a machine that was wiped: under ids that it never had. "all", or numbers and spans with commas
            between. Nothing is changed unless all of it can be.
    """
    nothing = UserError(f"--enrollments {path}: no fleet is kept there; fleetrush run --enrollments {path} keeps one")
    # before it is locked: the lock of a mistyped name would stay behind
    if not path.exists():
        raise nothing
    with locked(path):
        file = EnrollmentsFile(path)
        if file.origin is None:
            raise nothing
        dropped, wiped = _rows(file, "--drop", drop), _rows(file, "--re-enroll", re_enroll)
        if both := sorted(dropped & wiped):
            raise UserError(f"--drop and --re-enroll: row {both[0]} is in both: choose one")
        if dropped or wiped:
            file.drop(dropped)
            file.wipe(wiped)
            file.write()
            print(f"{len(dropped):,} devices dropped, {len(wiped):,} will enroll anew")
    origin, kept = file.origin, [file.rows[row] for row in sorted(file.rows)]
    versions = Counter(one.device.key_version for one in kept if one.device is not None)
    newest = max((one.device.timestamp_ms for one in kept if one.device is not None), default=0)
    states = Counter(one.state for one in kept)
    print(f"{origin.organisation}, seed {origin.seed}, at {origin.management}: {len(kept):,} devices")
    print(f"  {', '.join(f'{states[state]:,} {state}' for state in STATES)}")
    print(f"  {sum(one.user is not None for one in kept):,} with a registered user")
    for version, count in sorted(versions.items()):
        print(f"  policy key {version}: {count:,}")
    if newest:
        print(f"  newest policy: {_utc(newest)}")
    writer = csv_format.writer(sys.stdout, dialect="excel-tab", lineterminator="\n")
    writer.writerow(("row", "state", "device_id", "key_version", "policy_utc", "user"))
    for one in kept[:rows]:
        device = one.device
        held = ("", "", "") if device is None else (device.device_id, device.key_version, _utc(device.timestamp_ms))
        writer.writerow((one.row, one.state, *held, "" if one.user is None else one.user.username))
    return 0


def _rows(file: EnrollmentsFile, option: str, said: str | None) -> set[int]:
    """The rows that were said. Raises: UserError where one is not in the file, or it is none."""
    if said is None:
        return set()
    if said == "all":
        return set(file.rows)
    chosen: set[int] = set()
    for span in said.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", span, re.ASCII)
        if found is None or int(found[1]) > int(found[2] or found[1]):
            raise UserError(f"{option} {said}: {span!r} is no row: expected numbers and spans, as 7,20-29, or all")
        rows = range(int(found[1]), int(found[2] or found[1]) + 1)
        missing = next((row for row in rows if row not in file.rows), None)
        if missing is not None:
            raise UserError(f"{option} {said}: row {missing} is not in {file.path}: nothing was changed")
        chosen |= set(rows)
    return chosen


def _utc(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds")


def show_fleet(what: What, *, rows: int, csv: Path | None) -> int:
    """Print the first rows of a scenario's fleet, or write all of them as CSV."""
    scenario = compose(what, judged=False).scenario
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
