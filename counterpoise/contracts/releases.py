"""An edge-AI market fact: a release, a complete snapshot of a distribution over owners for one period.

A release travels as 1…N chunks, in any order and any number of times, and is scored only when all have arrived. Its id is the hash of
its content (`counterpoise.series.release`), so a chunk can be checked against its own name.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from counterpoise.contracts.base import RULES, Contract, Slug, UnixMillis

RELEASE_KIND = "release"
"""The kind of an envelope of ReleaseEvents."""

MAX_OBSERVATIONS = 5_000
"""Observations in one chunk."""

MAX_CHUNKS = 10_000

Layer = Literal["ownership", "serving", "developer_pull", "device_capacity", "market_size", "location", "miner_pivot"]
Venue = Literal["device", "edge", "on_premises", "regional_cloud", "hyperscale", "unknown"]
Kind = Literal["measured", "forecast"]
Coverage = Literal["full", "partial"]

VENUES: tuple[Venue, ...] = get_args(Venue)


def _calendar_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_calendar_day)]
"""A calendar day, YYYY-MM-DD, UTC."""

ReleaseId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a release's content, 64 lower-case hexadecimal digits."""

Amount = Annotated[float, Field(ge=0, le=1e50)]
"""Not negative, and so bounded that sums of squares stay finite."""


@dataclass(frozen=True, slots=True, kw_only=True, config=RULES)
class Observation:
    """One owner's part. `value` is in the release's unit, never negative; p5 and p95 where the source has them.

    `residual` marks a bucket that is no single owner ("Other", an anonymous country): it is never ranked as one. `part` names the
    table, chip maker or segment of the source that the value comes from; values of one owner add up over parts. `item` is what is
    owned or offered: a chip maker's chips, a model that several providers serve. (owner, venue, part, item) is unique in a release.
    An owner that the source does not list has no observation; it is not zero.
    """

    owner: Annotated[str, Field(min_length=1, max_length=200)]
    venue: Venue = "unknown"
    value: Amount
    value_p5: Amount | None = None
    value_p95: Amount | None = None
    residual: bool = False
    part: Annotated[str, Field(max_length=200)] = ""
    item: Annotated[str, Field(max_length=200)] = ""

    def __post_init__(self) -> None:
        low, high = self.value_p5, self.value_p95
        if low is None or high is None:
            if low is not high:
                raise ValueError("value_p5 and value_p95 come together or not at all")
        elif low > high:
            raise ValueError("value_p5 is above value_p95")


class ReleaseHead(Contract):
    """Everything about a release except its values; see `ReleaseEvent` for the fields."""

    series: Slug
    kind: Kind = "measured"
    layer: Layer
    unit: Annotated[str, Field(min_length=1, max_length=64)]
    period_start: Day
    period_end: Day
    published_at_ms: UnixMillis
    source: Annotated[str, Field(min_length=1, max_length=500)]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    coverage: Coverage = "full"
    coverage_note: Annotated[str, Field(max_length=500)] = ""
    method: Annotated[str, Field(max_length=200)] = ""
    cutoff: Amount | None = None

    @model_validator(mode="after")
    def _period_in_order(self) -> Self:
        if self.period_start > self.period_end:
            raise ValueError("period_start is after period_end")
        return self


class ReleaseEvent(ReleaseHead):
    """A chunk of a release, or its withdrawal. `chunk` counts from 0 to `chunks` − 1.

    kind       keeps forecasts apart: no live score reads one
    period     first and last day of the values; a stock (chips owned) is that of `period_end`
    published  when the source published this release; not when we fetched it
    coverage   `partial` if the source, or the catalogue's rule for it, marks the period as incomplete;
               `coverage_note` names the missing parts. A partial release is kept and never scored
    method     how the source counted, in its own words; a comparison of two releases of different methods names it
    cutoff     the source lists nothing below this value: an owner that is absent has less, not nothing
    withdrawn  takes the release of this id back from `withdrawn_at_ms` on, permanently; it carries no observations
    """

    release_id: ReleaseId
    chunk: Annotated[int, Field(ge=0, le=MAX_CHUNKS - 1)] = 0
    chunks: Annotated[int, Field(ge=1, le=MAX_CHUNKS)] = 1
    withdrawn: bool = False
    withdrawn_at_ms: UnixMillis | None = None
    observations: Annotated[tuple[Observation, ...], Field(max_length=MAX_OBSERVATIONS, strict=False)] = ()

    @model_validator(mode="after")
    def _holds_together(self) -> ReleaseEvent:
        if self.chunk >= self.chunks:
            raise ValueError(f"chunk {self.chunk} of {self.chunks}: chunks count from 0")
        if self.withdrawn != (self.withdrawn_at_ms is not None):
            raise ValueError("withdrawn and withdrawn_at_ms come together or not at all")
        if self.withdrawn and (self.observations or self.chunks != 1):
            raise ValueError("a withdrawal carries no observations and is one chunk")
        return self
