"""The desk over real engines: what it shows is what SQL says, it changes as blocks come, and it says when ClickHouse is gone."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from alerts import rules_watch
from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.pool_blocks import read_pool_blocks
from counterpoise.contracts.datasets import Dataset
from counterpoise.contracts.topics import BLOCKS
from counterpoise.formats import PAGE
from counterpoise.risk.mergers import merge, pairwise_mergers
from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.dead_letter_limit import DeadLetterLimit
from counterpoise.runtime.retry import Waiter
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.settings.model import Settings
from desk.asker import Asker
from desk.claims.article_claims import CLAIMS
from desk.claims.checked_claims import written
from desk.named_queries import named_query
from desk.supervise.health import judge
from desk.web.panels.panel import no_link
from desk.web.panels.panel_registry import PANELS
from streams.blocks.worker import BlockWorker
from streams.intake.dead_letter import RawMessage
from streams.worker_store import WorkerStore
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.integration.sql.sample import ALERT, LAST, block_hash
from tests.integration.streams.blocks import HARD_BITS, block, branch
from tests.integration.streams.envelopes import envelope_of
from tests.integration.web.running import Events, RunningDesk, running_desk
from tests.template import make_database
from tests.waiting import PATIENCE_SECONDS, wait_for


def figures(page: str) -> dict[str, str]:
    """The named figures of a page."""
    found = re.findall(r'data-figure="([\w-]+)"[^>]*>(.*?)</', page)
    return {name: unescape(value) for name, value in found}


def cells(page: str, panel: str) -> list[list[str]]:
    """The rows of the tables of a panel, as they are read."""
    body = page.partition(f'id="{panel}"')[2].partition("</section>")[0].partition("<details>")[0]
    return [
        [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r'data-head="[^"]*">(.*?)</t[hd]>', row)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body)[1:]
    ]


def hours_shown(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of the named query `time_windows`, each with its view, as the page shows them."""
    order = sorted(rows, key=lambda row: (row["span_days"], row["view"] != "raw"))
    words = {1: "1 day", 7: "7 days", 30: "30 days", 365: "365 days"}
    return [
        [
            words[row["span_days"]] + ("" if row["window_full"] else " (part)"),
            row["view"],
            PAGE.count(row["n"]),
            PAGE.count(row["unknown"]),
            PAGE.share(row["top4_share"]),
            PAGE.share(row["top4_share_upper"]),
            PAGE.share(row["top4_work_share"]) if row["span_days"] == 365 else "–",
            PAGE.share(row["top1_share"]),
            PAGE.count(round(10_000 * row["hhi"])),
            PAGE.count(row["nakamoto_half"]),
        ]
        for row in order
    ]


def test_every_figure_is_what_the_sql_beside_it_gives(desk: RunningDesk, told: ClickHouse) -> None:
    with desk.opened() as client:
        wait_for(lambda: "Being read" not in client.get("/").text, "the panels", lambda: client.get("/").text[-3_000:])
        page = client.get("/").text
    shown = figures(page)
    expected = {"tip": PAGE.count(LAST)}
    for view in ("raw", "entity"):
        names = [column for column, _ in next(told.stream(named_query("concentration_now").sql, {"view": view}))[0]]
        rows = told.query(named_query("concentration_now").sql, {"view": view})
        row = next(
            found
            for found in (dict(zip(names, row, strict=True)) for row in rows)
            if (found["chain"], found["window_blocks"]) == ("bitcoin", 1008)
        )
        expected |= {
            f"top4-{view}": PAGE.share(row["top4_share"]),
            f"largest-{view}": PAGE.share(row["top1_share"]),
            f"majority-{view}": PAGE.count(row["nakamoto_half"]),
        }
    [(firing,)] = told.query("SELECT count() FROM alerts WHERE state = 'firing'")
    expected["firing"] = f"{firing} firing"
    assert {name: shown[name] for name in expected} == expected
    [(low, high)] = told.query(
        "SELECT least(l_dropped, l_one_owner, l_spread), greatest(l_dropped, l_one_owner, l_spread) FROM latest_asymmetry "
        "WHERE series = 'epoch-ai-compute-owners' AND list_id = 'all-owners' AND chain = 'bitcoin' AND view = 'raw' "
        "AND window_blocks = 1008 AND knowledge = 'latest'"
    )
    assert shown["gap"] == PAGE.doublings_range(low, high)
    hours = [
        row | {"view": view}
        for view in ("raw", "entity")
        for row in Asker(told, told.database).ask("hours", "time_windows", view=view)
    ]
    assert cells(page, "time-windows") == hours_shown(hours) and len(hours) == 8
    assert f"block {PAGE.count(hours[0]['height'])}" in page.partition('id="time-windows"')[2].partition("<details>")[0]
    assert "Simulated data." in page
    for panel in PANELS.values():
        assert f'id="{panel.name}"' in page
        assert "<summary>SQL" in page.partition(f'id="{panel.name}"')[2].partition("</section>")[0]


