"""The desk as its process runs it: the link, the token, the console, the API, /metrics, and an engine that goes and returns."""

from __future__ import annotations

import json
import os
import secrets
import signal
import stat
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.contracts.datasets import Dataset
from counterpoise.runtime.python_module import module_command
from counterpoise.runtime.status import read_status
from counterpoise.settings.endpoints import desk_address_file
from counterpoise.settings.model import Settings
from tests.engines import ClickHouseServer, as_environment
from tests.integration.sql.sample import insert_all
from tests.template import make_database
from tests.waiting import wait_for


@dataclass
class RunningDesk:
    settings: Settings
    url: str
    log: Path

    @property
    def token(self) -> str:
        return (self.settings.run_dir / "desk-token").read_text(encoding="utf-8").strip()

    @property
    def link(self) -> str:
        return (self.settings.run_dir / "desk-link").read_text(encoding="utf-8").strip()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60)


@pytest.fixture
def desk(own_clickhouse: ClickHouseServer, state_dir: Path, tmp_path: Path) -> Iterator[RunningDesk]:
    name = f"desk_{secrets.token_hex(6)}"
    make_database(own_clickhouse.target, Dataset(name, "simulated"))
    with connect(own_clickhouse.target, name) as ch:
        insert_all(ch, 100)
    settings = Settings.load(
        dataset=name,
        dataset_kind="simulated",
        state_dir=state_dir,
        kafka={"bootstrap_servers": "127.0.0.1:9"},
        clickhouse={
            "host": "127.0.0.1",
            "port": own_clickhouse.port,
            "user": "reader",
            "password_file": own_clickhouse.reader_password_file,
        },
    )
    environment = {**os.environ, **as_environment(settings), "COUNTERPOISE_CLICKHOUSE__USER": "reader"}
    environment["COUNTERPOISE_DESK__PORT"] = "0"
    log = tmp_path / "desk.log"
    command = module_command("counterpoise", "run", "desk", "--child")
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=file, stderr=file)

    def address() -> str | None:
        assert process.poll() is None, log.read_text()
        status = read_status(settings.run_dir, "desk")
        return None if status is None else status["info"].get("url")

    try:
        wait_for(address, "the desk answers", log.read_text)
        yield RunningDesk(settings, str(address()), log)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
        assert process.stdin is not None
        process.stdin.close()


def test_a_link_a_token_and_nothing_else_open_the_desk(desk: RunningDesk) -> None:
    for name in ("desk-token", "desk-link"):
        assert stat.S_IMODE((desk.settings.run_dir / name).stat().st_mode) == 0o600
    stranger = httpx.get(f"{desk.url}/api/v1/catalog")
    assert (stranger.status_code, stranger.json()["error"]) == (401, "unauthorised")
    link = desk.link
    with httpx.Client(follow_redirects=True, timeout=60) as person:
        page = person.get(link)
        assert page.status_code == 200 and page.url.path == "/sql" and "SQL console" in page.text
        assert page.headers["x-frame-options"] == "DENY"
        assert person.get(f"{desk.url}/api/v1/blocks").status_code == 200
    assert httpx.get(link).status_code == 401 and desk.link != link
    with desk.client() as program:
        assert program.get("/api/v1/catalog").json()["dataset"] == {"name": desk.settings.dataset, "kind": "simulated"}
        statement = {"sql": "SELECT count() FROM blocks", "query_id": str(uuid.uuid4())}
        assert program.post("/sql/run", json=statement).json()["rows"] == [["420"]]
        assert program.get("/embed/chart", params={"window": "144"}).headers["content-type"] == "image/svg+xml"
    assert desk.token not in desk.log.read_text() and desk.link.rpartition("=")[2] not in desk.log.read_text()


def test_scores_are_in_its_metrics_and_the_address_is_recorded(desk: RunningDesk) -> None:
    status = read_status(desk.settings.run_dir, "desk")
    assert status is not None
    text = httpx.get(f"http://127.0.0.1:{status['health_port']}/metrics", timeout=60).text
    assert 'counterpoise_score_top4_share{chain="bitcoin",view="raw",window_blocks="144"}' in text
    assert desk_address_file(desk.settings.state_dir).read_text(encoding="utf-8").strip() == desk.url


def test_it_waits_for_clickhouse_and_goes_on(desk: RunningDesk, own_clickhouse: ClickHouseServer) -> None:
    def state() -> str | None:
        status = read_status(desk.settings.run_dir, "desk")
        return None if status is None else str(status["state"])

    with desk.client() as program:
        own_clickhouse.kill()
        wait_for(lambda: state() == "waiting", "the desk waits for ClickHouse", desk.log.read_text)
        assert program.get("/api/v1/blocks").status_code == 503
        statement = {"sql": "SELECT 1", "query_id": str(uuid.uuid4())}
        assert program.post("/sql/run", json=statement).status_code == 503
        own_clickhouse.restart()
        wait_for(lambda: state() == "working", "the desk goes on", desk.log.read_text)
        assert len(json.loads(program.get("/api/v1/blocks").text)["data"]) == 400
