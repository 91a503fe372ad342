"""Remote commands: fetch the signed ones, carry them out, send the results back (policy facts 3 f)."""

from __future__ import annotations

from simulator.protocols import management
from simulator.protocols.management import Command, CommandEnd, CommandReason, CommandResult, Invalid
from simulator.traveller import Stopped, Traveller

STEPS = ("management.remote_commands",)

# A device that has nothing more to tell asks no more; a server that always sends another command must end somewhere.
_ROUNDS = 10
# What a client answers about orders that it cannot attribute to a command (remote_commands_service.cc).
_NO_COMMAND = -1


async def play(traveller: Traveller) -> None:
    """A push said that there are commands."""
    await fetch(traveller, CommandReason.REASON_INVALIDATION)


async def fetch(traveller: Traveller, reason: int) -> None:
    """Fetch, and as long as commands come send back how they ended; the answer to that may bring more.

    Raises: Stopped; where the orders themselves were not to be believed, after the server was told so.
    """
    results: tuple[CommandResult, ...] = ()
    for _ in range(_ROUNDS):
        try:
            commands = await _ask(traveller, reason, results)
        except Stopped as stopped:
            if isinstance(stopped.trouble, Invalid) and not results:
                ignored = CommandResult(CommandEnd.RESULT_IGNORED, _NO_COMMAND, traveller.utc_ms())
                await _ask(traveller, CommandReason.REASON_UPLOAD_EXECUTION_RESULTS, (ignored,))
            raise
        if not commands:
            return
        results = tuple(_obey(traveller, command) for command in commands)
        reason = CommandReason.REASON_UPLOAD_EXECUTION_RESULTS


async def _ask(traveller: Traveller, reason: int, results: tuple[CommandResult, ...]) -> tuple[Command, ...]:
    device = traveller.device
    assert device.identity is not None
    assert device.trust is not None
    return await traveller.ask(
        management.remote_commands(
            device.identity, reason=reason, trust=device.trust, last_id=device.last_command_id, results=results
        )
    )


def _obey(traveller: Traveller, command: Command) -> CommandResult:
    """What an emulated device does: nothing but succeed, as far as the server can tell."""
    device = traveller.device
    device.last_command_id = command.command_id
    return CommandResult(CommandEnd.RESULT_SUCCESS, command.command_id, traveller.utc_ms(), "{}")