def test_the_api_has_what_the_panels_show(desk: RunningDesk) -> None:
    with desk.opened() as client:
        wait_for(lambda: "Being read" not in client.get("/").text, "the panels", lambda: client.get("/").text[-3_000:])
        page = client.get("/").text
        answers: dict[str, list[list[dict[str, Any]]]] = {}
        for panel in PANELS:
            body = page.partition(f'id="{panel}"')[2].partition("</section>")[0]
            for link in re.findall(r'href="(/api/v1/[^"]*format=json)"', body):
                answer = client.get(unescape(link))
                assert answer.status_code == 200, answer.text
                answers.setdefault(panel, []).append(answer.json()["data"])
    assert list(answers) == [name for name, panel in PANELS.items() if panel.api is not no_link]
    shown = figures(page)
    for row in answers["top4"][0]:
        if row["window_blocks"] == 1008:
            assert shown[f"top4-{row['view']}"] == PAGE.share(row["top4_share"])
            assert shown[f"largest-{row['view']}"] == PAGE.share(row["top1_share"])
            assert shown[f"majority-{row['view']}"] == PAGE.count(row["nakamoto_half"])
    leaders = [
        [row["name"], PAGE.count(row["blocks"]), PAGE.share(row["share"])] for rows in answers["pools"] for row in rows
    ]
    assert [[row[0], row[2], row[3]] for row in cells(page, "pools") if len(row) == 7] == leaders
    best = [row[0] for row in cells(page, "blocks") if row[4] in ("provisional", "settled")]
    assert best and best == [PAGE.count(row["height"]) for row in answers["blocks"][0]][: len(best)]
    assert [
        [PAGE.count(row["window_blocks"]), row["view"], PAGE.share(row["top4_share"])] for row in answers["windows"][0]
    ] == [[row[0], row[1], row[2]] for row in cells(page, "windows")]
    hours = [PAGE.share(rows[0]["top4_share"]) for rows in answers["time-windows"]]
    assert [row[4] for row in cells(page, "time-windows")] == hours
    firing = [row for row in answers["alerts"][0] if row["state"] == "firing"]
    assert shown["firing"] == f"{len(firing)} firing"


def test_it_opens_once_by_its_link_and_every_page_behind_it_answers(desk: RunningDesk, told: ClickHouse) -> None:
    import httpx

    with httpx.Client(base_url=desk.url, trust_env=False, timeout=PATIENCE_SECONDS) as stranger:
        assert [stranger.get(path).status_code for path in ("/", "/events", "/alert/x", "/open?key=x")] == [
            401,
            401,
            401,
            403,
        ]
        assert stranger.get("/healthz").status_code == 200
        assert stranger.get("/static/desk.css").headers["content-type"].startswith("text/css")
    used = desk.link()
    with desk.opened() as client:
        assert client.get(used).status_code == 403
        wait_for(lambda: client.get("/panel/top4").status_code == 200, "the first panel")
        tip = block_hash(f"bitcoin {LAST} ")
        for path in (
            "/pool/foundry-usa",
            f"/block/{tip}",
            "/series/pypi-edge-share",
            f"/alert/{ALERT}",
            "/chart/raw/all",
            "/as-of/2023-07-24",
        ):
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            head = client.head(path)
            assert (head.status_code, head.content, head.headers["content-type"]) == (
                200,
                b"",
                answer.headers["content-type"],
            )
        assert client.head("/events").headers["content-type"].startswith("text/event-stream"), "it ends with its head"
        assert "0.76</b>: the same value" in client.get(f"/alert/{ALERT}").text
        _every_claim_is_what_its_sql_gives(figures(client.get("/claims").text), told)
        for path in (
            "/pool/nobody",
            f"/block/{'0' * 64}",
            "/series/none",
            "/alert/ff",
            "/chart/raw/ever",
            "/panel/none",
            "/as-of/2020-01-01",
        ):
            assert client.get(path).status_code == 404, path
        assert "choose 2023-07-" in client.get("/as-of/2020-01-01").text
        for day in ("June", "9999-12-31", "0001-01-01", "2009-01-02", "2100-01-02"):
            assert client.get(f"/as-of/{day}").status_code == 400, day
        assert client.get("/as-of/2100-01-01").status_code == 200
        assert "r-superseded" in client.get("/as-of/2023-07-24").text
        moved = _table(client.get(f"/block/{tip}").text, "Windows that it moved")
        assert [row[:2] for row in moved] == [["144", "raw"], ["144", "entity"], ["1,008", "raw"], ["1,008", "entity"]]
        lost = told.query("SELECT hash FROM blocks_all WHERE status = 'stale' LIMIT 1")[0][0]
        assert "only a scored block of the best chain" in client.get(f"/block/{lost}").text
        assert int(re.sub(r"\D", "", re.findall(r"<h1>Block ([\d,]+)", client.get(f"/block/{tip}").text)[0])) == LAST


