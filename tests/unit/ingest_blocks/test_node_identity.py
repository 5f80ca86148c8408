"""A node of any chain is taken for its own chain only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.errors import ConfigError
from ingest.blocks.sources.node_identity import identifying_heights, require_chain

WHERE = "http://node:8332"
PAIRS = [(mine, other) for mine in CHAINS for other in CHAINS if mine != other]


def answers(node: str, asked: str) -> dict[int, str | None]:
    """What a node of chain `node` answers to the heights that are asked for chain `asked`."""
    entry = CHAINS[node]
    known = {0: entry.genesis_hash}
    if entry.later_block is not None:
        known[entry.later_block.height] = entry.later_block.hash
    return {height: known.get(height, f"{height:064x}") for height in identifying_heights(asked)}


@pytest.mark.parametrize("name", CHAINS)
def test_a_node_of_the_chain_passes(name: str) -> None:
    require_chain(name, WHERE, CHAINS[name].node_network, answers(name, name))


@pytest.mark.parametrize(("mine", "other"), PAIRS)
def test_a_node_of_every_other_chain_is_refused(mine: str, other: str) -> None:
    with pytest.raises(ConfigError, match=f"the node at {WHERE} does not follow {mine}: ") as caught:
        require_chain(mine, WHERE, CHAINS[other].node_network, answers(other, mine))
    assert "COUNTERPOISE_INGEST__CHAIN" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", ["signet", "simnet", "test", "testnet3", "regtest", "testnet4"])
def test_a_test_network_is_not_bitcoin(network: str) -> None:
    with pytest.raises(ConfigError, match=f"its network is '{network}', expected 'main'"):
        require_chain("bitcoin", WHERE, network, answers("bitcoin", "bitcoin"))


def test_other_nodes_call_the_main_network_mainnet() -> None:
    require_chain("bitcoin", WHERE, "mainnet", answers("bitcoin", "bitcoin"))


def test_a_chain_that_ends_before_the_split_is_common_to_both() -> None:
    require_chain("bitcoin-cash", WHERE, "main", {0: CHAINS["bitcoin"].genesis_hash, 661_648: None})


@given(st.sampled_from(sorted(CHAINS)), st.data())
def test_one_wrong_hash_is_enough(name: str, data: st.DataObject) -> None:
    found = answers(name, name)
    height = data.draw(st.sampled_from(sorted(found)))
    wrong = data.draw(st.text("0123456789abcdef", min_size=64, max_size=64).filter(lambda text: text != found[height]))
    with pytest.raises(ConfigError, match=f"its block {height} is {wrong}"):
        require_chain(name, WHERE, CHAINS[name].node_network, found | {height: wrong})


def test_an_unknown_chain_is_not_checked() -> None:
    assert identifying_heights("private") == ()
    require_chain("private", WHERE, "regtest", {0: "f" * 64})
