"""Environment variables that look like settings and are none: a misspelt one has no effect and raises no error."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from desk.settings_reference import PREFIX, variables

_TESTS: Final = (f"{PREFIX}TEST_", f"{PREFIX}CRASH_POINT")


def strange_variables(names: Iterable[str]) -> list[str]:
    """Those of `names` that begin like a setting and are none, sorted."""
    known = variables()
    return sorted(
        name for name in names if name.startswith(PREFIX) and name not in known and not name.startswith(_TESTS)
    )


def describe(strange: Iterable[str]) -> str:
    """The names in one line, each with the setting that is spelt most alike."""
    known = sorted(variables())
    parts = []
    for name in strange:
        near = get_close_matches(name, known, 1)
        parts.append(f"{name} (did you mean {near[0]}?)" if near else name)
    return ", ".join(parts)
