"""The statements of every endpoint but `/timeseries`. Pure: every value is a bound parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from counterpoise.formats import clickhouse_moment
from desk.web.api.parameters import EARLIEST, LATEST
from desk.web.api.timeseries import BoundSql, narrowest_view

HEIGHTS_A_PAGE: Final = 20_000
"""Heights that one page of blocks of a pool looks through: the page may have fewer rows than its limit, or none."""


def _listed(names: str) -> str:
    """Names of columns as a statement lists them."""
    return ", ".join(names.split())


BLOCK_COLUMNS: Final = _listed(
    """
    height hash prev_hash time confirmations provisional pool pool_name method conflict template_builder
    attribution_id fees_sats transactions size_bytes weight match_ratio similarity_ratio
    expected_fees_sats expected_weight source synthetic seen_at
    """
)
ALERT_COLUMNS: Final = _listed(
    """
    event_time alert_id sequence rule_id state previous_state reason chain view window_blocks
    from_height height tip_hash value value_low value_high interval_low interval_high threshold n
    unknown pools_seen counts summary attribution_id reproduce_sql recorded_at
    """
)
RELEASE_COLUMNS: Final = _listed(
    """
    published_at release_id series kind layer unit period_start period_end source licence coverage
    coverage_note observations total withdrawn_at
    """
)
TIME_WINDOW_COLUMNS: Final = _listed(
    """
    time height tip_hash from_height n unknown window_full pools_seen top1_share top4_share top4_share_upper
    top4_work_share hhi nakamoto_one_third nakamoto_half attribution_id
    """
)
WINDOW_COLUMNS: Final = _listed("window_blocks view time height n unknown window_full provisional attribution_id")
HEIGHTS_AN_HOUR: Final = 6
"""Heights that a row of windows of time stands for, about: a page looks through so many for each row of its limit."""
_MOMENT: Final = "DateTime64(3, 'UTC')"


def heights_of(chain: str, start: datetime | None, end: datetime | None, as_of: datetime | None) -> BoundSql:
    """The lowest and highest height that a block in the range of header times may have; no row where there is none."""
    sql = f"""SELECT min(height), max(height)
FROM blocks_log
WHERE chain = {{chain:String}} AND status = 'canonical'
  AND time >= {{start:{_MOMENT}}} AND time < {{end:{_MOMENT}}} AND time <= {{as_of:{_MOMENT}}}
HAVING count() > 0"""  # noqa: S608 - a constant type
    return BoundSql(sql, {"chain": chain, **time_bounds(start, end, as_of)})


def blocks(
    chain: str, low: int, high: int, bounds: Mapping[str, str], pool: str | None, *, newest_first: bool, limit: int
) -> BoundSql:
    """Blocks of the best chain between two heights."""
    sql = f"""SELECT {BLOCK_COLUMNS}
FROM blocks
WHERE chain = {{chain:String}} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
  AND time >= {{start:{_MOMENT}}} AND time < {{end:{_MOMENT}}} AND time <= {{as_of:{_MOMENT}}}{
        "" if pool is None else " AND pool = {pool:String}"
    }
ORDER BY height{" DESC" if newest_first else ""}
LIMIT {{limit:UInt32}}"""  # noqa: S608 - constant names
    values: dict[str, Any] = {"chain": chain, "low": low, "high": high, **bounds, "limit": limit}
    return BoundSql(sql, values if pool is None else {**values, "pool": pool})


def time_windows(
    keys: Mapping[str, Any], low: int, high: int, bounds: Mapping[str, str], *, newest_first: bool, limit: int
) -> BoundSql:
    """The stored hours of one series of windows of time between two heights."""
    sql = f"""SELECT {TIME_WINDOW_COLUMNS}
FROM time_windows
WHERE chain = {{chain:String}} AND view = {{view:String}} AND span_days = {{days:UInt16}}
  AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
  AND time >= {{start:{_MOMENT}}} AND time < {{end:{_MOMENT}}} AND time <= {{as_of:{_MOMENT}}}
ORDER BY height{" DESC" if newest_first else ""}
LIMIT {{limit:UInt32}}"""  # noqa: S608 - constant names
    return BoundSql(sql, {**keys, "low": low, "high": high, **bounds, "limit": limit})


def windows(
    metrics: Sequence[str], chain: str, view: str | None, height: int | None, *, after: tuple[int, int], limit: int
) -> BoundSql:
    """Every window of a chain at its newest block, or at one height. `after`: length and view of the last row of the page before.

    Metrics are names of specs and stand in the text. A chain without that height has no row.
    """
    columns = ", ".join((WINDOW_COLUMNS, *metrics))
    stored = narrowest_view(metrics)
    newest = f"latest_{stored.removeprefix('concentration_')}"
    sql = f"""SELECT {columns}
FROM {newest if height is None else stored}
WHERE chain = {{chain:String}} AND ({{view:String}} = '' OR toString(view) = {{view:String}})
  AND (toInt64(window_blocks), toInt64(view)) > ({{after_window:Int64}}, {{after_view:Int64}}){
        "" if height is None else " AND height = {height:UInt32}"
    }
