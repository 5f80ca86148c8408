"""Which requests for blocks are answered, and when: over a topic in memory, on a clock of the test."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from kafka import TopicPartition

from counterpoise.contracts.blocks import BlockRequest
from counterpoise.contracts.topics import BLOCK_REQUESTS
from counterpoise.settings.endpoints import KafkaTarget
from counterpoise.settings.model import Settings
from ingest.blocks.block_requests import MAX_AGE_SECONDS, BlockRequests
from testkit.manual_clock import ManualClock

ROUND_SECONDS = 0.5
REPEATS_SECONDS = 15


class Record:
    """A record of the topic's one partition."""

    partition = 0

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset = offset
        self.value = value


class RequestsTopic:
    """Stands for the consumer and the topic behind it: what it holds is read from its start."""

    def __init__(self, settings: Settings) -> None:
        self._partition = TopicPartition(BLOCK_REQUESTS.full_name(settings.dataset), 0)
        self._values: list[bytes] = []
        self._read = 0

    def send(
        self, clock: ManualClock, number: int, *, chain: str = "bitcoin", from_height: int = 7, to_height: int = 9
    ) -> None:
        """The request for a block that the number names."""
        request = BlockRequest(
            chain=chain,
            hash=f"{number:064x}",
            from_height=from_height,
            to_height=to_height,
            requested_at_ms=int(clock.now() * 1000),
        )
        self._values.append(request.model_dump_json().encode())

    def send_noise(self) -> None:
        self._values.append(b"noise")

    def poll(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        assert timeout_ms == 0
        end = min(self._read + max_records, len(self._values))
        found = [Record(offset, self._values[offset]) for offset in range(self._read, end)]
        self._read = end
        return {self._partition: found} if found else {}

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [self._partition]

    def seek_to_beginning(self, *_: TopicPartition) -> None:
        self._read = 0

    def close(self, **_: Any) -> None:
        """Nothing is open."""


def reader(monkeypatch: pytest.MonkeyPatch) -> tuple[RequestsTopic, ManualClock, BlockRequests]:
    settings, clock = Settings(dataset="d"), ManualClock()
    topic = RequestsTopic(settings)
    monkeypatch.setattr("ingest.blocks.block_requests.make_consumer", lambda *_, **__: topic)
    return topic, clock, BlockRequests(settings, KafkaTarget("127.0.0.1:9092"), clock)


def numbers(requests: list[BlockRequest]) -> list[int]:
    return [int(request.hash, 16) for request in requests]


def test_a_day_of_old_requests_and_those_of_other_chains_costs_a_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten gaps, asked for every 15 s for a day: 57,600 records of this chain, of which one round read 16."""
    topic, clock, requests = reader(monkeypatch)
    for _ in range(86_400 // REPEATS_SECONDS):
        for number in range(10):
            topic.send(clock, number)
            topic.send(clock, number, chain="litecoin")
        clock.advance(REPEATS_SECONDS)
    found: list[int] = []
    for _ in range(12):  # 115,200 records, 10,000 a round
        taken, bad = requests.take()
        assert not bad
        found += numbers(taken)
        clock.advance(ROUND_SECONDS)
    assert sorted(found) == list(range(10))


def test_a_thousand_gaps_that_stay_open_do_not_keep_a_new_one_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are 67 requests per second. At most 16 are taken in a round, 32 per second, and a reader in order is too late for good."""
    topic, clock, requests = reader(monkeypatch)
    new = 1_000
    for repeat in range(80):  # twenty minutes
        for number in range(new if repeat < 60 else new + 1):
            topic.send(clock, number)
        for _ in range(int(REPEATS_SECONDS / ROUND_SECONDS)):
            found, _ = requests.take()
            assert len(found) <= 16
            if new in numbers(found):
                assert repeat <= 62  # 1,000 ÷ 32 = 31 s, and one repetition
                return
            clock.advance(ROUND_SECONDS)
    pytest.fail("the new gap was never answered")


def test_what_waits_is_the_newest_request_for_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tip has moved between two requests; the older range is fetched no more."""
    topic, clock, requests = reader(monkeypatch)
    topic.send(clock, 1, from_height=3)
    topic.send(clock, 2)
    clock.advance(REPEATS_SECONDS)
    topic.send(clock, 1, from_height=8)
    found, _ = requests.take()
    assert [(int(one.hash, 16), one.from_height) for one in found] == [(1, 8), (2, 7)]


def test_a_request_is_answered_once_in_a_while_and_never_when_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, clock, requests = reader(monkeypatch)
    taken = []
    for _ in range(4):
        topic.send(clock, 1)
        taken.append(len(requests.take()[0]))
        clock.advance(REPEATS_SECONDS)
    assert taken == [1, 0, 1, 0]
    for number in range(20):
        topic.send(clock, number)
    assert len(requests.take()[0]) == 16
    clock.advance(MAX_AGE_SECONDS + 1)
    assert requests.take() == ([], []), "four waited for too long"


def test_a_long_range_that_comes_again_unchanged_is_answered_ever_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer closed nothing. One whose lower end has moved, or at which the source failed, is answered as before."""
    topic, clock, requests = reader(monkeypatch)
    began, answered = clock.now(), []
    for _ in range(80):
        topic.send(clock, 1, from_height=7, to_height=5_000)
        if requests.take()[0]:
            answered.append(clock.now() - began)
        clock.advance(REPEATS_SECONDS)
    waits = [after - before for before, after in pairwise(answered)]
    assert waits == [30, 45, 90, 165, 330, 330]  # 20, 40, 80, 160, 320 and 320, in steps of 15
    topic.send(clock, 1, from_height=8, to_height=5_000)
    [moved] = requests.take()[0]
    for _ in range(4):
        requests.failed(moved)
        clock.advance(2 * REPEATS_SECONDS)
        topic.send(clock, 1, from_height=8, to_height=5_000)
        [moved] = requests.take()[0]


def test_what_is_no_request_is_named_by_its_place_and_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, clock, requests = reader(monkeypatch)
    topic.send_noise()
    topic.send(clock, 1)
    found, bad = requests.take()
    assert numbers(found) == [1]
    assert [(item.key, item.reason, item.payload) for item in bad] == [
        (f"{BLOCK_REQUESTS.full_name('d')}:0:0", "bad-request", b"noise")
    ]


def test_a_broker_that_forgot_is_asked_from_its_start_and_answered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, clock, requests = reader(monkeypatch)
    topic.send(clock, 1)
    assert numbers(requests.take()[0]) == [1]
    requests.from_the_beginning()
    assert numbers(requests.take()[0]) == [1], "the answer may be lost with the rest"
