"""Plays the levels of a search for the capacity, each a run in a process of its own, until the rule says stop.

It chooses no level, judges no run and draws nothing: that is for reports.capacity and its neighbours.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from reports.capacity import concluded, level_of, played_of
from reports.capacity_search import Bounds, Stop, next_play
from reports.capacity_words import verdict_of
from reports.runfolder import new_folder, open_run
from reports.servermetrics import FILE as METRICS
from reports.servermetrics import SERIES_AT_MOST, MetricsError, write_header, write_scrape
from reports.wording import figure
from scenarios.evidence import samples_needed
from scenarios.load import planned
from scenarios.schema import Scenario
from simulator.apart import check_apart, exchanged_s, play_apart
from simulator.arguments import CapacityOptions, RunOptions
from simulator.composition import KNOWN, TARGET, Composition, What, compose
from simulator.errors import UserError
from simulator.plan import limits_missed, rate_missed
from simulator.protection import leave_faults, leave_notes
from simulator.scrape import is_url, start_scraping
from simulator.timetable import peak_rate_per_s
from simulator.whatifs import CutOffError, NotPlayedError

USAGE, UNTRUSTED, OUR_BUG, INTERRUPTED = 2, 3, 70, 130
# Without --max-devices a search ends here, as a multiple of the level that it begins with.
MOST = 10
# A named target is drained when one device gets through about as fast as before the first level.
AS_FAST, AS_FAST_S = 1.5, 0.5
DRAIN_EVERY_S, DRAIN_AT_MOST_S = 5.0, 120.0


def least_devices(scenario: Scenario) -> int:
    """The fewest devices with which every objective's percentile has the samples that it needs."""
    least = 1
    for one in scenario.objectives:
        count = planned(scenario, one.step, KNOWN)
        if one.percentile is not None and count:
            # one more, since spares and shares are rounded
            least = max(least, ceil(samples_needed(one.percentile) * scenario.devices / count) + 1)
    return min(least, scenario.devices)


def leave_over(composition: Composition) -> list[str]:
    """One line where the authorisation does not hold until a level that begins now would end: it decided nothing."""
    now = time.time()
    return leave_faults(composition, now) or leave_notes(composition, now)


