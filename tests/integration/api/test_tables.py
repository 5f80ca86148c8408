"""Every endpoint against the same question in plain SQL, in every format, page by page."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.metrics.specs.metric_registry import SPECS
from desk.web.api.api_app import build_api
from desk.web.api.api_endpoints import ENDPOINTS
from desk.web.api.reader import Reader
from tests.engines import ClickHouseServer
from tests.integration.api.conftest import served
from tests.integration.sql.conftest import new_sample
from tests.integration.sql.sample import ALERT, FIRST, LAST
from tests.waiting import PATIENCE_SECONDS


def rows(api: httpx.Client, path: str, **given: object) -> list[dict[str, Any]]:
    answer = api.get(f"/{path}", params={name: str(value) for name, value in given.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def all_pages(api: httpx.Client, path: str, **given: object) -> list[list[dict[str, Any]]]:
    pages, cursor = [], ""
    while True:
        params = {name: str(value) for name, value in given.items()} | ({"cursor": cursor} if cursor else {})
        answer = api.get(f"/{path}", params=params)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["data"])
        cursor = answer.json()["next"]
        assert (cursor is None) == ("link" not in answer.headers)
        if cursor is None:
            return pages


@pytest.mark.parametrize("view", ["raw", "entity"])
def test_blocks_of_a_series_have_the_values_of_the_view(api: httpx.Client, written: ClickHouse, view: str) -> None:
    names = list(SPECS)
    found = rows(api, "timeseries", metrics=",".join(names), view=view, window=144, frequency="block", limit=10_000)
    expected = written.query(
        f"SELECT height, {', '.join(names)} FROM concentration "
        "WHERE chain = 'bitcoin' AND view = {view:String} AND window_blocks = 144 AND window_full ORDER BY height",
        {"view": view},
    )
    assert len(found) == len(expected) == LAST - FIRST + 1 - 143
    for row, (height, *values) in zip(found, expected, strict=True):
        assert row["height"] == height
        assert [row[name] for name in names] == [None if math.isnan(value) else value for value in values]


def test_hours_and_days_have_the_value_at_their_highest_block(api: httpx.Client) -> None:
    by_block = rows(api, "timeseries", metrics="hhi,top4_share", window=144, frequency="block", limit=10_000)
    for frequency, characters in (("hour", 13), ("day", 10)):
        last = {row["time"][:characters]: row for row in by_block}
        found = rows(api, "timeseries", metrics="hhi,top4_share", window=144, frequency=frequency)
        assert [row["time"][:characters] for row in found] == list(last)
        for row, expected in zip(found, last.values(), strict=True):
            assert (row["height"], row["hhi"], row["top4_share"]) == (
                expected["height"],
                expected["hhi"],
                expected["top4_share"],
            )


def test_a_range_includes_its_start_and_not_its_end(api: httpx.Client) -> None:
    every = rows(api, "timeseries", window=144, frequency="block", limit=10_000)
    start, end = every[10]["time"], every[20]["time"]
    found = rows(api, "timeseries", window=144, frequency="block", start=start, end=end)
    assert found == every[10:20]
    assert rows(api, "timeseries", window=144, frequency="block", as_of=end) == every[:21]


def test_a_day_that_was_not_over_is_not_known(api: httpx.Client) -> None:
    days = [row["time"] for row in rows(api, "timeseries", window=144)]
    assert len(days) >= 2
    assert [row["time"] for row in rows(api, "timeseries", window=144, as_of=days[1])] == days[:1]
    assert [row["time"] for row in rows(api, "timeseries", window=144, as_of=f"{days[1]}T23:59:59Z")] == days[:1]
    assert [row["time"] for row in rows(api, "timeseries", window=144, start=f"{days[0]}T00:00:01Z")] == days[1:]


def test_a_metric_of_an_upgrade_is_undefined_on_the_days_before_it(clickhouse: ClickHouseServer) -> None:
    """`counterpoise rescore` stores it for them. Until then it is no zero, and hides no other metric."""
    with new_sample(clickhouse) as ch:
        reader = Reader(lambda: connect(clickhouse.reader_target, ch.database))
        with served(build_api(reader, dataset=ch.database, dataset_kind="simulated")) as url:
            api = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS)
            asked = [
                {"metrics": names, "window": 144, "frequency": frequency}
                for frequency in ("block", "hour", "day")
                for names in ("hhi,top4_share", "top4_share,hhi")
            ]
            before = [rows(api, "timeseries", **one) for one in asked]
            ch.execute(
                "ALTER TABLE concentration_daily_log DELETE WHERE metric = 'hhi'", settings={"mutations_sync": 2}
            )
            after = [rows(api, "timeseries", **one) for one in asked]
            api.close()
        reader.close()
    assert after[:4] == before[:4] and all(before)
    assert after[4:] == [[{**row, "hhi": None} for row in days] for days in before[4:]]


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("frequency", ["block", "hour", "day"])
def test_pages_of_a_series_are_the_whole_series(api: httpx.Client, frequency: str, limit: int) -> None:
    if limit == 1 and frequency == "block":
        limit = 50
    whole = rows(api, "timeseries", window=144, frequency=frequency, limit=10_000)
    pages = all_pages(api, "timeseries", window=144, frequency=frequency, limit=limit)
    assert [row for page in pages for row in page] == whole
    assert all(len(page) == limit for page in pages[:-1]) and pages[-1]


def test_a_page_of_blocks_of_a_series_reads_that_many_heights(api: httpx.Client, written: ClickHouse) -> None:
    """Whatever the length of the history: the heights of a page are a range of the primary key."""
    answer = api.get("/timeseries", params={"window": "144", "frequency": "block", "limit": "7"}).json()
    query = answer["query"]
    assert query["parameters"]["high"] - query["parameters"]["low"] == 6
    plan = "\n".join(line for (line,) in written.query(f"EXPLAIN indexes = 1 {query['sql']}", query["parameters"]))
    assert "height in [800143, +Inf)" in plan and "height in (-Inf, 800149]" in plan, plan


@pytest.mark.parametrize(("days", "view", "limit"), [(1, "raw", 1), (7, "entity", 5), (365, "entity", 10_000)])
def test_pages_of_hours_are_the_view(api: httpx.Client, written: ClickHouse, days: int, view: str, limit: int) -> None:
    names = [
        "height",
        "n",
        "unknown",
        "window_full",
        "top4_share",
        "top4_share_upper",
        "top4_work_share",
        "hhi",
        "nakamoto_half",
    ]
    pages = all_pages(api, "time_windows", days=days, view=view, limit=limit)
    assert all(len(page) <= limit for page in pages)
    expected = written.query(
        f"SELECT {', '.join(names)} FROM time_windows WHERE chain = 'bitcoin' AND view = {{view:String}} "
        "AND span_days = {days:UInt16} ORDER BY height",
        {"view": view, "days": days},
    )
    found = [[row[name] for name in names] for page in pages for row in page]
    assert found == [
        [None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in expected
    ]
    assert len(found) == 66, "a row for each hour that passed"


def test_hours_have_a_range_and_a_moment(api: httpx.Client) -> None:
    every = rows(api, "time_windows")
    start, end = every[3]["time"], every[9]["time"]
    assert rows(api, "time_windows", start=start, end=end) == every[3:9]
    assert rows(api, "time_windows", as_of=end) == every[:10]
    assert rows(api, "time_windows", chain="litecoin") == []
    pages = all_pages(api, "time_windows", order="newest", limit=5, as_of=end)
    assert [row for page in pages for row in page] == every[9::-1]
    assert api.get("/time_windows", params={"days": "2"}).status_code == 422
    assert api.get("/catalog").json()["time_windows"]["columns"] == list(every[0])


@pytest.mark.parametrize("height", [None, LAST, LAST - 70, FIRST + 3])
@pytest.mark.parametrize("limit", [1, 3, 1_000])
def test_windows_have_every_metric_of_the_view(
    api: httpx.Client, written: ClickHouse, height: int | None, limit: int
) -> None:
    names = ["window_blocks", "view", "height", "n", "unknown", "window_full", *SPECS]
    given: dict[str, object] = {"metrics": ",".join(SPECS), "limit": limit} | (
        {} if height is None else {"height": height}
    )
    pages = all_pages(api, "windows", **given)
    assert all(len(page) <= limit for page in pages)
    expected = written.query(
        f"SELECT {', '.join(names)} FROM concentration WHERE chain = 'bitcoin' AND height = {{height:UInt32}} "
        "ORDER BY window_blocks, view",
        {"height": LAST if height is None else height},
    )
    found = [[row[name] for name in names] for page in pages for row in page]
    assert found == [
        [None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in expected
    ]
    assert len(found) == 4, "two lengths, two views"


@pytest.mark.parametrize("metric", SPECS)
def test_windows_have_each_metric_alone(api: httpx.Client, metric: str) -> None:
    every = rows(api, "windows", metrics=",".join(SPECS), view="entity")
    assert rows(api, "windows", metrics=metric, view="entity") == [
        {name: value for name, value in row.items() if name not in SPECS or name == metric} for row in every
    ]


@pytest.mark.parametrize("view", ["raw", "entity"])
@pytest.mark.parametrize("height", [None, LAST - 70])
def test_pools_are_the_leaders_of_their_window(
    api: httpx.Client, written: ClickHouse, view: str, height: int | None
) -> None:
    given = {} if height is None else {"height": height}
    pages = all_pages(api, "pools", view=view, window=144, limit=4, **given)
    found = [row for page in pages for row in page]
    [(leaders, n, shares)] = written.query(
        "SELECT leaders, n, (top1_share, top4_share) FROM concentration_shares WHERE chain = 'bitcoin' "
        "AND view = {view:String} AND window_blocks = 144 AND height = {height:UInt32}",
        {"view": view, "height": height or LAST},
    )
    assert [(row["pool"], row["blocks"]) for row in found] == [tuple(leader) for leader in leaders]
    assert [row["rank"] for row in found] == list(range(1, len(leaders) + 1))
    assert found[0]["share"] == shares[0] and math.isclose(sum(row["share"] for row in found[:4]), shares[1])
    assert {row["n"] for row in found} == {n} and all(row["name"] for row in found)


def test_what_is_not_there_has_no_row(api: httpx.Client) -> None:
    assert rows(api, "windows", height=LAST + 1) == rows(api, "pools", height=LAST + 1) == []
    assert rows(api, "windows", chain="litecoin") == rows(api, "pools", chain="litecoin") == []


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_of_blocks_are_the_best_chain(api: httpx.Client, written: ClickHouse, order: str) -> None:
    pages = all_pages(api, "blocks", order=order, limit=37)
    found = [(row["height"], row["hash"], row["pool"]) for page in pages for row in page]
    direction = "DESC" if order == "newest" else ""
    expected = written.query(
        f"SELECT height, hash, pool FROM blocks WHERE chain = 'bitcoin' ORDER BY height {direction}"
    )
    assert found == expected and len(found) == LAST - FIRST + 1


def test_blocks_of_a_pool_and_a_range(api: httpx.Client) -> None:
    every = rows(api, "blocks", limit=10_000)
    pages = all_pages(api, "blocks", pool="antpool", limit=10)
    assert [row for page in pages for row in page] == [row for row in every if row["pool"] == "antpool"]
    assert rows(api, "blocks", from_height=800_010, to_height=800_012) == [
        row for row in every if 800_010 <= row["height"] <= 800_012
    ]
    assert rows(api, "blocks", start=every[4]["time"]) == every[:5]
    assert rows(api, "blocks", chain="litecoin") == []


def test_alerts_have_their_latest_step_or_every_one(api: httpx.Client, written: ClickHouse) -> None:
    latest = rows(api, "alerts")
    expected = written.query("SELECT alert_id, sequence, state FROM alerts ORDER BY event_time DESC, alert_id DESC")
    assert [(row["alert_id"], row["sequence"], row["state"]) for row in latest] == expected
    assert ALERT in {row["alert_id"] for row in latest}
    steps = all_pages(api, "alerts", every_step="true", limit=1)
    assert len([row for page in steps for row in page]) == written.query("SELECT count() FROM alert_events")[0][0] >= 2
    states = {row["state"] for row in latest}
    for state in states:
        assert rows(api, "alerts", state=state) == [row for row in latest if row["state"] == state]
    assert rows(api, "alerts", rule="no-such-rule") == []
    assert rows(api, "alerts", as_of="2000-01-01") == []


def test_a_value_is_computed_again_by_its_own_sql(api: httpx.Client, written: ClickHouse) -> None:
    """The SQL in an answer gives the rows of that answer."""
    for path in (endpoint.path for endpoint in ENDPOINTS):
        given = {"window": "144"} if path == "timeseries" else {}
        answer = api.get(f"/{path}", params={**given, "limit": "5"}).json()
        sql, parameters = answer["query"]["sql"], answer["query"]["parameters"]
        assert len(written.query(sql, parameters)) == len(answer["data"])


@pytest.mark.parametrize("path", [endpoint.path for endpoint in ENDPOINTS])
def test_every_format_has_the_same_rows(api: httpx.Client, path: str) -> None:
    params = {"limit": "3"} | ({"window": "144", "metrics": "top4_share,hhi"} if path == "timeseries" else {})
    data = api.get(f"/{path}", params=params).json()["data"]
    lines = api.get(f"/{path}", params=params, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.text.splitlines()] == data
    parquet = api.get(f"/{path}", params=params, headers={"Accept": "application/vnd.apache.parquet"})
    arrow = api.get(f"/{path}", params={**params, "format": "arrow"}, headers={"Accept": "text/csv"})
    assert arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
    from_parquet = pq.read_table(io.BytesIO(parquet.content))
    from_arrow = pa.ipc.open_stream(arrow.content).read_all()
    # As text: an undefined value (NaN) is equal to no other.
    assert from_parquet.schema == from_arrow.schema and str(from_parquet.to_pylist()) == str(from_arrow.to_pylist())
    assert from_arrow.num_rows == len(data)
    csv = api.get(f"/{path}", params=params, headers={"Accept": "text/csv;q=0.9, application/json;q=0.1"})
    assert csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert csv.headers["content-disposition"] == f'attachment; filename="{path}.csv"'
    head = csv.text.splitlines()[0].split(",")
    assert head == from_arrow.column_names
    if data:
        assert list(data[0]) == head


@pytest.mark.parametrize("kind", ["json", "csv", "jsonl", "parquet", "arrow"])
def test_an_unchanged_answer_is_not_sent_again(api: httpx.Client, kind: str) -> None:
    params = {"window": "144", "frequency": "hour", "limit": "5", "format": kind}
    first = api.get("/timeseries", params=params)
    again = api.get("/timeseries", params=params, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    other = api.get("/timeseries", params={**params, "limit": "6"}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_the_link_leads_to_the_next_page(api: httpx.Client) -> None:
    answer = api.get("/blocks", params={"limit": "5", "format": "csv", "pool": "antpool"})
    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    following = api.get(link[1:].partition(">")[0])
    assert following.status_code == 200 and following.text.splitlines()[1:] != answer.text.splitlines()[1:]


MISTAKES = {
    "/timeseries?metrics=topp4_share": (422, "bad-metrics", "metrics", "did you mean top4_share?"),
    "/timeseries?metrics=": (422, "bad-metrics", "metrics", "'' is unknown"),
    "/timeseries?metrics=hhi,hhi": (422, "bad-metrics", "metrics", "given twice"),
    "/timeseries?metrics=hhi) FROM alerts --": (422, "bad-metrics", "metrics", "is unknown"),
    "/timeseries?window=145": (422, "bad-window", "window", "expected one of 144, 1008, 2016, 4320, not '145'"),
    "/timeseries?view=raww": (422, "bad-view", "view", "did you mean raw?"),
    "/timeseries?chain=bitcoinn": (422, "bad-chain", "chain", "did you mean bitcoin?"),
    "/timeseries?frequency=minute": (422, "bad-frequency", "frequency", "expected one of block, hour, day"),
    "/timeseries?start=yesterday": (422, "bad-start", "start", "such as 2025-01-31"),
    "/timeseries?limit=0": (422, "bad-limit", "limit", "from 1 to 10000"),
    "/timeseries?limit=10001": (422, "bad-limit", "limit", "from 1 to 10000"),
    "/timeseries?cursor=abc": (422, "bad-cursor", "cursor", "of an earlier answer"),
    "/timeseries?windows=144": (422, "unknown-parameter", None, "did you mean window?"),
    "/timeseries?window=144&window=1008": (422, "repeated-parameter", "window", "twice"),
    "/timeseries?frequency=hour&start=2020-01-01&end=2024-01-01": (422, "range-too-long", "start", "at most 400 days"),
    "/timeseries?format=xml": (422, "bad-format", "format", "expected one of json, csv"),
    "/windows?view=raww": (422, "bad-view", "view", "did you mean raw?"),
    "/pools?height=-1": (422, "bad-height", "height", "from 0 to"),
    "/blocks?pool=%27 OR 1": (422, "bad-pool", "pool", "a pool's slug"),
    "/alerts?state=fired": (422, "bad-state", "state", "expected one of possible"),
    "/releases?current=yes": (422, "bad-current", "current", "true or false"),
    "/catalog?x=1": (422, "unknown-parameter", None, "expected some of none"),
    "/nowhere": (404, "not-found", None, "/api/v1/catalog"),
}


@pytest.mark.parametrize("url", MISTAKES)
def test_a_mistake_is_named(api: httpx.Client, url: str) -> None:
    status, error, parameter, part = MISTAKES[url]
    answer = api.get(url)
    body = answer.json()
    assert (answer.status_code, body["error"], body["parameter"]) == (status, error, parameter), body
    assert part in body["message"]


def test_a_cursor_fits_one_request_only(api: httpx.Client) -> None:
    cursor = api.get("/blocks", params={"limit": "5"}).json()["next"]
    answer = api.get("/blocks", params={"limit": "7", "pool": "antpool", "cursor": cursor})
    assert (answer.status_code, answer.json()["error"]) == (422, "other-cursor")
    assert api.get("/blocks", params={"limit": "7", "cursor": cursor, "format": "csv"}).status_code == 200
    other = api.get("/alerts", params={"cursor": cursor})
    assert (other.status_code, other.json()["parameter"]) == (422, "cursor")


def test_nothing_is_written_and_nothing_else_is_accepted(api: httpx.Client) -> None:
    answer = api.post("/blocks")
    assert (answer.status_code, answer.json()["error"]) == (405, "method-not-allowed")
    refused = api.get("/blocks", headers={"Accept": "text/html"})
    assert (refused.status_code, refused.json()["error"]) == (406, "not-acceptable")


def test_the_catalogue_has_every_registry(api: httpx.Client) -> None:
    from alerts.rules.rule_types import RULE_TYPES
    from counterpoise.chain.chain_registry import CHAINS
    from counterpoise.series.load import load_catalogue
    from counterpoise.windows import VIEWS, WINDOWS_BLOCKS
    from ingest.blocks.sources.block_sources import SOURCES

    answer = api.get("/catalog")
    found = answer.json()
    assert [metric["name"] for metric in found["metrics"]] == list(SPECS)
    assert found["windows_blocks"] == list(WINDOWS_BLOCKS) and found["views"] == list(VIEWS)
    assert [chain["name"] for chain in found["chains"]] == list(CHAINS)
    assert [series["name"] for series in found["series"]] == list(load_catalogue().series)
    assert found["sources"]["blocks"] == list(SOURCES) and found["rule_types"] == list(RULE_TYPES)
    assert [one["path"] for one in found["endpoints"]] == [endpoint.path for endpoint in ENDPOINTS]
    assert api.get("/catalog", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
