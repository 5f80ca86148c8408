"""A dataset of each kind with its tables and topics."""

from __future__ import annotations

import pytest

from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.settings.model import Settings
from tests.engines import ClickHouseServer, RunningKafka, as_environment
from tests.first_rules import with_first_rules
from tests.template import make_database


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With the rules whose windows the world of these tests has scores of."""
    return with_first_rules(settings)


@pytest.fixture
def replayed(settings: Settings, kafka: RunningKafka, clickhouse: ClickHouseServer) -> Settings:
    """`migrated`, for a historical dataset: everything that happens is told."""
    historical = settings.model_copy(update={"dataset_kind": "historical"})
    make_database(clickhouse.target, historical.dataset_of)
    ensure_topics(kafka.target, historical.dataset)
    return historical


@pytest.fixture
def environment(replayed: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """`replayed`, as the environment of a command."""
    for name, value in as_environment(replayed).items():
        monkeypatch.setenv(name, value)
    return replayed
