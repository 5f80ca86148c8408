"""Who built a block template where the pool lets its miners do that."""

from __future__ import annotations

_OP_PUSHDATA1 = 0x4C
_LONGEST_DIRECT_PUSH = 75
_SEPARATOR = b"\x0f"
_MAX_CHARACTERS = 64


def datum_template_builder(script: bytes) -> str | None:
    """Return the miner's tag in a coinbase script of DATUM (OCEAN), or None where there is none.

    DATUM's second push, the one after the height, holds the pool's tag, 0x0F, the miner's tag and a final zero byte. A script that
    is not built like that (OCEAN's own templates, anything truncated) gives None; nothing raises. Control characters are dropped
    and invalid UTF-8 is replaced. Source: the gateway's documented coinbase layout (OCEAN-xyz/datum_gateway, datum_coinbaser.c).
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
    text = parts[1].split(b"\0")[0].decode("utf-8", errors="replace")
    name = "".join(character for character in text if character.isprintable()).strip()
    return name[:_MAX_CHARACTERS] or None
