"""Addresses of the past: what they mean, and that nothing in them becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.web import page_frame, past
from desk.web.drawing import Drawn
from desk.web.panels.panel_registry import PANELS
from tests.unit.web.test_panels import AT, CONTEXT, EVIL, Elements, inert, rows

THEN = replace(CONTEXT, height=840_000)


@given(st.integers(0, past.MAX_HEIGHT))
def test_a_height_is_read_with_and_without_commas(height: int) -> None:
    assert past.parse(str(height), "") == past.parse(f"{height:,}", "") == height


@given(
    st.integers(86_400 * 365, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC).replace(tzinfo=None)),
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_is_utc_unless_it_says_otherwise(at: datetime, minutes: int) -> None:
    assert past.parse("", at.isoformat()) == past.parse("", f"{at.isoformat()}Z") == at.replace(tzinfo=UTC)
    there = at.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert past.parse("", there.isoformat()) == there.astimezone(UTC)


@given(st.integers(86_400 * 365, 4_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)))
def test_the_fields_have_the_block_that_is_shown(now: datetime) -> None:
    """Each, sent as it stands, leads to the same block again."""
    markup = past.controls(replace(THEN, now=now), 840_100)
    sent = dict(re.findall(r'<input name="(height|at)"[^>]* value="([^"]*)"', markup))
    assert past.parse(sent["height"], "") == THEN.height
    assert past.parse("", sent["at"]) == now


@pytest.mark.parametrize(
    ("height", "at", "words"),
    [
        ("1", "2024-01-01", "not both"),
        ("-1", "", "block height"),
        ("1e6", "", "block height"),
        ("٤٢", "", "block height"),
        (str(2**32), "", "block height"),
        ("9" * 400, "", "block height"),
        ("", "yesterday", "UTC time"),
        ("", "0001-01-01T00:00+14:00", "UTC time"),
        ("", "1969-12-31", "from 1970"),
        (EVIL, "", "block height"),
    ],
)
def test_anything_else_is_said(height: str, at: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        past.parse(height, at)


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_it(height: str, at: str) -> None:
    try:
        found = past.parse(height, at)
    except ValueError as error:
        assert len(str(error)) < 400
    else:
        assert isinstance(found, datetime) or 0 <= found <= past.MAX_HEIGHT


def test_the_controls_step_within_the_chain_and_lead_back() -> None:
    links = [value for name, value in Elements(past.controls(THEN, 840_100)).attributes if name == "href"]
    assert links == ["/?height=838992", "/?height=839856", "/?height=839999", "/?height=840001", "/"]
    first = replace(THEN, height=0)
    assert "−" in past.controls(first, 10) and "height=-" not in past.controls(first, 10)
    folded = past.controls(CONTEXT, 840_100)
    assert "<details" in folded and 'href="/?height=839956"' in folded and "Live" not in folded
    assert 'action="/panel/top4"' in past.controls(THEN, None, "/panel/top4")


@pytest.mark.parametrize("name", PANELS)
def test_a_page_of_the_past_is_marked_and_never_live(name: str) -> None:
    panel = PANELS[name]
    drawn = {name: Drawn(panel, panel.draw(rows(EVIL)[name], THEN), (), 0)}
    whole = page_frame.first_page(drawn, [panel], THEN, past.head(THEN), 840_100)
    assert "data-live" not in whole and 'class="past"' in whole
    assert f'href="/panel/{name}?height=840000"' in whole
    words = Elements(whole).words
    assert "The past." in words and "as of block 840,000" in words and "Back to live" in words
    inert(whole.replace('<script type="module" src="/static/live.js"></script>', ""))
    live = page_frame.first_page(drawn, [panel], CONTEXT, "", 840_100)
    assert "data-live" in live and "The past." not in live and f'href="/panel/{name}"' in live


def test_a_chart_of_the_past_names_its_block_for_the_script() -> None:
    found = rows("x")["shares"]
    assert 'data-height="840000"' in PANELS["shares"].draw(found, THEN)
    assert "data-height" not in PANELS["shares"].draw(found, CONTEXT)


def test_what_is_absent_is_said() -> None:
    assert past.absent(7, 840_000) == "Block 7 is not scored. The newest is block 840,000."
    assert "at or before" in past.absent(AT, None)
