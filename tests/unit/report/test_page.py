"""The page: well-formed, self-contained, plain about what is missing, and deaf to what names would like to be."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest

from counterpoise.formats import PAGE
from desk.question import Question
from desk.report import report_model
from desk.report.gap_sentence import sentence
from desk.report.report_page import render
from tests.unit.report.made import EPISODE, POOLS, gap_row, now, report

VOID = {"meta", "br", "link", "img", "input", "hr"}
EVIL = "<script>alert('x')</script>&\"><img src=x onerror=y>"


class Page(HTMLParser):
    """What a browser would make of it: every element with its attributes, and text; a tag that closes wrongly is an error."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.append((self.open[-1], data))

    @property
    def said(self) -> str:
        """The text that is read, styles left out, with plain spaces."""
        words = "".join(data for tag, data in self.texts if tag != "style")
        return re.sub(r"\s+", " ", words)


EMPTY = report(
    now={},
    shares=[],
    leaders={},
    gap_rows=[],
    edge={},
    episodes=[],
    series=[],
    dead_letters=[],
    questions={},
    line=None,
)


@pytest.mark.parametrize("made", [report(), EMPTY, report(line=None), report(gap_rows=report().gap_rows[:1])])
def test_it_is_well_formed_and_needs_nothing_from_anywhere(made: report_model.Report) -> None:
    markup = render(made)
    page = Page(markup)
    assert not {"script", "link", "img", "iframe", "object", "foreignobject", "form"} & {
        tag for tag, _ in page.elements
    }
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "srcset")], tag
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", markup)
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_headline_has_the_numbers() -> None:
    said = Page(render(report())).said
    assert (
        "The four largest pools mined 71.4 % of the last 1,008 blocks (95 % interval 68.6 % to 74.2 %); "
        "8 of the blocks have no known producer, and no alert is firing."
    ) in said
    for part in ("930,000 (provisional)", "2026-01-01 12:00 UTC", "r-1234", "3 pools", "6.0 pools", "1,652"):
        assert part in said
    rows = [gap_row(date(2024, 12, 31)), gap_row(date(2025, 12, 31)), report().gap_rows[-1]]
    assert " ".join(sentence(rows, PAGE).split()) in " ".join(said.split())


def test_a_firing_alert_is_in_the_headline_and_in_the_table() -> None:
    said = Page(render(report(episodes=[replace(EPISODE, cleared_at=None, cleared_height=None)]))).said
    assert "1 alert is firing (top4-share)" in said
    # 1 March 2025 to noon of 1 January 2026.
    assert "909,000firing306 days75 %78.15 %" in said


def test_an_alert_has_what_it_lasted_and_its_peak() -> None:
    assert "2025-03-01 00:00 UTC909,0002025-04-20 00:00 UTC50 days75 %78.15 %" in Page(render(report())).said


def test_simulated_data_are_marked_before_anything_else_is_said() -> None:
    said = Page(render(report(kind="simulated"))).said
    assert "Simulated data." in said
    assert said.index("Simulated data.") < said.index("four largest")
    assert "Simulated data." not in Page(render(report())).said


def test_what_is_missing_is_said_with_what_fills_it() -> None:
    said = Page(render(EMPTY)).said
    assert said.count("Not known yet.") == 7
    for part in (
        "counterpoise run all",
        "counterpoise replay --blocks FILE",
        "counterpoise run market",
        "market load pypi",
    ):
        assert part in said
    only_mining = Page(render(report(gap_rows=[], edge={}))).said
    assert "71.4 %" in only_mining
    assert only_mining.count("Not known yet.") == 4


def test_every_plot_is_described_and_has_its_numbers_behind_it() -> None:
    page = Page(render(report()))
    drawings = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(drawings) == 2 * 3 + 2 + 2  # three at two widths, and two pairs
    ids = {attributes.get("id") for _, attributes in page.elements}
    for attributes in drawings:
        assert attributes["role"] == "img"
        assert {attributes["aria-labelledby"], attributes["aria-describedby"]} <= ids
    assert [text for tag, text in page.texts if tag == "summary"].count("Numbers behind it") == 5
    assert "SELECT 1 < 2" in page.said


def test_names_from_outside_are_text() -> None:
    evil_pools = [replace(POOLS[0], name=EVIL, slug=EVIL), *POOLS[1:]]
    made = report(
        dataset=EVIL,
        chain=EVIL,
        now={"raw": now(attribution_id=EVIL), "entity": now("entity")},
        leaders={"raw": evil_pools, "entity": evil_pools},
        edge={EVIL: report().edge["as-filed"]},
        episodes=[replace(EPISODE, rule_id=EVIL, cleared_at=None)],
        series=[replace(report().series[0], series=EVIL, layer=EVIL)],
        dead_letters=[replace(report().dead_letters[0], reason=EVIL, service=EVIL)],
        gap_rows=[replace(row, level=EVIL, regime=EVIL) for row in report().gap_rows],
        clickhouse_version=EVIL,
        questions={name: Question(EVIL, EVIL) for name in ("shares", "gap", "edge", "alerts", "now", "leaders-raw")},
    )
    markup = render(made)
    page = Page(markup)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in Page(render(report())).elements}
    assert "<script" not in markup
    assert "<img" not in markup
    assert page.said.count(EVIL) > 15


def test_ages_and_gaps_in_the_data_are_in_the_table() -> None:
    said = Page(render(report())).said
    assert "180 days, stale" in said
    assert "AI: series without a release1not known yet: miner-pivot" in said
    assert "19.3 % in buckets without a name; 1 value without a published error" in said
    assert "8 of 1,008 blocks; with all of them the top four would have 72.2 %" in said
    assert "Mining: age15 hours" in said  # noon to 3:04


def test_the_begin_of_histories_is_said() -> None:
    assert "Histories begin 2025-01-01 00:00 UTC" in Page(render(report(since=datetime(2025, 1, 1, tzinfo=UTC)))).said


def test_a_time_that_holds_nothing_is_no_missing_side() -> None:
    said = Page(render(report(since=datetime(2026, 1, 1, tzinfo=UTC), shares=[]))).said
    assert said.count("Nothing in this time.") == 2  # no share, and one row of the gap where a line needs two
    assert "Not known yet." not in said
    assert "more concentrated, as in every year since 2024." in said  # the sentence about years does not depend on it


def test_equal_reports_are_equal_pages() -> None:
    assert render(report()) == render(report())
