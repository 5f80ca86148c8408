"""What a person asks about one alert, by a command or on the page: checked against the rows, then written as a row."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from alerts.policy import MAX_AUTHOR, MAX_REASON, Action, Actions, Verdict
from counterpoise.contracts.alert_transition import ANNOUNCING_STATES
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.visible import one_line

if TYPE_CHECKING:
    from alerts.store.alert_store import AlertStore


class RequestRefusedError(ConfigError):
    """What was asked is not done, for a reason that may be shown to whoever asked."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, why, and where: the row has all three."""

    author: str
    reason: str = ""
    via: Literal["command", "page"] = "command"


def new_action(kind: str, person: Person, **values: Any) -> Action:
    """The row of a request that is made now."""
    author, reason = one_line(person.author, MAX_AUTHOR), one_line(person.reason, MAX_REASON)
    return Action(secrets.token_hex(8), kind, SystemClock().now(), author, reason, via=person.via, **values)  # type: ignore[arg-type]


def require_firing(store: AlertStore, alert_id: str) -> None:
    """RequestRefusedError for an alert that does not fire, and for one that does not exist."""
    rows = store.events.transitions(alert_id=alert_id)
    if not rows:
        raise RequestRefusedError(f"there is no alert {alert_id}")
    if rows[-1].state not in ANNOUNCING_STATES:
        raise RequestRefusedError(f"alert {alert_id} does not fire: it is {rows[-1].state}")


def acknowledge_alert(store: AlertStore, alert_id: str, person: Person) -> Action | None:
    """Acknowledge an alert that fires; the earlier acknowledgement where there is one, and nothing is written then."""
    require_firing(store, alert_id)
    known = Actions.of(store.actions.read_current(SystemClock().now())).acknowledgements.get(alert_id)
    if known is None:
        store.actions.write(new_action("acknowledge", person, target=alert_id))
    return known


def silence_alert(store: AlertStore, alert_id: str, seconds: float, person: Person) -> Action:
    """Silence one alert that fires for so long."""
    require_firing(store, alert_id)
    now = SystemClock().now()
    made = new_action("silence", person, matchers={"alert": alert_id}, until=now + seconds)
    store.actions.write(made)
    return made


def judge_alert(store: AlertStore, alert_id: str, verdict: Verdict, person: Person) -> None:
    """Call an alert useful or noise, while it fires or later; RequestRefusedError for one that never fired."""
    if all(row.state not in ANNOUNCING_STATES for row in store.events.transitions(alert_id=alert_id)):
        raise RequestRefusedError(f"alert {alert_id} never fired")
    store.actions.write(new_action(verdict, person, target=alert_id))


def user_name() -> str:
    """The name of the user of this machine who runs the process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return ""
