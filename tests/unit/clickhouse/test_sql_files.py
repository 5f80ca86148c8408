"""The SQL files: numbering, splitting, headers. The engine itself parses them in tests/contract/sql."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from counterpoise.clickhouse.migrations import read_migrations
from counterpoise.clickhouse.schema import Definition, ordered_views, read_tables, read_views
from counterpoise.clickhouse.sql_files import split_statements, sql_files, sql_root
from counterpoise.errors import ConfigError
from desk.generate import generated, stale
from desk.named_queries import named_queries, named_query, parse_query


def test_statements_are_cut_outside_quotes_and_comments() -> None:
    text = "-- a; comment\nSELECT ';', `a;b` /* c;d */;\n\n;SELECT 'it''s', 'a\\';'; -- the end;"
    assert split_statements(text) == ["-- a; comment\nSELECT ';', `a;b` /* c;d */", "SELECT 'it''s', 'a\\';'"]
    assert split_statements("-- nothing\n") == []


def test_migrations_are_numbered_without_gaps() -> None:
    found = read_migrations()
    assert [migration.number for migration in found] == list(range(11, 11 + len(found)))
    assert all(migration.statements for migration in found)


REPEATABLE = re.compile(
    "CREATE TABLE IF NOT EXISTS |CREATE OR REPLACE VIEW |DROP (TABLE|VIEW) IF EXISTS "
    r"|ALTER TABLE \w+\s+(ADD (COLUMN|INDEX) IF NOT EXISTS|MATERIALIZE INDEX|"
    r"(DROP|MODIFY|COMMENT|RENAME) COLUMN IF EXISTS|MODIFY COMMENT) "
)


def test_every_statement_of_a_migration_may_run_twice() -> None:
    for migration in read_migrations():
        for statement in migration.statements:
            body = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
            assert REPEATABLE.match(body.strip()), (migration.title, body[:60])


@pytest.mark.parametrize(
    ("names", "message"), [(["1_a.sql"], "named NNNN"), (["0011_a.sql", "0013_b.sql"], "without gap")]
)
def test_misnamed_migrations_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(ConfigError, match=message):
        read_migrations([tmp_path / name for name in names])


def test_a_file_of_a_table_or_view_holds_one_statement_of_its_name(tmp_path: Path) -> None:
    for text in ("CREATE TABLE IF NOT EXISTS other\n(\n)", "CREATE TABLE IF NOT EXISTS t\n(\n);\nSELECT 1", "SELECT 1"):
        (tmp_path / "t.sql").write_text(text)
        with pytest.raises(ConfigError, match="a file holds one statement, the one that creates t"):
            read_tables([tmp_path / "t.sql"])


def test_views_come_after_those_that_they_read_from_and_change_with_them() -> None:
    order = [view.name for view in read_views()]
    assert order.index("blocks_canonical_log") < order.index("blocks") < order.index("share_history")
    texts = {"a": "SELECT 1", "b": "SELECT * FROM a", "c": "SELECT * FROM (SELECT 1) JOIN b"}
    before, after = (
        {view.name: view.sha256 for view in ordered_views([Definition(*item) for item in (texts | change).items()])}
        for change in ({}, {"b": "SELECT 2 FROM a"})
    )
    assert before["a"] == after["a"] and before["b"] != after["b"] and before["c"] != after["c"]
    with pytest.raises(ConfigError, match="views read each other in a circle: a → c → b → a"):
        ordered_views([Definition(*item) for item in (texts | {"a": "SELECT * FROM c"}).items()])


def test_generated_files_are_what_the_specs_say() -> None:
    assert stale(generated()) == []


def test_every_named_query_parses_and_says_how_to_call_it() -> None:
    queries = named_queries()
    assert set(queries) == {path.stem for path in sql_files("queries")}
    assert len(queries) >= 15
    for query in queries.values():
        assert query.example.startswith(f"counterpoise sql --name {query.name}")
        assert len(split_statements(query.sql)) == 1


def test_parameters_are_bound_over_their_defaults() -> None:
    query = named_query("top4_breaches")
    assert query.bind({"line": "0.8"}) == {"chain": "bitcoin", "view": "raw", "window": "1008", "line": "0.8"}
    with pytest.raises(ConfigError, match="has no parameter 'colour': it takes chain, view, window, line"):
        query.bind({"colour": "red"})
    for line in ("nan", "inf", "much"):
        with pytest.raises(ConfigError, match=f"--param line is '{line}', expected a finite number"):
            query.bind({"line": line})
    assert named_query("reproduce_alert").bind({"sequence": "2"}) == {"alert": "", "sequence": "2"}
    with pytest.raises(ConfigError, match="no query named 'x' among alert_history, "):
        named_query("x")


def test_a_parameter_without_a_default_must_be_given(tmp_path: Path) -> None:
    path = tmp_path / "q.sql"
    path.write_text("-- name: q\n-- description: d\n-- example: e\n-- param a UInt8 | which\nSELECT {a:UInt8}")
    query = parse_query(path)
    assert query.bind({"a": "1"}) == {"a": "1"}
    with pytest.raises(ConfigError, match=r"needs --param a=… \(UInt8: which\)"):
        query.bind({})


def test_a_default_may_be_empty() -> None:
    assert named_query("alert_history").bind({})["rule"] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- name: q\n-- description: d\nSELECT 1", "lacks \\['example'\\]"),
        ("-- name: other\n-- description: d\n-- example: e\nSELECT 1", "its name is not 'q'"),
        ("-- name: q\n-- description: d\n-- example: e\n-- param a UInt8 = 1 | x\nSELECT 1", "differ in parameters"),
        ("-- name: q\n-- description: d\n-- example: e\n-- hello\nSELECT 1", "not a line of a query's header"),
    ],
)
def test_headers_that_do_not_fit_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "q.sql"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        parse_query(path)


def test_the_files_are_found_in_a_checkout() -> None:
    assert (sql_root() / "recipes").is_dir()
