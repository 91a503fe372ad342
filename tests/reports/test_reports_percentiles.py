"""Percentiles against a sorted list, bands against the binomial in whole fractions and against simulation."""

import math
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.percentiles import Ranked, band_ranks, rank_of
from scenarios.evidence import samples_needed

PERCENTS = (50, 90, 95, 99, 99.9)


def ranked(values: list[float], ok: list[bool] | None = None) -> Ranked:
    """Ranked from plain lists."""
    return Ranked(np.array(values, np.float64), np.array([True] * len(values) if ok is None else ok, np.bool_))


def enumerated(count: int, percent: float) -> tuple[int, int] | None:
    """The band's ranks by summing the binomial in exact fractions."""
    share, tail = Fraction(str(percent)) / 100, Fraction(1, 40)
    chances = [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
    below = list(accumulate(chances))
    lowers = [rank for rank in range(1, count + 1) if below[rank - 1] <= tail]
    uppers = [rank for rank in range(1, count + 1) if 1 - below[rank - 1] <= tail]
    return (max(lowers), min(uppers)) if lowers and uppers else None


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), min_size=1, max_size=300),
    st.sampled_from(PERCENTS),
)
def test_a_percentile_is_that_of_the_sorted_list(samples: list[tuple[float, bool]], percent: float) -> None:
    """The smallest value with at least that share of samples at or below it, what is not ok counting as infinite."""
    by_hand = sorted(value if ok else math.inf for value, ok in samples)
    enough = next(v for v in by_hand if sum(x <= v for x in by_hand) * 1000 >= len(by_hand) * round(percent * 10))
    found = ranked([value for value, _ in samples], [ok for _, ok in samples]).percentile(percent)
    assert found is not None
    assert found.value == enough


def test_ranks_by_hand() -> None:
    """Nearest rank: of 20 samples p95 is the 19th, of 21 the 20th; p99.9 of 1,000 is the 999th, no float in between."""
    assert [rank_of(n, 95) for n in (1, 19, 20, 21)] == [1, 19, 19, 20]
    assert [rank_of(n, 99.9) for n in (1, 999, 1000, 1001)] == [1, 999, 999, 1000]
    assert rank_of(10_000_000, 99.9) == 9_990_000


def test_any_outcome_but_ok_ranks_above_every_ok() -> None:
    """A failure after a millisecond does not make a percentile better: p95 of 94 ok and 6 failures is above all ok."""
    found = ranked([1.0] * 94 + [0.001] * 6, [True] * 94 + [False] * 6)
    worst = found.percentile(95)
    assert worst is not None
    assert (worst.value, found.at_least) == (math.inf, 1.0)
    assert (found.at(94), found.at(95)) == (1.0, math.inf)


def test_nothing_ok_and_nothing_at_all() -> None:
    """Without any ok nothing is known; without any sample there is no percentile."""
    assert ranked([1.0], [False]).at_least is None
    assert ranked([]).percentile(50) is None


@pytest.mark.parametrize("percent", PERCENTS[:4])
@pytest.mark.parametrize("count", [1, 5, 6, 20, 35, 36, 71, 72, 100, 367, 368, 500])
def test_bands_are_those_of_the_exact_binomial(count: int, percent: float) -> None:
    """Every rank equals the one from exact fractions, for counts on both sides of every threshold."""
    assert band_ranks(count, percent) == enumerated(count, percent)


@pytest.mark.parametrize(("percent", "least"), [(95, 72), (99, 368), (99.9, 3688)])
def test_a_band_needs_its_samples(percent: float, least: int) -> None:
    """p95 has a band from 72 samples on, p99 from 368, p99.9 from 3,688: what `plan` refuses is what has no band."""
    assert band_ranks(least - 1, percent) is None
    assert band_ranks(least, percent) is not None
    assert samples_needed(percent) == least


def test_a_large_band_is_the_normal_one() -> None:
    """At 10,000,000 samples the ranks lie 1.96 standard deviations from the mean, to a thousandth of one."""
    low, high = band_ranks(10_000_000, 95) or (0, 0)
    deviation = math.sqrt(10_000_000 * 0.95 * 0.05)
    assert (9_500_000 - low) / deviation == pytest.approx(1.96, abs=0.002)
    assert (high - 9_500_000) / deviation == pytest.approx(1.96, abs=0.002)


def test_bands_cover_the_true_percentile() -> None:
    """Of 4,000 simulated runs of 500 samples, the band of p95 holds the true one in at least 95 %, not in all."""
    chance = np.random.default_rng(20260115)
    ranks = band_ranks(500, 95)
    assert ranks is not None
    runs = np.sort(chance.exponential(1.0, (4000, 500)), axis=1)
    true = -math.log(0.05)
    covered = np.mean((runs[:, ranks[0] - 1] <= true) & (true <= runs[:, ranks[1] - 1]))
    assert 0.945 <= covered <= 0.98
