"""Real sides: the releases of the reference data, and the windows that end with a day of the real chain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cache

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from counterpoise.series.catalogue import Catalogue
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from ingest.releases.sources.parse.epoch import SERIES, epoch_releases
from ingest.releases.sources.parse.pypi import pypi_releases
from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.score import Pair
from tests.plain_mining_side import last_of_day, mining_side
from tests.shared import shared_data

FIRST_HEIGHT = 664_063
PUBLISHED_MS = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)
PAIR = Pair(SERIES, "all-owners", "bitcoin", "raw", 1008)


def catalogue() -> Catalogue:
    return load_catalogue()


@cache
def epoch() -> tuple[Release, ...]:
    """The 17 quarters of the tidy file; the last is of partial coverage."""
    text = shared_data("edge_ai/ai_compute_owner_quarterly.csv").read_text(encoding="utf-8")
    return tuple(epoch_releases({"owners.csv": text}, catalogue()[SERIES], published_at_ms=PUBLISHED_MS))


@cache
def pypi() -> tuple[Release, ...]:
    """The 155 snapshots."""
    text = shared_data("edge_ai/ai_packages_30d_downloads_monthly.csv").read_text(encoding="utf-8")
    return tuple(pypi_releases(text, catalogue()["pypi-edge-share"]))


@cache
def chain() -> tuple[NDArray[np.int64], list[str]]:
    """(header times in unix seconds, pool slugs) of consecutive heights from FIRST_HEIGHT on."""
    table = pq.read_table(shared_data("blocks/mainnet_664063_946236.parquet"), columns=["pool_slug", "date"])
    times = table.column("date").cast("timestamp[s]").cast("int64").to_numpy()
    return times, table.column("pool_slug").to_pylist()


def window(day: date, blocks: int = 1008) -> MiningSide:
    """The raw window that ends with the last block of a day."""
    times, slugs = chain()
    last = last_of_day(times, day)
    assert last is not None
    pools = slugs[last + 1 - blocks : last + 1]
    return mining_side(
        [None if slug == "unknown" else slug for slug in pools],
        chain="bitcoin",
        view="raw",
        window_blocks=blocks,
        tip_height=FIRST_HEIGHT + last,
        tip_hash=f"{FIRST_HEIGHT + last:064x}",
        tip_time_ms=int(times[last]) * 1000,
        attribution_id="rtest",
    )


def windows(days: Iterable[date]) -> dict[date, list[MiningSide]]:
    return {day: [window(day)] for day in days}
