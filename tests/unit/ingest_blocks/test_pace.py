"""The pace of a replay on a manual clock, and which block a ZMQ message names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.runtime.service_status import ServiceStatus
from ingest.blocks.pace import Pace
from ingest.blocks.sources.zmq_listener import named_block
from ingest.ingest_waiter import ingest_waiter
from testkit.fake_chain import FakeChain
from testkit.manual_clock import ManualClock
from tests.unit.ingest_blocks.live_source import event_of


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def status(tmp_path: Path, clock: ManualClock) -> Iterator[ServiceStatus]:
    with ServiceStatus("ingest", tmp_path, clock) as made:
        yield made


def test_a_pace_gives_blocks_when_they_are_due(clock: ManualClock, status: ServiceStatus) -> None:
    chain = FakeChain()
    chain.mine(4)  # 600 s apart
    events = [event_of(block) for block in chain.best()]
    back = BlockEvent(**(events[3].model_dump() | {"time": events[2].time - 100}))
    events[3] = back  # header time goes back: due at once
    pace = Pace(60.0, ingest_waiter(clock, threading.Event(), status))
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
