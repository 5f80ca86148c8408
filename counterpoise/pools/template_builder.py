"""Who built a block template where the pool lets its miners do that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_OP_PUSHDATA1 = 0x4C
_LONGEST_DIRECT_PUSH = 75
_SEPARATOR = b"\x0f"
_MAX_CHARACTERS = 64


def datum_template_builder(script: bytes, end: int | None = None) -> str | None:
    """Return the miner's tag in a coinbase script of DATUM (OCEAN), or None where there is none.

    DATUM's second push, the one after the height, holds the pool's tag, 0x0F, the miner's tag and a final zero byte. A script that
    is not built like that (OCEAN's own templates, anything truncated) gives None; nothing raises. Control characters are dropped
    and invalid UTF-8 is replaced. Where the pool's tag ends (`end`) does not matter.

    Source: the gateway's documented coinbase layout (OCEAN-xyz/datum_gateway, datum_coinbaser.c).
    """
    height_bytes = script[0] if script else 0
    start = 1 + height_bytes
    if not 1 <= height_bytes <= _LONGEST_DIRECT_PUSH or start >= len(script):
        return None
    size = script[start]
    if size == _OP_PUSHDATA1:
        start += 1
        size = script[start] if start < len(script) else 0
    elif size > _LONGEST_DIRECT_PUSH:
        return None
    tags = script[start + 1 : start + 1 + size]
    if len(tags) < size:
        return None
    parts = tags.split(_SEPARATOR)
    if len(parts) < 2:
        return None
    return _name(parts[1].split(b"\0")[0])


def stratum_v2_template_builder(script: bytes, end: int | None) -> str | None:
    """Return the miner's part of a Stratum V2 tag, `/pool/miner/`, or None where there is none.

    `end` is the byte after the pool's tag, which ends with the slash before the miner's part; None where another evidence than a tag
    named the pool. A part without its closing slash gives None, as may stand where the tag was cut.
    """
    if end is None or script[end - 1 : end] != b"/":
        return None
    part, slash, _ = script[end:].partition(b"/")
    return _name(part) if slash else None


TEMPLATE_BUILDERS: Final[Mapping[str, Callable[[bytes, int | None], str | None]]] = {
    "datum": datum_template_builder,
    "stratum-v2": stratum_v2_template_builder,
}
"""How a pool's miners sign their templates, by the registry's name for it."""


def _name(raw: bytes) -> str | None:
    text = raw.decode("utf-8", errors="replace")
    name = "".join(character for character in text if character.isprintable()).strip()
    return name[:_MAX_CHARACTERS] or None
