"""Ingest as processes: killed in the middle, and on the command line."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.bitcoind_server import BitcoindServer
from testkit.fake_chain import FakeChain
from tests.engines import ClickHouseServer, as_environment
from tests.forked import ROOT, ForkedProcess, start_forked
from tests.integration.ingest_blocks.storing import Storing
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for

ROWS = 5_000


@pytest.fixture
def historical(settings: Settings, clickhouse: ClickHouseServer, tmp_path: Path) -> Settings:
    path = tmp_path / "blocks.csv"
    rows = "".join(f"{100 + i},{1_690_000_000 + 600 * i},antpool\n" for i in range(ROWS))
    path.write_text("height,time,pool\n" + rows)
    fields = {"dataset_kind": "historical", "ingest": {"source": "replay", "replay": {"path": path}}}
    made = Settings.load(**(settings.model_dump() | fields))
    make_database(clickhouse.target, made.dataset_of)
    return made


@dataclass(frozen=True)
class Command:
    """A process of ours, and all that it says."""

    process: ForkedProcess
    output: IO[bytes]
    errors: IO[bytes]
    """Its standard error: where it is not apart, the same file."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> tuple[int, str]:
        """Its exit code and output, once it has ended by itself."""
        code = self.process.wait(PATIENCE_SECONDS)
        self.output.seek(0)
        return code, self.output.read().decode()

    def told(self) -> str:
        """Its standard error so far, where that is apart."""
        return os.pread(self.errors.fileno(), 1 << 20, 0).decode()


@contextmanager
def process(settings: Settings, *arguments: str, **more: str) -> Iterator[Command]:
    with tempfile.TemporaryFile() as output, started(settings, arguments, more, output, output) as running:
        yield running


@contextmanager
def process_apart(settings: Settings, *arguments: str, **more: str) -> Iterator[Command]:
    """The same with a standard error of its own."""
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
        started(settings, arguments, more, output, errors) as running,
    ):
        yield running


@contextmanager
def started(
    settings: Settings, arguments: Sequence[str], more: Mapping[str, str], output: IO[bytes], errors: IO[bytes]
) -> Iterator[Command]:
    replay = (
        {}
        if settings.ingest.replay.path is None
        else {"COUNTERPOISE_INGEST__REPLAY__PATH": str(settings.ingest.replay.path)}
    )
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **as_environment(settings),
        **replay,
        "COUNTERPOISE_INGEST__SOURCE": settings.ingest.source,
        **more,
    }
    running = start_forked(arguments, environment, ROOT, output, errors)
    try:
        yield Command(running, output, errors)
    finally:
        running.kill()
        running.wait(PATIENCE_SECONDS)
        if running.stdin is not None:
            running.stdin.close()


def published(settings: Settings) -> object:
    """The height up to which a backfill has sent its blocks."""
    return (read_status(settings.run_dir, "backfill") or {}).get("info", {}).get("published_height")


def stored(settings: Settings) -> int:
    with connect(clickhouse_target(settings), settings.dataset) as ch:
        [(rows,)] = ch.query("SELECT count() FROM blocks_log FINAL WHERE status = 'canonical'")
    return int(rows)


@pytest.mark.kafka
def test_killed_after_publishing_it_goes_on(historical: Settings) -> None:
    with Storing(historical):
        for nth in (1, 4):
            with process(
                historical, "run", "ingest", "--child", COUNTERPOISE_CRASH_POINT=f"ingest-after-publish:{nth}"
            ) as killed:
                code, output = killed.ended()
                assert code == -signal.SIGKILL
            assert f"crash point ingest-after-publish reached: killing {killed.pid}" in output
        with process(historical, "run", "ingest", "--child") as running:
            # What the one before had published may be all; a process that did not begin would end by the signal itself.
            wait_for(lambda: (read_status(historical.run_dir, "ingest") or {}).get("pid") == running.pid, "it to begin")
            wait_for(lambda: stored(historical) == ROWS, "every block is stored")
            running.process.terminate()
            assert running.ended()[0] == 0
    with connect(clickhouse_target(historical), historical.dataset) as ch:
        assert ch.query("SELECT count(), uniqExact(hash), max(height) FROM blocks_log FINAL") == [
            (ROWS, ROWS, 99 + ROWS)
        ]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[BitcoindServer]:
    chain = FakeChain()
    chain.mine(100)
    with BitcoindServer(chain, tmp_path) as server:
        yield server


@pytest.mark.kafka
def test_backfill_says_what_it_did(migrated: Settings, node: BitcoindServer) -> None:
    live = migrated.model_copy(update={"ingest": migrated.ingest.model_copy(update={"source": "bitcoind"})})
    where = {
        "COUNTERPOISE_INGEST__BITCOIND__URL": node.url,
        "COUNTERPOISE_INGEST__BITCOIND__COOKIE_FILE": str(node.cookie_file),
    }
    with Storing(live), process(live, "backfill", "--from-height", "40", "--to-height", "90", **where) as running:
        code, output = running.ended()
        assert code == 0, output
        assert "51 blocks of heights 40 to 90 from bitcoind in" in output
        assert stored(live) == 51
    with process(live, "backfill", "--from-height", "20", **where) as running:
        code, output = running.ended()
        assert code == 2
        assert f"dataset '{live.dataset}' begins at height 40: earlier blocks (20) cannot be added" in output


@pytest.mark.kafka
def test_backfill_as_json_also_where_it_is_stopped(migrated: Settings, node: BitcoindServer) -> None:
    live = migrated.model_copy(update={"ingest": migrated.ingest.model_copy(update={"source": "bitcoind"})})
    where = {
        "COUNTERPOISE_INGEST__BITCOIND__URL": node.url,
        "COUNTERPOISE_INGEST__BITCOIND__COOKIE_FILE": str(node.cookie_file),
    }
    options = ("backfill", "--from-height", "40", "--to-height", "90", "--json")
    with process_apart(live, *options, **where) as running:
        wait_for(lambda: published(live) == 90, "it publishes; nobody stores the blocks")
        running.process.terminate()
        code, output = running.ended()
        assert code == 130, running.told()
        stopped = json.loads(output)
        assert ": stopped before the end; run the same command to resume" in " ".join(running.told().split())
    with Storing(live), process_apart(live, *options, **where) as running:
        code, output = running.ended()
        assert code == 0, running.told()
    found = json.loads(output)
    assert found.pop("seconds") > 0 and stopped.pop("seconds") > 0
    assert found == {
        "complete": True,
        "dataset": live.dataset,
        "chain": "bitcoin",
        "source": "bitcoind",
        "blocks": 51,
        "first_height": 40,
        "last_height": 90,
        "dead_letters": 0,
    }
    assert stopped == found | {"complete": False}


@pytest.mark.kafka
def test_backfill_needs_a_beginning(migrated: Settings) -> None:
    with process(migrated, "backfill") as running:
        code, output = running.ended()
    assert code == 2
    assert output.strip() == "counterpoise: backfill needs a beginning: give either --from-height or --from-date"


def test_replay_of_a_file_that_is_none_is_one_line(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("height,time\n1,2\n")
    with process(settings, "--dataset-kind", "historical", "replay", "--blocks", str(path)) as running:
        code, output = running.ended()
    assert code == 2
    assert output.startswith(f"counterpoise: {path}: no column names the producer")
    assert output.count("\n") == 1
