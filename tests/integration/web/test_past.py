"""The page of a past block over real engines: it is the page that stood there when that block was the newest."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest

from counterpoise.clickhouse.client import ClickHouse, connect
from counterpoise.clickhouse.explain_window import read_pair
from counterpoise.formats import PAGE
from desk.web.panels.panel_registry import PANELS
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.integration.sql.sample import ALERT, FIRST, LAST
from tests.integration.streams.blocks import block, branch
from tests.integration.web.running import RunningDesk, running_desk
from tests.integration.web.test_desk import Chain, cells, chain, figures, hours_shown, on
from tests.long import long
from tests.waiting import wait_for

__all__ = ["chain"]

LONG, SHORT = 1_200, 1_060


def panel_of(page: str, name: str) -> str:
    return page.partition(f'id="{name}"')[2].partition("</section>")[0]


def content(page: str, name: str) -> str:
    """What a panel shows, without what names the block of a page of the past."""
    shown = panel_of(page, name).partition("<details>")[0].partition('<div class="content">')[2]
    for mark in (" (provisional)", re.compile(r' data-height="\d+"')):
        shown = shown.replace(mark, "") if isinstance(mark, str) else mark.sub("", shown)
    return shown


def ready(served: RunningDesk, client: httpx.Client, height: int) -> str:
    """The live page once every panel of it was read at this height."""
    wait_for(lambda: served.status.snapshot()["info"].get("last_height") == height, "the whole page")
    return client.get("/").text


def test_a_past_page_is_the_page_that_stood_there(
    chain: Chain, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    blocks = branch(LONG)
    cut = blocks[SHORT - 1]
    chain.send(blocks[:SHORT])
    with running_desk(on(chain, kafka, clickhouse, tmp_path)) as served, served.opened() as client:
        then = ready(served, client, cut.height)
        chain.send(blocks[SHORT:])
        now = ready(served, client, blocks[-1].height)
        again = client.get(f"/?height={cut.height}").text
        differ = {name for name in PANELS if content(then, name) != content(now, name)}
        assert {"top4", "largest", "shares", "pools", "windows", "blocks"} <= differ, "the chain went on"
        for name in PANELS:
            assert content(again, name) == content(then, name), name
        assert "data-live" in now and "data-live" not in again
        assert client.get(f"/chart/raw/24h?height={cut.height}").text != client.get("/chart/raw/24h").text


def test_the_sql_beside_each_figure_of_the_past_gives_it(desk: RunningDesk, told: ClickHouse) -> None:
    height = FIRST + 300
    with desk.opened() as client:
        ready(desk, client, LAST)
        page = client.get(f"/?height={height}").text
    shown = figures(page)
    assert shown["tip"] == PAGE.count(height)
    asked = 0
    rows: dict[str, list[dict[str, object]]] = {}
    for name in PANELS:
        for link in re.findall(r'href="/sql#([^"]+)"', panel_of(page, name)):
            given = dict(parse_qsl(unescape(link)))
            sql = given.pop("sql")
            bound = {key.removeprefix("p."): value for key, value in given.items()}
            assert bound.get("height") == str(height) or "at" in bound, (name, "every query is bound to the block")
            names: list[str] = []
            found: list[dict[str, object]] = []
            for heads, columns in told.stream(sql, bound):
                names = names or [column for column, _ in heads]
                found.extend(dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
            rows.setdefault(name, []).extend(row | {"asked_view": bound.get("view")} for row in found)
            asked += 1
    assert asked > 15
    for view in ("raw", "entity"):
        [row] = [one for one in rows["top4"] if one.get("window_blocks") == 1008 and one["asked_view"] == view]
        assert row["height"] == height
        assert shown[f"top4-{view}"] == PAGE.share(row["top4_share"])  # type: ignore[arg-type]
        assert shown[f"largest-{view}"] == PAGE.share(row["top1_share"])  # type: ignore[arg-type]
        assert shown[f"majority-{view}"] == PAGE.count(row["nakamoto_half"])  # type: ignore[arg-type]
    hours = [row | {"view": row["asked_view"]} for row in rows["time-windows"]]
    assert cells(page, "time-windows") == hours_shown(hours) and len(hours) == 8
    assert all(height - 6 <= row["height"] <= height for row in hours)  # type: ignore[operator]
    assert shown["firing"] == "0 firing", "the alert of the sample began later"
    assert max(row["height"] for row in rows["blocks"]) == height  # type: ignore[type-var]


def test_an_alert_fires_on_the_pages_of_its_time(
    own_sample: ClickHouse, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    """The sample's alert fires and clears at the newest block: pages below have none, and a step taken back is not shown."""
    settings = settings_for(kafka, clickhouse, tmp_path, dataset=own_sample.database, desk={"port": 0})
    with running_desk(settings) as desk, desk.opened() as client:
        ready(desk, client, LAST)
        below, at = (client.get(f"/?height={height}").text for height in (LAST - 1, LAST))
        assert ALERT not in panel_of(below, "alerts") and ALERT in panel_of(at, "alerts")
        own_sample.execute(
            "INSERT INTO alert_events_log SELECT * REPLACE (3 AS sequence, 'firing' AS state, 'reorg' AS reason, [2] AS undoes) "
            "FROM (SELECT * FROM alert_events_log FINAL WHERE sequence = 2)"
        )
        again = client.get(f"/?height={LAST}").text
        assert figures(again)["firing"] == "1 firing", "the clearing was taken back, so the firing stands"