class Search:
    """One search as it is played: its folder, its levels, and what is told of it."""

    def __init__(self, what: What, composition: Composition, options: CapacityOptions) -> None:
        self._what, self._composition, self._options = what, composition, options
        scenario = composition.scenario
        self._named = TARGET in composition.basis.values()
        self._began = time.monotonic()
        self._longest_s = 0.0
        self._check_s: float | None = None
        most = options.most or MOST * scenario.devices
        self._bounds = Bounds(scenario.devices, most, least_devices(scenario), options.precision)
        self.levels: list[dict[str, Any]] = []
        self.told: dict[str, Any] = {
            "scenario": scenario.name,
            "title": scenario.title,
            "question": scenario.question,
            "devices": scenario.devices,
            "seed": scenario.seed,
            "compression": scenario.day.compression,
            "targets": {
                name: {"basis": basis, "url": composition.targets.urls.get(name, "")}
                for name, basis in composition.basis.items()
            },
            "same_fleet": self._named,
            "peak_starts_per_s": round(peak_rate_per_s(scenario), 3),
            "bounds": {key: getattr(self._bounds, key) for key in Bounds.__slots__},
            "unplayable": {},
            "lacking": [],
            "metrics_left_out": 0,
            "minutes": options.minutes,
            "command": shlex.join(sys.argv[1:]),
            "ended": {"reason": "killed", "detail": ""},
            "what_ifs": [],
        }
        self.folder = new_folder(options.base, f"capacity-{scenario.name}", datetime.now(UTC))

    def scrape(self, ends: ExitStack) -> None:
        """Scrape the servers' metrics, where an address was named, until `ends` is left. Raises: UserError."""
        url = self._options.server_metrics
        if url is None or not is_url(url):
            return
        file = ends.enter_context((self.folder / METRICS).open("w", buffering=1, encoding="utf-8"))
        write_header(file)

        def hear(utc_s: float, metrics: Mapping[str, float], left_out: int) -> None:
            write_scrape(file, utc_s, metrics)
            if left_out > self.told["metrics_left_out"]:
                if not self.told["metrics_left_out"]:
                    said = f"{left_out:,} metrics are left out, all beyond the first {SERIES_AT_MOST:,}"
                    print(f"fleetrush: --server-metrics {url}: {said}", file=sys.stderr)
                self.told["metrics_left_out"] = left_out

        try:
            ends.callback(start_scraping(url, self._composition.targets, hear).end)
        except UserError:
            shutil.rmtree(self.folder)
            raise

    def play(self) -> int:
        """Play level after level. Returns: 0, or with what exit code the search was cut off."""
        while True:
            runs = played_of(self.levels, {int(level): why for level, why in self.told["unplayable"].items()})
            said = next_play(runs, self._bounds)
            if isinstance(said, Stop):
                self.told["ended"] = {"reason": "complete", "detail": ""}
                return 0
            if self.levels and self._left_s() < self._longest_s:
                self.told["ended"] = {"reason": "time", "detail": self._time_over()}
                return 0
            if over := leave_over(self._composition):
                self.told["ended"] = {"reason": "leave", "detail": over[0]}
                print(f"           no level is played any more: {over[0]}", flush=True)
                return 0
            code = self._level(said.devices)
            # what was refused as the leave ended is told as that
            if code and not (code in (USAGE, UNTRUSTED) and leave_over(self._composition)):
                names = {INTERRUPTED: "interrupted", UNTRUSTED: "lost", OUR_BUG: "failed"}
                self.told["ended"] = {"reason": names.get(code, "refused"), "detail": ""}
                return code

    def _level(self, devices: int) -> int:
        """Play a level once more. Returns: 0 when there is a run to judge, or none that we could carry."""
        what = replace(self._what, devices=devices)
        missed, lacking = self._missed(what)
        if missed:
            self.told["unplayable"][str(devices)] = missed
            self.told["lacking"] += [devices] if lacking else []
            print(f"{devices:>9,} devices  cannot be played: {missed}", flush=True)
            return 0
        if self._named and (code := self._drained(what)):
            return code
        turn = 1 + sum(level["devices"] == devices for level in self.levels)
        began = time.monotonic()
        if sys.stdout.isatty():
            print(f"{devices:>9,} devices  run {turn} ...", end="\r", flush=True)
        level, code = self._run(what, f"level-{devices:05d}-{turn}", turn)
        self._longest_s = max(self._longest_s, time.monotonic() - began)
        if level is not None:
            self.levels.append(level)
            concluded(self.folder, self.told, self.levels)
            print(f"{devices:>9,} devices  run {turn}: {_said(level)}", flush=True)
        return code

    def _missed(self, what: What) -> tuple[str, bool]:
        """Why it cannot be played, in a line, empty where it can; and whether no other machine could play it either."""
        try:
            composition = compose(what)
        except UserError as refused:
            return refused.lines[0], True
        missed = limits_missed(composition, self._options.engines)
        return next(iter(missed), ""), missed == rate_missed(composition)

    def cut_off(self) -> int:
        """Note that the search was interrupted, where it was not over. Returns: the exit code of that."""
        if self.told["ended"]["reason"] == "killed":
            self.told["ended"] = {"reason": "interrupted", "detail": ""}
        return INTERRUPTED

    def measure(self, name: str) -> dict[str, Any]:
        """Play a what-if ("": the scenario as it is). Returns: as a level.

        Raises: NotPlayedError that says why it was not; CutOffError when the whole search is to end.
        """
        what = replace(self._what, what_if=name or None)
        if missed := self._missed(what)[0]:
            raise NotPlayedError(missed)
        if self._left_s() < self._longest_s:
            raise NotPlayedError(self._time_over())
        code = self._drained(self._what) if self._named else 0
        if over := leave_over(self._composition):
            raise NotPlayedError(over[0])
        if code:
            raise CutOffError(code)
        level, code = self._run(what, f"what-if-{name or 'none'}", 1)
        if code in (INTERRUPTED, OUR_BUG) or code > INTERRUPTED:
            raise CutOffError(code)
        if level is None:
            raise NotPlayedError(f"its run recorded nothing and ended with exit code {code}")
        print(f"  what if {name or 'nothing changes'}, {level['devices']:,} devices: {_said(level)}", flush=True)
        return level

    def _left_s(self) -> float:
        return self._options.minutes * 60 - (time.monotonic() - self._began)

    def _time_over(self) -> str:
        return f"--time {self._options.minutes:g} was over"

    def _run(self, what: What, name: str, turn: int) -> tuple[dict[str, Any] | None, int]:
        # Each run has arrivals of its own. Stand-ins take any people as well; a provider of yours knows one fleet.
        seed = self.told["seed"] + turn - 1
        drawn = replace(what, arrivals_seed=seed) if self._named else replace(what, seed=seed)
        options = RunOptions(
            engines=self._options.engines,
            broker=self._options.broker,
            folder=self.folder / name,
            lang=self._options.lang,
        )
        path, code = play_apart(drawn, options, out=subprocess.DEVNULL)
        level = None if path is None else level_of(open_run(path))
        stops = code in (INTERRUPTED, USAGE, OUR_BUG) or code > INTERRUPTED or level is None
        return level, (code or OUR_BUG) if stops else 0

    def _drained(self, what: What) -> int:
        """Wait until one device gets through as fast as before the first level: what it takes us to start is not in
        that. Returns: 0, or why it does not."""
        began = time.monotonic()
        while True:
            code, said = check_apart(what, self._options.broker)
            took_s = exchanged_s(said)
            if not code and self._check_s is None:
                self._check_s = took_s
            if not code and self._check_s is not None and took_s <= AS_FAST * self._check_s + AS_FAST_S:
                return 0
            if leave_over(self._composition):
                return UNTRUSTED
            waited_s = time.monotonic() - began
            if waited_s >= DRAIN_AT_MOST_S or self._check_s is None:
                print(said, end="")
                print("fleetrush: the targets are not as they were before the first level", file=sys.stderr)
                return code if code in (USAGE, OUR_BUG) else UNTRUSTED
            print(f"           the targets are still busy after {waited_s:.0f} s: waiting", flush=True)
            time.sleep(DRAIN_EVERY_S)

    def take_file(self, path: Path) -> None:
        """Take the servers' metrics from a file, now that it is written."""
        try:
            shutil.copyfile(path, self.folder / METRICS)
            concluded(self.folder, self.told, self.levels)
        except (OSError, MetricsError) as fault:
            (self.folder / METRICS).unlink(missing_ok=True)
            print(f"fleetrush: --server-metrics {path}: left out: {fault}", file=sys.stderr)


def _said(level: Mapping[str, Any]) -> str:
    """A run of a level in a line."""
    if level["burden"] is None:
        untrusted = verdict_of(level) == "untrusted"
        return f"cannot be trusted: {'; '.join(level['reasons'])}" if untrusted else "did not come to its end"
    if level["aborted"]:
        return "the target gave in"
    worst = max(level["objectives"], key=lambda row: float(row["burden"]))
    measured, allowed = (figure(worst[key], worst["unit"]) for key in ("value", "limit"))
    verdict = "beyond" if level["burden"] > 0 else "within"
    return f"{verdict} the limits: {worst['name']} {'not ok' if worst['value'] is None else measured} of {allowed}"
