"""Every panel with ordinary, empty and hostile values: what comes from outside is text, wherever it stands."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from counterpoise.clickhouse.explain_window import WindowPair
from counterpoise.clickhouse.pool_blocks import PoolBlocks, ViewOfWindow
from counterpoise.explain.explained_change import Window, explain
from counterpoise.formats import PAGE
from counterpoise.plots.sparkline import sparkline
from counterpoise.pools.entity_map import EntityGroup, EntityMap, Membership
from counterpoise.risk.mergers import merge, pairwise_mergers
from desk.adversaries import Adversary, risk_json
from desk.as_of.known import NOT_VERSIONED, AsOf, Known
from desk.claims.article_claims import CLAIMS
from desk.claims.checked_claims import Checked
from desk.entity_readings import sensitivity
from desk.report.gap_sentence import GapRow
from desk.report.report_model import MiningNow, PoolShare, RuleLine
from desk.web import page_frame
from desk.web.drawing import Drawn
from desk.web.hub import LineState
from desk.web.pages import alert_page, as_of_page, block_page, claims_page, pool_page, series_page, what_if_page
from desk.web.panels.alerts_panel import Alerts
from desk.web.panels.meaning_panel import Meaning
from desk.web.panels.moved_panel import Moved
from desk.web.panels.panel import PageContext
from desk.web.panels.panel_registry import PANELS
from desk.web.panels.pools_panel import Pools
from desk.web.panels.quality_panel import Quality
from desk.web.panels.scorecard_panel import STATED
from desk.web.panels.shares_panel import Shares
from desk.web.panels.top4_panel import Top4Reading, difference
from tests.unit.report.made import report

EVIL = "<script>alert(1)</script>\"'&\u202e\x1b[31m</td>"
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
CONTEXT = PageContext(
    "demo", "simulated", "bitcoin", 1008, RuleLine("top4-share", "Top 4", "raw", 1008, 0.75, 0.73, 36), AT
)


def now(view: str, top4: float, name: str) -> tuple[MiningNow, list[PoolShare]]:
    found = MiningNow(
        view=view,
        window_blocks=1008,
        height=900_000,
        time=AT,
        blocks=1008,
        unknown=2,
        pools_seen=20,
        top4=top4,
        top4_upper=top4 + 0.002,
        top4_low=top4 - 0.03,
        top4_high=top4 + 0.03,
        p_above_75=0.5,
        hhi_points=1500.0,
        effective_pools=6.0,
        nakamoto_half=3,
        provisional=True,
        attribution_id=name,
    )
    return found, [PoolShare(name, name, 300, 0.3, 0.27, 0.33)]


def top4(name: str) -> Top4Reading:
    raw, raw_leaders = now("raw", 0.7, name)
    entity, owners = now("entity", 0.82, name)
    return Top4Reading({"raw": raw, "entity": entity}, {"raw": raw_leaders, "entity": owners})


WINDOW = PoolBlocks(
    "bitcoin",
    1008,
    900_000,
    AT,
    "t",
    "r",
    {"raw": ViewOfWindow(1008, 2, 1, (("a", 305),)), "entity": ViewOfWindow(1008, 2, 1, (("a", 305),))},
    {"a": 305},
)
PAIR = WindowPair(Window({"a": 1}, 0, 900_000), Window({"a": 1}, 0, 901_008), None, None, AT, AT, "r", "r")


def meant(name: str) -> dict[str, Any]:
    one = Adversary(name, "raw", (name, name), 305, 0.3026, 0.331)
    return risk_json(one, 946_236, block_seconds=600.0, retarget_blocks=2016)


def detector(name: str, view: str, **more: Any) -> dict[str, Any]:
    never = dict.fromkeys(("fired_height", "fired_time", "cleared_height", "cleared_time"))
    return {
        "height": 900_000, "time": AT, "view": view, "detector": name, "firing": False, "evidence": 0.02, "evidence_blocks": 10_512.0,
        **never, **more,
    }  # fmt: skip


def scores(part: str) -> dict[str, Any]:
    return {
        "part": part, "forecasts": 400, "coverage": 0.945, "brier_score": 0.0871, "stated_above_75": 0.31, "came_above_75": 0.28,
        "share_minus_outcome": 0.002, "newest_height": 898_992, "newest_time": AT,
    }  # fmt: skip


def rows(name: str) -> dict[str, Any]:
    """What each panel reads, with `name` wherever a text comes from outside."""
    step = {
        "alert_id": name,
        "rule_id": name,
        "state": name,
        "event_time": AT,
        "summary": name,
        "cleared_at": AT,
        "fired_at": AT,
    }
    gap = [replace(row, level=name, regime=name) for row in report().gap_rows]
    window = {
        "chain": "bitcoin", "window_blocks": 1008, "view": name, "top4_share": 0.7, "top4_share_low": 0.6, "top4_share_high": 0.8,
        "p_top4_above_75": 0.1, "top1_share": 0.3, "hhi_10000": 1500.0, "effective_pools_d2": 6.0, "nakamoto_half": 3,
        "height": 900_000, "time": AT,
    }  # fmt: skip
    span = {
        "span_days": 365, "view": name, "height": 900_000, "time": AT, "n": 52_560, "unknown": 300, "window_full": False,
        "top1_share": 0.3, "top4_share": 0.7, "top4_share_upper": 0.71, "top4_work_share": 0.72, "hhi": 0.15, "nakamoto_half": 3,
    }  # fmt: skip
    pools = [
        {
            "pool": name,
            "name": name,
            "blocks_now": 300,
            "n_now": 1008,
            "share_now": 0.3,
            "share_week_before": 0.2,
            "share_month_before": 0.0,
            "rank_now": 1,
            "rank_then": 2,
            "window_then": True,
            "to_height": 900_000,
            "to_time": AT,
        }
    ]
    courses = {name: [(899_712, 0.31), (899_856, 0.29), (900_000, 0.3)], f"{name}x": [(899_856, 0.2)]}
    tape = {
        "height": 900_000, "hash": name, "time": AT, "status": name, "provisional": True, "pool": name, "pool_name": name,
        "method": name, "conflict": False,
    }  # fmt: skip
    age = {"series": name, "period_end": date(2026, 1, 1), "age_days": 3.0, "stale": True, "missing": 1}
    letter = {"reason": name, "service": name, "letters": 2, "not_replayed": 1, "last_seen": AT}
    return {
        "top4": top4(name),
        "largest": top4(name),
        "alerts": Alerts([step], [step]),
        "gap": gap,
        "gap-history": gap,
        "moved": [
            Moved("raw", explain("top4_share", Window({name: 300}, 1, 900_000), Window({name: 310}, 1, 901_008)), PAIR)
        ],
        "meaning": Meaning([meant(name)], name),
        "shares": [Shares("raw", "30d", report().shares, report().episodes)],
        "pools": {"raw": Pools(pools, courses), "entity": Pools(pools, {})},
        "blocks": [tape],
        "windows": [window],
        "time-windows": [span, span | {"span_days": 1, "top4_work_share": float("nan"), "window_full": True}],
        "edge": {name: next(iter(report().edge.values()))},
        "quality": Quality([age], [letter]),
        "detectors": [detector(name, name)],
        "scorecard": {view: [scores("all"), scores("stated 0 % and more"), scores(name)] for view in ("raw", "entity")},
    }


EMPTY: dict[str, Any] = {
    "top4": Top4Reading({}, {}),
    "largest": Top4Reading({}, {}),
    "alerts": Alerts([], []),
    "gap": [],
    "gap-history": [],
    "moved": [],
    "meaning": None,
    "shares": [Shares("raw", "30d", [], [])],
    "pools": {"raw": Pools([], {}), "entity": Pools([], {})},
    "blocks": [],
    "windows": [],
    "time-windows": [],
    "edge": {},
    "quality": Quality([], []),
    "detectors": [],
    "scorecard": {"raw": [], "entity": []},
}


class Elements(HTMLParser):
    """The elements of markup, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def inert(drawn: str) -> None:
    """No element, attribute or control character that a text brought."""
    found = Elements(drawn)
    assert "script" not in found.tags
    assert not any(name.startswith("on") or name == "style" for name, _ in found.attributes)
    assert all(
        value is None or not value.lower().lstrip().startswith(("javascript:", "data:"))
        for name, value in found.attributes
        if name in ("href", "src")
    )
    assert "\x1b" not in drawn and "\u202e" not in drawn


