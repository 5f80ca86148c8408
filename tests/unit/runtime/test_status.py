import ast
import json
import platform
import re
import socket
import sys
import threading
import typing
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from alerts.outbox.receivers.receivers import RECEIVERS
from counterpoise.contracts.alert_transition import AlertState
from counterpoise.runtime.service_metrics import COUNTERS, GAUGES, LATENCIES
from counterpoise.runtime.service_status import ServiceStatus, newest_status, read_status
from testkit.manual_clock import ManualClock
from tests.waiting import PATIENCE_SECONDS


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
    assert (seen["counters"]["events"], seen["info"]) == (7, {"height": 800_000})


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


def test_a_file_that_cannot_be_written_ends_no_service_and_is_a_line_a_minute(
    tmp_path: Path, clock: ManualClock
) -> None:
    """At the start, when the port of the health endpoint is known, on the way and at the end."""
    in_its_place = tmp_path / "run" / "streams.json"
    in_its_place.mkdir(parents=True, mode=0o700)
    with structlog.testing.capture_logs() as lines:
        with ServiceStatus("streams", tmp_path / "run", clock) as status:
            assert status.serve("127.0.0.1", 0)
            with pytest.raises(OSError, match="directory"):
                status.flush()
            clock.advance(59.0)
            status.write()
            assert [line["event"] for line in lines] == ["status is not written"]
            assert lines[0]["reason"] == "Is a directory" and lines[0]["file"] == str(in_its_place)
            clock.advance(1.0)
            status.write()
            assert [line["event"] for line in lines] == ["status is not written"] * 2
            clock.advance(60.0)
        assert [line["event"] for line in lines] == ["status is not written"] * 3
        assert in_its_place.is_dir()
        with ServiceStatus("streams", tmp_path / "run", clock) as status:
            in_its_place.rmdir()
            status.write()
            assert [line["event"] for line in lines[3:]] == ["status is not written", "status is written again"]
            assert written(tmp_path)["file_problem"] is None
    assert written(tmp_path)["state"] == "stopped"


def test_a_service_whose_file_is_old_is_asked_and_nobody_else_speaks_for_it(
    tmp_path: Path, status: ServiceStatus, clock: ManualClock
) -> None:
    status.serve("127.0.0.1", 0)
    text = (tmp_path / "run" / "streams.json").read_text()
    clock.advance(16.0)
    status.waiting("clickhouse", "no space")
    folder = tmp_path / "full"  # where it cannot write
    folder.mkdir(mode=0o700)
    (folder / "streams.json").write_text(text)
    (folder / "streams.json").chmod(0o600)
    now = clock.now()
    fresh = newest_status(folder, "streams", "127.0.0.1", now)
    assert fresh is not None and (fresh["state"], fresh["updated_at"]) == ("waiting", now)
    old = json.loads(text)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        lies = (
            {"service": "alerts"},  # it is not who wrote the file
            {"host": "another"},
            {"started_at": now + 1},  # another process has its port by now
            {"health_port": None},
            {"health_port": mute.getsockname()[1]},
            {"state": "stopped"},
        )
        for lie in lies:
            name = str(lie.get("service", "streams"))
            (folder / f"{name}.json").write_text(json.dumps(old | lie))
            (folder / f"{name}.json").chmod(0o600)
            assert newest_status(folder, name, "127.0.0.1", now) == old | lie


