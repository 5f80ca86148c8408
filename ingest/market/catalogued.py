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
