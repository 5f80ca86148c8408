"""A picture that the database does not give neither goes on forever nor leaves a receiver in trouble."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.outbox.alert_chart import Picture
from alerts.outbox.pictures import PAUSES_SECONDS
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.errors import RetryableError
from tests.unit.alerts.slack_world import Alerter, HandClock, MemorySlack, Rows, transition_of
from tests.unit.alerts.test_people import FIRST, entry


@pytest.mark.parametrize("failures", [1, 2, 3, 1_000])
def test_a_picture_that_cannot_be_drawn_is_tried_three_times(failures: int) -> None:
    clock, rows = HandClock(), Rows()
    slack, tries = MemorySlack(clock), []

    def draw(fired: AlertTransition) -> Picture:
        tries.append(clock.at)
        if len(tries) <= failures:
            raise RetryableError("Timeout exceeded (code 159)")
        return Picture(b"png", fired.alert_id, "-", "-")

    alerter = Alerter(rows, slack, clock, picture=draw)
    alerter.record([entry(FIRST, 1, "firing")])
    alerter.work(5 * sum(PAUSES_SECONDS))
    assert len(slack.messages) == 1
    assert len(tries) == min(failures + 1, 1 + len(PAUSES_SECONDS))
    [row] = [row for row in rows.read() if row.action == "picture"]
    assert row.status == ("sent" if failures <= len(PAUSES_SECONDS) else "skipped")
    assert len(slack.pictures) == (row.status == "sent")
    assert alerter.outbox.trouble is None


def test_an_alert_that_fires_anew_has_one_picture() -> None:
    """On other blocks, or in a later process: the row that fires now is another one than that of the picture."""
    clock, rows = HandClock(), Rows()
    slack = MemorySlack(clock)
    alerter = Alerter(rows, slack, clock)
    alerter.record([entry(FIRST, 1, "firing")])
    alerter.work(30.0)
    assert len(slack.pictures) == 1
    again = replace(entry(FIRST, 4, "firing"), reason="restated")
    alerter.record([again])
    alerter.remind([transition_of(again, clock.at)])
    alerter.work(30.0)
    assert len(slack.pictures) == 1
    later = Alerter(rows, slack, clock)
    later.remind([transition_of(again, clock.at)])
    later.work(30.0)
    assert len(slack.pictures) == 1


def test_trouble_ends_with_what_was_in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store fails once behind the message: nothing else is waiting that could end the trouble."""
    clock, rows = HandClock(), Rows()
    slack = MemorySlack(clock)
    alerter = Alerter(rows, slack, clock)
    alerter.record([entry(FIRST, 1, "firing")])
    highest = rows.highest
    seen: list[str | None] = []

    def fails_once() -> int:
        if slack.messages and not seen:
            seen.append(alerter.outbox.trouble)
            raise RetryableError("ClickHouse is away")
        return highest()

    monkeypatch.setattr(rows, "highest", fails_once)
    alerter.work(60.0)
    assert seen and len(slack.pictures) == 1
    assert alerter.outbox.trouble is None
