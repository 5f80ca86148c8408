"""What a slash command asks for: foreign ones are refused, a repeated one asks for nothing new, and no text ends the listener."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.outbox.receivers.slash_command import HELP, Command, read_command
from alerts.policy import MAX_REASON

NOW = 1_700_000_000.0


def request(text: object = "top4", **changed: object) -> dict[str, Any]:
    return {
        "command": "/counterpoise",
        "text": text,
        "channel_id": "C1",
        "user_id": "U1",
        "user_name": "ada",
        "trigger_id": "1.2.3",
        "response_url": "https://hooks.slack.com/commands/secret",
    } | changed


def read(text: object = "top4", envelope_id: str = "e1", **changed: object) -> Command:
    found = read_command(request(text, **changed), envelope_id, channels=["C1"])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("top4", "top4"),
        ("  ALERTS ", "alerts"),
        ("why ab12", "why"),
        ("why `AB12CD34`", "why"),
        ("silence ab12 4h", "silence"),
        ("", "help"),
        ("help", "help"),
        ("top5", "help"),
        ("top4 bitcoin", "help"),
        ("alerts all", "help"),
        ("why ab12 please", "help"),
        (None, "help"),
        (["top4"], "help"),
    ],
)
def test_words(text: object, word: str) -> None:
    found = read(text)
    assert (found.word, found.problem, found.refusal) == (word, "", "")


def test_the_help_has_two_lines() -> None:
    assert HELP.count("\n") == 1


def test_a_silence_has_its_end_reason_and_author() -> None:
    found = read("silence ab12cd34 4h known  &lt;outage&gt; &amp;amp;\nof the pool")
    assert (found.alert, found.seconds) == ("ab12cd34", 4 * 3_600)
    row = found.silence("ab12cd34" * 2, NOW)
    assert (row.kind, row.matchers, row.until) == ("silence", {"alert": "ab12cd34" * 2}, NOW + 4 * 3_600)
    assert (row.author, row.reason, row.via) == ("ada", "known <outage> &amp; of the pool", "slack")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("why", "Write the alert's id"),
        ("why top4-share", "Write the alert's id"),
        ("why ab1", "Write the alert's id"),
        ("why ' OR 1=1", "help"),
        ("silence", "Write the alert's id"),
        ("silence ../../etc 4h", "Write the alert's id"),
        ("silence ab12", "Write how long"),
        ("silence ab12 tomorrow", "tomorrow is no duration."),
        ("silence ab12 0h", "0h is no duration."),
        ("silence ab12 999999999d", "999999999d is no duration."),
    ],
)
def test_what_does_not_fit_is_said_and_does_nothing(text: str, problem: str) -> None:
    found = read(text)
    assert found.word == "help" if problem == "help" else found.problem.startswith(problem)
    assert found.alert == "" and found.seconds == 0


def test_another_command_is_none_of_ours() -> None:
    for other in ("/else", "", None, ["/counterpoise"]):
        assert read_command(request(command=other), "e1", channels=["C1"]) is None


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"channel_id": "C2"}, "it comes from another channel"),
        ({"channel_id": None}, "it comes from another channel"),
        ({"user_id": ""}, "it is no command of a person"),
        ({"user_id": ["U1"]}, "it is no command of a person"),
    ],
)
def test_a_foreign_one_is_refused_and_recorded(changed: dict[str, Any], refusal: str) -> None:
    found = read("silence ab12 4h", **changed)
    assert (found.refusal, found.alert, found.seconds) == (refusal, "", 0)
    row = found.refused(found.refusal, NOW)
    assert (row.kind, row.reason, row.author, row.via) == ("refused", refusal, "ada", "slack")


def test_a_repeated_one_has_the_same_id_and_another_has_not() -> None:
    assert read("silence ab12 4h").id == read("silence ab12 4h").id
    others = [read("silence ab12 8h"), read("silence ab12 4h", "e2"), read("silence ab12 4h", user_id="U2")]
    assert len({read("silence ab12 4h").id, *(one.id for one in others)}) == 4


PIECES = st.sampled_from(["silence ", "why ", "top4", "ab12 ", "4h ", "`", "<!channel>", "&lt;", "\n", "\0", "\u202e"])
TEXTS = st.lists(PIECES | st.text(st.characters(), max_size=6), max_size=8).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(TEXTS, st.dictionaries(st.sampled_from(list(request())), VALUES))
def test_no_payload_ends_the_listener_and_all_can_be_stored(text: str, parts: dict[str, Any]) -> None:
    found = read_command(request(text) | parts, str(parts.get("text")), channels=["C1"])
    if found is None:
        return
    for row in (found.refused("x", NOW), found.silence("ab" * 8, NOW)):
        stored = (row.id, row.author, row.reason, row.target)
        assert "".join(stored).encode()
        assert len(row.author) <= 80 and len(row.reason) <= MAX_REASON
        assert "\n" not in row.author + row.reason
    assert len(found.problem) <= 200
    assert "hooks.slack.com" not in repr(found) or "hooks.slack.com" in text + str(parts)
