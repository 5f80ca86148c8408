"""The recipes for a server of one's own: the engine's parser takes them, and they grant what the code does and no more.

The embedded server's users may make no roles, so that is as far as it goes here.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.schema import WRITERS, table_writers
from counterpoise.clickhouse.sql_files import split_statements, sql_files
from counterpoise.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
SHARED = {
    "open_dataset": "datasets_log",
    "claim_epoch": "epochs_log",
    "actions.write": "alert_actions_log",
    "ServiceReporter": "services_log",
}
"""Functions of counterpoise.clickhouse and of the alerts' store that insert, and where."""
CODE = {
    "ingest": ("ingest", "desk/cli/run.py"),
    "streams": ("streams", "desk/cli/run.py"),
    "alerts": ("alerts", "desk/cli/run.py"),
    "desk": ("desk/web", "desk/alert_requests.py", "desk/cli/run.py"),
}
"""The code in the process of each service. Commands of the desk run as the user of a service that writes the same tables."""


@pytest.mark.parametrize("path", sql_files("recipes"), ids=lambda path: path.stem)
def test_every_statement_parses(sample: ClickHouse, path: Path) -> None:
    statements = split_statements(path.read_text(encoding="utf-8"))
    assert statements
    for statement in statements:
        [(formatted,)] = sample.query("SELECT formatQuery({text:String})", {"text": statement})
        assert formatted


def granted(role: str) -> set[str]:
    recipe = (ROOT / "sql" / "recipes" / "services.sql").read_text(encoding="utf-8")
    return set(re.findall(rf"^GRANT INSERT ON counterpoise\.(\w+) TO {role};$", recipe, re.MULTILINE))


def sources(service: str) -> list[Path]:
    """The code of a service."""
    places = [ROOT / name for name in CODE[service]]
    return [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))]


def inserted(service: str) -> set[str]:
    """The tables that a service's code inserts into, by its own hand or through a shared function."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources(service))
    own = set(re.findall(r"""\b[Ii]nsert(?:_if)?[,(]\s*"(\w+_log)\"""", code))
    return own | {table for function, table in SHARED.items() if re.search(rf"\b{function}\b", code)}


def declared(writer: str) -> set[str]:
    """The tables whose file names this writer."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sql_files("tables")}
    return {table for table, names in table_writers(texts).items() if writer in names}


@pytest.mark.parametrize("service", CODE)
def test_a_service_may_insert_where_it_does_and_nowhere_else(service: str) -> None:
    assert granted(f"counterpoise_{service}") == inserted(service) == declared(service)


@pytest.mark.parametrize("service", CODE)
def test_a_service_sends_no_statement_that_changes_rows(service: str) -> None:
    """Nobody may: it needs a right to ALTER, waits without end on a full disk, and on a cluster for every server."""
    changes = re.compile(
        r"""["'\s](?:ALTER\s+TABLE|DELETE\s+FROM|TRUNCATE\s+TABLE|OPTIMIZE\s+TABLE|UPDATE\s+\w+\s+SET)\s""",
        re.IGNORECASE,
    )
    assert changes.search('"DELETE FROM blocks_log WHERE 1"')
    assert {str(path): found[0] for path in sources(service) if (found := changes.search(path.read_text()))} == {}


def test_every_stored_table_has_a_file_that_names_its_writers(sample: ClickHouse) -> None:
    stored = {
        name
        for (name,) in sample.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'View'"
        )
    }
    assert stored == set().union(*(declared(writer) for writer in WRITERS))
    assert declared("migrate") == {"migrations_log", "views_log"}


@pytest.mark.parametrize(
    "text", ["-- ORDER BY: x\n", "-- Written by: nobody\n", "-- Written by: streams\n-- Written by: alerts\n"]
)
def test_a_table_that_names_no_writer_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"some_log\.sql: expected one line `-- Written by: …` with some of ingest, "):
        table_writers({"some_log": text})
