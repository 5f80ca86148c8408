"""The fold of both sides: any order of arrival ends equal to a rebuild, and nothing is told that did not change."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.contracts.releases import Observation
from counterpoise.series.release import Head, Release, make_release, to_events, withdrawal
from streams.asymmetry.fold.asymmetry_fold import AsymmetryChanges, AsymmetryFold
from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.score import AsymmetryRow, Pair, RowKey, end_of_day_ms
from streams.releases.fold import value_draws
from streams.releases.fold.release_fold import ReleaseFold
from tests.unit.asymmetry import real

SERIES = real.PAIR.series
FIRST = date(2024, 3, 1)


@pytest.fixture(autouse=True, scope="module")
def _few_draws() -> Iterator[None]:
    """512 a release, the product's own least, and not 8,192: whatever they are, the fold and the rebuild have the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_draws, "_MAX_VALUES", 1)
        yield


def at(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)


def release(period_end: date, published: date, **owners: float) -> Release:
    head = Head(
        series=SERIES,
        kind="measured",
        layer="ownership",
        unit="H100-equivalents",
        period_start=(period_end - timedelta(days=80)).isoformat(),
        period_end=period_end.isoformat(),
        published_at_ms=at(published),
        source="by hand",
        licence="none",
    )
    return make_release(
        head, [Observation(owner=o, value=v, value_p5=v / 1.1, value_p95=v * 1.1) for o, v in owners.items()]
    )


def side(day: date, *counts: int, tag: int = 0) -> MiningSide:
    """A window that ends an hour before midnight."""
    height = day.toordinal() * 144
    pools = tuple((f"pool-{index:02}", count) for index, count in enumerate(counts))
    return MiningSide(
        "bitcoin", "raw", 1008, height, f"{height + tag:064x}", end_of_day_ms(day) - 3_600_000, "r1", pools, 3
    )


class Table:
    """Rows as a table of replacing rows holds them, each with the version under which it was last written."""

    def __init__(self) -> None:
        self.rows: dict[RowKey, AsymmetryRow] = {}
        self.versions: dict[RowKey, int] = {}
        self._version = 0

    def write(self, changes: AsymmetryChanges) -> None:
        self._version += 1
        for row in changes.rows:
            assert row.key not in self.rows or self.rows[row.key] != row, "a row was told again without a change"
            self.rows[row.key], self.versions[row.key] = row, self._version
        for key in changes.removed:
            del self.rows[key], self.versions[key]


QUARTERS = [
    date(2024, 3, 31),
    date(2024, 6, 30),
    date(2024, 9, 30),
    date(2024, 12, 31),
    date(2025, 3, 31),
    date(2025, 6, 30),
]
RELEASES = [
    release(end, end + timedelta(days=60), a=3 + index, b=2, c=1, d=1 + index, Other=4)
    for index, end in enumerate(QUARTERS)
]
RESTATED = release(QUARTERS[2], QUARTERS[2] + timedelta(days=150), a=9, b=2, c=1, d=1, Other=3)
DAYS = [FIRST + timedelta(days=step) for step in range(0, 500, 12)]
SIDES = {day: side(day, 300 + 7 * index % 90, 250, 200, 150, 105) for index, day in enumerate(DAYS)}


def rebuild(
    releases: Iterable[Release],
    sides: dict[date, MiningSide],
    *,
    withdrawn: Release | None = None,
    given_days_only: bool = False,
) -> Table:
    fold = ReleaseFold(real.catalogue())
    fold.apply(event for one in releases for event in to_events(one))
    if withdrawn is not None:
        fold.apply([withdrawal(withdrawn, at(date(2025, 2, 1)))])
    table = Table()
    table.write(
        AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=given_days_only).apply(
            fold, changed_series={SERIES}, days={day: [one] for day, one in sides.items()}, latest=[sides[DAYS[-1]]]
        )
    )
    return table


