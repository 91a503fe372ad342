"""What to do next, by verdict and cause: a few sentences, the most pressing first. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from reports import wording
from reports.groups import FOLLOWS, Cluster
from reports.messages import Say
from reports.messages.distrust import remedy_of
from reports.steps import APPLIED, is_milestone
from reports.way import MILESTONES, Way
from scenarios.objective import ALL

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
    FOLLOWS: "earlier",
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
_SIGN_IN: Final = (
    *("identity.entry", "identity.login_page", "identity.asset", "identity.login", "identity.challenge"),
    *("identity.assertion", "identity.continue", "identity.token", "identity.access_token", "identity.userinfo"),
    *("identity.multilogin", "identity.accounts"),
)
_BOOT: Final = (
    *("management.enterprise_check", "management.state_retrieval", "management.register", "identity.robot_token"),
    *("management.api_authorization", "management.device_policy", "management.remote_commands"),
    *("push.connect", "management.push_token"),
)
LEADS_TO: Final[dict[str, tuple[str, ...]]] = {
    "signed_in": (*_BOOT, *_SIGN_IN),
    "ready": (*_BOOT, *_SIGN_IN, "management.register_user", "management.user_policy"),
    "signed_in_again": _SIGN_IN,
    "applied": tuple(f"management.{kind}_policy" for kind in ("device", "user", "account", "extension")),
    "updated": ("updates.check", "updates.event", "updates.payload"),
}
"""The steps of the journeys that end with a milestone."""


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
    told = [one for row in missed for one in _missed(row, run, summary, ways, found, say=say)]
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
    row: Mapping[str, Any],
    run: Mapping[str, Any],
    summary: Mapping[str, Any],
    ways: list[Way],
    found: list[Cluster],
    *,
    say: Say,
) -> list[str]:
    leading = _leading(row["step"], run)
    if row["measure"] == "errors" or row["value"] is None:
        return _not_ok(row["step"], leading, summary, found, say)
    if ways and row["step"] == next((name for name in MILESTONES if name in summary["steps"]), ""):
        return [_along(ways[min(1, len(ways) - 1)], say)]
    if is_milestone(row["step"]):
        return _slow_milestone(row["step"], leading, summary["steps"], say)
    known = summary["steps"][row["step"]]["service_ms"]["p95"]
    if known is None:
        return _not_ok(row["step"], leading, summary, found, say)
    return [say("todo.slow_step", step=row["step"], service=wording.duration(known))]


def _leading(step: str, run: Mapping[str, Any]) -> list[str]:
    """The steps that lead to a milestone; to `applied` those of the policies alone that the operator changed."""
    acts = [act["with"] for act in run["scenario"]["folded"].get("operator") or () if "policy" in act["with"]]
    changed = {f"management.{'extension' if 'extension_id' in act else act['policy']}_policy" for act in acts}
    return [name for name in LEADS_TO.get(step, ()) if step != APPLIED or name in changed]


def _not_ok(step: str, leads: Sequence[str], summary: Mapping[str, Any], found: list[Cluster], say: Say) -> list[str]:
    """Where most did not end ok: of an objective's own step, or of those that lead to its milestone."""
    steps = summary["steps"]
    own = _reasons(step, steps)
    leading = [one for name in leads for one in _reasons(name, steps)]
    stopped = [one for one in leading if one[2] in {reason for _, _, reason in own}]
    chosen = stopped or own or leading
    if step == ALL or not chosen:
        chosen = [(count, name, one.reason) for one in found[:1] for name, count in one.steps[:1]]
    if not chosen:
        return []
    count, name, reason = max(chosen)
    return [say("todo.errors", step=name, reason=reason, count=f"{count:,}"), hint(reason, say)]


def _reasons(step: str, steps: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """How many samples of a step ended for which reason of their own."""
    reasons = steps[step]["reasons"] if step in steps else {}
    return [(count, step, reason) for reason, count in reasons.items() if reason != FOLLOWS]


def _along(slow: Way, say: Say) -> str:
    """Where the slow devices' time went."""
    stage = max(slow.stages_s, key=lambda name: slow.stages_s[name])
    if stage == "own":
        return say("todo.own_time", share=wording.share(slow.stages_s[stage] / slow.total_s))
    took = wording.duration(slow.stages_s[stage] * 1000)
    return say("todo.slow_stage", stage=say(f"way.{stage}"), took=took, step=slow.slowest_step)


def _slow_milestone(name: str, leads: Sequence[str], steps: Mapping[str, Any], say: Say) -> list[str]:
    """The slowest step that leads to a milestone; where it is less than half of the wait, what else is in that."""
    times = {one: steps[one]["service_ms"]["p95"] for one in leads if one in steps}
    known = {one: ms for one, ms in times.items() if ms is not None}
    if not known:
        return []
    slowest = max(known, key=lambda one: known[one])
    values = {"milestone": name, "step": slowest, "service": wording.duration(known[slowest])}
    wait_ms = steps[name]["latency_ms"]["p95"] or steps[name]["at_least_ms"] or 0.0
    if 2 * known[slowest] >= wait_ms:
        return [say("todo.slow_on_the_way", **values)]
    between = say("todo.between_push" if name == APPLIED else "todo.between_waits")
    return [say("todo.slow_between", took=wording.time_of(steps[name], "p95", say), between=between, **values)]


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
