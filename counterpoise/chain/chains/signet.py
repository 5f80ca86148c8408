"""Bitcoin's signed test network, with the default challenge (BIP325). Bitcoin Core, src/kernel/chainparams.cpp, SigNetParams."""

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain import BlockAt, Chain, Subsidy

CHAIN = Chain(
    name="signet",
    number=7,  # of four partitions it shares testnet4's, not that of a chain of value; the numbers between are free
    node_network="signet",
    genesis_hash="00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    # Every signet begins with the same block, whatever its challenge. This one is `m_assumeutxo_data` of the default one.
    later_block=BlockAt(160_000, "0000003ca3c99aff040f2563c2ad8f8ec88bd0fd6b8f0895cfaf1ef90353a62c"),
    addresses=AddressFormat(p2pkh_version=111, p2sh_version=196, segwit_prefix="tb"),
    block_spacing_seconds=600,
    retarget_blocks=2_016,
    subsidy=Subsidy(first_sats=50 * 100_000_000, halving_blocks=210_000),
)
