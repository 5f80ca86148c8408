"""HTTP answers that come in pieces: together they are what the engine writes in one go."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pyarrow as pa
import pytest

from tests.contract.engine_clickhouse.conftest import READER_PASSWORD, Server
from tests.contract.engine_clickhouse.test_http import Http

READER = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": READER_PASSWORD}
PLAIN = ["TSV", "CSV", "JSONEachRow", "Native", "RowBinary", "JSONCompactEachRow"]
HEADED = [
    *("CSVWithNames", "CSVWithNamesAndTypes", "TSVWithNames", "TabSeparatedWithNamesAndTypes"),
    *(
        "JSONCompactEachRowWithNames",
        "JSONCompactEachRowWithNamesAndTypes",
        "JSONCompactStringsEachRowWithNamesAndTypes",
    ),
    *("RowBinaryWithNames", "RowBinaryWithNamesAndTypes"),
]
JSON = ["JSON", "JSONCompact", "JSONStrings", "JSONCompactStrings"]
# Names and values with all that ends a line, a string or a list elsewhere.
AWKWARD = r"""
    SELECT number AS `n`, concat('a\n\t],\n\n\t"rows": 7,\r\n"', toString(number), '\'),(,') AS `\n\t"data":\n\t[\n`,
        [number, 2] AS `x,"y"\n`, if(number % 3 = 0, NULL, toLowCardinality(toString(number % 5))) AS `\\'`
    FROM numbers(100)
"""
_STATISTICS = re.compile(rb'"elapsed": [0-9.e-]+')


def answer(server: Server, sql: str, block_rows: int, **settings: Any) -> bytes:
    settings["max_block_size"] = block_rows
    return _STATISTICS.sub(b"", Http(server).bytes(sql, headers=READER, **settings))


@pytest.mark.parametrize("output_format", [*HEADED, *JSON, "Values", "ArrowStream"])
def test_in_one_piece_and_in_many(server: Server, output_format: str) -> None:
    sql = f"{AWKWARD} FORMAT {output_format}"
    one, many = (answer(server, sql, rows) for rows in (1000, 7))
    if output_format == "ArrowStream":
        tables = [pa.ipc.open_stream(io.BytesIO(data)).read_all() for data in (one, many)]
        assert tables[0].equals(tables[1])
        assert tables[0].num_rows == 100
    else:
        assert one == many
    assert len(one) > 1000


@pytest.mark.parametrize("output_format", JSON)
def test_json_is_what_the_engine_writes_whole(server: Server, output_format: str) -> None:
    """A LIMIT makes the server write it whole."""
    streamed = answer(server, f"{AWKWARD} FORMAT {output_format}", 7)
    whole = answer(server, f"{AWKWARD} LIMIT 100 FORMAT {output_format}", 7)
    assert streamed == whole.replace(b'\t"rows_before_limit_at_least": 100,\n\n', b"")
    assert json.loads(streamed.replace(b"\t\t,\n", b""))["rows"] == 100
    assert json.loads(Http(server)("SELECT number FROM numbers(1000) LIMIT 5 FORMAT JSON").body)[
        "rows_before_limit_at_least"
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"output_format_json_pretty_print": 0},
        {"output_format_write_statistics": 0},
        {"output_format_json_named_tuples_as_objects": 0, "output_format_json_quote_64bit_integers": 1},
    ],
)
def test_settings_that_change_the_layout(server: Server, settings: dict[str, Any]) -> None:
    one, many = (answer(server, f"{AWKWARD} FORMAT JSON", rows, **settings) for rows in (1000, 7))
    assert one == many
    assert ("statistics" in json.loads(Http(server)(f"{AWKWARD} FORMAT JSON", **settings).body)) == (
        "output_format_write_statistics" not in settings
    )


@pytest.mark.parametrize("output_format", [*HEADED, *JSON, "Values", "ArrowStream", *PLAIN])
def test_an_empty_answer_has_its_frame(server: Server, output_format: str) -> None:
    got = answer(server, f"SELECT number AS a FROM numbers(5) WHERE number > 10 FORMAT {output_format}", 7)
    if output_format in JSON:
        assert json.loads(got.replace(b"\t\t,\n", b""))["data"] == []
    elif output_format == "ArrowStream":
        assert pa.ipc.open_stream(io.BytesIO(got)).read_all().num_rows == 0
    else:
        assert (b"a" in got) == (output_format in HEADED)


@pytest.mark.parametrize("output_format", [*PLAIN, *HEADED, *JSON, "ArrowStream"])
def test_a_large_answer_reads_back(server: Server, output_format: str) -> None:
    http = Http(server)
    sql = f"SELECT number, toString(number) AS text FROM numbers(300000) FORMAT {output_format}"
    sums = "SELECT count(), sum(number), sum(length(text)) FROM file('{}', '{}', 'number UInt64, text String')"
    path = server.directory / f"streamed.{output_format}"
    path.write_bytes(http.bytes(sql))
    if output_format not in ("JSONStrings", "JSONCompactStrings"):  # formats of answers only
        assert http(sums.format(path, output_format)).body == "300000\t44999850000\t1688890\n"


@pytest.mark.parametrize("output_format", ["JSON", "CSVWithNames", "ArrowStream", "RowBinaryWithNamesAndTypes"])
def test_a_framed_answer_streams(server: Server, output_format: str) -> None:
    """It has no end, and its beginning is here."""
    with Http(server).open(f"SELECT number FROM system.numbers FORMAT {output_format}", headers=READER) as endless:
        assert len(endless.read(5 << 20)) == 5 << 20
