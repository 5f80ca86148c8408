"""The dashboards: the desk and alerts from ClickHouse, scores and the line from Prometheus. Pure.

Queries read the newest rows, the daily table, or a range of time of one series.
"""

# ruff: noqa: S608 - constant texts; Grafana puts its variables in

from __future__ import annotations

from typing import Final

from counterpoise.contracts.alert_transition import OPEN_STATES
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.windows import RAW, USUAL_WINDOW_BLOCKS, VIEWS, WINDOWS_BLOCKS
from desk.grafana.panels import Dashboard, GrafanaPanel, Json, choice, labelled, promql, queried, sql
from desk.web.score_names import PREFIX

LINE: Final = 0.75
"""The share that the shipped rule fires above."""

_SERIES: Final = "chain = '$chain' AND view = '$view' AND window_blocks = $window"
_VARIABLES: Final[tuple[Json, ...]] = (
    queried("chain", "SELECT DISTINCT chain FROM latest_shares ORDER BY chain", "bitcoin", "Chain"),
    choice("view", VIEWS, RAW, "View"),
    choice("window", WINDOWS_BLOCKS, USUAL_WINDOW_BLOCKS, "Window in blocks"),
)
_OF: Final = "of chain $chain, view $view, window $window blocks"


def _now(metric: str, *, unit: str, decimals: int, line: float | None = None) -> GrafanaPanel:
    spec = SPECS[metric]
    statement = f"SELECT {metric} FROM latest_{spec.group} WHERE {_SERIES}"
    return GrafanaPanel(
        "stat",
        spec.title,
        f"{spec.comment}. The newest row {_OF}.",
        [sql(statement, table=True)],
        width=4,
        height=4,
        unit=unit,
        decimals=decimals,
        line=line,
    )


_DESK_PANELS: Final = (
    _now("top4_share", unit="percentunit", decimals=1, line=LINE),
    _now("top4_share_upper", unit="percentunit", decimals=1, line=LINE),
    _now("p_top4_above_75", unit="percentunit", decimals=1),
    _now("effective_pools_d2", unit="short", decimals=2),
    _now("nakamoto_half", unit="short", decimals=0),
    GrafanaPanel(
        "stat",
        "age of the tip",
        "Time since the header time of the newest scored block of the chain.",
        [
            sql(
                "SELECT dateDiff('second', max(time), now64(3, 'UTC')) AS age FROM latest_shares WHERE chain = '$chain'",
                table=True,
            )
        ],
        width=4,
        height=4,
        unit="s",
        line=7_200,
    ),
    GrafanaPanel(
        "timeseries",
        "Share of the 4 largest, with its 95 % interval",
        f"At the last block of each interval, {_OF}. The lower bound: no unknown block is theirs.",
        [
            sql(
                "SELECT $__timeInterval(c.time) AS time, argMax(c.top4_share, c.height) AS share, "
                "argMax(c.top4_share_low, c.height) AS low, argMax(c.top4_share_high, c.height) AS high "
                f"FROM concentration_shares AS c WHERE {_SERIES} AND window_full AND $__timeFilter(c.time) "
                "GROUP BY $__timeInterval(c.time) ORDER BY $__timeInterval(c.time)"
            )
        ],
        unit="percentunit",
        line=LINE,
    ),
    GrafanaPanel(
        "timeseries",
        "Share of the 4 largest: pools and entities",
        "Both views at the end of each UTC day, from the daily table.",
        [
            sql(
                "SELECT toDateTime(c.day, 'UTC') AS time, anyIf(c.last, c.view = 'raw') AS pools, "
                "anyIf(c.last, c.view = 'entity') AS entities FROM concentration_daily AS c WHERE chain = '$chain' "
                "AND window_blocks = $window AND metric = 'top4_share' AND $__dateFilter(c.day) GROUP BY c.day ORDER BY c.day"
            )
        ],
        line=LINE,
        unit="percentunit",
    ),
    GrafanaPanel(
        "timeseries",
        "$metric by day",
        f"Value at the end of each UTC day with the lowest and highest of the day, {_OF}.",
        [
            sql(
                "SELECT toDateTime(c.day, 'UTC') AS time, c.last AS value, c.lowest AS lowest, c.highest AS highest "
                f"FROM concentration_daily AS c WHERE {_SERIES} AND metric = '$metric' AND $__dateFilter(c.day) ORDER BY c.day"
            )
        ],
    ),
    GrafanaPanel(
        "table",
        "Largest pools",
        "The newest window of chain $chain, view $view, window $window blocks. Shares are of all blocks, unknown ones included.",
        [
            sql(
                "SELECT rank, pool, blocks, share, n, unknown, height FROM top_pools(view = '$view', window = $window) "
                "WHERE chain = '$chain' ORDER BY rank",
                table=True,
            )
        ],
    ),
    GrafanaPanel(
        "timeseries",
        "Asymmetry L by treatment",
        "Doublings at the end of each UTC day: above 0 AI compute is more dispersed than mining. As published then (live).",
        [
            sql(
                "SELECT toDateTime(a.day, 'UTC') AS time, any(a.l_dropped) AS dropped, any(a.l_one_owner) AS one_owner, "
                "any(a.l_spread) AS spread FROM asymmetry AS a WHERE chain = '$chain' AND view = '$view' AND knowledge = 'live' "
                "AND series = 'epoch-ai-compute-owners' AND list_id = 'all-owners' AND $__dateFilter(a.day) "
                "GROUP BY a.day ORDER BY a.day"
            )
        ],
    ),
    GrafanaPanel(
        "table",
        "Asymmetry now",
        "Every pair of the chain at its tip, with its call and the age of both sides.",
        [
            sql(
                "SELECT series, list_id, chain, view, knowledge, level, gap, regime, l_min, l_max, ai_age_days, mining_age_days "
                "FROM latest_asymmetry WHERE chain = '$chain' ORDER BY series, list_id, view, knowledge",
                table=True,
            )
        ],
    ),
    GrafanaPanel(
        "table",
        "Sequential detectors now",
        "Whether each fires after the newest block. Evidence of 1 would end the present state. Promise: years between false alarms.",
        [
            sql(
                "SELECT detector, promise_years, firing, evidence, height FROM detectors WHERE chain = '$chain' AND view = '$view' "
                "AND height = (SELECT max(height) FROM latest_concentration WHERE chain = '$chain') ORDER BY detector, promise_years",
                table=True,
            )
        ],
    ),
    GrafanaPanel(
        "timeseries",
        "Daily forecasts of the four leaders, and what came",
        "Their share of the next 1,008 blocks with its 95 % interval, and the share that they had.",
        [
            sql(
                "SELECT f.time AS time, f.share AS forecast, f.low AS low, f.high AS high, f.outcome AS came "
                "FROM share_forecasts AS f WHERE f.chain = '$chain' AND f.view = '$view' AND $__timeFilter(f.time) ORDER BY f.time"
            )
        ],
        unit="percentunit",
    ),
)

