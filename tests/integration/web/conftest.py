"""A desk for all tests of a file that only read: its first page costs more than most of them.

It ends with the file. One that stays reads its slow panels again and again, on the engine that all other tests of the worker use.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from counterpoise.clickhouse.client import ClickHouse
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.integration.report.ai_side import insert_packages, insert_scores
from tests.integration.sql.conftest import new_sample, own_sample, sample
from tests.integration.web.running import RunningDesk, running_desk

__all__ = ["own_sample", "sample"]


@pytest.fixture(scope="session")
def told(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    """The sample with an AI side: what `desk` shows."""
    with new_sample(clickhouse) as ch:
        insert_scores(ch)
        insert_packages(ch)
        yield ch


@pytest.fixture(scope="module")
def desk(
    told: ClickHouse, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDesk]:
    """For tests that only read, whatever is asked of it."""
    settings = settings_for(
        kafka,
        clickhouse,
        tmp_path_factory.mktemp("desk"),
        dataset=told.database,
        dataset_kind="live",  # the mark of the dataset counts: it is simulated
        desk={"port": 0, "refresh_seconds": 0.05},
    )
    with running_desk(settings) as found:
        yield found
