"""A sink that is away: tried again with growing waits, shown in the status, left at once when told to stop."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.clock import ManualClock
from counterpoise.runtime.status import ServiceStatus
from streams.waiting import RetryPolicy, StoppingError, waits_seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=1_000.0)


@pytest.fixture
def status(tmp_path: Path, clock: ManualClock) -> Iterator[ServiceStatus]:
    with ServiceStatus("streams", tmp_path, clock) as status:
        status.working()
        yield status


def test_waits_double_up_to_five_seconds() -> None:
    assert list(islice(waits_seconds(), 8)) == [0.25, 0.5, 1, 2, 4, 5, 5, 5]


def test_a_sink_that_comes_back_is_used_and_the_wait_was_shown(clock: ManualClock, status: ServiceStatus) -> None:
    seen = []

    def action() -> str:
        seen.append((clock.now(), status.snapshot()["state"], status.snapshot()["waiting_since"]))
        if len(seen) <= 3:
            raise RetryableError(f"no answer {len(seen)}")
        return "done"

    assert RetryPolicy(status, clock, lambda: False).until_done(action, on="clickhouse") == "done"
    times = [at for at, _, _ in seen]
    assert times == pytest.approx([1_000, 1_000.25, 1_000.75, 1_001.75])
    assert [state for _, state, _ in seen] == ["working", "waiting", "waiting", "waiting"]
    assert {since for _, state, since in seen if state == "waiting"} == {1_000.0}, "the wait began once"
    assert status.snapshot()["state"] == "working"


def test_what_is_done_at_once_says_nothing_of_the_waits_of_others(clock: ManualClock, status: ServiceStatus) -> None:
    status.waiting("kafka", "someone else's")
    assert RetryPolicy(status, clock, lambda: False).until_done(lambda: 1, on="clickhouse") == 1
    assert status.snapshot()["waiting_on"] == "kafka"


def test_a_stop_ends_the_longest_wait_within_a_step(clock: ManualClock, status: ServiceStatus) -> None:
    def away() -> None:
        raise RetryableError("no answer")

    patience = RetryPolicy(status, clock, stopping=lambda: clock.now() >= 1_010.0)  # in the middle of a wait of 5 s
    with pytest.raises(StoppingError, match="stopped while waiting for clickhouse"):
        patience.until_done(away, on="clickhouse")
    assert 1_010.0 <= clock.now() <= 1_010.2
    assert status.snapshot()["wait_reason"] == "no answer"


@pytest.mark.parametrize("error", [ConfigError("a wrong password"), ValueError("a bug")])
def test_what_waiting_does_not_help_is_not_waited_for(
    clock: ManualClock, status: ServiceStatus, error: Exception
) -> None:
    def action() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        RetryPolicy(status, clock, lambda: False).until_done(action, on="clickhouse")
    assert clock.now() == 1_000.0
