"""The engines that tests run against, each with `kill` and `restart` for the tests that need it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from pydantic import SecretStr

from counterpoise.kafka import lag, login
from counterpoise.settings.endpoints import ClickHouseTarget, KafkaTarget
from counterpoise.settings.model import Settings
from engines.clickhouse.process import ClickHouseProcess, start_clickhouse
from engines.kafka import start_kafka
from testkit.apache_kafka import ApacheKafkaUnavailableError, fetch_jars, start_apache_kafka
from testkit.ports import reserved_port
from tests.template import forget_template
from tests.waiting import PATIENCE_SECONDS


class RunningKafka(Protocol):
    """A broker of either kind. After `restart` the embedded one is empty; Apache Kafka has kept everything."""

    @property
    def bootstrap(self) -> str: ...

    @property
    def target(self) -> KafkaTarget: ...

    @property
    def port(self) -> int: ...

    @property
    def pid(self) -> int: ...

    def is_alive(self) -> bool: ...

    def kill(self) -> None: ...

    def restart(self) -> None: ...

    def stop(self) -> None: ...


def kafka_engine() -> str:
    """`embedded`, or `apache` where COUNTERPOISE_TEST_KAFKA says so (make test-kafka)."""
    return os.environ.get("COUNTERPOISE_TEST_KAFKA", "embedded")


def run_kafka(directory: Path) -> RunningKafka:
    """Start a broker of the chosen kind, or skip in one line where Apache Kafka cannot be had here."""
    login._TIMEOUT_SECONDS = 20.0
    lag._TAILS_SECONDS = PATIENCE_SECONDS  # type: ignore[misc]
    if kafka_engine() == "apache":
        try:
            fetch_jars()
        except ApacheKafkaUnavailableError as reason:
            pytest.skip(str(reason))
        return start_apache_kafka(directory / "apache-kafka")
    return start_kafka(port=reserved_port(), log_file=directory / "kafka.log")


@dataclass
class ClickHouseServer:
    """The embedded ClickHouse with data, passwords and log in `directory`."""

    directory: Path
    process: ClickHouseProcess = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for file in (self.password_file, self.reader_password_file):
            file.write_text(secrets.token_urlsafe(24))
            file.chmod(0o600)
        self._start(reserved_port(), reserved_port())

    @property
    def password_file(self) -> Path:
        return self.directory / "password"

    @property
    def reader_password_file(self) -> Path:
        return self.directory / "reader-password"

    @property
    def port(self) -> int:
        return self.process.port

    @property
    def http_port(self) -> int:
        return self.process.http_port

    @property
    def target(self) -> ClickHouseTarget:
        """For `counterpoise.clickhouse.client.connect`."""
        return ClickHouseTarget("127.0.0.1", self.port, "default", SecretStr(self.password_file.read_text()))

    @property
    def reader_target(self) -> ClickHouseTarget:
        return ClickHouseTarget("127.0.0.1", self.port, "reader", SecretStr(self.reader_password_file.read_text()))

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()

    def stop(self) -> None:
        forget_template(self.port)
        self.process.stop()

    def restart(self) -> None:
        """Kill it where it still runs and start it on the same ports and data."""
        self.process.kill()
        self._start(self.process.port, self.process.http_port)

    def _start(self, port: int, http_port: int) -> None:
        self.process = start_clickhouse(
            self.directory / "data",
            password_file=self.password_file,
            reader_password_file=self.reader_password_file,
            port=port,
            http_port=http_port,
            log_file=self.directory / "clickhouse.log",
        )


def settings_for(kafka: RunningKafka, clickhouse: ClickHouseServer, state_dir: Path, **more: object) -> Settings:
    """Settings that point at these engines, with a dataset that nobody else has."""
    return Settings.load(
        **{
            "dataset": f"t_{secrets.token_hex(6)}",
            "state_dir": state_dir,
            "kafka": {"bootstrap_servers": kafka.bootstrap},
            "clickhouse": {"host": "127.0.0.1", "port": clickhouse.port, "password_file": clickhouse.password_file},
        }
        | more
    )


def as_environment(settings: Settings) -> dict[str, str]:
    """The same settings as variables, for a process that a test starts."""
    return {
        "COUNTERPOISE_DATASET": settings.dataset,
        "COUNTERPOISE_DATASET_KIND": settings.dataset_kind,
        "COUNTERPOISE_STATE_DIR": str(settings.state_dir),
        "COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS": str(settings.kafka.bootstrap_servers),
        "COUNTERPOISE_CLICKHOUSE__HOST": str(settings.clickhouse.host),
        "COUNTERPOISE_CLICKHOUSE__PORT": str(settings.clickhouse.port),
        "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": str(settings.clickhouse.password_file),
        **({"COUNTERPOISE_ALERTS__RULES_FILE": str(settings.alerts.rules_file)} if settings.alerts.rules_file else {}),
    }
