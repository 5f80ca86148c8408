"""The entity map as arrays, for folds that translate whole windows at once."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from counterpoise.pools.entity_map import EntityMap
from counterpoise.pools.pool_registry import UNKNOWN_CODE, UNKNOWN_NAME, UNKNOWN_SLUG, Registry


@dataclass(frozen=True, eq=False)
class EntityTable:
    """Entity code of every pool code in every epoch, an epoch being a stretch of time in which no membership changes.

    `boundaries`: int64, shape (E,), unix seconds, ascending: the instants at which an epoch begins, apart from the first epoch, which
    has no beginning. `codes`: uint16, shape (E + 1, P) with P = largest pool code + 1; `codes[epoch, pool_code]` is the pool's own
    code outside any group and the group's code inside one. Group codes are P, P + 1, … in the map's order, so pool and
    entity codes never mean two things. 0 is unknown in both. Codes that no pool has map to themselves. `names`: code → (slug,
    name) of unknown, every pool and every group. Arrays are read-only.
    """

    boundaries: NDArray[np.int64]
    codes: NDArray[np.uint16]
    names: Mapping[int, tuple[str, str]]

    @classmethod
    def build(cls, registry: Registry, entity_map: EntityMap) -> EntityTable:
        """Return the table; ConfigError where the map names a pool that the registry has not."""
        entity_map.check_against(registry)
        pool_codes = registry.max_code + 1
        members = [(pool_codes + i, member) for i, group in enumerate(entity_map.groups) for member in group.members]
        instants = {_midnight(day) for _, m in members for day in (m.start, m.end) if day is not None}
        boundaries = np.array(sorted(instants), dtype=np.int64)
        codes = np.tile(np.arange(pool_codes, dtype=np.uint16), (len(boundaries) + 1, 1))
        for group_code, member in members:
            first = 0 if member.start is None else np.searchsorted(boundaries, _midnight(member.start)) + 1
            last = len(boundaries) if member.end is None else np.searchsorted(boundaries, _midnight(member.end))
            codes[first : last + 1, registry.by_slug[member.pool].code] = group_code
        names = {UNKNOWN_CODE: (UNKNOWN_SLUG, UNKNOWN_NAME)}
        names |= {pool.code: (pool.slug, pool.name) for pool in registry}
        names |= {pool_codes + i: (group.slug, group.name) for i, group in enumerate(entity_map.groups)}
        boundaries.setflags(write=False)
        codes.setflags(write=False)
        return cls(boundaries, codes, names)

    def epoch(self, time: int) -> int:
        """Return the row of `codes` that holds at `time` (unix seconds); a boundary belongs to the epoch that it begins."""
        return int(np.searchsorted(self.boundaries, time, side="right"))

    def entity_of(self, pool_code: int, time: int) -> int:
        """Return the entity code of one pool code at one time; IndexError for a code beyond the registry's."""
        return int(self.codes[self.epoch(time), pool_code])


def _midnight(day: date) -> int:
    return timegm(day.timetuple())
