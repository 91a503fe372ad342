"""The files that policies of extensions name are downloaded, and again, later and later, where that fails (EDU in
timers.py; the real one loads two at a time, this one by one)."""

from __future__ import annotations

from simulator import timers
from simulator.device import ExtensionFile
from simulator.journeys import extensions
from simulator.protocols import management
from simulator.protocols.messages import Trouble
from simulator.traveller import Stopped, Traveller

STEPS: tuple[str, ...] = ()
MAYBE = (extensions.STEP,)


async def play(traveller: Traveller) -> None:
    """Download each file that is due; plan the next."""
    now = traveller.world.clock.now()
    files = (traveller.device.extensions or {}).items()
    for (policy_type, _), file in [(key, file) for key, file in files if file.due is not None and file.due <= now]:
        exchange, sink = management.download(file.policy)
        try:
            await traveller.ask(exchange, sink=sink)
        except Stopped as stopped:
            _failed(traveller, file, stopped.trouble)
        else:
            file.stored, file.due, file.failures = True, None, 0
            extensions.applied(traveller, policy_type)
    extensions.plan(traveller)


def _failed(traveller: Traveller, file: ExtensionFile, trouble: Trouble) -> None:
    file.failures += 1
    wait_s = timers.extension_retry_s(
        traveller.draw("extension policy"),
        file.failures,
        status=trouble.status,
        interrupted=trouble.status >= 500 or trouble.reason.startswith("broken_"),
        spoiled=trouble.reason in ("size_mismatch", "hash_mismatch", "body_too_large"),
    )
    file.due = None if wait_s is None else traveller.world.clock.now() + traveller.squeezed(wait_s)