ORDER BY window_blocks, view
LIMIT {{limit:UInt32}}"""  # noqa: S608 - names of the specs only
    values: dict[str, Any] = {"chain": chain, "view": view or "", "after_window": after[0], "after_view": after[1]}
    return BoundSql(sql, {**values, **({} if height is None else {"height": height}), "limit": limit})


def pools(keys: Mapping[str, Any], height: int | None, after: int, limit: int) -> BoundSql:
    """The largest pools of one window, at most six, largest first. `after`: rank of the last row of the page before."""
    sql = f"""SELECT w.rank AS rank, w.pool AS pool, if(empty(p.name), w.pool, p.name) AS name,
    w.blocks AS blocks, w.blocks / w.n AS share, w.n AS n, w.unknown AS unknown,
    w.height AS height, w.time AS time, w.attribution_id AS attribution_id
FROM
(
    SELECT attribution_id, n, unknown, height, time, leader.1 AS pool, leader.2 AS blocks, rank
    FROM {"latest_shares" if height is None else "concentration_shares"}
    ARRAY JOIN leaders AS leader, arrayEnumerate(leaders) AS rank
    WHERE chain = {{chain:String}} AND view = {{view:String}} AND window_blocks = {{window:UInt16}}{
        "" if height is None else " AND height = {height:UInt32}"
    }
) AS w
LEFT JOIN (SELECT attribution_id, slug, name FROM pool_names WHERE view = {{view:String}}) AS p
    ON w.attribution_id = p.attribution_id AND w.pool = p.slug
WHERE w.rank > {{after:UInt32}}
ORDER BY w.rank
LIMIT {{limit:UInt32}}"""  # noqa: S608 - constant names
    return BoundSql(sql, {**keys, **({} if height is None else {"height": height}), "after": after, "limit": limit})


def alerts(
    *,
    rule: str | None,
    state: str | None,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    every_step: bool,
    after: tuple[int, str, int] | None,
    limit: int,
) -> BoundSql:
    """Alerts by their latest step recorded by `as_of`, or each step; newest first. `after`: milliseconds, alert and step."""
    sql = f"""SELECT {ALERT_COLUMNS}
FROM
(
    SELECT * FROM alert_events
    WHERE recorded_at <= {{as_of:{_MOMENT}}} AND ({{rule:String}} = '' OR rule_id = {{rule:String}})
    ORDER BY alert_id, sequence DESC{"" if every_step else " LIMIT 1 BY alert_id"}
)
WHERE event_time >= {{start:{_MOMENT}}} AND event_time < {{end:{_MOMENT}}} AND ({{state:String}} = '' OR state = {{state:String}})
  AND (toInt64(toUnixTimestamp64Milli(event_time)), alert_id, toInt64(sequence))
    < ({{after_ms:Int64}}, {{after_id:String}}, {{after_sequence:Int64}})
ORDER BY event_time DESC, alert_id DESC, sequence DESC
LIMIT {{limit:UInt32}}"""  # noqa: S608 - constant names
    after_ms, after_id, after_sequence = after or (1 << 52, "", 0)
    place = {"after_ms": after_ms, "after_id": after_id, "after_sequence": after_sequence}
    chosen = {"rule": rule or "", "state": state or ""}
    return BoundSql(sql, {**time_bounds(start, end, as_of), **chosen, **place, "limit": limit})


def releases(
    *,
    series: str | None,
    kind: str | None,
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    current: bool,
    after: tuple[int, str] | None,
    limit: int,
) -> BoundSql:
    """Releases by publication, newest first. `current`: only the one that stood for its period at `as_of`."""
    standing = """
      AND coverage = 'full'
    ORDER BY published_at DESC, release_id DESC
    LIMIT 1 BY series, kind, period_start, period_end"""
    sql = f"""SELECT {RELEASE_COLUMNS}
FROM
(
    SELECT * FROM releases_all
    WHERE published_at <= {{as_of:{_MOMENT}}} AND (withdrawn_at IS NULL OR withdrawn_at > {{as_of:{_MOMENT}}})
      AND ({{series:String}} = '' OR series = {{series:String}}) AND ({{kind:String}} = '' OR kind = {{kind:String}}){
        standing if current else ""
    }
)
WHERE published_at >= {{start:{_MOMENT}}} AND published_at < {{end:{_MOMENT}}}
  AND (toInt64(toUnixTimestamp64Milli(published_at)), release_id) < ({{after_ms:Int64}}, {{after_id:String}})
ORDER BY published_at DESC, release_id DESC
LIMIT {{limit:UInt32}}"""  # noqa: S608 - constant names
    after_ms, after_id = after or (1 << 52, "")
    chosen = {"series": series or "", "kind": kind or ""}
    place = {"after_ms": after_ms, "after_id": after_id}
    return BoundSql(sql, {**time_bounds(start, end, as_of), **chosen, **place, "limit": limit})


def time_bounds(start: datetime | None, end: datetime | None, as_of: datetime | None) -> dict[str, str]:
    """`start`, `end` and `as_of` as parameters; what is not given bounds nothing."""
    moments = {"start": start or EARLIEST, "end": end or LATEST, "as_of": as_of or LATEST}
    return {name: clickhouse_moment(moment) for name, moment in moments.items()}
