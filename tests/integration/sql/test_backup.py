"""`counterpoise backup` and `restore`: on a server, and on the embedded engine whose disk was lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.schema import read_tables, read_views
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from engines.stack import data_dir, down
from testkit.ports import reserved_port
from tests.engines import ClickHouseServer
from tests.integration.runtime.cli import counterpoise
from tests.integration.sql.sample import insert_all
from tests.runbook import assert_shown

Said = tuple[int, str, str]

CLAIMED_ANEW = "epochs_log"


class Desk:
    """Commands on the sample, and what its database holds."""

    def __init__(self, server: ClickHouseServer, ch: ClickHouse, folder: Path) -> None:
        self.server, self.ch, self.folder = server, ch, folder
        self.state_dir = folder / "state"
        self.backups = server.directory / "data-backups"

    def run(self, *arguments: str, dataset: str = "") -> Said:
        environment = {
            "COUNTERPOISE_STATE_DIR": str(self.state_dir),
            "COUNTERPOISE_DATASET": dataset or self.ch.database,
            "COUNTERPOISE_DATASET_KIND": "simulated",
            "COUNTERPOISE_CLICKHOUSE__HOST": "127.0.0.1",
            "COUNTERPOISE_CLICKHOUSE__PORT": str(self.server.port),
            "COUNTERPOISE_CLICKHOUSE__PASSWORD_FILE": str(self.server.password_file),
        }
        done = counterpoise(*arguments, cwd=self.folder, environment=environment)
        return done.returncode, done.stdout, done.stderr

    def refused(self, *arguments: str, dataset: str = "") -> str:
        """The one line of a command that changes nothing."""
        before = rows(self.ch)
        code, out, err = self.run(*arguments, dataset=dataset)
        said = [line for line in err.splitlines() if line.startswith("counterpoise: ")]
        assert (code, out, len(said), "Traceback" in err) == (2, "", 1, False), err
        assert rows(self.ch) == before
        return said[0]


def rows(ch: ClickHouse) -> dict[str, tuple[int, int]]:
    """Number and hash of the rows of every table."""
    tables = [table.name for table in read_tables() if table.name != CLAIMED_ANEW]
    one = "SELECT '{0}', count(), groupBitXor(sipHash64(*)) FROM {0} FINAL"
    return {name: (n, digest) for name, n, digest in ch.query(" UNION ALL ".join(one.format(name) for name in tables))}


@pytest.fixture
def desk(clickhouse: ClickHouseServer, own_sample: ClickHouse, tmp_path: Path) -> Iterator[Desk]:
    found = Desk(clickhouse, own_sample, tmp_path)
    yield found
    for made in found.backups.glob(f"{own_sample.database}*"):
        shutil.rmtree(made)


def test_what_was_lost_is_there_again(desk: Desk) -> None:
    ch, name = desk.ch, f"{desk.ch.database}-a"
    before = rows(ch)
    assert sum(count for count, _ in before.values()) > 500
    epochs = ch.query("SELECT role, max(epoch) FROM epochs_log GROUP BY role ORDER BY role")
    code, out, err = desk.run("backup", name)
    assert (code, err) == (0, "")
    assert out.endswith(f"\ncounterpoise restore {name}\n") and f"{name} below backups.allowed_path" in out
    ch.execute(f"DROP DATABASE {ch.database} SYNC")

    code, out, err = desk.run("restore", name)
    assert code == 0, err
    assert "next       counterpoise migrate, then start the services" in out and " to height " in out
    ch.close()
    assert rows(ch) == before
    views = {
        row[0]
        for row in ch.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'")
    }
    assert views == {view.name for view in read_views()}
    assert ch.query("SELECT role, max(epoch) - 1 FROM epochs_log GROUP BY role ORDER BY role") == epochs
    assert desk.run("migrate", "--check")[:2] == (0, f"{ch.database}: up to date\n")


def test_a_database_that_is_there_is_kept_beside(desk: Desk) -> None:
    ch = desk.ch
    code, out, err = desk.run("backup", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["backup"].startswith(f"{ch.database}-20") and told["folder"] is None and told["files"] > 50
    before = rows(ch)
    ch.execute("INSERT INTO blocks_log SELECT * REPLACE (height + 1000000 AS height) FROM blocks_log LIMIT 1")
    changed = rows(ch)
    assert changed != before
    assert "holds tables, and a restore replaces none: rename it with --set-aside" in desk.refused(
        "restore", told["backup"]
    )

    code, out, err = desk.run("restore", told["backup"], "--set-aside")
    assert code == 0, err
    [kept] = [word for word in out.split() if word.startswith(f"{ch.database}_before_")][:1]
    kept = kept.rstrip(";")
    ch.close()
    assert rows(ch) == before
    with connect(desk.server.target, kept) as old:
        assert rows(old) == changed
        old.execute(f"DROP DATABASE {kept} SYNC")


def test_a_copy_beside_has_a_mark_of_its_own(desk: Desk) -> None:
    ch, other, name = desk.ch, f"{desk.ch.database}_look", f"{desk.ch.database}-c"
    assert desk.run("backup", name)[0] == 0
    code, _, err = desk.run("restore", name, "--of", ch.database, dataset=other)
    assert code == 0, err
    with connect(desk.server.target, other) as copy:
        assert copy.query("SELECT DISTINCT name, kind FROM datasets_log") == [(other, "simulated")]
        assert {n: r for n, r in rows(copy).items() if n != "datasets_log"} == {
            n: r for n, r in rows(ch).items() if n != "datasets_log"
        }
        assert copy.query("SELECT count() FROM blocks") == ch.query("SELECT count() FROM blocks")
        ch.execute("TRUNCATE TABLE blocks_log")
        assert copy.query("SELECT count() > 0 FROM blocks") == [(True,)], "the copy's views read the copy"
        copy.execute(f"DROP DATABASE {other} SYNC")


def test_mistakes_are_one_line_and_change_nothing(desk: Desk) -> None:
    name = f"{desk.ch.database}-d"
    assert desk.run("backup", name)[0] == 0
    assert "exists already on 127.0.0.1:" in desk.refused("backup", name)
    for wrong in ("../elsewhere", "a/b", "x') ASYNC --", "", ".hidden", "a..b"):
        assert "is no name of a backup: expected letters" in desk.refused("backup", wrong)
        assert "is no name of a backup: expected letters" in desk.refused("restore", wrong)
    for wrong in ("a` AS b", "a.b", "é", "a;b"):
        assert "is no name of a dataset: expected letters" in desk.refused("restore", "x", "--of", wrong)
    assert "there is no backup 'never-made' on 127.0.0.1:" in desk.refused("restore", "never-made", "--set-aside")
    assert "does not exist" in desk.refused("backup", name + "-2", dataset=f"{desk.ch.database}_none")
    assert "counterpoise: " in desk.refused("restore", name, "--of", "another_one", dataset=f"{desk.ch.database}_none")

    with ServiceStatus("streams", desk.state_dir / "run" / desk.ch.database, SystemClock()) as status:
        status.working()
        status.flush()
        said = desk.refused("restore", name, "--set-aside")
        assert f"streams of dataset {desk.ch.database} run" in said and "stop `counterpoise run` first" in said
        assert desk.run("backup", name + "-3")[0] == 0, "a backup needs no stop"


def test_a_backup_with_a_part_that_is_damaged_leaves_the_database_as_it_was(desk: Desk) -> None:
    name = f"{desk.ch.database}-e"
    assert desk.run("backup", name)[0] == 0
    largest = max((desk.backups / name).rglob("*.bin"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    assert f"counterpoise: backup '{name}' on 127.0.0.1:" in desk.refused("restore", name, "--set-aside")
    others = desk.ch.query(f"SHOW DATABASES LIKE '{desk.ch.database}%'")
    assert others == [(desk.ch.database,)]


def test_an_embedded_engine_whose_disk_was_lost(state_dir: Path) -> None:
    """The whole way of docs/runbook.md: backup, another place for it, an empty engine, restore."""
    ports = ("--kafka-port", "--clickhouse-port", "--http-port")
    up = ("up", *(word for option in ports for word in (option, str(reserved_port()))))

    def run(*arguments: str) -> Said:
        done = counterpoise("--state-dir", str(state_dir), *arguments, cwd=Path(__file__).parent)
        return done.returncode, done.stdout, done.stderr

    try:
        assert run(*up)[0] == 0
        assert run("migrate", "--clickhouse-only")[0] == 0
        settings = Settings.load(state_dir=state_dir)
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            insert_all(ch, 100)
            before = rows(ch)
        code, out, err = run("backup", "--json")
        assert code == 0, err
        folder = Path(json.loads(out)["folder"])
        elsewhere = state_dir.parent / folder.name
        shutil.copytree(folder, elsewhere)

        assert run("down")[0] == 0
        shutil.rmtree(data_dir(state_dir))
        shutil.rmtree(folder.parent)
        assert run(*up)[0] == 0
        assert_shown("The data of ClickHouse is lost", run("status")[1])
        assert "there is no backup" in run("restore", folder.name)[2]
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(elsewhere, folder)
        code, out, err = run("restore", folder.name)
        assert code == 0, err
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            assert rows(ch) == before
    finally:
        down(state_dir)