@cache
def rebuilt_from_scratch() -> dict[RowKey, AsymmetryRow]:
    return rebuild([*RELEASES, RESTATED], SIDES, given_days_only=True).rows


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_order_of_arrival_ends_equal_to_a_rebuild(seed: int) -> None:
    steps: list[Release | date] = [*RELEASES, RESTATED, *DAYS, DAYS[3], RELEASES[0]]
    random.Random(seed).shuffle(steps)
    releases, table = ReleaseFold(real.catalogue()), Table()
    fold = AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    for start in range(0, len(steps), 9):
        batch = steps[start : start + 9]
        changed = releases.apply(event for one in batch if isinstance(one, Release) for event in to_events(one))
        days = {day: [SIDES[day]] for day in batch if isinstance(day, date)}
        latest = [SIDES[DAYS[-1]]] if start + 9 >= len(steps) else []
        table.write(fold.apply(releases, changed_series=changed.series, days=days, latest=latest))
    assert table.rows == rebuilt_from_scratch()


def test_a_late_release_changes_only_what_it_should() -> None:
    releases, fold, table = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR]), Table()
    releases.apply(event for one in RELEASES for event in to_events(one))
    days = {day: [one] for day, one in SIDES.items()}
    table.write(fold.apply(releases, changed_series={SERIES}, days=days, latest=[SIDES[DAYS[-1]]]))
    before = dict(table.versions)
    releases.apply(to_events(RESTATED))
    table.write(fold.apply(releases, changed_series={SERIES}))
    assert table.rows == rebuild([*RELEASES, RESTATED], SIDES).rows
    rewritten = {key for key, version in table.versions.items() if before.get(key) != version}
    # Of what is known now: from its period's end on (it is a trend's point for two years). Live: from its publication on.
    published = RESTATED.head.published_at_ms
    for key in table.rows:
        _, knowledge, kind, day = key
        if kind == "day" and day is not None:
            reads = day >= QUARTERS[2] if knowledge == "latest" else end_of_day_ms(day) > published
            assert (key in rewritten) == reads, key
    assert rewritten


def test_a_withdrawal_brings_the_older_release_back() -> None:
    releases, fold, table = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR]), Table()
    releases.apply(event for one in [*RELEASES, RESTATED] for event in to_events(one))
    days = {day: [one] for day, one in SIDES.items()}
    table.write(fold.apply(releases, changed_series={SERIES}, days=days, latest=[SIDES[DAYS[-1]]]))
    changed = releases.apply([withdrawal(RESTATED, at(date(2025, 2, 1)))])
    table.write(fold.apply(releases, changed_series=changed.series))
    assert table.rows == rebuild([*RELEASES, RESTATED], SIDES, withdrawn=RESTATED).rows
    known_live = {
        row.day: row.release_id for row in table.rows.values() if row.knowledge == "live" and row.kind == "day"
    }
    day = date(2025, 3, 1)  # after its publication and withdrawal; the year-end quarter is out by then
    assert known_live[day] == RELEASES[3].release_id


def test_rows_without_a_release_are_deleted() -> None:
    releases, fold, table = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR]), Table()
    releases.apply(to_events(RELEASES[0]))
    table.write(fold.apply(releases, changed_series={SERIES}, days={DAYS[20]: [SIDES[DAYS[20]]]}))
    assert table.rows
    releases.apply([withdrawal(RELEASES[0], 1)])
    table.write(fold.apply(releases, changed_series={SERIES}))
    assert table.rows == {}


def test_a_restart_tells_nothing_twice_and_heals_what_is_missing() -> None:
    table = rebuild(RELEASES, SIDES)
    stored = {key: row.inputs_id for key, row in table.rows.items()}
    lost = next(key for key in stored if key[2] == "day" and key[1] == "latest")
    releases = ReleaseFold(real.catalogue())
    releases.apply(event for one in RELEASES for event in to_events(one))
    days = {day: [one] for day, one in SIDES.items()}
    latest = [SIDES[DAYS[-1]]]
    same = AsymmetryFold(real.catalogue(), [real.PAIR], stored).apply(
        releases, changed_series={SERIES}, days=days, latest=latest
    )
    assert (same.rows, same.removed) == ([], [])
    stored.pop(lost)
    healed = AsymmetryFold(real.catalogue(), [real.PAIR], stored).apply(
        releases, changed_series={SERIES}, days=days, latest=latest
    )
    assert healed.rows == [table.rows[lost]]


