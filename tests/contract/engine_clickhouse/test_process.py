"""Starting, stopping, refusing to start, and what survives a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from clickhouse_driver import Client

from counterpoise.errors import EngineError
from engines.clickhouse import ClickHouseProcess, start_clickhouse
from tests.contract.engine_clickhouse.conftest import PASSWORD, Server, secret_file
from tests.long import long
from tests.waiting import PATIENCE_SECONDS


def run(directory: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The server command, for cases in which it must end by itself."""
    command = [sys.executable, "-m", "engines.clickhouse", "--path", str(directory / "data"), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def start_on(directory: Path, port: int = 0, http_port: int = 0) -> ClickHouseProcess:
    return start_clickhouse(
        directory / "data",
        password_file=secret_file(directory, "password", PASSWORD),
        log_file=directory / "log",
        port=port,
        http_port=http_port,
    )


def test_the_command_says_when_it_is_ready_and_ends_on_a_signal(tmp_path: Path) -> None:
    password, ready = secret_file(tmp_path, "password", PASSWORD), tmp_path / "ready.json"
    command = [sys.executable, "-m", "engines.clickhouse", "--path", str(tmp_path / "data")]
    command += ["--password-file", str(password), "--ready-file", str(ready)]
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout
            line = process.stdout.readline()
            said = json.loads(ready.read_text())
            assert line == f"ready port={said['port']} http_port={said['http_port']} pid={process.pid}\n"
            assert said["pid"] == process.pid
            client = Client("127.0.0.1", said["port"], password=PASSWORD)
            assert client.execute("SELECT 1") == [(1,)]
            process.send_signal(number)
            assert process.wait(PATIENCE_SECONDS) == 0
            client.disconnect()


def test_a_stop_ends_a_running_statement(own_server: Server) -> None:
    client = own_server.client()

    def hang() -> None:
        with pytest.raises(Exception):  # noqa: B017 - the connection breaks in one way or another
            client.execute("SELECT sum(sleepEachRow(0.01)) FROM numbers(100000) SETTINGS max_block_size = 10")

    thread = threading.Thread(target=hang)
    thread.start()
    own_server.process.stop()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert own_server.process.returncode() == 0
    own_server.process.stop()


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=rf"^The native port {port} on 127.0.0.1 is taken: choose another"):
            start_on(tmp_path, port=port)
        with pytest.raises(EngineError, match=rf"^The HTTP port {port} on 127.0.0.1 is taken"):
            start_on(tmp_path, http_port=port)
    assert not (tmp_path / "data").exists()


def test_a_locked_data_directory(server: Server) -> None:
    line = one_line(run(server.directory, "--password-file", str(server.directory / "password")))
    assert "is in use by another process (code 76, CANNOT_OPEN_FILE)" in line
    assert str(server.directory / "data") in line


def test_a_data_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert "cannot be used" in one_line(run(tmp_path, "--password-file", str(secret_file(tmp_path, "p", PASSWORD))))


def test_password_files(tmp_path: Path) -> None:
    path = secret_file(tmp_path, "password", PASSWORD)
    path.chmod(0o640)
    line = one_line(run(tmp_path, "--password-file", str(path)))
    assert line == f"The password file {path} has mode 0640, expected 0600: chmod 600 {path}\n"
    absent = tmp_path / "absent"
    line = one_line(run(tmp_path, "--password-file", str(absent)))
    assert line == f"The password file {absent} cannot be read: No such file or directory.\n"
    empty = secret_file(tmp_path, "empty", "")
    assert one_line(run(tmp_path, "--password-file", str(empty))).startswith(f"The password file {empty} is empty")


def test_a_missing_engine(tmp_path: Path) -> None:
    """Without the wheel: an import path on which `chdb` cannot be imported."""
    (tmp_path / "chdb").mkdir()
    (tmp_path / "chdb" / "__init__.py").write_text("raise ImportError('No module named chdb')\n")
    path = secret_file(tmp_path, "password", PASSWORD)
    command = [sys.executable, "-m", "engines.clickhouse", "--path", str(tmp_path / "d")]
    command += ["--password-file", str(path)]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert "needs the package chdb-core" in one_line(result)
    assert "pip install 'counterpoise[embedded]'" in result.stderr


def test_the_data_directory_stays_with_its_owner(own_server: Server) -> None:
    assert (own_server.directory / "data").stat().st_mode & 0o077 == 0
    assert PASSWORD not in own_server.log


def test_tables_and_default_database_survive_a_restart(own_server: Server) -> None:
    client = own_server.client()
    client.execute("CREATE TABLE default.t (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.execute("CREATE DATABASE d")
    client.execute("CREATE TABLE d.t (a UInt8) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO default.t VALUES", [(1,)])
    client.execute("INSERT INTO d.t VALUES", [(2,)])
    client.disconnect()
    own_server.process.stop()
    own_server.restart()
    client = own_server.client()
    both = "SELECT a FROM (SELECT a FROM default.t UNION ALL SELECT a FROM d.t) ORDER BY a"  # outside: over both parts
    assert client.execute(both) == [(1,), (2,)]
    client.disconnect()


@pytest.mark.parametrize("rounds", [2, *long(6)])  # long: more kills
def test_what_was_acknowledged_survives_kills(own_server: Server, rounds: int) -> None:
    """Four writers, two kills: every acknowledged batch is there, whole; none is there in part."""
    writers, batch_rows, seed = 4, 500, 76
    admin = own_server.client()
    admin.execute(
        "CREATE TABLE t (writer UInt8, batch UInt32, n UInt32) ENGINE = MergeTree ORDER BY (writer, batch, n)"
    )
    admin.disconnect()
    acknowledged: set[tuple[int, int]] = set()
    lock, pause = threading.Lock(), random.Random(seed)
    next_batch = [0] * writers

    def write(writer: int) -> None:
        client = own_server.client(compression="lz4" if writer % 2 else False)
        try:
            while True:
                batch = next_batch[writer]
                next_batch[writer] += 1
                client.execute("INSERT INTO t VALUES", [(writer, batch, n) for n in range(batch_rows)])
                with lock:
                    acknowledged.add((writer, batch))
        except (OSError, EOFError, Exception):
            return
        finally:
            client.disconnect()

    for kill in range(rounds):
        before = len(acknowledged)
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        enough = before + pause.randrange(10, 60)
        while len(acknowledged) < enough:  # killed in mid-work, at a point that the seed decides
            threads[0].join(0.002)
            assert any(thread.is_alive() for thread in threads), f"writers ended by themselves; seed {seed}"
        own_server.process.kill()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        own_server.restart()
        client = own_server.client()
        stored = client.execute("SELECT writer, batch, count(), uniqExact(n) FROM t GROUP BY writer, batch")
        client.disconnect()
        assert {(w, b) for w, b, _, _ in stored} >= acknowledged, f"lost after kill {kill}; seed {seed}"
        assert {row[2:] for row in stored} == {(batch_rows, batch_rows)}
    print(f"\n{len(acknowledged)} acknowledged batches, {rounds} kills, none lost")
