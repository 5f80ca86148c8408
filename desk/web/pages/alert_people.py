"""What people asked for about an alert, and the form for asking: part of its page. Values in, markup out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from alerts.policy import MAX_AUTHOR, MAX_REASON, SHORT_SILENCES
from counterpoise.plots.marks import text_of
from desk.question import Row
from desk.web import markup

SILENCES: Final = {name: (f"Silence {hours} h", hours * 3_600.0) for name, hours in SHORT_SILENCES.items()}
"""Value of a button → its label, and the seconds of the silence."""
ACKNOWLEDGE: Final = "acknowledge"
VERDICTS: Final = {"useful": "Useful", "noise": "Noise"}
"""Value of a button → its label. They do not depend on the state of the alert."""
BUTTONS: Final = frozenset({ACKNOWLEDGE, *SILENCES, *VERDICTS})
_VIA: Final = {"page": ", on this page", "slack": ", in Slack", "command": ", by a command"}


@dataclass(frozen=True, slots=True)
class ActionForm:
    """The caller's token, and the caller's name: that of a proxy, which is not asked for, or a proposal."""

    token: str
    author: str
    is_known: bool


@dataclass(frozen=True, slots=True)
class SilencedAlert:
    """What decides whether a silence of one alert still holds. `is_worse`: whether its value now is worse than a line."""

    is_open: bool = True
    is_worse: Callable[[float], bool] = lambda line: False


OPEN_ALERT: Final = SilencedAlert()
"""An open alert whose value is not worse than any line."""


def draw_people(
    rows: Sequence[Row],
    alert_id: str,
    form: ActionForm | None,
    now: datetime,
    *,
    fires: bool,
    alert: SilencedAlert = OPEN_ALERT,
) -> str:
    """The section; empty without rows and without a form. An alert that does not fire can only be called useful or noise."""
    if not rows and form is None:
        return ""
    items = "".join(_item(row, now, alert) for row in rows)
    shown = f'<ul class="alerts">{items}</ul>' if items else '<p class="note">The alert is not acknowledged.</p>'
    acknowledged = any(row["kind"] == "acknowledge" for row in rows)
    asked = "" if form is None else _form(form, alert_id, may_acknowledge=fires and not acknowledged, fires=fires)
    return f'<section class="panel broad" id="people"><h2>Acknowledgement and silences</h2>{shown}{asked}</section>'


def _item(row: Row, now: datetime, alert: SilencedAlert) -> str:
    author = text_of(row["author"] or "nobody named")
    if row["kind"] == "acknowledge":
        what = f"<b>Acknowledged</b> by {author}"
    elif row["kind"] == "silence":
        what = f"<b>{_ends(row, now, alert)}</b> by {author}"
    elif row["kind"] in VERDICTS:
        what = f"<b>{VERDICTS[row['kind']]}</b> to {author}"
    else:
        what = f"<b>Refused</b>: a request of {author}"
    reason = f'<br><span class="note">{text_of(row["reason"])}</span>' if row["reason"] else ""
    via = _VIA.get(row["via"], "")
    return f'<li data-kind="{text_of(row["kind"])}">{what}, {markup.time_of(row["acted_at"])}{via}{reason}</li>'


def _ends(row: Row, now: datetime, alert: SilencedAlert) -> str:
    """What a silence holds until; in the past where one of its ends has come."""
    if row["ended"]:
        return "Silence that was ended,"
    ends, is_past = [], False
    if row["until"] is not None:
        ends.append(f"until {markup.time_of(row['until'])}")
        is_past |= row["until"] <= now
    if row["until_resolved"]:
        ends.append("until resolved")
        is_past |= not alert.is_open
    if row["worse_than"] is not None:
        ends.append(f"until worse than {row['worse_than']:g}")
        is_past |= alert.is_worse(row["worse_than"])
    return f"{'Was silenced' if is_past else 'Silenced'} {' or '.join(ends)}"


def _form(form: ActionForm, alert_id: str, *, may_acknowledge: bool, fires: bool) -> str:
    name = (
        f'<p class="note">As {text_of(form.author)}</p>'
        if form.is_known
        else f'<label>Name <input name="author" required maxlength="{MAX_AUTHOR}" autocomplete="username" '
        f'value="{text_of(form.author)}"></label>'
    )
    buttons = [(ACKNOWLEDGE, "Acknowledge")] if may_acknowledge else []
    buttons += [(value, label) for value, (label, _) in SILENCES.items()] if fires else []
    buttons += VERDICTS.items()
    return (
        f'<form class="ask" method="post" action="/alert/{quote(alert_id, safe="")}/ask">'
        f'<input type="hidden" name="token" value="{text_of(form.token)}">{name}'
        f'<label>Reason <input name="reason" maxlength="{MAX_REASON}" size="40"></label>'
        + "".join(f'<button name="ask" value="{value}">{label}</button>' for value, label in buttons)
        + "</form>"
    )