_ALERT_PANELS: Final = (
    GrafanaPanel(
        "stat",
        "firing now",
        "Alerts whose newest step is firing.",
        [sql("SELECT countIf(state = 'firing') AS firing FROM alerts", table=True)],
        width=6,
        height=4,
        line=1,
    ),
    GrafanaPanel(
        "stat",
        "open now",
        "Alerts that are possible, pending, firing, rebased or in error.",
        [
            sql(
                f"SELECT countIf(state IN {OPEN_STATES}) AS open FROM alerts",
                table=True,
            )
        ],
        width=6,
        height=4,
    ),
    GrafanaPanel(
        "timeseries",
        "Steps of alerts by state",
        "Transitions of all alerts in each interval, by the state that they led to.",
        [
            sql(
                "SELECT $__timeInterval(e.event_time) AS time, toString(e.state) AS state, count() AS steps FROM alert_events AS e "
                "WHERE $__timeFilter(e.event_time) GROUP BY $__timeInterval(e.event_time), e.state "
                "ORDER BY $__timeInterval(e.event_time)"
            )
        ],
        width=12,
        height=4,
    ),
    GrafanaPanel(
        "table",
        "Open alerts",
        "The newest step of each alert that is open, with its line and bounds.",
        [
            sql(
                "SELECT event_time, rule_id, state, chain, view, window_blocks, value, value_high, threshold, summary, alert_id "
                f"FROM alerts WHERE state IN {OPEN_STATES} ORDER BY event_time DESC LIMIT 200",
                table=True,
            )
        ],
        width=24,
    ),
    GrafanaPanel(
        "table",
        "Steps in the time range",
        "Every transition, newest first, with the SQL that computes its value again.",
        [
            sql(
                "SELECT event_time, rule_id, state, previous_state, reason, chain, height, value, threshold, summary, alert_id, "
                "sequence, reproduce_sql FROM alert_events WHERE $__timeFilter(event_time) ORDER BY event_time DESC, alert_id, "
                "sequence DESC LIMIT 500",
                table=True,
            )
        ],
        width=24,
        height=10,
    ),
)


def _score(metric: str, unit: str, line: float | None = None) -> GrafanaPanel:
    spec = SPECS[metric]
    labels = 'chain="$chain",window_blocks="$window"'
    targets = [promql(f"{PREFIX}{metric}{{{labels}}}", "{{view}}")]
    if spec.upper is not None:
        targets.append(promql(f"{PREFIX}{spec.upper}{{{labels}}}", "{{view}}, upper bound", name="B"))
    return GrafanaPanel("timeseries", spec.title, f"{spec.comment}.", targets, unit=unit, line=line)


