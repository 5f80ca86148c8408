"""An alert's picture goes into its thread over Slack's upload in three calls; no fault of an upload costs or doubles anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from alerts.outbox.pictures import PICTURE, RECENT_SECONDS, UNCONFIRMED
from alerts.outbox.receivers.slack_receiver import SlackReceiver
from alerts.store.delivery import Delivery
from engines.local_slack.channel_page import Entry, entry_markup
from testkit.slack_server import CHANNEL, TOKEN, Failure, SlackServer
from tests.unit.alerts.slack_world import Alerter, HandClock, Rows
from tests.unit.alerts.test_people import FIRST, entry

GET_URL, UPLOAD, COMPLETE = "files.getUploadURLExternal", "upload", "files.completeUploadExternal"
SECOND = "b" * 16


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


class Desk:
    """An alerter with rows in memory whose receiver speaks HTTP."""

    def __init__(self, slack: SlackServer) -> None:
        self.slack, self.rows, self.clock = slack, Rows(), HandClock()
        self.alerter = self.begin()

    def begin(self) -> Alerter:
        receiver = SlackReceiver(lambda: SecretStr(TOKEN), CHANNEL, base_url=self.slack.base_url)
        self.alerter = Alerter(self.rows, receiver, self.clock)
        return self.alerter

    def fire(self, *alerts: str) -> None:
        self.alerter.record([entry(alert, 1, "firing") for alert in alerts])
        self.alerter.work(200.0)

    def remind(self) -> None:
        self.alerter.outbox.remind([row for row in self.rows.transitions() if row.state == "firing"])
        self.alerter.work(200.0)

    def row(self, alert: str = FIRST) -> Delivery | None:
        return next((row for row in self.rows.read() if (row.alert_id, row.action) == (alert, PICTURE)), None)


def test_a_picture_stands_in_the_thread_of_its_alert_with_its_alternative_text(slack: SlackServer) -> None:
    desk = Desk(slack)
    desk.fire(FIRST)
    [root], [picture] = slack.messages, slack.uploads.shown
    assert (picture.thread_ts, picture.channel, picture.content) == (root.ts, CHANNEL, b"png")
    assert (picture.name, picture.alt, picture.title) == (FIRST, "-", "-")
    row = desk.row()
    assert row is not None and (row.status, row.message_ts, row.detail) == ("sent", picture.id, "")
    markup = entry_markup(Entry(root, pictures=(picture,)))
    assert '<img src="data:image/png;base64,cG5n" alt="-">' in markup and "Thread" in markup
    desk.begin()
    desk.remind()
    assert len(slack.uploads.files) == 1, "nothing is sent again after a restart"


@pytest.mark.parametrize("method", [GET_URL, UPLOAD, COMPLETE])
@pytest.mark.parametrize("failure", ["503", "429", "drop", "drop_before"])
def test_no_fault_of_an_upload_costs_a_message_or_doubles_a_picture(
    slack: SlackServer, method: str, failure: Failure
) -> None:
    slack.fail(failure, method=method)
    desk = Desk(slack)
    desk.fire(FIRST, SECOND)
    assert sorted(message.key for message in slack.messages) == [f"{FIRST}:1:post", f"{SECOND}:1:post"]
    # What may be visible is not sent again; what failed before that is.
    first_shown = method != COMPLETE or failure in ("429", "drop")
    assert sorted(picture.name for picture in slack.uploads.shown) == [FIRST, SECOND][not first_shown :]
    row = desk.row()
    assert row is not None
    unconfirmed = method == COMPLETE and failure in ("503", "drop", "drop_before")
    assert (row.status, row.detail) == (("skipped", UNCONFIRMED) if unconfirmed else ("sent", ""))


def test_without_the_scope_alerts_are_sent_without_pictures_and_the_log_states_it_once(slack: SlackServer) -> None:
    slack.refuse("missing_scope", method=GET_URL, times=9)
    desk = Desk(slack)
    with capture_logs() as logs:
        desk.fire(FIRST, SECOND)
    assert len(slack.messages) == 2 and not slack.uploads.files
    reasons = [line["reason"] for line in logs if "picture" in line["event"]]
    assert reasons == ["Slack refuses the picture: missing_scope: the app lacks the scope files:write (docs/slack.md)"]
    for alert in (FIRST, SECOND):
        row = desk.row(alert)
        assert row is not None and row.status == "skipped" and row.detail == reasons[0]
    assert desk.alerter.outbox.trouble is None


def test_after_three_failed_tries_a_picture_is_left_out(slack: SlackServer) -> None:
    slack.fail("503", method=UPLOAD, times=9)
    desk = Desk(slack)
    desk.fire(FIRST)
    row = desk.row()
    assert row is not None and (row.status, row.attempts) == ("skipped", 3)
    assert slack.calls.count("upload") == 3


def test_a_restart_sends_the_picture_that_is_missing_unless_its_alert_is_old(slack: SlackServer) -> None:
    desk = Desk(slack)
    for alert, late in ((FIRST, 0.0), (SECOND, RECENT_SECONDS)):
        slack.fail("429", method=GET_URL)
        desk.alerter.record([entry(alert, 1, "firing")])
        desk.alerter.work(2.0)
        assert desk.row(alert) is None
        desk.clock.at += late
        desk.begin()
        desk.remind()
    assert [picture.name for picture in slack.uploads.shown] == [FIRST]
    assert len(slack.messages) == 2
