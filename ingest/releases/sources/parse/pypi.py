"""Monthly snapshots of the most downloaded Python packages → releases, one a snapshot. Pure.

Two layouts, told apart by their columns: the monthly list itself (`download_count,project`, one snapshot a file) and a tidy history
(`snapshot,package,downloads_30d,list_len,cutoff_downloads`). Only packages that the catalogue names, counted or left out, are kept:
the lists hold up to 15,000. Whether a package counts is decided when it is scored, by each include-list; nothing of that is in the
fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from counterpoise.contracts.releases import Observation
from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release, make_release
from ingest.releases.release_head import head_of
from ingest.releases.sources.csv_table import CsvTable, Row, read_table
from ingest.releases.sources.months import month_of

SERIES = "pypi-edge-share"

WINDOW_DAYS: Final = (
    (date(2025, 6, 1), 22),  # commit bfe5731, pull request 50
    (date(2025, 5, 1), 24),  # commit 4dcb0fe, pull request 49
    (date(2025, 4, 1), 27),  # commit 11c4291, half an hour before the snapshot, without a pull request
    (date(2025, 3, 1), 28),  # commit 2b23a40, pull request 45
    (date(2024, 12, 1), 29),  # commit df77635, pull request 42
)
"""Since which snapshot hugovk/top-pypi-packages counted how many days; 30 before. Its query had a quota, and shrank with it.

The number is `--days` of pypinfo, which counts from N + 1 days before now to one day before now: to the day before the snapshot.
"""

CALENDAR_MONTHS_SINCE: Final = date(2025, 7, 1)
"""Snapshots from then on count the calendar month before, from another database."""

_TIDY = ("snapshot", "package", "downloads_30d", "list_len", "cutoff_downloads")
_LIST = ("download_count", "project")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What one snapshot says: (package, downloads), how many packages it lists and the downloads of the last of them."""

    day: date
    downloads: Sequence[tuple[str, float]]
    length: int
    cutoff: float


def pypi_releases(
    text: str,
    series: Series,
    *,
    origin: str = "pypi.csv",
    snapshot: date | None = None,
    published_at_ms: int | None = None,
    source: str | None = None,
) -> list[Release]:
    """Return a release for each snapshot of a file, by day.

    Its period is the calendar month before, or in earlier snapshots the 22 to 30 days to the day before it (WINDOW_DAYS).

    `snapshot` names the day of a monthly list, which does not say it itself. A snapshot is published on its day, unless
    `published_at_ms` says otherwise. DeadLetterError where the file cannot be read.
    """
    table = read_table(text, origin)
    if table.has(_TIDY):
        snapshots = _tidy(table)
    elif table.has(_LIST):
        if snapshot is None:
            raise DeadLetterError("bad-source-file", f"{origin}: a monthly list has no day; name the snapshot")
        snapshots = [_monthly(table, snapshot)]
    else:
        raise DeadLetterError(
            "bad-source-file",
            f"{origin}: columns {', '.join(table.header)[:200]} are neither of the two layouts of downloads",
        )
    return [_release(one, series, origin, published_at_ms, source) for one in snapshots]


def counted_period(snapshot: date) -> tuple[date, date, str]:
    """The first and the last day that a snapshot counts, and how that differs from 30 days, in words.

    Days to the day before a snapshot begin and end at its time of day, and not at midnight.

    >>> counted_period(date(2025, 5, 1))
    (datetime.date(2025, 4, 7), datetime.date(2025, 4, 30), ' in 24 days')
    >>> counted_period(date(2025, 8, 1))
    (datetime.date(2025, 7, 1), datetime.date(2025, 7, 31), ' in a calendar month')
    """
    if snapshot >= CALENDAR_MONTHS_SINCE:
        month = month_of(snapshot).previous
        return month.first, month.last, " in a calendar month"
    days = next((days for since, days in WINDOW_DAYS if snapshot >= since), 30)
    return snapshot - timedelta(days=days), snapshot - timedelta(days=1), "" if days == 30 else f" in {days} days"


def _tidy(table: CsvTable) -> list[_Snapshot]:
    rows: dict[date, list[Row]] = {}
    for row in table:
        rows.setdefault(row.day("snapshot"), []).append(row)
    snapshots: list[_Snapshot] = []
    for day in sorted(rows):
        lengths = {(row.amount("list_len"), row.amount("cutoff_downloads")) for row in rows[day]}
        if len(lengths) != 1:
            rows[day][0].fail(
                "list_len", str(sorted(lengths)), f"one length and cutoff for the whole snapshot of {day}"
            )
        length, cutoff = lengths.pop()
        pairs = [(row.text("package"), row.amount("downloads_30d")) for row in rows[day]]
        snapshots.append(_Snapshot(day, pairs, int(length), cutoff))
    return snapshots


def _monthly(table: CsvTable, day: date) -> _Snapshot:
    pairs = [(row.text("project"), row.amount("download_count")) for row in table]
    if not pairs:
        raise DeadLetterError("bad-source-file", f"{table.origin}: no package")
    return _Snapshot(day, pairs, len(pairs), min(count for _, count in pairs))


def _release(
    snapshot: _Snapshot, series: Series, origin: str, published_at_ms: int | None, source: str | None
) -> Release:
    named = {name for one in series.lists for name in (*one.by_name, *one.excluded_names)}
    kept = [(series.owner_of(package), downloads) for package, downloads in snapshot.downloads]
    own_day = (snapshot.day - date(1970, 1, 1)) // timedelta(milliseconds=1)
    first, last, window = counted_period(snapshot.day)
    head = head_of(
        series,
        first,
        last,
        published_at_ms=own_day if published_at_ms is None else published_at_ms,
        source=source,
        method=f"the {snapshot.length} most downloaded packages{window}",
        cutoff=snapshot.cutoff,
    )
    try:
        return make_release(
            head, [Observation(owner=package, value=downloads) for package, downloads in kept if package in named]
        )
    except ValueError as error:
        raise DeadLetterError("bad-source-file", f"{origin}, snapshot {snapshot.day}: {error}") from error
