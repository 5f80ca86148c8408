"""Names of files beside others, whatever people called them: as long as a file system allows, in any encoding."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 255
"""Of a name, on every file system in use."""

_DRAFT_BYTES: Final = 8
"""A draft has seven characters more (`write_durably`)."""


def free_name(path: Path) -> Path:
    """The path, or one with a number in front of its ending that nobody has."""
    candidate, number = path, 1
    while candidate.exists() or candidate.is_symlink():
        number += 1
        candidate = named_like(path, f".{number}{path.suffix}")
    return candidate


def named_like(path: Path, ending: str, stem: str | None = None) -> Path:
    """A path beside `path`: its name without the ending (or `stem`), cut where that is too long, and `ending`.

    A cut name has a digest of the whole in it, so that two long names stay two.
    """
    stem = path.stem if stem is None else stem
    raw, room = os.fsencode(stem), _MAX_BYTES - len(os.fsencode(ending)) - _DRAFT_BYTES
    if len(raw) > room:
        raw = raw[: room - 17] + b"~" + sha256(raw).hexdigest()[:16].encode()
    return path.with_name(os.fsdecode(raw) + ending)
