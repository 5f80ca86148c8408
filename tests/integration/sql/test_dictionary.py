"""docs/tables.md says what the engine says, and nothing is without a word."""

from __future__ import annotations

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.sql_files import sql_files
from desk.data_dictionary import PAGE, dictionary


def test_the_page_is_current(empty: ClickHouse) -> None:
    assert PAGE.read_text(encoding="utf-8") == dictionary(empty), "run make generate"


def test_every_table_view_and_column_has_a_comment(empty: ClickHouse) -> None:
    assert empty.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''") == []
    bare = empty.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' AND table NOT IN "
        "(SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' AND endsWith(name, '_log'))"
    )
    assert bare == []


def test_every_table_says_why_it_is_ordered_so() -> None:
    for path in sql_files("tables"):
        assert "-- ORDER BY: " in path.read_text(encoding="utf-8"), path