def test_there_is_a_case_for_every_panel() -> None:
    assert rows("x").keys() == EMPTY.keys() == PANELS.keys()


OF_BLOCKS = [name for name in PANELS if name not in ("alerts", "blocks", "edge", "quality")]
"""Panels with figures of windows. The others list alerts, blocks, series and dead letters, each with its own time."""


@pytest.mark.parametrize("name", OF_BLOCKS)
def test_a_panel_names_its_window_its_denominator_and_its_time(name: str) -> None:
    found = rows("a")
    found["meaning"] = Meaning([meant("a")], WINDOW.denominator)
    drawn = Elements(PANELS[name].draw(found[name], CONTEXT)).words
    assert re.search(r"\b[\d,]+ (blocks|days)\b|window, in blocks", drawn), "its window"
    assert re.search(r"unknown|without a known producer", drawn), "what becomes of unknown blocks"
    assert re.search(r"(block|height) \d{3},\d{3}|to \d{1,2}\s\w{3}\s\d{4}", drawn), "its newest block, or day"


@pytest.mark.parametrize("name", PANELS)
def test_a_hostile_text_is_text(name: str) -> None:
    ordinary, hostile = (PANELS[name].draw(rows(text)[name], CONTEXT) for text in ("ordinary", EVIL))
    inert(hostile)
    assert Elements(hostile).tags == Elements(ordinary).tags
    inert(page_frame.panel_box(Drawn(PANELS[name], hostile, (), 1)))


