"""Environment variables that look like settings and are none: a misspelt one has no effect and raises no error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import Final

PREFIX: Final = "COUNTERPOISE_"
ANY_NAME: Final = "NAME"
"""Stands for a name of your choice in the name of a variable."""
NAMES: Final = Path(__file__).with_name("variable_names.txt")
"""The name of every variable that is read. `make generate` writes it: the settings themselves are a fifth of a small command."""

_TESTS: Final = (f"{PREFIX}TEST_", f"{PREFIX}CRASH_POINT")

_ALIKE: Final = 0.8
"""How much a beginning, and a whole name, must be like one of ours to be taken for a misspelt one."""


def strange_variables(names: Iterable[str]) -> list[str]:
    """Those of `names` that begin like a setting and are none, sorted; also those whose beginning is misspelt. Either case counts."""
    known = _known()
    named = [
        re.compile(re.escape(name).replace(f"__{ANY_NAME}__", "__[A-Za-z0-9_-]+?__"))
        for name in known
        if f"__{ANY_NAME}__" in name
    ]
    return sorted(
        name
        for name in names
        if _is_ours(name.upper(), known)
        and name.upper() not in known
        and not name.upper().startswith(_TESTS)
        and not any(one.fullmatch(name.upper()) for one in named)
    )


def _known() -> list[str]:
    return NAMES.read_text(encoding="ascii").split()


def _is_ours(name: str, known: Iterable[str]) -> bool:
    if name.startswith(PREFIX):
        return True
    begins = SequenceMatcher(None, name[: len(PREFIX)], PREFIX).ratio() >= _ALIKE
    return begins and bool(get_close_matches(name, known, 1, _ALIKE))


def describe(strange: Iterable[str]) -> str:
    """The names in one line, each with the setting that is spelt most alike."""
    known = _known()
    parts = []
    for name in strange:
        near = get_close_matches(name.upper(), known, 1)
        parts.append(f"{name} (did you mean {near[0]}?)" if near else name)
    return ", ".join(parts)