def test_counts_are_exact_from_many_threads(status: ServiceStatus) -> None:
    def add() -> None:
        for _ in range(500):
            status.count("x")

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert status.snapshot()["counters"]["x"] == 4_000


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
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as client:
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
    status.progress(7, height=800_000, hash="00ab", unlisted=3)
    status.set_of_chain("bitcoin", last_height=5, last_block_time=900)
    status.set_of_chain("litecoin", last_height=7)
    status.time_chains(["litecoin"])
    status.took("seen_to_stored", 0.3, "bitcoin")
    status.took("seen_to_stored", 86_400.0, "bitcoin")  # history that is read again
    status.count('odd "kind"\n')
    clock.advance(30)
    status.waiting("clickhouse", "refused")
    status.set(stale=None, rules=6)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as client:
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = scraped(answer.text)
        zero = {("counterpoise_events_total", kind, "streams"): 0.0 for kind in COUNTERS["streams"]}
        own = {
            key: value for key, value in found.items() if not key[0].startswith(("process_", "counterpoise_latency_"))
        }
        assert own == zero | {
            ("counterpoise_healthy", "streams"): 0.0,
            ("counterpoise_start_timestamp_seconds", "streams"): 1_000.0,
            ("counterpoise_last_progress_timestamp_seconds", "streams"): 1_000.0,
            ("counterpoise_waiting_since_timestamp_seconds", "clickhouse", "streams"): 1_030.0,
            ("counterpoise_events_total", "events", "streams"): 7.0,
            ("counterpoise_events_total", 'odd "kind"\n', "streams"): 1.0,
            ("counterpoise_judged_height", "streams"): 800_000.0,
            ("counterpoise_rules", "streams"): 6.0,
            ("counterpoise_last_height", "bitcoin", "streams"): 5.0,
            ("counterpoise_last_height", "litecoin", "streams"): 7.0,
            ("counterpoise_last_block_timestamp_seconds", "bitcoin", "streams"): 900.0,
            ("counterpoise_build_info", platform.python_version(), "streams", version("counterpoise")): 1.0,
        }
        latency = {key[1:]: value for key, value in found.items() if key[0] == "counterpoise_latency_seconds_bucket"}
        buckets = [latency["bitcoin", bound, "streams", "seen_to_stored"] for bound in ("0.25", "0.5", "+Inf")]
        assert buckets == [0.0, 1.0, 1.0]
        silent = {key[3]: value for key, value in latency.items() if key[0] == "litecoin" and key[1] == "+Inf"}
        assert silent == dict.fromkeys(LATENCIES["streams"], 0.0), "each is there before its first block"
        if sys.platform == "linux":
            assert found["process_resident_memory_bytes",] > 0
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
    with httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        assert client.get(f"http://127.0.0.1:{port}/live", headers={"Host": host}).status_code == expected


def test_where_other_machines_may_ask_any_name_is_answered(status: ServiceStatus) -> None:
    port = status.serve("0.0.0.0", 0)  # noqa: S104 - as a container does
    with httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client:
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


def source_files() -> list[Path]:
    root = Path(__file__).resolve().parents[3]
    return [path for room in ("ingest", "streams", "alerts", "desk") for path in (root / room).rglob("*.py")]


def words_of(name: str, path: Path) -> list[ast.Call]:
    """Calls of a method of a status in a file."""
    source = path.read_text(encoding="utf-8")
    if not re.search(rf"\.\s*{name}\b", source):  # most files: a tree of each costs seconds
        return []
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        node
        for node in found
        if isinstance(node.func, ast.Attribute)
        and node.func.attr == name
        and ast.unparse(node.func.value).removesuffix("()").endswith(("status", "_status"))
    ]


def test_every_counter_of_the_code_is_there_from_the_start() -> None:
    known = {kind for kinds in COUNTERS.values() for kind in kinds}
    counted = set()
    for path in source_files():
        for call in words_of("count", path):
            counted |= {node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)}
    assert {"dead_letters", "too_old", "pushed_duplicates"} <= counted
    assert counted <= known
    assert set(typing.get_args(AlertState)) <= set(COUNTERS["alerts"])


TEXTS = frozenset(
    (
        "attribution_id",
        "desk_port",
        "done",
        "finished",
        "market_sources",
        "no_rules",
        "published_hash",
        "push_port",
        "receiver",
        "rules_problem",
    )
) | {
    "last_hash",
    "last_release",
    "source",
    "source_hash",
    "source_problem",
    "stale",
    "stale_sources",
    "stopped_because",
    "tip_hash",
    "withheld_block",
}
"""What status shows and `/metrics` leaves out: texts, ports and what is no number."""


def test_every_number_that_status_shows_is_a_metric() -> None:
    shown = {
        word.arg
        for path in source_files()
        for method in ("set", "set_of_chain", "progress")
        for call in words_of(method, path)
        for word in call.keywords
        if word.arg is not None
    }
    assert {"published_height", "parked", "undelivered"} <= shown
    assert shown - TEXTS - GAUGES.keys() == set()


def test_what_ended_stays_stopped(tmp_path: Path, clock: ManualClock) -> None:
    """A thread that is slow to end reports its work, or its wait, after the end."""
    status = ServiceStatus("streams", tmp_path / "late", clock)
    status.close()
    for late in (status.working, lambda: status.waiting("kafka", "gone"), lambda: status.progress(1)):
        late()
        assert status.snapshot()["state"] == "stopped"


def test_what_was_set_of_a_chain_that_was_lost_is_forgotten(status: ServiceStatus) -> None:
    status.set_of_chain("bitcoin", last_height=5)
    status.set_of_chain("litecoin", last_height=7)
    status.keep_chains(["litecoin"])
    assert status.snapshot()["info"]["chains"] == {"litecoin": {"last_height": 7}}
    status.keep_chains([])
    assert status.snapshot()["info"]["chains"] == {}


def test_every_kind_of_receiver_has_its_gauge() -> None:
    assert {f"last_{kind}_success_at" for kind in RECEIVERS} <= GAUGES.keys()
