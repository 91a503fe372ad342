"""Management steps of one engine on one core, beside Locust and wrk on the same core. Takes about a minute and a half.

The three take turns, so that what else the machine does meets all alike; each figure is the median of ROUNDS.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from simulator.protocols.naming import user_agent_of
from tests.benchmarks.registered import make, read
from tests.benchmarks.static_server import Load, ended, missing, run_wrk, served, start
from tests.tables import Row

ROUNDS = 5
ROUND_S = 3.0
# One connection each, in all three clients.
DEVICES = 64
LEAST_OF_LOCUST, LEAST_OF_WRK = 10.0, 0.4

_LUA = """
local requests, at = {requests}, 0
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary)
  local bad = summary.errors
  if bad.connect + bad.read + bad.write + bad.status + bad.timeout > 0 then error("not every request ended well") end
  print(string.format('{{"requests": %d, "seconds": %.6f}}', summary.requests, summary.duration / 1e6))
end
"""


def rows() -> Iterator[Row]:
    """Against Locust, and against wrk."""
    lacking = missing("nginx", "wrk", "taskset")
    if lacking:
        yield Row("management steps of one engine", "", "not measured", False, f"not installed: {lacking}")
        return
    with TemporaryDirectory(prefix="fleetrush-bench-") as made:
        folder = Path(made)
        make(folder, DEVICES)
        loads: dict[str, list[Load]] = {"engine": [], "locust": [], "wrk": []}
        with served(folder) as url:
            script = folder / "requests.lua"
            script.write_text(_script(folder, url))
            for _ in range(ROUNDS):
                loads["locust"].append(ended(start("one_locust", folder, url, ROUND_S)))
                loads["engine"].append(ended(start("one_engine", folder, url, ROUND_S)))
                loads["wrk"].append(run_wrk(url, script, connections=DEVICES, seconds=ROUND_S))
    yield _row("Locust's `FastHttpUser`, same protobuf work", loads["engine"], loads["locust"], LEAST_OF_LOCUST)
    yield _row("wrk, bare requests of the same bytes", loads["engine"], loads["wrk"], LEAST_OF_WRK)


def _row(other: str, ours: list[Load], theirs: list[Load], least: float) -> Row:
    ratios = [our.rate / their.rate for our, their in zip(ours, theirs, strict=True)]
    cpu = [their.cpu_us / our.cpu_us for our, their in zip(ours, theirs, strict=True)]
    told = (
        f"{median(ratios):.3g} times ({min(ratios):.3g} to {max(ratios):.3g}): {_said(ours)} against {_said(theirs)}; "
        f"by CPU {median(cpu):.3g} times"
    )
    how = f"{ROUNDS} rounds of {ROUND_S:g} s in turn, {DEVICES} devices, a connection each; medians"
    return Row(f"one engine against {other}", f"at least {least:g} times", told, median(ratios) >= least, how)


def _said(loads: list[Load]) -> str:
    return f"{median(one.rate for one in loads):,.0f}/s at {median(one.cpu_us for one in loads):.1f} us CPU"


def _script(folder: Path, url: str) -> str:
    """wrk's script: the requests of all devices as the wire sends them, byte for byte."""
    agent = user_agent_of("126.0.6478.132")
    host, _, _ = url.removeprefix("http://").partition("/")
    requests = []
    for one in read(folder, url):
        for maker in one.exchanges():
            request = maker().request
            own = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
            head = (
                f"POST {request.url.partition(host)[2]} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n"
                f"Content-Length: {len(request.body)}\r\n{own}User-Agent: {agent}\r\n"
                "Accept-Encoding: gzip, deflate\r\n\r\n"
            )
            requests.append(_lua_string(head.encode() + request.body))
    return _LUA.format(requests="{" + ",\n".join(requests) + "}")


def _lua_string(data: bytes) -> str:
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'
