"""Settings of the C library's allocator for a service that works for months.

By default glibc keeps one arena for each thread, and raises the size from which a block is mapped by itself each time such a block is
freed. Arrays of a backfill then come from the arenas, and the memory between them is not returned.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
ARENAS: Final = 2
MAPPED_BYTES: Final = 1 << 20
"""Blocks of this size are returned to the system when they are freed."""


def return_memory(mallopt: Callable[[int, int], int] | None = None) -> bool:
    """Let freed arrays return to the system; False, and no change, where the C library has no such setting (macOS, musl)."""
    if mallopt is None:
        try:
            mallopt = ctypes.CDLL(None).mallopt
        except (OSError, AttributeError):
            return False
    choices = ((_M_ARENA_MAX, ARENAS), (_M_MMAP_THRESHOLD, MAPPED_BYTES), (_M_TRIM_THRESHOLD, MAPPED_BYTES))
    return all(mallopt(name, value) == 1 for name, value in choices)
