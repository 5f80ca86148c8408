"""Rows of dead_letters_log."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded
from counterpoise.clickhouse.rows.times import ticks_of_millis
from counterpoise.contracts.dead_letters import DeadLetter


def dead_letter_columns(
    letters: Sequence[DeadLetter], version: int, *, replayed_at_ms: int | None = None
) -> dict[str, Column]:
    """Letters as they are stored: the payload as raw bytes; `replayed_at_ms` where they were just sent again."""
    n = len(letters)
    return {
        "letter_id": [letter.letter_id for letter in letters],
        "service": coded([letter.service for letter in letters]),
        "reason": coded([letter.reason for letter in letters]),
        "detail": [letter.detail for letter in letters],
        "topic": coded([letter.topic for letter in letters]),
        "partition": np.array([letter.partition for letter in letters], np.int32),
        "offset": np.array([letter.offset for letter in letters], np.int64),
        "event_index": np.array([letter.index for letter in letters], np.int32),
        "key": [letter.key for letter in letters],
        "payload": [base64.b64decode(letter.payload) for letter in letters],
        "payload_bytes": np.array([letter.payload_bytes for letter in letters], np.uint64),
        "payload_sha256": [letter.payload_sha256 for letter in letters],
        "seen_at": ticks_of_millis(letter.seen_at_ms for letter in letters),
        "replayed_at": np.ma.array(
            np.full(n, replayed_at_ms or 0, np.int64), mask=np.full(n, replayed_at_ms is None, np.bool_)
        ),
        "version": Constant(version, n),
    }
