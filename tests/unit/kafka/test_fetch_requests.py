"""What the front of the embedded broker reads of requests, and whom an append wakes."""

from __future__ import annotations

import pytest

from engines.kafka_front.appends import Appends
from engines.kafka_front.fetch_requests import read_fetch, read_produce
from tests.kafka_requests import fetch_request, produce_request

LONG = "t" * 140
"""A name whose length takes two bytes in the flexible form."""


@pytest.mark.parametrize("version", range(4, 13))
def test_a_fetch_has_its_partitions_offsets_and_waits(version: int) -> None:
    asked = {LONG: [(0, 5), (300, 6)], "b": [(1, 2**40)]}
    request = bytearray(fetch_request(version, asked, max_wait_ms=700, min_bytes=3))
    fetch = read_fetch(request)
    assert fetch is not None
    assert fetch.offsets == {(LONG.encode(), 0): 5, (LONG.encode(), 300): 6, (b"b", 1): 2**40}
    assert (fetch.max_wait_ms, fetch.min_bytes) == (700, 3)
    assert fetch.without_wait(request) == fetch_request(version, asked, max_wait_ms=1, min_bytes=3)


@pytest.mark.parametrize("version", range(3, 10))
@pytest.mark.parametrize("acks", [-1, 0, 1])
def test_a_produce_has_its_partitions(version: int, acks: int) -> None:
    produce = read_produce(bytearray(produce_request(version, {LONG: [0, 300], "b": [1]}, acks=acks)))
    assert produce is not None
    assert produce.partitions == {(LONG.encode(), 0), (LONG.encode(), 300), (b"b", 1)}
    assert produce.acks == acks


@pytest.mark.parametrize("version", [3, 13])
def test_a_fetch_of_another_version_is_not_read(version: int) -> None:
    request = bytearray(fetch_request(12, {"a": [(0, 5)]}, max_wait_ms=1))
    request[2:4] = version.to_bytes(2, "big")
    assert read_fetch(request) is None


def test_a_request_that_is_cut_is_not_read() -> None:
    for version in (4, 12):
        request = fetch_request(version, {"a": [(0, 5)]}, max_wait_ms=1)
        last = request.index(b"a", 14)
        assert all(read_fetch(bytearray(request[:end])) is None for end in range(8, last))
    for version in (3, 9):
        request = produce_request(version, {"a": [0]})
        assert all(read_produce(bytearray(request[:end])) is None for end in range(8, len(request) - 2))


def test_an_append_wakes_who_waits_for_its_partition() -> None:
    appends, woken = Appends(), list[str]()

    def wake_first() -> None:
        woken.append("first")

    def wake_second() -> None:
        woken.append("second")

    first, second = {(b"a", 0), (b"a", 1)}, {(b"b", 0)}
    with appends.waiting(first, appends.mark(first), wake_first), appends.waiting(second, 0, wake_second):
        appends.note({(b"a", 1)})
        assert woken == ["first"]
        appends.note({(b"b", 0), (b"c", 9)})
        assert woken == ["first", "second"]
        appends.note(None)
        assert woken == ["first", "second", "first", "second"]
    appends.note({(b"a", 1)})
    assert len(woken) == 4


def test_an_append_before_the_wait_ends_it() -> None:
    appends, woken = Appends(), list[str]()
    mark = appends.mark({(b"a", 0)})
    appends.note({(b"a", 0)})
    with appends.waiting({(b"a", 0)}, mark, lambda: woken.append("first")):
        assert woken == ["first"]
