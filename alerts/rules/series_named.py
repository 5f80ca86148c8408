"""Whether a series and its include-list, named by a rule, exist and fit it. Pure: reads the shipped catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from alerts.rules.rule import Unfit
from counterpoise.series.catalogue import Series
from counterpoise.series.load import load_catalogue


def is_any(_series: Series) -> bool:
    """Every series of the catalogue."""
    return True


def pairs_with_mining(series: Series) -> bool:
    """Whether a regime against mining is calculated for it."""
    return series.pairs_with_mining


def has_owners(series: Series) -> bool:
    """Whether it counts what owners have; a forecast does not."""
    return series.kind == "measured"


def has_edge_share(series: Series) -> bool:
    """Whether some of what it counts has its place at the edge."""
    return any(entry.venue in ("device", "edge") for one in series.lists for entry in one.entries)


def names_of_series(fits: Callable[[Series], bool], *also: str) -> Callable[[dict[str, Any]], None]:
    """What adds the names that fit to the JSON Schema of a field."""

    def add(schema: dict[str, Any]) -> None:
        schema["enum"] = [*also, *_fitting(fits)]

    return add


def _fitting(fits: Callable[[Series], bool]) -> tuple[str, ...]:
    return tuple(one.series for one in load_catalogue() if fits(one))


def unfit_series(series: str, list_id: str = "", *, fits: Callable[[Series], bool], wanted: str) -> Iterator[Unfit]:
    """What is wrong with the fields `series` and `list_id`; `wanted` names what fits. An empty name means no particular one."""
    if not series:
        return
    names = _fitting(fits)
    if series not in names:
        yield Unfit("series", series, f"{wanted}: {', '.join(names)}", among=names)
        return
    lists = tuple(one.id for one in load_catalogue()[series].lists)
    if list_id and list_id not in lists:
        yield Unfit("list_id", list_id, f"an include-list of {series}: {', '.join(lists)}", ("series",), lists)
