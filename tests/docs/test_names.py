"""A module has a name of its own, so that an editor's tab, a traceback or a search shows which it is."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = ("alerts", "counterpoise", "desk", "engines", "ingest", "streams")
ROLES: Final = {"columns", "loader", "service", "sinks", "worker"}
"""What each pipeline or service has, under the same name in each (CONTRIBUTING.md)."""


def test_no_two_modules_have_one_name() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.stem.startswith("__") and path.stem not in ROLES:
                places[path.stem].append(str(path.relative_to(ROOT)))
    twice = {name: found for name, found in places.items() if len(found) > 1}
    # A source and its parser share a name, in two folders: the one is found from the other.
    assert {name: found for name, found in twice.items() if not any("/parse/" in path for path in found)} == {}
    assert len(places) > 500
