"""`counterpoise backup` and `restore`: on a server, and on the embedded engine whose disk was lost."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoise.clickhouse import backups
from counterpoise.clickhouse.backups import back_up
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.migrations import migrate
from counterpoise.clickhouse.schema import read_tables, read_views
from counterpoise.contracts.datasets import Dataset
from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.crash_points import POINTS
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

RUNBOOK = Path(__file__).resolve().parents[3] / "docs" / "runbook.md"

CLAIMED_ANEW = "epochs_log"


class Desk:
    """Commands on the sample, and what its database holds."""

    def __init__(self, server: ClickHouseServer, ch: ClickHouse, folder: Path) -> None:
        self.server, self.ch, self.folder = server, ch, folder
        self.state_dir = folder / "state"
        self.backups = server.directory / "data-backups"

    def run(self, *arguments: str, dataset: str = "", crash: str = "") -> Said:
        environment = {
            **({"COUNTERPOISE_CRASH_POINT": crash} if crash else {}),
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


FORWARD = tuple(point for point in POINTS if point.startswith("restore-after-"))
UNDO = tuple(point for point in POINTS if point.startswith("restore-undo-"))
WHOLE = ("restore-after-create", "restore-after-end")
"""Killed there, a restore is not begun, or over: the database is whole."""


def test_a_restore_that_is_killed_at_any_place_loses_nothing_and_goes_on(desk: Desk) -> None:
    """The line that it printed is the next command, so do `migrate`, a service and `backup` say; that command then does all of it."""
    ch, name = desk.ch, f"{desk.ch.database}-f"
    ch.execute(f"ALTER DATABASE {ch.database} MODIFY COMMENT 'ours'")
    assert desk.run("backup", name)[0] == 0
    backed_up = rows(ch)
    assert len(FORWARD) > 8
    for point in FORWARD:
        ch.execute("INSERT INTO blocks_log SELECT * REPLACE (height + 1000000 AS height) FROM blocks_log LIMIT 1")
        changed = rows(ch)
        code, out, err = desk.run("restore", name, "--set-aside", crash=point)
        if point in ("restore-after-truncate",):
            assert code == 0, "only a copy under another name has that step"
        else:
            assert code == -signal.SIGKILL and f"crash point {point} reached" in err
            assert_whole_or_said(desk, err, changed, whole=point in WHOLE)
        kept = re.search(r"is kept as (\w+); if", err)
        assert kept
        ch.close()
        if point in ("restore-after-truncate", "restore-after-end"):
            assert rows(ch) == backed_up and rows_of(desk, kept[1]) == changed
        else:
            again = re.search(r"run `counterpoise (.+)` again", err)
            assert again and kept[1] == kept[1].lower()
            code, out, err = desk.run(*again[1].split())
            assert code == 0, err
            kept = re.search(r"the database of before is (\w+);", out)
            assert kept and rows(ch) == backed_up and rows_of(desk, kept[1]) == changed
        ch.execute(f"DROP DATABASE {kept[1]} SYNC")
        assert databases(desk) == [ch.database]


def assert_whole_or_said(desk: Desk, err: str, before: dict[str, tuple[int, int]], *, whole: bool) -> None:
    """After a kill: the database of before is there under one of two names, and commands name the next one where it is not whole."""
    kept = re.search(r"is kept as (\w+); if", err)
    again = re.search(r"run `(.+)` again", err)
    assert kept and again
    there = databases(desk)
    assert before in [rows_of(desk, name) for name in there if name in (desk.ch.database, kept[1])]
    commands = [("migrate", "--clickhouse-only"), ("backup",)]
    commands += [("market", "load", "figures")] if desk.ch.database in there else []
    for command in () if whole else commands:
        code, _, said = desk.run(*command)
        assert (
            code == 2 and f"is not over, and the database of before is kept as {kept[1]}. Run {again[0][4:]}" in said
        ), said
    assert databases(desk) == there


def rows_of(desk: Desk, database: str) -> dict[str, tuple[int, int]] | None:
    """The same of another database; None where it lacks a table."""
    with connect(desk.server.target, database) as ch:
        try:
            return rows(ch)
        except ConfigError:
            return None


def databases(desk: Desk) -> list[str]:
    names = desk.ch.query(
        f"SELECT name FROM system.databases WHERE startsWith(name, '{desk.ch.database}') ORDER BY name"
    )
    return [name for (name,) in names]


@pytest.mark.parametrize("point", UNDO)
def test_an_undo_that_is_killed_goes_on(desk: Desk, point: str) -> None:
    ch, name = desk.ch, f"{desk.ch.database}-g"
    assert desk.run("backup", name)[0] == 0
    ch.execute("INSERT INTO blocks_log SELECT * REPLACE (height + 1000000 AS height) FROM blocks_log LIMIT 1")
    changed = rows(ch)
    assert desk.run("restore", name, "--set-aside", crash="restore-after-start")[0] == -signal.SIGKILL
    assert desk.run("restore", name, crash=point)[0] == -signal.SIGKILL
    ch.close()
    assert "holds tables, and a restore replaces none" in desk.run("restore", name)[2]
    assert rows(ch) == changed, "without --set-aside the database of before has its name again"
    assert databases(desk) == [ch.database]


def test_a_copy_whose_restore_was_killed_is_made_by_the_same_command(desk: Desk) -> None:
    ch, other, name = desk.ch, f"{desk.ch.database}_look", f"{desk.ch.database}-h"
    assert desk.run("backup", name)[0] == 0
    code, _, err = desk.run("restore", name, "--of", ch.database, dataset=other, crash="restore-after-truncate")
    again = re.search(r"run `counterpoise (.+)` again", err)
    assert code == -signal.SIGKILL and again
    said = desk.run("migrate", "--clickhouse-only", dataset=other)[2]
    assert_shown("A restore was stopped", said)
    assert "and there was none before" in said
    code, _, err = desk.run(*again[1].split())
    assert code == 0, err
    with connect(desk.server.target, other) as copy:
        assert copy.query("SELECT DISTINCT name, kind FROM datasets_log") == [(other, "simulated")]
        copy.execute(f"DROP DATABASE {other} SYNC")
    assert databases(desk) == [ch.database]


def test_a_database_of_the_name_that_a_restore_needs_is_not_touched(desk: Desk) -> None:
    ch, name = desk.ch, f"{desk.ch.database}-i"
    assert desk.run("backup", name)[0] == 0
    ch.execute(f"CREATE DATABASE {ch.database}_restoring")
    ch.execute(f"CREATE TABLE {ch.database}_restoring.mine (a Int8) ENGINE = Memory")
    said = desk.refused("restore", name, "--set-aside")
    assert f"database '{ch.database}_restoring'" in said and "a restore needs its name: rename it" in said
    assert databases(desk) == [ch.database, f"{ch.database}_restoring"]
    ch.execute(f"DROP DATABASE {ch.database}_restoring SYNC")


def test_the_rights_that_the_runbook_names_suffice(
    own_sample: ClickHouse, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every statement of a backup and a restore, run again by the engine under a role that has these rights only."""
    sent: list[str] = []

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def note(self: ClickHouse, sql: str, *more: Any, **named: Any) -> Any:
            if sql.startswith(("BACKUP", "RESTORE", "RENAME", "CREATE", "DROP", "TRUNCATE")):
                of = f"TABLE `{self.database}`."
                sent.append(re.sub(r"TABLE (?=restore_not_over|datasets_log)", of, sql).removesuffix(" ASYNC"))
            return real(self, sql, *more, **named)

        return note

    for method in ("query", "execute"):
        monkeypatch.setattr(ClickHouse, method, noting(getattr(ClickHouse, method)))
    name, other = own_sample.database, Dataset(f"{own_sample.database}_other", "simulated")
    with connect(clickhouse.target, "") as server:
        back_up(server, name, f"{name}-r")
        for of in (name, other.name):
            if of == other.name:
                back_up(server, of, f"{name}-s")
            backups.restore(server, other, f"{name}-{'r' if of == name else 's'}", of=of, set_aside=f"{name}_kept")
        monkeypatch.undo()
        for made in (other.name, f"{name}_kept"):
            server.execute(f"DROP DATABASE {made} SYNC")
    for written in (clickhouse.directory / "data-backups").glob(f"{name}*"):
        shutil.rmtree(written)
    kinds = {statement.split()[0] for statement in sent}
    assert kinds == {"BACKUP", "RESTORE", "RENAME", "CREATE", "DROP", "TRUNCATE"}
    [named] = re.findall(r"Both commands need a user with the rights ([^.]+)\.", RUNBOOK.read_text(encoding="utf-8"))
    rights, also = named.replace("\n", " ").split(
        " on `DATASET`, `DATASET_restoring` and `DATASET_before_*`, and with "
    )
    grants = [f"GRANT {', '.join(re.findall(r'`([A-Z ]+)`', rights))} ON *.*", also.strip("`")]
    statements = [*made_before(name), *sent]
    assert codes_under(grants, statements, tmp_path / "all") == {}
    less = [grants[0].replace(", TRUNCATE", ""), grants[1]]
    refused = codes_under(less, statements, tmp_path / "less")
    assert {statement.split()[0] for statement in refused} == {"TRUNCATE"}


