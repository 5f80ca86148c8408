"""`counterpoise run` and `status` with the real services on the real engines: falls, stalls, outages, a wrong setting."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoise.contracts.blocks import BLOCK_KIND, BlockEvent
from counterpoise.contracts.envelope import encode
from counterpoise.contracts.topics import BLOCKS
from counterpoise.kafka.clients import make_producer
from counterpoise.kafka.lag import read_lag, total_lag
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import kafka_target
from counterpoise.settings.model import Settings
from desk.supervise.health import collect
from tests.engines import ClickHouseServer, RunningKafka, as_environment, settings_for
from tests.forked import start_forked
from tests.integration.runtime.cli import clean_environment, counterpoise
from tests.runbook import assert_shown, status_text, symptom
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for

HERE = Path(__file__).parent


class Supervised:
    """`counterpoise run …` as a process."""

    def __init__(self, settings: Settings, *what: str, **more: str) -> None:
        self._settings = settings
        self._log = settings.state_dir / "run.log"
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self.process = start_forked(["run", *what], clean_environment(as_environment(settings) | more), HERE, log)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def status(self, service: str) -> dict[str, Any]:
        return read_status(self._settings.run_dir, service) or {"state": "nothing yet", "pid": 0}

    def until(self, true: Callable[[], bool], what: str) -> None:
        wait_for(true, what, lambda: self.log[-3000:])

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        if self.process.stdin is not None:
            self.process.stdin.close()
        return code


@pytest.fixture
def runs() -> Iterator[list[Supervised]]:
    found: list[Supervised] = []
    yield found
    for run in found:
        run.end()


def report(settings: Settings) -> tuple[int, dict[str, Any]]:
    done = counterpoise("status", "--json", cwd=HERE, environment=as_environment(settings))
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_a_worker_is_restarted_after_a_kill_and_ends_in_order_on_sigterm(
    migrated: Settings, runs: list[Supervised]
) -> None:
    run = Supervised(migrated, "streams")
    runs.append(run)
    run.until(lambda: run.status("streams")["state"] == "working", "streams works")
    first = run.status("streams")["pid"]
    code, seen = report(migrated)
    assert code == 1, "three services never ran"
    assert [e["problem"] for e in seen["engines"]] == [None, None]
    assert {s["name"]: s["state"] for s in seen["services"]} == {
        "ingest": "never ran",
        "streams": "working",
        "alerts": "never ran",
        "desk": "never ran",
    }
    assert seen["elsewhere"] == [], "files of this state directory show it"
    os.kill(first, signal.SIGKILL)
    run.until(lambda: run.status("streams")["pid"] not in (0, first), "a new worker")
    run.until(lambda: run.status("streams")["state"] == "working", "the new worker works")
    other = migrated.model_copy(update={"state_dir": migrated.state_dir / "of-another-machine"})
    second = run.status("streams")["pid"]

    def reported() -> list[tuple[str, int, str, str]]:
        found = collect(other, SystemClock()).elsewhere
        return [(one.service, one.pid, one.state, one.problem) for one in found]

    run.until(lambda: reported() == [("streams", second, "working", "")], "its report, and it alone")
    assert [s.name for s in collect(other, SystemClock()).services] == ["ingest", "alerts", "desk"], (
        "streams runs elsewhere"
    )
    assert run.end() == 0
    assert run.status("streams")["state"] == "stopped"
    assert "signal 9" in run.log


def test_a_wrong_setting_stops_everything_with_one_line_and_code_2(settings: Settings) -> None:
    done = counterpoise("run", "streams", cwd=HERE, environment=as_environment(settings))  # never migrated
    assert done.returncode == 2
    own = [line for line in done.stderr.splitlines() if line.startswith("counterpoise: ")]
    assert len(own) == 1
    assert own[0].startswith("counterpoise: streams: ")
    assert "counterpoise migrate" in own[0]
    assert_shown("in one line, exit code 2", own[0])
    assert "Traceback" not in done.stderr


def test_a_restart_with_a_wrong_rules_file_ends_no_other_service(migrated: Settings, runs: list[Supervised]) -> None:
    rules = "version: 1\nrules: [{id: a, type: top_share}]\n"
    file = migrated.state_dir / "rules.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(rules)
    environment = {"COUNTERPOISE_ALERTS__RULES_FILE": str(file), "COUNTERPOISE_ALERTS__NOTIFIER": "console"}
    run = Supervised(migrated, "alerts", **environment)
    runs.append(run)
    run.until(lambda: run.status("alerts")["state"] == "working", "alerts works")
    first = run.status("alerts")["pid"]
    file.write_text("version: 1\nrules: [{id: a, type: top_shore}]\n")
    os.kill(first, signal.SIGKILL)
    shown: list[str] = []

    def shows_the_mistake() -> bool:
        """Between two starts, and so not at every look."""
        shown.append(status_text(migrated.state_dir, as_environment(migrated)))
        return symptom("starts with a mistake in the rules file").is_in(shown[-1])

    run.until(shows_the_mistake, "status shows the mistake")
    assert_shown("starts with a mistake in the rules file", shown[-1])
    assert run.process.poll() is None
    file.write_text(rules)
    run.until(lambda: run.status("alerts")["state"] == "working", "alerts works again")
    assert run.end() == 0


def test_without_engines_it_is_one_line(tmp_path: Path) -> None:
    done = counterpoise("--state-dir", str(tmp_path / "none"), "run", "all", cwd=HERE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"counterpoise: no Kafka or ClickHouse address is set and no embedded engines run in '{tmp_path / 'none'}'"
    )
    assert "--state-dir" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_second_supervisor_of_the_same_service_is_refused(migrated: Settings, runs: list[Supervised]) -> None:
    run = Supervised(migrated, "streams")
    runs.append(run)
    run.until(lambda: run.status("streams")["state"] in ("starting", "working"), "the first runs")
    done = counterpoise("run", "streams", cwd=HERE, environment=as_environment(migrated))
    assert done.returncode == 2
    assert f"of dataset {migrated.dataset} already runs with the state directory" in done.stderr
    assert_shown("already runs with the state directory", done.stderr)


def test_a_killed_supervisor_leaves_no_worker_behind(migrated: Settings, runs: list[Supervised]) -> None:
    run = Supervised(migrated, "streams")
    runs.append(run)
    run.until(lambda: run.status("streams")["state"] == "working", "streams works")
    worker = run.status("streams")["pid"]
    run.process.kill()
    run.process.wait()
    run.until(
        lambda: not Path(f"/proc/{worker}").exists() if Path("/proc").exists() else gone(worker), "the worker ends"
    )


def test_a_frozen_worker_is_a_stall_and_is_replaced(migrated: Settings, runs: list[Supervised]) -> None:
    run = Supervised(migrated, "streams", COUNTERPOISE_HEALTH__STALL_AFTER_SECONDS="4")
    runs.append(run)
    run.until(lambda: run.status("streams")["state"] == "working", "streams works")
    first = run.status("streams")["pid"]
    os.kill(first, signal.SIGSTOP)  # alive, and does nothing
    run.until(lambda: run.status("streams")["pid"] not in (0, first), "a new worker")
    assert "its main loop did not advance for" in run.log
    assert_shown("stalled; killing it", run.log)


# Long: the same outage under the supervisor; streams/test_outages.py has it without.
@pytest.mark.long
def test_an_outage_of_clickhouse_is_a_wait_that_status_shows_and_no_restart(
    kafka: RunningKafka, own_clickhouse: ClickHouseServer, state_dir: Path, runs: list[Supervised]
) -> None:
    settings = settings_for(kafka, own_clickhouse, state_dir)
    make_database(own_clickhouse.target, settings.dataset_of)
    run = Supervised(settings, "streams", COUNTERPOISE_HEALTH__STALL_AFTER_SECONDS="20")
    runs.append(run)
    run.until(lambda: run.status("streams")["state"] == "working", "streams works")
    worker = run.status("streams")["pid"]
    send_block(settings, 800_000)
    run.until(lambda: lag_of(settings) == 0, "the first block is acknowledged")
    own_clickhouse.kill()
    send_block(settings, 800_001)
    run.until(lambda: run.status("streams")["state"] == "waiting", "streams waits")
    time.sleep(25)  # over the stall limit, which no step of a busy machine comes near
    code, seen = report(settings)
    streams = next(s for s in seen["services"] if s["name"] == "streams")
    assert code == 1
    assert (streams["state"], streams["healthy"], streams["status"]["waiting_on"]) == ("waiting", False, "clickhouse")
    assert streams["detail"].startswith("on clickhouse for ")
    assert_shown("streams waiting on clickhouse", status_text(settings.state_dir, as_environment(settings)))
    own_clickhouse.restart()
    run.until(lambda: lag_of(settings) == 0, "the second block is acknowledged")
    run.until(lambda: run.status("streams")["state"] == "working", "the wait is over")
    assert run.status("streams")["pid"] == worker, "a wait is not a stall"
    assert [block["height"] for block in report(settings)[1]["last_blocks"]] == [800_001]


def send_block(settings: Settings, height: int) -> None:
    """One block whose hash follows from its height."""
    event = BlockEvent(
        chain="bitcoin",
        height=height,
        hash=f"{height:064x}",
        prev_hash=f"{height - 1:064x}",
        time=1_700_000_000 + height - 800_000,
        bits=0x1703_4219,
        source="test",
        seen_at_ms=1_700_000_000_000,
    )
    value = encode([event], kind=BLOCK_KIND, dataset=settings.dataset, producer="test", sent_at_ms=1_700_000_000_000)
    producer = make_producer(kafka_target(settings), "test")
    producer.send(BLOCKS.full_name(settings.dataset), value, key=b"bitcoin").get(PATIENCE_SECONDS)
    producer.close()


def lag_of(settings: Settings) -> int:
    """Blocks not yet acknowledged by streams."""
    return total_lag(read_lag(kafka_target(settings), settings.dataset), f"{settings.dataset}.streams")


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
