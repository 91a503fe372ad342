"""What a command line may say: commands, options and their help. Nothing is read, decided or started here."""

from __future__ import annotations

import argparse
from pathlib import Path

from reports.messages import LANGUAGES
from scenarios.whatifs import WAYS, WHAT_IFS
from simulator.arguments import SEARCH_MINUTES
from simulator.exports import EXPORTS

_WHAT = "Plays a city's whole fleet of Chromebooks on the wire, and says whether the systems behind it hold."


def parser_of_all() -> argparse.ArgumentParser:
    """The parser of `fleetrush`: what it returns has `command`, and the options of that command by their names."""
    parser = argparse.ArgumentParser(prog="fleetrush", description=_WHAT)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    what = _scenario_options()
    secret = _secret_options()
    people = _people_options(secret)
    alike = argparse.ArgumentParser(add_help=False)
    alike.add_argument("--any-baseline", action="store_true", help="compare even with runs that were not played alike")
    lang = argparse.ArgumentParser(add_help=False)
    lang.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the report (default %(default)s)")
    engines = argparse.ArgumentParser(add_help=False)
    engines.add_argument("--engines", type=_positive, default=1, metavar="N", help="processes that send (default 1)")
    broker = argparse.ArgumentParser(add_help=False)
    broker.add_argument(
        "--broker", choices=("embedded", "mosquitto"), default="embedded", help="which broker stands in for push"
    )
    _add_run(commands, [what, people, engines, broker, lang, alike])
    _add_capacity(commands, [what, people, engines, broker, lang])
    check = commands.add_parser(
        "check", parents=[what, people, broker], help="one device, every exchange shown, no load"
    )
    check.add_argument("-v", "--verbose", action="store_true", help="show decoded messages too")
    commands.add_parser("plan", parents=[what, people, engines], help="what a run would send; sends nothing")
    _add_doctor(commands, [what, people, engines])
    scenarios = commands.add_parser("scenarios", help="the scenarios that ship")
    scenarios.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of a scenario file, for editors"
    )
    _add_fleet(commands, what)
    accounts = commands.add_parser("accounts", parents=[what, secret], help="the people's accounts, for your provider")
    accounts.add_argument("--format", choices=tuple(EXPORTS), required=True, help="for which kind of provider")
    accounts.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the file to write; its clean-up beside"
    )
    accounts.set_defaults(accounts=None, reuse_accounts=False)
    commands.add_parser("metadata", help="SAML metadata of our service provider, to register at your identity provider")
    _add_report(commands, [lang, alike])
    past = commands.add_parser("history", parents=[lang], help="how runs went over time, and where they changed")
    past.add_argument(
        "folder", nargs="?", type=Path, default=Path("runs"), metavar="DIR", help="of run folders (default runs)"
    )
    _add_backend(commands, [broker, secret])
    return parser


def _add_run(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    run = commands.add_parser("run", parents=parents, help="play a scenario and judge it")
    where = run.add_mutually_exclusive_group()
    where.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go (default runs)"
    )
    where.add_argument("--folder", type=Path, default=None, metavar="DIR", help="the folder itself; must not exist yet")
    run.add_argument(
        "--repeat",
        type=_positive,
        default=1,
        metavar="N",
        help="play it so often (3 or more), and judge by the band between the runs",
    )
    run.add_argument(
        "--baseline", type=Path, nargs=1, default=None, metavar="DIR", help="compare with earlier runs in this folder"
    )
    run.add_argument("--web", type=int, default=None, metavar="PORT", help="show Locust's web UI on this loopback port")
    run.add_argument(
        "--metrics",
        default="",
        metavar="[HOST:]PORT",
        help="serve Prometheus metrics while it plays, and a Grafana dashboard at /grafana.json",
    )
    run.add_argument("-v", "--verbose", action="store_true", help="show the check that a target of yours gets first")


