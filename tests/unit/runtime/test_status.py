import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from counterpoise.runtime.clock import ManualClock
from counterpoise.runtime.status import ServiceStatus, read_status


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000.0)


@pytest.fixture
def status(tmp_path: Path, clock: ManualClock) -> Iterator[ServiceStatus]:
    with ServiceStatus("streams", tmp_path / "run", clock) as made:
        yield made


def written(tmp_path: Path) -> dict[str, Any]:
    found = read_status(tmp_path / "run", "streams")
    assert found is not None
    return found


def test_begins_as_starting_and_is_written_at_once(tmp_path: Path, status: ServiceStatus) -> None:
    assert written(tmp_path)["state"] == "starting"
    assert written(tmp_path)["healthy"] is True


def test_a_wait_keeps_its_first_time_and_progress_ends_it(status: ServiceStatus, clock: ManualClock) -> None:
    status.waiting("clickhouse", "connection refused")
    clock.advance(30)
    status.waiting("clickhouse", "still refused")
    seen = status.snapshot()
    assert (seen["state"], seen["waiting_on"], seen["wait_reason"], seen["waiting_since"]) == (
        "waiting",
        "clickhouse",
        "still refused",
        1_000.0,
    )
    assert seen["healthy"] is False
    status.waiting("kafka", "gone")
    assert status.snapshot()["waiting_since"] == 1_030.0
    status.progress(7, height=800_000)
    seen = status.snapshot()
    assert (seen["state"], seen["waiting_on"], seen["last_progress_at"]) == ("working", None, 1_030.0)
    assert (seen["counters"], seen["info"]) == ({"events": 7}, {"height": 800_000})


def test_a_wait_that_lasts_is_logged_once_and_so_is_its_end(status: ServiceStatus, clock: ManualClock) -> None:
    def told() -> list[dict[str, Any]]:
        with structlog.testing.capture_logs() as lines:
            status.tell()
        return [dict(line) for line in lines]

    status.waiting("clickhouse", "refused")
    clock.advance(0.5)
    assert told() == []
    status.working()
    clock.advance(60)
    assert told() == [], "a hiccup is not news"
    status.waiting("clickhouse", "refused")
    clock.advance(2)
    first = {"event": "waiting", "log_level": "warning", "waiting_on": "clickhouse", "reason": "refused"}
    assert told() == [first]
    status.waiting("clickhouse", "still refused")
    clock.advance(600)
    assert told() == []
    status.waiting("kafka", "gone")
    assert told() == [{"event": "wait ended", "log_level": "info", "waited_for": "clickhouse", "seconds": 602}]
    clock.advance(1)
    assert [line["waiting_on"] for line in told()] == ["kafka"]
    status.progress()
    assert [line["waited_for"] for line in told()] == ["kafka"]
    assert told() == []


def test_counts_are_exact_from_many_threads(status: ServiceStatus) -> None:
    def add() -> None:
        for _ in range(500):
            status.count("x")

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert status.snapshot()["counters"] == {"x": 4_000}


def test_flushing_from_many_threads_never_leaves_a_torn_file(tmp_path: Path, status: ServiceStatus) -> None:
    def hammer() -> None:
        for _ in range(30):
            status.flush()
            json.loads((tmp_path / "run" / "streams.json").read_text())

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["streams.json"]


def test_health_answers_200_while_working_and_503_while_waiting_and_live_answers_always(status: ServiceStatus) -> None:
    port = status.serve("127.0.0.1", 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        status.working()
        assert client.get("/health").status_code == 200
        status.waiting("slack", "rate limited")
        answer = client.get("/health")
        assert (answer.status_code, answer.json()["waiting_on"], answer.json()["health_port"]) == (503, "slack", port)
        assert client.get("/live").status_code == 200
        assert client.get("/elsewhere").status_code == 404


def scraped(text: str) -> dict[tuple[str, ...], float]:
    """Every sample by name and label values (service last), as Prometheus' own parser reads them."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_are_what_prometheus_reads(status: ServiceStatus, clock: ManualClock) -> None:
    port = status.serve("127.0.0.1", 0)
    status.progress(7, height=800_000, hash="00ab", last_block_time=900)
    status.count('odd "kind"\n')
    clock.advance(30)
    status.waiting("clickhouse", "refused")
    status.set(stale=None, rules=6.5)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert scraped(answer.text) == {
            ("counterpoise_healthy", "streams"): 0.0,
            ("counterpoise_start_timestamp_seconds", "streams"): 1_000.0,
            ("counterpoise_last_progress_timestamp_seconds", "streams"): 1_000.0,
            ("counterpoise_waiting_since_timestamp_seconds", "clickhouse", "streams"): 1_030.0,
            ("counterpoise_events_total", "events", "streams"): 7.0,
            ("counterpoise_events_total", 'odd "kind"\n', "streams"): 1.0,
            ("counterpoise_info", "height", "streams"): 800_000.0,
            ("counterpoise_info", "last_block_time", "streams"): 900.0,
            ("counterpoise_info", "rules", "streams"): 6.5,
        }
        status.working()
        names = {name for name, *_ in scraped(client.get("/metrics").text)}
        assert "counterpoise_waiting_since_timestamp_seconds" not in names


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8082", 200),
        ("localhost", 200),
        ("[::1]:8082", 200),
        ("evil.example:8082", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_a_name_that_somebody_else_points_at_loopback_is_refused(
    status: ServiceStatus, host: str, expected: int
) -> None:
    port = status.serve("127.0.0.1", 0)
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"http://127.0.0.1:{port}/live", headers={"Host": host}).status_code == expected


def test_where_other_machines_may_ask_any_name_is_answered(status: ServiceStatus) -> None:
    port = status.serve("0.0.0.0", 0)  # noqa: S104 - as a container does
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"http://127.0.0.1:{port}/live", headers={"Host": "streams:8082"}).status_code == 200


def test_closing_writes_stopped_and_twice_does_no_harm(tmp_path: Path, status: ServiceStatus) -> None:
    status.close()
    status.close()
    assert (written(tmp_path)["state"], written(tmp_path)["healthy"]) == ("stopped", False)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"other": 1}', '{"state": "working"}'])
def test_a_file_that_is_not_ours_reads_as_never_ran(tmp_path: Path, content: str) -> None:
    (tmp_path / "streams.json").write_text(content)
    assert read_status(tmp_path, "streams") is None
    assert read_status(tmp_path, "missing") is None
