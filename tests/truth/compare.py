"""Real mornings again and again: equal ones must not be called worse, and one with a step 10 % slower must be found.

30 equal mornings and 20 with the slower step, in turns so that whatever drifts drifts for all; 10 of the equal ones are
the baseline of the 40 others. About 18 minutes on two idle cores. What was played stays in build/truth-compare, and
a second call plays only what is missing; remove that folder to begin anew. Runs that cannot be trusted are played
again, at most as many as there are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.tables import BUILD, Row

PLAIN = Path(__file__).with_suffix(".toml")
FOLDER = BUILD / "truth-compare"
BASELINES, TRIED = 10, 20
DELAY_S, SLOWER_S = "0.2", "0.22"
LIMIT_S = 180
_FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
_WORSE = 1


def rows() -> Iterator[Row]:
    """Play what is missing, then hold each run against the baselines as a pipeline would: by its exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    slow = FOLDER / "slow.toml"
    told = PLAIN.read_text("utf-8")
    assert told.count(f"high_s = {DELAY_S} ") == 1
    slow.write_text(told.replace(f"high_s = {DELAY_S} ", f"high_s = {SLOWER_S} "), "utf-8")
    for _ in range(2 * (BASELINES + 2 * TRIED)):
        plain, slower = _trusted("plain"), _trusted("slow")
        if len(plain) < BASELINES + TRIED and len(plain) * TRIED <= len(slower) * (BASELINES + TRIED):
            _play(PLAIN, "plain")
        elif len(slower) < TRIED:
            _play(slow, "slow")
        elif len(plain) < BASELINES + TRIED:
            _play(PLAIN, "plain")
        else:
            break
    plain, slower = _trusted("plain")[: BASELINES + TRIED], _trusted("slow")[:TRIED]
    baselines = plain[:: (BASELINES + TRIED) // BASELINES][:BASELINES]
    alike = [path for path in plain if path not in baselines]
    false, found = _flagged(alike, baselines), _flagged(slower, baselines)
    how = f"{len(baselines)} baselines; found from {_found_from(slower)} (sign-in p95 or the typical device's)"
    yield Row(
        "equal mornings called worse",
        f"at most 1 of {TRIED}",
        f"{false} of {len(alike)}",
        len(alike) == TRIED and false <= 1,
        how,
    )
    yield Row(
        "mornings with a step 10 % slower called worse",
        f"at least {TRIED - 1} of {TRIED}",
        f"{found} of {len(slower)}",
        len(slower) == TRIED and found >= TRIED - 1,
        how,
    )


def _play(scenario: Path, kind: str) -> None:
    command = [_FLEETRUSH, "run", str(scenario), "--out", str(FOLDER / kind)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT_S, check=False)


def _trusted(kind: str) -> list[Path]:
    """The runs of a kind that count, in the order they were played."""
    summaries = sorted((FOLDER / kind).glob("*/summary.json"))
    told = [(path.parent, json.loads(path.read_text())) for path in summaries]
    return [path for path, summary in told if summary["harness"]["trustworthy"] and not summary["partial"]]


def _flagged(runs: Sequence[Path], baselines: Sequence[Path]) -> int:
    """How many of the runs end with the exit code of a regression; their objectives are all met otherwise."""
    command = [_FLEETRUSH, "report", "--any-baseline", "--baseline", *map(str, baselines), "--"]
    codes = [
        subprocess.run([*command, str(run)], stdout=subprocess.DEVNULL, timeout=LIMIT_S, check=False).returncode
        for run in runs
    ]
    assert set(codes) <= {0, _WORSE}, codes
    return codes.count(_WORSE)


def _found_from(runs: Sequence[Path]) -> str:
    """The smallest difference of a sign-in that the comparison of these runs could have found."""
    if not runs:
        return "nothing"
    comparison = json.loads((runs[0] / "summary.json").read_text())["comparison"]
    row = next(row for row in comparison["objectives"] if row["step"] == "identity.login")
    return f"{row['smallest_found']:.1%}"
