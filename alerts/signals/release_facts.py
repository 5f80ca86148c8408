"""Facts for rules on the AI side: the current releases and the live score. Pure; `market_look` reads it.

Nothing here changes because time passes: a value is of a release, or of a row that a new block or release made.
"""

from __future__ import annotations

from dataclasses import dataclass

from counterpoise.spans import DAY_SECONDS

NO_CALL = "no_call"
CALLS = ("diverging", "converging", "both_concentrating", "both_dispersing")


@dataclass(frozen=True, slots=True)
class RegimePoint:
    """The regime of the live score at the end of a UTC day, `at` (UTC seconds, the first after that day)."""

    at: int
    regime: str

    @property
    def key(self) -> int:
        """What names the episode of a call: its time, and in the seconds after it which call it is."""
        return self.at + CALLS.index(self.regime)

    @staticmethod
    def at_of(key: int) -> int:
        """The time in a key."""
        return key - key % DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Score:
    """The newest live row of a pair: both layers, the day it speaks of, the envelope of L over the residual treatments, its
    widest 95 % interval, in doublings, and what it rests on. `published_at` is of the release, in UTC seconds."""

    ai_layer: str
    mining_layer: str
    day: str
    l_min: float
    l_max: float
    low: float
    high: float
    gap: str
    tip_height: int
    period_end: str
    published_at: int


@dataclass(frozen=True, slots=True)
class PairRegime:
    """One pair: the days on which its regime became another than the day before's, oldest first, and its newest row.

    Whole days decide, because regimes are calibrated for one evaluation per day. Only a regime that a release made, one since
    the last whole day, does not wait for its day to be over: the last point is then of the end of that day, after
    `whole_until`, and rests on the row at the tip. `whole_until` is the end of the newest whole day.
    """

    series: str
    list_id: str
    view: str
    points: tuple[RegimePoint, ...]
    whole_until: int
    score: Score

    @property
    def now(self) -> RegimePoint:
        """How it stands, since when without a break."""
        return self.points[-1]

    @property
    def calls(self) -> tuple[RegimePoint, ...]:
        """The points at which another regime was called than was called last, whatever break there was in between."""
        found: list[RegimePoint] = []
        for point in self.points:
            if point.regime != NO_CALL and (not found or found[-1].regime != point.regime):
                found.append(point)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class YearChange:
    """A share of the newest release of a series and of the release a year before, by one include-list.

    `treatment` is that of residual buckets, empty for an edge share. `low` and `high` bound `now`: the wider 95 % interval of a
    top-4 share, None where the source states no uncertainty; what is unknown or missing wholly against and for the edge.
    `published_at` is of the newer release, in UTC seconds.
    """

    series: str
    list_id: str
    treatment: str
    layer: str
    release_id: str
    base_release_id: str
    published_at: int
    period_end: str
    base_period_end: str
    now: float
    then: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """When the newest release of a series was published (UTC seconds), and how often one should be."""

    series: str
    published_at: int
    cadence_days: int
    lag_days: int


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """Everything at one moment; empty without a release."""

    regimes: tuple[PairRegime, ...] = ()
    top4: tuple[YearChange, ...] = ()
    edge: tuple[YearChange, ...] = ()
    freshness: tuple[Freshness, ...] = ()
