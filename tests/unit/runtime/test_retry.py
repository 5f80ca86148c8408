"""Trying again: the pauses, what ends a wait, and what is reported meanwhile. The clock is a manual one."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.retry import SINK_RETRY, Backoff, RetryPolicy, StoppingError, Waiter
from counterpoise.runtime.service_status import ServiceStatus
from ingest.ingest_waiter import ingest_waiter
from testkit.manual_clock import ManualClock

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=1_000.0)


@pytest.fixture
def status(tmp_path: Path, clock: ManualClock) -> Iterator[ServiceStatus]:
    with ServiceStatus("streams", tmp_path, clock) as status:
        status.working()
        yield status


def test_pauses_without_jitter_double_up_to_the_longest_and_start_over() -> None:
    backoff = Backoff(SINK_RETRY)
    assert [backoff.next_seconds() for _ in range(8)] == [0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert backoff.failures == 8
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next_seconds() == 0.25


@given(st.integers(), st.floats(0.01, 10), st.floats(1, 1_000), st.floats(0, 1), st.integers(1, 60))
def test_jitter_cuts_at_most_its_part(seed: int, first: float, factor: float, jitter: float, count: int) -> None:
    policy = RetryPolicy(first, first * factor, jitter)
    backoff = Backoff(policy, random.Random(seed))
    for number in range(count):
        whole = min(policy.longest_seconds, first * 2.0**number)
        assert (1 - jitter) * whole * 0.999999 <= backoff.next_seconds() <= whole * 1.000001


def test_two_that_failed_together_do_not_return_together() -> None:
    policy = RetryPolicy(0.5, 30.0)
    assert Backoff(policy, random.Random(1)).next_seconds() != Backoff(policy, random.Random(2)).next_seconds()


def test_a_sink_that_comes_back_is_used_and_the_wait_was_shown(clock: ManualClock, status: ServiceStatus) -> None:
    seen = []

    def action() -> str:
        seen.append((clock.now(), status.snapshot()["state"], status.snapshot()["waiting_since"]))
        if len(seen) <= 3:
            raise RetryableError(f"no answer {len(seen)}")
        return "done"

    assert Waiter(clock, status, lambda: False).until_done("clickhouse", action) == "done"
    times = [at for at, _, _ in seen]
    assert times == pytest.approx([1_000, 1_000.25, 1_000.75, 1_001.75])
    assert [state for _, state, _ in seen] == ["working", "waiting", "waiting", "waiting"]
    assert {since for _, state, since in seen if state == "waiting"} == {1_000.0}, "the wait began once"
    assert status.snapshot()["state"] == "working"
    assert "stale" not in status.snapshot()["info"], "only who names a stale time reports one"


def test_what_is_done_at_once_leaves_the_waits_of_others(clock: ManualClock, status: ServiceStatus) -> None:
    status.waiting("kafka", "someone else's")
    assert Waiter(clock, status, lambda: False).until_done("clickhouse", lambda: 1) == 1
    assert status.snapshot()["waiting_on"] == "kafka"


def test_a_stop_ends_the_longest_wait_within_a_step(clock: ManualClock, status: ServiceStatus) -> None:
    def away() -> None:
        raise RetryableError("no answer")

    waiter = Waiter(clock, status, stopping=lambda: clock.now() >= 1_010.0)  # in the middle of a wait of 5 s
    with pytest.raises(StoppingError, match="stopped while waiting for clickhouse"):
        waiter.until_done("clickhouse", away)
    assert 1_010.0 <= clock.now() <= 1_010.2
    assert status.snapshot()["wait_reason"] == "no answer"


@pytest.mark.parametrize("error", [ConfigError("a wrong password"), ValueError("a bug")])
def test_what_waiting_does_not_help_is_not_waited_for(
    clock: ManualClock, status: ServiceStatus, error: Exception
) -> None:
    def action() -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        Waiter(clock, status, lambda: False).until_done("clickhouse", action)
    assert clock.now() == 1_000.0


def test_after_a_stop_work_under_way_is_tried_once_and_ingest_makes_no_call(
    clock: ManualClock, status: ServiceStatus
) -> None:
    stop = threading.Event()
    stop.set()
    calls: list[str] = []
    Waiter(clock, status, stop.is_set).until_done("clickhouse", lambda: calls.append("streams"))
    with pytest.raises(StoppingError):
        ingest_waiter(clock, stop, status).until_done("kafka", lambda: calls.append("ingest"))
    assert calls == ["streams"]


def test_what_a_check_raises_ends_a_wait(clock: ManualClock, status: ServiceStatus) -> None:
    def check() -> None:
        if clock.now() >= 1_060.0:
            raise ValueError("an entrance died")

    def away() -> None:
        raise RetryableError("nobody home")

    stop = threading.Event()
    waiter = ingest_waiter(clock, stop, status, check=check)
    with pytest.raises(ValueError, match="an entrance died"):
        waiter.until_done("kafka", away)
    assert 1_060.0 <= clock.now() < 1_061.0, "within a step, not after the pause"
    with pytest.raises(ValueError, match="an entrance died"):
        waiter.check()
    stop.set()
    with pytest.raises(StoppingError):
        waiter.check()


def test_a_long_wait_of_ingest_is_stale_until_it_ends(clock: ManualClock, status: ServiceStatus) -> None:
    waiter = ingest_waiter(clock, threading.Event(), status, stale_after_seconds=30.0)
    began = clock.monotonic()
    seen: list[tuple[str, str | None, str | None]] = []

    def call() -> str:
        found = status.snapshot()
        seen.append((found["state"], found["waiting_on"], found["info"].get("stale")))
        if clock.monotonic() - began < 60:
            raise RetryableError("nobody home")
        return "here"

    assert waiter.until_done("clickhouse", call) == "here"
    assert seen[0] == ("working", None, None)
    assert seen[1] == ("waiting", "clickhouse", None)
    assert seen[-1] == ("waiting", "clickhouse", "clickhouse")
    after = status.snapshot()
    assert (after["state"], after["info"]["stale"]) == ("working", None)
    assert after["last_beat_at"] is not None


def test_on_an_event_loop_the_wait_is_the_same(status: ServiceStatus, clock: ManualClock) -> None:
    tries = 0

    async def call() -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RetryableError("away")
        return int(status.snapshot()["waiting_on"] == "kafka")

    policy = RetryPolicy(0.01, 0.01, jitter=0.0)
    assert asyncio.run(Waiter(clock, status, lambda: False, policy=policy).until_done_async("kafka", call))
    assert status.snapshot()["state"] == "working"

    async def away() -> None:
        raise RetryableError("away")

    with pytest.raises(StoppingError, match="stopped while waiting for kafka"):
        asyncio.run(Waiter(clock, status, lambda: True).until_done_async("kafka", away))


def test_no_other_module_doubles_a_pause() -> None:
    """One retry policy: a second loop that lets its own pauses grow is found by its shape."""
    growing = re.compile(
        r"(seconds|wait|pause|delay|backoff)\w*\s*(\*=\s*2|=\s*min\([^\n]*(\*\s*2|2\s*\*)|\*\s*2\.?0?\s*\*\*)"
    )
    folders = ("alerts", "counterpoise", "desk", "engines", "ingest", "streams")
    found = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if growing.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["counterpoise/runtime/retry.py"]
