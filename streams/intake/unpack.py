"""Messages as they came into events, each with its place, and what is none into bad ones. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from counterpoise.contracts.base import Contract
from counterpoise.contracts.envelope import BadEvent, decode
from streams.intake.dead_letter import Bad, RawMessage

E = TypeVar("E", bound=Contract)
E_co = TypeVar("E_co", bound=Contract, covariant=True)

Fault = tuple[str, str]
"""Reason and detail."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[E]):
    """An event, and where it stood: its message, and its index there."""

    event: E
    message: RawMessage
    index: int


class Refusal(Protocol[E_co]):
    """An event that a fold will not have, and why."""

    @property
    def event(self) -> E_co: ...

    @property
    def reason(self) -> str: ...

    @property
    def detail(self) -> str: ...

    @property
    def cause(self) -> E_co | None:
        """The event of a batch that settled it; None where the batch as a whole did."""
        ...


def unpack(
    messages: Iterable[RawMessage],
    model: type[E],
    *,
    kind: str,
    dataset: str,
    fault: Callable[[E, RawMessage], Fault | None],
) -> tuple[list[Placed[E]], list[Bad]]:
    """The good events of messages in their order, and the bad: what does not decode, and what `fault` finds wrong."""
    good: list[Placed[E]] = []
    bad: list[Bad] = []
    for message in messages:
        decoded = decode(message.value, model, kind=kind, dataset=dataset)
        bad += [(message, event) for event in decoded.bad]
        for event, index in zip(decoded.events, decoded.indexes, strict=True):
            found = fault(event, message)
            if found is None:
                good.append(Placed(event, message, index))
            else:
                bad.append((message, BadEvent(index, *found, payload(event))))
    return good, bad


def refused(refusals: Iterable[Refusal[E]], placed: Sequence[Placed[E]]) -> list[Bad]:
    """The refusals of a batch as bad events.

    Each stands at the place of its cause. Without a cause it stands at its own place; where it came in an earlier batch, and was
    pushed out by this one, at that of the batch's last event.
    """
    places = {id(one.event): one for one in placed}
    found: list[Bad] = []
    for refusal in refusals:
        at = places.get(id(refusal.event if refusal.cause is None else refusal.cause), placed[-1])
        found.append((at.message, BadEvent(at.index, refusal.reason, refusal.detail, payload(refusal.event))))
    return found


def refused_here(refusals: Iterable[Refusal[E]], placed: Iterable[Placed[E]]) -> int:
    """How many events of a batch are refused; those of earlier batches were counted as good in their time."""
    return len({id(refusal.event) for refusal in refusals} & {id(one.event) for one in placed})


def by_name(placed: Iterable[Placed[E]], name: Callable[[E], str]) -> dict[str, list[Placed[E]]]:
    """Events by the name that they belong to, each name's in their order."""
    found: dict[str, list[Placed[E]]] = {}
    for one in placed:
        found.setdefault(name(one.event), []).append(one)
    return found


def payload(event: Contract) -> bytes:
    """The event as it would stand in an envelope."""
    return event.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass")