def test_ticked_pools_are_the_merger_of_the_command(desk: RunningDesk, told: ClickHouse) -> None:
    window = read_pool_blocks(told, "bitcoin", 144)
    unknown = window.views["raw"].unknown
    merger = merge(window.raw, ("antpool", "f2pool"), unknown)
    with desk.opened() as client:
        wait_for(lambda: client.get("/panel/meaning").status_code == 200, "the panel")
        assert 'href="/what-if"' in client.get("/panel/meaning").text
        plain = client.get("/what-if").text
        assert "No two pools are ticked." in plain and plain.count('type="checkbox"') == len(window.raw)
        for query in ({"pool": ["antpool", "f2pool"]}, {"pool": "f2pool+antpool"}):
            page = client.get("/what-if", params={**query, "window": "144"}).text
            assert PAGE.share(merger.share) in page and merger.verdict() in page and page.count(" checked") == 2
            rows = {row[0]: row[1:] for row in _table(page, "Before and after")}
            assert rows["top 4"][:2] == [PAGE.share(merger.before.top4_share), PAGE.share(merger.after.top4_share)]
            assert rows["HHI, of 10,000"][1] == PAGE.count(round(merger.after.hhi_points))
        pairs = pairwise_mergers(window.raw, unknown, largest=6)
        assert [row[0] for row in _table(page, "Mergers of two")] == [" + ".join(pair.members) for pair in pairs]
        assert "--height" in page and "pool_contents" in page
        for query, status in (({"pool": "nobody"}, 404), ({"pool": ["f2pool"] * 70}, 200), ({"window": "7"}, 400)):
            answer = client.get("/what-if", params=query)
            assert answer.status_code == status, answer.text
        assert "made no block of the window" in client.get("/what-if", params={"pool": "nobody"}).text


def _table(page: str, name: str) -> list[list[str]]:
    body = page.partition(f'aria-label="{name}"><thead>')[2].partition("</table>")[0]
    return [
        [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r'data-head="[^"]*">(.*?)</t[hd]>', row)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body)[1:]
    ]


def _every_claim_is_what_its_sql_gives(shown: dict[str, str], sample: ClickHouse) -> None:
    expected = {}
    for claim in CLAIMS:
        if claim.sql:
            [(then, now, *_)] = sample.query(claim.sql)
            for name, value in ((f"{claim.name}-then", then), (f"{claim.name}-now", now)):
                unknown = value is None or math.isnan(value)
                expected[name] = written(None if unknown else value, claim.unit, PAGE)
    assert {name: value for name, value in shown.items() if name.endswith(("-then", "-now"))} == expected
    assert any("%" in value for value in expected.values())


class Chain:
    """A live dataset whose blocks a test sends, folded as the streams service does."""

    def __init__(self, server: ClickHouseServer, dataset: str, folder: Path) -> None:
        make_database(server.target, Dataset(dataset, "live"))
        self.dataset = dataset
        self.status = ServiceStatus("streams", folder, SystemClock())
        waiter = Waiter(SystemClock(), self.status, lambda: False)
        self.worker = BlockWorker(
            WorkerStore(connect(server.target, dataset), waiter), dataset=dataset, limit=DeadLetterLimit(0, 0.5)
        )
        self.worker.assign(frozenset(range(BLOCKS.partitions)))

    def send(self, events: list) -> None:  # type: ignore[type-arg]
        self.worker.handle([RawMessage(*envelope_of(self.dataset, events))])

    def close(self) -> None:
        self.worker.close()
        self.status.close()


@pytest.fixture
def chain(clickhouse: ClickHouseServer, tmp_path: Path) -> Iterator[Chain]:
    made = Chain(clickhouse, f"web_{secrets.token_hex(6)}", tmp_path / "streams")
    yield made
    made.close()


