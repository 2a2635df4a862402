"""The Wilson interval: against published values, another implementation, and its equation."""

from math import sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from convscope.scores.intervals import Interval, wilson


@pytest.mark.parametrize(
    ("n_right", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_it_gives_the_values_printed_by_newcombe_1998(
    n_right: int, n: int, low: float, high: float
) -> None:
    assert wilson(n_right, n) == pytest.approx((low, high), abs=5e-5)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_it_agrees_with_scipy(n: int, share: float, confidence: float) -> None:
    n_right = round(share * n)
    expected = binomtest(n_right, n).proportion_ci(confidence, method="wilson")
    assert wilson(n_right, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_its_ends_are_just_z_standard_errors_from_the_observed_share(n: int, share: float) -> None:
    observed = round(share * n) / n
    z = NormalDist().inv_cdf(0.975)
    for end in wilson(round(share * n), n):
        assert abs(observed - end) == pytest.approx(z * sqrt(end * (1 - end) / n), abs=1e-7)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_it_holds_the_observed_share_and_stays_between_0_and_1(n: int, share: float) -> None:
    low, high = wilson(round(share * n), n)
    assert 0 <= low <= round(share * n) / n + 1e-12
    assert round(share * n) / n - 1e-12 <= high <= 1


def test_no_clips_tell_nothing() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize(("n_right", "n"), [(3, 2), (-1, 2)])
def test_an_impossible_count_is_refused(n_right: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"expected 0 <= n_right <= n, got n_right={n_right}, n=2"):
        wilson(n_right, n)


def test_a_confidence_in_percent_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a confidence between 0 and 1, got 95"):
        wilson(1, 2, 95)
