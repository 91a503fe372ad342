"""What a command line says of playing, as values, and the same values as a line to type. Nothing is read or started."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reports.baselines import Against
from reports.messages import Lang
from simulator.composition import What

SEARCH_MINUTES: Final = 120.0
"""A search for the capacity begins no level that would end later, unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is played: processes, broker, where its folder goes, and the port of the web UI (None: no UI).

    `folder` is the run's folder itself, which must not exist yet; None: one in `base`, named after its start.
    `verbose` shows the check that a named target gets first even when it ends well; `lang` is the report's language.
    `against` names the earlier runs to compare with.
    `metrics` is where Prometheus metrics are served, "[HOST:]PORT"; "" for nowhere.
    """

    engines: int = 1
    broker: str = "embedded"
    base: Path = Path("runs")
    web_port: int | None = None
    verbose: bool = False
    folder: Path | None = None
    lang: Lang = "en"
    metrics: str = ""
    against: Against | None = None


@dataclass(frozen=True, slots=True)
class CapacityOptions:
    """How a search is played. `most` devices at most (None: ten times the first level); `server_metrics` is a URL or a
    CSV file; `what_ifs` one of WAYS."""

    engines: int = 1
    broker: str = "embedded"
    base: Path = Path("runs")
    most: int | None = None
    minutes: float = SEARCH_MINUTES
    precision: float = 0.1
    server_metrics: str | None = None
    what_ifs: str = "rehearsed"
    lang: Lang = "en"


def what_of(options: argparse.Namespace) -> What:
    """What is played, against what: the options that all playing and planning commands share."""
    return What(
        options.scenario,
        options.devices,
        options.seed,
        options.arrivals_seed,
        options.compression,
        tuple(options.target),
        options.targets,
        options.enrollments,
        options.accounts,
        options.reuse_accounts,
        options.accounts_secret,
        options.what_if,
    )


def run_options_of(options: argparse.Namespace) -> RunOptions:
    """How `run` plays it."""
    return RunOptions(
        options.engines,
        options.broker,
        options.out,
        options.web,
        options.verbose,
        options.folder,
        options.lang,
        options.metrics,
        against_of(options),
    )


def against_of(options: argparse.Namespace) -> Against | None:
    """Which earlier runs to compare with, if any."""
    return None if options.baseline is None else Against(tuple(options.baseline), options.any_baseline)


def run_arguments(what: What, options: RunOptions) -> list[str]:
    """The arguments of `fleetrush` that play exactly this: what_of and run_options_of of them give both back.

    What is as it would be anyway is left unsaid, and so is `base` beside a `folder`, which leaves it nothing to say.
    """
    plain, against = RunOptions(), options.against
    compression = None if what.compression is None else repr(what.compression).removesuffix(".0")
    said: dict[str, object] = {
        "devices": what.devices,
        "seed": what.seed,
        "arrivals-seed": what.arrivals_seed,
        "compression": compression,
        "what-if": what.what_if,
        "targets": what.targets_file,
        "enrollments": what.enrollments,
        "accounts": what.accounts_file,
        "accounts-secret": what.secret_file,
        "engines": None if options.engines == plain.engines else options.engines,
        "broker": None if options.broker == plain.broker else options.broker,
        "out": None if options.folder or options.base == plain.base else options.base,
        "folder": options.folder,
        "web": options.web_port,
        "lang": None if options.lang == plain.lang else options.lang,
        "metrics": options.metrics or None,
        "baseline": None if against is None else against.named[0],
    }
    return [
        "run",
        what.scenario,
        *(f"--target={one}" for one in what.targets),
        *(f"--{name}={value}" for name, value in said.items() if value is not None),
        *(["--reuse-accounts"] if what.reuse_accounts else []),
        *(["--any-baseline"] if against is not None and against.any_run else []),
        *(["--verbose"] if options.verbose else []),
    ]
