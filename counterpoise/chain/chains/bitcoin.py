"""Bitcoin. Bitcoin Core, src/kernel/chainparams.cpp, CMainParams."""

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import BlockAt, Chain, Subsidy

CHAIN = Chain(
    name="bitcoin",
    number=0,  # also where the rule before this registry put it among four partitions
    node_network="main",
    genesis_hash="000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    # The first block that Bitcoin Cash does not have: mmgen-wallet, protocol Bitcoin, `forks`; checkpoints of the node Bitprim.
    later_block=BlockAt(478_559, "00000000000000000019f112ec0a9982926f1258cdcc558dd7c3b7e5dc7fa148"),
    addresses=AddressFormat(p2pkh_version=0, p2sh_version=5, segwit_prefix="bc"),
    block_spacing_seconds=600,
    retarget_blocks=2_016,
    subsidy=Subsidy(first_sats=50 * 100_000_000, halving_blocks=210_000),
)
