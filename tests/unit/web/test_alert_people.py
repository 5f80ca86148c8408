"""What people asked for about an alert, as its page shows it, and the form for asking."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from desk.question import Row
from desk.web.pages.alert_people import VERDICTS, ActionForm, SilencedAlert, draw_people
from tests.unit.web.test_panels import AT, EVIL

FORM = ActionForm("t0ken", "ada", is_known=False)


def row(kind: str, **values: object) -> Row:
    plain = {"author": "ada", "reason": "", "via": "page", "until": None, "until_resolved": False, "worse_than": None}
    return {"kind": kind, "acted_at": AT, "ended": 0, "action_id": "a"} | plain | values


def words(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def buttons(markup: str) -> list[str]:
    return re.findall(r'<button name="ask" value="([\w-]+)">', markup)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"until": AT + timedelta(hours=4)}, "Silenced until 2026-01-02 07:04"),
        ({"until": AT}, "Was silenced until 2026-01-02 03:04"),
        ({"until": AT + timedelta(hours=4), "ended": 1}, "Silence that was ended,"),
        ({"until_resolved": True}, "Silenced until resolved"),
        ({"worse_than": 0.78}, "Silenced until worse than 0.78"),
    ],
)
def test_a_silence_shows_its_end(values: dict[str, object], shown: str) -> None:
    assert shown in words(draw_people([row("silence", **values)], "aa", None, AT, fires=True)).replace(" UTC", "")


@pytest.mark.parametrize(
    ("values", "alert", "shown"),
    [
        ({"until_resolved": True}, SilencedAlert(is_open=False), "Was silenced until resolved by"),
        (
            {"worse_than": 0.76},
            SilencedAlert(is_worse=lambda line: line < 0.80),
            "Was silenced until worse than 0.76 by",
        ),
        ({"worse_than": 0.86}, SilencedAlert(is_worse=lambda line: line < 0.80), "Silenced until worse than 0.86 by"),
        (
            {"worse_than": 0.86, "until_resolved": True},
            SilencedAlert(),
            "Silenced until resolved or until worse than 0.86 by",
        ),
    ],
)
def test_a_silence_that_holds_no_longer_is_past(values: dict[str, object], alert: SilencedAlert, shown: str) -> None:
    assert shown in words(draw_people([row("silence", **values)], "aa", None, AT, fires=True, alert=alert))


@pytest.mark.parametrize(
    ("via", "shown"), [("page", "on this page"), ("slack", "in Slack"), ("command", "by a command"), ("", "ada ,")]
)
def test_an_acknowledgement_shows_who_where_and_why(via: str, shown: str) -> None:
    found = words(draw_people([row("acknowledge", via=via, reason="known outage")], "aa", None, AT, fires=True))
    assert "Acknowledged by ada" in found and shown in found.replace("ada,", "ada ,") and "known outage" in found


def test_the_form_leaves_out_what_makes_no_sense() -> None:
    assert draw_people([], "aa", None, AT, fires=True) == ""
    assert "<form" not in draw_people([row("acknowledge")], "aa", None, AT, fires=True)
    assert buttons(draw_people([], "aa", FORM, AT, fires=True)) == [
        "acknowledge",
        "silence-4h",
        "silence-24h",
        *VERDICTS,
    ]
    assert buttons(draw_people([row("acknowledge")], "aa", FORM, AT, fires=True)) == [
        "silence-4h",
        "silence-24h",
        *VERDICTS,
    ]
    assert buttons(draw_people([row("refused")], "aa", FORM, AT, fires=True))[0] == "acknowledge"
    assert buttons(draw_people([], "aa", FORM, AT, fires=False)) == [*VERDICTS]
    assert 'name="author"' in draw_people([], "aa", FORM, AT, fires=True)
    assert 'name="author"' not in draw_people([], "aa", ActionForm("t", "proxy user", is_known=True), AT, fires=True)


def test_names_from_outside_are_text() -> None:
    rows = [row(kind, author=EVIL, reason=EVIL, via=EVIL) for kind in ("acknowledge", "refused", "noise", EVIL)]
    for known in (True, False):
        found = draw_people(rows, f'aa/"{EVIL}', ActionForm(EVIL, EVIL, is_known=known), AT, fires=True)
        assert "<script" not in found and "\u202e" not in found and "\x1b" not in found
        assert re.search(r'action="/alert/[\w%.-]+/ask"', found)
