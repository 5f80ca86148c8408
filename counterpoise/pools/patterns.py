"""Tag patterns in RE2, which runs in time linear in its input: a pattern that a user supplies cannot hang the matcher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

from counterpoise.errors import ConfigError
from counterpoise.pools.pool_registry import MAX_TAG_BYTES, Tag

MAX_PROGRAM_INSTRUCTIONS = 2_000
"""Bounds the memory and the time for each byte of one pattern; a tag of 30 letters takes about 60."""

_PATTERN_MEMORY_BYTES = 1 << 20
_SET_MEMORY_BYTES = 64 << 20
METACHARACTERS = frozenset("\\.^$*+?()[]{}|")


def _options(memory_bytes: int) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.longest_match = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = memory_bytes
    return options


def check_pattern(pattern: str) -> str | None:
    """Return why a regular expression cannot be a tag, or None where it can.

    It cannot where RE2 does not accept it (look-around and back-references included), where it is longer than
    MAX_TAG_BYTES, where its program is larger than MAX_PROGRAM_INSTRUCTIONS, and where it matches the empty text and so
    every script.
    """
    if len(pattern.encode()) > MAX_TAG_BYTES:
        return f"it has more than {MAX_TAG_BYTES} bytes"
    try:
        compiled = re2.compile(pattern, _options(_PATTERN_MEMORY_BYTES))
    except re2.error as error:
        detail = error.args[0] if error.args else error
        return detail.decode(errors="replace") if isinstance(detail, bytes) else str(detail)
    if compiled.programsize > MAX_PROGRAM_INSTRUCTIONS:
        return f"its program has {compiled.programsize} instructions, more than {MAX_PROGRAM_INSTRUCTIONS}"
    if compiled.search(b"") is not None:
        return "it matches the empty text"
    return None


class TagPatterns:
    """All tags of a registry as one automaton: one pass over a script finds which occur, then each of those is located.

    A script may be any bytes; patterns are UTF-8 and see invalid bytes as bytes that match nothing.
    """

    def __init__(self, tags: Sequence[Tag], origin: str) -> None:
        self._located: list[Any] = []
        self._set = re2.Set.SearchSet(_options(_SET_MEMORY_BYTES))
        for tag in tags:
            source = tag.text if tag.is_regex else re2.escape(tag.text)
            self._located.append(re2.compile(source, _options(_PATTERN_MEMORY_BYTES)))
            self._set.Add(source)
        if tags:
            try:
                self._set.Compile()
            except re2.error as error:
                raise ConfigError(
                    f"{origin}: its {len(tags)} tags together need more than {_SET_MEMORY_BYTES >> 20} MiB; remove patterns"
                ) from error

    def find(self, script: bytes) -> list[tuple[int, int, int]]:
        """Return (index of the tag, start, end) of the leftmost, then longest, occurrence of each tag, by index."""
        if not self._located:
            return []
        found = []
        for index in self._set.Match(script) or ():
            match = self._located[index].search(script)
            if match is not None:
                found.append((index, match.start(), match.end()))
        return sorted(found)
