"""Which pool a label that the registry lacks was probably meant to name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from counterpoise.pools.pool_registry import Pool, Registry, label_key

ALIKE: Final = 0.75
"""Of difflib's ratio (0 to 1): one letter of four may differ."""

_MAX_LENGTH: Final = 64


def nearest_pool(registry: Registry, label: str) -> Pool | None:
    """The pool with the most similar slug, name or alias; None where none is alike.

    >>> from counterpoise.pools.registry_file import load_registry
    >>> nearest_pool(load_registry(), "Foundy USA").slug
    'foundry-usa'
    """
    key = label_key(label)[:_MAX_LENGTH]
    near = get_close_matches(key, registry.by_label_key, 1, ALIKE) if key else []
    return registry.by_label_key[near[0]] if near else None
