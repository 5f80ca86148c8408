"""The protocol of every worker: what the service asks of it, and what it returns to be published. Pure.

A worker is synchronous. It lives in one thread with one ClickHouse session, so its state and the order of its writes need no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from counterpoise.contracts.base import Contract
from counterpoise.contracts.topics import Topic
from streams.intake.dead_letter import RawMessage


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to send, and the key that orders it. `kind` is that of its envelope; None sends the bare event.

    `crash_point` names the place behind its acknowledgement, where a test makes the process die.
    """

    topic: Topic
    key: str
    event: Contract
    kind: str | None = None
    crash_point: str | None = None


def sent_together(outgoing: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """What is acknowledged together, in order: of one topic, with a key each. A crash point ends its group."""
    group: dict[str, Outgoing] = {}
    ends = False
    for one in outgoing:
        if group and (ends or one.key in group or one.topic != next(iter(group.values())).topic):
            yield list(group.values())
            group = {}
        group[one.key] = one
        ends = one.crash_point is not None
    if group:
        yield list(group.values())


@dataclass(frozen=True, slots=True)
class SeriesChanged:
    """Rows of these series were written. The change itself is not sent; what rests on the series follows from it."""

    series: tuple[str, ...]


Output = Outgoing | SeriesChanged


@runtime_checkable
class Worker(Protocol):
    """Every call runs in the worker's thread, and returns what to publish, in order, once its rows are stored.

    A call waits for a sink that is away as long as it takes. It raises on a stop, on a bug, or at the dead-letter limit only; the
    process then ends, and its messages stay unacknowledged.
    """

    def assign(self, partitions: frozenset[int]) -> Sequence[Output]:
        """Take over these partitions of the worker's topic in place of all earlier ones, and forget all state."""
        ...

    def handle(self, messages: Sequence[RawMessage]) -> Sequence[Output]:
        """Process messages for good: they are acknowledged once what this returns is sent."""
        ...

    def refresh(self) -> Sequence[Output]:
        """Do what is due without a message; called every two seconds."""
        ...

    def close(self) -> None:
        """Release what the worker opened."""
        ...
