"""Statements are routed by their tokens, never by what a quote or a comment contains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.clickhouse import statement_routing
from engines.clickhouse.exceptions import ServerError
from engines.clickhouse.insert_head import InsertHead, parse_insert


def head(sql: str) -> InsertHead:
    found = parse_insert(sql)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sql", "word"),
    [
        ("select 1", "SELECT"),
        ("  -- c\n/* d */ ((SELECT 1))", "SELECT"),
        ("#! x\nWITH 1 AS a SELECT a", "WITH"),
        ("'SELECT'", ""),
        ("", ""),
        ("-- only", ""),
        ("/* never closed SELECT", ""),
        ("/* a /* b */ INSERT */ SELECT 1", "SELECT"),
        ("/* a /* b */ SELECT 1", ""),
    ],
)
def test_first_word(sql: str, word: str) -> None:
    assert statement_routing.first_word(sql) == word


@pytest.mark.parametrize(
    ("sql", "target", "columns", "settings"),
    [
        ("INSERT INTO t VALUES", "t", None, ""),
        ("insert into table db.t format Native", "db.t", None, ""),
        ("INSERT t VALUES", "t", None, ""),
        ("INSERT INTO `d b`.`VALUES` (a, `b)`) VALUES", "`d b`.`VALUES`", "a, `b)`", ""),
        ("INSERT INTO t /* ( */ (* EXCEPT(a)) SETTINGS x = 'VALUES' VALUES", "t", "* EXCEPT(a)", "SETTINGS x = 'VALUES'"),
        ("INSERT INTO FUNCTION null('a UInt8') VALUES", "null('a UInt8')", None, ""),
        ("INSERT INTO FUNCTION remote('h', d, t) (a) VALUES", "remote('h', d, t)", "a", ""),
    ],
)  # fmt: skip
def test_the_head_of_an_insert(sql: str, target: str, columns: str | None, settings: str) -> None:
    found = head(sql)
    assert (found.target, found.columns, found.settings) == (target, columns, settings)
    assert sql[found.data_start :] == ""


def test_inline_data_starts_behind_the_clause() -> None:
    sql = "INSERT INTO t FORMAT CSV\n1,2"
    assert sql[head(sql).data_start :] == "\n1,2"
    assert head(sql).format == "CSV"
    assert head("INSERT INTO t values (1)").format == "Values"


def test_input_is_found_with_its_structure() -> None:
    sql = "INSERT INTO t SELECT lower(a) FROM input('a String') WHERE a != 'input(' FORMAT CSV"
    found = head(sql)
    start, end = found.input_span
    assert (sql[start:end], found.structure, found.format) == ("input('a String')", "'a String'", "CSV")
    assert found.query == "INSERT INTO t SELECT lower(a) FROM input('a String') WHERE a != 'input(' "


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "INSERT INTO t SELECT 1",
        "INSERT INTO t (a) SELECT 1",
        "INSERT INTO t (a",
        "INSERT",
        "INSERT INTO t)",
        "INSERT INTO t FORMAT",
        "INSERT INTO FUNCTION file('f') PARTITION BY a VALUES",
        "INSERT INTO FUNCTION file VALUES",
        "INSERT INTO t (a) (SELECT 1)",
        "INSERT INTO t (a) b VALUES",
        "INSERT INTO t SETTINGS x = 1",
        "INSERT INTO t. VALUES",
        "INSERT INTO t WITH 1 AS x SELECT x",
        "",
    ],
)
def test_what_is_no_insert_with_data(sql: str) -> None:
    assert parse_insert(sql) is None


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("'a'", "a"),
        (r"'it\'s'", "it's"),
        (r"'a\\tb'", r"a\tb"),
        (r"'\x41\n'", "A\n"),
        ("5", "5"),
        ("'", "'"),
    ],
)
def test_parameters_lose_one_layer_of_quotes(literal: str, text: str) -> None:
    assert statement_routing.unquote_parameter(literal) == text


@given(st.text())
def test_an_identifier_survives_quoting(name: str) -> None:
    assert statement_routing.unquote_identifier(statement_routing.quote_identifier(name)) == name


@given(st.text(alphabet="SELECTINRFOMAV '\"`();,-/*#$\\\n", max_size=80))
def test_no_text_makes_the_lexer_fail_or_lose_a_character(sql: str) -> None:
    covered = list(statement_routing.tokens(sql))
    assert all(sql[token.start : token.end] == token.text for token in covered)
    statement_routing.first_word(sql)
    parse_insert("INSERT INTO t " + sql)


def test_split_list_minds_brackets_and_quotes() -> None:
    assert statement_routing.split_list("a, f(b, c), 'x,(y', `d,e`,") == ["a", "f(b, c)", "'x,(y'", "`d,e`"]


def test_deep_nesting_is_refused_wherever_it_hides() -> None:
    limit = statement_routing.MAX_NESTING
    deep = "[(" * limit + "1" + ",1]" * limit
    for sql in (f"SELECT {deep}", "SELECT ')' " * 400 + deep, f"SELECT 1 /* {')' * 999} */, {deep}", "-(" * 100_000):
        with pytest.raises(ServerError, match=f"more than {limit} deep"):
            statement_routing.refuse_unreadable(sql)
    for sql in (
        "(" * limit + ")" * limit,
        "()" * 10_000,
        f"SELECT '{deep}'",
        f"SELECT 1 /* /* */ {deep} */",
        f"$${deep}$$",
    ):
        statement_routing.refuse_unreadable(sql)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ServerError, match="not UTF-8"):
        statement_routing.refuse_unreadable(b"SELECT '\xff'".decode("utf-8", "surrogateescape"))
