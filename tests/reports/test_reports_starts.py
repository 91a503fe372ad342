"""Whether starts follow their curve and come one by one: against published values, by hand, and on made-up starts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.starts import BIN_S_AT_LEAST, PER_BIN, clumping, kolmogorov, per_bin_of, shares_of


@pytest.mark.parametrize(("reach", "chance"), [(1.2238, 0.10), (1.3581, 0.05), (1.6276, 0.01), (1.9495, 0.001)])
def test_the_chance_is_that_of_the_published_table(reach: float, chance: float) -> None:
    """Kolmogorov's limiting distribution at its tabulated points (Smirnov 1948), reached by a million shares."""
    count = 1_000_000
    shares = np.clip((np.arange(count) + 0.5) / count + reach / math.sqrt(count), 0, 1)
    assert kolmogorov(shares)[1] == pytest.approx(chance, rel=0.02)


def test_the_distance_by_hand() -> None:
    """Of 0.1, 0.2 and 0.9: two thirds have come by 0.2, so the steps are 0.4667 above the diagonal there."""
    assert kolmogorov(np.array([0.1, 0.2, 0.9]))[0] == pytest.approx(2 / 3 - 0.2)
    assert kolmogorov(np.array([0.8]))[0] == pytest.approx(0.8)
    assert kolmogorov((np.arange(1000) + 0.5) / 1000)[1] == 1.0


def test_small_samples_have_the_exact_distribution_too() -> None:
    """Of 10 uniform shares, 5 % stray 0.40925 and more (Massey 1951): the correction meets it to a hundredth."""
    shares = (np.arange(10) + 0.5) / 10
    shares = shares - shares[0] + 0.40925  # the first step is that far from the diagonal, no other is further
    shares[1:] = np.maximum(shares[1:].clip(max=1), shares[0])
    assert kolmogorov(shares)[0] == pytest.approx(0.40925)
    assert kolmogorov(shares)[1] == pytest.approx(0.05, abs=0.01)


def test_shares_by_hand() -> None:
    """10 expected within the first 2 s, 30 within the next: after 1 s an eighth has come, after 3 s five eighths."""
    shares = shares_of(np.array([3.0, 1.0, 4.0]), np.array([0.0, 2.0, 4.0]), np.array([10.0, 30.0]))
    assert shares.tolist() == [0.125, 0.625, 1.0]


def test_scatter_by_hand() -> None:
    """Eight starts in four bins of two: 2 2 2 2 scatter not at all, 8 0 0 0 as much as can be."""
    even = (np.arange(8) + 0.5) / 8
    assert clumping(even) == (0.0, 1 + 5 * math.sqrt(2 / 3))
    assert clumping(np.zeros(8))[0] == pytest.approx((36 + 3 * 4) / 2 / 3)
    assert clumping(np.ones(8))[0] == clumping(np.zeros(8))[0]


def test_a_bin_is_no_shorter_than_a_clump_may_be() -> None:
    """At 1,000 starts/s two come in 2 ms: a bin of 10 ms expects ten."""
    edges = np.array([0.0, 1.0, 3.0])
    assert per_bin_of(edges, np.array([1000.0, 100.0])) == 1000 * BIN_S_AT_LEAST
    assert per_bin_of(edges, np.array([10.0, 100.0])) == PER_BIN


@pytest.mark.parametrize("count", [200, 500, 5000])
def test_independent_starts_are_seldom_accused_and_batches_always(count: int) -> None:
    """Of 400 seeded uniform sets 1 % strays at 1 %, none clumps; 20 batches and a wrong curve are always found."""
    strays = clumps = 0
    for seed in range(400):
        shares = np.sort(np.random.default_rng(seed).random(count))
        strays += kolmogorov(shares)[1] < 0.01
        index, most = clumping(shares)
        clumps += index > most
        batches = np.sort(np.floor(shares * 20) / 20)
        index, most = clumping(batches)
        assert index > most
        assert kolmogorov(shares**2)[1] < 0.05
    assert clumps == 0
    # a binomial of 400 at 0.01: at most 11 but for one set of tests in a thousand
    assert strays <= 11
