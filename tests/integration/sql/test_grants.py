"""The users of compose: the engine enforces the roles of sql/recipes/services.sql."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from counterpoise.clickhouse.schema import read_tables, read_views, table_writers
from counterpoise.clickhouse.sql_files import sql_files

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "sql" / "recipes"
SERVICES = ("ingest", "streams", "alerts", "desk")
ACCESS_DENIED = 497

CHANGES = (
    "TRUNCATE TABLE blocks_log",
    "OPTIMIZE TABLE blocks_log",
    "ALTER TABLE blocks_log DELETE WHERE 1",
    "DELETE FROM blocks_log WHERE 1",
    "DELETE FROM release_chunks_log WHERE 1",
    "ALTER TABLE blocks_log ADD COLUMN more Int8",
    "CREATE TABLE mine (a Int8) ENGINE = Memory",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE DATABASE mine",
    "DROP VIEW blocks",
    "DROP TABLE blocks_log",
    "DROP DATABASE counterpoise",
)


def role_grants() -> dict[str, list[str]]:
    """What the recipe grants each role, without the grantee."""
    text = (RECIPES / "services.sql").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for grant, role in re.findall(r"^(GRANT [^;]+? ON \S+) TO (counterpoise_\w+);$", text, re.MULTILINE):
        found.setdefault(role, []).append(grant)
    return found


def users_xml() -> str:
    roles = "".join(
        f"<{role}><grants>{''.join(f'<query>{escape(grant)}</query>' for grant in grants)}</grants></{role}>"
        for role, grants in role_grants().items()
    )
    return f"""<clickhouse><profiles><default/></profiles><quotas><default/></quotas><roles>{roles}</roles><users><default>
        <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
        <grants><query>GRANT {", ".join(role_grants())}</query></grants></default></users></clickhouse>"""


def plain_views() -> list[str]:
    """Views without parameters."""
    return [view.name for view in read_views() if not re.search(r"\{\w+:\s*\w", view.statement)]


@dataclass(frozen=True)
class Answers:
    """Error codes by role and statement."""

    codes: dict[tuple[str, str], int]

    def of(self, role: str, statement: str) -> int:
        return self.codes[f"counterpoise_{role}", statement]


def insertion(table: str) -> str:
    return f"INSERT INTO {table} SELECT * FROM {table} WHERE 0"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    folder = tmp_path_factory.mktemp("roles")
    (folder / "users.xml").write_text(users_xml())
    config = folder / "config.xml"
    config.write_text(f"<clickhouse><users_config>{folder / 'users.xml'}</users_config></clickhouse>")
    tables, views = read_tables(), read_views()
    migrate = ["CREATE DATABASE IF NOT EXISTS counterpoise ENGINE = Atomic", "USE counterpoise"]
    migrate += [table.statement for table in tables] + [view.statement for view in [*views, *views]]
    migrate += [insertion(table.name) for table in tables]
    steps = [("counterpoise_migrate", statement) for statement in migrate]
    for service in SERVICES:
        asked = [insertion(table.name) for table in tables]
        asked += [f"SELECT * FROM {name} LIMIT 0" for name in plain_views()]
        asked += [*CHANGES, "CREATE TEMPORARY TABLE arriving (a Int8)"]
        steps += [(f"counterpoise_{service}", statement) for statement in asked]
    question = {"config": str(config), "data": str(folder / "data"), "steps": steps}
    program = [sys.executable, str(Path(__file__).with_name("as_roles.py"))]
    done = subprocess.run(program, input=json.dumps(question), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    yield Answers(dict(zip(steps, json.loads(done.stdout)["codes"], strict=True)))


def test_migrate_can_make_the_whole_schema_and_make_each_view_anew(answers: Answers) -> None:
    failed = {statement: code for (role, statement), code in answers.codes.items() if role.endswith("migrate") and code}
    assert failed == {}


@pytest.mark.parametrize("service", SERVICES)
def test_the_engine_lets_a_service_write_its_own_tables_and_no_other(answers: Answers, service: str) -> None:
    """A service's tables are those whose files name it; test_recipes.py compares these with its code."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sql_files("tables")}
    own = {table for table, writers in table_writers(texts).items() if service in writers}
    codes = {table.name: answers.of(service, insertion(table.name)) for table in read_tables()}
    assert codes == {name: 0 if name in own else ACCESS_DENIED for name in codes}
    assert own


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_every_view_and_changes_nothing(answers: Answers, service: str) -> None:
    read = plain_views()
    assert len(read) > 30
    assert {name: answers.of(service, f"SELECT * FROM {name} LIMIT 0") for name in read} == dict.fromkeys(read, 0)
    assert {change: answers.of(service, change) for change in CHANGES} == dict.fromkeys(CHANGES, ACCESS_DENIED)
    temporary = answers.of(service, "CREATE TEMPORARY TABLE arriving (a Int8)")
    assert (temporary == 0) == (service == "alerts")
