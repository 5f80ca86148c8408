"""CashAddr, the addresses of Bitcoin Cash: a prefix, a colon, and in base 32 a type, a hash and a 40-bit checksum.

Reference: spec/cashaddr.md of bitcoincash.org.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from counterpoise.pools.bech32 import CHARACTERS, VALUES, regroup

PAY_TO_KEY_HASH: Final = 0
PAY_TO_SCRIPT_HASH: Final = 1

HASH_BYTES: Final = (20, 24, 28, 32, 40, 48, 56, 64)
"""The sizes that a hash may have; the version byte holds the place in this row."""

_GENERATOR = (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
_CHECKSUM_CHARACTERS = 8
_LONGEST_CHARACTERS = 160
_TYPES = 16


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 35
        check = (check & 0x07_FFFF_FFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                check ^= generator
    return check ^ 1


def _expand(prefix: str) -> list[int]:
    return [ord(character) & 31 for character in prefix] + [0]


def cashaddr_encode(prefix: str, kind: int, hashed: bytes) -> str:
    """Return the lower-case address with its prefix; ValueError for a type outside 0…15 or a hash of no size that the format has."""
    if not 0 <= kind < _TYPES or len(hashed) not in HASH_BYTES:
        raise ValueError(f"CashAddr has no address of type {kind} and {len(hashed)} bytes")
    version = kind << 3 | HASH_BYTES.index(len(hashed))
    data = regroup(bytes([version]) + hashed, 8, 5, pad=True) or []
    check = _polymod([*_expand(prefix), *data, *([0] * _CHECKSUM_CHARACTERS)])
    data += [check >> 5 * (_CHECKSUM_CHARACTERS - 1 - i) & 31 for i in range(_CHECKSUM_CHARACTERS)]
    return f"{prefix}:" + "".join(CHARACTERS[value] for value in data)


def cashaddr_decode(prefix: str, text: str) -> tuple[int, bytes] | None:
    """Return (type, hash) of an address with this prefix, which may be left out; None where any rule of the format is broken."""
    if len(text) > _LONGEST_CHARACTERS or (text.lower() != text and text.upper() != text):
        return None
    found, colon, rest = text.lower().rpartition(":")
    values = [VALUES.get(character, -1) for character in rest]
    if (colon and found != prefix) or len(values) <= _CHECKSUM_CHARACTERS or min(values) < 0:
        return None
    if _polymod(_expand(prefix) + values) != 0:
        return None
    payload = regroup(values[:-_CHECKSUM_CHARACTERS], 5, 8, pad=False)
    if not payload:
        return None
    version, hashed = payload[0], bytes(payload[1:])
    if version >> 7 or len(hashed) != HASH_BYTES[version & 7]:
        return None
    return version >> 3, hashed
