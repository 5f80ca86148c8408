"""Content of a report, as values: filled by `desk.report.gather`, drawn by the rest of the package. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from desk.question import Question
from desk.report.gap_sentence import GapRow


@dataclass(frozen=True, slots=True)
class RuleLine:
    """The alert rule whose line the report draws: fires above `above`, clears below `clear_below`, both shares of 0 to 1."""

    rule_id: str
    title: str
    view: str
    window_blocks: int
    above: float
    clear_below: float
    for_blocks: int


@dataclass(frozen=True, slots=True)
class MiningNow:
    """The newest scored window of one view. Shares are 0 to 1; unknown blocks are in `blocks` and in no pool."""

    view: str
    window_blocks: int
    height: int
    time: datetime
    blocks: int
    unknown: int
    pools_seen: int
    top4: float
    top4_upper: float
    top4_low: float
    top4_high: float
    p_above_75: float
    hhi_points: float
    effective_pools: float
    nakamoto_half: int
    """0 where all known pools together have no majority."""
    provisional: bool
    attribution_id: str


@dataclass(frozen=True, slots=True)
class SharePoint:
    """The top-4 share at the end of a stretch of heights, and how far it went inside the stretch."""

    height: int
    time: datetime
    share: float
    low: float
    high: float
    lowest: float
    highest: float
    unknown: float


@dataclass(frozen=True, slots=True)
class PoolShare:
    """One of the largest pools (or entities) of a window, with the 95 % interval of its share."""

    name: str
    slug: str
    blocks: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EdgePoint:
    """The edge share of a period by one include-list, with the bounds that missing packages and unknown venues leave."""

    period_end: date
    share: float
    lower: float
    upper: float
    missing: int


@dataclass(frozen=True, slots=True)
class Episode:
    """A time that an alert fired. `cleared_at` is None while it fires; `peak_top4` is of the alert's own view and window.

    `metric` is the one that `value` and `threshold` are of; empty for a rule of another type.
    """

    rule_id: str
    alert_id: str
    fired_at: datetime
    fired_height: int | None
    cleared_at: datetime | None
    cleared_height: int | None
    value: float | None
    threshold: float | None
    peak_top4: float | None
    summary: str
    metric: str = ""


@dataclass(frozen=True, slots=True)
class SeriesAge:
    """How old and how complete the newest release of a market series is. None: there was never a release, or it does not apply."""

    series: str
    layer: str
    period_end: date | None
    published_at: datetime | None
    age_days: float | None
    stale: bool
    list_id: str
    """Include-list that the rest is counted by; empty without a release."""
    owners: int | None
    missing: int | None
    imputed: int | None
    residual_share: float | None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Events of one reason that could not be processed."""

    reason: str
    service: str
    letters: int
    not_replayed: int
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """Content of one report. Empty collections and None are "not known yet".

    since: where histories begin; None for all of them. `gap_rows` are always complete, for the sentences about them.
    questions: by plot or table: shares, pools, entities, gap, edge, alerts, series, dead_letters, now.
    """

    dataset: str
    kind: str
    chain: str
    made_at: datetime
    since: datetime | None
    product_version: str
    clickhouse_version: str
    migration: str
    line: RuleLine | None
    window_blocks: int
    view: str
    now: Mapping[str, MiningNow]
    shares: Sequence[SharePoint]
    leaders: Mapping[str, Sequence[PoolShare]]
    gap_series: str
    gap_rows: Sequence[GapRow]
    edge_series: str
    edge: Mapping[str, Sequence[EdgePoint]]
    episodes: Sequence[Episode]
    series: Sequence[SeriesAge]
    dead_letters: Sequence[DeadLetters]
    questions: Mapping[str, Question]

    @property
    def gap_history(self) -> list[GapRow]:
        """Rows of the gap from the begin of the histories on."""
        return [row for row in self.gap_rows if self.since is None or row.day >= self.since.date()]

    @property
    def firing(self) -> list[Episode]:
        """Alerts that fire now."""
        return [episode for episode in self.episodes if episode.cleared_at is None]
