"""Reports of services in ClickHouse: one row a process, and no harm to the service where the database is away."""

import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.service_reporter import ServiceReporter
from counterpoise.contracts.datasets import Dataset
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import ClickHouseTarget
from desk.supervise.elsewhere import elsewhere, read_reports
from tests.engines import ClickHouseServer
from tests.template import make_database
from tests.waiting import wait_for

OFTEN_SECONDS = 0.02
STORED = "SELECT count(), countDistinct(service, instance) FROM services_log"


@pytest.fixture
def ch(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    name = f"t_{secrets.token_hex(6)}"
    make_database(clickhouse.target, Dataset(name, "historical"))
    with connect(clickhouse.target, name) as made:
        yield made
        made.execute(f"DROP DATABASE {name} SYNC")


@pytest.fixture
def status(tmp_path: Path) -> Iterator[ServiceStatus]:
    with ServiceStatus("streams", tmp_path / "run", SystemClock()) as made:
        yield made


def reporter(status: ServiceStatus, folder: Path, target: ClickHouseTarget, database: str) -> ServiceReporter:
    return ServiceReporter(status, folder / "run", target, database, every_seconds=OFTEN_SECONDS)


def test_a_process_is_one_row_however_often_it_reports(ch: ClickHouse, status: ServiceStatus, tmp_path: Path) -> None:
    with reporter(status, tmp_path, ch.target, ch.database):
        status.set_of_chain("bitcoin", last_height=800_000)
        status.working()
        wait_for(lambda: ch.query(STORED)[0][0] > 3 or ch.query("OPTIMIZE TABLE services_log FINAL"), "some reports")
        status.waiting("kafka", "connection refused")
        wait_for(lambda: [r.problem for r in read_reports(ch)] == ["on kafka: connection refused"], "the wait")
        [report] = elsewhere(read_reports(ch), [])
        said = status.snapshot()
        assert (report.service, report.instance, report.host) == ("streams", said["instance"], socket.gethostname())
        assert (report.pid, report.state, report.heights) == (said["pid"], "waiting", {"bitcoin": 800_000})
        assert report.folder == str(tmp_path / "run")
        assert report.started_at == pytest.approx(said["started_at"], abs=0.001)
        status.working()
        wait_for(lambda: [r.state for r in read_reports(ch)] == ["working"], "the end of the wait")
    wait_for(lambda: [r.state for r in read_reports(ch)] == ["stopped"], "the last report")  # the end waits 2 s for it
    assert elsewhere(read_reports(ch), []) == ()
    ch.execute("OPTIMIZE TABLE services_log FINAL")
    assert ch.query(STORED) == [(1, 1)]


def test_a_report_is_kept_for_7_days(ch: ClickHouse) -> None:
    for age in ("6 DAY", "8 DAY"):
        ch.execute(
            "INSERT INTO services_log (service, instance, written_at) "
            f"SELECT 'streams', '{age}', now64(3) - INTERVAL {age}"
        )
    assert ch.query("SELECT instance FROM services") == [("6 DAY",)]
    assert read_reports(ch) == [], "nobody who is silent for so long is shown"
    ch.execute("OPTIMIZE TABLE services_log FINAL")
    assert ch.query("SELECT instance FROM services_log") == [("6 DAY",)]


def test_a_service_that_ended_with_its_file_has_finished(ch: ClickHouse, status: ServiceStatus, tmp_path: Path) -> None:
    with reporter(status, tmp_path, ch.target, ch.database):
        status.working()
        wait_for(lambda: read_reports(ch), "a report")
        status.set(finished=True)
    wait_for(lambda: [r.state for r in read_reports(ch)] == ["finished"], "the last report")


def test_a_service_that_ends_by_an_error_falls_silent(ch: ClickHouse, status: ServiceStatus, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), reporter(status, tmp_path, ch.target, ch.database):
        status.working()
        wait_for(lambda: read_reports(ch), "a report")
        raise ZeroDivisionError
    assert [r.state for r in read_reports(ch)] == ["working"], "it did not stop in order"


def test_a_table_that_is_missing_is_one_line_and_the_reports_resume(
    ch: ClickHouse, status: ServiceStatus, tmp_path: Path
) -> None:
    ch.execute("RENAME TABLE services_log TO away")
    with structlog.testing.capture_logs() as lines:
        with reporter(status, tmp_path, ch.target, ch.database):
            status.working()
            wait_for(lambda: lines, "the line")
            threading.Event().wait(OFTEN_SECONDS * 10)  # ten more that fail
            ch.execute("RENAME TABLE away TO services_log")
            wait_for(lambda: read_reports(ch), "a report")
        assert [line["event"] for line in lines] == [
            "reports for other machines are not stored",
            "reports for other machines are stored again",
        ]
    assert "services_log" in lines[0]["reason"]


@pytest.mark.parametrize("fault", ["refused", "silent"])
def test_a_database_that_is_away_neither_ends_nor_delays_a_service(
    clickhouse: ClickHouseServer, status: ServiceStatus, tmp_path: Path, free_port: int, fault: str
) -> None:
    """A silent server takes the connection and never answers: the end of the block does not wait for it."""
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = free_port if fault == "refused" else silent.getsockname()[1]
        target = replace(clickhouse.target, port=port, connect_timeout_seconds=3600.0)
        with structlog.testing.capture_logs() as lines:
            made = ServiceReporter(status, tmp_path / "run", target, "any", every_seconds=OFTEN_SECONDS)
            with made:
                status.working()
                if fault == "refused":
                    wait_for(lambda: lines, "the line")
                else:
                    connection, _ = silent.accept()
            if fault == "silent":
                assert made._thread.is_alive(), "it still waits for the server, and the service has gone on"
                connection.close()
            made._thread.join()
        assert len(lines) == 1


def test_a_service_that_waits_for_clickhouse_asks_no_more(
    status: ServiceStatus, tmp_path: Path, clickhouse: ClickHouseServer
) -> None:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        target = replace(clickhouse.target, port=server.getsockname()[1])
        status.waiting("clickhouse", "connection refused")
        with structlog.testing.capture_logs() as lines, reporter(status, tmp_path, target, "any"):
            threading.Event().wait(OFTEN_SECONDS * 10)
        assert lines == []
        with pytest.raises(BlockingIOError):
            server.accept()
