"""Releases for the line: the real ones of the reference files, in messages as ingest makes them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.releases import RELEASE_KIND, Observation, ReleaseEvent
from counterpoise.contracts.topics import EDGE_AI
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release, to_events
from ingest.releases.sources.parse.epoch import SERIES as EPOCH
from ingest.releases.sources.parse.epoch import epoch_releases
from ingest.releases.sources.parse.pypi import SERIES as PYPI
from ingest.releases.sources.parse.pypi import pypi_releases
from tests.integration.streams.blocks import mainnet, mainnet_blocks
from tests.integration.streams.line import Line
from tests.shared import shared_data

PUBLISHED_MS = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)
BLOCKS_BEFORE, BLOCKS_AFTER = 1_100, 160


@cache
def epoch() -> tuple[Release, ...]:
    """The 17 quarters of the tidy file; the last is of partial coverage."""
    text = shared_data("edge_ai/ai_compute_owner_quarterly.csv").read_text(encoding="utf-8")
    return tuple(epoch_releases({"owners.csv": text}, load_catalogue()[EPOCH], published_at_ms=PUBLISHED_MS))


@cache
def pypi() -> tuple[Release, ...]:
    """The monthly snapshots."""
    text = shared_data("edge_ai/ai_packages_30d_downloads_monthly.csv").read_text(encoding="utf-8")
    return tuple(pypi_releases(text, load_catalogue()[PYPI]))


def send_events(line: Line, events: Sequence[ReleaseEvent], *, flush: bool = True) -> None:
    """Events of one series in one message."""
    value = encode(events, kind=RELEASE_KIND, dataset=line.dataset, producer="test", sent_at_ms=1_700_000_000_000)
    line.send_raw([value], topic=EDGE_AI, key=events[0].series.encode(), flush=flush)


def send_releases(line: Line, releases: Iterable[Release], *, chunk_observations: int = 1_000) -> None:
    """Releases of one series, a message each."""
    for release in releases:
        send_events(line, to_events(release, chunk_observations), flush=False)
    line.flush()


def blocks_around(day: date, *, chain: str = "bitcoin") -> list[BlockEvent]:
    """Enough of mainnet for the window that ends with a day, and the first blocks of the next one."""
    heights, _, times = mainnet()
    end = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) + 86_400
    at = heights[bisect_left(times, end)]
    return mainnet_blocks(at - BLOCKS_BEFORE, at + BLOCKS_AFTER, chain=chain)


def miner_report(first_day: str = "2024-01-01", factor: float = 1.0) -> Release:
    """Core Scientific's fiscal year 2024 by segment: HPC hosting is 4.8 % of revenue (its annual report).

    With another first day, or a factor, a made one that ends on the same day and was published at the same moment.
    """
    series = load_catalogue()["miner-pivot"]
    head = Head(
        series=series.series,
        kind=series.kind,
        layer=series.layer,
        unit=series.unit,
        period_start=first_day,
        period_end="2024-12-31",
        published_at_ms=1_740_614_400_000,
        source="Core Scientific, annual report 2024",
        licence="fact from a public filing",
    )
    parts = {"mining": 408.7e6, "ai_hpc": 24.4e6, "other": 77.6e6}
    return make_release(
        head, [Observation(owner="Core Scientific", value=factor * value, part=part) for part, value in parts.items()]
    )


def miner_megawatts() -> Release:
    """Hut 8's campus of 330 MW for AI, beside its revenue that nobody sent."""
    series = load_catalogue()["miner-pivot-megawatts"]
    head = Head(
        series=series.series,
        kind=series.kind,
        layer=series.layer,
        unit=series.unit,
        period_start="2025-12-31",
        period_end="2025-12-31",
        published_at_ms=1_767_225_600_000,
        source="Hut 8, press release",
        licence="fact from a public announcement",
    )
    return make_release(head, [Observation(owner="Hut 8", value=330.0, part="announced")])
