"""What rules on the AI side judge by: what the current releases and the live score say. Pure; `market_look` reads it.

Nothing here changes because time passes: a value is of a release, or of a row that a new block or release made.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """A regime of the live score that is a call, from `since` (end of its first day, UTC seconds) until another one is called."""

    regime: str
    since: int


@dataclass(frozen=True, slots=True)
class PairRegime:
    """The regime of one pair: how it stands on the newest day, since when without a break, and the calls up to it, oldest first.

    `now` is `no_call` or the regime of the last of `calls`. There may have been no call for a while between two calls, or within one;
    two in a row differ.
    """

    series: str
    list_id: str
    view: str
    now: str
    now_since: int
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class YearChange:
    """A share of the newest release of a series and of the release a year before, by one include-list.

    `treatment` is that of residual buckets, empty for an edge share. `published_at` is of the newer release, in UTC seconds.
    """

    series: str
    list_id: str
    treatment: str
    release_id: str
    published_at: int
    period_end: str
    base_period_end: str
    now: float
    then: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """When the newest release of a series was published (UTC seconds), and how often one should be."""

    series: str
    published_at: int
    cadence_days: int
    lag_days: int


@dataclass(frozen=True, slots=True)
class MarketFacts:
    """Everything at one moment; empty where no release is here."""

    regimes: tuple[PairRegime, ...] = ()
    top4: tuple[YearChange, ...] = ()
    edge: tuple[YearChange, ...] = ()
    freshness: tuple[Freshness, ...] = ()
