"""The difficulty of a block, from its compact target. The SQL is held against it."""

from __future__ import annotations


def difficulty_from_bits(bits: int) -> float:
    """How many times smaller the target is than that of 0x1d00ffff.

    >>> difficulty_from_bits(0x1B0404CB)
    16307.420938523983
    """
    return (0xFFFF << 208) / ((bits & 0x7F_FFFF) << 8 * ((bits >> 24) - 3))
