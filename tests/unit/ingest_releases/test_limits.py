"""The token bucket, by hand."""

from __future__ import annotations

import pytest

from ingest.releases.push.push_limits import TokenBucket, retry_after


def test_a_burst_passes_and_then_the_rate_rules() -> None:
    bucket = TokenBucket(per_second=2.0, burst=3, now=100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(0.5)
    assert bucket.take(100.25) == pytest.approx(0.25)
    assert bucket.take(100.5) == 0.0
    assert bucket.take(100.5) == pytest.approx(0.5)


def test_rest_fills_no_more_than_a_burst() -> None:
    bucket = TokenBucket(per_second=1.0, burst=2, now=0.0)
    assert [bucket.take(1e6) > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(per_second=1.0, burst=1, now=10.0)
    assert bucket.take(10.0) == 0.0
    assert bucket.take(5.0) > 0


@pytest.mark.parametrize(("seconds", "header"), [(0.01, "1"), (1.0, "1"), (1.2, "2"), (60, "60")])
def test_retry_after_is_whole_seconds(seconds: float, header: str) -> None:
    assert retry_after(seconds) == header
