"""An alert that fires again before the digest that has it was sent: it leaves the digest and has a message of its own."""

from __future__ import annotations

import pytest

from alerts.machine.ledger import LedgerEntry
from alerts.outbox.digest import FIRED_AGAIN
from counterpoise.contracts.alert_transition import AlertReason, AlertState
from tests.unit.alerts.slack_world import Alerter, HandClock, MemorySlack, Rows

BEFORE, AGAIN, OTHER, HASH = "f" * 16, "a" * 16, "b" * 16, "c" * 12


def step(alert_id: str, sequence: int, state: AlertState, *, reason: AlertReason = "observed") -> LedgerEntry:
    previous: AlertState = "pending" if sequence == 1 else "firing"
    return LedgerEntry(
        alert_id,
        sequence,
        state,
        10 * sequence,
        "t",
        reason=reason,
        notify=True,
        previous=previous,
        rule_hash=HASH,
    )


@pytest.mark.parametrize("others", [(OTHER,), ()])
@pytest.mark.parametrize("restarts", [(), ("promised",), ("again",), ("promised", "again", "sent")])
def test_it_leaves_the_digest_and_its_own_message_follows_it(
    others: tuple[str, ...], restarts: tuple[str, ...]
) -> None:
    clock, rows = HandClock(), Rows()
    slack = MemorySlack(clock)
    alerters = [Alerter(rows, slack, clock)]

    def now(moment: str) -> Alerter:
        if moment in restarts:
            alerters.append(Alerter(rows, slack, clock))
        return alerters[-1]

    alerters[-1].record([step(BEFORE, 1, "firing")])
    alerters[-1].work(5.0)
    slack.down = True
    alerters[-1].record([step(BEFORE, 2, "resolved")])  # what is tried all the time
    for alert_id in (AGAIN, *others):
        alerters[-1].record([step(alert_id, 1, "firing"), step(alert_id, 2, "resolved")])
    alerters[-1].work(70.0)
    promised = [row for row in rows.read() if row.alert_id != BEFORE]
    assert promised and all(row.detail.startswith("in the digest") for row in promised)
    now("promised").record([step(AGAIN, 3, "firing", reason="restated")])
    fired = next(row for row in rows.transitions() if (row.alert_id, row.sequence) == (AGAIN, 1))
    alerters[-1].remind([fired])
    alerters[-1].work(10.0)
    now("again")
    slack.down = False
    alerters[-1].work(60.0)
    shown = sorted(message.text for message in slack.messages.values() if not message.key.startswith(BEFORE))
    assert shown == [*(f"digest {one}" for one in others), f"🔴 STILL FIRING {AGAIN}"]
    left = {(row.alert_id, row.sequence, row.action): row.detail for row in rows.read()}
    assert left[AGAIN, 2, "thread"] == left[AGAIN, 2, "update"] == FIRED_AGAIN

    now("sent").record([step(AGAIN, 4, "resolved")])
    alerters[-1].work(60.0)
    root, *replies = [message.text for message in slack.messages.values() if message.key.startswith(AGAIN)]
    assert (root, replies) == (f"🟢 RESOLVED {AGAIN}", [f"🟢 RESOLVED {AGAIN}"])


def test_one_that_fires_again_after_its_digest_has_its_own_message_too() -> None:
    """The digest was right when it was sent."""
    clock, rows = HandClock(), Rows()
    slack = MemorySlack(clock)
    alerter = Alerter(rows, slack, clock)
    alerter.record([step(BEFORE, 1, "firing")])
    alerter.work(5.0)
    slack.down = True
    alerter.record([step(BEFORE, 2, "resolved")])
    alerter.record([step(AGAIN, 1, "firing"), step(AGAIN, 2, "resolved")])
    alerter.work(70.0)
    slack.down = False
    alerter.work(60.0)
    assert f"digest {AGAIN}" in [message.text for message in slack.messages.values()]
    alerter.record([step(AGAIN, 3, "firing", reason="restated")])
    fired = next(row for row in rows.transitions() if (row.alert_id, row.sequence) == (AGAIN, 1))
    for _ in range(3):
        alerter.remind([fired])
        alerter.work(60.0)
    assert [m.text for m in slack.messages.values() if m.key == f"{AGAIN}:1:post"] == [f"🔴 FIRING {AGAIN}"]
    alerter = Alerter(rows, slack, clock)
    alerter.record([step(AGAIN, 4, "resolved")])
    alerter.work(60.0)
    assert [m.text for m in slack.messages.values() if m.key == f"{AGAIN}:1:post"] == [f"🟢 RESOLVED {AGAIN}"]
