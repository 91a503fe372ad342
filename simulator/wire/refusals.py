"""What the system said when it refused a connection or a lookup, as a trouble of ours. It opens and asks nothing."""

from __future__ import annotations

import errno
import os

from simulator.protocols.messages import Broken, Exhausted, Trouble

_OURS = {
    errno.EMFILE: "harness_descriptors",
    errno.ENFILE: "harness_descriptors",
    errno.EADDRNOTAVAIL: "harness_ports",
    errno.ENOBUFS: "harness_memory",
    errno.ENOMEM: "harness_memory",
}


def exhausted(problem: OSError) -> Exhausted | None:
    """The problem as our own machine's fault, if it is one."""
    reason = _OURS.get(problem.errno or 0)
    return None if reason is None else Exhausted(reason, os.strerror(problem.errno or 0))


def not_connected(address: str, port: int, problem: OSError) -> Trouble:
    """A connect that did not come about: our own machine's fault, or how the other side was not to be reached."""
    if ours := exhausted(problem):
        return ours
    if isinstance(problem, ConnectionRefusedError):
        reason = "connect_refused"
    elif isinstance(problem, TimeoutError):
        reason = "connect_timeout"
    elif problem.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        reason = "unreachable"
    else:
        reason = "connect_failed"
    return Broken(reason, f"{address} port {port}: {problem.strerror or problem}")
