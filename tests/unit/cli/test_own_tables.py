"""Files of a user's as tables: types, limits, and one line for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import ConfigError
from desk.cli import own_tables
from desk.cli.own_tables import described
from desk.cli.own_tables import own_tables as read


def table_of(path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    [table] = read([f"t={path}"])
    return table


def test_types_of_csv(tmp_path: Path) -> None:
    table = table_of(
        tmp_path / "t.csv",
        b"day,at,usd,n,ok,text,none,clock\n"
        b"2024-01-01,2024-01-01T00:00:00Z,1.5,1,true,=1,,12:30:00\n"
        b"2024-01-02,2024-01-01T00:00:01Z,,2,false,,,12:30:01\n",
    )
    assert table.structure == (
        ("day", "Date32"),
        ("at", "DateTime64(0, 'UTC')"),
        ("usd", "Nullable(Float64)"),
        ("n", "Int64"),
        ("ok", "Bool"),
        ("text", "String"),
        ("none", "Nullable(String)"),
        ("clock", "String"),
    )
    assert described([table]).splitlines()[:2] == ["t: 2 rows", "    day  Date32"]


def test_types_of_json_lines(tmp_path: Path) -> None:
    table = table_of(tmp_path / "t.jsonl", b'\xef\xbb\xbf{"a": 1, "b": "x"}\n\n{"a": 2.5, "c": true}\n')
    assert table.structure == (("a", "Float64"), ("b", "Nullable(String)"), ("c", "Nullable(Bool)"))
    assert table.rows == 2


def test_types_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table(
            {
                "u": pa.array([1], pa.uint16()),
                "d": pa.array(["a"]).dictionary_encode(),
                "b": pa.array([b"\xff"], pa.binary()),
                "s": pa.array([None], pa.decimal128(9, 2)),
                "f": pa.array([1.0], pa.float32()),
                "t": pa.array([1], pa.timestamp("ns")),
            }
        ),
        path,
    )
    [table] = read([f"t={path}"])
    assert [type_ for _, type_ in table.structure] == [
        *("UInt16", "String", "String", "Nullable(Decimal(9, 2))", "Float32", "DateTime64(9, 'UTC')")
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.txt", b"a\n1\n", "the ending of the name selects no format: use .csv, .tsv, .jsonl, .ndjson, .parquet"),
        ("t.csv", b"", "Empty CSV file"),
        ("t.csv", b"a,a\n1,2\n", "two columns have the name 'a'"),
        ("t.csv", b",b\n1,2\n", "column '' has no usable name"),
        ("t.csv", b"a\x1b[2J\n1\n", "column 'a\\x1b[2J' has no usable name"),
        ("t.csv", b"a,b\n1\n", "CSV parse error: Row #2: Expected 2 columns, got 1: 1"),
        ("t.csv", b"a," * 2_000 + b"\n", "more than 1000 columns"),
        ("t.jsonl", b"[1]\n", "line 1: expected a JSON object on each line"),
        ("t.jsonl", b'{"a": 1}\n{"a": "x"}\n', "column a: values of different kinds"),
        ("t.jsonl", b'{"a": [1]}\n', "column 'a': type list<item: int64>: take plain values, one per cell"),
        ("t.jsonl", b"", "0 columns, expected 1 to 1000"),
        ("t.parquet", b"PAR1", "Parquet file size is 4 bytes"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read([f"t={path}"])
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given_pairs", "said"),
    [
        (["price.csv"], "--with takes NAME=FILE, where NAME is a plain name of a table, not 'price.csv'"),
        (["a b=x.csv"], "--with takes NAME=FILE, where NAME is a plain name of a table, not 'a b=x.csv'"),
        (["t=/nowhere/x.csv"], "/nowhere/x.csv: no such file"),
        (["t=/dev.csv"], "/dev.csv: no such file"),
    ],
)
def test_mistakes_in_the_option(given_pairs: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(given_pairs)
    assert str(caught.value) == said


def test_a_name_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(ConfigError, match="--with names the table t twice"):
        read([f"t={tmp_path}/a.csv"] * 2)


@pytest.mark.parametrize("depth", [300, 400_000])
def test_deep_nesting_is_one_line(tmp_path: Path, depth: int) -> None:
    """Arrow's own reader of JSON ends the process at the larger of these."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a":' + b"[" * depth + b"]" * depth + b"}\n")
    with pytest.raises(ConfigError, match="line 1: not JSON: recursion limit exceeded"):
        read([f"t={path}"])


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n" + b"1234567\n" * 1_000)
    monkeypatch.setattr(own_tables, "MAX_TABLE_BYTES", 10_000)
    with pytest.raises(ConfigError, match="MiB in memory"):
        read([f"t={path}", f"u={path}"])
    monkeypatch.setattr(own_tables, "MAX_FILE_BYTES", 1_000)
    with pytest.raises(ConfigError, match="MiB: load it into a table with --write instead"):
        read([f"t={path}"])
    monkeypatch.undo()
    monkeypatch.setattr(own_tables, "MAX_CELLS", 1_000)
    wide = tmp_path / "t.jsonl"
    wide.write_bytes(json.dumps({f"c{n}": 1 for n in range(100)}).encode() + b"\n{}" * 20)
    with pytest.raises(ConfigError, match="line 11: more than 1000 cells"):
        read([f"t={wide}"])


def test_a_small_parquet_file_with_a_large_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": pa.array(["x" * 1_000] * 100_000).dictionary_encode()}), path)
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(own_tables, "MAX_TABLE_BYTES", 10 << 20)
    with pytest.raises(ConfigError, match="MiB in memory"):
        read([f"t={path}"])


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]))
def test_any_bytes_are_a_table_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes, end: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{end}"
    path.write_bytes(content)
    try:
        [table] = read([f"t={path}"])
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert all(len(columns) == len(table.structure) for columns in table.blocks())
