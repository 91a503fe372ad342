"""The `backend` command: broker and embedded backend in the foreground, to look at them or to aim at them."""

from __future__ import annotations

import re
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from scenarios.organisation import DOMAIN
from scenarios.targets import SERVICES
from simulator.backend.imported_keys import WrongKeys, read_policy_keys
from simulator.children import ChildFailed
from simulator.composition import What, compose
from simulator.errors import UserError
from simulator.protocols.gaia import METADATA_PATH
from simulator.standins import STAND_IN, Place, StandIns, StandInSettings

OUR_BUG = 70
WATCH_S = 1.0


def serve(
    what: What, domain: str | None, *, data: Path | None, broker: str, place: Place, policy_keys: Path | None
) -> int:
    """Serve until SIGINT or SIGTERM. Prints one line a service.

    Args:
        domain: to enrol into, when it is not the scenario's.
        data, broker, place, policy_keys: see StandIns.
    Returns: 0, or 70 when one of the two processes ended before it was told to.
    Raises: UserError: the domain or the policy keys are none, or a stand-in does not start as it was told to.
    """
    settings = StandInSettings.of(compose(what, judged=False).scenario, what.secret(), data)
    if domain is not None:
        if not re.fullmatch(DOMAIN, domain):
            raise UserError(f"--domain {domain}: expected a domain in lower case, such as {settings.domain}")
        settings = replace(settings, domain=domain)
    if policy_keys is not None:
        _check_keys(policy_keys, settings.domain)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    wanted = dict.fromkeys(SERVICES, STAND_IN)
    stand_ins = StandIns(settings, wanted=wanted, broker=broker, data=data, place=place, policy_keys=policy_keys)
    with ExitStack() as running:
        try:
            running.enter_context(stand_ins)
        except ChildFailed as failed:
            raise UserError(str(failed)) from None
        for service, url in stand_ins.urls.items():
            print(f"{service:<12} {url}", flush=True)
        print(
            f"{'metadata':<12} {stand_ins.urls['identity']}{METADATA_PATH}   (of its SAML service provider)", flush=True
        )
        print(f"{'token':<12} {stand_ins.operator_token}   (Authorization: Bearer, for the operator API)", flush=True)
        token = stand_ins.enrollment().enrollment_token
        print(f"{'enrollment':<12} {token}   (of browsers, and of devices without an account)", flush=True)
        while not over.wait(WATCH_S):
            for child in stand_ins.children:
                if not child.alive:
                    print(f"fleetrush: {child.name} has ended by itself: {child.last_words}", file=sys.stderr)
                    return OUR_BUG
    return 0


def _check_keys(file: Path, domain: str) -> None:
    """Look at the keys before anything starts. Raises: UserError."""
    try:
        read_policy_keys(file.read_text("utf-8"), domain)
    except UnicodeDecodeError:
        raise UserError(f"--policy-keys {file}: not UTF-8 text; expected JSON") from None
    except OSError as fault:
        raise UserError(f"--policy-keys {file}: cannot be read: {fault.strerror}") from None
    except WrongKeys as fault:
        raise UserError(f"--policy-keys {file}: {fault}") from None
