"""The desk's API, charts, console, scores and address as its service serves them, behind its access rules."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.settings.endpoints import desk_address_file
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.integration.sql.sample import FIRST, LAST
from tests.integration.web.running import RunningDesk, running_desk

TOKEN = "a-token-of-the-desk-for-programs"


@pytest.fixture(scope="module")
def desk(
    sample: ClickHouse, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDesk]:
    settings = settings_for(
        kafka,
        clickhouse,
        tmp_path_factory.mktemp("desk"),
        dataset=sample.database,
        dataset_kind="simulated",
        desk={"port": 0, "token": TOKEN},
    )
    with running_desk(settings) as found:
        yield found


def test_a_program_with_the_token_reads_and_nobody_else_does(desk: RunningDesk) -> None:
    paths = (
        "/api/v1/catalog",
        "/api/v1/blocks",
        "/api/v1/events",
        "/api/v1/openapi.json",
        "/embed/chart",
        "/sql",
        "/sql/schema",
    )
    with httpx.Client(base_url=desk.url, timeout=60) as stranger:
        for path in paths:
            assert stranger.get(path).status_code == 401, path
        statement = {"sql": "SELECT 1", "query_id": str(uuid.uuid4())}
        assert stranger.post("/sql/run", json=statement, headers={"Origin": desk.url}).status_code == 401
    with httpx.Client(base_url=desk.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as program:
        assert program.get("/api/v1/catalog").json()["dataset"] == {"name": desk.settings.dataset, "kind": "simulated"}
        assert len(program.get("/api/v1/blocks").json()["data"]) == LAST - FIRST + 1
        assert program.get("/embed/chart", params={"window": "144"}).headers["content-type"] == "image/svg+xml"
        assert program.get("/api/v1/nowhere").json()["error"] == "not-found"


def test_a_statement_of_another_page_is_refused(desk: RunningDesk) -> None:
    statement = {"sql": "SELECT count() FROM blocks", "query_id": str(uuid.uuid4())}
    with httpx.Client(base_url=desk.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as program:
        foreign = program.post("/sql/run", json=statement, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        own = program.post("/sql/run", json=statement, headers={"Origin": desk.url})
        assert own.json()["rows"] == [["420"]]


def test_the_console_is_linked_and_runs_under_the_policy_of_the_desk(desk: RunningDesk) -> None:
    with httpx.Client(base_url=desk.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as program:
        assert 'href="/sql"' in program.get("/").text
        page = program.get("/sql")
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
        assert "<script>" not in page.text and " style=" not in page.text and " onclick=" not in page.text
        for name in ("console.js", "completion.js", "console.css"):
            assert program.get(f"/sql/static/{name}").status_code == 200


def test_the_service_exports_scores_and_records_its_address(desk: RunningDesk) -> None:
    port = desk.status.serve("127.0.0.1", 0)
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text
    assert 'counterpoise_score_top4_share{chain="bitcoin",view="raw",window_blocks="144"}' in text
    assert desk_address_file(desk.settings.state_dir).read_text(encoding="utf-8").strip() == desk.url
