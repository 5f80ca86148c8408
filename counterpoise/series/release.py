"""A whole release: its id, its order among others, and its way into chunks and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from operator import attrgetter
from typing import Any

from counterpoise.contracts.releases import Coverage, Kind, Layer, Observation, ReleaseEvent

CHUNK_OBSERVATIONS = 1_000
"""Observations in a chunk, unless a caller sets another number."""

RELEASE_FORMAT = "counterpoise-release/1"

ObservationKey = tuple[str, str, str, str]

_CONTENT = attrgetter("owner", "venue", "value", "value_p5", "value_p95", "residual", "part", "item")
_KEY = attrgetter("owner", "venue", "part", "item")


@dataclass(frozen=True, slots=True)
class Head:
    """All of a release but its observations; the fields are those of `ReleaseEvent`."""

    series: str
    kind: Kind
    layer: Layer
    unit: str
    period_start: str
    period_end: str
    published_at_ms: int
    source: str
    licence: str
    coverage: Coverage = "full"
    coverage_note: str = ""
    method: str = ""
    cutoff: float | None = None

    def __post_init__(self) -> None:
        if self.cutoff is not None:  # 5 and 5.0 are one content and must have one id
            object.__setattr__(self, "cutoff", float(self.cutoff))

    @classmethod
    def of(cls, event: ReleaseEvent) -> Head:
        """Return the head that a chunk carries."""
        return cls(**{name: getattr(event, name) for name in cls.__slots__})

    def fields(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True)
class Release:
    """A complete release. `observations` are in the order of their keys, whatever order they arrived in.

    Build it with `make_release`, which checks and sorts.
    """

    head: Head
    observations: tuple[Observation, ...]

    @property
    def release_id(self) -> str:
        """SHA-256 over head and observations; equal content has equal ids, however it was chunked or ordered."""
        return self._ids[0]

    @property
    def values_id(self) -> str:
        """As `release_id` without the publication time: equal if a source published the same content again."""
        return self._ids[1]

    @cached_property
    def _ids(self) -> tuple[str, str]:
        # Together, for nearly all of the work is the text of the observations.
        head = self.head.fields()
        observations = _canonical([_CONTENT(observation) for observation in self.observations])
        unpublished = {name: value for name, value in head.items() if name != "published_at_ms"}
        return _digest(head, observations), _digest(unpublished, observations)

    @property
    def order(self) -> tuple[int, str]:
        """What orders the releases of a period: publication, then content. Never arrival."""
        return self.head.published_at_ms, self.release_id

    @property
    def period(self) -> tuple[str, str]:
        """(first day, last day)."""
        return self.head.period_start, self.head.period_end

    @cached_property
    def period_end(self) -> date:
        """The last day that the values speak of."""
        return date.fromisoformat(self.head.period_end)

    @cached_property
    def parts(self) -> frozenset[str]:
        """The parts of the source that this release draws on."""
        return frozenset(observation.part for observation in self.observations)

    @property
    def is_scorable(self) -> bool:
        """Whether a live score may read it: measured, and of full coverage."""
        return self.head.kind == "measured" and self.head.coverage == "full"


def key_of(observation: Observation) -> ObservationKey:
    """Return what identifies an observation in its release."""
    key: ObservationKey = _KEY(observation)
    return key


def make_release(head: Head, observations: Iterable[Observation]) -> Release:
    """Return the release; ValueError where two observations have the same key."""
    ordered = tuple(sorted(observations, key=_KEY))
    for first, second in pairwise(map(_KEY, ordered)):
        if first == second:
            raise ValueError(f"two observations of {first!r} in one release of {head.series}")
    return Release(head, ordered)


def to_events(release: Release, chunk_observations: int = CHUNK_OBSERVATIONS) -> list[ReleaseEvent]:
    """Return the chunks that carry a release; one, empty, where it has no observation."""
    starts = range(0, len(release.observations), chunk_observations) or range(1)
    return [
        ReleaseEvent(
            **release.head.fields(),
            release_id=release.release_id,
            chunk=index,
            chunks=len(starts),
            observations=release.observations[start : start + chunk_observations],
        )
        for index, start in enumerate(starts)
    ]


def withdrawal(release: Release, withdrawn_at_ms: int) -> ReleaseEvent:
    """Return the event that takes a release back."""
    return ReleaseEvent(
        **release.head.fields(), release_id=release.release_id, withdrawn=True, withdrawn_at_ms=withdrawn_at_ms
    )


def _digest(head: dict[str, Any], observations: str) -> str:
    text = f"[{_canonical(RELEASE_FORMAT)},{_canonical(head)},{observations}]"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
