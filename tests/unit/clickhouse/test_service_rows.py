"""A report of a service is what its status says, and no more than the table takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from counterpoise.clickhouse.rows.service_rows import service_columns
from counterpoise.runtime.service_status import ServiceStatus
from testkit.manual_clock import ManualClock


def columns(status: ServiceStatus, state: str | None = None) -> dict[str, Any]:
    said = status.snapshot()
    return dict(service_columns(said, "/state/run/x", "9.9", said["state"] if state is None else state))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000.0)


@pytest.mark.parametrize(
    ("service", "field"), [("ingest", "published_height"), ("streams", "last_height"), ("alerts", "height")]
)
def test_the_heights_of_all_chains_are_reported(tmp_path: Path, clock: ManualClock, service: str, field: str) -> None:
    with ServiceStatus(service, tmp_path / "run", clock) as status:
        status.set_of_chain("bitcoin", **{field: 800_000})
        status.set_of_chain("litecoin", **{field: 2_500_000}, source_height=2_500_001)
        status.set_of_chain("signet", source_height=7)
        assert columns(status)["heights"] == [{"bitcoin": 800_000, "litecoin": 2_500_000}]


def test_a_wait_is_reported_with_its_start_and_only_while_it_lasts(tmp_path: Path, clock: ManualClock) -> None:
    with ServiceStatus("market", tmp_path / "run", clock) as status:
        clock.advance(5)
        status.waiting("kafka", "r" * 1_000)
        told = columns(status)
        assert (told["state"], told["waiting_on"], told["wait_reason"]) == (["waiting"], ["kafka"], ["r" * 500])
        assert told["waiting_since"].tolist() == [1_005_000]
        assert np.ma.getmaskarray(told["last_progress_at"]).tolist() == [True]
        assert columns(status, "stopped")["waiting_on"] == [""], "who has ended waits for nothing"
        status.progress()
        told = columns(status)
        assert (told["waiting_on"], told["wait_reason"], told["heights"]) == ([""], [""], [{}])
        assert np.ma.getmaskarray(told["waiting_since"]).tolist() == [True]
        assert told["last_progress_at"].tolist() == [1_005_000]
        assert {len(values) for values in told.values()} == {1}


def test_two_processes_are_two_instances(tmp_path: Path, clock: ManualClock) -> None:
    with ServiceStatus("streams", tmp_path / "a", clock) as one, ServiceStatus("streams", tmp_path / "b", clock) as two:
        assert columns(one)["instance"] != columns(two)["instance"]
        assert columns(one)["instance"] == columns(one)["instance"] == [one.snapshot()["instance"]]
