"""Whether a node follows the chain that the settings name. Pure: the node's answers in; a ConfigError where it is another chain.

Three facts identify a chain: the network's name, the genesis block, and for chains that share one (bitcoin, bitcoin-cash) a later
block. An unknown chain is not checked: nothing is known about it.
"""

from __future__ import annotations

from typing import Final

from counterpoise.chain.chain import Chain
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.errors import ConfigError

_OTHER_NAMES: Final = {"mainnet": "main", "livenet": "main"}
"""How nodes other than Bitcoin Core call a network."""


def identifying_heights(chain: str) -> tuple[int, ...]:
    """The heights whose block hashes `require_chain` compares; none for an unknown chain."""
    known = CHAINS.get(chain)
    if known is None:
        return ()
    return (0,) if known.later_block is None else (0, known.later_block.height)


def require_chain(chain: str, where: str, network: object, hashes: dict[int, str | None]) -> None:
    """ConfigError where a node is of another chain.

    `network` is `chain` of its `getblockchaininfo`, and `hashes` has its block at each of `identifying_heights`, None where its chain
    is shorter. A chain that ends before the later block is common to both, so that it passes.
    """
    known = CHAINS.get(chain)
    if known is None:
        return
    if isinstance(network, str) and _OTHER_NAMES.get(network, network) != known.node_network:
        raise _other(known, where, f"its network is {network[:40]!r}, expected {known.node_network!r}")
    expected = {0: known.genesis_hash}
    if known.later_block is not None:
        expected[known.later_block.height] = known.later_block.hash
    for height, block_hash in expected.items():
        found = hashes.get(height)
        if found is not None and found.lower() != block_hash:
            raise _other(known, where, f"its block {height} is {found[:64]}, expected {block_hash}")


def _other(chain: Chain, where: str, difference: str) -> ConfigError:
    return ConfigError(
        f"the node at {where} does not follow {chain.name}: {difference}: check its URL and COUNTERPOISE_INGEST__CHAIN"
    )
