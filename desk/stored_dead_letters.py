"""Dead letters in ClickHouse: looked up, and made into the message that sends one again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from counterpoise.clickhouse.client import ClickHouse

WHOLE_MESSAGE = -1
"""`event_index` of a letter that holds a whole message rather than one event."""

_PLACE = "letter_id, service, reason, detail, topic, partition, offset, event_index, key"
_FIELDS = f"{_PLACE}, hex(payload), payload_bytes, payload_sha256, seen_at, replayed_at"
_COLUMNS = f"{_PLACE}, payload, payload_bytes, payload_sha256, seen_at"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter as it is stored; `payload` may be cut, `payload_bytes` is the size of the whole."""

    letter_id: str
    service: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    event_index: int
    key: str
    payload: bytes
    payload_bytes: int
    payload_sha256: str
    seen_at: datetime
    replayed_at: datetime | None

    @property
    def truncated(self) -> bool:
        """Whether only the beginning of the payload is stored."""
        return len(self.payload) < self.payload_bytes


def find_letters(
    ch: ClickHouse, *, letter_ids: Sequence[str] = (), reason: str = "", unreplayed: bool = False, limit: int = 0
) -> list[StoredLetter]:
    """Letters of these ids or of this reason (empty: all), newest first, at most `limit` (0: all).

    An id may be the beginning of one, as git takes commits.
    """
    rows = ch.query(
        f"SELECT {_FIELDS} FROM dead_letters "  # noqa: S608 - our own constant
        "WHERE (empty({ids:Array(String)}) OR arrayExists(start -> startsWith(letter_id, start), {ids:Array(String)})) "
        "AND ({reason:String} = '' OR reason = {reason:String}) AND (NOT {unreplayed:Bool} OR replayed_at IS NULL) "
        "ORDER BY seen_at DESC, letter_id LIMIT {limit:UInt32}",
        {"ids": list(letter_ids), "reason": reason, "unreplayed": unreplayed, "limit": limit or 0xFFFF_FFFF},
    )
    return [_stored(row) for row in rows]


def _stored(row: tuple[Any, ...]) -> StoredLetter:
    fields = (*row[:9], bytes.fromhex(row[9]), *row[10:])
    return StoredLetter(*fields)


def message_again(letter: StoredLetter, *, kind: str, dataset: str, sent_at_ms: int) -> bytes:
    """The message that sends a whole letter again: the message itself, or its one event in a new envelope.

    The event is unchanged, good or not: its reader judges it again.
    """
    if letter.event_index == WHOLE_MESSAGE:
        return letter.payload
    head = json.dumps({"v": 1, "kind": kind, "dataset": dataset, "producer": "dlq-replay", "sent_at_ms": sent_at_ms})
    return head[:-1].encode() + b', "events": [' + letter.payload + b"]}"


def mark_replayed(ch: ClickHouse, letter: StoredLetter, *, replayed_at_ms: int, version: int) -> None:
    """Note that a letter was sent again. The row is copied where it lies, so that its payload does not travel."""
    ch.execute(
        f"INSERT INTO dead_letters_log ({_COLUMNS}, replayed_at, version) "  # noqa: S608 - our own constant
        f"SELECT {_COLUMNS}, fromUnixTimestamp64Milli({{at:Int64}}, 'UTC'), {{version:UInt64}} "
        "FROM dead_letters_log FINAL WHERE letter_id = {id:String}",
        {"at": replayed_at_ms, "version": version, "id": letter.letter_id},
    )