_SCORE_PANELS: Final = (
    _score("top4_share", "percentunit", LINE),
    _score("hhi", "short"),
    _score("nakamoto_half", "short"),
    _score("effective_pools_d2", "short"),
    GrafanaPanel(
        "timeseries",
        "Asymmetry L by treatment",
        "Doublings: above 0 AI compute is more dispersed than mining.",
        [
            promql(
                'counterpoise_gap_doublings{chain="$chain",knowledge="live"}',
                "{{series}} {{list}} {{view}} {{treatment}}",
            )
        ],
    ),
    GrafanaPanel(
        "timeseries",
        "Firing alerts by rule",
        "Alerts of the chain that fire, by rule, with those of no chain.",
        [promql('sum by (rule) (counterpoise_alerts{chain=~"$chain|",state="firing"})', "{{rule}}")],
    ),
)

_LINE_PANELS: Final = (
    GrafanaPanel(
        "stat",
        "services that work",
        "1 while the service works, 0 while it waits or has stopped.",
        [promql("counterpoise_healthy", "{{service}}", instant=True)],
        width=12,
        height=4,
    ),
    GrafanaPanel(
        "stat",
        "age of the tip",
        "Time since the header time of the newest scored block, by chain.",
        [promql("time() - counterpoise_tip_timestamp_seconds", "{{chain}}", instant=True)],
        width=6,
        height=4,
        unit="s",
        line=7_200,
    ),
    GrafanaPanel(
        "stat",
        "undelivered alerts",
        "Alerts that no receiver has accepted yet.",
        [promql("max(counterpoise_undelivered)", "undelivered", instant=True)],
        width=6,
        height=4,
        line=1,
    ),
    GrafanaPanel(
        "timeseries",
        "Events per second",
        "Events that each service finished.",
        [promql('sum by (service) (rate(counterpoise_events_total{kind="events"}[$__rate_interval]))', "{{service}}")],
        unit="ops",
    ),
    GrafanaPanel(
        "timeseries",
        "Height: sent and scored",
        "The height that ingest sent last and the one that streams scored last.",
        [
            promql("max by (chain) (counterpoise_published_height)", "sent {{chain}}"),
            promql("max by (chain) (counterpoise_last_height)", "scored {{chain}}", name="B"),
        ],
    ),
    GrafanaPanel(
        "timeseries",
        "Waits",
        "How long each service has waited, and on what. Absent while it does not wait.",
        [promql("time() - counterpoise_waiting_since_timestamp_seconds", "{{service}} on {{on}}")],
        unit="s",
    ),
    GrafanaPanel(
        "timeseries",
        "Dead letters",
        "Events that could not be read, by service.",
        [
            promql(
                'sum by (service) (increase(counterpoise_events_total{kind="dead_letters"}[$__rate_interval]))',
                "{{service}}",
            )
        ],
    ),
    GrafanaPanel(
        "timeseries",
        "Restarts within an hour",
        "Changes of the start time of each service.",
        [promql("changes(counterpoise_start_timestamp_seconds[1h])", "{{service}}")],
    ),
    GrafanaPanel(
        "timeseries",
        "Blocks without a known producer",
        "Share of unknown blocks in each window of view raw.",
        [promql('counterpoise_window_unknown_ratio{view="raw"}', "{{chain}} {{window_blocks}}")],
        unit="percentunit",
    ),
)

_METRIC: Final = queried(
    "metric",
    "SELECT DISTINCT metric FROM concentration_daily WHERE chain = '$chain' AND view = 'raw' AND window_blocks = $window "
    "ORDER BY metric",
    "hhi",
    "Metric",
)

DASHBOARDS: Final = (
    Dashboard(
        "desk",
        "Counterpoise: desk",
        "Concentration now and over time, from ClickHouse.",
        _DESK_PANELS,
        (*_VARIABLES, _METRIC),
    ),
    Dashboard(
        "alerts", "Counterpoise: alerts", "Alerts and their steps, from ClickHouse.", _ALERT_PANELS, begins="now-90d"
    ),
    Dashboard(
        "scores",
        "Counterpoise: scores",
        "Scores as the desk exports them to Prometheus.",
        _SCORE_PANELS,
        (labelled("chain", "counterpoise_tip_height", "bitcoin", "Chain"), _VARIABLES[2]),
        begins="now-7d",
    ),
    Dashboard("line", "Counterpoise: line", "Health of the services, from Prometheus.", _LINE_PANELS, begins="now-6h"),
)
"""Every dashboard, one file each in deploy/grafana/dashboards."""


def files() -> dict[str, str]:
    """Name of each file with its text."""
    return {f"{dashboard.name}.json": dashboard.text() for dashboard in DASHBOARDS}
