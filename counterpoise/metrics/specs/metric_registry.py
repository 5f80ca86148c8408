"""Every metric, found in the files of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from counterpoise.metrics import specs as folder
from counterpoise.metrics.spec import GROUPS, Group, MetricSpec


def _found() -> Iterator[MetricSpec]:
    for module in pkgutil.iter_modules(folder.__path__):
        name = f"{folder.__name__}.{module.name}"
        if name != __name__:
            yield from importlib.import_module(name).SPECS


def register(specs: Iterable[MetricSpec]) -> Mapping[str, MetricSpec]:
    """Specs by name in the order of their `order`.

    ValueError where two share a name or a place, or one names a metric that is not there.
    """
    ordered = sorted(specs, key=lambda spec: spec.order)
    by_name: dict[str, MetricSpec] = {}
    places: dict[int, str] = {}
    for spec in ordered:
        if spec.name in by_name:
            raise ValueError(f"two metrics are named {spec.name}")
        if spec.order in places:
            raise ValueError(f"metrics {places[spec.order]} and {spec.name} have the same order, {spec.order}")
        by_name[spec.name], places[spec.order] = spec, spec.name
    for spec in ordered:
        for other in (spec.upper, *(spec.interval or ())):
            if other is not None and other not in by_name:
                raise ValueError(f"metric {spec.name} names {other}, which no file defines")
    return MappingProxyType(by_name)


SPECS: Final[Mapping[str, MetricSpec]] = register(_found())
"""Every metric by the name of its column, in the order of the views."""


def group_of(group: Group, specs: Mapping[str, MetricSpec] = SPECS) -> list[MetricSpec]:
    """The metrics of one group, in order."""
    return [spec for spec in specs.values() if spec.group == group]


def groups(specs: Mapping[str, MetricSpec] = SPECS) -> dict[Group, list[MetricSpec]]:
    """The metrics of every group."""
    return {group: group_of(group, specs) for group in GROUPS}