def made_before(name: str) -> list[str]:
    """A small database of the name, for a role that may make one."""
    return [
        f"CREATE DATABASE {name} ENGINE = Atomic",
        f"CREATE TABLE {name}.datasets_log (a Int8) ENGINE = MergeTree ORDER BY a",
        f"INSERT INTO {name}.datasets_log VALUES (1)",
        f"CREATE VIEW {name}.some AS SELECT a FROM {name}.datasets_log",
    ]


def codes_under(grants: list[str], statements: list[str], folder: Path) -> dict[str, int]:
    """Error codes by statement of those that fail."""
    folder.mkdir(exist_ok=True)
    (folder / "users.xml").write_text(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas>"
        f"<roles><restorer><grants>{''.join(f'<query>{grant}</query>' for grant in grants)}</grants></restorer></roles>"
        "<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>"
        "<quota>default</quota><grants><query>GRANT restorer</query></grants></default></users></clickhouse>"
    )
    (folder / "config.xml").write_text(
        f"<clickhouse><users_config>{folder / 'users.xml'}</users_config>"
        f"<backups><allowed_path>{folder / 'backups'}</allowed_path></backups></clickhouse>"
    )
    steps = [("restorer", statement) for statement in statements]
    question = {"config": str(folder / "config.xml"), "data": str(folder / "data"), "steps": steps}
    program = [sys.executable, str(Path(__file__).with_name("as_roles.py"))]
    done = subprocess.run(program, input=json.dumps(question), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)["codes"]
    return {statement: code for statement, code in zip(statements, codes, strict=True) if code}


