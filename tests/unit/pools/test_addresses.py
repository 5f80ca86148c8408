"""Addresses of output scripts: BIP173/BIP350 vectors, RIPEMD-160's published values, and every output of 317 real coinbases."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.chain.address_format import AddressFormat
from counterpoise.chain.chain_registry import CHAINS
from counterpoise.pools.addresses import normal_address, normal_address_of_any, output_address
from counterpoise.pools.base58 import base58check_decode, base58check_encode
from counterpoise.pools.bech32 import segwit_decode, segwit_encode
from counterpoise.pools.cashaddr import cashaddr_decode
from counterpoise.pools.ripemd160 import ripemd160
from tests.shared import shared_data

GENESIS_KEY = (
    "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
    "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        ("a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
        ("abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        ("message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        ("abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
        ("1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
    ],
)
def test_ripemd160_gives_the_values_of_its_paper(text: str, digest: str) -> None:
    assert ripemd160(text.encode()).hex() == digest


@pytest.mark.parametrize(
    ("address", "script"),
    [  # BIP350, "test vectors for v0-v16 native segregated witness addresses"
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
        (
            "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
            "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
        ),
        ("BC1SW50QGDZ25J", "6002751e"),
        ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
        ),
    ],
)
def test_segwit_vectors_both_ways(address: str, script: str) -> None:
    assert output_address(bytes.fromhex(script)) == address.lower()
    assert normal_address(address) == address.lower()


@pytest.mark.parametrize(
    "address",
    [  # BIP350, "list of invalid segwit addresses", those of prefix bc
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",  # bech32 instead of bech32m
        "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",  # the same
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  # bech32m instead of bech32
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",  # a character of no meaning
        "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",  # witness version 17
        "bc1pw5dgrnzv",  # a program of one byte
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",  # of 41 bytes
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",  # version 0 with 16 bytes
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",  # zero padding of more than 4 bits
        "bc1gmk9yu",  # no data
        "bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",  # mixed case
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",  # valid, but of testnet
        "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",  # the same in base 58
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",  # last character changed
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7Divf0a",  # 0 is not in the alphabet
        "",
        "1",
        "Multiple",
        "1" * 500,
    ],
)
def test_what_is_no_mainnet_address(address: str) -> None:
    assert normal_address(address) is None


def test_a_bare_key_gives_the_address_that_registries_list() -> None:
    assert output_address(bytes.fromhex("41" + GENESIS_KEY + "ac")) == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
    compressed = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"  # the secp256k1 generator
    assert output_address(bytes.fromhex("21" + compressed + "ac")) == "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"
    assert output_address(bytes.fromhex("21" + "05" + compressed[2:] + "ac")) is None


def test_every_output_of_the_real_stale_coinbases() -> None:
    rows = [json.loads(line) for line in shared_data("coinbases/stale_coinbases.jsonl").read_text().splitlines()]
    outputs = [output for row in rows for output in row["outputs"]]
    named = [output for output in outputs if output["address"] is not None]
    assert len(named) > 300
    for output in named:
        assert output_address(bytes.fromhex(output["spk"])) == output["address"]
    for output in outputs:
        if output["address"] is None:  # the reference leaves bare keys without an address; all others have none
            script = bytes.fromhex(output["spk"])
            assert (output_address(script) is not None) == (script[-1:] == b"\xac" and len(script) in (35, 67))


@pytest.mark.parametrize(
    "script", ["", "6a", "6a24aa21a9ed", "0014", "0013" + "00" * 19, "5101aa", "76a914", "a914" + "00" * 20 + "88"]
)
def test_scripts_without_an_address(script: str) -> None:
    assert output_address(bytes.fromhex(script)) is None


@pytest.mark.parametrize(
    ("chain", "address", "script"),
    [
        # BIP173 and Bitcoin Core's key_io_valid.json
        ("testnet4", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
        ("signet", "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
        ("testnet4", "mwXn5Vhicdav8Av3KMokx4YNuHoGRKxtWs", "76a914afa9e672141e283dfbcc1cf28f3793a856d3878488ac"),
        # Litecoin Core's key_io_valid.json; the witness program is BIP173's
        ("litecoin", "LT2KVaAy1ppRuxRgrS5RNU3vBsy7RibPeA", "76a914558dbca7118cd5894502767c7b2ffc21a22f54db88ac"),
        ("litecoin", "MHrYRxAiMNBTku3eoDHwhA1LQGDjUStZW2", "a9146d328a5b2a20d943a641c8d29b6cc3c2d2df85d387"),
        ("litecoin", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
        # CashAddr's specification: "examples of address translation", and of its larger vectors those of 20 and 32 bytes
        (
            "bitcoin-cash",
            "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
            "76a91476a04053bda0a88bda5177b86a15c3b29f55987388ac",
        ),
        (
            "bitcoin-cash",
            "bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq",
            "a91476a04053bda0a88bda5177b86a15c3b29f55987387",
        ),
        (
            "bitcoin-cash",
            "bitcoincash:qr6m7j9njldwwzlg9v7v53unlr4jkmx6eylep8ekg2",
            "76a914f5bf48b397dae70be82b3cca4793f8eb2b6cdac988ac",
        ),
    ],
)
def test_each_chain_writes_addresses_its_own_way(chain: str, address: str, script: str) -> None:
    form = CHAINS[chain].addresses
    assert output_address(bytes.fromhex(script), form) == address
    assert normal_address(address, form) == normal_address_of_any(address) == address
    others = [other for other in CHAINS.values() if other.addresses != form]
    assert [other.name for other in others if normal_address(address, other.addresses)] == []


def test_old_and_short_forms_become_what_a_node_writes() -> None:
    """Bitcoin Cash: CashAddr's specification. Litecoin: the same script under the version byte that it shared with Bitcoin."""
    cash, litecoin = CHAINS["bitcoin-cash"].addresses, CHAINS["litecoin"].addresses
    wanted = "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"
    for text in (wanted, wanted[12:], wanted.upper(), wanted[12:].upper(), "1BpEi6DfDAUFd7GtittLSdBeYJvcoaVggu"):
        assert normal_address(text, cash) == wanted
    assert normal_address("3CWFddi6m4ndiGyKqzYvsFYagqDLPVMTzC", cash) == (
        "bitcoincash:ppm2qsznhks23z7629mms6s4cwef74vcwvn0h829pq"
    )
    payload = base58check_decode("MHrYRxAiMNBTku3eoDHwhA1LQGDjUStZW2")
    assert payload is not None
    assert normal_address(base58check_encode(b"\x05" + payload[1:]), litecoin) == "MHrYRxAiMNBTku3eoDHwhA1LQGDjUStZW2"