HOSTILE = st.text(
    st.sampled_from("<>&\"'`=/\\ \x00\x1b\u202e\u2028") | st.characters(codec="utf-8"), min_size=1, max_size=40
)


@pytest.mark.parametrize("name", PANELS)
@settings(max_examples=25)
@given(text=HOSTILE)
def test_any_text_is_text(name: str, text: str) -> None:
    assume(not text.startswith(STATED))  # the query's own word for another kind of row
    ordinary, drawn = (PANELS[name].draw(rows(one)[name], CONTEXT) for one in ("ordinary", text))
    inert(drawn)
    assert Elements(drawn).tags == Elements(ordinary).tags


@settings(max_examples=60)
@given(text=HOSTILE)
def test_any_text_on_the_pages_behind_links_is_text(text: str) -> None:
    def drawn(words: str) -> list[str]:
        def said(row: dict[str, Any]) -> dict[str, Any]:
            return {key: words if value == EVIL else value for key, value in row.items()}

        made = said(BLOCK) | {"payout_addresses": [words], "coinbase_script_hex": words.encode().hex()}
        step = said(STEP) | {"counts": [(words, 300)]}
        member = dict.fromkeys(MEMBER, words)
        return [
            alert_page.draw(alert_page.AlertPage([step], 0.76, "", ()), words, CONTEXT),
            block_page.draw(block_page.BlockPage(made, [MOVED_WINDOW | {"view": text}], ())),
            pool_page.draw(
                pool_page.PoolPage(words, words, [member], None, [], [], rows(words)["blocks"], ()), CONTEXT
            ),
            page_frame.frame(words, "", replace(CONTEXT, dataset=words, chain=words), ""),
        ]

    for hostile, ordinary in zip(drawn(text), drawn("ordinary"), strict=True):
        assert Elements(hostile).tags == Elements(ordinary).tags
        assert "\x1b" not in hostile and "\u202e" not in hostile


@pytest.mark.parametrize("name", PANELS)
def test_an_empty_dataset_has_words(name: str) -> None:
    assert Elements(PANELS[name].draw(EMPTY[name], CONTEXT)).words.strip()


def test_both_shares_and_the_distance_to_the_line_are_named() -> None:
    words = Elements(PANELS["top4"].draw(top4("Foundry USA"), CONTEXT)).words.replace("\xa0", " ")
    assert "Top-4 pools70.0 %" in words and "5.0 points below the line of 75 %" in words
    assert "Top-4 entities82.0 %" in words and "7.0 points above the line of 75 %" in words
    assert "The entity view is 12.0 points higher" in words


