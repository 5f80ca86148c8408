"""The Kafka message: an envelope of 1…N events of one key, in order.

Faust's cost is per message, so a backfill packs hundreds of events into one; live, an envelope holds one. Identity, errors and
dead letters are per event: an event that does not validate costs only itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from counterpoise.contracts.base import Contract, Slug, UnixMillis

MAX_EVENTS = 2_000
MAX_ENVELOPE_BYTES = 8 * 1024 * 1024

E = TypeVar("E", bound=Contract)


class Envelope(Contract, Generic[E]):
    """`kind` names the event type and with `v` its version; `dataset` must be the reader's own; `producer` is for people."""

    v: Literal[1] = 1
    kind: Slug
    dataset: Slug
    producer: Annotated[str, Field(min_length=1, max_length=200)]
    sent_at_ms: UnixMillis
    events: Annotated[tuple[E, ...], Field(min_length=1, max_length=MAX_EVENTS, strict=False)]


@dataclass(frozen=True, slots=True)
class BadEvent:
    """One event, or a whole message (`index` −1), that does not hold to its contract."""

    index: int
    reason: str
    detail: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Decoded(Generic[E]):
    """The good events with their places in the message, and the bad ones."""

    events: tuple[E, ...]
    indexes: tuple[int, ...]
    bad: tuple[BadEvent, ...]


@lru_cache(maxsize=16)
def _adapter(model: type[Contract]) -> TypeAdapter[Any]:
    return TypeAdapter(Envelope[model])  # type: ignore[valid-type]


@lru_cache(maxsize=16)
def _event_adapter(model: type[Contract]) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def encode(events: Sequence[E], *, kind: str, dataset: str, producer: str, sent_at_ms: int) -> bytes:
    """Pack events of one key into one message; fields that hold their default are left out, the version excepted."""
    model = type(events[0])
    envelope = Envelope[model](  # type: ignore[valid-type]
        kind=kind, dataset=dataset, producer=producer, sent_at_ms=sent_at_ms, events=tuple(events)
    )
    # A default too, but what every reader looks at first.
    return b'{"v":%d,' % envelope.v + _adapter(model).dump_json(envelope, exclude_defaults=True)[1:]


def decode(raw: bytes | None, model: type[E], *, kind: str, dataset: str) -> Decoded[E]:
    """Unpack a message; never raises on any bytes.

    The whole message is validated at once; only where that fails are its events taken one by one. A message that is not an
    envelope of this kind and dataset at all is one bad event with index −1.
    """
    if not raw:
        return _all_bad("empty-message", "the message has no value", raw or b"")
    if len(raw) > MAX_ENVELOPE_BYTES:
        return _all_bad("message-too-large", f"{len(raw)} bytes, at most {MAX_ENVELOPE_BYTES}", raw)
    try:
        envelope: Envelope[E] = _adapter(model).validate_json(raw)
    except (ValidationError, ValueError, RecursionError):
        return _decode_one_by_one(raw, model, kind=kind, dataset=dataset)
    mismatch = _mismatch(envelope.kind, envelope.dataset, kind, dataset)
    if mismatch:
        return _all_bad(*mismatch, raw)
    return Decoded(envelope.events, tuple(range(len(envelope.events))), ())


def _mismatch(got_kind: object, got_dataset: object, kind: str, dataset: str) -> tuple[str, str] | None:
    if got_kind != kind:
        return "wrong-kind", f"kind {str(got_kind)[:80]!r}, expected {kind!r}"
    if got_dataset != dataset:
        return "wrong-dataset", f"dataset {str(got_dataset)[:80]!r}, expected {dataset!r}"
    return None


def _all_bad(reason: str, detail: str, raw: bytes) -> Decoded[E]:
    return Decoded((), (), (BadEvent(-1, reason, detail, raw),))


def _decode_one_by_one(raw: bytes, model: type[E], *, kind: str, dataset: str) -> Decoded[E]:
    try:
        document = from_json(raw, allow_inf_nan=False)
    except (ValueError, RecursionError) as error:
        return _all_bad("not-json", str(error)[:300], raw)
    if not isinstance(document, dict) or not isinstance(document.get("events"), list):
        return _all_bad("not-an-envelope", "expected a JSON object with a list of events", raw)
    mismatch = _mismatch(document.get("kind"), document.get("dataset"), kind, dataset)
    if mismatch:
        return _all_bad(*mismatch, raw)
    events = document.pop("events")
    if not 1 <= len(events) <= MAX_EVENTS:
        return _all_bad("wrong-event-count", f"{len(events)} events, expected 1…{MAX_EVENTS}", raw)
    placeholder = {**document, "events": [None]}
    try:
        TypeAdapter(Envelope[Any]).validate_python({**placeholder, "events": (None,)})  # the head alone
    except ValidationError as error:
        head_errors = [e for e in error.errors(include_input=False, include_url=False) if e["loc"][:1] != ("events",)]
        if head_errors:
            return _all_bad("bad-envelope", _explain(head_errors), raw)
    adapter = _event_adapter(model)
    good: list[E] = []
    indexes: list[int] = []
    bad: list[BadEvent] = []
    for index, event in enumerate(events):
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        try:
            good.append(adapter.validate_json(payload))
            indexes.append(index)
        except ValidationError as error:
            detail = _explain(error.errors(include_input=False, include_url=False))
            bad.append(BadEvent(index, "bad-event", detail, payload))
    return Decoded(tuple(good), tuple(indexes), tuple(bad))


def _explain(errors: Sequence[Any]) -> str:
    parts = [f"{'.'.join(str(x) for x in e['loc'])}: {e['msg']}" for e in errors[:5]]
    if len(errors) > 5:
        parts.append(f"and {len(errors) - 5} more")
    return "; ".join(parts)[:600]
