"""What the journal holds and the relay carries: one release, or one withdrawal, in its chunks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from counterpoise.contracts.releases import ReleaseEvent
from counterpoise.errors import DeadLetterError
from counterpoise.series.release import Release, to_events, withdrawal
from ingest.releases.checked_observation import first_problem

WITHDRAWN = ":withdrawn"

ReadStored = Callable[[Collection[str]], set[str]]
"""Which of these entry keys ClickHouse holds for good, all their chunks. Raises RetryableError while it is away."""

_EVENTS: TypeAdapter[tuple[ReleaseEvent, ...]] = TypeAdapter(tuple[ReleaseEvent, ...])


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """`key` is the release's id, for a withdrawal followed by `:withdrawn`; equal content has equal keys."""

    key: str
    events: tuple[ReleaseEvent, ...]

    @property
    def series(self) -> str:
        """The key of its messages."""
        return self.events[0].series

    @property
    def observations(self) -> int:
        """How many there are over all chunks."""
        return sum(len(event.observations) for event in self.events)

    def to_bytes(self) -> bytes:
        """For the journal; `entry_from_bytes` reads it back."""
        return _EVENTS.dump_json(self.events, exclude_defaults=True)


def entry_of(release: Release) -> JournalEntry:
    """The release in chunks. DeadLetterError where its head does not hold to the contract: a source gave what nobody could read."""
    try:
        return JournalEntry(release.release_id, tuple(to_events(release)))
    except ValidationError as error:
        raise DeadLetterError("bad-release", f"{release.head.period_end}: {first_problem(error)}") from None


def withdrawal_of(release: Release, withdrawn_at_ms: int) -> JournalEntry:
    """That the release is taken back."""
    return JournalEntry(release.release_id + WITHDRAWN, (withdrawal(release, withdrawn_at_ms),))


def entry_from_bytes(content: bytes) -> JournalEntry:
    """Read back what `to_bytes` gave; ValueError for anything else."""
    events = _EVENTS.validate_json(content, strict=False)
    if not events:
        raise ValueError("an entry has at least one event")
    first = events[0]
    return JournalEntry(first.release_id + (WITHDRAWN if first.withdrawn else ""), events)
