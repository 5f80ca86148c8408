"""OpenRouter's daily rankings → releases, one a calendar week (Monday to Sunday). Pure.

A snapshot holds a window of days with the models that have the most tokens each day, and one row `other` for the rest. The columns
are those of the export: `date,model_permaslug,rank,total_tokens,share_of_daily_tokens`. The part of a slug before the slash is
the author of the model. It is not the provider that served it, which no export has.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Final

from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release, make_release
from ingest.releases.checked_observation import checked_observation
from ingest.releases.release_head import head_of
from ingest.releases.sources.csv_table import Row, read_table

SERIES: Final = "openrouter-author-tokens"
OTHER: Final = "other"
_COLUMNS: Final = ("date", "model_permaslug", "total_tokens")
_WEEK_DAYS: Final = 7


def weekly_releases(text: str, series: Series, *, origin: str, snapshot: date, published_at_ms: int) -> list[Release]:
    """A release for each week that is whole in the snapshot and over before its day, oldest first.

    DeadLetterError names the line of a row that cannot be read, and a model that comes twice on a day.
    """
    table = read_table(text, origin)
    if not table.has(_COLUMNS):
        raise DeadLetterError(
            "bad-source-file",
            f"{origin}: columns {', '.join(table.header)[:200]} lack one of {', '.join(_COLUMNS)}",
        )
    tokens: dict[date, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    seen: set[tuple[date, str]] = set()
    for row in table:
        day, model = row.day("date"), row.text("model_permaslug")
        if (day, model) in seen:
            row.fail("model_permaslug", model, "each model once a day")
        seen.add((day, model))
        tokens[day][_author(row, model)] += row.amount("total_tokens")
    weeks = sorted({day - timedelta(days=day.weekday()) for day in tokens})
    return [
        _release(series, monday, [tokens[day] for day in days], published_at_ms)
        for monday in weeks
        if (days := [monday + timedelta(days=n) for n in range(_WEEK_DAYS)])[-1] < snapshot
        and all(day in tokens for day in days)
    ]


def _author(row: Row, model: str) -> str:
    if model == OTHER:
        return OTHER
    author, slash, name = model.partition("/")
    if not (author and slash and name):
        row.fail("model_permaslug", model, f"author/model, or {OTHER}")
    return author


def _release(series: Series, monday: date, days: list[dict[str, float]], published_at_ms: int) -> Release:
    totals: dict[str, float] = defaultdict(float)
    for authors in days:
        for author, count in authors.items():
            totals[series.owner_of(author)] += count
    head = head_of(
        series,
        monday,
        monday + timedelta(days=_WEEK_DAYS - 1),
        published_at_ms=published_at_ms,
        method="tokens in and out of a week, by the author of the model",
    )
    return make_release(
        head,
        [
            checked_observation(f"week of {monday}", owner=owner, value=count, residual=owner in series.residual_owners)
            for owner, count in sorted(totals.items())
        ],
    )