def test_two_equal_views_are_said_to_agree() -> None:
    found = top4("a")
    same = Top4Reading({"raw": found.now["raw"], "entity": replace(found.now["raw"], view="entity")}, found.leaders)
    assert difference(same).startswith("Both views agree")
    assert difference(Top4Reading({"raw": found.now["raw"]}, found.leaders)) == ""


def test_detectors_name_their_state_their_evidence_and_their_last_changes() -> None:
    fired = {"firing": True, "evidence": 4e-5, "fired_height": 890_000, "fired_time": AT}
    found = [detector("top4_above_75", "raw", **fired), detector("hhi_above_1800", "entity", evidence=0.41)]
    words = Elements(PANELS["detectors"].draw(found, CONTEXT)).words.replace("\xa0", " ")
    assert "the top 4 above 75 %poolsfiringunder 0.1 %block 890,000, 2 Jan 2026not in 105,120 blocks" in words
    assert "HHI above 1,800 pointsentitiesclear41.0 %not in 105,120 blocksnot in 105,120 blocks" in words
    assert (
        "1 of 2 detectors fire. The nearest to a change has 41.0 % of the evidence: HHI above 1,800 points, entities."
        in words
    )
    assert "one false alarm in 10 years of 52,560 blocks expected of each" in words


def test_the_scorecard_names_coverage_brier_score_and_each_bin() -> None:
    found = {"raw": [scores("2025"), scores("all"), scores("stated 20 % and more")], "entity": []}
    words = Elements(PANELS["scorecard"].draw(found, CONTEXT)).words.replace("\xa0", " ")
    assert "The 95 % interval held in 94.5 % of 400 forecasts. The Brier score is 0.087." in words
    assert "31 % was true in 28 %." in words and "stated 20 % and more40094.5 %0.08731.0 %28.0 %" in words
    assert "Entities" not in words


MEMBER = ("entity_slug", "entity_name", "start", "end", "confidence", "seen", "source", "seen_in", "note")
FOUND = sensitivity(
    {EVIL: 30, "b": 20, "c": 20, "d": 10, "e": 10},
    10,
    EntityMap(
        (EntityGroup("g", "G", tuple(Membership(one, None, None, "s", confidence="assumed") for one in (EVIL, "e"))),)
    ),
    AT.date(),
)


def test_the_page_of_a_day_names_what_differs() -> None:
    then = Known({"rules": {EVIL: EVIL}, "alerts": {"a": True}, "releases": {"x": 1.5}}, (EVIL,))
    now = Known({"rules": {EVIL: "b"}, "alerts": {"a": True}})
    drawn = as_of_page.draw(AsOf(date(2024, 6, 30), "bitcoin", 1008, 850_000, AT, then, now, (EVIL,)), CONTEXT)
    inert(drawn)
    words = Elements(drawn).words
    assert "2 facts differ" in words and "the rule was edited since" in words and "All facts: 3" in words
    assert all(note in words for note in NOT_VERSIONED.values())
    since = Known({"rules": {"new-rule hash": "c"}, "alerts": {"a": True}})
    one = Elements(
        as_of_page.draw(AsOf(date(2024, 6, 30), "bitcoin", 1008, 850_000, AT, Known({}), since), CONTEXT)
    ).words
    assert "All facts: 2" in one and one.count("rules new-rule hash") == 2, "what became known since is a fact, too"
    one = Elements(
        as_of_page.draw(
            AsOf(date(2024, 6, 30), "bitcoin", 1008, 850_000, AT, Known({"alerts": {"a": True}}), since), CONTEXT
        )
    ).words
    assert "1 fact differs between" in one
    same = as_of_page.draw(AsOf(date(2024, 6, 30), "bitcoin", 1008, 850_000, AT, now, now), CONTEXT)
    assert "No fact differs." in Elements(same).words


def test_a_pools_page_shows_other_joining_dates() -> None:
    drawn = pool_page.draw(pool_page.PoolPage("e", "E", [], FOUND, [], [], [], ()), CONTEXT)
    words = Elements(drawn).words.replace("\xa0", " ")
    # 40 + 20 + 20 + 10 of 100; without e's membership 30 + 20 + 20 + 10.
    assert "changes by −10.0 points" in words and "90.0 %" in words and "80.0 %" in words
    other = Elements(pool_page.draw(pool_page.PoolPage("z", "Z", [], FOUND, [], [], [], ()), CONTEXT)).words
    assert "its own date changes nothing now" in other


