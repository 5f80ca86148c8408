"""Bitcoin's test network (version 3). Bitcoin Core, src/kernel/chainparams.cpp, CTestNetParams."""

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import Chain, Subsidy

CHAIN = Chain(
    name="testnet3",
    number=4,
    node_network="test",
    genesis_hash="000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    later_block=None,
    addresses=AddressFormat(p2pkh_version=111, p2sh_version=196, segwit_prefix="tb"),
    block_spacing_seconds=600,
    retarget_blocks=2_016,
    subsidy=Subsidy(first_sats=50 * 100_000_000, halving_blocks=210_000),
)
