"""Content of a report, read from ClickHouse by named queries. The only part of the package that asks anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Final

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.metrics.beta_table import top_share_posterior
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.windows import USUAL_WINDOW_BLOCKS, VIEWS
from desk.asker import Asker
from desk.question import Row
from desk.report.gap_sentence import GapRow
from desk.report.report_model import (
    DeadLetters,
    EdgePoint,
    Episode,
    MiningNow,
    PoolShare,
    Report,
    RuleLine,
    SeriesAge,
    SharePoint,
)

GAP_SERIES: Final = "epoch-ai-compute-owners"
EDGE_SERIES: Final = "pypi-edge-share"
EPOCH: Final = date(1970, 1, 1)

_NEWEST: Final = "SELECT max(time) FROM latest_concentration WHERE chain = {chain:String}"
_MIGRATION: Final = "SELECT max(number) FROM migrations_log"


def gather(
    clickhouse: ClickHouse,
    *,
    dataset: str,
    kind: str,
    chain: str,
    made_at: datetime,
    line: RuleLine | None,
    since: date | timedelta | None = None,
) -> Report:
    """Read the whole content of a report. What is not there yet is empty; see `Report`.

    `since` leaves out what is older in every history: a day, or so long before the newest block. `line` is the rule that is
    drawn; without one the report is about pools and windows of USUAL_WINDOW_BLOCKS.
    """
    asker = Asker(clickhouse, dataset)
    window = line.window_blocks if line else USUAL_WINDOW_BLOCKS
    view = line.view if line else VIEWS[0]
    start = _start(clickhouse, chain, since)
    first_day = start.date() if start else EPOCH
    now = {name: mining_now(asker, name, chain, window) for name in VIEWS}
    return Report(
        dataset=dataset,
        kind=kind,
        chain=chain,
        made_at=made_at,
        since=start,
        product_version=version("counterpoise"),
        clickhouse_version=str(clickhouse.query("SELECT version()")[0][0]),
        migration=f"{clickhouse.query(_MIGRATION)[0][0]:04d}",
        line=line,
        window_blocks=window,
        view=view,
        now={name: found for name, found in now.items() if found is not None},
        shares=_shares(asker, chain, view, window, start),
        leaders={name: leading_pools(asker, chain, found) for name, found in now.items() if found is not None},
        gap_series=GAP_SERIES,
        gap_rows=_gap(asker, chain),
        edge_series=EDGE_SERIES,
        edge=_edge(asker, first_day),
        episodes=_episodes(asker, chain, start),
        series=[SeriesAge(**row) for row in asker.ask("series", "series_age")],
        dead_letters=_dead_letters(asker),
        questions=asker.questions,
    )


def _start(clickhouse: ClickHouse, chain: str, since: date | timedelta | None) -> datetime | None:
    if isinstance(since, timedelta):
        newest: datetime = clickhouse.query(_NEWEST, {"chain": chain})[0][0]
        beginning = datetime(1970, 1, 1, tzinfo=UTC)
        return newest - since if since < newest - beginning else beginning
    return datetime(since.year, since.month, since.day, tzinfo=UTC) if since else None


def mining_now(asker: Asker, view: str, chain: str, window: int, height: int | None = None) -> MiningNow | None:
    """The newest window of a view, or the one that ends at `height`; None where it is not scored."""
    topic = "now" if view == VIEWS[0] else f"now-{view}"
    if height is None:
        rows = asker.ask(topic, "concentration_now", view=view)
    else:
        rows = asker.ask(topic, "concentration_at", chain=chain, view=view, height=height)
    for row in rows:
        if (row["chain"], row["window_blocks"]) == (chain, window):
            return MiningNow(
                view=view,
                window_blocks=window,
                height=row["height"],
                time=row["time"],
                blocks=row["n"],
                unknown=row["unknown"],
                pools_seen=row["pools_seen"],
                top4=row["top4_share"],
                top4_upper=row["top4_share_upper"],
                top4_low=row["top4_share_low"],
                top4_high=row["top4_share_high"],
                p_above_75=row["p_top4_above_75"],
                hhi_points=row["hhi_10000"],
                effective_pools=row["effective_pools_d2"],
                nakamoto_half=row["nakamoto_half"],
                provisional=row["provisional"],
                attribution_id=row["attribution_id"],
            )
    return None


def _shares(asker: Asker, chain: str, view: str, window: int, start: datetime | None) -> list[SharePoint]:
    given: dict[str, object] = {"chain": chain, "view": view, "window": window}
    if start is not None:
        given["since"] = f"{start:%Y-%m-%d %H:%M:%S}"
    return [share_point(row) for row in asker.ask("shares", "share_over_time", **given)]


def share_point(row: Row) -> SharePoint:
    """A stretch as the named queries of shares give it; those by day have no unknown blocks (NaN)."""
    return SharePoint(
        row["to_height"],
        row["to_time"],
        row["share"],
        row["low"],
        row["high"],
        row["lowest"],
        row["highest"],
        row.get("unknown_ratio", float("nan")),
    )


def leading_pools(asker: Asker, chain: str, now: MiningNow, height: int | None = None) -> list[PoolShare]:
    """The largest pools of that window, at most six, each with the interval of its share. `height` as for `mining_now`."""
    given: dict[str, object] = {"view": now.view, "window": now.window_blocks}
    if height is None:
        rows = asker.ask(f"leaders-{now.view}", "top_pools_now", **given)
    else:
        rows = asker.ask(f"leaders-{now.view}", "top_pools_at", chain=chain, height=height, **given)
    here = [row for row in rows if row["chain"] == chain]
    posterior = top_share_posterior(now.blocks, [row["blocks"] for row in here], now.pools_seen, 1, 0.5)
    return [
        PoolShare(row["name"], row["pool"], row["blocks"], row["share"], float(low), float(high))
        for row, (low, high, _) in zip(here, posterior, strict=True)
    ]


def gap_rows(clickhouse: ClickHouse, chain: str) -> list[GapRow]:
    """Both sides at the ends of quarters and at the tip, as far as they are scored."""
    return _gap(Asker(clickhouse, clickhouse.database), chain)


def edge_points(clickhouse: ClickHouse) -> dict[str, list[EdgePoint]]:
    """The edge share by every include-list, each by day."""
    return _edge(Asker(clickhouse, clickhouse.database), date.min)


def _gap(asker: Asker, chain: str) -> list[GapRow]:
    return [GapRow(*row.values()) for row in asker.ask("gap", "gap_by_quarter", series=GAP_SERIES, chain=chain)]


def _edge(asker: Asker, first_day: date) -> dict[str, list[EdgePoint]]:
    lists: dict[str, list[EdgePoint]] = {}
    for row in asker.ask("edge", "edge_share_by_list", series=EDGE_SERIES, list=""):
        if row["period_end"] >= first_day:
            lists.setdefault(row["list_id"], []).append(
                EdgePoint(row["period_end"], row["edge_share"], row["lower"], row["upper"], row["missing"])
            )
    return lists


def is_share(metric: str) -> bool:
    """Whether a rule's value can stand beside a top-4 share: a rule of another type than `metric`, or a metric in percent."""
    return not metric or (metric in SPECS and SPECS[metric].kind == "percent")


def _episodes(asker: Asker, chain: str, start: datetime | None) -> list[Episode]:
    return [
        Episode(
            rule_id=row["rule_id"],
            alert_id=row["alert_id"],
            fired_at=row["fired_at"],
            fired_height=row["fired_at_height"],
            cleared_at=row["resolved_at"],
            cleared_height=row["resolved_at_height"],
            value=row["fired_value"],
            threshold=row["fired_threshold"],
            peak_top4=row["highest_top4_share"] if is_share(row["fired_metric"]) else None,
            metric=row["fired_metric"],
            summary=row["fired_summary"],
        )
        for row in asker.ask("alerts", "firing_episodes", rule="", chain=chain)
        if start is None or row["resolved_at"] is None or row["resolved_at"] >= start
    ]


def _dead_letters(asker: Asker) -> Sequence[DeadLetters]:
    return [
        DeadLetters(row["reason"], row["service"], row["letters"], row["not_replayed"], row["last_seen"])
        for row in asker.ask("dead_letters", "dead_letter_reasons")
    ]
