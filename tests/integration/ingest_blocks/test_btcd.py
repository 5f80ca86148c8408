"""A real btcd: the source reads it, and ten reorganisations between two nodes leave no difference.

Needs the program: `make test-btcd` builds it with Go and runs this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.sections.ingest_sections import BitcoindSettings
from ingest.blocks.follower import Follower
from ingest.blocks.sources.bitcoind import BitcoindSource
from ingest.blocks.withdrawn_blocks import POLLS_ALLOWED, WithdrawnBlocks
from streams.blocks.fold.attributor import Attributor
from streams.blocks.fold.chain_fold import ChainFold
from testkit.btcd_node import PASSWORD, USER, VARIABLE, BtcdNode, btcd_binary, require_version
from tests.engines import ClickHouseServer, RunningKafka
from tests.integration.streams.line import Engines, line_on
from tests.waiting import wait_for

VERIFIES = [
    (
        "btcd",
        "0.26.2",
        "real",
        "ten reorganisations of two nodes up to `blocks`, an invalidated block (`make test-btcd`)",
    ),
]

pytestmark = pytest.mark.skipif(btcd_binary() is None, reason=f"no btcd: `make test-btcd`, or {VARIABLE}=PATH")

CHAIN = "simnet"
"""No chain of ours: its identity is not checked."""

REORGS = 10


def source_of(node: BtcdNode) -> BitcoindSource:
    settings = BitcoindSettings(url=node.url, user=USER, password=PASSWORD, timeout_seconds=30.0)
    return BitcoindSource(settings, CHAIN, SystemClock())


@pytest.fixture(params=["--txindex", "--notxindex"])
def nodes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[BtcdNode, BtcdNode]]:
    binary = btcd_binary()
    assert binary is not None
    require_version(binary)
    options = [request.param] if request.param == "--txindex" else []
    with ExitStack() as stack:
        yield (
            stack.enter_context(BtcdNode(binary, tmp_path / "a", 1, *options)),
            stack.enter_context(BtcdNode(binary, tmp_path / "b", 2, *options)),
        )


class Line:
    """Ingest's follower and streams' fold, without what lies between."""

    def __init__(self, source: BitcoindSource) -> None:
        self.source = source
        self.follower = Follower(source, {}, 0)
        self.fold = ChainFold(Attributor(AttributionSet.default()))
        self.events: dict[str, BlockEvent] = {}

    def follow(self) -> None:
        batch = self.follower.new_at_tip(self.source.tip())
        assert batch.bad == ()
        self.follower.published(batch.events)
        self.events |= {event.hash: event for event in batch.events}
        self.fold.apply(batch.events)

    def best_chain(self) -> list[str]:
        """Hashes by height, from the first block that was seen."""
        assert self.fold.tip is not None
        found = [self.fold.tip.hash]
        while (parent := self.events[found[-1]].prev_hash) in self.events:
            found.append(parent)
        return found[::-1]


def test_ten_reorganisations_leave_no_difference(nodes: tuple[BtcdNode, BtcdNode]) -> None:
    a, b = nodes
    a.mine(3)
    b.join(a.peer)
    wait_for(lambda: a.best_chain() == b.best_chain(), "the nodes to agree")
    line = Line(source_of(a))
    line.follow()
    lost: list[str] = []
    for number in range(REORGS):
        b.part(a.peer)
        wait_for(lambda: not a.call("getpeerinfo") and not b.call("getpeerinfo"), "the nodes to part")
        depth = 1 + number % 4
        lost += a.mine(depth)
        line.follow()
        assert line.best_chain() == a.best_chain()
        won = b.mine(depth + 1)[-1]
        b.join(a.peer)
        wait_for(
            lambda: a.call("getbestblockhash") == won,  # noqa: B023 - called within the turn
            "the longer branch to win",
        )
        line.follow()
        assert line.best_chain() == a.best_chain() == b.best_chain()
    assert set(lost) <= set(line.events) and not set(lost) & set(line.best_chain())
    first, second = line.events[lost[0]], line.events[line.best_chain()[-1]]
    assert (first.payout_addresses, second.payout_addresses) == ((a.address,), (b.address,))
    assert all(event.coinbase_script.endswith(b"/P2SH/btcd/".hex()) for event in list(line.events.values())[1:])
    line.source.close()


@pytest.mark.parametrize("nodes", ["--txindex"], indirect=True)
def test_ten_reorganisations_leave_no_difference_between_node_and_view(
    nodes: tuple[BtcdNode, BtcdNode], kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    """Source, Kafka, streams as a process, ClickHouse: the view `blocks` is the node's best chain after each turn."""
    a, b = nodes
    a.mine(3)
    b.join(a.peer)
    wait_for(lambda: a.best_chain() == b.best_chain(), "the nodes to agree")
    source = source_of(a)
    follower = Follower(source, {}, 0)
    with line_on(Engines(kafka, clickhouse, tmp_path / "line"), "btcd") as line:
        worker = line.start()

        def agrees() -> bool:
            batch = follower.new_at_tip(source.tip())
            if batch.events:
                line.send([event.model_copy(update={"chain": "bitcoin"}) for event in batch.events])
                follower.published(batch.events)
            stored = line.ch.query("SELECT hash FROM blocks ORDER BY height")
            return [hash_ for (hash_,) in stored] == a.best_chain()

        wait_for(agrees, "the first blocks", worker.tail)
        lost: list[str] = []
        for number in range(REORGS):
            b.part(a.peer)
            wait_for(lambda: not a.call("getpeerinfo") and not b.call("getpeerinfo"), "the nodes to part")
            lost += a.mine(1 + number % 4)
            wait_for(agrees, "the shorter branch", worker.tail)
            won = b.mine(2 + number % 4)[-1]
            b.join(a.peer)
            wait_for(
                lambda: a.call("getbestblockhash") == won,  # noqa: B023 - called within the turn
                "the longer branch to win",
            )
            wait_for(agrees, "the longer branch", worker.tail)
        stale = line.ch.query("SELECT hash FROM blocks_all WHERE status != 'canonical'")
        assert {hash_ for (hash_,) in stale} == set(lost)
        assert line.ch.query("SELECT count() FROM dead_letters") == [(0,)]
        assert worker.stop() == 0, worker.tail()
    source.close()


