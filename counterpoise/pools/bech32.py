"""Segwit addresses: bech32 for witness version 0 (BIP173), bech32m for later ones (BIP350)."""

from __future__ import annotations

from collections.abc import Iterable

CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
VALUES = {character: value for value, character in enumerate(CHARACTERS)}
"""The 32 characters by value, and the values by character; CashAddr has the same."""

_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32, _BECH32M = 1, 0x2BC830A3
_CHECKSUM_CHARACTERS = 6
_LONGEST_CHARACTERS = 90


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                check ^= generator
    return check


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def regroup(values: Iterable[int], from_bits: int, to_bits: int, *, pad: bool) -> list[int] | None:
    """Return the same bits in groups of another size; None where bits are left over that padding cannot explain."""
    accumulator = bits = 0
    groups: list[int] = []
    for value in values:
        accumulator = (accumulator << from_bits) | value
        bits += from_bits
        while bits >= to_bits:
            bits -= to_bits
            groups.append(accumulator >> bits & ((1 << to_bits) - 1))
        accumulator &= (1 << bits) - 1
    if pad:
        if bits:
            groups.append(accumulator << (to_bits - bits) & ((1 << to_bits) - 1))
    elif bits >= from_bits or accumulator:
        return None
    return groups


def is_witness_program(version: int, program: bytes) -> bool:
    """Return whether version (0…16) and program length are those that BIP141 allows."""
    return 0 <= version <= 16 and 2 <= len(program) <= 40 and (version != 0 or len(program) in (20, 32))


def segwit_encode(prefix: str, version: int, program: bytes) -> str:
    """Return the lower-case segwit address of a witness program; ValueError where BIP141 has no such program."""
    if not is_witness_program(version, program):
        raise ValueError(f"no witness program of version {version} has {len(program)} bytes")
    data = [version, *(regroup(program, 8, 5, pad=True) or ())]
    constant = _BECH32 if version == 0 else _BECH32M
    check = _polymod([*_expand(prefix), *data, *([0] * _CHECKSUM_CHARACTERS)]) ^ constant
    data += [check >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_CHARACTERS)]
    return f"{prefix}1" + "".join(CHARACTERS[value] for value in data)


def segwit_decode(prefix: str, text: str) -> tuple[int, bytes] | None:
    """Return (version, program) of a segwit address with this prefix, or None where any rule of BIP173/BIP350 is broken."""
    if len(text) > _LONGEST_CHARACTERS or (text.lower() != text and text.upper() != text):
        return None
    found, separator, rest = text.lower().rpartition("1")
    if not separator or found != prefix or len(rest) < _CHECKSUM_CHARACTERS + 1:
        return None
    values = [VALUES.get(character, -1) for character in rest]
    if min(values) < 0:
        return None
    version = values[0]
    if _polymod(_expand(prefix) + values) != (_BECH32 if version == 0 else _BECH32M):
        return None
    program = regroup(values[1:-_CHECKSUM_CHARACTERS], 5, 8, pad=False)
    if program is None or not is_witness_program(version, bytes(program)):
        return None
    return version, bytes(program)