def test_a_pools_page_has_its_rank_and_its_runs_beside_what_chance_gives() -> None:
    history = [
        {
            "height": n,
            "time": AT,
            "blocks": 300,
            "n": 1008,
            "unknown": 1,
            "share": 0.3,
            "share_upper": 0.31,
            "rank": rank,
        }
        for n, rank in ((1_008, 0), (2_016, 2))
    ]
    run = {"run_blocks": 2, "from_height": 10, "to_height": 11, "to_time": AT, "blocks": 5, "n": 10}
    # At a share of one half: a quarter, times 1 + 8 · one half. Of 1,024 sequences 144 (a Fibonacci number) have no two in a row.
    runs = [{**run, "expected": 1.25, "probability": 1 - 144 / 1_024}]
    words = Elements(pool_page.draw(pool_page.PoolPage("e", "E", [], None, history, runs, [], ()), CONTEXT)).words
    words = words.replace("\xa0", " ")
    assert "Share now30.0 %300 of the last 1,008 blocks; at most 31.0 % with all unknown blocks" in words
    assert "Rank now2among the pools of that window; block 2,016" in words
    assert "30.0 %31.0 %–" in words, "no rank without a block"
    assert "21011" in words and "1.2585.9 %" in words and "5 of the newest 10 blocks are this pool's" in words
    assert "so it has no run" in pool_page.draw(pool_page.PoolPage("e", "E", [], None, [], [], [], ()), CONTEXT)


STEP = {
    "sequence": 1, "rule_id": EVIL, "state": "firing", "previous_state": EVIL, "reason": EVIL, "event_time": AT, "recorded_at": AT,
    "value": 0.76, "value_low": 0.76, "value_high": 0.77, "interval_low": 0.74, "interval_high": 0.78, "threshold": 0.75,
    "summary": EVIL, "chain": EVIL, "view": EVIL, "window_blocks": 1008, "from_height": 1, "height": 1008, "tip_hash": EVIL,
    "attribution_id": EVIL, "n": 1008, "unknown": 1, "pools_seen": 9, "counts": [(EVIL, 300)], "reproduce_sql": EVIL, "metric": EVIL,
    "instance": "", "rule_type": EVIL,
}  # fmt: skip
BLOCK = {
    "chain": EVIL, "height": 1, "hash": EVIL, "prev_hash": EVIL, "time": AT, "status": EVIL, "pool": EVIL, "method": EVIL,
    "conflict": True, "template_builder": EVIL, "attribution_id": EVIL, "coinbase_script_hex": EVIL.encode().hex(),
    "payout_addresses": [EVIL], "label": EVIL, "fees_sats": None, "source": EVIL, "synthetic": True, "seen_at": AT,
    "transactions": 1, "size_bytes": 300, "weight": None, "match_ratio": 0.98, "similarity_ratio": 0.9, "expected_fees_sats": 7,
    "expected_weight": 900,
}  # fmt: skip


MOVED_WINDOW = {
    "view": EVIL, "window_blocks": 144, "top4_before": 0.75, "top4_after": 0.75 + 1 / 144, "top4_change": 1 / 144,
    "hhi_before": 1_800.0, "hhi_after": 1_790.36, "hhi_change": -9.64, "majority_before": 3, "majority_after": 2, "to_height": 1,
}  # fmt: skip


def test_a_block_shows_the_windows_that_it_moved() -> None:
    words = Elements(
        block_page.draw(block_page.BlockPage(BLOCK | {"height": 900_000}, [MOVED_WINDOW | {"view": "raw"}], ()))
    ).words
    words = words.replace("\u00a0", " ")
    assert "144raw75.69 %+0.69 points1,790.4\u22129.623" in words and "ends in block 899,999" in words
    first = dict.fromkeys(("top4_before", "top4_change", "hhi_before", "hhi_change", "majority_before"))
    assert "1,790.4–2–" in Elements(block_page.draw(block_page.BlockPage(BLOCK, [MOVED_WINDOW | first], ()))).words
    assert "no change" in block_page.draw(block_page.BlockPage(BLOCK, [MOVED_WINDOW | {"top4_change": 0.0}], ()))
    assert "only a scored block of the best chain" in block_page.draw(block_page.BlockPage(BLOCK, [], ()))


