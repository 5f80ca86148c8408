"""Every block of the reference file and every quarter of owners: a row a UTC day, as the pure fold makes them from the file."""

from __future__ import annotations

import time
from datetime import date, timedelta

import pytest

from counterpoise.series.release import to_events
from streams.asymmetry.fold.asymmetry_fold import AsymmetryFold
from streams.releases.fold.release_fold import ReleaseFold
from tests.integration.release_line.feed import epoch, send_releases
from tests.integration.release_line.test_published_figures import FIGURES
from tests.integration.release_line.views import rest
from tests.integration.streams.blocks import mainnet, mainnet_blocks
from tests.integration.streams.line import Line
from tests.unit.asymmetry import real


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_every_day_since_2022(line: Line) -> None:
    heights = mainnet()[0]
    worker = line.start()
    line.send(mainnet_blocks(heights[0], heights[-1]), events_per_message=500)
    line.drain()
    began = time.monotonic()
    send_releases(line, epoch())
    rest(line)
    print(f"{time.monotonic() - began:.0f} s from the first release to the last row")
    days = line.ch.query(
        "SELECT view, min(day), max(day), count() FROM asymmetry WHERE knowledge = 'latest' GROUP BY view"
    )
    # From the end of the first quarter to the last whole day of the file.
    count = (date(2026, 4, 21) - date(2022, 3, 31)).days + 1
    assert sorted(days) == [(view, date(2022, 3, 31), date(2026, 4, 21), count) for view in ("entity", "raw")]
    calls = line.ch.query(
        "SELECT DISTINCT level FROM asymmetry WHERE view = 'raw' AND day IN (SELECT period_end FROM releases)"
    )
    assert calls == [("no_call",)]  # in every quarter the treatments disagree

    # The same days by the fold alone, from windows of the file; a year before and every quarter beside them.
    wanted = [day for day in FIGURES if day.year > 2023]
    windows = {one.period_end for one in epoch()[:16]} | {day.replace(year=day.year - 1) for day in wanted}
    windows |= {day - timedelta(days=1) for day in wanted} | set(wanted)
    releases = ReleaseFold(real.catalogue())
    releases.apply(event for one in epoch() for event in to_events(one))
    fold = AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    rows = fold.apply(releases, changed_series={real.PAIR.series}, days=real.windows(sorted(windows))).rows
    expected = {row.day: row for row in rows if row.knowledge == "latest" and row.kind == "day" and row.day in wanted}
    for day, row in expected.items():
        [(spread, low, high, regime, trend)] = line.ch.query(
            "SELECT l_spread, low_independent, high_correlated, regime, trend_one_owner FROM asymmetry "
            "WHERE view = 'raw' AND knowledge = 'latest' AND day = {day:Date}",
            {"day": day},
        )
        assert spread == pytest.approx(row.treatments[2].l, abs=1e-12)
        # Seeds name the attribution and the block, so the draws of the test's own windows are others.
        assert (low, high) == pytest.approx((row.lo_independent, row.hi_correlated), abs=0.03)
        assert regime == row.regime
        assert trend == pytest.approx(row.treatments[1].trend_per_year, abs=1e-9)
    assert worker.stop() == 0, worker.tail()