def _add_doctor(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    doctor = commands.add_parser("doctor", parents=parents, help="what this machine is, and whether a plan fits it")
    doctor.add_argument(
        "--measure",
        type=_ramp,
        nargs="?",
        const=4,
        default=None,
        metavar="S",
        help="find out in under a minute what it can drive, and keep that (S: seconds of the sign-ins, default 4)",
    )


def _add_report(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    report = commands.add_parser("report", parents=parents, help="judge and report recorded runs again")
    report.add_argument("--pdf", type=Path, default=None, metavar="FILE", help="write the report as PDF too")
    report.add_argument(
        "--public",
        action="store_true",
        help="write pages without hosts, accounts, paths, and machines beside the others",
    )
    report.add_argument(
        "--samples",
        type=Path,
        default=None,
        metavar="FILE",
        help="write all samples of one run too: as CSV or Parquet, by the name's ending",
    )
    report.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run folder, or that of repeated runs or of a search for the capacity",
    )
    report.add_argument(
        "--baseline",
        type=Path,
        nargs="+",
        default=None,
        metavar="RUN",
        help="compare with these run folders, or those in these folders, instead of what was compared with before",
    )


def _add_fleet(commands: argparse._SubParsersAction[argparse.ArgumentParser], what: argparse.ArgumentParser) -> None:
    fleet = commands.add_parser("fleet", parents=[what], help="who the devices are, and how a kept fleet stands")
    fleet.add_argument("--rows", type=_positive, default=10, metavar="N", help="how many to print (default 10)")
    fleet.add_argument("--csv", type=Path, default=None, metavar="FILE", help="write the whole fleet as CSV")
    fleet.add_argument(
        "--drop", default=None, metavar="ROWS", help="forget these rows of --enrollments FILE: 7,20-29 or all"
    )
    fleet.add_argument(
        "--re-enroll", default=None, metavar="ROWS", help="let these enroll anew in the next run, as after a wipe"
    )
    fleet.set_defaults(accounts=None, reuse_accounts=False, accounts_secret=None)


def _add_capacity(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    capacity = commands.add_parser(
        "capacity", parents=parents, help="how many devices before an objective's limit is passed, by playing levels"
    )
    capacity.add_argument(
        "--max-devices",
        type=_positive,
        default=None,
        metavar="N",
        help="no level above it (default ten times the first, which --devices says)",
    )
    capacity.add_argument(
        "--time",
        type=_positive_number,
        default=SEARCH_MINUTES,
        metavar="MINUTES",
        help=f"begin no level that would end after it (default {SEARCH_MINUTES:g})",
    )
    capacity.add_argument(
        "--precision",
        type=_positive_number,
        default=0.1,
        metavar="SHARE",
        help="how far apart the levels around the limit may be (default %(default)s)",
    )
    capacity.add_argument(
        "--server-metrics",
        default=None,
        metavar="URL|FILE",
        help="what your servers tell of themselves: Prometheus text to scrape meanwhile, or a .csv to read at the end",
    )
    capacity.add_argument(
        "--what-ifs",
        choices=WAYS,
        default="rehearsed",
        help="how the table of what-ifs is filled (default %(default)s)",
    )
    capacity.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where the folder goes (default runs)"
    )


def _add_backend(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    backend = commands.add_parser("backend", parents=parents, help="serve the stand-in backend until interrupted")
    backend.add_argument(
        "scenario", nargs="?", default="morning_peak", metavar="SCENARIO", help="whose settings it has"
    )
    backend.add_argument(
        "--data",
        type=Path,
        default=None,
        metavar="DIR",
        help="keep its database here (default: removed at its end)",
    )
    backend.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="listen on this address (default %(default)s)"
    )
    backend.add_argument(
        "--port",
        type=_first_port,
        default=0,
        metavar="N",
        help="management on N, then identity, idp, updates, operator and push on the five after it (default free ones)",
    )
    backend.add_argument("--domain", default=None, metavar="NAME", help="enrol into this domain, not the scenario's")
    backend.add_argument(
        "--policy-keys",
        type=Path,
        default=None,
        metavar="FILE",
        help="sign policies with these keys, by version from 1, rotating to the next; JSON: "
        '{"keys": {"1": {"private_key_pkcs8": BASE64, "verification_signatures": {DOMAIN: BASE64}}}}',
    )


def _secret_options() -> argparse.ArgumentParser:
    secret = argparse.ArgumentParser(add_help=False)
    secret.add_argument(
        "--accounts-secret",
        type=Path,
        default=None,
        metavar="FILE",
        help="what generated passwords follow from (default: a file of your own, made once, outside every run folder)",
    )
    return secret


def _people_options(secret: argparse.ArgumentParser) -> argparse.ArgumentParser:
    people = argparse.ArgumentParser(add_help=False, parents=[secret])
    people.add_argument(
        "--accounts",
        type=Path,
        default=None,
        metavar="FILE",
        help="CSV of test accounts: user,password,totp,expendable",
    )
    people.add_argument(
        "--reuse-accounts", action="store_true", help="let several people sign in with one account; the report says so"
    )
    return people


def _scenario_options() -> argparse.ArgumentParser:
    what = argparse.ArgumentParser(add_help=False)
    what.add_argument("scenario", nargs="?", default="morning_peak", metavar="SCENARIO", help="name or TOML file")
    what.add_argument("--devices", type=_positive, default=None, metavar="N", help="how many (default: the scenario's)")
    what.add_argument("--seed", type=int, default=None, metavar="N", help="what all draws follow from")
    what.add_argument(
        "--arrivals-seed",
        type=int,
        default=None,
        metavar="N",
        help="what the waves' starts alone follow from: other arrivals of the same fleet",
    )
    what.add_argument("--compression", type=float, default=None, metavar="C", help="city seconds a second")
    what.add_argument(
        "--target", action="append", default=[], metavar="NAME=URL", help="a service of yours instead of the stand-in"
    )
    what.add_argument(
        "--enrollments", type=Path, default=None, metavar="FILE", help="keeps the fleet enrolled from run to run"
    )
    what.add_argument(
        "--what-if", choices=tuple(WHAT_IFS), default=None, metavar="NAME", help=f"changed: {', '.join(WHAT_IFS)}"
    )
    what.add_argument("--targets", type=Path, default=None, metavar="FILE", help="TOML: targets and authorisation")
    return what


def _ramp(text: str) -> int:
    return _whole(text, 2, 30)


def _first_port(text: str) -> int:
    return _whole(text, 1, 65_530)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _positive_number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return value


def _whole(text: str, least: int, most: int | None = None) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        expected = f"at least {least}" if most is None else f"{least} to {most}"
        raise argparse.ArgumentTypeError(f"{text}: expected {expected}")
    return value