def asked_if(raw: dict[str, int], ticked: tuple[str, ...], unknown: int = 0) -> what_if_page.WhatIf:
    n = sum(raw.values()) + unknown
    ranked = sorted(raw.items(), key=lambda one: -one[1])
    of_view = ViewOfWindow(n, unknown, len(raw), tuple(ranked[:6]))
    window = PoolBlocks("bitcoin", 1008, 900_000, AT, "t", "r", {"raw": of_view, "entity": of_view}, raw)
    merger = merge(raw, ticked, unknown) if len(ticked) > 1 else None
    return what_if_page.WhatIf(window, ranked, ticked, merger, pairwise_mergers(raw, unknown, largest=6), ())


def test_ticked_pools_are_shown_as_one() -> None:
    """Of 10 blocks: 4, 3, 2 and one unknown. HHI 1600 + 900 + 400; b and c as one have 5, and HHI grows by 2 · 30 · 20 = 1200."""
    drawn = what_if_page.draw(asked_if({"a": 4, "b": 3, "c": 2}, ("b", "c"), unknown=1))
    words = " ".join(Elements(drawn).words.split())
    assert "b + c as one: 50.0 % of blocks. The market after it: presumed harmful." in words
    assert "HHI, of 10,0002,9004,100+1,200" in words
    assert "pools for a majority22" in words and "no number suffices" in words
    assert "a + b70.0 %90.0 %5,300+2,4001no number sufficespresumed harmful" in words
    assert drawn.count("checked") == 2 and 'name="pool" value="a">' in drawn
    assert "1 of them unknown" in words and "height 900,000" in words


def test_nothing_ticked_and_one_pool_alone_have_words() -> None:
    assert "No two pools are ticked." in what_if_page.draw(asked_if({"a": 4, "b": 3}, ()))
    assert "Fewer than two pools" in what_if_page.draw(asked_if({"a": 4}, ()))
    assert "not reached" in what_if_page.draw(asked_if({"a": 1, "b": 1}, ("a", "b"), unknown=8))


def test_a_hostile_pool_is_text_where_it_is_ticked() -> None:
    drawn = what_if_page.draw(asked_if({EVIL: 4, "b": 3}, (EVIL, "b")))
    inert(drawn)
    assert Elements(drawn).tags == Elements(what_if_page.draw(asked_if({"a": 4, "b": 3}, ("a", "b")))).tags


@pytest.mark.parametrize("window", ["7", "x", "-144", "144.0"])
def test_another_window_is_refused(window: str) -> None:
    with pytest.raises(ValueError, match="expected one of 144, 1008, 2016, 4320"):
        what_if_page.parse((), window, 1008)


def test_the_pages_behind_links_are_inert_too() -> None:
    inert(alert_page.draw(alert_page.AlertPage([STEP], 0.76, "", ()), EVIL, CONTEXT))
    inert(alert_page.draw(alert_page.AlertPage([STEP], None, EVIL, ()), EVIL, CONTEXT))
    inert(block_page.draw(block_page.BlockPage(BLOCK, [MOVED_WINDOW], ())))
    tape = rows(EVIL)["blocks"]
    history = [
        {"height": n, "time": AT, "blocks": 300, "n": 1008, "unknown": 1, "share": 0.3, "share_upper": 0.31, "rank": 2}
        for n in (1, 2)
    ]
    runs = [
        {
            "run_blocks": 9,
            "from_height": 1,
            "to_height": 9,
            "to_time": AT,
            "blocks": 300,
            "n": 1_000,
            "expected": 0.1,
            "probability": 0.1,
        }
    ]
    member = dict.fromkeys(MEMBER, EVIL)
    inert(pool_page.draw(pool_page.PoolPage(EVIL, EVIL, [member], FOUND, history, runs, tape, ()), CONTEXT))
    assert "counts it alone" in pool_page.draw(pool_page.PoolPage("a", "A", [], None, history, runs, tape, ()), CONTEXT)
    release = {
        "period_end": date(2026, 1, 1), "published_at": AT, "kind": EVIL, "coverage": EVIL, "observations": 3, "source": EVIL,
    }  # fmt: skip
    inert(series_page.draw(series_page.SeriesPage(EVIL, [release], ())))
    whole = page_frame.frame(EVIL, "", replace(CONTEXT, dataset=EVIL, chain=EVIL), "")
    assert Elements(whole).tags.count("script") == 1, "its own module"
    assert "Documentation" not in whole
    linked = page_frame.frame("Desk", "", replace(CONTEXT, docs_url='https://docs.example/"x'), "")
    assert ("href", 'https://docs.example/"x/index.html') in Elements(linked).attributes


