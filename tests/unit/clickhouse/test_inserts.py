"""Inserts beside each other: what is sent when, and what a failure leaves. The steps are those of `ClickHouse.begin_insert`."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.clickhouse.inserts import Insert, begin_inserts, insert_all
from counterpoise.errors import RetryableError

GROUPS = st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=3)
"""Groups of inserts by their numbers of rows."""


class Recorded:
    """In place of a client: notes each step of each insert, and fails where it is told to."""

    def __init__(self, fails_at: str = "") -> None:
        self.told: list[str] = []
        self.busy: dict[int, str] = {}
        self._fails_at = fails_at

    def beside(self, lane: int) -> Lane:
        return Lane(self, lane)

    def tell(self, step: str) -> None:
        if step == self._fails_at:
            raise RetryableError(step)
        self.told.append(step)


class Lane:
    def __init__(self, of: Recorded, number: int) -> None:
        self._of, self._number = of, number

    def begin_insert(self, table: str, columns: Mapping[str, Any]) -> Generator[None, None, int]:
        rows = len(columns["x"])
        if not rows:
            return 0
        assert self._number not in self._of.busy, "two inserts on one connection"
        self._of.busy[self._number] = table
        done = False
        try:
            self._of.tell(f"{table} statement")
            yield
            self._of.tell(f"{table} rows")
            yield
            self._of.tell(f"{table} stored")
            done = True
            return rows
        finally:
            del self._of.busy[self._number]
            if not done:
                self._of.told.append(f"{table} left")


def inserts(client: Recorded, groups: list[list[int]]) -> list[list[Insert]]:
    return [
        [
            Insert(f"t{at}{place}", {"x": [0] * rows}, partial(client.tell, f"t{at}{place} then"))
            for place, rows in enumerate(group)
        ]
        for at, group in enumerate(groups)
    ]


@given(GROUPS)
def test_each_group_is_stored_before_the_rows_of_the_next_are_sent(groups: list[list[int]]) -> None:
    client = Recorded()
    insert_all(client, *inserts(client, groups))  # type: ignore[arg-type]
    assert not client.busy
    written = [[f"t{at}{place}" for place, rows in enumerate(group) if rows] for at, group in enumerate(groups)]
    assert sorted(told for told in client.told if told.endswith("stored")) == sorted(
        f"{table} stored" for group in written for table in group
    )
    sent = -1
    for group in written:
        rows = [client.told.index(f"{table} rows") for table in group]
        stored = [client.told.index(f"{table} stored") for table in group]
        assert all(place > sent for place in rows), "sent before the group before was stored"
        assert not rows or max(rows) < min(stored), "one after the other"
        sent = max([sent, *stored])
    told_then = [told for told in client.told if told.endswith("then")]
    assert told_then == [f"t{at}{place} then" for at, group in enumerate(groups) for place in range(len(group))]


@given(GROUPS, st.data())
def test_a_failure_leaves_no_insert_open_and_sends_no_rows_of_a_later_group(
    groups: list[list[int]], data: st.DataObject
) -> None:
    steps = [
        (at, f"t{at}{place} {step}")
        for at, group in enumerate(groups)
        for place, rows in enumerate(group)
        if rows
        for step in ("statement", "rows", "stored")
    ]
    if not steps:
        return
    at, fails = data.draw(st.sampled_from(steps))
    client = Recorded(fails)
    with pytest.raises(RetryableError, match=fails):
        insert_all(client, *inserts(client, groups))  # type: ignore[arg-type]
    assert not client.busy
    assert not [told for told in client.told if told.endswith("rows") and int(told[1]) > at]


def test_rows_of_the_first_group_are_on_their_way_before_anybody_waits() -> None:
    client = Recorded()
    running = begin_inserts(client, *inserts(client, [[1, 1], [1]]))  # type: ignore[arg-type]
    assert client.told == ["t00 statement", "t01 statement", "t10 statement", "t00 rows", "t01 rows"]
    running.abort()
    assert not client.busy
    assert [told for told in client.told if told.endswith("left")] == ["t00 left", "t01 left", "t10 left"]
