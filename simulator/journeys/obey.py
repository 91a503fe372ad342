"""Remote commands: fetch the signed ones, carry them out, send the results back (policy facts 3 f).

Chromium remote_commands_service.cc. What a command makes a device do is told in commands.py.
"""

from __future__ import annotations

from simulator import timers
from simulator.journeys.commands import COMMANDS, obey
from simulator.protocols import management
from simulator.protocols.management import BadOrders, Command, CommandEnd, CommandReason, CommandResult
from simulator.traveller import Stopped, Traveller

STEPS = ("management.remote_commands",)

# A device that has nothing more to tell asks no more; a server that always sends another command must end somewhere.
_ROUNDS = 10
# What a client answers about orders that it cannot attribute to a command.
_NO_COMMAND = -1
_IGNORED = CommandResult(CommandEnd.RESULT_IGNORED, _NO_COMMAND)


async def play(traveller: Traveller) -> None:
    """A push said that there are commands."""
    if traveller.device.registered:
        await fetch(traveller, CommandReason.REASON_INVALIDATION)


async def fetch(traveller: Traveller, reason: int) -> None:
    """Fetch, and as long as commands come send back how they ended; the answer to that may bring more.

    A fetch that fails is not repeated, and the results that it carried are lost.

    Raises: Stopped; where orders were not to be believed, after the server was told so.
    """
    fault: Stopped | None = None
    waiting: list[CommandResult] = []
    batch: list[CommandResult] = []
    then = ""
    for _ in range(_ROUNDS):
        unbelieved = 0
        commands: tuple[Command, ...] = ()
        try:
            commands = await _ask(traveller, reason, batch, timers.COMMAND_ACK_S if then else 30.0)
        except Stopped as stopped:
            fault = stopped
            if isinstance(stopped.trouble, BadOrders):
                commands = stopped.trouble.commands
                # what was told of them once is not told again, or the two would never end
                unbelieved = 0 if _IGNORED in batch else stopped.trouble.count
        if then:
            traveller.later(then, 0, trigger="follows")
            break
        ended, then = _obey_all(traveller, commands)
        ended += [_IGNORED] * unbelieved
        waiting += ended
        if not waiting:
            break
        # the first to end is told at once; what ends while that is under way goes with the next request
        batch, waiting = (waiting[:1], waiting[1:]) if ended else (waiting, [])
        reason = CommandReason.REASON_UPLOAD_EXECUTION_RESULTS
    if fault is not None:
        raise fault


def _obey_all(traveller: Traveller, commands: tuple[Command, ...]) -> tuple[list[CommandResult], str]:
    """Carry out, one after the other, what was not fetched before. A reboot leaves the rest to the next boot.

    Returns: how they ended, and the journey that begins once the server has answered to that.
    """
    device, ended, then = traveller.device, [], ""
    for command in commands:
        if command.command_id in device.command_ids:
            continue
        device.command_ids += (command.command_id,)
        result = obey(traveller, command)
        if result is None:
            break
        ended.append(result)
        if result.result == CommandEnd.RESULT_SUCCESS:
            then = COMMANDS[command.kind].then or then
    return ended, then


async def _ask(
    traveller: Traveller, reason: int, results: list[CommandResult], timeout_s: float
) -> tuple[Command, ...]:
    device = traveller.device
    assert device.identity is not None
    assert device.trust is not None
    # only what began and ended can be acknowledged
    device.last_command_id = next(
        (result.command_id for result in reversed(results) if result.timestamp_ms is not None), device.last_command_id
    )
    exchange = management.remote_commands(
        device.identity, reason=reason, trust=device.trust, last_id=device.last_command_id, results=results
    )
    return await traveller.ask(exchange, timeout_s=timeout_s)