def test_the_probe_of_a_real_btcd(nodes: tuple[BtcdNode, BtcdNode]) -> None:
    node, _ = nodes
    node.mine(20)
    source = source_of(node)
    assert source.probe().verdict == "ok"
    heights = [event.height for batch in source.blocks(0, 99) for event in batch.events]
    assert heights == list(range(21))
    assert source.block("ab" * 32).events == ()
    wrong = BitcoindSource(
        BitcoindSettings(url=node.url, user=USER, password="wrong"),
        CHAIN,
        SystemClock(),
    )
    assert wrong.probe().verdict == "problem"
    source.close()
    wrong.close()


def test_a_block_that_the_node_invalidated_is_reported_and_then_followed(nodes: tuple[BtcdNode, BtcdNode]) -> None:
    node, _ = nodes
    hashes = node.mine(5)
    line, withdrawn = Line(source_of(node)), WithdrawnBlocks()
    line.follow()
    highest = (5, hashes[4])
    assert withdrawn.poll(line.source.tip(), highest) is None
    node.call("invalidateblock", hashes[3])
    said = [withdrawn.poll(line.source.tip(), highest) for _ in range(POLLS_ALLOWED + 1)]
    assert said[:-1] == [None] * POLLS_ALLOWED
    assert said[-1] is not None and said[-1].startswith("the node's best block 3 is below block 5 (")
    node.mine(3)
    assert withdrawn.poll(line.source.tip(), highest) is None
    line.follow()
    assert line.best_chain() == node.best_chain()
    line.source.close()
