"""What is pushed: a whole release, as its sender knows it; ids and chunks are made here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from counterpoise.contracts.base import Contract
from counterpoise.contracts.releases import Observation, ReleaseHead
from counterpoise.series.release import Head, Release, make_release

MAX_PUSHED_OBSERVATIONS = 100_000
"""In one request; its size in bytes has a limit of its own."""


class ReleaseDocument(ReleaseHead):
    """One complete release: every owner that the source names for this period, and nothing of another period.

    The same content again is the same release: send it again after any doubt. With `withdrawn`, the release of exactly this content
    is taken back for good.
    """

    withdrawn: bool = False
    observations: Annotated[
        tuple[Observation, ...], Field(min_length=1, max_length=MAX_PUSHED_OBSERVATIONS, strict=False)
    ]

    def release(self) -> Release:
        """The release; ValueError where two observations are of the same owner, venue, part and item."""
        head = Head(**{name: getattr(self, name) for name in Head.__slots__})
        return make_release(head, self.observations)


class Accepted(Contract):
    """The release is on disk here and will be published until ClickHouse holds it."""

    release_id: str
    series: str
    chunks: int
    observations: int
    duplicate: bool
    """Whether this content was here already."""
    status: Literal["accepted"] = "accepted"


class FieldProblem(Contract):
    """What is wrong with one field, named by its path (`observations.3.value`)."""

    field: str
    message: str


class Refused(Contract):
    """Why nothing was accepted: a stable slug, one sentence, and the fields concerned."""

    error: str
    message: str
    fields: tuple[FieldProblem, ...] = Field(default=(), strict=False)
