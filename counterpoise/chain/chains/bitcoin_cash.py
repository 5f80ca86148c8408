"""Bitcoin Cash. Bitcoin Cash Node, src/chainparams.cpp, CMainParams."""

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import BlockAt, Chain, Subsidy

CHAIN = Chain(
    name="bitcoin-cash",
    number=2,
    node_network="main",
    genesis_hash="000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    # Checkpoint "Axion activation". The split from Bitcoin is older (block 478559), but eCash and Bitcoin SV have that block too.
    later_block=BlockAt(661_648, "0000000000000000029e471c41818d24b8b74c911071c4ef0b4a0509f9b5a8ce"),
    addresses=AddressFormat(p2pkh_version=0, p2sh_version=5, cash_prefix="bitcoincash"),
    block_spacing_seconds=600,
    retarget_blocks=1,  # ASERT (half life two days), from block 661,648 on
    subsidy=Subsidy(first_sats=50 * 100_000_000, halving_blocks=210_000),
)
