"""Reads what was known about a day at its end, and what is known now, from ClickHouse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.documents import DocumentError, parse_json
from counterpoise.errors import ConfigError
from counterpoise.windows import VIEWS
from desk.as_of.known import AsOf, Known, Section, Value, set_changes
from desk.named_queries import named_query

FOR_EVER: Final = "2100-01-01 00:00:00.000"

_SETS: Final = """
SELECT attribution_id, created_at, has(current_on, {chain:String}), document FROM attribution_sets
ORDER BY created_at, attribution_id
"""
_FIGURES: Final = """
SELECT toString(view), top1_share, top4_share, top4_share_upper, hhi_10000, effective_pools_d2, nakamoto_half, n, unknown,
    leaders[1].1
FROM concentration_of(attribution_id = {id:String})
WHERE chain = {chain:String} AND window_blocks = {window:UInt16} AND height = {height:UInt32}
"""
_NAMES: Final = (
    *("top1_share", "top4_share", "top4_share_upper", "hhi_10000", "effective_pools_d2", "nakamoto_half"),
    *("blocks", "unknown", "largest"),
)
_RELEASES: Final = """
SELECT series, toString(period_end), toString(published_at), release_id, total
FROM releases_all
WHERE kind = 'measured' AND coverage = 'full' AND period_end <= {day:Date32}
  AND published_at <= {known:DateTime64(3, 'UTC')} AND (withdrawn_at IS NULL OR withdrawn_at > {known:DateTime64(3, 'UTC')})
ORDER BY series, period_end DESC, period_start DESC, published_at DESC, release_id DESC
LIMIT 1 BY series
"""
# A day of the asymmetry is stored once a block of the next day has come, so the newest whole day is the one before.
_GAP: Final = """
SELECT series, list_id, toString(view), toString(day), toString(level), toString(regime), d2_ai_one_owner, d2_mining, l_dropped,
    l_one_owner, l_spread
FROM asymmetry
WHERE chain = {chain:String} AND window_blocks = {window:UInt16} AND knowledge = {knowledge:String} AND day < {day:Date32}
ORDER BY series, list_id, view, day DESC
LIMIT 1 BY series, list_id, view
"""
_GAP_NAMES: Final = ("day", "level", "regime", "d2_ai", "d2_mining", "l_dropped", "l_one_owner", "l_spread")
_RULES: Final = """
SELECT rule_id, argMax(rule_hash, (event_time, recorded_at, sequence)), argMax(threshold, (event_time, recorded_at, sequence))
FROM alert_events WHERE event_time <= {known:DateTime64(3, 'UTC')} AND chain IN ('', {chain:String})
GROUP BY rule_id ORDER BY rule_id
"""
_ALERTS: Final = """
SELECT alert_id, toString(state) FROM
(
    SELECT * FROM alert_events AS e
    WHERE event_time <= {at:DateTime64(3, 'UTC')} AND empty(undoes) AND chain IN ('', {chain:String})
      AND (alert_id, sequence) NOT IN
      (SELECT alert_id, arrayJoin(undoes) FROM alert_events WHERE event_time <= {known:DateTime64(3, 'UTC')})
    ORDER BY alert_id, sequence DESC
    LIMIT 1 BY alert_id
)
WHERE state IN ('firing', 'pending', 'possible', 'rebased')
ORDER BY alert_id
"""


def read_as_of(clickhouse: ClickHouse, chain: str, day: date, window: int) -> AsOf:
    """The day by what was known at its last millisecond, UTC, and by what is known now. ConfigError where no block is as old."""
    at = _text(datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) - timedelta(milliseconds=1))
    query = named_query("height_at")
    blocks = clickhouse.query(query.sql, query.bind({"chain": chain, "at": at}))
    if not blocks:
        raise ConfigError(
            f"as-of {day.isoformat()}: no scored block of chain {chain!r} has a header time by the end of it"
        )
    height, time = int(blocks[0][0]), blocks[0][1]
    given = {"chain": chain, "window": str(window), "height": str(height), "day": day.isoformat(), "at": at}
    sets = clickhouse.query(_SETS, {"chain": chain})
    scored = [row for row in sets if clickhouse.query(_FIGURES, given | {"id": row[0]})]
    current = next((row for row in scored if row[2]), None)
    if current is None:
        raise ConfigError(f"as-of {day.isoformat()}: block {height} is not scored in windows of {window} blocks")
    known_then = [row for row in scored if _text(row[1]) <= at]
    hindsight: tuple[str, ...] = ()
    then = known_then[-1] if known_then else scored[0]
    if not known_then:
        hindsight = (
            f"attribution_sets: this dataset computed its first set on {then[1]:%Y-%m-%d}; the figures of then use that set",
        )
    changes = [] if then[0] == current[0] else set_changes(_document(then[3]), _document(current[3]), day)
    return AsOf(
        day,
        chain,
        window,
        height,
        time,
        Known(_facts(clickhouse, given | {"known": at, "knowledge": "live"}, str(then[0])), hindsight),
        Known(_facts(clickhouse, given | {"known": FOR_EVER, "knowledge": "latest"}, str(current[0]))),
        tuple(changes),
    )


def _facts(clickhouse: ClickHouse, given: Mapping[str, str], attribution_id: str) -> dict[Section, dict[str, Value]]:
    """Every section at one state of knowledge."""
    figures: dict[str, Value] = {}
    rows = {row[0]: row[1:] for row in clickhouse.query(_FIGURES, {**given, "id": attribution_id})}
    for view in VIEWS:
        figures |= {f"{view} {name}": _value(value) for name, value in zip(_NAMES, rows.get(view, ()), strict=False)}
    releases: dict[str, Value] = {}
    for series, *cells in clickhouse.query(_RELEASES, dict(given)):
        names = ("period_end", "published_at", "release_id", "total")
        releases |= {f"{series} {name}": _value(cell) for name, cell in zip(names, cells, strict=True)}
    gap: dict[str, Value] = {}
    for series, list_id, view, *cells in clickhouse.query(_GAP, dict(given)):
        pair = f"{series} {list_id} {view}"
        gap |= {f"{pair} {name}": _value(cell) for name, cell in zip(_GAP_NAMES, cells, strict=True)}
    rules: dict[str, Value] = {}
    for rule, text_hash, threshold in clickhouse.query(_RULES, dict(given)):
        rules |= {f"{rule} hash": text_hash, f"{rule} line": _value(threshold)}
    alerts = {str(name): str(state) for name, state in clickhouse.query(_ALERTS, dict(given))}
    return {
        "attribution": {"attribution_id": attribution_id},
        "concentration": figures,
        "releases": releases,
        "asymmetry": gap,
        "rules": rules,
        "alerts": dict(alerts),
    }


def _value(cell: Any) -> Value:
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    return cell if isinstance(cell, str | int | bool) or cell is None else str(cell)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _document(text: str) -> Mapping[str, Any]:
    """The document of a set; one without registry and map, as an old version may have written, compares as empty."""
    try:
        found = parse_json(text)
    except DocumentError:
        found = None
    document = found if isinstance(found, dict) else {}
    return {
        "registry": document.get("registry") or {"pools": []},
        "entities": document.get("entities") or {"groups": []},
    }
