"""The work that a block's header proves, from its compact target."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4_096)
def work_from_bits(bits: int) -> int:
    """Expected number of hashes to find a block at the compact target `bits`: ⌊2²⁵⁶ / (target + 1)⌋.

    `bits` is the header's 32-bit field: one byte of exponent, a sign bit that must be clear, 23 bits of mantissa. Raises
    ValueError for a target that is zero, negative or over 256 bits, as Bitcoin Core's `GetBlockProof` gives such a block no work.

    >>> work_from_bits(0x1D00FFFF)
    4295032833
    """
    return (1 << 256) // (_target(bits) + 1)


def _target(bits: int) -> int:
    exponent, mantissa = bits >> 24, bits & 0x7F_FFFF
    if bits & 0x80_0000 or not 0 <= bits <= 0xFFFF_FFFF:
        raise ValueError(f"bits {bits:#x}: a compact target is a positive 32-bit number")
    target = mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)
    if target == 0 or target.bit_length() > 256:
        raise ValueError(f"bits {bits:#x}: the target is zero or over 256 bits")
    return target
