"""Messages into events with their places; what is wrong keeps its place, and can be sent again from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import decode, encode
from counterpoise.contracts.topics import BLOCKS
from streams.blocks.fold.chain_fold import Rejected
from streams.intake.dead_letter import RawMessage
from streams.intake.unpack import Fault, by_name, refused, unpack
from tests.unit.block_fold.chains import block, chain_of


def message(events: Sequence[Any], *, offset: int = 0) -> RawMessage:
    document = {"v": 1, "kind": BLOCK_KIND, "dataset": "d", "producer": "test", "sent_at_ms": 1, "events": events}
    return RawMessage(BLOCKS.full_name("d"), 1, offset, b"bitcoin", json.dumps(document).encode())


def raw(event: BlockEvent) -> dict[str, Any]:
    found: dict[str, Any] = event.model_dump(mode="json")
    return found


def not_the_second(event: BlockEvent, message: RawMessage) -> Fault | None:
    return ("unwanted", f"at offset {message.offset}") if event.height == 800_001 else None


def test_each_event_keeps_its_place_beside_bad_ones() -> None:
    first, second, third = chain_of(3)
    messages = [
        message([raw(first), 7, raw(second)]),
        RawMessage("t", 1, 1, None, None),
        message([raw(third)], offset=2),
    ]
    good, bad = unpack(messages, BlockEvent, kind=BLOCK_KIND, dataset="d", fault=not_the_second)
    assert [(one.event, one.message.offset, one.index) for one in good] == [(first, 0, 0), (third, 2, 0)]
    assert [(at.offset, event.index, event.reason) for at, event in bad] == [
        (0, 1, "bad-event"),
        (0, 2, "unwanted"),
        (1, -1, "empty-message"),
    ]
    assert bad[1][1].detail == "at offset 0"


def test_no_messages_are_no_events() -> None:
    assert unpack([], BlockEvent, kind=BLOCK_KIND, dataset="d", fault=not_the_second) == ([], [])


def test_a_payload_is_the_event_as_an_envelope_takes_it() -> None:
    event = block(800_001, "ab" * 32, label="‘pool’ ⛏")
    _, [(_, bad)] = unpack([message([raw(event)])], BlockEvent, kind=BLOCK_KIND, dataset="d", fault=not_the_second)
    again = decode(message([json.loads(bad.payload)]).value, BlockEvent, kind=BLOCK_KIND, dataset="d")
    assert again.events == (event,)


def test_what_waited_stands_where_its_parent_came() -> None:
    """Whether it came in the same batch or before, so that batches decide nothing. The letter is an event, not a message, and can be
    sent again in an envelope of its own.
    """
    waiting, *events = chain_of(4)
    messages = [message([raw(event)], offset=40 + at) for at, event in enumerate(events)]
    good, _ = unpack(messages, BlockEvent, kind=BLOCK_KIND, dataset="d", fault=lambda event, message: None)
    refusals = [
        Rejected(good[0].event, "bad-bits", "zero", good[0].event),
        Rejected(waiting, "orphan-dropped", "no fit", good[1].event),
        Rejected(good[0].event, "orphan-dropped", "no fit", good[2].event),
    ]
    found = refused(refusals, good)
    assert [(at.offset, bad.index, bad.reason, bad.detail) for at, bad in found] == [
        (40, 0, "bad-bits", "zero"),
        (41, 0, "orphan-dropped", "no fit"),
        (42, 0, "orphan-dropped", "no fit"),
    ]
    envelope = encode([waiting], kind=BLOCK_KIND, dataset="d", producer="test", sent_at_ms=1)
    assert json.loads(found[1][1].payload) == json.loads(envelope)["events"][0]


def test_events_go_by_name_in_their_order() -> None:
    events = chain_of(3)
    good, _ = unpack(
        [message([raw(e) for e in events])], BlockEvent, kind=BLOCK_KIND, dataset="d", fault=lambda *_: None
    )
    grouped = by_name(good, lambda event: "odd" if event.height % 2 else "even")
    assert {name: [one.event for one in placed] for name, placed in grouped.items()} == {
        "even": [events[0], events[2]],
        "odd": [events[1]],
    }
