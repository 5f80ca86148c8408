"""The known chains: complete, distinct, and their numbers for ever."""

import hashlib
import re
from importlib import resources
from itertools import combinations

import pytest

from counterpoise.chain.chain import Chain
from counterpoise.chain.chain_registry import CHAINS, address_format, known_chains, no_block_seconds
from counterpoise.contracts.base import Contract, Slug

NUMBERS = {"bitcoin": 0, "litecoin": 1, "bitcoin-cash": 2, "testnet4": 3, "signet": 7}
"""What was ever given out, also to a chain that is gone: a number moves a chain's messages, and is never given out again."""

EVERY = pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)


def test_every_file_is_a_chain_and_found() -> None:
    files = [file.name for file in resources.files("counterpoise.chain.chains").iterdir() if file.name.endswith(".py")]
    assert sorted(files) == sorted(["__init__.py", *(name.replace("-", "_") + ".py" for name in CHAINS)])


def test_a_number_is_never_given_out_twice() -> None:
    numbers = [chain.number for chain in CHAINS.values()]
    assert numbers == sorted(set(numbers))
    assert {name: CHAINS[name].number for name in NUMBERS if name in CHAINS} == NUMBERS
    assert not {chain.number for chain in CHAINS.values() if chain.name not in NUMBERS} & set(NUMBERS.values())


@EVERY
def test_an_entry_is_whole(chain: Chain) -> None:
    class Named(Contract):
        chain: Slug

    assert Named(chain=chain.name).chain != "all"
    assert chain.number >= 0
    assert re.fullmatch("[0-9a-f]{64}", chain.genesis_hash)
    assert chain.later_block is None or re.fullmatch("[0-9a-f]{64}", chain.later_block.hash)
    assert chain.later_block is None or chain.later_block.height > 0
    assert chain.block_spacing_seconds > 0 and chain.retarget_blocks > 0
    assert chain.subsidy.first_sats > 0 and chain.subsidy.halving_blocks > 0
    assert chain.addresses.segwit_prefix or chain.addresses.cash_prefix


def test_chains_of_one_network_name_are_told_apart_by_their_blocks() -> None:
    for one, other in combinations(CHAINS.values(), 2):
        if one.genesis_hash == other.genesis_hash:
            assert one.later_block is not None and other.later_block is not None
            assert one.later_block != other.later_block


HEADERS = {  # version, Merkle root, time, bits and nonce as the cited sources make the genesis block of
    "bitcoin": (
        1,
        "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b",
        1231006505,
        0x1D00FFFF,
        2083236893,
    ),
    "bitcoin-cash": (
        *(1, "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", 1231006505, 0x1D00FFFF, 2083236893),
    ),
    "signet": (1, "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b", 1598918400, 0x1E0377AE, 52613770),
    "testnet4": (
        1,
        "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e",
        1714777860,
        0x1D00FFFF,
        393743547,
    ),
    "litecoin": (
        1,
        "97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9",
        1317972665,
        0x1E0FFFF0,
        2084524493,
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_genesis_hash_is_that_of_its_header(name: str) -> None:
    version, root, time, bits, nonce = HEADERS[name]
    header = version.to_bytes(4, "little") + bytes(32) + bytes.fromhex(root)[::-1]
    header += b"".join(number.to_bytes(4, "little") for number in (time, bits, nonce))
    digest = hashlib.sha256(hashlib.sha256(header).digest()).digest()
    assert digest[::-1].hex() == CHAINS[name].genesis_hash


def test_no_block_is_twelve_spacings_and_an_hour_at_least() -> None:
    expected = {"bitcoin": 7_200, "bitcoin-cash": 7_200, "litecoin": 3_600, "testnet4": 7_200, "signet": 7_200}
    assert {name: CHAINS[name].no_block_seconds for name in expected} == expected


def test_an_unknown_chain_is_taken_as_bitcoin() -> None:
    assert address_format("nocoin") == CHAINS["bitcoin"].addresses
    assert no_block_seconds("nocoin") == 7_200
    assert known_chains() == ", ".join(sorted(CHAINS))
