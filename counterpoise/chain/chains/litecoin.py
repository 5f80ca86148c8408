"""Litecoin. Litecoin Core, src/chainparams.cpp, CMainParams."""

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import BlockAt, Chain, Subsidy

CHAIN = Chain(
    name="litecoin",
    number=1,
    node_network="main",
    genesis_hash="12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
    # Litecoin Cash shares blocks up to 1,371,111. This one is `defaultAssumeValid`, whose height stands beside it.
    later_block=BlockAt(2_772_730, "80cdb35c080484df5bf384b311fde3c4694d3405765bc0f596e9eb369ff286e5"),
    # SCRIPT_ADDRESS2 (M…) is what a node writes; SCRIPT_ADDRESS (3…) is Bitcoin's and the form of old.
    addresses=AddressFormat(p2pkh_version=48, p2sh_version=50, segwit_prefix="ltc", old_p2sh_versions=(5,)),
    block_spacing_seconds=150,
    retarget_blocks=2_016,  # 3.5 days
    subsidy=Subsidy(first_sats=50 * 100_000_000, halving_blocks=840_000),
)
