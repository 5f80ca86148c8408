"""Reads `MarketFacts` from the views of the AI side."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from alerts.market_facts import Call, Freshness, MarketFacts, PairRegime, YearChange
from counterpoise.clickhouse.client import ClickHouse

# The days on which the regime was another than the day before. Of whole days only: the row at the tip moves with every block.
_REGIMES: Final = """
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

_SHARES: Final = """
SELECT n.series, n.list_id, toString(n.treatment), n.release_id, toUnixTimestamp(n.published_at), toString(n.period_end),
    toString(b.period_end), n.top4, b.top4
FROM dispersion AS n
INNER JOIN (SELECT * FROM growth WHERE span = 'year') AS g
    ON n.series = g.series AND n.list_id = g.list_id AND n.release_id = g.release_id
INNER JOIN dispersion AS b
    ON b.series = g.series AND b.list_id = g.list_id AND b.release_id = g.base_release_id AND b.treatment = n.treatment
WHERE (n.series, n.period_end) IN (SELECT series, max(period_end) FROM dispersion GROUP BY series)
ORDER BY n.series, n.list_id, n.treatment
"""

_EDGES: Final = """
SELECT n.series, n.list_id, n.release_id, toUnixTimestamp(n.published_at), toString(n.period_end), toString(b.period_end),
    n.edge_share, b.edge_share
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


def gather_market(ch: ClickHouse, chain: str) -> MarketFacts:
    """Look at the views; RetryableError while ClickHouse is away."""
    freshness = tuple(Freshness(str(row[0]), *(int(value) for value in row[1:])) for row in ch.query(_FRESHNESS))
    if not freshness:
        return MarketFacts()
    rows: dict[tuple[str, str, str], list[tuple[int, str]]] = defaultdict(list)
    for series, list_id, view, at, regime in ch.query(_REGIMES, {"chain": chain}):
        rows[str(series), str(list_id), str(view)].append((int(at), str(regime)))
    return MarketFacts(
        regimes=tuple(
            PairRegime(*pair, points[-1][1], points[-1][0], calls_of(points)) for pair, points in rows.items()
        ),
        top4=tuple(YearChange(*row) for row in ch.query(_SHARES)),
        edge=tuple(YearChange(row[0], row[1], "", *row[2:]) for row in ch.query(_EDGES)),
        freshness=freshness,
    )


def calls_of(points: list[tuple[int, str]]) -> tuple[Call, ...]:
    """The calls of a pair from the points (time, regime) at which its regime changed, in order."""
    calls: list[Call] = []
    for at, regime in points:
        if regime != "no_call" and (not calls or calls[-1].regime != regime):
            calls.append(Call(regime, at))
    return tuple(calls)
