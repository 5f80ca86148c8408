"""The limit that stops a service when most of its input is bad. Windows and ratios are counted by hand."""

from __future__ import annotations

import pytest

from counterpoise.errors import ConfigError
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit


def test_nothing_is_judged_before_a_whole_window() -> None:
    limit = DeadLetterLimit(10, 0.5)
    limit.record(good=0, bad=9)
    with pytest.raises(ConfigError):
        limit.record(good=0, bad=1)


def test_exactly_the_ratio_is_within_the_limit() -> None:
    limit = DeadLetterLimit(10, 0.5)
    limit.record(good=5, bad=5)
    with pytest.raises(ConfigError) as stopped:
        limit.record(good=0, bad=1)
    assert str(stopped.value) == (
        "6 of the last 11 events were bad, more than the limit of 50%. List them with `counterpoise dlq list`, fix the "
        "producer, or raise COUNTERPOISE_STREAMS__DEAD_LETTER_LIMIT_RATIO, and start again"
    )


def test_old_batches_leave_the_window() -> None:
    limit = DeadLetterLimit(10, 0.5)
    limit.record(good=5, bad=5)
    for _ in range(20):
        limit.record(good=1, bad=0)
    # The window now holds 10 good events at least; four bad ones are 4 of at most 14.
    limit.record(good=0, bad=4)


def test_a_few_bad_events_among_many_never_stop_it() -> None:
    limit = DeadLetterLimit(1_000, 0.5)
    for _ in range(100):
        limit.record(good=90, bad=10)


def test_a_window_of_zero_switches_it_off() -> None:
    limit = DeadLetterLimit(0, 0.5)
    limit.record(good=0, bad=10_000)


def test_an_empty_batch_counts_for_nothing() -> None:
    limit = DeadLetterLimit(1, 1.0)
    limit.record(good=0, bad=0)


@pytest.mark.parametrize(("window", "ratio"), [(-1, 0.5), (10, 0.0), (10, 1.1)])
def test_senseless_limits_are_refused(window: int, ratio: float) -> None:
    with pytest.raises(ValueError, match="a limit has a window"):
        DeadLetterLimit(window, ratio)
