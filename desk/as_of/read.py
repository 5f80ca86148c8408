"""Reads what was known about a day at its end, and what is known now, from ClickHouse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.documents import DocumentError, parse_json
from counterpoise.errors import ConfigError
from counterpoise.windows import VIEWS, WINDOWS_BLOCKS
from desk.as_of.alert_steps import AlertStep, alerts_open, rules_known
from desk.as_of.known import LAST_DAY, AsOf, Known, Section, Value, set_changes
from desk.named_queries import named_query

FOR_EVER: Final = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, tzinfo=UTC) + timedelta(days=1)

_SETS: Final = """
SELECT attribution_id, created_at, has(current_on, {chain:String}) FROM attribution_sets
WHERE attribution_id IN
(
    SELECT DISTINCT attribution_id FROM concentration_log FINAL
    WHERE chain = {chain:String} AND window_blocks = {window:UInt16} AND height = {height:UInt32}
)
ORDER BY created_at, attribution_id
"""
_DOCUMENTS: Final = (
    "SELECT attribution_id, document FROM attribution_sets WHERE attribution_id IN ({then:String}, {now:String})"
)
_FIRST_DAY: Final = """
SELECT count(), min(day) FROM concentration_daily
WHERE chain = {chain:String} AND view = 'raw' AND window_blocks = 144 AND metric = 'top4_share'
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
_STEPS: Final = """
SELECT alert_id, sequence, rule_id, rule_hash, threshold, toString(state), undoes, event_time, recorded_at
FROM alert_events WHERE chain IN ('', {chain:String})
"""


def read_as_of(clickhouse: ClickHouse, chain: str, day: date, window: int) -> AsOf:
    """The day by what was known at its last millisecond, UTC, and by what is known now. ConfigError where no block is as old."""
    if window not in WINDOWS_BLOCKS:
        raise ConfigError(f"--window {window}: expected one of {', '.join(map(str, WINDOWS_BLOCKS))}")
    end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) - timedelta(milliseconds=1)
    at = _text(end)
    query = named_query("height_at")
    blocks = clickhouse.query(query.sql, query.bind({"chain": chain, "at": at}))
    if not blocks:
        raise ConfigError(
            f"as-of {day.isoformat()}: no scored block of chain {chain!r} has a header time by the end of it: "
            + _next_step(clickhouse, chain)
        )
    height, time = int(blocks[0][0]), blocks[0][1]
    given = {"chain": chain, "window": str(window), "height": str(height), "day": day.isoformat(), "at": at}
    scored = clickhouse.query(_SETS, given)
    current = next((row for row in scored if row[2]), None)
    if current is None:
        raise ConfigError(
            f"as-of {day.isoformat()}: block {height} is not scored in windows of {window} blocks by the current attribution set: "
            "run `counterpoise rescore`"
        )
    known_then = [row for row in scored if _text(row[1]) <= at]
    hindsight: tuple[str, ...] = ()
    then = known_then[-1] if known_then else scored[0]
    if not known_then:
        hindsight = (
            f"attribution_sets: this dataset computed its first set on {then[1]:%Y-%m-%d}; the figures of then use that set",
        )
    steps = [
        AlertStep(str(alert), int(number), str(rule), str(text_hash), _line(line), str(state), tuple(undoes), *moments)
        for alert, number, rule, text_hash, line, state, undoes, *moments in clickhouse.query(_STEPS, given)
    ]
    return AsOf(
        day,
        chain,
        window,
        height,
        time,
        Known(_facts(clickhouse, given, str(then[0]), "live", end) | _alerting(steps, end, end), hindsight),
        Known(_facts(clickhouse, given, str(current[0]), "latest", FOR_EVER) | _alerting(steps, end, FOR_EVER)),
        _changes(clickhouse, str(then[0]), str(current[0]), day),
    )


def _next_step(clickhouse: ClickHouse, chain: str) -> str:
    [(days, first)] = clickhouse.query(_FIRST_DAY, {"chain": chain})
    if not days:
        return "no block is scored; ingest or replay blocks first, and see `counterpoise status`"
    return f"choose {first} or a later day"


def _changes(clickhouse: ClickHouse, then: str, current: str, day: date) -> tuple[str, ...]:
    if then == current:
        return ()
    rows = clickhouse.query(_DOCUMENTS, {"then": then, "now": current})
    documents = {str(name): _document(text) for name, text in rows}
    return tuple(set_changes(documents[then], documents[current], day))


def _facts(
    clickhouse: ClickHouse, at: Mapping[str, str], attribution_id: str, knowledge: str, known: datetime
) -> dict[Section, dict[str, Value]]:
    """Every section at one state of knowledge, but for rules and alerts."""
    given = {**at, "id": attribution_id, "knowledge": knowledge, "known": _text(known)}
    figures: dict[str, Value] = {}
    rows = {row[0]: row[1:] for row in clickhouse.query(_FIGURES, given)}
    for view in VIEWS:
        figures |= {f"{view} {name}": _value(value) for name, value in zip(_NAMES, rows.get(view, ()), strict=False)}
    releases: dict[str, Value] = {}
    for series, *cells in clickhouse.query(_RELEASES, given):
        names = ("period_end", "published_at", "release_id", "total")
        releases |= {f"{series} {name}": _value(cell) for name, cell in zip(names, cells, strict=True)}
    gap: dict[str, Value] = {}
    for series, list_id, view, *cells in clickhouse.query(_GAP, given):
        pair = f"{series} {list_id} {view}"
        gap |= {f"{pair} {name}": _value(cell) for name, cell in zip(_GAP_NAMES, cells, strict=True)}
    return {
        "attribution": {"attribution_id": attribution_id},
        "concentration": figures,
        "releases": releases,
        "asymmetry": gap,
    }


def _alerting(steps: Sequence[AlertStep], at: datetime, known: datetime) -> dict[Section, dict[str, Value]]:
    rules: dict[str, Value] = {}
    for rule, (text_hash, line) in rules_known(steps, known).items():
        rules |= {f"{rule} hash": text_hash, f"{rule} line": line}
    return {"rules": rules, "alerts": dict(alerts_open(steps, at, known))}


def _line(cell: Any) -> float | None:
    return float(cell) if cell is not None and math.isfinite(cell) else None


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
