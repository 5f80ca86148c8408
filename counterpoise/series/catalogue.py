"""The catalogue: what each series measures, which owners count and why, and what a reader has to know before believing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from counterpoise.contracts.base import Contract, Slug
from counterpoise.contracts.releases import Kind, Layer, Venue
from counterpoise.errors import ConfigError

SERIES_FORMAT = "counterpoise-series/1"

Text = Annotated[str, Field(min_length=1, max_length=1_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]

Uncertainty = Literal["p5_p95", "counts", "none"]
"""Where intervals come from: the source's own quantiles; sampling, because values are counts of a sample; nowhere."""


class ListEntry(Contract):
    """An owner that counts, where it runs, and why. Without `venue` an observation keeps the one that its source gave it."""

    name: Name
    venue: Venue | None = None
    reason: Text


class Exclusion(Contract):
    """An owner of the source that does not count, and why."""

    name: Name
    reason: Text


class Alternative(Contract):
    """Another list that somebody could defend: `says` what the series would show by it."""

    name: Name
    says: Text


class IncludeList(Contract):
    """Which owners count.

    `open`: an owner that is in neither list counts as well (the source's own universe); otherwise it is left out and reported.
    """

    id: Slug
    title: Text
    open: bool = False
    entries: Annotated[tuple[ListEntry, ...], Field(min_length=1, strict=False)]
    excluded: Annotated[tuple[Exclusion, ...], Field(strict=False)] = ()
    alternatives: Annotated[tuple[Alternative, ...], Field(min_length=1, strict=False)]
    only_with: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    """The list reads only releases that name one of these owners: in any other it would equal another list of the series."""

    @model_validator(mode="after")
    def _each_owner_once(self) -> IncludeList:
        seen: set[str] = set()
        for name in (*(entry.name for entry in self.entries), *(out.name for out in self.excluded)):
            if name in seen:
                raise ValueError(f"list {self.id}: {name!r} is named twice")
            seen.add(name)
        return self

    @cached_property
    def by_name(self) -> Mapping[str, ListEntry]:
        """The entries by owner."""
        return MappingProxyType({entry.name: entry for entry in self.entries})

    @cached_property
    def excluded_names(self) -> frozenset[str]:
        """Owners that are left out on purpose."""
        return frozenset(out.name for out in self.excluded)

    def reads(self, owners: Iterable[str]) -> bool:
        """Whether the list reads a release of these owners."""
        return not self.only_with or not frozenset(self.only_with).isdisjoint(owners)

    def counts(self, owner: str) -> bool:
        """Whether an owner counts."""
        return owner in self.by_name or (self.open and owner not in self.excluded_names)


class Residual(Contract):
    """A bucket of the source that is no single owner."""

    owner: Name
    reason: Text


class RequiredPart(Contract):
    """A part of the source that a release has to draw on, for periods that end on `since` or later, to be of full coverage."""

    part: Name
    since: date
    reason: Text


class UsableThrough(Contract):
    """No later period of a release published before `until` is of full coverage, whatever it holds."""

    period_end: date
    until: date
    reason: Text


class Cadence(Contract):
    """How often the source publishes, and how many days after a period's end it usually does."""

    days: Annotated[int, Field(ge=1, le=3_660)]
    lag_days: Annotated[int, Field(ge=0, le=3_660)]


class Drift(Contract):
    """How fast log₂ of the effective number moves between observations: its standard deviation after a year, as of a random walk."""

    log2_per_sqrt_year: Annotated[float, Field(ge=0, le=10)]
    reason: Text


class Series(Contract):
    """One series. Every field that is prose is shown to users unchanged."""

    series: Slug
    title: Text
    measures: Text
    owner_means: Text
    unit: Annotated[str, Field(min_length=1, max_length=64)]
    layer: Layer
    kind: Kind = "measured"
    cadence: Cadence
    source: Annotated[str, Field(min_length=1, max_length=500)]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    uncertainty: Uncertainty
    uncertainty_reason: Text
    residual_treatment: Text
    residuals: Annotated[tuple[Residual, ...], Field(strict=False)] = ()
    residual_spread_owners: Annotated[int, Field(ge=1, le=100_000)] = 25
    cutoff_treatment: Text
    required_parts: Annotated[tuple[RequiredPart, ...], Field(strict=False)] = ()
    usable_through: UsableThrough | None = None
    drift: Drift | None = None
    pairs_with_mining: bool = False
    pair_reason: Text
    aliases: Annotated[dict[str, str], Field(default_factory=dict)]
    caveats: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]
    lists: Annotated[tuple[IncludeList, ...], Field(min_length=1, strict=False)]

    @field_validator("lists")
    @classmethod
    def _list_ids_differ(cls, lists: tuple[IncludeList, ...]) -> tuple[IncludeList, ...]:
        if len({one.id for one in lists}) != len(lists):
            raise ValueError("two lists have the same id")
        return lists

    @model_validator(mode="after")
    def _pairing_makes_sense(self) -> Series:
        if self.pairs_with_mining and (self.kind == "forecast" or self.drift is None):
            raise ValueError("a series that pairs with mining is measured, and has a drift for when it is stale")
        return self

    @cached_property
    def residual_owners(self) -> frozenset[str]:
        """Owners that are residual buckets."""
        return frozenset(residual.owner for residual in self.residuals)

    @cached_property
    def catalogue_id(self) -> str:
        """`c` and 12 hexadecimal digits of SHA-256 over the entry: names the reading that a score rests on."""
        text = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "c" + hashlib.sha256(text.encode()).hexdigest()[:12]

    def include_list(self, list_id: str) -> IncludeList:
        """Return one list; ConfigError names those that exist."""
        for one in self.lists:
            if one.id == list_id:
                return one
        known = ", ".join(one.id for one in self.lists)
        raise ConfigError(f"series {self.series} has no include-list {list_id!r}; it has {known}")

    def owner_of(self, name: str) -> str:
        """Return the owner's name as the catalogue spells it."""
        return self.aliases.get(name, name)

    def mismatch(self, *, kind: str, layer: str, unit: str) -> str:
        """Return which field of a release contradicts the entry, and what it should be; empty where none does."""
        for name, got, expected in (("kind", kind, self.kind), ("layer", layer, self.layer), ("unit", unit, self.unit)):
            if got != expected:
                return f"{name} {got!r}, but series {self.series} has {expected!r}"
        return ""

    def missing_coverage(self, parts: frozenset[str], period_end: date, published: date) -> str:
        """Return what keeps a release from full coverage, in words; empty where nothing does.

        Two explicit rules and no guess: a required part that is absent, and `usable_through`.
        """
        missing = [rule.part for rule in self.required_parts if period_end >= rule.since and rule.part not in parts]
        notes = [f"lacks {', '.join(missing)}"] if missing else []
        limit = self.usable_through
        if limit is not None and period_end > limit.period_end and published < limit.until:
            notes.append(f"after {limit.period_end}, the last period usable in what was published before {limit.until}")
        return "; ".join(notes)


@dataclass(frozen=True)
class Catalogue:
    """The series by name, in the order of their names."""

    series: Mapping[str, Series]

    def __getitem__(self, name: str) -> Series:
        """Return one series; ConfigError names those that exist."""
        try:
            return self.series[name]
        except KeyError:
            raise ConfigError(f"there is no series {name!r}; the catalogue has {', '.join(self.series)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self.series

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series.values())

    def __len__(self) -> int:
        return len(self.series)
