"""Pictures of alerts, in their threads: each is visible once at most, and none delays or costs a message.

A picture has no key by which it could be found again. Its row is therefore written before the call that shows it: after a kill or an
answer that was lost, it is not sent again. Whoever takes over claims its epoch before it reads the rows, and the epoch is checked
after the row is written, so that two alerters never show the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from alerts.outbox.alert_chart import Picture
from alerts.outbox.jobs import JobKey
from alerts.outbox.receivers.receiver import AmbiguousError, NotAcceptedError, ReceiverRefusedError, TakesPictures
from alerts.outbox.sent import Sent
from alerts.store.delivery import Delivery, DeliveryStatus
from counterpoise.contracts.alert_transition import AlertTransition
from counterpoise.errors import RetryableError

log = structlog.get_logger(__name__)

PICTURE: Final = "picture"
"""The action of a picture's row. Its `message_ts` is the file's id."""

UNCONFIRMED: Final = "Slack has not confirmed it"
RECENT_SECONDS: Final = 3_600.0
"""A picture is sent this long after its alert fired, not later."""

PAUSES_SECONDS: Final = (5.0, 60.0)
"""After each failed try; the last failure leaves the picture out."""


class NotDrawnError(Exception):
    """The database does not answer for a picture."""


@dataclass(slots=True)
class _Pending:
    fired: AlertTransition
    due: float
    tries: int = 0
    picture: Picture | None = None
    file_id: str = ""


@dataclass(slots=True)
class Pictures:
    """The pictures of one receiver. `make` draws one; `write` stores rows; `check` raises where another alerter is at work."""

    receiver: TakesPictures
    sent: Sent
    make: Callable[[AlertTransition], Picture | None]
    write: Callable[[Sequence[Delivery]], None]
    check: Callable[[], None]
    row: Callable[[AlertTransition, DeliveryStatus], Delivery]
    _pending: dict[JobKey, _Pending] = field(default_factory=dict)
    _logged: set[str] = field(default_factory=set)

    def plan(self, fired: AlertTransition, *, now: float, monotonic: float) -> None:
        """Queue the picture of an alert whose message stands here, unless it was sent or is too late. `now` in unix seconds.

        An alert that fires anew, on other blocks or after a pause, keeps the picture of its first firing.
        """
        fired = self.sent.fired(fired.alert_id) or fired
        key = _key(fired)
        known = key in self._pending or key in self.sent.done or key in self.sent.elsewhere
        is_recent = now - fired.recorded_at_ms / 1000 < RECENT_SECONDS
        if fired.state == "firing" and is_recent and not known and self.sent.root(fired.alert_id) is not None:
            self._pending[key] = _Pending(fired, monotonic)

    def next_at(self) -> float:
        """When the next one is due; infinite without one."""
        return min((one.due for one in self._pending.values()), default=float("inf"))

    def send_due(self, monotonic: float) -> None:
        """Send the first one that is due, if any: one try. Only the store's errors and a lost epoch are raised."""
        one = min(self._pending.values(), key=lambda found: found.due, default=None)
        if one is None or one.due > monotonic:
            return
        try:
            self._send(one)
        except ReceiverRefusedError as error:
            self._leave_out(one, str(error))
        except (NotAcceptedError, AmbiguousError) as error:
            self._again(one, monotonic, str(error), error.retry_after_seconds or 0.0)
        except NotDrawnError as error:
            self._again(one, monotonic, str(error))

    def _send(self, one: _Pending) -> None:
        root = self.sent.root(one.fired.alert_id)
        if root is None:
            del self._pending[_key(one.fired)]
            return
        self.check()
        one.picture = one.picture or self._drawn(one.fired)
        if one.picture is None:
            del self._pending[_key(one.fired)]
            return
        one.file_id = one.file_id or self.receiver.upload(one.picture)
        self._write(replace(self.row(one.fired, "skipped"), detail=UNCONFIRMED, attempts=one.tries + 1))
        self.check()
        try:
            self.receiver.show(one.file_id, one.picture, thread=root.message_ts)
        except AmbiguousError as error:  # it may be visible: the row stays as it is
            self._log(one, str(error))
            del self._pending[_key(one.fired)]
            return
        del self._pending[_key(one.fired)]
        self._write(replace(self.row(one.fired, "sent"), message_ts=one.file_id, attempts=one.tries + 1))

    def _drawn(self, fired: AlertTransition) -> Picture | None:
        try:
            return self.make(fired)
        except RetryableError as error:
            raise NotDrawnError(str(error)) from error
        except Exception:  # whatever it is, the message stands without it
            log.exception("a picture cannot be drawn", alert_id=fired.alert_id)
            return None

    def _again(self, one: _Pending, monotonic: float, reason: str, asked_seconds: float = 0.0) -> None:
        if one.tries >= len(PAUSES_SECONDS):
            self._leave_out(one, reason)
            return
        one.due = monotonic + max(PAUSES_SECONDS[one.tries], asked_seconds)
        one.tries += 1

    def _leave_out(self, one: _Pending, reason: str) -> None:
        self._log(one, reason)
        del self._pending[_key(one.fired)]
        self._write(replace(self.row(one.fired, "skipped"), detail=reason, attempts=one.tries + 1))

    def _log(self, one: _Pending, reason: str) -> None:
        """Each reason once: a scope that is missing is missing for every alert."""
        if reason not in self._logged:
            self._logged.add(reason)
            log.warning("alerts are sent without their picture", alert_id=one.fired.alert_id, reason=reason)

    def _write(self, delivery: Delivery) -> None:
        self.sent.done[delivery.key] = delivery
        self.write([delivery])


def _key(fired: AlertTransition) -> JobKey:
    return fired.alert_id, fired.sequence, PICTURE
