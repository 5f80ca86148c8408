"""What becomes of an event that cannot be processed: one dead letter, the same at every redelivery. Pure."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from pydantic import ValidationError

from counterpoise.contracts.dead_letters import MAX_PAYLOAD_BYTES, DeadLetter, letter_id
from counterpoise.contracts.envelope import BadEvent

SERVICE = "streams"
MAX_DETAIL_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A Kafka message as it came. `appended_at` is its time in Kafka (UTC seconds), None where it has none."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    appended_at: float | None = None


Bad = tuple[RawMessage, BadEvent]
"""What is wrong, and the message that it stood in."""


def dead_letter(bad: BadEvent, message: RawMessage, seen_at_ms: int) -> DeadLetter:
    """The letter for a bad event of a message; the payload is cut at MAX_PAYLOAD_BYTES, its size and SHA-256 are of the whole."""
    digest = hashlib.sha256(bad.payload).hexdigest()
    return DeadLetter(
        letter_id=letter_id(message.topic, message.partition, bad.index, digest, message.offset),
        service=SERVICE,
        reason=bad.reason,
        detail=bad.detail[:MAX_DETAIL_CHARACTERS],
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        index=bad.index,
        key=(message.key or b"")[:128].decode("utf-8", "backslashreplace"),
        payload=base64.b64encode(bad.payload[:MAX_PAYLOAD_BYTES]).decode(),
        payload_bytes=len(bad.payload),
        payload_sha256=digest,
        seen_at_ms=seen_at_ms,
    )


def parsed_letter(message: RawMessage, seen_at_ms: int) -> DeadLetter:
    """The letter that another service sent; a message that holds none becomes a letter itself."""
    raw = message.value or b""
    try:
        return DeadLetter.model_validate_json(raw)
    except ValidationError as error:
        detail = f"not a dead letter: {error.error_count()} fields are wrong"
        return dead_letter(BadEvent(-1, "not-a-dead-letter", detail, raw), message, seen_at_ms)