def test_bitcoin_cash_has_scripts_of_32_bytes_and_no_witness_programs() -> None:
    form = CHAINS["bitcoin-cash"].addresses
    hashed = bytes.fromhex("3173ef6623c6b48ffd1a3dcc0cc6489b0a07bb47a37f47cfef4fe69de825c060")
    address = output_address(b"\xaa\x20" + hashed + b"\x87", form)
    assert address is not None
    assert cashaddr_decode("bitcoincash", address) == (1, hashed)
    assert output_address(b"\xaa\x20" + hashed + b"\x87") is None
    assert output_address(bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6"), form) is None


FORMS = st.sampled_from([chain.addresses for chain in CHAINS.values()])


@given(st.binary(max_size=80), FORMS)
def test_output_address_never_raises_and_is_always_valid(script: bytes, form: AddressFormat) -> None:
    address = output_address(script, form)
    assert address is None or normal_address(address, form) == address


@given(
    st.one_of(
        st.builds(lambda h: b"\x76\xa9\x14" + h + b"\x88\xac", st.binary(min_size=20, max_size=20)),
        st.builds(lambda h: b"\xa9\x14" + h + b"\x87", st.binary(min_size=20, max_size=20)),
    ),
    FORMS,
)
def test_every_key_and_script_hash_has_one_valid_address(script: bytes, form: AddressFormat) -> None:
    address = output_address(script, form)
    assert address is not None
    assert normal_address(address, form) == address


@given(st.text(max_size=100), FORMS)
def test_normal_address_never_raises(text: str, form: AddressFormat) -> None:
    normal_address(text, form)


@given(st.binary(min_size=1, max_size=40))
def test_base58check_round_trip(payload: bytes) -> None:
    assert base58check_decode(base58check_encode(payload)) == payload


@given(st.integers(1, 16), st.binary(min_size=2, max_size=40))
def test_segwit_round_trip(version: int, program: bytes) -> None:
    assert segwit_decode("bc", segwit_encode("bc", version, program)) == (version, program)


def test_segwit_encode_refuses_what_bip141_does() -> None:
    with pytest.raises(ValueError, match="no witness program of version 0 has 21 bytes"):
        segwit_encode("bc", 0, bytes(21))
