"""Answers to the slash command: within Slack's limits, and what comes from outside is text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.command_messages import MAX_LISTED, Fires, Top4Now, alerts_message, silenced_message, top4_message
from alerts.outbox.delivery_policy import rises
from alerts.outbox.render import Message
from alerts.policy import Action
from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import Reading
from alerts.rules.sql_rule import SqlRule
from alerts.rules.when import WhenRule
from engines.local_slack.message import refusal
from tests.unit.alerts.events import ALERT, FIRED, FIRED_AT, step

READING = Reading(0.751, 0.75, 0.751, 0.76, 0.72, 0.78)


def is_taken(message: Message) -> bool:
    """Whether Slack takes it, with nothing that acts in it."""
    texts = [message.text, *(block["text"]["text"] for block in message.blocks)]
    return refusal({"text": message.text, "blocks": list(message.blocks)}) is None and not any(
        "<" in text or ">" in text for text in texts
    )


def test_top4_has_each_view_and_the_leaders() -> None:
    views = [("raw", 1008, READING), ("entity", 1008, Reading(0.8, 0.75, 0.8, 0.8))]
    found = Top4Now("bitcoin", 840_000, FIRED_AT, views, [("alpha", 252), ("<b>", 126), ("c", 1), ("d", 1), ("e", 1)])
    assert top4_message([found]).text.splitlines() == [
        "*Top-4 share of bitcoin* at height 840000 (2023-11-14 22:13 UTC)",
        "• pools as they sign: 75.1 % of 1,008 blocks, 95 % interval 72.0 % to 78.0 %, at most 76.0 % with the unknown blocks",
        "• entities: 80.0 % of 1,008 blocks",
        "Largest: alpha 25.0 %, &lt;b&gt; 12.5 %, c 0.1 %, d 0.1 %",
    ]
    assert top4_message([]).text == "No block is scored yet."


def test_alerts_that_fire_and_those_that_wait() -> None:
    one = Fires(FIRED, FIRED_AT, "ada")
    text = alerts_message([one], more=2, waiting=1).text
    assert text.splitlines() == [
        f"🔴 FIRING `{ALERT[:8]}` top4-share since 2023-11-14 22:13 UTC, acknowledged by ada",
        "Four pools hold most",
        "2 more: `counterpoise alerts list`. 1 is pending or possible.",
    ]
    assert alerts_message([], more=0, waiting=0).text == "No alert fires."
    assert alerts_message([], more=0, waiting=3).text == "No alert fires. 3 are pending or possible."
    assert silenced_message(Action("a", "silence", 0.0, matchers={"alert": ALERT}, until=FIRED_AT)).text == (
        f"Alert {ALERT[:8]} is silenced until 2023-11-14 22:13 UTC."
    )


@given(st.lists(st.text(max_size=1_000), min_size=1, max_size=MAX_LISTED), st.text(max_size=300))
def test_slack_takes_every_answer(summaries: list[str], name: str) -> None:
    firing = [Fires(step("firing", 1, FIRED_AT, summary=one), FIRED_AT, name) for one in summaries]
    assert is_taken(alerts_message(firing, more=1, waiting=1))
    found = Top4Now(name, 1, FIRED_AT, [(name, 10, READING)], [(name, 3)] * 6)
    assert is_taken(top4_message([found] * 6))


def test_worse_is_by_the_line_of_the_rule_and_not_by_the_side_of_the_value() -> None:
    at_its_line = step("firing", 1, FIRED_AT, value=2.0, threshold=2.0)
    low = WhenRule.model_validate(
        {"id": "few", "when": {"signal": "nakamoto_50"}, "fire": {"at_most": 2}, "for": 0, "clear": {"above": 2}}
    )
    high = MetricRule(id="hhi", metric="hhi_10000", above=2_500.0)
    assert not rises(at_its_line, low)
    assert rises(at_its_line, high)
    query = {"id": "few", "sql": "SELECT 'a' AS key, 2 AS value"}
    assert not rises(at_its_line, SqlRule.model_validate(query | {"fire": {"at_most": 2}}))
    assert rises(at_its_line, SqlRule.model_validate(query | {"fire": {"at_least": 2}}))
    assert rises(at_its_line, SqlRule.model_validate(query)), "a rule without a line states no side"
    assert rises(at_its_line, None)
    assert not rises(step("firing", 1, FIRED_AT, value=1.0, threshold=2.0), None)