def on(chain: Chain, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path) -> Settings:
    return settings_for(
        kafka, clickhouse, tmp_path / "state", dataset=chain.dataset, desk={"port": 0, "refresh_seconds": 0.05}
    )


def test_the_page_has_the_line_of_the_rules_in_use(
    told: ClickHouse, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_watch, "LOOK_SECONDS", 0.1)
    file = tmp_path / "rules.yaml"

    def save(above: float, rule: str = "top4-share") -> None:
        file.write_text(
            f"version: 1\nrules: [{{id: {rule}, type: top_share, window_blocks: 144, above: {above}, clear_below: 0.5}}]\n"
        )

    def share_line(viewer: Events) -> str:
        return "".join(re.findall(r"the line of ([\d.]+)", viewer.newest("top4"))[:1])

    def detail(desk: RunningDesk) -> str:
        return judge("desk", desk.status.snapshot(), SystemClock().now(), None).detail

    save(1.5)
    settings = settings_for(
        kafka,
        clickhouse,
        tmp_path / "state",
        dataset=told.database,
        desk={"port": 0, "refresh_seconds": 0.05},
        alerts={"rules_file": file},
    )
    with running_desk(settings) as desk, desk.opened() as client:
        viewer = Events(client)
        wait_for(lambda: "no line is drawn" in viewer.head(), "a start with a mistake")
        wait_for(lambda: viewer.newest("top4"), "the figures")
        assert "&#x27;above&#x27; is 1.5" in viewer.head() and not share_line(viewer)
        assert detail(desk).startswith("no rules are in use, and the page draws no line: rules file")
        save(0.75)
        wait_for(lambda: share_line(viewer) == "75", "the line of the corrected file")
        save(0.8, "top4-high")
        wait_for(lambda: share_line(viewer) == "80", "the line of the edited rule")
        file.write_text("version: 1\nrules: [")
        wait_for(lambda: "the rules of before are in use" in viewer.head(), "a mistake later")
        assert share_line(viewer) == "80"
        assert detail(desk).startswith("the rules of before are in use: rules file")
        viewer.end()


def test_a_block_and_a_reorganisation_reach_every_viewer(
    chain: Chain, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    trunk = branch(1_020)
    chain.send(trunk)
    with running_desk(on(chain, kafka, clickhouse, tmp_path)) as desk, desk.opened() as client, desk.opened() as other:
        viewers = [Events(client), Events(other)]
        tip = trunk[-1]
        wait_for(lambda: all(PAGE.count(tip.height) in one.head() for one in viewers), "the tip on both")
        grown = block(tip.height + 1, tip.hash, label="antpool")
        chain.send([grown])
        wait_for(lambda: all(PAGE.count(grown.height) in one.head() for one in viewers), "the next block on both")
        wait_for(lambda: all(grown.hash in one.newest("blocks") for one in viewers), "it on the tape")
        parent, heavier = trunk[-2], []
        for old in (tip, grown):
            parent = block(old.height, parent.hash, label="luxor", bits=HARD_BITS, salt="heavier")
            heavier.append(parent)
        chain.send(heavier)
        wait_for(lambda: all(heavier[-1].hash in one.newest("blocks") for one in viewers), "the other branch")
        for one in viewers:
            assert "stale" in one.newest("blocks"), "the block that lost is shown as such"
            one.end()


def test_the_page_keeps_its_figures_while_clickhouse_is_gone(
    kafka: RunningKafka, own_clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    chain = Chain(own_clickhouse, "web_outage", tmp_path / "streams")
    chain.send(branch(200))
    with running_desk(on(chain, kafka, own_clickhouse, tmp_path)) as desk, desk.opened() as client:
        events = Events(client)
        wait_for(lambda: "data-figure" in events.newest("top4"), "the figures")
        own_clickhouse.kill()
        wait_for(lambda: "ClickHouse does not answer" in events.head(), "word of the outage")
        page = client.get("/")
        assert page.status_code == 200 and figures(page.text)["top4-raw"]
        assert client.get("/healthz").status_code == 503
        assert client.get("/pool/foundry-usa").status_code == 503
        assert desk.status.snapshot()["waiting_on"] == "clickhouse"
        own_clickhouse.restart()
        wait_for(lambda: "ClickHouse does not answer" not in events.head(), "word of the recovery")
        wait_for(lambda: client.get("/healthz").status_code == 200, "health")
        events.end()
    chain.close()
