"""A past day as known then equals a replay that ended on that day, through the real workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.entity_map import EntityMap
from counterpoise.series.release import to_events
from desk.as_of.known import SECTIONS
from desk.as_of.read import read_as_of
from streams.blocks.reattribution import reattribute
from tests.engines import ClickHouseServer
from tests.integration.release_line.feed import epoch
from tests.integration.release_line.script import chain, last_quarter, restated
from tests.integration.streams.by_hand import Workers, workers_of

DAY = date(2026, 4, 30)
END = datetime(2026, 5, 1, tzinfo=UTC).timestamp()
WINDOW = 1_008
EARLY, LATE = restated(last_quarter(), date(2026, 4, 27), 1.3), restated(last_quarter(), date(2026, 5, 4), 1.7)


@pytest.fixture
def both(clickhouse: ClickHouseServer, tmp_path: Path) -> Iterator[tuple[Workers, Workers]]:
    """A dataset for all that happened, and one for a replay to the day."""
    with ExitStack() as stack:
        yield tuple(  # type: ignore[misc]
            stack.enter_context(workers_of(clickhouse, name, tmp_path / name, month_ends_only=False))
            for name in ("as_of_whole", "as_of_until")
        )


def _known_since(workers: Workers, attribution_id: str, day: date) -> None:
    """Date the first computation of a set back: the test computes every set today."""
    workers.ch.execute(
        "INSERT INTO attribution_sets_log SELECT attribution_id, document, {at:String}, version + 1 FROM attribution_sets_log FINAL "
        "WHERE attribution_id = {id:String}",
        {"at": f"{day} 00:00:00", "id": attribution_id},
    )


def test_a_past_day_equals_a_replay_to_that_day(both: tuple[Workers, Workers]) -> None:
    whole, until = both
    mined = chain()
    for workers, blocks in ((whole, mined), (until, [one for one in mined if one.time < END])):
        workers.send_chunks(to_events(EARLY))
        workers.send_blocks(blocks)
        workers.pairs.refresh()
    first = AttributionSet.default()
    replayed = read_as_of(until.ch, "bitcoin", DAY, WINDOW)
    assert replayed.differences == [] and replayed.then.facts == replayed.now.facts
    assert all(replayed.now.facts[section] for section in SECTIONS if section not in ("rules", "alerts"))
    assert "attribution_sets: this dataset computed its first set" in replayed.then.hindsight[0]

    whole.send_chunks(to_events(LATE))
    whole.send_chunks(to_events(epoch()[-1]))  # of partial coverage: never scored, never compared
    whole.pairs.refresh()
    other = AttributionSet(first.registry, EntityMap(()))
    reattribute(whole.ch, "bitcoin", other)
    found = read_as_of(whole.ch, "bitcoin", DAY, WINDOW)
    assert (found.height, found.time) == (replayed.height, replayed.time)
    assert found.then.facts == replayed.now.facts
    by_name = {(one.section, one.name): one for one in found.differences}
    assert by_name["attribution", "attribution_id"].now == other.attribution_id
    release = by_name["releases", "epoch-ai-compute-owners release_id"]
    assert (release.then, release.now) == (EARLY.release_id, LATE.release_id)
    assert ("asymmetry", "epoch-ai-compute-owners all-owners raw l_one_owner") in by_name
    assert ("concentration", "entity top4_share") in by_name and ("concentration", "raw top4_share") not in by_name
    assert any(
        "memberships on the day removed" in one and "antpool in antpool-and-friends" in one for one in found.changes
    )

    # With the sets' days as they would be after a year of running, the older set is what was known then, without hindsight.
    _known_since(whole, first.attribution_id, date(2026, 4, 1))
    dated = read_as_of(whole.ch, "bitcoin", DAY, WINDOW)
    assert dated.then.hindsight == () and dated.then.facts == replayed.now.facts
    _known_since(whole, other.attribution_id, date(2026, 4, 20))
    assert read_as_of(whole.ch, "bitcoin", DAY, WINDOW).changes == (), "the newer set was known by then"
