"""The Universal Scalability Law: a published fit, queues whose law is known, and why it is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.scalability import Law, Plateau, fit_law, plateau, plateau_window, scalability
from tests.reports import made_run

# A SPARCcenter 2000 in the SPEC SDM91 benchmark: load and throughput.
SDM91 = np.array([[1, 64.9], [18, 995.9], [36, 1652.4], [72, 1853.2], [108, 1828.9], [144, 1775.0], [216, 1702.2]])


def points(rows: np.ndarray[Any, Any]) -> list[Plateau]:
    """A level for each row of (N, X)."""
    return [Plateau(at, float(n), float(x)) for at, (n, x) in enumerate(rows, 1)]


def test_the_published_fit() -> None:
    """What R's `usl` package prints for these data: gamma 89.9952330, alpha 0.0277285, beta 0.0001044, N* 96.52."""
    law = fit_law(SDM91[:, 0], SDM91[:, 1])
    assert law.rate == pytest.approx(89.9952330, rel=1e-6)
    assert law.contention == pytest.approx(0.0277285, abs=5e-8)
    assert law.coherency == pytest.approx(0.0001044, abs=5e-8)
    told = scalability(points(SDM91))
    assert told["peak"]["in_flight"] == pytest.approx(96.52, abs=0.005)
    for name in ("rate", "contention", "coherency"):
        assert told[name]["low"] < told[name]["value"] < told[name]["high"]


@settings(deadline=None, max_examples=60)
@given(rate=st.floats(0.1, 1e4), contention=st.floats(0, 0.9), coherency=st.sampled_from([0.0, 1e-5, 1e-3, 0.05]))
def test_exact_data_give_their_coefficients(rate: float, contention: float, coherency: float) -> None:
    """Points on a law give that law again, at its borders too."""
    n = np.array([0.2, 1.0, 3.0, 9.0, 27.0, 81.0, 200.0])
    law = fit_law(n, Law(rate, contention, coherency).at(n))
    assert law.rate == pytest.approx(rate, rel=1e-4)
    assert law.contention == pytest.approx(contention, abs=1e-4)
    assert law.coherency == pytest.approx(coherency, abs=1e-5)


def test_a_queue_with_one_server() -> None:
    """M/M/1: N = r/(1-r) and X = m r, so X = m N/(1+N): contention is a half, coherency none, the rate m/2."""
    busy = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
    law = fit_law(busy / (1 - busy), 20 * busy)
    assert (law.rate, law.contention, law.coherency) == pytest.approx((10, 0.5, 0), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0.1, 500), st.floats(0.1, 1e4)), min_size=3, max_size=9, unique_by=lambda p: p[0]))
def test_whatever_comes_the_coefficients_keep_their_bounds(rows: list[tuple[float, float]]) -> None:
    """Contention and coherency are never below 0, and no line through the points is nearer than the law."""
    n, x = np.array(rows).T
    law = fit_law(n, x)
    assert min(law.contention, law.coherency) >= 0
    assert law.rate > 0
    line = float(n @ x / (n @ n))
    assert ((x - law.at(n)) ** 2).sum() <= ((x - line * n) ** 2).sum() * (1 + 1e-6) + 1e-9


def test_it_is_refused() -> None:
    """Without levels, with five, and where throughput grows in proportion, with a little noise."""
    assert "no level" in scalability([])["refused"]
    assert scalability(points(SDM91[:5]))["refused"] == "5 levels at a constant rate: it needs 6"
    n = np.array([1.0, 2, 4, 8, 16, 32])
    noisy = 10 * n * (1 + 0.02 * np.array([1, -1, 1, -1, 1, -1]))
    assert "no curvature" in scalability(points(np.stack([n, noisy], 1)))["refused"]
    # a second run of a level is no level more
    assert "refused" in scalability([*points(SDM91[:5]), Plateau(5, 110.0, 1800.0)])


def test_a_peak_far_beyond_what_was_measured_is_not_told() -> None:
    """N* = sqrt((1 - 0.05) / 1e-5) = 308; measured up to 64, that is more than twice as far."""
    n = np.array([1.0, 2, 4, 8, 16, 32, 64])
    told = scalability(points(np.stack([n, Law(10, 0.05, 1e-5).at(n)], 1)))
    assert told["peak"] is None
    assert told["bend"] == pytest.approx(1 - 1 / (1 + 0.05 * 63 + 1e-5 * 64 * 63), abs=1e-3)


def planned(counts: list[float]) -> dict[str, Any]:
    return {"planned": {"edges_s": [float(at) for at in range(len(counts) + 1)], "counts": counts}}


def test_what_a_plateau_is() -> None:
    """One rate but for the broken seconds at its ends; its first quarter is left out. A bell is none."""
    assert plateau_window(planned([0, 0, 3, *[10] * 8, 4, 0])) == (2 + 0.25 * 9, 11)
    assert plateau_window(planned([0, 1, 5, 10, 10, 5, 1])) is None
    assert plateau_window({}) is None


def test_in_flight_and_throughput_by_hand(tmp_path: Path) -> None:
    """Ten exchanges a second, each half a second long, over seconds 0 to 20: five in flight, ten done a second.

    Milestones and what was skipped count for nothing.
    """
    due = np.arange(0.0, 20.0, 0.1)
    rows = [
        made_run.rows("identity.login", due.size, due=due, able=due, sent=due, done=due + 0.5),
        made_run.rows("ready", due.size, due=due, able=due, sent=due, done=due + 3),
        made_run.rows("identity.token", due.size, due=due, sent=due, done=due + 9, outcome=4),
    ]
    run = made_run.run_json(devices=200, lead_s=0.0, **planned([10.0] * 20))
    data = made_run.write(tmp_path, np.concatenate(rows), run)
    found = plateau(data)
    assert found is not None
    assert found.devices == 200
    assert found.in_flight == pytest.approx(5, rel=0.01)
    assert found.per_s == pytest.approx(10, rel=0.01)
    # Little's law: the mean service time is what their ratio says
    assert found.in_flight / found.per_s == pytest.approx(0.5, rel=0.01)
    assert math.isclose(found.per_s * 0.5, found.in_flight, rel_tol=0.02)
