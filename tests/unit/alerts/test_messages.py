"""Messages: what they say, Slack's limits, and that nothing from outside can format, mention or link."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.render import (
    Message,
    MessageContext,
    Past,
    acknowledged_line,
    changed_root,
    confirmation,
    console_line,
    cut,
    digest_message,
    escape,
    reminder_message,
    start_message,
    transition_message,
    worse_message,
)
from counterpoise.contracts.alert_transition import AlertEvidence, AlertTransition

CONTEXT = MessageContext(
    "Top-4 pool share above 75 %",
    "top-4 share of 1008 blocks (raw) over 75 % for 36 blocks, clear below 73 %",
    "main",
    advice="Look here first",
    tip_height=760_905,
    past=(Past(144, 1008, {"foundry": 240, "antpool": 200}), Past(1008, 1008, {"foundry": 260})),
)


def a_transition(**more: object) -> AlertTransition:
    evidence = AlertEvidence(
        chain="bitcoin",
        view="raw",
        window_blocks=1008,
        from_height=759_896,
        height=760_903,
        tip_hash="0" * 64,
        attribution_id="set-a",
        n=1008,
        unknown=20,
        pools_seen=18,
        counts=(("foundry", 260), ("antpool", 210), ("f2pool", 150), ("binance", 139), ("viabtc", 80), ("braiins", 40)),
        sql="SELECT 1 < 2",
    )
    fields: dict[str, object] = {
        "alert_id": "0123456789abcdef",
        "sequence": 1,
        "rule_id": "top4-share",
        "rule_hash": "0123456789ab",
        "state": "firing",
        "event_time": 1_667_045_078,  # 2022-10-29 12:04:38 UTC
        "recorded_at_ms": 1_667_045_080_000,
        "value": 0.753,
        "value_low": 0.753,
        "value_high": 0.773,
        "interval_low": 0.725,
        "interval_high": 0.778,
        "threshold": 0.75,
        "summary": "The 4 largest pools mined 75.3 % of the last 1,008 blocks, over 75 % for 36 blocks (height 760903).",
        "evidence": evidence,
    }
    return AlertTransition.model_validate(fields | more)


def text_of(message: Message) -> str:
    return json.dumps(message.blocks, ensure_ascii=False)


def test_a_firing_says_all_that_a_desk_asks() -> None:
    message = transition_message(a_transition(), CONTEXT)
    said = text_of(message)
    for part in (
        "🔴 FIRING: Top-4 pool share above 75 %",
        "75.3 %",
        "75.3 % of 1,008 blocks\\n77.3 % if the 20 unknown blocks were theirs",
        "72.5 % to 77.8 % of the hashrate, for these pools",
        "over 75 % for 36 blocks",
        "heights 759896 to 760903, pools as they sign",
        "2022-10-29 12:04 UTC",
        "provisional (3 of 6 confirmations)",
        "attribution set-a",
        "Look here first",
        "SELECT 1 &lt; 2",
        "counterpoise alerts show 0123456789abcdef",
    ):
        assert part in said, part
    assert message.text.startswith("🔴 FIRING: Top-4 pool share above 75 %: The 4 largest pools mined 75.3 % of")


def test_leaders_change_in_percentage_points_against_earlier_windows() -> None:
    table = next(b["text"]["text"] for b in transition_message(a_transition(), CONTEXT).blocks if "Leaders" in str(b))
    lines = table.splitlines()
    assert lines[1].replace("```", "").split() == ["pool", "blocks", "share", "vs", "144", "ago", "vs", "1008", "ago"]
    # foundry: 260/1008 now, 240/1008 and 260/1008 then: +1.98 and 0 points.
    assert lines[2].split() == ["foundry", "260", "25.8", "%", "+2.0", "+0.0"]
    assert lines[3].split() == ["antpool", "210", "20.8", "%", "+1.0", "not", "in", "top", "6"]
    assert len(lines) == 2 + 5


@pytest.mark.parametrize(
    ("tip", "said"),
    [
        (760_903, "provisional (1 of 6 confirmations)"),
        (760_907, "provisional (5 of 6 confirmations)"),
        (760_908, "final (6 confirmations)"),
        (760_902, "provisional (0 of 6 confirmations)"),
        (None, ""),
    ],
)
def test_six_confirmations_make_it_final(tip: int | None, said: str) -> None:
    assert confirmation(a_transition(), tip) == said


def test_the_console_line() -> None:
    assert console_line(a_transition()) == (
        "2022-10-29 12:04  FIRING  top4-share: The 4 largest pools mined 75.3 % of the last 1,008 blocks, over 75 % for 36 blocks "
        "(height 760903)."
    )
    assert console_line(a_transition(summary="two\nlines")).endswith("top4-share: two lines")


def test_what_goes_on_firing_with_news_says_still() -> None:
    again = a_transition(previous_state="firing")
    assert transition_message(again, CONTEXT, root=False).text.startswith("🔴 STILL FIRING: ")
    assert "  STILL FIRING  " in console_line(again)


def test_a_closing_says_how_long_it_fired() -> None:
    context = replace(CONTEXT, fired_at=1_667_045_078 - 4 * 86_400 - 16 * 3_600 - 59)
    said = text_of(transition_message(a_transition(state="resolved"), context, root=False))
    assert "*Fired*\\n2022-10-24 20:03 UTC, 4 d 16 h before" in said
    assert "*Fired*" not in text_of(transition_message(a_transition(), context))


def test_nothing_unknown_and_one_unknown_are_said_in_words() -> None:
    def said(unknown: int) -> str:
        evidence = a_transition().evidence.model_copy(update={"unknown": unknown})
        return text_of(transition_message(a_transition(evidence=evidence), CONTEXT))

    assert "no block of unknown origin" in said(0)
    assert "if the 1 unknown block was theirs" in said(1)


def test_an_edited_root_shows_the_state_that_holds_and_what_fired() -> None:
    latest = a_transition(
        sequence=2,
        state="resolved",
        event_time=1_667_045_078 + 3 * 3_600 + 300,
        summary="The 4 largest pools mined 72.9 %, below 73 %.",
    )
    message = changed_root(a_transition(), latest, CONTEXT, CONTEXT)
    assert message.blocks[0]["text"]["text"] == "🟢 RESOLVED: Top-4 pool share above 75 %"
    assert "*When it fired* (2022-10-29 12:04 UTC)\\nThe 4 largest pools mined 75.3 %" in text_of(message)
    assert "72.9 %, below 73 %.\\n_2022-10-29 15:09 UTC, 3 h 5 min after it fired_" in text_of(message)
    assert "Look here first" not in text_of(message), "there is nothing to look for any more"
    assert message.text.startswith("🟢 RESOLVED")


def test_a_change_in_the_thread_leaves_out_leaders_and_sql() -> None:
    said = text_of(transition_message(a_transition(state="resolved"), CONTEXT, root=False))
    assert "Leaders" not in said
    assert "SELECT" not in said


def test_the_state_at_start_lists_rules_and_what_is_open() -> None:
    opened = [a_transition(), a_transition(state="pending")]
    message = start_message(
        [("Top-4", "75.3 %")], opened, others=8, dataset="main", height=760_903, at="2022-10-29 12:04"
    )
    assert message.text == (
        "Counterpoise watches main from height 760903 (2022-10-29 12:04 UTC): 1 firing, 1 pending or possible"
    )
    assert "• Top-4: 75.3 %" in text_of(message)
    assert "• 8 more, on silence, errors and the AI side" in text_of(message)
    assert "*firing* since 2022-10-29 12:04 UTC" in text_of(message)
    assert "• none" in text_of(start_message([], [], others=0, dataset="main", height=1, at=""))


@pytest.mark.parametrize("count", [1, 30, 300])
@pytest.mark.parametrize("title", ["Four largest pools", "A & B <c> " * 12])
def test_a_list_has_whole_lines_and_counts_those_it_leaves_out(count: int, title: str) -> None:
    """The state at start put all rules into one section, and was cut in the middle of a line after 3,000 characters."""
    alert = a_transition()
    digest = digest_message([(title, alert, alert)] * count, "main")
    start = start_message(
        [(title, "75.2 % (a condition)")] * count, [alert] * count, others=0, dataset="main", height=1, at="now"
    )
    for message, lists in ((digest, 1), (start, 2)):
        assert len(message.blocks) <= 50
        sections = [block["text"]["text"] for block in message.blocks if block["type"] == "section"]
        lines = [line for one in sections for line in one.split("\n") if line.startswith("• ")]
        assert not any("…" in line for line in lines)
        more = [line for line in lines if " more: `counterpoise " in line]
        assert len(lines) - len(more) + sum(int(line.split()[1]) for line in more) == lists * count


def test_a_reminder_gives_the_value_as_it_is_now() -> None:
    assert reminder_message(a_transition(), 7 * 86_400, "now 76.1 % at height 761903", CONTEXT).text == (
        "Still firing after 1 week: Top-4 pool share above 75 % (since 2022-10-29 12:04 UTC; now 76.1 % at height 761903)"
    )
    assert reminder_message(a_transition(), 14 * 86_400, "", CONTEXT).line == (
        "2022-10-29 12:04  STILL FIRING  top4-share: 2 weeks"
    )
    assert "Still firing after 3 h 0 min" in reminder_message(a_transition(), 10_800, "", CONTEXT).text


def test_an_acknowledged_alert_shows_who_when_and_why() -> None:
    by = "by ada <b> at 2022-10-29 12:10 UTC, 6 min after it fired: pool maintenance"
    context = replace(CONTEXT, acknowledged=by)
    assert "*Acknowledged*\\nby ada &lt;b&gt; at" in text_of(transition_message(a_transition(), context))
    changed = changed_root(a_transition(), a_transition(state="resolved"), context, context)
    assert "pool maintenance" in text_of(changed)
    assert "Acknowledged" not in text_of(transition_message(a_transition(), CONTEXT))
    assert acknowledged_line(a_transition(), context) == f"2022-10-29 12:04  ACKNOWLEDGED  top4-share: {by}"


def test_what_got_worse_than_a_silence_allows_says_so() -> None:
    message = worse_message(a_transition(), "77 %", "now 77.3 % at height 761903", CONTEXT)
    assert message.text == (
        "Worse than 77 %: Top-4 pool share above 75 % (since 2022-10-29 12:04 UTC; now 77.3 % at height 761903)"
    )


def test_escaping() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_cutting_does_not_leave_half_an_escape() -> None:
    assert cut("abc&amp;def", 6) == "abc…"
    assert cut("abc", 3) == "abc"


nasty = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6_000)


@given(nasty, nasty, nasty, st.lists(st.tuples(nasty, st.integers(1, 1008)), max_size=6))
def test_slacks_limits_hold_and_nothing_is_markup_for_any_text(
    title: str, summary: str, sql: str, counts: list[tuple[str, int]]
) -> None:
    evidence = a_transition().evidence.model_copy(update={"counts": tuple(counts), "sql": sql})
    transition = a_transition(summary=summary[:1_000], evidence=evidence)
    context = MessageContext(title, title, title, tip_height=1, past=CONTEXT.past)
    resolved = transition.model_copy(update={"state": "resolved"})
    for message in (
        transition_message(transition, context),
        changed_root(transition, resolved, context, context),
        reminder_message(transition, 3, summary, context),
        start_message([(title, summary)] * 100, [transition] * 100, others=3, dataset=title, height=1, at="now"),
        digest_message([(title, transition, resolved)] * 100, title),
    ):
        assert 0 < len(message.text) <= 4_000
        assert 0 < len(message.blocks) <= 50
        texts = [part for block in message.blocks for part in (block.get("text"), *block.get("fields", ()))]
        assert sum(len(part["text"]) for part in texts if part) <= 11_000, "Slack has refused a message of 11,341"
        for block in message.blocks:
            parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
            for part in filter(None, parts):
                limit = 150 if block["type"] == "header" else 2_000 if "fields" in block else 3_000
                assert 0 < len(part["text"]) <= limit
                if part["type"] == "mrkdwn":
                    assert part["verbatim"] is True
                    assert "<" not in part["text"]
                    assert ">" not in part["text"]
        assert "<" not in message.text


def test_no_fact_is_lost_where_there_are_more_than_a_section_holds() -> None:
    responsible = tuple((name, "x") for name in ("Severity", "Owner", "Runbook", "Labels"))
    context = replace(CONTEXT, responsible=responsible, acknowledged="by ada", fired_at=1)
    message = transition_message(a_transition(state="resolved"), context)
    sections = [block["fields"] for block in message.blocks if "fields" in block]
    assert len(sections) == 2 and all(len(fields) <= 10 for fields in sections)
    assert all(f"*{name}*" in text_of(message) for name in ("Labels", "Fired", "Acknowledged", "Status"))
