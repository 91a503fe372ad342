"""Composes a run from order to verdict: the check that goes first, stand-ins, engines, record, conclusion.

It sends nothing itself, writes no part of the record and judges nothing itself.
"""

from __future__ import annotations

# Locust patches the interpreter when it is imported, so it comes before whatever could hold an unpatched socket.
from simulator.runner.conductor import Conductor  # isort: skip

import signal
import sys
import time
from dataclasses import replace

import gevent

from simulator.apart import check_apart
from simulator.arguments import RunOptions
from simulator.children import ChildFailed
from simulator.composition import TARGET, Composition, What, accounts_of, compose, order_of
from simulator.conclusion import conclude
from simulator.enrollments_file import locked
from simulator.errors import Unreachable, UserError
from simulator.journeys import STEPS
from simulator.order import Order
from simulator.plan import brokers_of, limits_missed, warnings
from simulator.protection import leave_faults, leave_notes
from simulator.provider import named_provider
from simulator.recording import OUR_BUG, Recording
from simulator.standins import StandIns, StandInSettings

UNTRUSTED, USAGE = 3, 2


def run(what: What, options: RunOptions) -> int:
    """Play, record, conclude. Returns: the exit code. Raises: UserError before anything was sent."""
    with locked(what.enrollments):
        return _run(what, compose(what), options)


def _run(what: What, composition: Composition, options: RunOptions) -> int:
    missed = limits_missed(composition, options.engines) + leave_faults(composition, time.time())
    if options.folder is not None and options.folder.exists():
        missed.append(f"--folder {options.folder}: exists already, and a run has a folder of its own: name a new one")
    if missed:
        raise UserError(*missed)
    try:
        provider = named_provider(composition.targets)
    except Unreachable as failed:
        print(f"fleetrush: {failed}", file=sys.stderr)
        return UNTRUSTED
    if TARGET in composition.basis.values() and (code := check_first(what, options)):
        return code
    file = composition.enrollments
    if file is not None:
        file.write()
    data = None if file is None else file.database
    settings = StandInSettings.of(composition.scenario, what.secret(), data, provider)
    recording: Recording | None = None
    main = gevent.getcurrent()

    def interrupt() -> None:
        if recording is None or not recording.interrupt():
            gevent.kill(main, KeyboardInterrupt)

    for note in leave_notes(composition, time.time()) + warnings(composition, options.engines):
        print(note)
    # Python's own KeyboardInterrupt would be raised in whatever greenlet runs, and be lost with it.
    handlers = [gevent.signal_handler(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        push_url = composition.targets.urls.get("push", "")
        with StandIns(
            settings,
            wanted=composition.basis,
            broker=options.broker,
            brokers=brokers_of(composition, options.engines),
            push_url=push_url,
            data=data,
        ) as stand_ins:
            accounts = accounts_of(what, composition, settings)
            order = order_of(composition, stand_ins, accounts, provider, options.engines)
            recording = Recording(what, composition, options, stand_ins)
            play(composition, options, recording, order)
    except ChildFailed as failed:
        print(f"fleetrush: {failed}", file=sys.stderr)
        return UNTRUSTED
    finally:
        for handler in handlers:
            handler.cancel()
        if recording is not None:
            recording.close()
    return recording.exit_code(conclude(recording.path, sys.stdout, options.lang, against=options.against))


def check_first(what: What, options: RunOptions) -> int:
    """Send one device ahead, before any load on what the user named.

    Returns: 0 when it got through; else how the run ends: 3 when a target cannot be reached, 2 when it answers and
        cannot be played against as it is, 70 for a bug of ours.
    """
    print("one device goes first", flush=True)
    code, said = check_apart(what, options.broker)
    if code or options.verbose:
        print(said, end="", flush=True)
    if code in (0, OUR_BUG):
        return code
    print("fleetrush: the device that went first did not get through; nothing else was sent", file=sys.stderr)
    return UNTRUSTED if code == UNTRUSTED else USAGE


def play(composition: Composition, options: RunOptions, recording: Recording, order: Order) -> None:
    """Let the engines play the order, each its shard, until the end."""
    orders = [
        replace(order, shard=shard, kept=composition.kept(shard, options.engines)).to_json()
        for shard in range(options.engines)
    ]
    conductor = Conductor(orders, STEPS, recording, options.web_port)
    recording.conductor = conductor
    try:
        conductor.play(recording.tick)
    finally:
        recording.ended()
