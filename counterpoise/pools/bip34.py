"""The block height that a coinbase script claims (BIP34)."""

from __future__ import annotations

_OP_1, _OP_16 = 0x51, 0x60
_LONGEST_HEIGHT_BYTES = 4


def coinbase_height(script: bytes) -> int | None:
    """Return the height that the first push of a coinbase script encodes, or None where it encodes none.

    The push is a minimally framed script number: OP_0 is 0, OP_1…OP_16 are 1…16, otherwise one to four bytes, little-endian.
    A longer push, a negative number, a truncated push and an empty script give None; nothing raises. Blocks before BIP34
    (and coinbases that do not follow it) yield numbers that mean nothing: a height is only a height where it equals the
    chain's. Source: BIP34 and CScript's number encoding.
    """
    if not script:
        return None
    first = script[0]
    if first == 0:
        return 0
    if _OP_1 <= first <= _OP_16:
        return first - _OP_1 + 1
    pushed = script[1 : 1 + first]
    if first > _LONGEST_HEIGHT_BYTES or len(pushed) < first or pushed[-1] & 0x80:
        return None
    return int.from_bytes(pushed, "little")
