"""An edge-AI market fact: a release, a complete snapshot of a distribution over owners at a period.

The model is the contract that market sources will publish; a release may arrive in chunks, and is scored only when all are here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from counterpoise.contracts.base import Contract, Slug, UnixMillis

Layer = Literal["ownership", "serving", "developer_pull", "device_capacity", "market_size", "miner_pivot"]
Venue = Literal["device", "edge", "on_premises", "regional_cloud", "hyperscale", "unknown"]
Day = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class Observation(Contract):
    """One owner's part. `value` is in the release's unit, never negative; p5 and p95 where the source has them.

    `residual` marks a bucket that is no single owner ("Other", an anonymous country): it is never ranked as one.
    """

    owner: Annotated[str, Field(min_length=1, max_length=200)]
    venue: Venue = "unknown"
    value: Annotated[float, Field(ge=0)]
    value_p5: Annotated[float, Field(ge=0)] | None = None
    value_p95: Annotated[float, Field(ge=0)] | None = None
    residual: bool = False

    @model_validator(mode="after")
    def _interval_holds_together(self) -> Observation:
        if (self.value_p5 is None) != (self.value_p95 is None):
            raise ValueError("value_p5 and value_p95 come together or not at all")
        if self.value_p5 is not None and self.value_p95 is not None and self.value_p5 > self.value_p95:
            raise ValueError("value_p5 is above value_p95")
        return self


class ReleaseEvent(Contract):
    """A chunk of a release. `release_id` names the release; `chunk` counts from 0 to `chunks` − 1.

    `kind` keeps forecasts apart: no live score reads one. `withdrawn` takes an earlier release of the same id back.
    """

    series: Slug
    release_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16,64}$")]
    kind: Literal["measured", "forecast"] = "measured"
    layer: Layer
    unit: Annotated[str, Field(min_length=1, max_length=64)]
    period_start: Day
    period_end: Day
    published_at_ms: UnixMillis
    source: Annotated[str, Field(min_length=1, max_length=500)]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    chunk: Annotated[int, Field(ge=0, le=9_999)] = 0
    chunks: Annotated[int, Field(ge=1, le=10_000)] = 1
    withdrawn: bool = False
    observations: Annotated[tuple[Observation, ...], Field(max_length=5_000, strict=False)] = ()

    @model_validator(mode="after")
    def _chunk_in_range(self) -> ReleaseEvent:
        if self.chunk >= self.chunks:
            raise ValueError(f"chunk {self.chunk} of {self.chunks}: chunks count from 0")
        if self.period_start > self.period_end:
            raise ValueError("period_start is after period_end")
        return self
