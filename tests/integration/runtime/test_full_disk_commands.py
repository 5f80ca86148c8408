"""A disk that is really full, as commands meet it: a small file system of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import connect
from engines.stack import records
from tests.engines import ClickHouseServer
from tests.forked import start_forked
from tests.integration.runtime.cli import clean_environment, counterpoise
from tests.namespaces import fill, small_disk, why_no_namespaces
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.skipif(bool(why_no_namespaces("mount", "umount")), reason=why_no_namespaces("mount", "umount"))
FULL = "free some space, and run the command again"
NUMBERS = "SELECT number, toString(number) AS text FROM numbers(2000)"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """64 MB."""
    with small_disk(tmp_path / "disk", 64) as folder:
        yield folder


def as_reader(clickhouse: ClickHouseServer, disk: Path) -> dict[str, str]:
    return {
        "COUNTERPOISE_STATE_DIR": str(disk / "state"),
        "COUNTERPOISE_DATASET": "full_disk",
        "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
        "COUNTERPOISE_CLICKHOUSE__PORT": str(clickhouse.port),
        "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": str(clickhouse.password_file),
    }


def test_a_file_that_has_no_room_does_not_appear_and_an_old_one_stays(
    disk: Path, tmp_path: Path, clickhouse: ClickHouseServer
) -> None:
    environment = as_reader(clickhouse, disk)
    with connect(clickhouse.target, "default") as server:
        server.execute("CREATE DATABASE IF NOT EXISTS full_disk")
    (disk / "old.csv").write_text("old\n")
    zeros = fill(disk)
    for name in ("new.csv", "new.json", "new.jsonl", "new.parquet", "new.md", "new.txt", "old.csv"):
        done = counterpoise("sql", NUMBERS, "--out", str(disk / name), cwd=tmp_path, environment=environment)
        assert done.returncode == 2, name
        assert done.stderr.count("\n") == 1 and f"{name}' cannot be written: " in done.stderr, done.stderr
        assert "No space left on device" in done.stderr
    assert sorted(path.name for path in disk.iterdir()) == ["old.csv", "zeros"]
    assert (disk / "old.csv").read_text() == "old\n"

    with (disk / "old.csv").open("ab") as output:  # counterpoise sql … >> FILE
        for statement in (NUMBERS, "SELECT 1"):  # more than the buffer of standard output, and less
            with (tmp_path / "error").open("wb") as error:
                command = start_forked(
                    ["sql", statement, "--format", "csv"], clean_environment(environment), tmp_path, output, error
                )
                assert command.stdin is not None
                command.stdin.close()
                assert command.wait(PATIENCE_SECONDS) == 3
            assert (tmp_path / "error").read_text() == f"counterpoise: the disk is full: {FULL}\n"
    zeros.unlink()
    done = counterpoise("sql", NUMBERS, "--out", str(disk / "old.csv"), cwd=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert len((disk / "old.csv").read_text().splitlines()) == 2_001


def test_engines_that_have_no_room_are_refused_in_one_line_and_start_later(disk: Path, tmp_path: Path) -> None:
    command = (
        "--state-dir",
        str(disk / "state"),
        "up",
        "--kafka-port",
        "0",
        "--clickhouse-port",
        "0",
        "--http-port",
        "0",
    )
    zeros = fill(disk)
    refused = counterpoise(*command, cwd=tmp_path)
    assert refused.returncode in (2, 3), refused.stderr
    assert "Traceback" not in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr
    assert "No space left on device" in refused.stderr
    assert records(disk / "state") == []
    zeros.unlink()
    try:
        done = counterpoise(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    finally:
        counterpoise("--state-dir", str(disk / "state"), "down", cwd=tmp_path)
