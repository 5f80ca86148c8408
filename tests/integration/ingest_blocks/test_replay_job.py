"""Replays through a real broker into a real ClickHouse, with everything killed on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from ingest.blocks.backfill import ReplayReport
from ingest.blocks.replay_job import run_replay
from ingest.blocks.stored_blocks import StoredBlocks
from tests.engines import ClickHouseServer, RunningKafka, kafka_engine, settings_for
from tests.integration.ingest_blocks.storing import Storing
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for

ROWS = 6_000
FIRST = 800_000


@pytest.fixture
def blocks_file(tmp_path: Path) -> Path:
    path = tmp_path / "blocks.csv"
    pools = ("foundryusa", "antpool", "viabtc", "f2pool")
    rows = "".join(f"{FIRST + i},{1_690_000_000 + 600 * i},{pools[i % 4]}\n" for i in range(ROWS))
    path.write_text("height,time,pool\n" + rows)
    return path


class Replaying:
    """A replay in a thread of its own."""

    def __init__(self, settings: Settings, path: Path, **more: Any) -> None:
        self.stop = threading.Event()
        self.published = threading.Event()
        self.report: ReplayReport | None = None
        self.error: Exception | None = None
        self.status = ServiceStatus("ingest", settings.run_dir, SystemClock())
        self._settings, self._path, self._more = settings, path, more
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.report = run_replay(
                self._settings,
                self._path,
                stop=self.stop,
                status=self.status,
                on_published=self.published.set,
                **self._more,
            )
        except Exception as error:  # shown by the test's thread
            self.error = error

    def finish(self) -> ReplayReport:
        """Its report, once it has ended."""
        self._thread.join(PATIENCE_SECONDS)
        alive = self._thread.is_alive()
        self.stop.set()
        self._thread.join(PATIENCE_SECONDS)
        self.status.close()
        if self.error is not None:
            raise self.error
        assert not alive, "the replay did not end"
        assert self.report is not None
        return self.report


@contextmanager
def replaying(settings: Settings, path: Path, **more: Any) -> Iterator[Replaying]:
    run = Replaying(settings, path, **more)
    try:
        yield run
    finally:
        run.stop.set()
        run._thread.join(PATIENCE_SECONDS)
        run.status.close()


def canonical(settings: Settings) -> list[tuple[int, str]]:
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        return ch.query("SELECT height, label FROM blocks_log FINAL WHERE status = 'canonical' ORDER BY height")


def expected() -> list[tuple[int, str]]:
    pools = ("foundryusa", "antpool", "viabtc", "f2pool")
    return [(FIRST + i, pools[i % 4]) for i in range(ROWS)]


@pytest.fixture
def historical(settings: Settings, clickhouse: ClickHouseServer) -> Settings:
    made = settings.model_copy(update={"dataset_kind": "historical"})
    make_database(clickhouse.target, made.dataset_of)
    return made


@pytest.mark.kafka
def test_a_replay_arrives_whole_and_a_second_one_sends_only_the_end(historical: Settings, blocks_file: Path) -> None:
    heights: list[int] = []
    with Storing(historical) as storing:
        with replaying(historical, blocks_file, on_progress=lambda height, _: heights.append(height)) as run:
            report = run.finish()
        assert (report.blocks, report.first_height, report.last_height) == (ROWS, FIRST, FIRST + ROWS - 1)
        assert report.complete
        assert report.messages == 12  # 500 events each
        assert heights[-1] == FIRST + ROWS - 1
        assert canonical(historical) == expected()
        assert len(storing.received) == ROWS
        with replaying(historical, blocks_file) as run:
            again = run.finish()
    assert again.complete
    assert again.blocks == 2_017  # the newest, as far as a reorg is followed
    assert canonical(historical) == expected()


@pytest.mark.kafka
def test_parts_adjoin_or_are_refused(historical: Settings, blocks_file: Path) -> None:
    middle = FIRST + 1_000
    with Storing(historical):
        with replaying(historical, blocks_file, from_height=middle, to_height=middle + 99) as run:
            assert run.finish().blocks == 100
        with replaying(historical, blocks_file) as run, pytest.raises(ConfigError, match=f"begins at height {middle}"):
            run.finish()
        with (
            replaying(historical, blocks_file, from_height=middle + 101) as run,
            pytest.raises(ConfigError, match=f"ends at height {middle + 99}: .* would leave a gap"),
        ):
            run.finish()
        with replaying(historical, blocks_file, from_height=middle + 100, to_height=middle + 199) as run:
            assert run.finish().complete
    assert canonical(historical) == expected()[1_000:1_200]


@pytest.mark.kafka
def test_a_live_dataset_is_refused(migrated: Settings, blocks_file: Path) -> None:
    with replaying(migrated, blocks_file) as run, pytest.raises(ConfigError) as caught:
        run.finish()
    assert str(caught.value) == (
        f"source 'replay' must not fill dataset {migrated.dataset!r}, which is live: expected historical or simulated: give "
        "--dataset-kind, and another --dataset"
    )


@pytest.mark.kafka
def test_heights_outside_the_file_are_refused(historical: Settings, blocks_file: Path) -> None:
    with (
        replaying(historical, blocks_file, from_height=5) as run,
        pytest.raises(ConfigError, match="heights 5 to 805999"),
    ):
        run.finish()


@pytest.mark.kafka
def test_a_paced_replay_keeps_its_pace_and_stops_when_told(historical: Settings, blocks_file: Path) -> None:
    began = time.monotonic()
    with replaying(historical, blocks_file, speed=6_000.0, to_height=FIRST + 10, wait_until_stored=False) as run:
        report = run.finish()
    assert report.blocks == 11
    assert time.monotonic() - began >= 0.9  # ten gaps of 600 s at 6,000 times
    with replaying(historical, blocks_file, speed=1.0, wait_until_stored=False) as run:
        run.stop.set()
        assert not run.finish().complete


def test_a_broker_that_dies_with_unstored_blocks_gets_them_again(
    own_kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path, blocks_file: Path
) -> None:
    if kafka_engine() != "embedded":
        pytest.skip("only the embedded broker forgets")
    settings = settings_for(own_kafka, clickhouse, state_dir, dataset_kind="historical")
    make_database(clickhouse.target, settings.dataset_of)
    with replaying(settings, blocks_file) as run:
        assert run.published.wait(PATIENCE_SECONDS)
        own_kafka.kill()
        own_kafka.restart()
        time.sleep(1.0)  # nobody has stored anything: all of it was in the broker
        with Storing(settings):
            report = run.finish()
    assert report.complete
    assert report.broker_losses == 1
    assert report.blocks == 2 * ROWS
    assert canonical(settings) == expected()


# Long: a broker that is away; one that dies amid a replay stays above.
@pytest.mark.long
def test_a_broker_that_is_away_is_waited_for(
    own_kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path, blocks_file: Path
) -> None:
    settings = settings_for(own_kafka, clickhouse, state_dir, dataset_kind="historical")
    make_database(clickhouse.target, settings.dataset_of)
    own_kafka.kill()
    with replaying(settings, blocks_file) as run:
        wait_for(lambda: run.status.snapshot()["waiting_on"] == "kafka", "the wait for Kafka")
        assert run.status.snapshot()["state"] == "waiting"
        own_kafka.restart()
        assert run.published.wait(PATIENCE_SECONDS)
        with Storing(settings):
            assert run.finish().complete
    assert canonical(settings) == expected()


# Long: the replay without its database; the stream service without it stays (streams/test_outages.py).
@pytest.mark.long
def test_clickhouse_dying_while_its_holding_is_awaited(
    kafka: RunningKafka, own_clickhouse: ClickHouseServer, state_dir: Path, blocks_file: Path
) -> None:
    settings = settings_for(kafka, own_clickhouse, state_dir, dataset_kind="historical")
    make_database(own_clickhouse.target, settings.dataset_of)
    with replaying(settings, blocks_file) as run:
        assert run.published.wait(PATIENCE_SECONDS)
        own_clickhouse.kill()
        wait_for(lambda: run.status.snapshot()["waiting_on"] == "clickhouse", "the wait for ClickHouse")
        own_clickhouse.restart()
        with Storing(settings):
            assert run.finish().complete
    assert canonical(settings) == expected()


@pytest.mark.kafka
def test_what_clickhouse_holds_is_read_right(historical: Settings, blocks_file: Path) -> None:
    with connect(clickhouse_target(historical), historical.dataset) as ch:
        held = StoredBlocks(ch, "bitcoin")
        assert (held.tip(), held.lowest(), held.recent(), held.gaps()) == (None, None, {}, [])
        with Storing(historical), replaying(historical, blocks_file) as run:
            run.finish()
        tip = held.tip()
        assert tip is not None
        assert (tip.height, held.lowest()) == (FIRST + ROWS - 1, FIRST)
        assert held.holds(tip.height, tip.hash)
        assert not held.holds(tip.height, "ab" * 32)
        assert len(held.recent()) == 2_017
        assert StoredBlocks(ch, "litecoin").tip() is None
        ch.execute("DELETE FROM blocks_log WHERE height IN (800010, 800011, 803000)", settings={"mutations_sync": 1})
        assert held.gaps() == [(800_010, 800_011), (803_000, 803_000)]
