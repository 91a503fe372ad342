"""The command line: parses, calls, and turns how it ended into an exit code. Nothing is decided or sent here."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from simulator.composition import What
from simulator.errors import UserError
from simulator.exports import EXPORTS

USAGE, OUR_BUG, INTERRUPTED, NOBODY_READS = 2, 70, 130, 141

_WHAT = "Plays a city's whole fleet of Chromebooks on the wire, and says whether the systems behind it hold."


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `fleetrush`.

    Returns: 0 pass, 1 missed, 2 usage, 3 untrusted, 4 undecided, 70 a bug, 130 stopped, 141 (as a shell counts SIGPIPE)
        when whoever read the output has gone.
    """
    options = _parser().parse_args(argv)
    try:
        return _COMMANDS[options.command](options)
    except UserError as error:
        for line in error.lines:
            print(f"fleetrush: {line}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has gone, as `head` does; nothing of it can be told to anybody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except Exception:
        traceback.print_exc()
        print("fleetrush: this is a bug of fleetrush itself, not of what was tested", file=sys.stderr)
        return OUR_BUG


def _run(options: argparse.Namespace) -> int:
    from simulator.run import RunOptions, run

    return run(_what(options), RunOptions(options.engines, options.broker, options.out, options.web, options.verbose))


def _check(options: argparse.Namespace) -> int:
    from simulator.check import check

    return check(_what(options), broker=options.broker, verbose=options.verbose)


def _plan(options: argparse.Namespace) -> int:
    from simulator.plan import show_plan

    return show_plan(_what(options), options.engines)


def _scenarios(options: argparse.Namespace) -> int:
    from simulator.listing import show_scenarios

    return show_scenarios(schema=options.schema)


def _fleet(options: argparse.Namespace) -> int:
    from simulator.listing import show_enrollments, show_fleet

    if options.enrollments is not None:
        if options.csv is not None:
            raise UserError("--csv writes who the devices are, not how a kept fleet stands: leave --enrollments out")
        return show_enrollments(options.enrollments, rows=options.rows, drop=options.drop, re_enroll=options.re_enroll)
    if options.drop is not None or options.re_enroll is not None:
        raise UserError("--drop and --re-enroll are for a kept fleet: say --enrollments FILE as well")
    return show_fleet(_what(options), rows=options.rows, csv=options.csv)


def _accounts(options: argparse.Namespace) -> int:
    from simulator.export import export_accounts

    return export_accounts(_what(options), options.format, options.out)


def _metadata(options: argparse.Namespace) -> int:
    from simulator.listing import show_metadata

    return show_metadata()


def _report(options: argparse.Namespace) -> int:
    from simulator.conclusion import report_again

    return report_again(options.runs)


def _backend(options: argparse.Namespace) -> int:
    from simulator.serve import serve
    from simulator.standins import Place

    place = Place(options.host, options.port)
    keys = options.policy_keys
    what = What(options.scenario, secret_file=options.accounts_secret)
    return serve(what, options.domain, data=options.data, broker=options.broker, place=place, policy_keys=keys)


_COMMANDS = {
    "run": _run,
    "check": _check,
    "plan": _plan,
    "scenarios": _scenarios,
    "fleet": _fleet,
    "accounts": _accounts,
    "metadata": _metadata,
    "report": _report,
    "backend": _backend,
}


def _what(options: argparse.Namespace) -> What:
    """What is played, against what: the options that all playing and planning commands share."""
    return What(
        options.scenario,
        options.devices,
        options.seed,
        options.compression,
        options.target,
        options.targets,
        options.enrollments,
        options.accounts,
        options.reuse_accounts,
        options.accounts_secret,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleetrush", description=_WHAT)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    what = _scenario_options()
    secret = _secret_options()
    people = _people_options(secret)
    engines = argparse.ArgumentParser(add_help=False)
    engines.add_argument("--engines", type=_positive, default=1, metavar="N", help="processes that send (default 1)")
    broker = argparse.ArgumentParser(add_help=False)
    broker.add_argument(
        "--broker", choices=("embedded", "mosquitto"), default="embedded", help="which broker stands in for push"
    )
    run = commands.add_parser("run", parents=[what, people, engines, broker], help="play a scenario and judge it")
    run.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go (default runs)"
    )
    run.add_argument("--web", type=int, default=None, metavar="PORT", help="show Locust's web UI on this loopback port")
    run.add_argument("-v", "--verbose", action="store_true", help="show the check that a target of yours gets first")
    check = commands.add_parser(
        "check", parents=[what, people, broker], help="one device, every exchange shown, no load"
    )
    check.add_argument("-v", "--verbose", action="store_true", help="show decoded messages too")
    commands.add_parser("plan", parents=[what, people, engines], help="what a run would send; sends nothing")
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
    report = commands.add_parser("report", help="judge and report recorded runs again")
    report.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder")
    _add_backend(commands, [broker, secret])
    return parser


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
    what.add_argument("--compression", type=float, default=None, metavar="C", help="city seconds a second")
    what.add_argument(
        "--target", action="append", default=[], metavar="NAME=URL", help="a service of yours instead of the stand-in"
    )
    what.add_argument(
        "--enrollments", type=Path, default=None, metavar="FILE", help="keeps the fleet enrolled from run to run"
    )
    what.add_argument("--targets", type=Path, default=None, metavar="FILE", help="TOML: targets and authorisation")
    return what


def _first_port(text: str) -> int:
    return _whole(text, 1, 65_530)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _whole(text: str, least: int, most: int | None = None) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least or (most is not None and value > most):
        expected = f"at least {least}" if most is None else f"{least} to {most}"
        raise argparse.ArgumentTypeError(f"{text}: expected {expected}")
    return value


if __name__ == "__main__":
    sys.exit(main())
