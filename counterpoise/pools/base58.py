"""Base58Check, the encoding of pre-segwit addresses."""

from __future__ import annotations

import hashlib

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
_CHECKSUM_BYTES = 4
_LONGEST_CHARACTERS = 90


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:_CHECKSUM_BYTES]


def base58check_encode(payload: bytes) -> str:
    """Return `payload` (version byte first) with its checksum in base 58; each leading zero byte becomes a "1"."""
    data = payload + _checksum(payload)
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + "".join(reversed(digits))


def base58check_decode(text: str) -> bytes | None:
    """Return the payload of a Base58Check string, or None where a character, the length or the checksum is wrong."""
    if len(text) > _LONGEST_CHARACTERS:
        return None
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    return payload if len(checksum) == _CHECKSUM_BYTES and checksum == _checksum(payload) else None
