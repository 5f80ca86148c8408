"""The whole line in one command: engines where none run, a fresh dataset, streams and alerts as supervised processes.

`demo` and `replay` use it. What it starts it also stops; engines that were running before stay.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from counterpoise.clickhouse.client import connect
from counterpoise.clickhouse.cluster import cluster_name, on_cluster
from counterpoise.clickhouse.migrations import migrate
from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError
from counterpoise.kafka.topic_setup import delete_topics, ensure_topics
from counterpoise.runtime.private_files import open_private_log, private_folder
from counterpoise.settings.endpoints import clickhouse_target, kafka_target
from counterpoise.settings.model import Settings
from desk.cli.run import service_of
from desk.supervise.health import SERVICES
from desk.supervise.observer import Observer
from desk.supervise.only_one import only_one
from desk.supervise.supervisor import Supervisor
from engines.stack import ANY_PORTS, down, up

STOPPING_SECONDS = 10.0
"""How long services of a replay that was just stopped are waited for."""


@contextmanager
def sole_replay(settings: Settings) -> Iterator[None]:
    """Hold the dataset for one replay: a second one, or services that run on it, would have their data taken away.

    ConfigError where there are such, before anything is touched.
    """
    with ExitStack() as held:
        held.enter_context(
            only_one(settings, "replay", patience_seconds=0.0, next_step="wait until it ends, or stop it")
        )
        step = "stop it first, or replay into another dataset"
        held.enter_context(only_one(settings, "ingest", patience_seconds=0.0, next_step=step))
        for name in ("streams", "alerts"):
            with only_one(settings, name, patience_seconds=STOPPING_SECONDS, next_step=step):
                pass
        yield


BACKFILL_TAKE_MESSAGES = "24"
"""Messages that streams folds at once in a replay: three times the live default, for fewer and larger inserts."""


@contextmanager
def engines(settings: Settings) -> Iterator[None]:
    """Embedded engines on free ports for the time of the block, unless addresses are set or engines run already."""
    if settings.kafka.bootstrap_servers is not None and settings.clickhouse.host is not None:
        yield
        return
    state_dir = settings.state_dir.absolute()
    _, started = up(state_dir, ANY_PORTS)
    try:
        yield
    finally:
        if started:
            down(state_dir)


def start_afresh(settings: Settings) -> None:
    """Empty the dataset, its topics and its consumer groups, and make them anew.

    ConfigError where the database is marked as live: nothing here deletes live data.
    """
    target = clickhouse_target(settings)
    with connect(target, "default") as clickhouse:
        [(exists,)] = clickhouse.query(
            "SELECT count() FROM system.databases WHERE name = {name:String}", {"name": settings.dataset}
        )
        if exists:
            _refuse_live(settings)
            clickhouse.execute(
                on_cluster("DROP DATABASE IF EXISTS {name:Identifier} SYNC", cluster_name(target.cluster)),
                {"name": settings.dataset},
            )
    kafka = kafka_target(settings)
    delete_topics(kafka, settings.dataset)
    migrate(target, settings.dataset_of)
    ensure_topics(kafka, settings.dataset, settings.kafka.replication_factor, partitions=settings.kafka.partitions)


def _refuse_live(settings: Settings) -> None:
    with connect(clickhouse_target(settings), settings.dataset) as clickhouse:
        kinds = {kind for (kind,) in clickhouse.query("SELECT kind FROM datasets_log")}
    if "live" in kinds:
        raise ConfigError(
            f"dataset {settings.dataset!r} is marked live and would be emptied: give another name with --dataset, or drop it yourself"
        )


def take_free_health_ports() -> None:
    """Let the services that this process starts listen for health checks on any port: those of a running line have the set ones."""
    for name in SERVICES:
        os.environ[f"COUNTERPOISE_HEALTH__{name.upper()}_PORT"] = "0"


FAILED_STARTS_ALLOWED = 4
"""Starts in a row without progress after which a service of a replay is given up: some 15 seconds, with the pauses between them."""


class Services:
    """Services, supervised by a thread; their output goes to `log_file`. `failure` is what ended them early.

    A service that does not start is a failure, and so is a supervisor that ended: the services would not be restarted.
    """

    def __init__(self, settings: Settings, log_file: Path, names: Sequence[str] = ("streams", "alerts")) -> None:
        self.failure: CounterpoiseError | None = None
        self._stop = threading.Event()
        private_folder(log_file.parent)
        self._log = open_private_log(log_file)
        self._lock = threading.Lock()
        self._supervisor = Supervisor(
            [service_of(name) for name in names],
            self._stop,
            self._say,
            look=Observer(settings).look,
            failed_starts_allowed=FAILED_STARTS_ALLOWED,
        )
        self._thread = threading.Thread(target=self._run, name="supervisor")

    def __enter__(self) -> Services:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._log.close()

    def _run(self) -> None:
        try:
            self._supervisor.run()
        except CounterpoiseError as error:
            self.failure = error
        except Exception as error:
            self.failure = RetryableError(f"the services cannot be supervised: {type(error).__name__}: {error}")

    def _say(self, name: str, line: str) -> None:
        # A last word after the log was closed, or a full disk: output that is not read would stop the service.
        with self._lock, suppress(ValueError, OSError):
            self._log.write(f"{name:<8}| {line}\n")
            self._log.flush()
