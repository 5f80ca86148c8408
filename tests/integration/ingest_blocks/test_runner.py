"""The ingest service on live sources: history, tip, reorgs, gaps, outages."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from counterpoise.clickhouse.client import connect
from counterpoise.contracts.dead_letters import DeadLetter
from counterpoise.contracts.topics import BLOCK_REQUESTS, DEAD_LETTERS
from counterpoise.errors import ConfigError
from counterpoise.kafka.clients import make_consumer, make_producer
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.retry import RetryPolicy
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.supervise.health import judge
from ingest.blocks.service import run_ingest
from testkit.bitcoind_server import BitcoindServer
from testkit.fake_chain import FakeChain
from testkit.mempool_server import MempoolServer
from tests.engines import ClickHouseServer, RunningKafka, kafka_engine, settings_for
from tests.integration.ingest_blocks.storing import Storing
from tests.long import long
from tests.runbook import assert_shown
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BitcoindServer]:
    chain = FakeChain()
    chain.mine(100)
    with BitcoindServer(chain, tmp_path) as server:
        yield server


def with_node(settings: Settings, node: BitcoindServer, *, zmq: bool = False, **more: Any) -> Settings:
    bitcoind: dict[str, Any] = {
        "url": node.url,
        "cookie_file": node.cookie_file,
        "poll_seconds": 0.2,
        "timeout_seconds": 3,
    }
    if zmq:
        bitcoind |= {"zmq_hashblock": node.zmq_url, "zmq_sequence": node.zmq_url, "poll_seconds": 600}
    ingest: dict[str, Any] = {
        "source": "bitcoind",
        "bitcoind": bitcoind,
        "history_blocks": 60,
        "stale_after_seconds": 1,
    }
    return Settings.load(**(settings.model_dump() | {"ingest": ingest | more}))


class Running:
    """The service in a thread, with its status."""

    def __init__(self, settings: Settings, **more: Any) -> None:
        self.stop = threading.Event()
        self.error: Exception | None = None
        self.status = ServiceStatus("ingest", settings.run_dir, SystemClock())
        self._settings, self._more = settings, more
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            run_ingest(self._settings, stop=self.stop, status=self.status, **self._more)
        except Exception as error:  # shown by the test's thread
            self.error = error

    def close(self) -> None:
        self.stop.set()
        self._thread.join(PATIENCE_SECONDS)
        self.status.close()
        if self.error is not None:
            raise self.error
        assert not self._thread.is_alive()


@contextmanager
def running(settings: Settings, **more: Any) -> Iterator[Running]:
    service = Running(settings, **more)
    try:
        yield service
    finally:
        service.close()


def until(what: Callable[[], bool]) -> None:
    wait_for(what, "the service")


def stored(settings: Settings, status: str = "canonical") -> list[str]:
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        rows = ch.query(
            "SELECT lower(hex(hash)) FROM blocks_log FINAL WHERE status = {status:String} ORDER BY height",
            {"status": status},
        )
    return [block_hash for (block_hash,) in rows]


def hashes(chain: FakeChain, first: int = 0) -> list[str]:
    return [block.hash for block in chain.best() if block.height >= first]


@pytest.mark.kafka
def test_history_then_every_new_block(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    with Storing(settings), running(settings) as service:
        until(lambda: stored(settings) == hashes(node.chain, 41))  # 60 blocks: heights 41 … 100
        node.chain.mine(2)
        until(lambda: stored(settings) == hashes(node.chain, 41))
        until(lambda: service.status.snapshot()["state"] == "working")
        until(lambda: service.status.snapshot()["info"].get("published_height") == 102)
        assert service.status.snapshot()["info"]["source"] == "bitcoind"


@pytest.mark.kafka
@pytest.mark.parametrize("depth", [2, *long(1, 10)])  # long: further depths
def test_a_reorg_arrives_with_its_whole_branch(migrated: Settings, node: BitcoindServer, depth: int) -> None:
    settings = with_node(migrated, node)
    with Storing(settings), running(settings):
        until(lambda: len(stored(settings)) == 60)
        lost = hashes(node.chain)[-depth:]
        node.chain.reorg(depth)
        until(lambda: stored(settings) == hashes(node.chain, 41))
        assert stored(settings, "stale") == lost


@pytest.mark.kafka
def test_zmq_is_quick_and_brings_branches_that_polling_never_sees(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node, zmq=True)  # polls every ten minutes
    with Storing(settings), running(settings):
        until(lambda: len(stored(settings)) == 60)
        first = node.chain.mine(1)[0]
        rival = node.chain.mine(1, on=first.prev_hash, become_tip=False)[0]

        def announced() -> bool:
            node.announce(first.hash)
            node.announce(rival.hash, connected=False)
            return stored(settings) == hashes(node.chain, 41) and stored(settings, "stale") == [rival.hash]

        until(announced)


@pytest.mark.kafka
def test_it_goes_on_from_what_clickhouse_holds(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    with Storing(settings) as storing:
        with running(settings):
            until(lambda: len(stored(settings)) == 60)
        received = len(storing.received)
        node.chain.reorg(20)  # deeper than the margin of 12, while nobody looked
        with running(settings):
            until(lambda: stored(settings) == hashes(node.chain, 41))
        assert len(storing.received) - received <= 21 + 12


@pytest.mark.kafka
def test_what_streams_lacks_is_sent_again(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    lost = node.chain.best()[70]
    storing = Storing(settings)
    storing.lose.add(lost.hash)
    with storing, running(settings) as service:
        until(lambda: stored(settings) == hashes(node.chain, 41))
        until(lambda: service.status.snapshot()["counters"].get("block_requests", 0) >= 1)


@pytest.mark.kafka
def test_a_source_that_is_down_is_stale_and_comes_back(
    migrated: Settings, node: BitcoindServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.blocks.service.SOURCE_POLL_RETRY", RetryPolicy(0.1, 0.5))
    settings = with_node(migrated, node)
    with Storing(settings), running(settings) as service:
        until(lambda: len(stored(settings)) == 60)
        node.fault = "unavailable"
        node.chain.mine(1)
        until(lambda: "asks for a pause (503)" in (service.status.snapshot()["wait_reason"] or ""))
        assert service.status.snapshot()["waiting_on"] == "source"
        until(lambda: service.status.snapshot()["info"].get("stale") == "source")  # after a second here
        node.fault = None
        until(lambda: stored(settings) == hashes(node.chain, 41))
        until(lambda: service.status.snapshot()["state"] == "working")
        until(lambda: service.status.snapshot()["info"]["stale"] is None)


@pytest.mark.kafka
def test_a_source_that_is_down_at_the_start_is_waited_for(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    node.fault = "starting"
    with Storing(settings), running(settings) as service:
        until(lambda: service.status.snapshot()["waiting_on"] == "source")
        node.fault = None
        until(lambda: len(stored(settings)) == 60)


@pytest.mark.kafka
def test_a_cookie_that_changes_is_no_outage(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    with Storing(settings), running(settings):
        until(lambda: len(stored(settings)) == 60)
        node.rotate_cookie()
        node.chain.mine(1)
        until(lambda: stored(settings) == hashes(node.chain, 41))


@pytest.mark.kafka
def test_a_pruned_node_gives_what_it_has(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    node.prune_height = 90
    with Storing(settings), running(settings):
        until(lambda: stored(settings) == hashes(node.chain, 90))


@pytest.mark.kafka
@pytest.mark.parametrize("given", ["height", "date"])
def test_a_first_start_from_a_height_or_a_date(migrated: Settings, node: BitcoindServer, given: str) -> None:
    settings = with_node(migrated, node)
    wanted = node.chain.best()[72]
    more: dict[str, Any] = {"from_height": 60}
    if given == "date":
        more = {"from_date": datetime.fromtimestamp(wanted.time, UTC)}  # twelve blocks earlier, to be safe
    with Storing(settings), running(settings, **more):
        until(lambda: stored(settings) == hashes(node.chain, 60))


@pytest.mark.kafka
def test_a_bad_block_is_a_dead_letter_once_and_the_rest_goes_on(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node)
    bad = node.chain.best()[100]
    node.replace[bad.hash] = {"hash": bad.hash, "height": "x", "tx": [bad.coinbase_txid]}
    with Storing(settings), running(settings) as service:
        until(lambda: stored(settings) == hashes(node.chain, 41)[:-1])
        until(lambda: service.status.snapshot()["counters"].get("dead_letters") == 1)
        time.sleep(0.5)  # more polls of the same tip
        assert service.status.snapshot()["counters"]["dead_letters"] == 1
    topic = DEAD_LETTERS.full_name(settings.dataset)
    consumer = make_consumer(kafka_target(settings), (), client_id="test", group_id=None, kafka=settings.kafka)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    found: list[DeadLetter] = []

    def arrived() -> bool:
        for records in consumer.poll(timeout_ms=200).values():
            found.extend(DeadLetter.model_validate_json(record.value) for record in records)
        return bool(found)

    until(arrived)
    consumer.close(autocommit=False)
    [letter] = found
    assert (letter.service, letter.reason, letter.topic, letter.key) == (
        "ingest",
        "bad-block",
        "source:bitcoind",
        bad.hash,
    )
    assert bad.hash.encode() in base64.b64decode(letter.payload)


@pytest.mark.kafka
@pytest.mark.parametrize("mined_on_it", [0, 3], ids=["the tip", "below others"])
def test_a_block_that_is_never_given_whole_is_said_and_asked_for_again(
    migrated: Settings, node: BitcoindServer, monkeypatch: pytest.MonkeyPatch, mined_on_it: int
) -> None:
    monkeypatch.setattr("ingest.blocks.block_requests.REPEAT_SECONDS", 0.5)
    monkeypatch.setattr("ingest.blocks.missing_blocks.RETRY_SECONDS", 0.5)
    settings = with_node(migrated, node)
    with Storing(settings), running(settings) as service:
        until(lambda: len(stored(settings)) == 60)
        [bad] = node.chain.mine(1)
        node.without_coinbase.add(bad.hash)
        node.chain.mine(mined_on_it)
        until(lambda: service.status.snapshot()["info"].get("withheld_block") is not None)  # after a second here
        report = judge("ingest", service.status.snapshot(), time.time(), None)
        assert not report.healthy
        assert report.detail.startswith("on source for ")
        assert f"bitcoind does not give block 101 ({bad.hash}) whole since 20" in report.detail
        assert "the chain stalls without it (no-coinbase: coinbase is missing). Fix bitcoind" in report.detail
        assert_shown("ingest waiting on source", report.detail)
        shown = service.status.snapshot()["info"]["withheld_block"]
        assert (shown["height"], shown["hash"]) == (101, bad.hash)
        assert stored(settings) == hashes(node.chain, 41)[:60]
        assert service.status.snapshot()["counters"]["dead_letters"] == 1, "asked for again, and said once"
        node.without_coinbase.clear()
        until(lambda: stored(settings) == hashes(node.chain, 41))
        until(lambda: service.status.snapshot()["info"]["withheld_block"] is None)
        until(lambda: service.status.snapshot()["healthy"])


@pytest.mark.kafka
def test_a_block_of_a_branch_that_lost_holds_nothing_up(
    migrated: Settings, node: BitcoindServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.blocks.stall_notice._POLL_SECONDS", 0.1)
    settings = with_node(migrated, node)
    with Storing(settings), running(settings) as service:
        until(lambda: len(stored(settings)) == 60)
        [bad] = node.chain.mine(1)
        node.without_coinbase.add(bad.hash)
        until(lambda: service.status.snapshot()["counters"].get("dead_letters") == 1)
        node.chain.reorg(1)
        until(lambda: stored(settings) == hashes(node.chain, 41))
        time.sleep(1.2)  # longer than a block may be owed here
        until(lambda: service.status.snapshot()["healthy"])


@pytest.mark.kafka
def test_requests_that_are_none_are_dead_letters_and_others_are_passed_over(
    migrated: Settings, node: BitcoindServer
) -> None:
    settings = with_node(migrated, node)
    producer = make_producer(kafka_target(settings), "test")
    topic = BLOCK_REQUESTS.full_name(settings.dataset)
    old = f'{{"chain":"bitcoin","hash":"{"ab" * 32}","from_height":1,"to_height":2,"requested_at_ms":1000}}'
    foreign = f'{{"chain":"litecoin","hash":"{"ab" * 32}","from_height":1,"to_height":2,"requested_at_ms":{int(time.time() * 1000)}}}'
    for value in (b"noise", b"\xff" * 10, b'{"chain":"bitcoin"}', old.encode(), foreign.encode()):
        producer.send(topic, key=b"bitcoin", value=value).get(PATIENCE_SECONDS)
    producer.close(timeout=2)
    with Storing(settings), running(settings) as service:
        until(lambda: len(stored(settings)) == 60)
        until(lambda: service.status.snapshot()["counters"].get("dead_letters") == 3)
        assert service.status.snapshot()["counters"]["block_requests"] == 0


@pytest.mark.kafka
def test_mempool_socket_history_and_a_cut(migrated: Settings) -> None:
    chain = FakeChain()
    chain.mine(50)
    with MempoolServer(chain) as server:
        mempool = {"url": server.url, "poll_seconds": 600, "max_requests_per_second": 50, "timeout_seconds": 3}
        ingest = {"source": "mempool", "mempool": mempool, "history_blocks": 40}
        settings = Settings.load(**(migrated.model_dump() | {"ingest": ingest}))
        with Storing(settings), running(settings):
            until(lambda: stored(settings) == hashes(chain, 11))
            server.wait_for_listener()
            server.announce(chain.mine(1)[0])
            until(lambda: stored(settings) == hashes(chain, 11))
            server.drop_sockets()
            server.wait_for_listener()
            chain.mine(2)  # the first of them was never announced
            server.announce(chain.tip)
            until(lambda: stored(settings) == hashes(chain, 11))


@pytest.mark.kafka
def test_a_live_source_keeps_out_of_a_simulated_dataset(migrated: Settings, node: BitcoindServer) -> None:
    settings = with_node(migrated, node).model_copy(update={"dataset_kind": "simulated"})
    with pytest.raises(ConfigError, match="source 'bitcoind' must not fill dataset"), running(settings) as service:
        until(lambda: service.error is not None)


def test_a_broker_that_forgot_live_blocks_gets_them_again(
    own_kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path, node: BitcoindServer
) -> None:
    if kafka_engine() != "embedded":
        pytest.skip("only the embedded broker forgets")
    settings = with_node(settings_for(own_kafka, clickhouse, state_dir), node)
    make_database(clickhouse.target, settings.dataset_of)
    storing = Storing(settings)
    with running(settings) as service:
        with storing:
            until(lambda: len(stored(settings)) == 60)
        node.chain.mine(3)  # nobody stores these
        until(lambda: service.status.snapshot()["info"].get("published_height") == 103)
        own_kafka.kill()
        node.chain.mine(1)
        until(lambda: service.status.snapshot()["waiting_on"] == "kafka")
        own_kafka.restart()
        with Storing(settings, storing.tree):
            until(lambda: stored(settings) == hashes(node.chain, 41))
        until(lambda: service.status.snapshot()["counters"].get("broker_losses") == 1)


@pytest.mark.kafka
def test_a_replayed_file_ends_and_the_service_lives_on(
    migrated: Settings, tmp_path: Path, clickhouse: ClickHouseServer
) -> None:
    path = tmp_path / "blocks.csv"
    path.write_text("height,time,pool\n" + "".join(f"{i},{1_700_000_000 + i * 600},antpool\n" for i in range(50)))
    with connect(clickhouse.target, migrated.dataset) as ch:
        ch.execute("TRUNCATE TABLE datasets_log")
    fields = {"dataset_kind": "historical", "ingest": {"source": "replay", "replay": {"path": path}}}
    settings = Settings.load(**(migrated.model_dump() | fields))
    with Storing(settings), running(settings) as service:
        until(lambda: service.status.snapshot()["info"].get("done") is True)
        assert len(stored(settings)) == 50
        until(lambda: service.status.snapshot()["state"] == "working")
