"""`counterpoise up`, `down`, `status` and `doctor`, as a user types them, each mistake with its one line."""

import http.client
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.contracts.topics import TOPICS
from counterpoise.kafka.topic_setup import ensure_topics
from counterpoise.settings.endpoints import EmbeddedEndpoints, KafkaTarget, clickhouse_target
from counterpoise.settings.model import Settings
from desk.supervise.engine_keeper import EngineKeeper
from engines.processes import started_at
from engines.stack import down, records, restart_fallen, temporary_stack
from testkit.ports import reserved_port
from tests.integration.runtime.cli import counterpoise
from tests.runbook import assert_shown
from tests.waiting import wait_for


def any_ports() -> tuple[str, ...]:
    """`up` on ports that stay this test's own while an engine is down, unlike those that the kernel would give."""
    ports = ("--kafka-port", "--clickhouse-port", "--http-port")
    return ("up", *(word for option in ports for word in (option, str(reserved_port()))))


ANY = any_ports()


@pytest.fixture
def state(state_dir: Path) -> Iterator[Path]:
    yield state_dir
    down(state_dir)


def run(state: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    done = counterpoise("--state-dir", str(state), *arguments, cwd=Path(__file__).parent, environment=environment)
    return done.returncode, done.stdout, done.stderr


def test_up_is_idempotent_keeps_data_over_down_and_comes_back_on_the_same_ports(state: Path) -> None:
    code, out, err = run(state, *ANY)
    assert (code, err) == (0, "")
    assert out.count(" started on 127.0.0.1:") == 2
    first = EmbeddedEndpoints.read(state)
    settings = Settings.load(state_dir=state)
    with connect(clickhouse_target(settings), "default") as clickhouse:
        clickhouse.execute("CREATE DATABASE kept ENGINE = Atomic")
    ensure_topics(KafkaTarget(first.kafka), "kept")

    code, out, _ = run(state, "up")
    assert code == 0
    assert out.count(" already runs on 127.0.0.1:") == 2
    assert EmbeddedEndpoints.read(state) == first

    code, out, _ = run(state, "down")
    assert (code, out) == (0, "stopped kafka and clickhouse\n")
    assert records(state) == []
    code, out, _ = run(state, "down")
    assert (code, out) == (0, "no embedded engines run here\n")

    assert run(state, *ANY)[0] == 0
    with connect(clickhouse_target(settings), "default") as clickhouse:
        assert clickhouse.query("SELECT count() FROM system.databases WHERE name = 'kept'") == [(1,)]
    assert len(ensure_topics(KafkaTarget(EmbeddedEndpoints.read(state).kafka), "kept")) == len(TOPICS), (
        "the embedded broker forgets"
    )


def test_passwords_are_long_private_and_needed(state: Path) -> None:
    assert not state.exists()
    run(state, *ANY, COUNTERPOISE_SLACK__TOKEN="xoxb-not-for-engines")
    for folder in (state, state / "embedded"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = EmbeddedEndpoints.read(state)
    for file in (Path(found.clickhouse_password_file), Path(found.clickhouse_reader_password_file)):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(file.read_text().strip()) == 32
    for record in records(state):
        command = Path(f"/proc/{record.pid}/cmdline")
        if command.exists():
            assert Path(found.clickhouse_password_file).read_text().strip() not in command.read_text()
            assert "xoxb" not in command.with_name("environ").read_text()


def test_an_engine_that_was_killed_is_started_again_by_up_and_the_other_left_alone(state: Path) -> None:
    run(state, *ANY)
    before = {record.name: record for record in records(state)}
    os.kill(before["clickhouse"].pid, signal.SIGKILL)
    code, out, _ = run(state, "doctor", "--offline")
    assert code == 1
    assert f"process {before['clickhouse'].pid}, which `counterpoise up` started, is gone" in " ".join(out.split())
    report = json.loads(run(state, "status", "--json")[1])
    assert [engine["problem"] is None for engine in report["engines"]] == [True, False]
    assert report["engines"][1]["problem"].endswith("(code 210, NETWORK_ERROR): `counterpoise up` starts it again")
    assert_shown("An embedded engine has died", report["engines"][1]["problem"])
    code, _, err = run(state, "up")
    assert (code, err) == (0, "")
    after = {record.name: record for record in records(state)}
    assert after["kafka"] == before["kafka"]
    assert after["clickhouse"].pid != before["clickhouse"].pid
    assert after["clickhouse"].port == before["clickhouse"].port

    # Beside services nobody needs to ask for it.
    with EngineKeeper(state, look_every_seconds=0.05):
        for record in after.values():
            os.kill(record.pid, signal.SIGKILL)
        wait_for(
            lambda: all(one.runs() and one.answers() and one.pid != after[one.name].pid for one in records(state)),
            "both engines to run again",
        )
        assert {one.name: one.port for one in records(state)} == {name: one.port for name, one in after.items()}
        run(state, "down")
        assert restart_fallen(state) == ()
        assert records(state) == []


def test_a_process_that_only_has_an_old_engines_id_is_left_alone(state: Path) -> None:
    run(state, *ANY)
    down(state)
    record = {
        "name": "kafka",
        "pid": os.getpid(),
        "started": started_at(os.getpid()),
        "marker": "",  # what a hostile file may say: part of every command line
        "port": 1,
        "http_port": None,
    }
    (state / "embedded" / "engines.json").write_text(json.dumps([record]))
    code, out, _ = run(state, "down")
    assert (code, out) == (0, "no embedded engines run here\n")


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("--kafka-port", "the embedded Kafka"),
        ("--clickhouse-port", "the embedded ClickHouse"),
        ("--http-port", "the embedded ClickHouse's HTTP"),
    ],
)
def test_a_taken_port_is_one_line_and_leaves_nothing_running(state: Path, option: str, what: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = list(ANY)
        arguments[arguments.index(option) + 1] = str(port)
        code, out, err = run(state, *arguments)
    assert (code, out) == (2, "")
    assert err == (
        f"counterpoise: port {port} for {what} is taken on 127.0.0.1 (Address already in use): stop what listens there, or choose "
        f"another with {option}\n"
    )
    assert_shown("port … is taken", err)
    assert records(state) == []


def test_one_option_takes_free_ports_and_the_next_start_the_same(state: Path) -> None:
    code, _, err = run(state, "up", "--free-ports", "--http-port", "0")
    assert (code, err.count("\n")) == (2, 1) and "--free-ports takes all ports: leave out --kafka-port" in err
    assert run(state, "up", "--free-ports")[0] == 0
    first = EmbeddedEndpoints.read(state)
    assert {first.clickhouse_port, first.clickhouse_http_port}.isdisjoint({9000, 8123})
    code, out, _ = run(state, "up", "--free-ports")
    assert code == 0 and out.count(" already runs on 127.0.0.1:") == 2
    assert EmbeddedEndpoints.read(state) == first


def test_other_ports_than_the_running_ones_are_refused(state: Path) -> None:
    run(state, *ANY)
    has = next(record.port for record in records(state) if record.name == "kafka")
    code, _, err = run(state, "up", "--kafka-port", "1")
    assert code == 2
    assert (
        err
        == f"counterpoise: the embedded kafka already runs with kafka port {has}, not 1: `counterpoise down` first\n"
    )


def test_data_that_another_server_holds_is_one_line(state: Path) -> None:
    run(state, *ANY)
    (state / "embedded" / "engines.json").rename(state / "embedded" / "hidden.json")  # up forgets that they run
    code, _, err = run(state, *any_ports())
    _, out, _ = run(state, "doctor", "--offline", "--json")
    (state / "embedded" / "hidden.json").rename(state / "embedded" / "engines.json")
    if sys.platform == "linux":
        assert findings(out)["data directory"] == "problem"
    assert code == 2
    assert err.count("\n") == 1
    assert str(state / "embedded" / "clickhouse") in err
    assert_shown("The data directory is in use", err)


def test_a_missing_broker_is_one_line(state: Path) -> None:
    code, _, err = run(state, *ANY, CALF_TANSU_BIN="/nonexistent")
    assert code == 2
    assert err.startswith("counterpoise: the embedded Kafka has no broker for ")
    assert err.endswith("set COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS to your own Kafka\n")
    assert err.count("\n") == 1


def test_a_state_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = run(tmp_path / "file" / "state", *ANY)
    assert code == 2
    assert err == (
        f"counterpoise: the state directory {tmp_path}/file/state cannot be used: Not a directory; choose another with "
        "--state-dir or COUNTERPOISE_STATE_DIR\n"
    )


def test_temporary_stack_ends_what_a_killed_predecessor_left(state: Path) -> None:
    run(state, *ANY)
    left = records(state)
    with temporary_stack(state) as stack:
        assert stack.kafka.is_alive()
        assert not any(record.runs() for record in left)
        assert stack.endpoints == EmbeddedEndpoints.read(state)
    assert not stack.kafka.is_alive()
    assert records(state) == []


def test_doctor_finds_a_fresh_machine_well_and_engines_that_run(state: Path) -> None:
    code, out, _ = run(state, "doctor", "--offline", "--json")
    fresh = findings(out)
    assert code == 0, fresh
    assert fresh["kafka"] == "skipped"
    run(state, *ANY)
    code, out, _ = run(state, "doctor", "--offline", "--json")
    assert code == 0
    assert {findings(out)[name] for name in ("kafka", "clickhouse", "embedded kafka", "embedded clickhouse")} == {"ok"}


def test_doctor_names_what_is_wrong_and_never_a_secret(state: Path) -> None:
    code, out, _ = run(
        state,
        "doctor",
        "--offline",
        COUNTERPOISE_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1",
        COUNTERPOISE_CLICKHOUSE__HOST="127.0.0.1",
        COUNTERPOISE_CLICKHOUSE__PORT="1",
        COUNTERPOISE_SLACK__TOKEN="xoxb-not-for-eyes",
    )
    assert code == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in out
    assert "COUNTERPOISE_SLACK__CHANNEL is missing" in out
    assert "xoxb" not in out


def test_doctor_names_a_variable_that_nobody_reads(state: Path) -> None:
    code, out, _ = run(state, "doctor", "--offline", COUNTERPOISE_INGEST_SOURCE="bitcoind", COLUMNS="200")
    assert code == 0
    assert (
        "not a setting, and never read: COUNTERPOISE_INGEST_SOURCE (did you mean COUNTERPOISE_INGEST__SOURCE?)"
        in " ".join(out.split())
    )


def test_an_empty_password_file_gets_a_password(state: Path) -> None:
    run(state, *ANY)
    down(state)
    file = state / "embedded" / "password"
    file.write_text("")
    file.chmod(0o644)
    code, _, err = run(state, *ANY)
    assert (code, err) == (0, "")
    assert len(file.read_text().strip()) == 32
    assert file.stat().st_mode & 0o777 == 0o600


def test_doctor_shows_a_mistake_in_the_settings_as_a_finding(state: Path) -> None:
    code, out, _ = run(state, "doctor", "--offline", "--json", COUNTERPOISE_LOG_LEVEL="loud")
    assert code == 1
    assert findings(out) == {"settings": "problem"}


def findings(out: str) -> dict[str, Any]:
    return {finding["check"]: finding["verdict"] for finding in json.loads(out)}


def test_limits_and_hosts_of_the_embedded_clickhouse_are_settings(state: Path) -> None:
    chosen = {
        "COUNTERPOISE_EMBEDDED__ALLOWED_HOSTS": '["Desk.example"]',
        "COUNTERPOISE_EMBEDDED__MAX_MEMORY_BYTES": str(600 << 20),
        "COUNTERPOISE_EMBEDDED__READER_MEMORY_BYTES": str(100 << 20),
        "COUNTERPOISE_EMBEDDED__READER_SECONDS": "7",
    }
    assert run(state, *ANY, **chosen)[0] == 0
    endpoints = EmbeddedEndpoints.read(state)
    with connect(clickhouse_target(Settings.load(state_dir=state)), "default") as clickhouse:
        [(memory,)] = clickhouse.query(
            "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
        )
    assert memory == str(300 << 20), "what the process needs beside statements is left out, at most half"
    reader = {
        "X-ClickHouse-User": "reader",
        "X-ClickHouse-Key": Path(endpoints.clickhouse_reader_password_file).read_text().strip(),
    }

    def ask(sql: str, host: str) -> tuple[int, str]:
        port = endpoints.clickhouse_http_port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("POST", "/", sql, {**reader, "Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    assert ask("SELECT getSetting('max_memory_usage'), getSetting('max_execution_time')", "desk.example:1234") == (
        200,
        f"{100 << 20}\t7\n",
    )
    status, said = ask("SELECT 1", "other.example:1234")
    assert (status, "COUNTERPOISE_EMBEDDED__ALLOWED_HOSTS" in said) == (403, True)
    code, _, err = run(state, "up", **chosen | {"COUNTERPOISE_EMBEDDED__ALLOWED_HOSTS": '["a b"]'})
    assert (code, err.count("\n")) == (2, 1)
