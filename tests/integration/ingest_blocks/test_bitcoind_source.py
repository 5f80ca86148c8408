"""The bitcoind source against a stand-in node over real HTTP and ZMQ."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import zmq

from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.sections.ingest_sections import BitcoindSettings
from ingest.blocks.sources.bitcoind import METHODS, BitcoindSource, NoBodyError
from ingest.blocks.sources.zmq_listener import ZmqListener
from testkit.bitcoind_server import BitcoindServer
from testkit.fake_chain import FakeChain
from tests.waiting import PATIENCE_SECONDS, wait_for

VERIFIES = [
    (
        "Bitcoin Core",
        "documented RPC",
        "stand-in",
        "JSON-RPC, cookie, pruning, assumeutxo, ZMQ over TCP, IPv6 and Unix sockets",
    ),
    ("btcd", "0.26.2", "stand-in", "its dialect as recorded, with and without a transaction index"),
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BitcoindServer]:
    chain = FakeChain()
    chain.mine(30)
    with BitcoindServer(chain, tmp_path) as server:
        yield server


def source_of(node: BitcoindServer, **more: Any) -> BitcoindSource:
    fields: dict[str, Any] = {"url": node.url, "cookie_file": node.cookie_file, "timeout_seconds": 5.0}
    return BitcoindSource(BitcoindSettings(**(fields | more)), "bitcoin", SystemClock())


@pytest.fixture
def source(node: BitcoindServer) -> Iterator[BitcoindSource]:
    made = source_of(node)
    yield made
    made.close()


def test_tip_and_blocks(node: BitcoindServer, source: BitcoindSource) -> None:
    best = node.chain.best()
    assert source.tip() == (30, best[-1].hash, 0)
    events = [event for batch in source.blocks(0, 30) for event in batch.events]
    assert [e.hash for e in events] == [b.hash for b in best]
    assert [e.prev_hash for e in events] == [b.prev_hash for b in best]
    assert [(e.height, e.time, e.bits) for e in events] == [(b.height, b.time, b.bits) for b in best]
    assert [e.coinbase_script for e in events] == [b.coinbase_script for b in best]
    assert [e.payout_addresses for e in events] == [b.addresses for b in best]
    assert [e.fees_sats for e in events[1:]] == [b.fees_sats for b in best[1:]]
    assert events[0].fees_sats is None  # the node cannot say for the genesis block


def test_many_blocks_share_a_request(node: BitcoindServer, source: BitcoindSource) -> None:
    list(source.blocks(1, 24))
    assert node.requests == 3 * 3  # hashes, blocks with their fees, coinbases: for eight blocks at a time
    assert node.calls["getblock"] == 24


def test_a_chain_that_became_shorter_ends_where_it_ends(node: BitcoindServer, source: BitcoindSource) -> None:
    events = [event for batch in source.blocks(28, 47) for event in batch.events]
    assert [event.height for event in events] == [28, 29, 30]
    assert list(source.blocks(31, 40)) == []


def test_a_block_of_a_branch_that_lost_and_one_that_nobody_knows(node: BitcoindServer, source: BitcoindSource) -> None:
    lost = node.chain.tip
    node.chain.reorg(1)
    assert [e.hash for e in source.block(lost.hash).events] == [lost.hash]
    assert source.block("ab" * 32).events == ()


def test_a_new_cookie_is_read_when_the_old_one_is_refused(node: BitcoindServer, source: BitcoindSource) -> None:
    source.tip()
    node.rotate_cookie()
    assert source.tip().height == 30
    assert node.requests == 3  # one of them refused


def test_a_wrong_cookie_is_a_stale_source(node: BitcoindServer, source: BitcoindSource) -> None:
    node.cookie = "__cookie__:other"
    with pytest.raises(StaleSourceError, match="is not this node's"):
        source.tip()


def test_a_cookie_that_is_not_there_yet_is_a_stale_source(node: BitcoindServer, tmp_path: Path) -> None:
    source = source_of(node, cookie_file=tmp_path / "none")
    with pytest.raises(StaleSourceError, match="cannot be read"):
        source.tip()
    source.close()


def test_user_and_password(node: BitcoindServer) -> None:
    node.user_password = ("desk", "s3cret")
    source = source_of(node, cookie_file=None, user="desk", password="s3cret")
    assert source.tip().height == 30
    source.close()
    wrong = source_of(node, cookie_file=None, user="desk", password="wr0ng")
    with pytest.raises(StaleSourceError) as caught:
        wrong.tip()
    wrong.close()
    assert "rpcauth" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("unavailable", r"asks for a pause \(503\)"),
        ("malformed", "answered what is not JSON"),
        ("oversized", "answered more than 33554432 bytes: refused"),
        ("starting", r"Loading block index\.\.\. \(code -28\)"),
        ("cut", "cannot be reached"),
    ],
)
def test_what_goes_wrong_is_a_stale_source_and_passes(
    node: BitcoindServer, source: BitcoindSource, fault: Any, message: str
) -> None:
    node.fault = fault
    with pytest.raises(StaleSourceError, match=message):
        source.tip()
    node.fault = None
    assert source.tip().height == 30


def test_a_slow_node_is_given_up(node: BitcoindServer) -> None:
    source = source_of(node, timeout_seconds=0.2)
    node.fault, node.slow_seconds = "slow", PATIENCE_SECONDS
    with pytest.raises(StaleSourceError, match="cannot be reached"):
        source.tip()
    source.close()


def test_a_node_that_is_away_is_named_with_the_next_step(node: BitcoindServer, free_port: int) -> None:
    source = source_of(node, url=f"http://u:p@127.0.0.1:{free_port}")
    with pytest.raises(StaleSourceError) as caught:
        source.tip()
    source.close()
    assert f"http://127.0.0.1:{free_port} cannot be reached" in str(caught.value)
    assert "check that it runs, the network, and COUNTERPOISE_INGEST__BITCOIND__URL" in str(caught.value)


def test_a_url_that_is_none() -> None:
    with pytest.raises(ConfigError, match="COUNTERPOISE_INGEST__BITCOIND__URL='localhost:8332' is not a URL"):
        BitcoindSource(BitcoindSettings(url="localhost:8332"), "bitcoin", SystemClock())


def test_a_zmq_endpoint_that_is_none(node: BitcoindServer) -> None:
    with pytest.raises(ConfigError, match="ZMQ endpoint 'nonsense'"):
        source_of(node, zmq_hashblock="nonsense")


def test_a_node_that_still_loads_the_chain_has_no_tip_yet(node: BitcoindServer, source: BitcoindSource) -> None:
    node.headers_ahead = 900_000
    with pytest.raises(StaleSourceError, match="still loads the chain: 30 of 900030 blocks so far"):
        source.tip()
    node.headers_ahead = 0
    assert source.tip().height == 30


def test_a_pruned_node_says_where_its_blocks_begin(node: BitcoindServer, source: BitcoindSource) -> None:
    node.prune_height = 20
    assert source.tip().lowest_height == 20
    with pytest.raises(StaleSourceError, match=r"Block not available \(pruned data\)"):
        list(source.blocks(10, 12))


def test_a_block_that_is_none_is_a_bad_item_among_good_ones(node: BitcoindServer, source: BitcoindSource) -> None:
    bad = node.chain.best()[7]
    node.replace[bad.hash] = {"hash": bad.hash, "height": 10**40, "tx": [bad.coinbase_txid]}
    batches = list(source.blocks(5, 9))
    assert [e.height for b in batches for e in b.events] == [5, 6, 8, 9]
    assert [(item.key, item.reason) for b in batches for item in b.bad] == [(bad.hash, "bad-block")]


def test_zmq_wakes_at_a_block_and_names_it(node: BitcoindServer) -> None:
    source = source_of(node, zmq_hashblock=node.zmq_url, zmq_sequence=node.zmq_url)
    mined = node.chain.mine(1)[0]
    news = source.wait(0.05)

    def woken() -> bool:  # a subscriber joins late, as on a real node
        nonlocal news
        node.announce(mined.hash)
        news = source.wait(0.1)
        return news.changed

    wait_for(woken, "news")
    assert news == (True, (mined.hash,))
    source.close()


def test_zmq_transactions_wake_nobody_and_a_gap_does(node: BitcoindServer) -> None:
    source = source_of(node, zmq_hashblock=node.zmq_url)
    first = node.chain.mine(1)[0]

    def woken() -> bool:
        node.announce(first.hash)
        return source.wait(0.1).changed

    wait_for(woken, "news")
    last = node.chain.mine(1)[0]
    node.announce(
        last.hash, connected=False
    )  # one message; the socket keeps the order, so the news before it have come
    wait_for(lambda: last.hash in source.wait(0.1).hashes, "the last of the news")
    node.announce_transaction()
    assert source.wait(0.2) == (False, ())
    node.announce(first.hash, lose=3)
    news = source.wait(PATIENCE_SECONDS)
    assert news.changed
    assert source._listener is not None
    assert source._listener.gaps >= 1
    source.close()


def test_without_zmq_waiting_is_only_time(source: BitcoindSource) -> None:
    began = time.monotonic()
    assert source.wait(0.05) == (False, ())
    assert time.monotonic() - began >= 0.05


def test_a_node_of_another_network_is_refused(node: BitcoindServer, source: BitcoindSource) -> None:
    assert source.tip().height == 30
    node.network = "signet"
    with pytest.raises(ConfigError, match=f"the node at {node.url} does not follow bitcoin: its network is 'signet'"):
        source.tip()


def test_a_node_whose_blocks_are_of_another_chain_is_refused(node: BitcoindServer, source: BitcoindSource) -> None:
    node.hash_at[478_559] = "ab" * 32
    with pytest.raises(ConfigError, match=f"its block 478559 is {'ab' * 32}, expected 0{{18}}19f112ec"):
        source.tip()
    node.hash_at = {0: "cd" * 32}
    with pytest.raises(ConfigError, match=f"its block 0 is {'cd' * 32}"):
        source.tip()


def test_a_forbidden_call_names_both_settings_of_the_node(node: BitcoindServer, source: BitcoindSource) -> None:
    node.allowed_methods = frozenset(METHODS)
    tip = source.tip()
    assert len(source.block(tip.hash).events) == 1
    for method in METHODS:
        node.allowed_methods = frozenset(METHODS) - {method}
        with pytest.raises(StaleSourceError, match=r"answers 403: rpcallowip .* rpcwhitelist") as caught:
            source.tip()
            source.block(tip.hash)
        assert ",".join(METHODS) in str(caught.value)


@pytest.mark.parametrize("has_index", [True, False])
def test_the_dialect_of_btcd(node: BitcoindServer, source: BitcoindSource, has_index: bool) -> None:
    node.dialect, node.has_transaction_index = "btcd", has_index
    best = node.chain.best()
    events = [event for batch in source.blocks(0, 99) for event in batch.events]
    assert [(e.hash, e.coinbase_script, e.payout_addresses) for e in events] == [
        (b.hash, b.coinbase_script, b.addresses) for b in best
    ]
    assert {e.fees_sats for e in events} == {None}
    assert list(source.blocks(31, 40)) == []
    assert source.probe().verdict == "ok"
    assert (node.calls["getblock"] > len(best)) == (not has_index) or node.calls["getblock"] == len(best) + 1


def test_history_begins_above_the_snapshot_of_assumeutxo(node: BitcoindServer, source: BitcoindSource) -> None:
    node.snapshot_height = 17
    with structlog.testing.capture_logs() as lines:
        events = [event for batch in source.blocks(3, 30) for event in batch.events]
    assert [event.height for event in events] == list(range(17, 31))
    assert [(line["wanted_height"], line["first_height"]) for line in lines if line["log_level"] == "error"] == [
        (3, 17)
    ]
    node.snapshot_height = 0  # the background validation is over
    assert [e.height for batch in source.blocks(3, 30) for e in batch.events] == list(range(3, 31))


@pytest.mark.parametrize("dialect", ["core", "btcd"])
@pytest.mark.parametrize("to_height", [31, 34, 45, 61, 100])
def test_history_above_a_snapshot_ends_where_the_chain_became_shorter(
    node: BitcoindServer, source: BitcoindSource, to_height: int, dialect: Any
) -> None:
    node.snapshot_height, node.dialect = 17, dialect
    events = [event for batch in source.blocks(3, to_height) for event in batch.events]
    assert [event.height for event in events] == list(range(17, 31))
    node.snapshot_height = 31
    with pytest.raises(NoBodyError):
        list(source.blocks(3, to_height))


@pytest.mark.parametrize(
    ("message", "code"), [("Block not found on disk", -1), ("Work queue depth exceeded", -32), ("Shutting down", -9)]
)
@pytest.mark.parametrize("height", range(17, 31))
def test_another_failure_of_a_block_does_not_shorten_history(
    node: BitcoindServer, source: BitcoindSource, height: int, message: str, code: int
) -> None:
    node.snapshot_height = 17
    node.failing[node.chain.best()[height].hash] = (message, code)
    heights: list[int] = []
    with pytest.raises(StaleSourceError, match=message) as caught:
        for batch in source.blocks(3, 30):
            heights += [event.height for event in batch.events]
    assert not isinstance(caught.value, NoBodyError)
    assert heights == list(range(17, 17 + len(heights)))  # nothing is left out before the failure
    node.failing.clear()
    assert [e.height for batch in source.blocks(3, 30) for e in batch.events] == list(range(17, 31))


@pytest.mark.parametrize("asked", range(1, 31, 5))
@pytest.mark.parametrize("prune_height", [1, 2, 8, 9, 29, 30])
def test_a_prune_height_that_moved_is_asked_again(
    node: BitcoindServer, source: BitcoindSource, asked: int, prune_height: int
) -> None:
    node.prune_height = 1
    assert source.tip().lowest_height == 1
    node.prune_height = prune_height  # meanwhile
    events = [event for batch in source.blocks(asked, 30) for event in batch.events]
    assert [event.height for event in events] == list(range(max(asked, prune_height), 31))


def test_a_gap_below_the_prune_height_names_the_next_step(node: BitcoindServer, source: BitcoindSource) -> None:
    node.prune_height = 20
    lost = node.chain.best()[7]
    with pytest.raises(NoBodyError) as caught:
        source.block(lost.hash)
    assert str(caught.value) == (
        f"{node.url} has no body of block {lost.hash} (Block not available (pruned data)): it has blocks from height 20 on: wait "
        "until it has downloaded them, or set COUNTERPOISE_INGEST__BITCOIND__URL to a node that has them"
    )


@pytest.mark.parametrize("kind", ["ipv6", "unix"])
def test_zmq_addresses_as_bitcoin_conf_writes_them(kind: str) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="zmq") as folder,
        zmq.Context() as context,
        context.socket(zmq.PUB) as publisher,
    ):
        publisher.setsockopt(zmq.LINGER, 0)
        if kind == "ipv6":
            publisher.setsockopt(zmq.IPV6, 1)
            endpoint = f"tcp://[::1]:{publisher.bind_to_random_port('tcp://[::1]')}"
        else:
            endpoint = f"unix:{folder}/node.sock"
            publisher.bind(f"ipc://{folder}/node.sock")
        listener = ZmqListener((endpoint,), SystemClock())

        def heard() -> bool:
            publisher.send_multipart([b"hashblock", bytes(range(32)), bytes(4)])
            return bool(listener.wait(0.05).hashes)

        wait_for(heard, "the announcement")
        listener.close()


def test_silent_zmq_is_reported_once_blocks_come_without_it(node: BitcoindServer) -> None:
    source = source_of(node, zmq_hashblock=node.zmq_url)
    with structlog.testing.capture_logs() as lines:
        for _ in range(6):
            source.tip()
            source.tip()
            node.chain.mine(1)
    assert [(line["blocks"], line["height"]) for line in lines if "zmq is silent" in line["event"]] == [(2, 32)]
    source.close()


def test_zmq_that_names_its_blocks_is_not_silent(node: BitcoindServer) -> None:
    source = source_of(node, zmq_hashblock=node.zmq_url)
    source.tip()

    def announced() -> bool:
        node.announce(node.chain.tip.hash)
        return bool(source.wait(0.05).hashes)

    with structlog.testing.capture_logs() as lines:
        for _ in range(4):
            node.chain.mine(1)
            wait_for(announced, "the announcement")
            source.tip()
    assert lines == []
    source.close()
