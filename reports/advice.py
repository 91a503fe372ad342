"""What to do next, by verdict and cause: a few sentences, the most pressing first. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reports import wording
from reports.groups import Cluster
from reports.messages import Say
from reports.messages.distrust import remedy_of
from reports.steps import is_milestone
from reports.way import Way

SHOWN: Final = 4
HINTS: Final[dict[str, str]] = {
    "http_status": "status",
    "login_page_again": "login",
    "connect_refused": "refused",
    "connect_timeout": "unreachable",
    "connect_failed": "unreachable",
    "unreachable": "unreachable",
    "name_unknown": "name",
    "tls_failed": "tls",
    "timeout": "timeout",
    "broken_before_sent": "broken",
    "broken_after_sent": "broken",
    "push_lost": "push",
    "earlier_step": "earlier",
    "run_ended": "ended",
    "rate_cap": "rate_cap",
    "guard_not_authorised": "guard",
    "guard_public_service": "guard",
    "harness_descriptors": "ours",
    "harness_ports": "ours",
    "harness_memory": "ours",
    "asks_for_more": "login",
    "invalid_grant": "login",
}
"""What a reason usually means, by the text that says so; other reasons are of an answer that was not valid."""


def hint(reason: str, say: Say) -> str:
    """What a reason usually means, and where to look."""
    return say(f"hint.{HINTS.get(reason, 'assertion' if reason.startswith('assertion_') else 'invalid')}")


def advice(
    run: Mapping[str, Any], summary: Mapping[str, Any], ways: list[Way], found: list[Cluster], say: Say
) -> list[str]:
    """At most SHOWN sentences.

    Args:
        ways: the way to ready. found: what did not end ok, most frequent first.
    """
    if not summary["harness"]["trustworthy"]:
        return _untrusted(summary, say)
    if summary["partial"]:
        return _cut_short(run, summary, found, say)
    if not summary["objectives"]:
        return [say("todo.no_objective")]
    missed = [row for row in summary["objectives"] if row["verdict"] == "fail"]
    undecided = [row for row in summary["objectives"] if row["verdict"] == "unknown"]
    told = [one for row in missed for one in _missed(row, summary, ways, found, say)]
    silent = dict.fromkeys(row["step"] for row in undecided if row["reason"].startswith("nothing of it"))
    told += [say("todo.not_recorded", step=say.many(list(silent)))] if silent else []
    told += list(_undecided([row for row in undecided if row["step"] not in silent], summary, say))
    worse = regressed(summary)
    told += [worse_told(summary, worse, say)] if worse else []
    told += next_steps(run, summary, say, passed=not missed and not undecided and not worse)
    return list(dict.fromkeys(told))[:SHOWN]


def regressed(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objectives that became worse than in earlier runs."""
    comparison = summary.get("comparison") or {"objectives": []}
    return [row for row in comparison["objectives"] if row["verdict"] == "regressed"]


def worse_told(summary: Mapping[str, Any], worse: list[Mapping[str, Any]], say: Say) -> str:
    """Where to look for what made them worse."""
    names = say.many([say.heard(row["name"]) for row in worse])
    return say("todo.worse", run=summary["comparison"]["baselines"][-1], names=names)


def _untrusted(summary: Mapping[str, Any], say: Say) -> list[str]:
    told = remedies_told(summary["harness"]["reasons"], say)
    return [*told[: SHOWN - 1], say("todo.untrusted_last")]


def remedies_told(reasons: Iterable[str], say: Say) -> list[str]:
    """The remedy of each reason not to trust a run, once; a reason of another release has none that is known."""
    remedies = dict.fromkeys(remedy_of(reason) for reason in reasons)
    return [_remedy(one, say) if one else say("todo.lost") for one in remedies]


def _remedy(remedy: str, say: Say) -> str:
    said = say.heard(remedy)
    return say("todo.remedy", remedy=said[0].upper() + said[1:])


def _cut_short(run: Mapping[str, Any], summary: Mapping[str, Any], found: list[Cluster], say: Say) -> list[str]:
    if summary["verdict"] != "fail":
        return [say("todo.to_its_end", command=run["command"])]
    told = [say("todo.server_log", when=wording.down(summary["outages"][0], say))] if summary["outages"] else []
    told += [hint(found[0].reason, say)] if found else []
    return [*told, say("todo.lower")]


def _missed(
    row: Mapping[str, Any], summary: Mapping[str, Any], ways: list[Way], found: list[Cluster], say: Say
) -> list[str]:
    if row["measure"] == "errors" or row["value"] is None:
        if not found:
            return []
        first = found[0]
        step = first.steps[0][0]
        return [say("todo.errors", step=step, reason=first.reason, count=f"{first.count:,}"), hint(first.reason, say)]
    if is_milestone(row["step"]) and ways and row["step"] in ("ready", "signed_in"):
        slow = ways[min(1, len(ways) - 1)]
        stage = max(slow.stages_s, key=lambda name: slow.stages_s[name])
        if stage == "own":
            return [say("todo.own_time", share=wording.share(slow.stages_s[stage] / slow.total_s))]
        took = wording.duration(slow.stages_s[stage] * 1000)
        return [say("todo.slow_stage", stage=say(f"way.{stage}"), took=took, step=slow.slowest_step)]
    service = (summary["steps"].get(row["step"]) or {}).get("service_ms") or {}
    known = service.get("p95")
    return [say("todo.slow_step", step=row["step"], service=wording.duration(known))]


def _undecided(rows: list[Mapping[str, Any]], summary: Mapping[str, Any], say: Say) -> Iterator[str]:
    """One sentence for all that rest on too few samples, one for all that lie at their limits."""
    few = [row for row in rows if row["value"] is not None and row["low"] is None]
    for key, alike in (("todo.too_few", few), ("todo.straddles", [row for row in rows if row not in few])):
        if alike:
            names = say.many([say.heard(row["name"]) for row in alike])
            yield say(key, names=names, scenario=summary["scenario"])


def next_steps(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say, *, passed: bool) -> list[str]:
    """What follows when nothing, or nothing more, has to be mended."""
    tested = wording.what_was_tested(run, summary).tested
    if not tested:
        return [say("todo.name_targets")]
    if not passed:
        return [say("todo.again")]
    told = [say("todo.real_pace")] if summary["compression"] != 1 else []
    return [*told, say("todo.find_limit", scenario=summary["scenario"])]
