"""The event stream, the embeddable chart, releases as known at a moment, and an engine that goes away."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from fastapi import FastAPI

from counterpoise.clickhouse.client import ClickHouse, connect
from desk.web.api.api_app import build_api
from desk.web.api.embed import build_embed
from desk.web.api.embedded_chart import STYLE_HASH
from desk.web.api.reader import Reader
from tests.engines import ClickHouseServer
from tests.integration.api.conftest import served

WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def embed(reader: Reader) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.include_router(build_embed(reader, dataset_kind="simulated"))
    with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def listen(address: str, found: queue.Queue[tuple[str, dict[str, Any]]], ready: threading.Event) -> None:
    """Puts events into `found` until the stream has had an alert named `the last one`."""
    name = ""
    with httpx.stream("GET", f"{address}/events", timeout=WAIT_SECONDS) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                data = json.loads(line.removeprefix("data: "))
                found.put((name, data))
                ready.set()
                if data.get("summary") == "the last one":
                    return


def test_every_listener_receives_tips_and_new_steps(address: str, written: ClickHouse) -> None:
    streams = [(queue.Queue[tuple[str, dict[str, Any]]](), threading.Event()) for _ in range(3)]
    threads = [threading.Thread(target=listen, args=(address, *one), daemon=True) for one in streams]
    for thread in threads:
        thread.start()
    for _, ready in streams:
        assert ready.wait(WAIT_SECONDS)
    written.execute(
        "INSERT INTO alert_events_log SELECT * REPLACE ('00000000000000ff' AS alert_id, toUInt32(0) AS sequence, "
        "'the last one' AS summary, now64(3) AS recorded_at) FROM alert_events_log LIMIT 1"
    )
    for thread in threads:
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
    for found, _ in streams:
        events = list(found.queue)
        tips = {data["chain"]: data["height"] for name, data in events if name == "tip"}
        assert tips == {"bitcoin": 800_399, "signet": 29}
        assert [data["alert_id"] for name, data in events if name == "alert"] == ["00000000000000ff"]
    written.execute(
        "ALTER TABLE alert_events_log DELETE WHERE alert_id = '00000000000000ff' SETTINGS mutations_sync = 2"
    )


def test_a_chart_is_an_svg_that_runs_nothing(embed: httpx.Client, written: ClickHouse) -> None:
    answer = embed.get("/embed/chart", params={"window": "144", "frequency": "hour", "metric": "top4_share"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"] == f"default-src 'none'; style-src '{STYLE_HASH}'"
    root = ElementTree.fromstring(answer.text)  # noqa: S314 - made by ourselves
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    [(share,)] = written.query(
        "SELECT top4_share FROM latest_shares WHERE chain = 'bitcoin' AND view = 'raw' AND window_blocks = 144"
    )
    assert f"It ends at {100 * share:.1f}\u00a0%" in answer.text
    assert "(simulated data)" in answer.text
    again = embed.get(answer.url, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_chart_of_nothing_and_a_mistake_say_so(embed: httpx.Client) -> None:
    assert "no value in this range" in embed.get("/embed/chart", params={"window": "4320"}).text
    refused = embed.get("/embed/chart", params={"metric": "<script>"})
    assert (refused.status_code, refused.headers["content-type"]) == (422, "text/plain; charset=utf-8")
    assert refused.text.startswith("metric: expected one of")


RELEASE = (
    "INSERT INTO releases_log (series, release_id, values_id, kind, layer, unit, period_start, period_end, published_at, coverage, "
    "observations, total, withdrawn_at, version) "
    "SELECT 'pypi-edge-share', {id:String}, {id:String}, 'measured', 'developer_pull', "
    "'downloads', toDate32('2025-01-01'), toDate32({end:String}), toDateTime64({published:String}, 3, 'UTC'), {coverage:String}, "
    "1, 1, parseDateTime64BestEffortOrNull(nullIf({withdrawn:String}, ''), 3, 'UTC'), 1"
)


def test_releases_are_those_known_at_a_moment(api: httpx.Client, written: ClickHouse) -> None:
    stored = [
        ("a", "2025-01-31", "2025-02-01 00:00:00", "full", ""),
        ("b", "2025-01-31", "2025-03-01 00:00:00", "full", ""),  # restates a
        ("c", "2025-02-28", "2025-03-05 00:00:00", "full", "2025-04-01 00:00:00"),
        ("d", "2025-03-31", "2025-04-05 00:00:00", "partial", ""),
    ]
    for identity, end, published, coverage, withdrawn in stored:
        values = {"id": identity, "end": end, "published": published, "coverage": coverage, "withdrawn": withdrawn}
        written.execute(RELEASE, values)

    def known(**given: str) -> str:
        answer = api.get("/releases", params=given)
        assert answer.status_code == 200, answer.text
        return "".join(row["release_id"] for row in answer.json()["data"])

    assert known() == "b"
    assert known(as_of="2025-02-15") == "a"
    assert known(as_of="2025-03-15") == "cb"
    assert known(current="false") == "dba"
    assert known(current="false", as_of="2025-03-15") == "cba"
    assert known(kind="forecast") == known(series="npm-edge-share") == ""
    assert known(start="2025-03-01", end="2025-03-05", current="false") == "b"
    first = api.get("/releases", params={"current": "false", "limit": "2"}).json()
    second = api.get("/releases", params={"current": "false", "limit": "2", "cursor": first["next"]}).json()
    assert [row["release_id"] for row in first["data"] + second["data"]] == ["d", "b", "a"]
    written.execute("TRUNCATE TABLE releases_log")


def test_an_engine_that_is_away_is_a_503_until_it_returns(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path / "away")
    try:
        with connect(server.target, "default") as ch:
            ch.execute("CREATE VIEW alert_events AS SELECT 1 AS one")
        reader = Reader(lambda: connect(server.reader_target, "default"), connections=1)
        with served(build_api(reader, dataset="d", dataset_kind="live")) as url:
            server.kill()
            refused = httpx.get(f"{url}/blocks", timeout=60)
            assert (refused.status_code, refused.json()["error"]) == (503, "clickhouse-unavailable")
            assert int(refused.headers["retry-after"]) > 0
            assert str(server.port) not in refused.text
            assert httpx.get(f"{url}/catalog", timeout=60).status_code == 200
            server.restart()
            answered = httpx.get(f"{url}/blocks", timeout=60)
            assert answered.json()["message"] == "ClickHouse does not answer this request now (code 60)", (
                "no such table"
            )
        reader.close()
    finally:
        server.stop()
