"""The Slack notifier against the Slack-shaped server: every failure is judged, nothing leaks the token."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from alerts.outbox.receivers.console_receiver import ConsoleReceiver
from alerts.outbox.receivers.receiver import (
    AmbiguousError,
    NotAcceptedError,
    NotThisWayError,
    ReceiverRefusedError,
    UnknownAnswerError,
)
from alerts.outbox.receivers.slack_receiver import SlackReceiver
from alerts.outbox.render import Message
from counterpoise.errors import ConfigError, CounterpoiseError
from testkit.slack_server import CHANNEL, TOKEN, Failure, SlackServer
from tests.waiting import PATIENCE_SECONDS, wait_for

VERIFIES = [
    ("Slack", "Web API, 2026", "stand-in", "its errors, limits and late answers"),
]

HELLO = Message("hello", ({"type": "section", "text": {"type": "mrkdwn", "text": "hello"}},), "hello")
LEAK = "xoxb-leak-1234567890"


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer(slow_seconds=PATIENCE_SECONDS) as server:
        yield server


def notifier(
    slack: SlackServer, *, token: str = TOKEN, channel: str = CHANNEL, seconds: float = PATIENCE_SECONDS
) -> SlackReceiver:
    return SlackReceiver(lambda: SecretStr(token), channel, base_url=slack.base_url, timeout_seconds=seconds)


def test_a_post_is_found_by_its_key_edited_and_answered(slack: SlackServer) -> None:
    told = notifier(slack)
    ts = told.post(HELLO, "a:0:post", thread=None)
    reply = told.post(HELLO, "a:1:thread", thread=ts)
    assert told.find("a:0:post", since=0, thread=None) == [ts]
    assert told.find("a:1:thread", since=0, thread=ts) == [reply]
    assert told.find("a:1:thread", since=0, thread=None) == [reply], "a broadcast reply stands in the channel too"
    assert told.find("a:0:post", since=float(ts), thread=None) == []
    told.edit(Message("changed", HELLO.blocks, ""), "a:0:post", ts)
    assert [(m.text, m.key, m.thread_ts) for m in slack.messages] == [
        ("changed", "a:0:post", None),
        ("hello", "a:1:thread", ts),
    ]
    told.withdraw(reply)
    told.withdraw(reply)
    assert len(slack.messages) == 1


def test_a_key_is_found_on_a_later_page(slack: SlackServer) -> None:
    told = notifier(slack)
    first = told.post(HELLO, "wanted", thread=None)
    for number in range(210):
        told.post(HELLO, f"other-{number}", thread=None)
    assert told.find("wanted", since=0, thread=None) == [first]
    assert slack.calls.count("conversations.history") == 2


def test_a_search_continues_at_the_page_where_a_rate_limit_stopped_it(slack: SlackServer) -> None:
    told = notifier(slack)
    first = told.post(HELLO, "wanted", thread=None)
    for number in range(12):
        told.post(HELLO, f"other-{number}", thread=None)
    slack.page_size, slack.stop_after_pages = 3, 1
    pages = 0
    while True:
        try:
            found = told.find("wanted", since=0, thread=None)
            break
        except NotAcceptedError:
            pages += 1
            assert pages < 10, "it begins anew each time"
    assert (found, pages) == ([first], 4)


@pytest.mark.parametrize(
    ("method", "code", "error"),
    [
        ("reply", "restricted_action_thread_locked", NotThisWayError),
        ("reply", "a_code_of_tomorrow", NotThisWayError),
        ("reply", "msg_too_long", ReceiverRefusedError),
        ("edit", "is_inactive", NotThisWayError),
        ("edit", "edit_window_closed", NotThisWayError),
        ("edit", "a_code_of_tomorrow", NotThisWayError),
        ("post", "restricted_action_read_only_channel", NotAcceptedError),
        ("post", "a_code_of_tomorrow", UnknownAnswerError),
        ("post", "invalid_blocks", ReceiverRefusedError),
    ],
)
def test_a_code_means_again_another_way_or_never(
    slack: SlackServer, method: str, code: str, error: type[Exception]
) -> None:
    told = notifier(slack)
    root = told.post(HELLO, "a:0:post", thread=None)
    slack.refuse(code, method="chat.update" if method == "edit" else "chat.postMessage")
    with pytest.raises(error, match=code) as caught:
        if method == "edit":
            told.edit(HELLO, "a:0:post", root)
        else:
            told.post(HELLO, "a:1:thread", thread=root if method == "reply" else None)
    assert caught.type is error


@pytest.mark.parametrize(
    ("failure", "error", "taken"),
    [
        ("drop", AmbiguousError, 1),
        ("drop_before", AmbiguousError, 0),
        ("503", AmbiguousError, 0),
        ("503_after", AmbiguousError, 1),
        ("500", AmbiguousError, 0),
        ("garbage", AmbiguousError, 1),
        ("slow", AmbiguousError, 1),
        ("429", NotAcceptedError, 0),
        ("ratelimited", NotAcceptedError, 0),
        ("invalid_auth", NotAcceptedError, 0),
    ],
)
def test_a_failure_is_judged_and_never_retried_blindly(
    slack: SlackServer, failure: Failure, error: type[Exception], taken: int
) -> None:
    slack.fail(failure)
    with pytest.raises(error):
        notifier(slack, seconds=0.5 if failure == "slow" else PATIENCE_SECONDS).post(HELLO, "a:0:post", thread=None)
    # A server that is given up may begin to answer only then.
    wait_for(lambda: len(slack.messages) == taken and slack.calls, "what Slack took")
    assert slack.calls == ["chat.postMessage"]


def test_a_rate_limit_says_how_long(slack: SlackServer) -> None:
    slack.retry_after_seconds = 7
    slack.fail("429")
    with pytest.raises(NotAcceptedError) as caught:
        notifier(slack).post(HELLO, "a:0:post", thread=None)
    assert caught.value.retry_after_seconds == 7


def test_nobody_listens(slack: SlackServer) -> None:
    slack.stop()
    with pytest.raises(NotAcceptedError, match="refuses connections"):
        notifier(slack).post(HELLO, "a:0:post", thread=None)


def test_a_message_that_slack_never_takes_is_refused(slack: SlackServer) -> None:
    with pytest.raises(ReceiverRefusedError, match="invalid_blocks"):
        notifier(slack).post(Message("x", ({"type": "section"},), ""), "a:0:post", thread=None)
    with pytest.raises(ReceiverRefusedError, match="message_not_found"):
        notifier(slack).edit(HELLO, "a:0:post", "1.000000")


@pytest.mark.parametrize(("channel", "said"), [("C0NOPE", "channel_not_found")])
def test_a_wrong_channel_is_said(slack: SlackServer, channel: str, said: str) -> None:
    with pytest.raises(NotAcceptedError, match=said):
        notifier(slack, channel=channel).post(HELLO, "a:0:post", thread=None)


def test_the_environment_names_a_proxy_that_is_dead(slack: SlackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    notifier(slack).post(HELLO, "a:0:post", thread=None)
    assert len(slack.messages) == 1


def test_the_check_says_who_we_are_and_misses_a_scope(slack: SlackServer) -> None:
    assert (
        notifier(slack).check() == f"The token belongs to counterpoise; the history of channel {CHANNEL} can be read."
    )
    slack.fail("invalid_auth", method="conversations.history")
    with pytest.raises(ConfigError, match="channels:history"):
        notifier(slack).check()


@pytest.mark.parametrize(
    "url",
    [
        "http://slack.example/api/",
        "http://localhost.example/api/",
        "http://127.0.0.1.example/",
        "http://127.0.0.1@a.b/",
    ],
)
def test_a_token_never_travels_in_the_clear_to_another_machine(url: str) -> None:
    with pytest.raises(ConfigError, match="expected https://"):
        SlackReceiver(lambda: SecretStr("x"), CHANNEL, base_url=url)


@pytest.mark.parametrize(
    "failure", ["drop", "drop_before", "503", "500", "garbage", "429", "ratelimited", "invalid_auth", None]
)
def test_the_token_leaks_nowhere(
    slack: SlackServer, failure: Failure | None, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in logs at any level, not in an exception or what caused it, not in a repr, not on a stream."""
    caplog.set_level(logging.DEBUG)
    slack.token = LEAK
    if failure:
        slack.fail(failure, method="*", times=9)
    told = notifier(slack, token=LEAK)
    said = [repr(told), str(told), repr(vars(told))]
    for act in (
        lambda: told.post(HELLO, "a:0:post", thread=None),
        lambda: told.edit(HELLO, "a:0:post", "1.000000"),
        lambda: told.find("a:0:post", since=0, thread=None),
        told.check,
    ):
        try:
            act()
        except CounterpoiseError as error:
            said += traceback.format_exception(error)
            said.append(repr(error))
    out = capsys.readouterr()
    for text in (*said, caplog.text, out.out, out.err):
        assert LEAK not in text
        assert "Bearer" not in text


def test_the_console_writes_one_line_and_has_no_secret() -> None:
    stream = io.StringIO()
    told = ConsoleReceiver(stream)
    assert told.post(HELLO, "a:0:post", thread=None) == "a:0:post"
    told.edit(HELLO, "a:0:post", "a:0:post")
    told.withdraw("a:0:post")
    assert (stream.getvalue(), told.find("a:0:post", since=0, thread=None)) == ("hello\n", [])
    assert "Secret" not in repr(vars(told))
