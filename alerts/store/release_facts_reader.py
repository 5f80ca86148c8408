"""Reads `ReleaseFacts` from the views of the AI side."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from alerts.signals.release_facts import NO_CALL, Freshness, PairRegime, RegimePoint, ReleaseFacts, Score, YearChange
from counterpoise.clickhouse.client import ClickHouse

# The days on which the regime was another than the day before.
_DAYS: Final = """
SELECT series, list_id, view, at, regime
FROM
(
    SELECT series, list_id, view, toUnixTimestamp(valid_at) AS at, regime,
        lagInFrame(regime, 1, '') OVER (PARTITION BY series, list_id, view ORDER BY day ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
            AS before
    FROM asymmetry WHERE chain = {chain:String} AND knowledge = 'live'
)
WHERE regime != before
ORDER BY series, list_id, view, at
"""

# The row at the tip, where there is a whole day too, and whether it reads a release that the last whole day did not.
_TIPS: Final = """
SELECT t.series, t.list_id, t.view, t.regime, toUnixTimestamp(toDateTime(t.day + 1, 'UTC')),
    toUnixTimestamp(d.until), d.release_id != t.release_id,
    t.ai_layer, t.mining_layer, toString(t.day), t.l_min, t.l_max, least(t.low_independent, t.low_correlated),
    greatest(t.high_independent, t.high_correlated), t.gap, t.tip_height, toString(t.period_end), toUnixTimestamp(t.published_at)
FROM latest_asymmetry AS t
INNER JOIN
(
    SELECT series, list_id, view, argMax(release_id, day) AS release_id, max(valid_at) AS until FROM asymmetry
    WHERE chain = {chain:String} AND knowledge = 'live' GROUP BY series, list_id, view
) AS d ON t.series = d.series AND t.list_id = d.list_id AND t.view = d.view
WHERE t.chain = {chain:String} AND t.knowledge = 'live'
ORDER BY t.series, t.list_id, t.view
"""

_SHARES: Final = """
SELECT n.series, n.list_id, toString(n.treatment), n.layer, n.release_id, b.release_id, toUnixTimestamp(n.published_at),
    toString(n.period_end), toString(b.period_end), n.top4, b.top4, least(n.top4_low_independent, n.top4_low_correlated),
    greatest(n.top4_high_independent, n.top4_high_correlated)
FROM dispersion AS n
INNER JOIN (SELECT * FROM growth WHERE span = 'year') AS g
    ON n.series = g.series AND n.list_id = g.list_id AND n.release_id = g.release_id
INNER JOIN dispersion AS b
    ON b.series = g.series AND b.list_id = g.list_id AND b.release_id = g.base_release_id AND b.treatment = n.treatment
WHERE (n.series, n.period_end) IN (SELECT series, max(period_end) FROM dispersion GROUP BY series)
ORDER BY n.series, n.list_id, n.treatment
"""

_EDGES: Final = """
SELECT n.series, n.list_id, '', n.layer, n.release_id, b.release_id, toUnixTimestamp(n.published_at), toString(n.period_end),
    toString(b.period_end), n.edge_share, b.edge_share, n.edge_share_lower, n.edge_share_upper
FROM placement AS n
INNER JOIN (SELECT * FROM growth WHERE span = 'year') AS g
    ON n.series = g.series AND n.list_id = g.list_id AND n.release_id = g.release_id
INNER JOIN placement AS b ON b.series = g.series AND b.list_id = g.list_id AND b.release_id = g.base_release_id
WHERE n.edge_share IS NOT NULL AND b.edge_share > 0
  AND (n.series, n.period_end) IN (SELECT series, max(period_end) FROM placement GROUP BY series)
ORDER BY n.series, n.list_id
"""

_FRESHNESS: Final = """
SELECT series, toUnixTimestamp(assumeNotNull(newest_published_at)), cadence_days, lag_days
FROM series_freshness WHERE newest_published_at IS NOT NULL ORDER BY series
"""


def read_release_facts(ch: ClickHouse, chain: str) -> ReleaseFacts:
    """Read the views; RetryableError while ClickHouse is unavailable."""
    freshness = tuple(Freshness(str(row[0]), *(int(value) for value in row[1:])) for row in ch.query(_FRESHNESS))
    if not freshness:
        return ReleaseFacts()
    return ReleaseFacts(
        regimes=_regimes(ch, chain),
        top4=tuple(YearChange(*row) for row in ch.query(_SHARES)),
        edge=tuple(YearChange(*row) for row in ch.query(_EDGES)),
        freshness=freshness,
    )


def _regimes(ch: ClickHouse, chain: str) -> tuple[PairRegime, ...]:
    days: dict[tuple[str, str, str], list[RegimePoint]] = defaultdict(list)
    for series, list_id, view, at, regime in ch.query(_DAYS, {"chain": chain}):
        days[str(series), str(list_id), str(view)].append(RegimePoint(int(at), str(regime)))
    found: list[PairRegime] = []
    for series, list_id, view, regime, day_end, whole_until, released, *rest in ch.query(_TIPS, {"chain": chain}):
        points = days[str(series), str(list_id), str(view)]
        if released and regime not in (NO_CALL, points[-1].regime) and day_end > whole_until:
            points.append(RegimePoint(int(day_end), str(regime)))
        found.append(PairRegime(str(series), str(list_id), str(view), tuple(points), int(whole_until), Score(*rest)))
    return tuple(found)