def test_an_address_of_a_time_leads_to_its_block(
    chain: Chain, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    blocks = branch(600)
    back = block(blocks[-1].height + 1, blocks[-1].hash, time=blocks[-1].time - 3_000)
    chain.send([*blocks, back])
    with running_desk(on(chain, kafka, clickhouse, tmp_path)) as served, served.opened() as client:
        ready(served, client, back.height)

        def found(seconds: int) -> str:
            from datetime import UTC, datetime

            moment = datetime.fromtimestamp(seconds, UTC).isoformat()
            answer = client.get("/", params={"at": moment}, follow_redirects=False)
            return str(answer.headers["location"]).partition("?")[2]

        for place in (0, 1, 143, 144, 300, 592):
            assert found(blocks[place].time) == f"height={blocks[place].height}"
            assert found(blocks[place].time + 599) == f"height={blocks[place].height}", "until the next block"
        assert found(back.time + 10) == f"height={back.height}", "the highest block with an earlier header time"
        assert found(blocks[-1].time + 10**6) == f"height={back.height}"
        assert client.get("/", params={"at": "1999-01-01"}).status_code == 404
        assert client.get("/", params={"height": back.height + 1}).status_code == 404
        assert client.get("/", params={"height": "<script>"}).status_code == 400
        assert "<script>" not in client.get("/", params={"height": "<script>"}).text.partition("<main")[2]
        panel = client.get("/panel/top4", params={"at": "2099-01-01"})
        assert panel.url.query.decode() == f"height={back.height}" and "The past." in panel.text


def test_the_gap_of_the_past_uses_what_was_known(own_sample: ClickHouse) -> None:
    from desk.asker import Asker
    from tests.integration.report.ai_side import insert_packages, insert_scores

    insert_scores(own_sample)
    insert_packages(own_sample)
    own_sample.execute(
        "INSERT INTO asymmetry_log SELECT * REPLACE ('live' AS knowledge, l_one_owner + 9 AS l_one_owner) FROM asymmetry_log FINAL "
        "WHERE kind = 'day'"
    )
    asker = Asker(own_sample, own_sample.database)
    for at in ("2023-07-24 00:00:00", "2023-06-15 00:00:00", "2020-01-01 00:00:00"):
        rows = asker.ask("gap", "gap_at", at=at)
        day = at[:10]
        assert all(str(row["day"]) < day and row["l_one_owner"] >= 9 for row in rows)
        assert [row["at_tip"] for row in rows] == [False] * (len(rows) - 1) + [True] * bool(rows)
        assert len(rows) == {"2023-07-24": 2, "2023-06-15": 2, "2020-01-01": 0}[day]
        # Both releases of packages were published on 2023-06-29, 00:53 UTC.
        edge = asker.ask("edge", "edge_share_at", at=at)
        assert {str(row["period_end"]) for row in edge} == ({"2023-05-31", "2023-06-30"} if day > "2023-07" else set())
        known = [row for row in asker.ask("series", "series_age_at", at=at) if row["period_end"] is not None]
        assert len(known) == (1 if day > "2023-07" else 0)


def test_the_past_reads_a_bounded_number_of_rows(chain: Chain, clickhouse: ClickHouseServer) -> None:
    chain.send(branch(300))
    with connect(clickhouse.target, chain.dataset) as ch:
        from desk.named_queries import named_query

        query = named_query("concentration_at")
        bound = query.bind({"height": "715100"})
        sql = re.sub(
            r"\{(\w+):[^}]+\}",
            lambda found: f"'{bound[found[1]]}'" if found[1] != "height" else bound["height"],
            query.sql,
        )
        plan = "\n".join(line for (line,) in ch.query("EXPLAIN indexes = 1 " + sql))
        assert "height in [715100, 715100]" in plan


@pytest.mark.parametrize("spacing", [60, *long(600, 6_000)])  # long: blocks that come as they should, and rarely
def test_the_block_of_a_day_before_is_found_however_fast_blocks_came(
    chain: Chain, clickhouse: ClickHouseServer, spacing: int
) -> None:
    """At one block a minute the day is longer than the heights that are read first."""
    made, tip = [], None
    for height in range(715_000, 716_700):
        tip = block(height, tip.hash if tip else "00" * 32, time=1_640_000_000 + spacing * (height - 715_000))
        made.append(tip)
    for at in range(0, len(made), 400):
        chain.send(made[at : at + 400])
    with connect(clickhouse.target, chain.dataset) as ch:
        given = {"height": None, "from_height": None, "over_seconds": 86_400}
        pair = read_pair(ch, "bitcoin", "raw", 144, **given)  # type: ignore[arg-type]
        assert pair.before.height == made[-1].height - 86_400 // spacing - (86_400 % spacing > 0)
