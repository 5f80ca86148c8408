"""The real quarters as if each had been published two months after its end: what was known live, and what a late one changes."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from counterpoise.contracts.releases import Observation
from counterpoise.series.release import Release, make_release, to_events, withdrawal
from streams.asymmetry.fold.asymmetry_fold import AsymmetryChanges, AsymmetryFold
from streams.asymmetry.fold.change import ChangePart
from streams.asymmetry.fold.score import AsymmetryRow, RowKey
from streams.releases.fold import value_draws
from streams.releases.fold.release_fold import ReleaseFold
from tests.unit.asymmetry import by_file, real

LAG = timedelta(days=61)
FIRST, LAST = date(2022, 1, 31), date(2026, 3, 31)
LATE = "2024-06-30"
RESTATED, RESTATED_ON, FACTOR = "2024-09-30", date(2025, 7, 31), 1.7
"""Amazon's Nvidia chips of this quarter, restated by this factor on this day."""


@pytest.fixture(autouse=True, scope="module")
def _few_draws() -> Iterator[None]:
    """512 a release, the product's own least, and not 8,192: whatever they are, the fold and the rebuild have the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_draws, "_MAX_VALUES", 1)
        yield


def noon(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)


def published(release: Release, day: date) -> Release:
    return make_release(dataclasses.replace(release.head, published_at_ms=noon(day)), release.observations)


def quarters() -> dict[str, Release]:
    """The 16 usable ones."""
    return {one.head.period_end: published(one, one.period_end + LAG) for one in real.epoch() if one.is_scorable}


def restated() -> Release:
    one = quarters()[RESTATED]
    observations = [
        Observation(
            owner=o.owner,
            venue=o.venue,
            part=o.part,
            item=o.item,
            value=o.value * FACTOR,
            value_p5=(o.value_p5 or 0) * FACTOR,
            value_p95=(o.value_p95 or 0) * FACTOR,
        )
        if (o.owner, o.part) == ("Amazon", "nvidia_owners")
        else o
        for o in one.observations
    ]
    assert sum(o.value for o in observations) > sum(o.value for o in one.observations)
    return make_release(dataclasses.replace(one.head, published_at_ms=noon(RESTATED_ON)), observations)


def days() -> list[date]:
    """The ends of the months, and the days of publication."""
    ends = [date(year, month, 1) - timedelta(days=1) for year in range(2022, 2027) for month in range(1, 13)]
    wanted = {*ends, *(one.period_end + LAG for one in quarters().values())}
    return sorted(day for day in wanted if FIRST <= day <= LAST)


class Table:
    """Rows and parts, each row with the version under which it was last written."""

    def __init__(self) -> None:
        self.rows: dict[RowKey, AsymmetryRow] = {}
        self.parts: dict[RowKey, list[ChangePart]] = {}
        self.versions: dict[RowKey, int] = {}
        self._version = 0

    def write(self, changes: AsymmetryChanges) -> None:
        self._version += 1
        self.rows |= {row.key: row for row in changes.rows}
        self.versions |= dict.fromkeys((row.key for row in changes.rows), self._version)
        for row in changes.rows:
            self.parts[row.key] = [part for part in changes.parts if part.row == row.key]
        for key in changes.removed:
            del self.rows[key], self.versions[key], self.parts[key]

    def day(self, knowledge: str, day: date) -> AsymmetryRow:
        (row,) = [row for key, row in self.rows.items() if key[1:] == (knowledge, "day", day)]
        return row


def fed(steps: Iterable[Sequence[Release]]) -> tuple[ReleaseFold, AsymmetryFold, Table]:
    releases, fold = ReleaseFold(real.catalogue()), AsymmetryFold(real.catalogue(), [real.PAIR], given_days_only=True)
    table = Table()
    windows = real.windows(days())
    for step in steps:
        changed = releases.apply(event for one in step for event in to_events(one, 5))
        table.write(fold.apply(releases, changed_series=changed.series, days=windows))
        windows = {}
    return releases, fold, table


@pytest.fixture(scope="module")
def whole() -> Table:
    return fed([[*quarters().values(), restated()]])[2]


def known_by(day: date) -> str | None:
    """The last quarter that had ended and was out by the end of a day."""
    return max((end for end in quarters() if date.fromisoformat(end) + LAG <= day), default=None)


def ended_by(day: date) -> str | None:
    return max((end for end in quarters() if date.fromisoformat(end) <= day), default=None)


def held(quarter: str, *, on: date) -> by_file.Stock:
    """What the source said of the quarter on a day."""
    stock = dict(by_file.stock(quarter))
    if quarter == RESTATED and on >= RESTATED_ON:
        stock["Amazon", "nvidia_owners"] *= FACTOR
    return stock


def test_live_rows_read_what_was_out_and_nothing_else(whole: Table) -> None:
    live = {row.day: row for row in whole.rows.values() if row.knowledge == "live"}
    assert sorted(live) == [day for day in days() if known_by(day)]
    assert min(live) == date(2022, 3, 31) + LAG
    for day, row in live.items():
        quarter = known_by(day)
        assert quarter is not None
        assert row.period_end == quarter
        assert row.ai_age_days == (day - date.fromisoformat(quarter)).days
        assert not row.hindsight
        assert row.known_at_ms <= noon(day) + 43_200_000
        expected = [by_file.score(held(quarter, on=day), day, how) for how in by_file.TREATMENTS]
        assert [one.l for one in row.treatments] == pytest.approx(expected, abs=1e-9)
        assert row.release_changed == (day == date.fromisoformat(quarter) + LAG)


def test_rows_of_what_is_known_now_are_hindsight_until_all_of_it_was_out(whole: Table) -> None:
    latest = {row.day: row for row in whole.rows.values() if row.knowledge == "latest"}
    for day, row in latest.items():
        quarter = ended_by(day)
        assert quarter is not None
        expected = [by_file.score(held(quarter, on=LAST), day, how) for how in by_file.TREATMENTS]
        assert [one.l for one in row.treatments] == pytest.approx(expected, abs=1e-9)
        # Its own quarter, and the restated one where the year before or the trend reads that.
        out = date.fromisoformat(quarter) + LAG
        reads_restated = date.fromisoformat(RESTATED) <= day
        assert row.hindsight == (day < max(out, RESTATED_ON if reads_restated else out))


def test_no_regime_is_called_and_no_level(whole: Table) -> None:
    assert {(row.level, row.regime) for row in whole.rows.values() if row.period_end == row.day.isoformat()} == {
        ("no_call", "no_call")
    }
    assert {row.regime for row in whole.rows.values()} == {"no_call"}


def test_without_the_residual_owners_are_fewer_than_pools_in_all_quarters_but_one() -> None:
    _, _, table = fed([list(quarters().values())])
    ends = [table.day("latest", date.fromisoformat(end)) for end in quarters()]
    fewer = [max(row.treatments[0].independent.hi, row.treatments[0].correlated.hi) < 0 for row in ends]
    assert [row.period_end for row, is_fewer in zip(ends, fewer, strict=True) if not is_fewer] == ["2024-12-31"]


def test_a_late_quarter_changes_the_rows_that_read_it_and_no_other(whole: Table) -> None:
    late = quarters()[LATE]
    others = [one for one in quarters().values() if one != late]
    _, _, table = fed([[*others, restated()]])
    releases, fold, table = fed([[*others, restated()]])
    before = dict(table.versions)
    changed = releases.apply(to_events(late, 4))
    table.write(fold.apply(releases, changed_series=changed.series))
    assert table.rows == whole.rows
    rewritten = {key for key, version in table.versions.items() if before.get(key) != version}
    # By trend alone every row of the two years from its end on reads it, live ones once it was out.
    assert rewritten == {
        key
        for key, row in table.rows.items()
        if row.day >= (late.period_end if key[1] == "latest" else late.period_end + LAG)
    }
    assert 0 < len(rewritten) < len(table.rows) / 1.5
    untouched = table.rows.keys() - rewritten
    assert all(table.versions[key] == before[key] for key in untouched)


def test_a_withdrawal_restores_what_the_other_release_said(whole: Table) -> None:
    _, _, straight = fed([list(quarters().values())])
    releases, fold, table = fed([[*quarters().values(), restated()]])
    changed = releases.apply([withdrawal(restated(), noon(date(2025, 10, 15)))])
    table.write(fold.apply(releases, changed_series=changed.series))
    for key, row in table.rows.items():
        # What is known now never heard of it; what was known live believed it for two and a half months.
        believed = key[1] == "live" and RESTATED_ON <= row.day < date(2025, 10, 15)
        assert row == (whole if believed else straight).rows[key], key


def test_any_order_of_real_releases_in_chunks_and_twice(whole: Table) -> None:
    releases = [*quarters().values(), restated()]
    for seed in range(2):
        order = [*releases, *releases[3:9]]
        random.Random(seed).shuffle(order)
        _, _, table = fed([order[:5], order[5:6], order[6:17], order[17:]])
        assert table.rows == whole.rows
        assert table.parts == whole.parts


@pytest.mark.parametrize("how", by_file.TREATMENTS)
def test_parts_add_up_to_the_change_of_the_rows(whole: Table, how: str) -> None:
    at = by_file.TREATMENTS.index(how)
    seen = 0
    for key, row in whole.rows.items():
        parts = [one.part for one in whole.parts[key] if one.part.treatment == how]
        before = [
            other
            for other in whole.rows.values()
            if other.knowledge == row.knowledge and f"{other.day:%Y-%m-%d}" == f"{row.day.year - 1}-{row.day:%m-%d}"
        ]
        if not parts or not before:
            continue
        seen += 1
        change = row.treatments[at].l - before[0].treatments[at].l
        assert sum(part.doublings for part in parts) == pytest.approx(change, abs=1e-9), (row.knowledge, row.day)
        # Only where the live row of the year before read a quarter that was restated since.
        revised = row.knowledge == "live" and row.day == date(2025, 9, 30) + LAG
        assert any(part.component == "revision" for part in parts) == revised, (row.knowledge, row.day)
    assert seen >= 20


def test_the_revision_is_what_the_restated_quarter_changed(whole: Table) -> None:
    row = whole.day("live", date(2025, 9, 30) + LAG)
    then = by_file.stock(RESTATED), held(RESTATED, on=row.day)
    for how in by_file.TREATMENTS:
        sides = [by_file.log2_d2(by_file.pieces(by_file.owners(stock), how)) for stock in then]
        revised = [
            one.part.doublings
            for one in whole.parts[row.key]
            if (one.part.treatment, one.part.component) == (how, "revision")
        ]
        assert sum(revised) == pytest.approx(sides[1] - sides[0], abs=1e-9)
        assert abs(sum(revised)) > 0.01
