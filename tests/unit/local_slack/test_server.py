"""The local workspace over HTTP: its key, its changes, and a button from the page to the app."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from websockets.sync.client import ClientConnection, connect

from engines.local_slack import workspace
from engines.local_slack.slack_server import LocalSlack
from tests.waiting import PATIENCE_SECONDS

TOKEN, APP_TOKEN, CHANNEL = "xoxb-one", "xapp-one", "C0ONE"
BUTTON: dict[str, Any] = {
    "type": "button",
    "action_id": "go",
    "value": "v1",
    "text": {"type": "plain_text", "text": "Go"},
}
BLOCKS: list[dict[str, Any]] = [
    {"type": "header", "text": {"type": "plain_text", "text": "🔴 FIRING: one"}},
    {"type": "actions", "block_id": "ours", "elements": [BUTTON]},
]


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    with LocalSlack(token=TOKEN, app_token=APP_TOKEN, channels=(CHANNEL,), user_name="ada") as found:
        yield found


@pytest.fixture
def bot(slack: LocalSlack) -> WebClient:
    return WebClient(TOKEN, base_url=slack.base_url)


@pytest.fixture
def browser(slack: LocalSlack) -> Iterator[httpx.Client]:
    """It sends what a browser sends from the page itself."""
    own = {"Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=slack.page_url, headers=own, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        yield client


def press(browser: httpx.Client, ts: str, button: str = "go", **headers: str) -> int:
    return browser.post("press", data={"ts": ts, "button": button}, headers=headers).status_code


@contextmanager
def app(slack: LocalSlack) -> Iterator[ClientConnection]:
    """An app that listens."""
    url = WebClient(APP_TOKEN, base_url=slack.base_url).apps_connections_open(app_token=APP_TOKEN)["url"]
    with connect(str(url)) as connection:
        assert json.loads(connection.recv(PATIENCE_SECONDS))["type"] == "hello"
        yield connection


def test_the_page_needs_its_key_and_a_local_name(slack: LocalSlack, browser: httpx.Client) -> None:
    root = f"http://127.0.0.1:{slack.port}"
    for path in ("/", "/other/", f"/{slack.page_key[:-1]}/", f"/{slack.page_key}x/events"):
        assert httpx.get(root + path, trust_env=False, timeout=PATIENCE_SECONDS).status_code == 404
    assert browser.get("").status_code == 200
    assert browser.get("", headers={"Host": "evil.example"}).status_code == 421
    assert browser.get("static/../page.py").status_code == 404
    assert browser.get("nothing").status_code == 404


def test_every_file_of_the_page_has_the_policy(browser: httpx.Client) -> None:
    for path in ("", "static/channel.js", "static/channel.css"):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_pressed_button_reaches_the_app_as_slack_sends_it(
    slack: LocalSlack, bot: WebClient, browser: httpx.Client
) -> None:
    ts = str(bot.chat_postMessage(channel=CHANNEL, text="one", blocks=BLOCKS)["ts"])
    taken: list[dict[str, Any]] = []
    with app(slack) as connection:

        def work() -> None:
            taken.append(json.loads(connection.recv(PATIENCE_SECONDS)))
            connection.send(json.dumps({"envelope_id": taken[0]["envelope_id"]}))

        thread = threading.Thread(target=work)
        thread.start()
        assert press(browser, ts) == 303
        thread.join(PATIENCE_SECONDS)
    payload = taken[0]["payload"]
    assert taken[0]["type"] == "interactive"
    assert payload["container"] == {"type": "message", "channel_id": CHANNEL, "message_ts": ts}
    assert payload["user"]["username"] == "ada"
    [action] = payload["actions"]
    assert (action["block_id"], action["action_id"], action["value"]) == ("ours", "go", "v1")
    assert slack.ephemerals == []


def test_a_button_that_reaches_nobody_says_why(slack: LocalSlack, bot: WebClient, browser: httpx.Client) -> None:
    ts = str(bot.chat_postMessage(channel=CHANNEL, text="one", blocks=BLOCKS)["ts"])
    assert press(browser, ts) == 303
    assert "No app listens" in browser.get("").text
    with app(slack):
        assert press(browser, ts, "other") == 303
        assert press(browser, "1.1") == 303
    assert [text for _, text in slack.ephemerals][1:] == ["This button is gone: the message has changed."] * 2


VIEW: dict[str, Any] = {
    "type": "modal",
    "callback_id": "ours",
    "private_metadata": "kept",
    "title": {"type": "plain_text", "text": "Why <b>"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "reason"},
        }
    ],
}


def test_a_window_opens_once_within_its_time_and_its_submission_reaches_the_app(
    slack: LocalSlack, bot: WebClient, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = slack.new_trigger(CHANNEL, slack.user_id)
    view_id = str(bot.views_open(trigger_id=trigger, view=VIEW)["view"]["id"])
    assert "Why &lt;b&gt;" in browser.get("").text and f'value="{view_id}"' in browser.get("").text
    for late, view in ((trigger, VIEW), ("none", VIEW), (slack.new_trigger(CHANNEL, "U1"), VIEW | {"title": None})):
        with pytest.raises(SlackApiError):
            bot.views_open(trigger_id=late, view=view)
    taken: list[dict[str, Any]] = []
    with app(slack) as connection:

        def work() -> None:
            taken.append(json.loads(connection.recv(PATIENCE_SECONDS)))
            connection.send(json.dumps({"envelope_id": taken[0]["envelope_id"]}))

        thread = threading.Thread(target=work)
        thread.start()
        assert browser.post("submit", data={"window": view_id, "reason": "known"}).status_code == 303
        thread.join(PATIENCE_SECONDS)
        assert browser.post("submit", data={"window": view_id, "reason": "known"}).status_code == 303
    payload = taken[0]["payload"]
    assert (payload["type"], payload["view"]["private_metadata"]) == ("view_submission", "kept")
    assert payload["view"]["state"]["values"]["reason"]["reason"]["value"] == "known"
    assert [text for _, text in slack.ephemerals] == ["This window is closed already."]
    monkeypatch.setattr(workspace, "TRIGGER_SECONDS", 0.0)
    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        bot.views_open(trigger_id=slack.new_trigger(CHANNEL, slack.user_id), view=VIEW)


def test_a_window_is_closed_without_the_app(slack: LocalSlack, bot: WebClient, browser: httpx.Client) -> None:
    trigger = slack.new_trigger(CHANNEL, slack.user_id)
    view_id = str(bot.views_open(trigger_id=trigger, view=VIEW)["view"]["id"])
    assert browser.post("submit", data={"window": view_id, "cancel": "1"}).status_code == 303
    assert slack.windows == {} and slack.ephemerals == []


def test_a_command_reaches_the_app_and_its_answer_the_person_alone(slack: LocalSlack, browser: httpx.Client) -> None:
    assert browser.post("command", data={"text": "top4"}).status_code == 303
    assert "No app listens" in browser.get("").text
    taken: list[dict[str, Any]] = []
    with app(slack) as connection:

        def work() -> None:
            for answer in ({"payload": {"text": "75 %"}}, {}, {"payload": {"text": ""}}):
                taken.append(json.loads(connection.recv(PATIENCE_SECONDS)))
                connection.send(json.dumps({"envelope_id": taken[-1]["envelope_id"]} | answer))

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(3):
            assert browser.post("command", data={"text": "why a<b"}).status_code == 303
        thread.join(PATIENCE_SECONDS)
    assert taken[0]["type"] == "slash_commands" and taken[0]["accepts_response_payload"] is True
    sent = {name: taken[0]["payload"][name] for name in ("command", "text", "channel_id", "user_name")}
    assert sent == {"command": "/counterpoise", "text": "why a&lt;b", "channel_id": CHANNEL, "user_name": "ada"}
    assert slack.ephemerals[1:] == [(slack.user_id, "75 %")]
    assert browser.post("command", data={"text": "a"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "http://127.0.0.1:1"},
    ],
)
def test_another_page_presses_nothing(
    slack: LocalSlack, bot: WebClient, browser: httpx.Client, headers: dict[str, str]
) -> None:
    ts = str(bot.chat_postMessage(channel=CHANNEL, text="one", blocks=BLOCKS)["ts"])
    assert press(browser, ts, **headers) == 403
    assert slack.whispers == []


def test_changes_come_as_events_in_order(slack: LocalSlack, bot: WebClient, browser: httpx.Client) -> None:
    first = str(bot.chat_postMessage(channel=CHANNEL, text="first", blocks=BLOCKS)["ts"])
    seen = slack.sequence
    with browser.stream("GET", f"events?after={seen}") as answer:
        lines = answer.iter_lines()

        def change() -> dict[str, Any]:
            return json.loads(next(line for line in lines if line.startswith("data: ")).removeprefix("data: "))  # type: ignore[no-any-return]

        bot.chat_postMessage(channel=CHANNEL, text="in the thread", thread_ts=first)
        found = change()
        assert found["order"] == [first]
        [[ts, markup]] = found["changed"]
        assert ts == first and "in the thread" in markup and "1 reply" in markup
        second = str(bot.chat_postMessage(channel=CHANNEL, text="second")["ts"])
        found = change()
        assert found["order"] == [first, second] and [ts for ts, _ in found["changed"]] == [second]
        bot.chat_update(channel=CHANNEL, ts=first, text="🟢 RESOLVED: one")
        [[ts, markup]] = change()["changed"]
        assert ts == first and "(edited)" in markup and "resolved" in markup and "<form" not in markup
        bot.chat_delete(channel=CHANNEL, ts=second)
        assert change()["order"] == [first]


def test_another_persons_whisper_is_not_shown(slack: LocalSlack, bot: WebClient, browser: httpx.Client) -> None:
    bot.chat_postEphemeral(channel=CHANNEL, user=slack.user_id, text="for you")
    bot.chat_postEphemeral(channel=CHANNEL, user="U0ELSE", text="for somebody else")
    assert "for you" in browser.get("").text and "somebody else" not in browser.get("").text
    assert slack.ephemerals == [(slack.user_id, "for you"), ("U0ELSE", "for somebody else")]


@pytest.mark.parametrize("body", ["{", "[1]", "[" * 100_000, "1"], ids=["open", "list", "deep", "number"])
def test_a_call_that_is_no_json_object_is_refused(slack: LocalSlack, body: str) -> None:
    head = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = httpx.post(
        f"{slack.base_url}auth.test", content=body, headers=head, trust_env=False, timeout=PATIENCE_SECONDS
    )
    assert answer.json() == {"ok": False, "error": "invalid_json"}


def test_a_stream_ends_with_the_workspace(slack: LocalSlack, browser: httpx.Client) -> None:
    with browser.stream("GET", f"events?after={slack.sequence}") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "retry: 1000"
        slack.stop()
        assert [line for line in lines if line.startswith("data")] == []
