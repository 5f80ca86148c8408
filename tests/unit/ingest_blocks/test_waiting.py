"""Waiting: pauses, their growth, and what is said meanwhile. The clock is a manual one."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.clock import ManualClock
from counterpoise.runtime.status import ServiceStatus
from ingest.blocks.pace import Pace
from ingest.blocks.sources.zmq_listener import named_block
from ingest.waiting import Backoff, Stopped, Waiter
from testkit.fake_chain import FakeChain
from tests.unit.ingest_blocks.live_source import event_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def status(tmp_path: Path, clock: ManualClock) -> Iterator[ServiceStatus]:
    with ServiceStatus("ingest", tmp_path, clock) as made:
        yield made


def test_pauses_double_up_to_the_longest_and_start_over() -> None:
    backoff = Backoff(1.0, 8.0, random.Random(1))
    pauses = [backoff.next_seconds() for _ in range(6)]
    for pause, longest in zip(pauses, (1, 2, 4, 8, 8, 8), strict=True):
        assert longest / 2 <= pause <= longest
    backoff.reset()
    assert backoff.next_seconds() <= 1.0


def test_until_waits_out_an_outage_and_says_so(clock: ManualClock, status: ServiceStatus) -> None:
    waiter = Waiter(clock, threading.Event(), status, stale_after_seconds=30.0)
    began = clock.monotonic()
    seen: list[tuple[str, str | None, str | None]] = []

    def call() -> str:
        found = status.snapshot()
        seen.append((found["state"], found["waiting_on"], found["info"].get("stale")))
        if clock.monotonic() - began < 60:
            raise RetryableError("nobody home")
        return "here"

    assert waiter.until("clickhouse", call) == "here"
    assert seen[0] == ("starting", None, None)
    assert seen[1] == ("waiting", "clickhouse", None)
    assert seen[-1] == ("waiting", "clickhouse", "clickhouse")
    after = status.snapshot()
    assert (after["state"], after["info"]["stale"]) == ("working", None)


def test_other_errors_are_not_waited_for(clock: ManualClock, status: ServiceStatus) -> None:
    def call() -> None:
        raise ConfigError("wrong")

    with pytest.raises(ConfigError):
        Waiter(clock, threading.Event(), status).until("kafka", call)


def test_a_stop_ends_any_wait(clock: ManualClock, status: ServiceStatus) -> None:
    stop = threading.Event()
    waiter = Waiter(clock, stop, status)

    def call() -> None:
        stop.set()
        raise RetryableError("down")

    with pytest.raises(Stopped):
        waiter.until("kafka", call)
    with pytest.raises(Stopped):
        waiter.pause(5)


def test_a_pace_gives_blocks_when_they_are_due(clock: ManualClock, status: ServiceStatus) -> None:
    chain = FakeChain()
    chain.mine(4)  # 600 s apart
    events = [event_of(block) for block in chain.best()]
    back = BlockEvent(**(events[3].model_dump() | {"time": events[2].time - 100}))
    events[3] = back  # header time goes back: due at once
    pace = Pace(60.0, Waiter(clock, threading.Event(), status))
    began = clock.monotonic()
    given = [([e.height for e in part], round(clock.monotonic() - began)) for part in pace.portions(events)]
    assert given == [([0], 0), ([1], 10), ([2, 3], 20), ([4], 40)]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([b"hashblock", b"\xab" * 32, b"\0\0\0\0"], "ab" * 32),
        ([b"sequence", b"\xab" * 32 + b"C", b"\0\0\0\0"], "ab" * 32),
        ([b"sequence", b"\xab" * 32 + b"D", b"\0\0\0\0"], "ab" * 32),
        ([b"sequence", b"\xab" * 32 + b"A" + b"\0" * 8, b"\0\0\0\0"], None),
        ([b"hashblock", b"short", b"\0\0\0\0"], None),
        ([b"hashtx", b"\xab" * 32, b"\0\0\0\0"], None),
        ([b"hashblock"], None),
        ([], None),
    ],
)
def test_what_a_zmq_message_names(parts: list[bytes], named: str | None) -> None:
    assert named_block(parts) == named
