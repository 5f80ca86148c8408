"""Heights where a chain changes by its own rules: halvings of the subsidy and retargets of the difficulty. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from counterpoise.chain.chain import Chain

Kind = Literal["halving", "retarget"]


@dataclass(frozen=True, slots=True)
class Milestone:
    """`height` is the first block with the new subsidy or the new difficulty."""

    height: int
    kind: Kind


def milestones(chain: Chain, first: int, last: int) -> list[Milestone]:
    """Those from `first` to `last`, both included, in order of height. The genesis block is none.

    A chain that sets its difficulty anew for each block has no retargets.

    >>> from counterpoise.chain.chain_registry import BITCOIN
    >>> [(one.height, one.kind) for one in milestones(BITCOIN, 838_000, 841_000)]
    [(838656, 'retarget'), (840000, 'halving'), (840672, 'retarget')]
    """
    found = [Milestone(height, "halving") for height in _multiples(chain.subsidy.halving_blocks, first, last)]
    if chain.retarget_blocks > 1:
        found += [Milestone(height, "retarget") for height in _multiples(chain.retarget_blocks, first, last)]
    return sorted(found, key=lambda one: (one.height, one.kind))


def _multiples(step: int, first: int, last: int) -> range:
    start = max(-(-first // step), 1) * step
    return range(start, last + 1, step)
