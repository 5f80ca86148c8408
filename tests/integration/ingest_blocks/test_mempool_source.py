"""The mempool source against a stand-in instance over real HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.sync.client import connect

from counterpoise.errors import StaleSourceError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.retry import RetryPolicy
from counterpoise.settings.sections.ingest_sections import MempoolSettings
from ingest.blocks.sources import mempool_socket
from ingest.blocks.sources.block_source import News
from ingest.blocks.sources.mempool import MempoolSource
from testkit.fake_chain import FakeChain
from testkit.mempool_server import MempoolServer
from tests.waiting import PATIENCE_SECONDS, wait_for

VERIFIES = [
    ("mempool.space", "documented API", "stand-in", "REST and WebSocket, limits, outages"),
]


@pytest.fixture
def server() -> Iterator[MempoolServer]:
    chain = FakeChain()
    chain.mine(50)
    with MempoolServer(chain) as made:
        yield made


def source_of(server: MempoolServer, **more: Any) -> MempoolSource:
    fields: dict[str, Any] = {
        "url": server.url,
        "websocket": False,
        "timeout_seconds": 5.0,
        "max_requests_per_second": 100,
    }
    return MempoolSource(MempoolSettings(**(fields | more)), "bitcoin", SystemClock())


@pytest.fixture
def source(server: MempoolServer) -> Iterator[MempoolSource]:
    made = source_of(server)
    yield made
    made.close()


def news_of(source: MempoolSource) -> News:
    """The next news."""
    news: list[News] = []

    def came() -> bool:
        news[:] = [source.wait(0.2)]
        return news[0].changed

    wait_for(came, "news")
    return news[0]


def test_tip_and_blocks(server: MempoolServer, source: MempoolSource) -> None:
    best = server.chain.best()
    assert source.tip()[:2] == (50, best[-1].hash)
    events = [event for batch in source.blocks(3, 50) for event in batch.events]
    assert [e.hash for e in events] == [b.hash for b in best[3:]]
    assert [e.coinbase_script for e in events] == [b.coinbase_script for b in best[3:]]
    assert [e.payout_addresses for e in events] == [b.addresses for b in best[3:]]
    assert [e.fees_sats for e in events] == [b.fees_sats for b in best[3:]]
    assert [(e.transactions, e.size_bytes, e.weight, e.expected_weight) for e in events] == [
        (1, 300, 1_200, 1_200)
    ] * len(events)
    assert [e.match_ratio for e in events] == [(100 - b.height % 10) / 100 for b in best[3:]]
    assert [e.expected_fees_sats for e in events] == [b.fees_sats + 10 for b in best[3:]]
    assert sorted(server.paths) == ["/api/v1/blocks", *(f"/api/v1/blocks/{top}" for top in (17, 32, 47, 50))]


def test_the_newest_blocks_are_not_asked_for_twice(server: MempoolServer, source: MempoolSource) -> None:
    tip = source.tip()
    assert [e.hash for e in source.block(tip.hash).events] == [tip.hash]
    assert sum(server.paths.values()) == 1
    old = server.chain.best()[2]
    assert [e.hash for e in source.block(old.hash).events] == [old.hash]
    assert server.paths[f"/api/v1/block/{old.hash}"] == 1
    assert source.block("ab" * 32).events == ()


def test_requests_are_spaced(server: MempoolServer) -> None:
    source = source_of(server, max_requests_per_second=20)
    list(source.blocks(0, 50))
    source.close()
    assert len(server.asked_at) == 4
    assert server.asked_at[-1] - server.asked_at[0] >= 0.1  # three spaces of 0.05 s; the first request may arrive late


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(server: MempoolServer, source: MempoolSource, form: str) -> None:
    server.fault = "too-many"
    later = datetime.now(UTC) + timedelta(seconds=300)
    server.retry_after = "300" if form == "seconds" else later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    with pytest.raises(StaleSourceError, match=r"asks for a pause \(429\)"):
        source.tip()
    server.fault = None
    with pytest.raises(StaleSourceError, match=r"asked for a pause: \d+ s of it are left"):
        source.tip()
    assert sum(server.paths.values()) == 1


def test_a_short_retry_after_is_slept(server: MempoolServer, source: MempoolSource) -> None:
    server.fault, server.retry_after = "too-many", "0.3"
    with pytest.raises(StaleSourceError):
        source.tip()
    server.fault = None
    assert source.tip().height == 50
    assert server.asked_at[1] - server.asked_at[0] >= 0.29


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("unavailable", r"asks for a pause \(503\)"),
        ("malformed", "answered what is not JSON"),
        ("oversized", "answered more than 8388608 bytes: refused"),
        ("not-found", r"does not exist there \(404\)"),
    ],
)
def test_what_goes_wrong_is_a_stale_source_and_passes(
    server: MempoolServer, source: MempoolSource, fault: Any, message: str
) -> None:
    server.fault = fault
    with pytest.raises(StaleSourceError, match=message):
        source.tip()
    server.fault = None
    assert source.tip().height == 50


def test_a_slow_instance_is_given_up(server: MempoolServer) -> None:
    source = source_of(server, timeout_seconds=0.2)
    server.fault, server.slow_seconds = "slow", PATIENCE_SECONDS
    with pytest.raises(StaleSourceError, match="cannot be reached"):
        source.tip()
    source.close()


def test_an_instance_that_is_away_is_named_with_the_next_step(server: MempoolServer, free_port: int) -> None:
    source = source_of(server, url=f"http://127.0.0.1:{free_port}")
    with pytest.raises(StaleSourceError) as caught:
        source.tip()
    source.close()
    assert f"http://127.0.0.1:{free_port}/api/v1/blocks cannot be reached" in str(caught.value)
    assert "check that it runs, the network, and COUNTERPOISE_INGEST__MEMPOOL__URL" in str(caught.value)


def test_a_block_that_is_none_is_a_bad_item_among_good_ones(server: MempoolServer, source: MempoolSource) -> None:
    bad = server.chain.best()[20]
    server.replace[bad.hash] = {"id": bad.hash, "height": 20, "extras": None}
    batches = list(source.blocks(15, 25))
    assert [e.height for b in batches for e in b.events] == [15, 16, 17, 18, 19, 21, 22, 23, 24, 25]
    assert [(item.key, item.reason) for b in batches for item in b.bad] == [(bad.hash, "no-coinbase")]
    assert [item.key for item in source.block(bad.hash).bad] == [bad.hash]


def test_an_instance_without_the_evidence_says_so(server: MempoolServer, source: MempoolSource) -> None:
    for block in server.chain.best():
        server.replace[block.hash] = {"id": block.hash, "height": block.height}
    with pytest.raises(StaleSourceError, match="gives no usable block"):
        source.tip()


def test_the_socket_brings_a_block_with_all_its_facts(server: MempoolServer) -> None:
    source = source_of(server, websocket=True)
    server.wait_for_listener()
    assert server.wanted == [{"action": "want", "data": ["blocks"]}]
    mined = server.chain.mine(1)[0]
    server.announce(mined)
    assert news_of(source) == (True, (mined.hash,))
    assert [e.coinbase_script for e in source.block(mined.hash).events] == [mined.coinbase_script]
    assert sum(server.paths.values()) == 0
    source.close()


def test_the_socket_comes_back_after_a_cut_and_after_nonsense(server: MempoolServer) -> None:
    source = source_of(server, websocket=True)
    server.wait_for_listener()
    server.drop_sockets()
    server.wait_for_listener()
    server.push("{nonsense")
    server.drop_sockets()
    server.wait_for_listener()
    mined = server.chain.mine(1)[0]
    server.announce(mined)
    assert news_of(source).hashes == (mined.hash,)
    source.close()


def test_the_socket_outlives_errors_of_every_kind(server: MempoolServer, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[Any] = []

    def connecting(*where: Any, **more: Any) -> Any:
        attempts.append(more)
        if len(attempts) == 1:
            raise ImportError("python-socks is required to use a SOCKS proxy")
        return connect(*where, **more)

    monkeypatch.setattr(mempool_socket, "connect", connecting)
    monkeypatch.setattr(mempool_socket, "RECONNECT_RETRY", RetryPolicy(0.01, 0.01))
    source = source_of(server, websocket=True)
    server.wait_for_listener()
    mined = server.chain.mine(1)[0]
    server.announce(mined)
    assert news_of(source).hashes == (mined.hash,)
    assert {one["proxy"] for one in attempts} == {None}, "no proxy leads to this machine"
    source.close()


def test_the_socket_keeps_the_newest_blocks_of_many(server: MempoolServer) -> None:
    source = source_of(server, websocket=True)
    assert source._socket is not None
    waiting = source._socket._blocks
    server.wait_for_listener()
    mined = server.chain.mine(70)
    for block in mined:
        server.announce(block)
    # Nobody takes one before the last has come.
    wait_for(lambda: waiting and waiting[-1]["id"] == mined[-1].hash, "the last of them")
    found = source.wait(0.0).hashes
    assert found == tuple(block.hash for block in mined)[-len(found) :]
    assert len(found) >= 64
    source.close()


def test_a_tip_that_is_no_block_is_the_tip_all_the_same(server: MempoolServer, source: MempoolSource) -> None:
    bad = server.chain.mine(1)[0]
    server.replace[bad.hash] = {"id": bad.hash, "height": 51, "extras": None}
    assert source.tip()[:2] == (51, bad.hash)
    server.replace[bad.hash] = {"id": bad.hash, "height": 9_000_000, "extras": None}
    assert source.tip()[:2] == (50, server.chain.best()[50].hash), "a height that nobody has is nobody's"
    server.replace.clear()
    assert [e.hash for e in source.block(bad.hash).events] == [bad.hash], "what was no block is asked for again"


def test_without_a_socket_polling_goes_on(server: MempoolServer) -> None:
    server.refuse_sockets = True
    source = source_of(server, websocket=True)
    mined = server.chain.mine(1)[0]
    assert source.wait(0.05) == (False, ())
    assert source.tip().hash == mined.hash
    source.close()