def test_the_page_of_claims_has_every_figure_its_reason_and_its_sql() -> None:
    found = [Checked(claim, 0.7415, 0.692) if claim.judge else Checked(claim, None, None) for claim in CLAIMS]
    drawn = claims_page.draw(claims_page.ClaimsPage(found, AT), replace(CONTEXT, dataset="own"))
    inert(drawn)
    empty = claims_page.draw(claims_page.ClaimsPage([Checked(one.claim, None, None) for one in found], None), CONTEXT)
    assert "no block is scored" in empty
    elements = Elements(drawn)
    addresses = {value for name, value in elements.attributes if name == "id"}
    for one in found:
        assert f"claim-{one.claim.name}" in addresses
        assert one.why(PAGE) in elements.words and one.claim.measure in elements.words
        section = drawn.partition(f'id="claim-{one.claim.name}"')[2].partition("</section>")[0]
        assert (f'data-figure="{one.claim.name}-then"' in section) == ("<summary>SQL" in section) == bool(one.claim.sql)
        assert not one.claim.sql or f"claims --sql {one.claim.name}" in section


def test_the_alert_of_the_drawn_rule_has_its_chart() -> None:
    around = Shares("raw", "alert", report().shares, report().episodes)
    drawn = alert_page.draw(alert_page.AlertPage([STEP], 0.76, "", (), around), EVIL, CONTEXT)
    inert(drawn)
    found = Elements(drawn)
    assert found.tags.count("svg") == 2 and 'class="rule"' in drawn, "both widths, with the line of the rule"
    step = STEP | {"rule_id": "top4-share", "view": "raw"}
    assert alert_page.has_chart(step, CONTEXT)
    for other in ({"rule_id": "else"}, {"view": ""}, {"height": None}):
        assert not alert_page.has_chart(step | other, CONTEXT)
    assert not alert_page.has_chart(step, replace(CONTEXT, line=None))


def test_every_point_of_a_plot_can_be_read() -> None:
    points = report().shares
    drawn = PANELS["shares"].draw([Shares("entity", "30d", points, [])], CONTEXT)
    [given] = [value for name, value in Elements(drawn).attributes if name == "data-points"]
    rows = json.loads(given or "")
    assert [(row[0], row[1]) for row in rows] == [(int(one.time.timestamp()), one.height) for one in points]
    for row, one in zip(rows, points, strict=True):
        assert row[2:] == pytest.approx([one.share, one.low, one.high], abs=5e-5)


def test_evidence_that_gives_another_value_is_said() -> None:
    same = Elements(alert_page.draw(alert_page.AlertPage([STEP], 0.76, "", ()), "a", CONTEXT)).words
    other = Elements(alert_page.draw(alert_page.AlertPage([STEP], 0.75, "", ()), "a", CONTEXT)).words
    assert "0.76: the same value" in same
    assert "0.75. The alert recorded 0.76: the data below it were revised since." in other


@pytest.mark.parametrize(
    "of_query",
    [{"instance": "<foundry>", "rule_type": "sql"}, {"instance": "<foundry>"}, {"rule_type": "series_stale"}],
)
def test_a_query_of_the_newest_data_calls_no_value_revised(of_query: dict[str, str]) -> None:
    step = STEP | of_query
    page = alert_page.draw(alert_page.AlertPage([step], 0.75, "", ()), "a", CONTEXT)
    inert(page)
    key = " for <foundry>" if "instance" in of_query else ""
    words = Elements(page).words
    assert f"0.75{key}. The alert recorded 0.76. The query reads the newest data" in words and "revised" not in words
    gone = Elements(alert_page.draw(alert_page.AlertPage([step], None, "", ()), "a", CONTEXT)).words
    assert key == "" or f"the query gives no value{key}. The alert recorded 0.76." in gone


