"""The whole line as real processes, which a test may kill, freeze and start again.

One `Line` is a dataset on a broker and a ClickHouse of its own, with a Slack-shaped server in the test's process. Its services run
one by one (`start`), so that a test decides when each is started again, or as people run them (`supervise`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow.parquet as pq

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.contracts.datasets import Dataset, DatasetKind
from counterpoise.errors import RetryableError
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.runtime.service_status import read_status
from testkit.slack_server import CHANNEL, TOKEN, SlackServer
from tests.engines import ClickHouseServer, RunningKafka, kafka_engine
from tests.first_rules import first_rules
from tests.forked import ForkedProcess, run_forked, start_forked
from tests.runbook import status_text
from tests.shared import shared_data
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for

ROOT = Path(__file__).resolve().parents[3]
DATASET = "chaos"
SERVICES = ("ingest", "streams", "alerts")
MAINNET = "blocks/mainnet_664063_946236.parquet"

SESSION_SECONDS = 6.0 if kafka_engine() == "apache" else 3.0
"""Apache Kafka takes no shorter session."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """A part of mainnet that a line replays, at `speed` times real time (0: flat out), some blocks a message."""

    first: int
    last: int
    speed: float
    events_per_message: int = 50

    def write(self, directory: Path) -> Path:
        """These blocks as a file of their own."""
        path = directory / f"mainnet-{self.first}-{self.last}.parquet"
        if not path.exists():
            heights = [("height", ">=", self.first), ("height", "<=", self.last)]
            pq.write_table(pq.read_table(shared_data(MAINNET), filters=heights), path)
        return path

    def settings(self, directory: Path) -> dict[str, str]:
        return {
            "COUNTERPOISE_INGEST__SOURCE": "replay",
            "COUNTERPOISE_INGEST__REPLAY__PATH": str(self.write(directory)),
            "COUNTERPOISE_INGEST__REPLAY__SPEED": str(self.speed),
            "COUNTERPOISE_INGEST__EVENTS_PER_MESSAGE": str(self.events_per_message),
        }


@dataclass
class Process:
    """One service, or the supervisor of all of them. `crash` is the crash point that it was given."""

    service: str
    process: ForkedProcess
    log_file: Path
    run_dir: Path
    crash: str = ""
    killed: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def status(self, *, own: bool = True) -> dict[str, Any]:
        """What it last said of itself; with `own`, nothing where that was an earlier process."""
        said = read_status(self.run_dir, self.service) or {}
        return said if not own or said.get("pid") == self.pid else {}

    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status().get("info", {})
        return found

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.log().splitlines()[-lines:])


@dataclass
class Line:
    """Close it, or use it as a context."""

    kafka: RunningKafka
    clickhouse: ClickHouseServer
    slack: SlackServer
    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    dataset: str = DATASET
    kind: DatasetKind = "historical"
    processes: list[Process] = field(default_factory=list)
    _client: ClickHouse | None = None
    _logs: list[IO[bytes]] = field(default_factory=list)

    def __enter__(self) -> Line:
        make_database(self.clickhouse.target, Dataset(self.dataset, self.kind))
        ensure_topics(self.kafka.target, self.dataset)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.is_alive():
                process.process.send_signal(signal.SIGCONT)
                process.process.kill()
            process.process.wait()
            if process.process.stdin is not None:
                process.process.stdin.close()
        if self._client is not None:
            self._client.close()

    @property
    def ch(self) -> ClickHouse:
        if self._client is None:
            self._client = connect(self.clickhouse.target, self.dataset)
        return self._client

    def environment(self, name: str, more: dict[str, str]) -> dict[str, str]:
        """Every setting of a process; those of one `name` share a state directory."""
        token_file = self.directory / "slack-token"
        token_file.write_text(TOKEN + "\n")
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith("COUNTERPOISE_") and key.lower() not in ("http_proxy", "https_proxy", "all_proxy")
        }
        return {
            **kept,
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "COUNTERPOISE_DATASET": self.dataset,
            "COUNTERPOISE_DATASET_KIND": self.kind,
            "COUNTERPOISE_STATE_DIR": str(self.directory / name),
            "COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "COUNTERPOISE_KAFKA__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            "COUNTERPOISE_KAFKA__HEARTBEAT_INTERVAL_SECONDS": "0.5",
            "COUNTERPOISE_KAFKA__REBALANCE_TIMEOUT_SECONDS": str(2 * SESSION_SECONDS),
            "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
            "COUNTERPOISE_CLICKHOUSE__PORT": str(self.clickhouse.port),
            "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": str(self.clickhouse.password_file),
            "COUNTERPOISE_SLACK__TOKEN_FILE": str(token_file),
            "COUNTERPOISE_SLACK__CHANNEL": CHANNEL,
            "COUNTERPOISE_SLACK__BASE_URL": self.slack.base_url,
            "COUNTERPOISE_SLACK__TIMEOUT_SECONDS": "2",
            "COUNTERPOISE_ALERTS__NOTIFIER": "slack",
            "COUNTERPOISE_ALERTS__ALLOW_SLACK_WHEN_NOT_LIVE": "true",
            "COUNTERPOISE_ALERTS__TICK_SECONDS": "0.1",
            "COUNTERPOISE_ALERTS__RULES_FILE": str(first_rules(self.directory)),
            **self.settings,
            **more,
        }

    def start(self, service: str, *, name: str = "a", crash: str = "", **more: str) -> Process:
        """Start one service, unsupervised; with a crash point (`name:passes`) where one is given."""
        if crash:
            more["COUNTERPOISE_CRASH_POINT"] = crash
        return self._spawn(service, ["run", service, "--child"], name, more, crash)

    def supervise(self, what: str = "all", *, name: str = "a", **more: str) -> Process:
        """`counterpoise run all`."""
        return self._spawn("supervisor", ["run", what], name, more, "")

    def _spawn(self, service: str, arguments: list[str], name: str, more: dict[str, str], crash: str) -> Process:
        log_file = self.directory / f"{len(self.processes):03d}-{service}-{name}.log"
        with log_file.open("wb") as log:
            process = start_forked(arguments, self.environment(name, more), self.directory, log)
        started = Process(service, process, log_file, self.directory / name / "run" / self.dataset, crash)
        self.processes.append(started)
        return started

    def command(self, *arguments: str, name: str = "a") -> subprocess.CompletedProcess[str]:
        """Run a command of the line to its end."""
        return run_forked(arguments, self.environment(name, {}), self.directory)

    def report(self, name: str = "a") -> dict[str, Any]:
        """`counterpoise status --json`."""
        done = self.command("status", "--json", name=name)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def status_text(self, name: str = "a") -> str:
        """What `counterpoise status` prints."""
        return status_text(self.directory / name, self.environment(name, {}))

    def said(self, service: str, name: str = "a") -> dict[str, Any]:
        """What a service last said of itself, whichever process it is."""
        return read_status(self.directory / name / "run" / self.dataset, service) or {"pid": 0, "state": "", "info": {}}

    def held(self) -> int:
        """The highest stored block; 0 where there is none, or where nobody answers."""
        with suppress(RetryableError):
            return int(self.ch.query("SELECT max(height) FROM blocks_log")[0][0])
        return 0

    def decided(self, height: int, name: str = "a") -> bool:
        """Whether the alerter has judged this height and said all there is to say."""
        said = self.said("alerts", name)
        info = said["info"]
        return bool(said["state"] == "working" and info.get("height") == height and info.get("undelivered") == 0)

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Poll until it holds; a ClickHouse that is away counts as not yet."""
        wait_for(true, what, self.explain)

    def stop(self, processes: Iterable[Process] | None = None) -> None:
        """SIGTERM to these, or to all that run; each has to end in order."""
        running = [p for p in (self.processes if processes is None else processes) if p.is_alive()]
        for process in running:
            process.process.terminate()
        for process in running:
            code = process.process.wait(PATIENCE_SECONDS)
            assert code == 0, f"{process.service} ended with {code} on SIGTERM:\n{process.tail()}"

    def explain(self) -> str:
        """The last words of every process that runs, or ran last."""
        latest = {(p.service, p.run_dir): p for p in self.processes}
        return "\n".join(
            f"--- {p.service} {p.pid} (exit {p.process.poll()}) {json.dumps(p.status(own=False).get('info', {}))}\n{p.tail()}"
            for p in latest.values()
        )
