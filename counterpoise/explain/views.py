"""Why the entity view of a window differs from the raw one: the pools that the entity map joins, and one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterpoise.explain.contributions import ADDITIVE, Blocks
from counterpoise.explain.explained_change import Window, explain

NAMED_POOLS: Final = 3
"""Pools of a group that its sentence names."""


@dataclass(frozen=True, slots=True)
class JoinedEntity:
    """An entity with several pools in a window: (pool, blocks), most blocks first. `change`: that of the metric were this group
    alone counted as one; None for a metric that cannot be explained."""

    entity: str
    pools: tuple[tuple[str, int], ...]
    change: float | None = None

    @property
    def blocks(self) -> int:
        """Those of all its pools."""
        return sum(count for _, count in self.pools)


def groups_of(raw: Blocks, entity_of: Mapping[str, str], unknown: int, metric: str) -> tuple[JoinedEntity, ...]:
    """The groups of several pools in a window, by the change that each makes alone, largest first; by blocks where none is known.

    `raw` has the blocks of each pool without unknown ones, `entity_of` the entity of each.
    """
    members: dict[str, list[tuple[str, int]]] = {}
    for pool, count in raw.items():
        if count:
            members.setdefault(entity_of[pool], []).append((pool, count))
    groups = [
        JoinedEntity(
            entity, tuple(sorted(pools, key=lambda item: (-item[1], item[0]))), _alone(raw, pools, unknown, metric)
        )
        for entity, pools in members.items()
        if len(pools) > 1
    ]
    return tuple(sorted(groups, key=lambda group: (-abs(group.change or 0.0), -group.blocks, group.entity)))


def _alone(raw: Blocks, pools: Sequence[tuple[str, int]], unknown: int, metric: str) -> float | None:
    """The change of the metric where these pools count as one and all others by themselves."""
    if metric not in ADDITIVE:
        return None
    first, names = pools[0][0], {pool for pool, _ in pools}
    joined = {pool: count for pool, count in raw.items() if pool not in names}
    joined[first] = sum(count for _, count in pools)
    return explain(metric, Window(raw, unknown, 0), Window(joined, unknown, 0)).change


def why_views_differ(gap: str, higher: bool | None, largest: str) -> str:
    """One or two sentences on why the views differ. Both count the same blocks, so only pools that are counted together can differ.

    `gap`: the size of the difference in its unit. `higher`: whether the entity view is the higher one, None where both agree.
    `largest`: a sentence that names the largest of what is counted together; empty where nothing is.

    >>> why_views_differ("6.3 points", True, "The largest is antpool-and-friends.")
    'The entity view is 6.3 points higher: it counts pools with one owner or proxy together. The largest is antpool-and-friends.'
    """
    if higher is None and largest:
        return f"Both views agree, although some pools share an owner or a proxy. {largest}"
    if higher is None:
        return "Both views agree: no pools among the largest share an owner or a proxy in this window."
    side = "higher" if higher else "lower"
    return f"The entity view is {gap} {side}: it counts pools with one owner or proxy together. {largest}".rstrip()


def group_sentence(groups: Sequence[JoinedEntity], change: str = "") -> str:
    """A sentence on the first group; `change`: what it makes alone, in its unit. Empty without a group.

    >>> group_sentence([JoinedEntity("a-and-friends", (("a", 90), ("b", 8), ("c", 7), ("d", 2)))], "+1.2 points")
    'The largest group is a-and-friends with 107 blocks (+1.2 points alone): a 90, b 8, c 7 and 1 more pool.'
    """
    if not groups:
        return ""
    first = groups[0]
    named = [f"{pool} {count:,}" for pool, count in first.pools[:NAMED_POOLS]]
    rest = len(first.pools) - len(named)
    if rest:
        pools = f"{', '.join(named)} and {rest} more {'pool' if rest == 1 else 'pools'}"
    else:
        pools = f"{', '.join(named[:-1])} and {named[-1]}"
    part = f" ({change} alone)" if change else ""
    return f"The largest group is {first.entity} with {first.blocks:,} blocks{part}: {pools}."
