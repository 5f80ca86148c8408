"""What the parsers of all live sources have in common: fields of parsed JSON, as a block event takes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from counterpoise.contracts.blocks import MAX_CONTENT, MAX_SATS, BlockEvent
from counterpoise.errors import DeadLetterError

GENESIS_PARENT = "0" * 64
_COMPACT = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})")


def block_event(block: Mapping[str, Any], *, hash_name: str, **fields: Any) -> BlockEvent:
    """The event of a block whose height, parent, bits and, as `hash_name`, hash go by the usual names, with the other fields.

    DeadLetterError names the first five that break the contract.
    """
    fields |= {
        "height": block.get("height"),
        "hash": hash_field(block, hash_name),
        "prev_hash": parent_field(block, "previousblockhash"),
        "bits": compact_target(block.get("bits")),
    }
    try:
        return BlockEvent(**fields)
    except ValidationError as error:
        parts = [
            f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)[:5]
        ]
        raise DeadLetterError("bad-block", "; ".join(parts)) from None


def mapping(value: object, what: str, *, reason: str = "bad-block") -> Mapping[str, Any]:
    """An object of an answer; DeadLetterError with `reason` where it is missing or something else. `what` names it."""
    if value is None:
        raise DeadLetterError(reason, f"{what} is missing")
    if not isinstance(value, Mapping):
        raise DeadLetterError(reason, f"{what} is {type(value).__name__}, expected an object")
    return value


def hash_field(block: Mapping[str, Any], name: str) -> object:
    """A hash in lower case; what is no text is left for the contract to refuse."""
    value = block.get(name)
    return value.lower() if isinstance(value, str) else value


def parent_field(block: Mapping[str, Any], name: str) -> object:
    """The hash of the parent. The genesis block has none; any other block without one is refused by the contract."""
    if block.get("height") == 0 and block.get(name) is None:
        return GENESIS_PARENT
    return hash_field(block, name)


def compact_target(value: object) -> object:
    """Compact target: mempool gives a number, nodes eight hexadecimal digits."""
    if isinstance(value, str):
        match = _COMPACT.fullmatch(value)
        return int(match[1], 16) if match else None
    return value


def content_or_none(value: object) -> int | None:
    """Transactions, bytes or weight. They decide nothing either."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_CONTENT else None


def ratio_or_none(value: object, whole: float = 1.0) -> float | None:
    """A part of `whole` as a ratio; what is no number from 0 to `whole` is left out.

    >>> ratio_or_none(100, 100.0), ratio_or_none(0.25), ratio_or_none(101, 100.0), ratio_or_none(None)
    (1.0, 0.25, None, None)
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= whole:
        return None
    return value / whole


def fees_or_none(value: object) -> int | None:
    """Satoshis. Fees do not decide anything: what is no plain count is left out."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SATS else None
