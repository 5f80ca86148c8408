"""Recorded answers of the real APIs, and what no API should send."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest

from counterpoise.errors import DeadLetterError
from ingest.blocks.sources.parse.bitcoind import from_bitcoind
from ingest.blocks.sources.parse.mempool import from_mempool
from tests.shared import shared_data

SEEN = 1_750_000_000_000


def recorded_mempool() -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = json.loads(shared_data("api/mempool_ws_blocks.json").read_text())["blocks"]
    return blocks


def recorded_node() -> dict[str, Any]:
    block: dict[str, Any] = json.loads(shared_data("api/bitcoind_getblock_v3_739990_first3tx.json").read_text())
    return block


def small_mempool() -> dict[str, Any]:
    return {
        "id": "AB" * 32,
        "height": 5,
        "timestamp": 1_700_000_000,
        "bits": 386_038_124,
        "previousblockhash": "cd" * 32,
        "extras": {"coinbaseRaw": "03aabbcc", "coinbaseAddress": "addr1", "totalFees": 7},
    }


def small_node() -> tuple[dict[str, Any], dict[str, Any]]:
    head = {"hash": "ab" * 32, "height": 5, "time": 1_700_000_000, "bits": "1d00ffff", "previousblockhash": "cd" * 32}
    coinbase = {"vin": [{"coinbase": "03AABB"}], "vout": [{"scriptPubKey": {"hex": "6a00", "type": "nulldata"}}]}
    return head, coinbase


def test_recorded_mempool_block_gives_its_facts() -> None:
    event = from_mempool(recorded_mempool()[0], chain="bitcoin", seen_at_ms=SEEN)
    # Read off the file by hand: mempool_ws_blocks.json, first block.
    assert event.height == 890_440
    assert event.hash == "0000000000000000000079f5b74b6533abb0b1ece06570d8d157b5bebd1460b4"
    assert event.prev_hash == "000000000000000000020fb2e24425793e17e60e188205dc1694d221790348b2"
    assert (event.time, event.bits, event.fees_sats) == (1_743_535_677, 386_038_124, 7_338_750)
    assert event.payout_addresses == ("1PuJjnF476W3zXfVYmJfGnouzFDAXakkL4",)
    assert b"/ViaBTC/" in bytes.fromhex(event.coinbase_script)
    assert (event.source, event.label, event.synthetic) == ("mempool", None, False)
    assert (event.transactions, event.size_bytes, event.weight) == (3_823, 1_578_209, 3_993_461)
    assert (event.match_ratio, event.similarity_ratio) == (1.0, 0.9978345275528634)
    assert (event.expected_fees_sats, event.expected_weight) == (7_342_711, 3_991_920)


def test_all_recorded_mempool_blocks_link() -> None:
    events = sorted(
        (from_mempool(b, chain="bitcoin", seen_at_ms=SEEN) for b in recorded_mempool()), key=lambda e: e.height
    )
    assert all(a.hash == b.prev_hash and a.height + 1 == b.height for a, b in pairwise(events))


def test_recorded_node_block_gives_its_facts() -> None:
    block = recorded_node()
    event = from_bitcoind(block, block["tx"][0], fees_sats=1_983_001, chain="bitcoin", seen_at_ms=SEEN)
    assert (event.height, event.time, event.bits) == (739_990, 1_654_745_578, 0x17094B6A)
    assert event.hash == "000000000000000000056aa302bd92a1da4d6c996eee77ee790490c2d50c626e"
    assert event.prev_hash == "00000000000000000003473d0de4a1d4daacd56196e72c6526ab8c04095bf9b6"
    # One of its four outputs pays; the other three are OP_RETURN.
    assert event.payout_addresses == ("3L8Ck6bm3sve1vJGKo6Ht2k167YKSKi8TZ",)
    assert b"binance/867" in bytes.fromhex(event.coinbase_script)
    assert event.fees_sats == 1_983_001
    assert (event.transactions, event.size_bytes, event.weight) == (block["nTx"], block["size"], block["weight"])
    assert event.match_ratio is None and event.expected_fees_sats is None


def test_output_without_a_named_address_is_read_from_its_script() -> None:
    head, coinbase = small_node()
    # P2SH script of 3L8Ck6…, as in the recorded block.
    coinbase["vout"] = [{"scriptPubKey": {"hex": "a914ca35b1f4d02907314852f09935b9604507f8d70087"}}]
    event = from_bitcoind(head, coinbase, fees_sats=None, chain="bitcoin", seen_at_ms=SEEN)
    assert event.payout_addresses == ("3L8Ck6bm3sve1vJGKo6Ht2k167YKSKi8TZ",)
    assert event.fees_sats is None


def test_old_nodes_name_addresses_in_a_list() -> None:
    head, coinbase = small_node()
    coinbase["vout"] = [
        {"scriptPubKey": {"addresses": ["one"]}},
        {"scriptPubKey": {"addresses": ["a", "b"], "hex": "51"}},
    ]
    assert from_bitcoind(head, coinbase, fees_sats=1, chain="bitcoin", seen_at_ms=SEEN).payout_addresses == ("one",)


def test_genesis_block_has_no_parent() -> None:
    head, coinbase = small_node()
    del head["previousblockhash"]
    head["height"] = 0
    assert from_bitcoind(head, coinbase, fees_sats=None, chain="bitcoin", seen_at_ms=SEEN).prev_hash == "0" * 64


def test_upper_case_is_brought_down_and_a_single_address_is_enough() -> None:
    event = from_mempool(small_mempool(), chain="bitcoin", seen_at_ms=SEEN)
    assert event.hash == "ab" * 32
    assert event.payout_addresses == ("addr1",)


@pytest.mark.parametrize("bits", ["1d00ffff", "0x1d00ffff", "1D00FFFF", 0x1D00FFFF])
def test_compact_target_in_any_form(bits: object) -> None:
    assert from_mempool(small_mempool() | {"bits": bits}, chain="bitcoin", seen_at_ms=SEEN).bits == 0x1D00FFFF


def test_a_coinbase_that_pays_416_addresses_keeps_them_all() -> None:
    block = small_mempool()
    block["extras"]["coinbaseAddresses"] = [f"address{i}" for i in range(416)]
    assert len(from_mempool(block, chain="bitcoin", seen_at_ms=SEEN).payout_addresses) == 416


def test_addresses_are_bounded() -> None:
    block = small_mempool()
    block["extras"]["coinbaseAddresses"] = [f"address{i}" for i in range(50_000)]
    assert len(from_mempool(block, chain="bitcoin", seen_at_ms=SEEN).payout_addresses) == 4_096


@pytest.mark.parametrize("fees", [-1, 10**30, "7", True, None, 1.5, float("nan")])
def test_fees_that_are_no_count_are_left_out(fees: object) -> None:
    block = small_mempool()
    block["extras"]["totalFees"] = fees
    assert from_mempool(block, chain="bitcoin", seen_at_ms=SEEN).fees_sats is None


@pytest.mark.parametrize("value", [0, -1, 10**30, "7", True, None, 1.5, float("nan"), [1]])
def test_contents_that_are_no_count_are_left_out(value: object) -> None:
    block = small_mempool() | {"tx_count": value, "size": value, "weight": value}
    block["extras"] |= {"expectedWeight": value}
    event = from_mempool(block, chain="bitcoin", seen_at_ms=SEEN)
    assert [event.transactions, event.size_bytes, event.weight, event.expected_weight] == [None] * 4
    head, coinbase = small_node()
    event = from_bitcoind(
        head | {"nTx": value, "size": value, "weight": value},
        coinbase,
        fees_sats=None,
        chain="bitcoin",
        seen_at_ms=SEEN,
    )
    assert [event.transactions, event.size_bytes, event.weight] == [None] * 3


@pytest.mark.parametrize("value", [-1, 101, "7", True, None, float("nan"), float("inf"), [1]])
def test_ratios_that_are_none_are_left_out(value: object) -> None:
    block = small_mempool()
    block["extras"] |= {"matchRate": value, "similarity": value}
    event = from_mempool(block, chain="bitcoin", seen_at_ms=SEEN)
    assert (event.match_ratio, event.similarity_ratio) == (None, None)


def test_an_old_node_lists_its_transactions_without_counting_them() -> None:
    head, coinbase = small_node()
    for name in ("tx", "rawtx"):
        event = from_bitcoind(head | {name: ["a", "b"]}, coinbase, fees_sats=None, chain="bitcoin", seen_at_ms=SEEN)
        assert event.transactions == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"height": 10**30}, "bad-block"),
        ({"height": -1}, "bad-block"),
        ({"height": True}, "bad-block"),
        ({"height": "5"}, "bad-block"),
        ({"height": 5.0}, "bad-block"),
        ({"timestamp": 10**12}, "bad-block"),
        ({"timestamp": None}, "bad-block"),
        ({"bits": "zz"}, "bad-block"),
        ({"bits": 0}, "bad-block"),
        ({"bits": 2**40}, "bad-block"),
        ({"id": "ab"}, "bad-block"),
        ({"id": None}, "bad-block"),
        ({"previousblockhash": None}, "bad-block"),
        ({"extras": None}, "no-coinbase"),
        ({"extras": {}}, "no-coinbase"),
        ({"extras": {"coinbaseRaw": ""}}, "no-coinbase"),
        ({"extras": {"coinbaseRaw": "zz"}}, "bad-block"),
        ({"extras": {"coinbaseRaw": "abc"}}, "bad-block"),
        ({"extras": {"coinbaseRaw": "ab" * 1_001}}, "bad-block"),
        ({"extras": {"coinbaseRaw": "ab", "coinbaseAddresses": [7]}}, "bad-block"),
        ({"extras": {"coinbaseRaw": "ab", "coinbaseAddresses": ["x" * 129]}}, "bad-block"),
    ],
)
def test_what_is_no_mempool_block_is_a_dead_letter(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(DeadLetterError) as caught:
        from_mempool(small_mempool() | change, chain="bitcoin", seen_at_ms=SEEN)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("payload", [None, [], "block", 7, [{}], {"extras": []}, {}])
def test_any_json_is_a_block_or_a_dead_letter(payload: object) -> None:
    with pytest.raises(DeadLetterError):
        from_mempool(payload, chain="bitcoin", seen_at_ms=SEEN)
    with pytest.raises(DeadLetterError):
        from_bitcoind(payload, payload, fees_sats=None, chain="bitcoin", seen_at_ms=SEEN)


@pytest.mark.parametrize(
    "change",
    [
        {"vin": None},
        {"vin": []},
        {"vin": [{"txid": "00"}]},
        {"vin": [{"coinbase": 7}]},
        {"vout": None},
        {"vout": [None]},
        {"vout": [{"scriptPubKey": None}]},
        {"vout": [{"scriptPubKey": {"hex": "zz"}}]},
        {"vout": [{"scriptPubKey": {"address": 7}}]},
    ],
)
def test_a_coinbase_that_is_none_is_a_dead_letter(change: dict[str, Any]) -> None:
    head, coinbase = small_node()
    with pytest.raises(DeadLetterError):
        from_bitcoind(head, copy.deepcopy(coinbase) | change, fees_sats=None, chain="bitcoin", seen_at_ms=SEEN)
