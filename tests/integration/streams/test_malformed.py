"""What no contract holds to: each message a dead letter, every good one between them processed."""

from __future__ import annotations

import json
import random
import re
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from counterpoise.contracts.topics import BLOCKS, DEAD_LETTERS
from counterpoise.kafka.partition import partition_of
from tests.integration.streams.blocks import block, branch
from tests.integration.streams.line import LONG_SESSION, Line
from tests.integration.streams.tables import assert_consistent
from tests.runbook import assert_shown

SEED = 10_000
NOISE_BYTES = 900_000
NOISY = 12
"""How many are 900 kB each; the rest is small, or the test would measure the disk."""


class Malformer:
    """Ways to spoil an envelope; each returns the bytes and the reasons of the letters that they must become."""

    def __init__(self, line: Line, draw: random.Random) -> None:
        self.line = line
        self.draw = draw
        self.ways: tuple[Callable[[], tuple[bytes | None, list[str]]], ...] = (
            self.truncated,
            self.wrong_type,
            self.huge_number,
            self.not_a_number,
            self.bad_utf8,
            self.empty,
            self.tombstone,
            self.deep_nesting,
            self.deep_nesting_inside,
            self.wrong_dataset,
            self.wrong_kind,
            self.duplicate_keys,
            self.unknown_field,
            self.missing_field,
            self.no_events,
            self.not_an_object,
            self.lone_surrogate,
            self.wrong_version,
            self.several_bad_events,
            self.bad_work,
        )

    def event(self) -> dict[str, Any]:
        height = self.draw.randrange(600_000, 5_000_000)
        made: dict[str, Any] = block(height, "ab" * 32, salt=str(self.draw.random())).model_dump(mode="json")
        return made

    def document(self, **changed: Any) -> dict[str, Any]:
        head = {"v": 1, "kind": "block", "dataset": self.line.dataset, "producer": "test", "sent_at_ms": 1}
        return head | {"events": [self.event()]} | changed

    def spoilt(self, name: str, value: Any) -> bytes:
        return json.dumps(self.document(events=[self.event() | {name: value}])).encode()

    def truncated(self) -> tuple[bytes, list[str]]:
        whole = json.dumps(self.document()).encode()
        return whole[: self.draw.randrange(1, len(whole) - 1)], ["not-json"]

    def wrong_type(self) -> tuple[bytes, list[str]]:
        name, value = self.draw.choice(
            [
                ("height", "715000"),
                ("height", 1.5),
                ("hash", 7),
                ("time", None),
                ("bits", True),
                ("chain", []),
                ("label", {}),
                ("synthetic", 1),
            ]
        )
        return self.spoilt(name, value), ["bad-event"]

    def huge_number(self) -> tuple[bytes, list[str]]:
        name = self.draw.choice(["height", "time", "bits", "seen_at_ms", "fees_sats"])
        value = self.draw.choice([10**18, -1, 2**64, 10**30, 10**2000])
        return self.spoilt(name, value), ["bad-event"]

    def not_a_number(self) -> tuple[bytes, list[str]]:
        text = self.draw.choice(["NaN", "Infinity", "-Infinity"])
        return self.spoilt("height", "@").replace(b'"@"', text.encode()), ["not-json"]

    def bad_utf8(self) -> tuple[bytes, list[str]]:
        return self.spoilt("label", "@@").replace(
            b"@@", self.draw.choice([b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80"])
        ), ["not-json"]

    def lone_surrogate(self) -> tuple[bytes, list[str]]:
        return self.spoilt("label", "@@").replace(b"@@", b"\\ud800"), ["not-json"]

    def noise(self) -> tuple[bytes, list[str]]:
        return b"\x00" + self.draw.randbytes(NOISE_BYTES), ["not-json"]

    def empty(self) -> tuple[bytes, list[str]]:
        return b"", ["empty-message"]

    def tombstone(self) -> tuple[None, list[str]]:
        return None, ["empty-message"]

    def deep_nesting(self) -> tuple[bytes, list[str]]:
        return b"[" * 50_000 + b"]" * 50_000, ["not-json"]

    def deep_nesting_inside(self) -> tuple[bytes, list[str]]:
        depth = 150  # below the parser's own limit: the event is what is wrong
        return self.spoilt("label", "@").replace(b'"@"', b"[" * depth + b"]" * depth), ["bad-event"]

    def wrong_dataset(self) -> tuple[bytes, list[str]]:
        return json.dumps(self.document(dataset="somebody-elses")).encode(), ["wrong-dataset"]

    def wrong_kind(self) -> tuple[bytes, list[str]]:
        return json.dumps(self.document(kind="score")).encode(), ["wrong-kind"]

    def duplicate_keys(self) -> tuple[bytes, list[str]]:
        """The last of equal keys counts, as everywhere in JSON: here it is the wrong one."""
        return json.dumps(self.document()).replace('"height": ', '"height": 7, "height": "7", "was": ').encode(), [
            "bad-event"
        ]

    def unknown_field(self) -> tuple[bytes, list[str]]:
        return self.spoilt("x" * self.draw.randrange(1, 3_000), 1), ["bad-event"]

    def missing_field(self) -> tuple[bytes, list[str]]:
        event = self.event()
        del event[self.draw.choice(["chain", "height", "hash", "prev_hash", "time", "bits", "source", "seen_at_ms"])]
        return json.dumps(self.document(events=[event])).encode(), ["bad-event"]

    def no_events(self) -> tuple[bytes, list[str]]:
        choices: list[tuple[Any, str]] = [
            ([], "wrong-event-count"),
            ([{}] * 2_001, "wrong-event-count"),
            ({}, "not-an-envelope"),
        ]
        value, reason = self.draw.choice(choices)
        return json.dumps(self.document(events=value)).encode(), [reason]

    def not_an_object(self) -> tuple[bytes, list[str]]:
        return self.draw.choice([b"null", b"[]", b"7", b'"block"', b"{}", b"true"]), ["not-an-envelope"]

    def wrong_version(self) -> tuple[bytes, list[str]]:
        return json.dumps(self.document(v=self.draw.choice([2, "1", None]))).encode(), ["bad-envelope"]

    def several_bad_events(self) -> tuple[bytes, list[str]]:
        count = self.draw.randrange(2, 6)
        return json.dumps(self.document(events=[7] * count)).encode(), ["bad-event"] * count

    def bad_work(self) -> tuple[bytes, list[str]]:
        return self.spoilt("bits", self.draw.choice([0x1D80FFFF, 0x01000001, 0xFF7FFFFF])), ["bad-bits"]


@pytest.mark.parametrize("malformed", [1_500, pytest.param(10_000, marks=pytest.mark.soak)])
def test_malformed_messages_between_good_ones(line: Line, malformed: int) -> None:
    print(f"seed {SEED}")
    draw = random.Random(SEED)
    spoil = Malformer(line, draw)
    good = branch(malformed // 3)
    worker = line.start(settings={**LONG_SESSION, "COUNTERPOISE_STREAMS__TAKE_MESSAGES": "100"})
    values: list[bytes | None] = []
    reasons: Counter[str] = Counter()
    by_message: list[int] = []
    at = 0
    noisy = set(draw.sample(range(malformed), NOISY))
    for number in range(malformed):
        value, expected = spoil.noise() if number in noisy else spoil.ways[number % len(spoil.ways)]()
        values.append(value)
        reasons.update(expected)
        by_message.append(len(expected))
        if number % 10 == 0 and at < len(good):
            # A good event may share its envelope with a bad one: only the bad one is lost.
            size = draw.randrange(1, 6)
            events: list[Any] = [event.model_dump(mode="json") for event in good[at : at + size]]
            at += size
            if number % 50 == 0:
                events.insert(draw.randrange(len(events) + 1), {"height": number})
                reasons["bad-event"] += 1
            values.append(json.dumps(spoil.document(events=events)).encode())
    values.append(line.envelope(good[at:]))
    assert len([count for count in by_message if count]) == malformed
    line.send_raw(values)
    line.drain()

    found = dict(line.ch.query("SELECT reason, count() FROM dead_letters GROUP BY reason"))
    assert found == dict(reasons)
    shown = line.ch.query("SELECT hash FROM blocks ORDER BY height")
    assert [row[0] for row in shown] == [event.hash for event in good]
    assert_consistent(line)

    sizes = line.ch.query(
        "SELECT payload_bytes, length(payload), truncated, length(payload_sha256), uniqExact(payload_sha256) FROM dead_letters "
        "WHERE payload_bytes > 800000 GROUP BY 1, 2, 3, 4"
    )
    assert sizes == [(NOISE_BYTES + 1, 16_384, True, 64, NOISY)]
    placed = line.ch.query(
        "SELECT uniqExact(topic, partition, offset, event_index) = count(), min(event_index), max(event_index) FROM dead_letters"
    )
    assert placed[0][:2] == (True, -1)
    assert worker.is_alive()
    assert worker.stop() == 0, worker.tail()
    assert worker.status()["counters"]["dead_letters"] == sum(reasons.values())  # its last words


@pytest.mark.kafka
def test_foreign_keys_and_letters_of_other_services(line: Line) -> None:
    """An event under another chain's key has neither order nor one owner: it is buried. Letters that come are stored as they are."""
    good = branch(20)
    worker = line.start(settings=LONG_SESSION)
    line.send(good)
    strays = branch(3, good[-1], salt="stray")
    keys = [key for key in (secrets.token_hex(4).encode() for _ in range(64)) if _partition_differs(key)]
    line.send_raw([line.envelope(strays)], key=keys[0])
    line.send_raw([b'{"v":1}'], key=b"\xff" * 300)
    letter = {
        "v": 1,
        "letter_id": "ab" * 16,
        "service": "ingest",
        "reason": "bad-block",
        "detail": "made up",
        "topic": "none",
        "partition": -1,
        "offset": -1,
        "index": -1,
        "payload": "eA==",
        "payload_bytes": 1,
        "payload_sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        "seen_at_ms": 1_700_000_000_000,
    }
    raw = json.dumps(letter).encode()
    line.send_raw([raw, b"{", None, raw], topic=DEAD_LETTERS, key=b"ingest")
    line.drain()
    rows = line.ch.query(
        "SELECT service, reason, count(), groupUniqArray(payload) FROM dead_letters GROUP BY ALL ORDER BY ALL"
    )
    assert [(*row[:3], sorted(row[3])) for row in rows if row[1] != "wrong-partition"] == [
        ("ingest", "bad-block", 1, ["x"]),
        ("streams", "not-a-dead-letter", 2, ["", "{"]),
        ("streams", "not-an-envelope", 1, ['{"v":1}']),
    ]
    assert [row[:3] for row in rows if row[1] == "wrong-partition"] == [("streams", "wrong-partition", 3)]
    assert line.ch.query("SELECT count(), max(height) FROM blocks_all") == [(20, good[-1].height)]
    assert worker.stop() == 0, worker.tail()


def test_when_most_input_is_bad_the_service_stops_with_one_clear_line(line: Line) -> None:
    settings = {
        **LONG_SESSION,
        "COUNTERPOISE_STREAMS__DEAD_LETTER_LIMIT_WINDOW": "100",
        "COUNTERPOISE_STREAMS__DEAD_LETTER_LIMIT_RATIO": "0.5",
        "COUNTERPOISE_STREAMS__TAKE_MESSAGES": "1",
    }
    good = branch(110)
    worker = line.start(settings=settings)
    # A good and a bad one by turns, in one envelope: half is not more than half.
    document = Malformer(line, random.Random(1)).document
    for at in range(0, len(good), 11):
        pairs: list[Any] = [item for event in good[at : at + 11] for item in (event.model_dump(mode="json"), 7)]
        line.send_raw([json.dumps(document(events=pairs)).encode()])
    line.drain()
    assert worker.is_alive(), worker.tail()
    line.send_raw([b"no json"] * 10)
    assert worker.wait() == 2
    told = [text for text in worker.log().splitlines() if "of the last" in text]
    assert len(told) == 1, worker.tail()
    found = re.search("([0-9]+) of the last ([0-9]+) events were bad, more than the limit of 50%", told[0])
    assert found is not None and int(found[1]) > 50 and 100 <= int(found[2]) < 2 * int(found[1])
    assert_shown("Most input is bad", told[0])
    assert "counterpoise dlq list" in told[0] and "Traceback" not in worker.log()
    assert line.ch.query("SELECT count() FROM dead_letters") == [(111,)]

    again = line.start(settings={"COUNTERPOISE_STREAMS__DEAD_LETTER_LIMIT_WINDOW": "0"})
    line.drain()
    assert line.ch.query("SELECT count(), (SELECT count() FROM blocks) FROM dead_letters") == [(120, 110)]
    assert again.stop() == 0, again.tail()


def _partition_differs(key: bytes) -> bool:
    return partition_of(key, BLOCKS.partitions) != partition_of(b"bitcoin", BLOCKS.partitions)
