"""A live block's stages add up to its way; a batch has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.runtime.service_status import ServiceStatus
from streams.blocks.trace import BlockTrace
from streams.intake.dead_letter import RawMessage
from streams.intake.unpack import Placed
from testkit.manual_clock import ManualClock

EVENT = BlockEvent(
    chain="litecoin",
    height=7,
    hash="aa" * 32,
    prev_hash="bb" * 32,
    time=1_000,
    bits=0x1D00FFFF,
    source="replay",
    seen_at_ms=1,
)


def placed(appended_at: float | None) -> Placed[BlockEvent]:
    return Placed(EVENT, RawMessage("blocks.v1", 0, 0, b"litecoin", b"", appended_at), 0)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ([placed(999.75)], {"append_to_fetch": (1, 0.25), "fetch_to_store": (1, 2.0), "store_to_score": (1, 0.5)}),
        ([placed(999.75), placed(999.75)], {}),
        ([placed(None)], {}),
    ],
    ids=["one block", "a batch", "no time in Kafka"],
)
def test_stages(tmp_path: Path, batch: list[Placed[BlockEvent]], expected: dict[str, tuple[int, float]]) -> None:
    clock = ManualClock(1_000.0)
    with ServiceStatus("streams", tmp_path, clock) as status:
        trace = BlockTrace(batch, status, clock)
        trace.passed("append_to_fetch", at=1_000.0)
        clock.advance(2.0)
        trace.passed("fetch_to_store")
        clock.advance(0.5)
        trace.passed("store_to_score")
        found = status.snapshot()["latencies"]
    assert {one["step"]: (sum(one["counts"]), one["seconds"]) for one in found} == expected
    assert {one["chain"] for one in found} <= {"litecoin"}
