"""A start compares the newest heights only, and finds what a comparison of all of them finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.versions import Versions
from streams.blocks.loader import chain_bounds, newest_bounds, peak_height
from streams.blocks.scoring_store import NO_HEIGHT, mark_scored, untrusted_from
from streams.blocks.state_store import _year_from
from tests.integration.streams.test_time_windows import BLOCKS, FIRST, TIP, ch, stored

__all__ = ["ch"]

STRETCH = 64
UNDO = """
    INSERT INTO concentration_log SELECT * REPLACE (version + 1 AS version, 1 AS is_deleted) FROM concentration_log FINAL
    WHERE chain = 'signet' AND height >= {from:UInt32}
"""


def selected_rows(ch: ClickHouse, work: Callable[[], object]) -> int:
    counter = "SELECT value FROM system.events WHERE event = 'SelectedRows'"
    work()
    before = int(ch.query(counter)[0][0])
    work()
    return int(ch.query(counter)[0][0]) - before


def test_whatever_is_not_whole_up_to_the_tip_is_found(ch: ClickHouse) -> None:
    attribution_set, _ = stored(ch, Versions(1))
    name = attribution_set.attribution_id
    bounds, untrusted = newest_bounds(ch, "signet", name, stretch=STRETCH)
    assert (bounds.first, bounds.tip, bounds.unscored_from, untrusted) == (FIRST, TIP, TIP + 1, NO_HEIGHT)
    assert bounds.blocks == STRETCH
    for missing in (1, 31, 32, 33, 63, 64, 65, 200, 1_500, BLOCKS - 1, BLOCKS):
        ch.execute(UNDO, {"from": TIP + 1 - missing})
        every = chain_bounds(ch, "signet", name)
        found, _ = newest_bounds(ch, "signet", name, stretch=STRETCH)
        assert every.unscored_from == TIP + 1 - missing
        assert (found.first, found.tip, found.unscored_from) == (every.first, every.tip, every.unscored_from), missing
    assert peak_height(ch, "signet") == TIP, "a tombstone counts"
    assert peak_height(ch, "bitcoin") == 0


@pytest.mark.parametrize("old", [10, 40, 1_000])
def test_rows_that_are_older_than_a_rescore_are_found(ch: ClickHouse, old: int) -> None:
    versions = Versions(1)
    attribution_set, _ = stored(ch, versions)
    name = attribution_set.attribution_id
    mark = Versions(2).next()
    mark_scored(ch, "signet", name, to_height=TIP - old, whole=True, version=mark)
    assert untrusted_from(ch, "signet", name) == TIP - old + 1
    bounds, untrusted = newest_bounds(ch, "signet", name, stretch=STRETCH)
    assert (bounds.first, untrusted) == (FIRST, TIP - old + 1)


def test_a_start_reads_less_than_the_whole_chain(ch: ClickHouse) -> None:
    attribution_set, _ = stored(ch, Versions(1))
    name = attribution_set.attribution_id
    ch.execute("OPTIMIZE TABLE blocks_log FINAL")
    ch.execute("OPTIMIZE TABLE concentration_log FINAL")
    every = selected_rows(ch, lambda: (chain_bounds(ch, "signet", name), untrusted_from(ch, "signet", name)))
    newest = selected_rows(ch, lambda: newest_bounds(ch, "signet", name, stretch=STRETCH))
    assert newest < every
    # One series of eight, and its last granule.
    assert selected_rows(ch, lambda: peak_height(ch, "signet")) < BLOCKS


def test_the_year_begins_at_the_same_block_however_many_are_read(ch: ClickHouse) -> None:
    stored(ch, Versions(1))
    for base, recent in ((TIP, TIP - 40), (TIP - 900, TIP - 950), (FIRST + 3, FIRST + 2), (FIRST, FIRST)):
        every = _year_from(ch, "signet", base, recent, stretch=1 << 20)
        assert [_year_from(ch, "signet", base, recent, stretch=stretch) for stretch in (64, 1_000)] == [every] * 2
    assert _year_from(ch, "signet", 0, 0) == (0, 0)
