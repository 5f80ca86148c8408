"""The console over the sample on the embedded engine, as the read-only user: answers, places of errors, exports, cancelling."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.read_only import connect_read_only
from desk.named_queries import named_queries
from desk.web.api.reader import Reader
from desk.web.console import router
from desk.web.console.console_limits import MAX_SHOWN_ROWS, SETTINGS
from desk.web.console.router import build_console
from tests.engines import ClickHouseServer
from tests.integration.api.conftest import served
from tests.integration.sql.conftest import new_sample
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def written(clickhouse: ClickHouseServer) -> Iterator[ClickHouse]:
    with new_sample(clickhouse) as ch:
        yield ch


@pytest.fixture(scope="module")
def console(clickhouse: ClickHouseServer, written: ClickHouse) -> Iterator[httpx.Client]:
    def connection() -> ClickHouse:
        return connect_read_only(clickhouse.reader_target, written.database, SETTINGS)

    reader = Reader(connection)
    app = FastAPI()
    app.include_router(build_console(connection, reader, dataset="a<b>", dataset_kind="simulated"))
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client
    reader.close()


def body(sql: str, **more: Any) -> dict[str, Any]:
    return {"sql": sql, "query_id": str(uuid.uuid4()), **more}


def run(console: httpx.Client, sql: str, **parameters: str) -> dict[str, Any]:
    answer = console.post("/sql/run", json=body(sql, parameters=parameters))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_answer_has_its_columns_rows_and_plot(console: httpx.Client, written: ClickHouse) -> None:
    found = run(
        console,
        "SELECT time, height, top4_share FROM concentration_shares WHERE chain = {chain:String} AND view = 'raw' "
        "AND window_blocks = 144 ORDER BY height",
        chain="bitcoin",
    )
    assert [column["name"] for column in found["columns"]] == ["time", "height", "top4_share"]
    assert [column["numeric"] for column in found["columns"]] == [False, True, True]
    expected = written.query(
        "SELECT height FROM concentration WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144 ORDER BY height"
    )
    assert [int(row[1]) for row in found["rows"]] == [height for (height,) in expected]
    plot = ElementTree.fromstring(found["plot"])  # noqa: S314 - made by ourselves
    assert len([one for one in plot.iter() if one.get("class", "").startswith("line series")]) == 2


def test_more_rows_than_are_shown_are_announced(console: httpx.Client) -> None:
    found = run(console, "SELECT number FROM numbers(100000000000)")
    assert (len(found["rows"]), found["more"], found["plot"]) == (MAX_SHOWN_ROWS, True, None)
    assert not run(console, f"SELECT number FROM numbers({MAX_SHOWN_ROWS})")["more"]


def test_every_named_query_runs_with_its_defaults(console: httpx.Client) -> None:
    offered = {query["name"]: query for query in console.get("/sql/schema").json()["queries"]}
    assert offered.keys() == named_queries().keys()
    for query in offered.values():
        values = {one["name"]: one["default"] for one in query["parameters"]}
        assert None not in values.values()
        run(console, query["sql"], **values)


@pytest.mark.parametrize(
    ("sql", "line", "column", "part", "pointer"),
    [
        ("SELECT 1\n  )", 2, 3, "Syntax error", "    )\n    ^"),
        ("SELECT heigth FROM blocks", 1, 8, "heigth", "  SELECT heigth FROM blocks\n         ^"),
        ("SELECT 1 FROM no_table", 1, 15, "the list beside the editor", "  SELECT 1 FROM no_table\n                ^"),
        ("INSERT INTO blocks_log SELECT 1", None, None, "the console only reads", ""),
        ("SYSTEM SHUTDOWN", None, None, "the console only reads", ""),
        ("SELECT * FROM url('http://127.0.0.1/', 'CSV', 'a String')", None, None, "the console only reads", ""),
    ],
)
def test_a_mistake_has_its_place(  # noqa: PLR0917 - a row of the table
    console: httpx.Client, sql: str, line: int | None, column: int | None, part: str, pointer: str
) -> None:
    answer = console.post("/sql/run", json=body(sql))
    found = answer.json()
    assert answer.status_code == 400
    assert (found["line"], found["column"], found["pointer"]) == (line, column, pointer)
    assert part in found["message"]


def test_nothing_is_changed(console: httpx.Client, written: ClickHouse) -> None:
    before = written.query("SELECT count() FROM blocks_log")
    for sql in (
        "DROP TABLE blocks_log",
        "TRUNCATE TABLE blocks_log",
        "SET readonly = 0",
        "ALTER TABLE blocks_log DELETE WHERE 1",
    ):
        console.post("/sql/run", json=body(sql))
    assert written.query("SELECT count() FROM blocks_log") == before


def test_exports_have_every_row(console: httpx.Client) -> None:
    sql = "SELECT number AS n, '=1+1' AS text FROM numbers(3000)"
    csv = console.post("/sql/export", json=body(sql, format="csv"))
    assert csv.text.splitlines()[:2] == ["n,text", "0,'=1+1"] and len(csv.text.splitlines()) == 3001
    assert csv.headers["content-disposition"] == 'attachment; filename="result.csv"'
    lines = console.post("/sql/export", json=body(sql, format="jsonl"))
    assert json.loads(lines.text.splitlines()[2999]) == {"n": 2999, "text": "=1+1"}
    parquet = console.post("/sql/export", json=body(sql, format="parquet"))
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 3000


def numbers_of(name: str, content: bytes) -> list[int]:
    """The one column of an export."""
    if name == "csv":
        return [int(one) for one in content.split()[1:]]
    if name == "jsonl":
        return [json.loads(one)["n"] for one in content.splitlines()]
    found: list[int] = pq.read_table(io.BytesIO(content))["n"].to_pylist()
    return found


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_an_export_that_is_cut_says_so(console: httpx.Client, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router, "MAX_EXPORTED_ROWS", 2_000)
    for rows, first in ((1_999, None), (2_000, None), (2_001, "2000")):
        for block in (1_000, 65_505):
            sql = f"SELECT number AS n FROM numbers({rows}) SETTINGS max_block_size = {block}"
            answer = console.post("/sql/export", json=body(sql, format=name))
            assert answer.headers.get(router.FIRST_ROWS_HEADER) == first
            numbers = numbers_of(name, answer.content)
            assert numbers == list(range(min(rows, 2_000)))


def test_a_running_statement_is_cancelled(console: httpx.Client, written: ClickHouse) -> None:
    slow = body("SELECT sum(sipHash64(number, number)) FROM numbers(1000000000000)")
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(console.post("/sql/run", json=slow)), daemon=True)
    thread.start()

    def cancelled() -> bool:
        answer = console.post("/sql/cancel", json={"query_id": slow["query_id"]})
        assert answer.status_code == 200, answer.text
        done: bool = answer.json()["cancelled"]
        return done

    wait_for(cancelled, "the statement is cancelled")
    thread.join(60)
    assert not thread.is_alive()
    assert (answers[0].status_code, answers[0].json()["error"]) == (400, "refused")
    assert "you cancelled it" in answers[0].json()["message"]
    running = written.query(
        "SELECT query FROM system.processes WHERE query LIKE '%numbers(1000000000000)%' AND query NOT LIKE '%system.processes%'"
    )
    assert running == []


def test_what_no_console_started_is_not_cancelled(console: httpx.Client) -> None:
    for query_id in (str(uuid.uuid4()), "0" * 8 + "-0000-0000-0000-" + "0" * 12):
        assert console.post("/sql/cancel", json={"query_id": query_id}).json() == {"cancelled": False}
    refused = console.post("/sql/cancel", json={"query_id": "' OR 1 --"})
    assert (refused.status_code, refused.json()["error"]) == (422, "bad-body")


def test_a_form_of_another_site_is_refused(console: httpx.Client) -> None:
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        answer = console.post("/sql/run", content=json.dumps(body("SELECT 1")), headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["error"]) == (415, "not-json")
    assert console.post("/sql/run", json={"sql": "SELECT 1"}).status_code == 422
    assert console.post("/sql/run", json=body("SELECT 1", other=1)).status_code == 422
    assert console.post("/sql/run", json=body("x" * 2_000_000)).status_code == 413


def test_a_hostile_text_is_text(console: httpx.Client) -> None:
    page = console.get("/sql")
    assert "a&lt;b&gt;" in page.text and "<b>a<b>" not in page.text and "(simulated data)" in page.text
    found = run(console, "SELECT '<img src=x onerror=alert(1)>\x1b[2J' AS `<script>`, number FROM numbers(2)")
    assert found["columns"][0]["name"] == "<script>" and found["rows"][0][0].endswith("\\u001b[2J")
    hostile = run(
        console, "SELECT toDate('2025-01-01') + number AS day, number AS `<script>alert(1)</script>` FROM numbers(2)"
    )
    assert "<script" not in hostile["plot"]


def test_the_page_has_the_limits_and_every_static_file(console: httpx.Client) -> None:
    names = console.get("/sql/schema")
    assert {"read-only", "30 seconds", "2 GiB of memory"} <= set(names.json()["limits"])
    assert console.get("/sql/schema", headers={"If-None-Match": names.headers["etag"]}).status_code == 304
    tables = {table["name"] for table in names.json()["tables"]}
    assert {"blocks", "concentration", "alerts", "blocks_log"} <= tables
    assert {"argMax", "toStartOfHour"} <= {one["name"] for one in names.json()["functions"]}
    for name in ("console.js", "completion.js", "console.css"):
        assert console.get(f"/sql/static/{name}").status_code == 200
    assert console.get("/sql/static/..%2fpage.py").status_code == 404
