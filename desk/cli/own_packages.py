"""Whether the top-level packages are ours: their names are plain, and another project may use one of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from counterpoise.errors import ConfigError

PACKAGES: Final = ("counterpoise", "desk", "engines", "ingest", "streams", "alerts")
"""Every top-level package of the wheel."""


def require_own_packages(
    root: Path | None = None, find: Callable[[str], ModuleSpec | None] = find_spec, packages: tuple[str, ...] = PACKAGES
) -> None:
    """ConfigError where a package would be imported from another folder than `root`, the one that holds this package.

    Nothing is imported: an import would run the other project's code.
    """
    here = root or Path(__file__).resolve().parents[2]
    for name in packages:
        spec = find(name)
        places = [] if spec is None else [Path(place).resolve() for place in spec.submodule_search_locations or ()]
        if places != [here / name]:
            found = str(places[0]) if places else "nowhere" if spec is None else str(spec.origin)
            raise ConfigError(
                f"the package {name!r} comes from {found}, expected {here / name}: another project uses this name. Install "
                "counterpoise into a separate environment (pipx, uv tool or a container)"
            )
