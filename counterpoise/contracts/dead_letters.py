"""An event that could not be processed, with all that is needed to find, judge and replay it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from counterpoise.contracts.base import INT32_MAX, INT64_MAX, Contract, UnixMillis

MAX_PAYLOAD_BYTES = 16 * 1024
MAX_PAYLOAD_CHARACTERS = 4 * -(-MAX_PAYLOAD_BYTES // 3)

Base64 = Annotated[
    str,
    Field(pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", max_length=MAX_PAYLOAD_CHARACTERS),
]
"""Base64 with its padding and without line ends."""


class DeadLetter(Contract):
    """`payload` is base64 of the first 16 KiB; `payload_bytes` and `payload_sha256` are of the whole.

    `partition` and `offset` are -1 for what a source gave, `index` is -1 where the whole message is bad. Each number fits its column.
    `letter_id` follows from the payload, its origin and its place, so that redelivery stores it once.
    """

    v: Literal[1] = 1
    letter_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    service: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Annotated[str, Field(min_length=1, max_length=64)]
    detail: Annotated[str, Field(max_length=2_000)]
    topic: Annotated[str, Field(max_length=249)]
    partition: Annotated[int, Field(ge=-1, le=INT32_MAX)]
    offset: Annotated[int, Field(ge=-1, le=INT64_MAX)]
    index: Annotated[int, Field(ge=-1, le=INT32_MAX)]
    key: Annotated[str, Field(max_length=512)] = ""
    payload: Base64
    payload_bytes: Annotated[int, Field(ge=0, le=INT64_MAX)]
    payload_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    seen_at_ms: UnixMillis


def letter_id(topic: str, partition: int, index: int, payload_sha256: str, offset: int) -> str:
    """Name a dead letter by where it stood and what it holds; 32 hexadecimal digits.

    The offset takes part so that equal payloads stay apart; after the embedded broker forgot everything, offsets restart and a
    re-sent bad event may be stored twice: it arrived twice.
    """
    text = f"{topic}\0{partition}\0{offset}\0{index}\0{payload_sha256}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
