"""Bitcoin's test network (version 4). Bitcoin Core, src/kernel/chainparams.cpp, CTestNet4Params; BIP94."""

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import Chain, Subsidy

CHAIN = Chain(
    name="testnet4",
    number=3,
    node_network="testnet4",
    genesis_hash="00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    later_block=None,
    addresses=AddressFormat(p2pkh_version=111, p2sh_version=196, segwit_prefix="tb"),
    block_spacing_seconds=600,
    retarget_blocks=2_016,
    subsidy=Subsidy(first_sats=50 * 100_000_000, halving_blocks=210_000),
)