def test_a_reorganisation_of_a_days_last_block_rewrites_what_reads_it() -> None:
    releases, fold, table = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR]), Table()
    releases.apply(event for one in RELEASES for event in to_events(one))
    table.write(
        fold.apply(releases, changed_series={SERIES}, days={day: [one] for day, one in SIDES.items()}, latest=[])
    )
    day = DAYS[5]
    other = side(day, 500, 200, 100, 100, 105, tag=1)
    table.write(fold.apply(releases, days={day: [other]}))
    expected = rebuild(RELEASES, {**SIDES, day: other})
    assert {key: row for key, row in table.rows.items() if key[2] == "day"} == {
        key: row for key, row in expected.rows.items() if key[2] == "day"
    }


def test_live_rows_are_never_hindsight_and_rows_say_what_moved() -> None:
    table = rebuild(RELEASES, SIDES)
    days = {key: row for key, row in table.rows.items() if key[2] == "day"}
    assert not any(row.hindsight for key, row in days.items() if key[1] == "live")
    first_known = QUARTERS[0] + timedelta(days=60)
    live = {row.day: row for key, row in days.items() if key[1] == "live"}
    assert min(live) == first_known
    assert live[first_known].release_changed
    assert live[first_known].ai_age_days == 60 + 0  # the day ends sixty days after the period's last day did
    still = live[DAYS[10] + timedelta(days=3)]
    assert (still.release_changed, still.mining_changed) == (False, False)
    assert still.mining_age_days == pytest.approx(3 + 1 / 24)
    latest = {row.day: row for key, row in days.items() if key[1] == "latest"}
    assert latest[QUARTERS[0]].hindsight
    assert latest[QUARTERS[0]].known_at_ms == at(first_known)


def test_a_stale_side_widens_the_interval_and_moves_no_point() -> None:
    releases, fold = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR])
    releases.apply(to_events(RELEASES[0]))
    fresh_day = QUARTERS[0]
    later = fresh_day + timedelta(days=365)
    counts = (400, 300, 308)
    changes = fold.apply(
        releases, changed_series={SERIES}, days={fresh_day: [side(fresh_day, *counts)], later: [side(later, *counts)]}
    )
    rows = {row.day: row for row in changes.rows if row.knowledge == "latest"}
    fresh, stale = rows[fresh_day], rows[later]
    assert [one.l for one in fresh.treatments] == [one.l for one in stale.treatments]
    assert stale.drift_sd == pytest.approx(0.15 * (365 / 365.25) ** 0.5, abs=0.001)
    assert stale.hi_independent - stale.lo_independent > fresh.hi_independent - fresh.lo_independent + 0.2


def test_a_call_is_made_where_everything_agrees() -> None:
    # AI spreads from two owners to five equal ones, mining concentrates from five pools to two: diverging, and L > 0 in the end.
    then, now = date(2024, 3, 31), date(2025, 3, 31)
    two = release(then, then, a=100, b=100, Other=1)
    five = release(now, now, a=100, b=100, c=100, d=100, e=100, Other=1)
    releases, fold = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    releases.apply([*to_events(two), *to_events(five)])
    changes = fold.apply(
        releases,
        changed_series={SERIES},
        days={then: [side(then, 202, 202, 202, 202, 200)], now: [side(now, 700, 308)]},
    )
    rows = {row.day: row for row in changes.rows if row.knowledge == "latest"}
    assert (rows[then].level, rows[then].regime, rows[then].gap) == ("mining_more_dispersed", "no_call", "no_call")
    assert (rows[now].level, rows[now].regime, rows[now].gap) == ("ai_more_dispersed", "diverging", "no_call")
    assert rows[now].horizon_release_id == two.release_id
    parts = [one for one in changes.parts if one.row == rows[now].key and one.part.treatment == "one_owner"]
    change = rows[now].treatments[1].l - rows[then].treatments[1].l
    assert sum(one.part.doublings for one in parts) == pytest.approx(change, abs=1e-12)
    assert {one.inputs_id for one in parts} == {rows[now].inputs_id}


