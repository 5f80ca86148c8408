"""Hold a release against the catalogue before it is accepted: the sender can still mend it, a dead letter cannot."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoise.series.catalogue import Catalogue
from counterpoise.series.release import Head


@dataclass(frozen=True, slots=True)
class HeadProblem:
    """A field of a release's head that does not fit its series."""

    field: str
    message: str


FIRST_DAY = "1900-01-01"
LAST_DAY = "2299-12-31"
"""What the tables can hold."""

_AHEAD_MS = 86_400_000
"""Clocks and time zones differ; a day is enough for both."""


def time_problem(head: Head, now_ms: int) -> HeadProblem | None:
    """What is wrong with a release's days and publication; None where they can be.

    A publication in the future would be the latest of its period until then.
    """
    for field in ("period_start", "period_end"):
        day = getattr(head, field)
        if not FIRST_DAY <= day <= LAST_DAY:
            return HeadProblem(field, f"{day} is not between {FIRST_DAY} and {LAST_DAY}")
    if head.published_at_ms > now_ms + _AHEAD_MS:
        return HeadProblem("published_at_ms", f"{head.published_at_ms} is more than a day in the future")
    return None


def head_problem(catalogue: Catalogue, head: Head) -> HeadProblem | None:
    """What the catalogue has against a release; None where it fits."""
    if head.series not in catalogue:
        return HeadProblem("series", f"{head.series!r} is not in the catalogue; it has {', '.join(catalogue.series)}")
    series = catalogue[head.series]
    for field in ("layer", "unit", "kind"):
        given, expected = getattr(head, field), getattr(series, field)
        if given != expected:
            return HeadProblem(field, f"{given!r}, but series {head.series} is of {field} {expected!r}")
    return None