def test_the_head_names_what_is_unavailable() -> None:
    away = LineState(900_000, AT, AT, "gone", (("streams", "died", False, EVIL),), 3, EVIL)
    words = Elements(page_frame.line_head(away, AT, live=True)).words
    assert "ClickHouse does not answer since" in words and "Kafka does not answer" in words and "streams: died" in words
    inert(page_frame.line_head(away, AT, live=True))
    for in_use, words_of_it in ((True, "the rules of before are in use"), (False, "no line is drawn")):
        mistaken = LineState(900_000, AT, rules_problem=EVIL, rules_in_use=in_use)
        head = page_frame.line_head(mistaken, AT, live=True)
        assert f"the rules file has a mistake: {words_of_it}" in Elements(head).words
        inert(head)
    well = LineState(900_000, AT, services=(("streams", "working", True, ""),), lag=0)
    assert "all services healthy" in Elements(page_frame.line_head(well, AT, live=True)).words
    resting = LineState(900_000, AT, services=(("streams", "stopped", False, ""),))
    assert "stopped" not in Elements(page_frame.line_head(resting, AT, live=False)).words


def test_a_gap_row_has_its_age() -> None:
    row: GapRow = report().gap_rows[-1]
    words = Elements(PANELS["gap"].draw([replace(row, period_end=date(2025, 12, 31))], CONTEXT)).words
    assert "31 Dec 2025, 2 days old" in words.replace("\xa0", " ")


def test_the_meaning_of_the_largest_pools_share_is_that_of_rosenfeld() -> None:
    words = Elements(PANELS["meaning"].draw(Meaning([meant("foundry-usa")], "d"), CONTEXT)).words.replace("\xa0", " ")
    assert "30.3 % to 33.1 %" in words and "foundry-usa and 1 more" in words
    assert "14 min" in words, "1/(1 - share) blocks"
    above = Elements(
        PANELS["meaning"].draw(
            Meaning(
                [risk_json(Adversary("x", "raw", ("a",), 600, 0.6, 0.63), 1, block_seconds=600, retarget_blocks=2016)],
                "d",
            ),
            CONTEXT,
        )
    ).words
    assert above.count("no number suffices") == 2


def test_a_course_has_words_that_fit_its_line() -> None:
    drawn = PANELS["pools"].draw({"raw": Pools(*_pools({"a": [(1, 0.2), (3, 0.4)], "b": [(2, 0.1)]}))}, CONTEXT)
    words = Elements(drawn).words.replace("\xa0", " ")
    assert "Share of A" in words and "From 20.0 % to 40.0 % between block 1 and 3." in words
    assert "Not among the six largest at 1 of 3 points." in words
    assert "1, up 1" in words


def _pools(
    courses: dict[str, list[tuple[int, float]]],
) -> tuple[list[dict[str, Any]], dict[str, list[tuple[int, float]]]]:
    [row] = rows("a")["pools"]["raw"].rows
    return [row | {"name": "A"}], courses


@given(st.lists(st.none() | st.floats(0, 1), max_size=40))
def test_every_known_value_of_a_sparkline_is_drawn(values: list[float | None]) -> None:
    drawn = sparkline(values, name="x", title="t", description="d")
    if all(value is None for value in values):
        assert drawn == ""
        return
    paths = re.findall(r' d="([^"]+)"', drawn)
    assert sum(one.count("M") + one.count("L") for one in paths) == sum(value is not None for value in values)
    numbers = [float(one) for path in paths for one in re.findall(r"[-\d.]+", path)]
    assert all(math.isfinite(one) and 0 <= one <= 96 for one in numbers)
    for place, value in enumerate(values):
        if value is not None and all(
            not 0 <= near < len(values) or values[near] is None for near in (place - 1, place + 1)
        ):
            assert "<circle" in drawn, "a value alone is a dot"
