"""Remote commands: fetch the signed ones, carry them out, send the results back (policy facts 3 f)."""

from __future__ import annotations

from simulator.device import Traveller
from simulator.protocols import management
from simulator.protocols.management import Command, CommandEnd, CommandReason, CommandResult

STEPS = ("management.remote_commands",)

# A device that has nothing more to tell asks no more; a server that always sends another command must end somewhere.
_ROUNDS = 10


async def play(traveller: Traveller) -> None:
    """A push said that there are commands."""
    await fetch(traveller, CommandReason.REASON_INVALIDATION)


async def fetch(traveller: Traveller, reason: int) -> None:
    """Fetch, and as long as commands come send back how they ended; the answer to that may bring more."""
    device = traveller.device
    results: tuple[CommandResult, ...] = ()
    for _ in range(_ROUNDS):
        assert device.identity is not None
        assert device.trust is not None
        commands = await traveller.ask(
            management.remote_commands(
                device.identity, reason=reason, trust=device.trust, last_id=device.last_command_id, results=results
            )
        )
        if not commands:
            return
        results = tuple(_obey(traveller, command) for command in commands)
        reason = CommandReason.REASON_UPLOAD_EXECUTION_RESULTS


def _obey(traveller: Traveller, command: Command) -> CommandResult:
    """What an emulated device does: nothing but succeed, as far as the server can tell."""
    device = traveller.device
    device.last_command_id = command.command_id
    return CommandResult(CommandEnd.RESULT_SUCCESS, command.command_id, traveller.utc_ms(), "{}")