def test_a_server_that_is_lost_amid_a_restore(
    own_clickhouse: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one line names where the old database is and the next command, and that command works once the server is back."""
    dataset, name, kept = Dataset("lost", "simulated"), "amid", "lost_before_x"
    migrate(own_clickhouse.target, dataset)
    with connect(own_clickhouse.target, dataset.name) as ch, connect(own_clickhouse.target, "") as server:
        insert_all(ch, 10)
        before = rows(ch)
        back_up(server, dataset.name, name)
        for point in ("restore-after-aside", "restore-after-start"):
            with monkeypatch.context() as patched:
                patched.setattr(
                    backups, "crash_point", lambda at, lost=point: own_clickhouse.kill() if at == lost else None
                )
                with pytest.raises(RetryableError) as lost:
                    backups.restore(server, dataset, name, of=dataset.name, set_aside=kept)
            assert str(lost.value).endswith(
                f"When the server answers: database 'lost' is not whole: the restore of backup 'amid' is not over, and the database "
                f"of before is kept as {kept}. Run `counterpoise --dataset lost --dataset-kind simulated restore amid "
                f"--set-aside` again"
            )
            own_clickhouse.restart()
            backups.restore(server, dataset, name, of=dataset.name, set_aside=f"{kept}_2")
            assert rows(ch) == before
            server.execute(f"DROP DATABASE {kept}_2 SYNC")


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