# Equal owners then and now, blocks of pools then and now; the regime, and whether |L| grew.
FEW, MANY, SAME = (700, 308), (202, 202, 202, 202, 200), (504, 504)
YEARS = [
    ((2, 5), (MANY, FEW), "diverging", "no_call"),  # L from below zero to above: it closed and opened again
    ((5, 2), (FEW, MANY), "converging", "no_call"),
    ((5, 2), (MANY, FEW), "both_concentrating", "no_call"),
    ((2, 5), (FEW, MANY), "both_dispersing", "no_call"),
    ((8, 5), (MANY, FEW), "both_concentrating", "opening"),
    ((5, 9), (MANY, FEW), "diverging", "no_call"),  # L is zero to begin with
    ((7, 9), (MANY, FEW), "diverging", "opening"),
    ((9, 7), (FEW, MANY), "converging", "closing"),
    ((4, 8), (SAME, SAME), "no_call", "opening"),  # the gap needs no direction of mining
    ((5, 5), (MANY, FEW), "no_call", "no_call"),
]


@pytest.mark.parametrize(("owners", "pools", "regime", "gap"), YEARS)
def test_what_both_sides_did_over_a_year(
    owners: tuple[int, int], pools: tuple[tuple[int, ...], tuple[int, ...]], regime: str, gap: str
) -> None:
    then, now = date(2024, 3, 31), date(2025, 3, 31)
    old, new = (
        release(day, day, **dict.fromkeys("abcdefghi"[:many], 100.0), Other=1.0)
        for day, many in zip((then, now), owners, strict=True)
    )
    releases, fold = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    releases.apply([*to_events(old), *to_events(new)])
    sides = {day: [side(day, *counts)] for day, counts in zip((then, now), pools, strict=True)}
    rows = fold.apply(releases, changed_series={SERIES}, days=sides).rows
    [row] = [row for row in rows if (row.knowledge, row.day) == ("latest", now)]
    assert (row.regime, row.gap) == (regime, gap)


def test_the_regime_compares_what_both_releases_draw_on() -> None:
    # The shared table spreads from two owners to five, and a new table, of one owner alone, outweighs it all.
    then, now = date(2024, 3, 31), date(2025, 3, 31)
    two, five = release(then, then, a=100, b=100), release(now, now, a=100, b=100, c=100, d=100, e=100)
    giant = Observation(owner="a", value=10_000, value_p5=9_000, value_p95=11_000, part="new table")
    grown = make_release(five.head, [*five.observations, giant])
    releases, fold = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    releases.apply([*to_events(two), *to_events(grown)])
    changes = fold.apply(
        releases,
        changed_series={SERIES},
        days={then: [side(then, 202, 202, 202, 202, 200)], now: [side(now, 700, 308)]},
    )
    [row] = [row for row in changes.rows if (row.knowledge, row.day) == ("latest", now)]
    assert (row.regime, row.coverage_changed) == ("diverging", True)
    assert row.treatments[0].d2_ai < 1.2, "the level is of everything"


def test_a_series_that_is_no_side_is_refused() -> None:
    with pytest.raises(ValueError, match="series pypi-edge-share does not pair with mining"):
        AsymmetryFold(real.catalogue(), [Pair("pypi-edge-share", "as-filed", "bitcoin", "raw", 1008)])


def test_the_trend_over_the_real_quarters() -> None:
    releases, fold = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    releases.apply(event for one in real.epoch() for event in to_events(one))
    ends = [one.period_end for one in real.epoch() if one.is_scorable]
    rows = fold.apply(releases, changed_series={SERIES}, days=real.windows(ends)).rows
    last = next(row for row in rows if row.day == date(2025, 12, 31))
    assert last.trend_periods == 8
    # The median of 28 slopes between eight quarters, from L of each as its own row has it.
    for index in range(3):
        points = [
            (row.day.toordinal() / 365.25, row.treatments[index].l) for row in rows if row.day > date(2023, 12, 31)
        ]
        slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(points) for b in points[i + 1 :])
        assert len(slopes) == 28
        assert last.treatments[index].trend_per_year == pytest.approx((slopes[13] + slopes[14]) / 2, rel=1e-9)
    early = next(row for row in rows if row.day == date(2022, 12, 31))
    assert (early.trend_periods, early.treatments[0].trend_per_year) == (4, None)
