"""`counterpoise market load` while nobody stores: it says so soon, gives up in time, and lost nothing."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from counterpoise.clickhouse.client import connect
from counterpoise.errors import RetryableError
from counterpoise.settings.model import Settings
from desk.cli import market as command
from tests.engines import ClickHouseServer, RunningKafka, as_environment
from tests.integration.ingest_releases.running import arrived, store


def test_a_load_that_nobody_stores_is_explained(
    migrated: Settings, kafka: RunningKafka, clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in as_environment(migrated).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(command, "HELD_PATIENCE_SECONDS", 1.0)
    waited = CliRunner().invoke(command.market_app, ["load", "figures"])
    assert waited.stderr.count("68 of 68 releases are in Kafka and not in ClickHouse yet") == 1
    assert isinstance(waited.exception, RetryableError)
    assert "68 of 68 releases did not arrive within 1 s: does `counterpoise run streams` run?" in str(waited.exception)
    with connect(clickhouse.target, migrated.dataset) as tables:
        store(tables, arrived(kafka.bootstrap, migrated.dataset))
    loaded = CliRunner().invoke(command.market_app, ["load", "figures"])
    assert loaded.exit_code == 0
    owners, packages = loaded.stdout.splitlines()
    assert owners.startswith("16 releases of epoch-ai-compute-owners, 2022-03-31 to 2025-12-31, ")
    assert packages == "52 releases of pypi-edge-share, 2021-12-31 to 2026-03-31, 1,945 observations"
