"""The command line: calls what was asked for, and turns how it ended into an exit code. It sends nothing itself."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from simulator.arguments import CapacityOptions, against_of, run_options_of, what_of
from simulator.composition import What
from simulator.errors import UserError
from simulator.options import parser_of_all

USAGE, OUR_BUG, INTERRUPTED, NOBODY_READS = 2, 70, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `fleetrush`.

    Returns: 0 pass, 1 missed, 2 usage, 3 untrusted, 4 undecided, 70 a bug, 130 stopped, 141 (as a shell counts SIGPIPE)
        when whoever read the output has gone.
    """
    options = parser_of_all().parse_args(argv)
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
    _check_baseline(options)
    if options.repeat != 1:
        from simulator.series import repeat

        return repeat(what_of(options), run_options_of(options), options.repeat)
    from simulator.run import run

    return run(what_of(options), run_options_of(options))


def _capacity(options: argparse.Namespace) -> int:
    from simulator.capacity import capacity

    how = CapacityOptions(
        options.engines,
        options.broker,
        options.out,
        options.max_devices,
        options.time,
        options.precision,
        options.server_metrics,
        options.what_ifs,
        options.lang,
    )
    return capacity(what_of(options), how)


def _check(options: argparse.Namespace) -> int:
    from simulator.check import check

    return check(what_of(options), broker=options.broker, verbose=options.verbose)


def _plan(options: argparse.Namespace) -> int:
    from simulator.plan import show_plan

    return show_plan(what_of(options), options.engines)


def _doctor(options: argparse.Namespace) -> int:
    from simulator.doctor import doctor

    return doctor(what_of(options), options.engines, options.measure)


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
    return show_fleet(what_of(options), rows=options.rows, csv=options.csv)


def _accounts(options: argparse.Namespace) -> int:
    from simulator.export import export_accounts

    return export_accounts(what_of(options), options.format, options.out)


def _metadata(options: argparse.Namespace) -> int:
    from simulator.listing import show_metadata

    return show_metadata()


def _report(options: argparse.Namespace) -> int:
    from simulator.conclusion import report_again

    _check_baseline(options, exists=True)
    return report_again(
        options.runs,
        options.lang,
        public=options.public,
        pdf=options.pdf,
        against=against_of(options),
        samples=options.samples,
    )


def _history(options: argparse.Namespace) -> int:
    from simulator.history import show_history

    return show_history(options.folder, sys.stdout, options.lang)


def _backend(options: argparse.Namespace) -> int:
    from simulator.serve import serve
    from simulator.standins import Place

    place = Place(options.host, options.port)
    keys = options.policy_keys
    what = What(options.scenario, secret_file=options.accounts_secret)
    return serve(what, options.domain, data=options.data, broker=options.broker, place=place, policy_keys=keys)


def _check_baseline(options: argparse.Namespace, *, exists: bool = False) -> None:
    """Raise UserError for a --baseline that holds no runs. Before a pipeline's first run it need not exist yet."""
    named = options.baseline or []
    wrong = [path for path in named if not path.is_dir() and (exists or path.exists())]
    faults = [f"--baseline {path}: expected a run folder, or a folder of run folders" for path in wrong]
    if options.any_baseline and not named:
        faults.append("--any-baseline: says what to compare with: name it with --baseline")
    if faults:
        raise UserError(*faults)


_COMMANDS = {
    "run": _run,
    "capacity": _capacity,
    "check": _check,
    "plan": _plan,
    "doctor": _doctor,
    "scenarios": _scenarios,
    "fleet": _fleet,
    "accounts": _accounts,
    "metadata": _metadata,
    "report": _report,
    "history": _history,
    "backend": _backend,
}


if __name__ == "__main__":
    sys.exit(main())
