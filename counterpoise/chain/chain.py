"""What a chain is: the facts by which its blocks are recognised, addressed and timed. Each chain is one file in `chains`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from counterpoise.chain.address_format import AddressFormat

NO_BLOCK_SPACINGS: Final = 12
NO_BLOCK_AT_LEAST_SECONDS: Final = 3_600
"""Header times run fast or slow by more than a quick chain's spacings: a shorter silence would be called on an honest chain."""


@dataclass(frozen=True, slots=True)
class BlockAt:
    """A block of a chain's history: its height, and its hash in 64 hexadecimal digits as explorers show it."""

    height: int
    hash: str


@dataclass(frozen=True, slots=True)
class Subsidy:
    """What a block creates beside its fees, in the chain's smallest unit; halved (rounded down) after every `halving_blocks`."""

    first_sats: int
    halving_blocks: int


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain.

    `name` stands in settings, rules, messages and rows. `number` (0 or more) decides its partition: it is the chain's for ever, and
    no later chain may take it. `node_network` is `chain` in a node's `getblockchaininfo`. `later_block` is given where another
    chain has the same genesis block: it is the block that no other chain has at that height. `retarget_blocks` is how many blocks
    share a difficulty: 1 where it is set anew for each.
    """

    name: str
    number: int
    node_network: str
    genesis_hash: str
    later_block: BlockAt | None
    addresses: AddressFormat
    block_spacing_seconds: int
    retarget_blocks: int
    subsidy: Subsidy

    @property
    def no_block_seconds(self) -> int:
        """After so long without a block the chain, or our view of it, counts as stopped: 12 spacings, one hour at least.

        A block takes longer than 12 spacings with a probability of e⁻¹²: once in three years at 10 minutes, with header times exact.
        """
        return max(NO_BLOCK_SPACINGS * self.block_spacing_seconds, NO_BLOCK_AT_LEAST_SECONDS)
