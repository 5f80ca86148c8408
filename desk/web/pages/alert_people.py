"""What people asked for about an alert, and the form for asking: part of its page. Values in, markup out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
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


def draw_people(rows: Sequence[Row], alert_id: str, form: ActionForm | None, now: datetime, *, fires: bool) -> str:
    """The section; empty without rows and without a form. An alert that does not fire can only be called useful or noise."""
    if not rows and form is None:
        return ""
    items = "".join(_item(row, now) for row in rows)
    shown = f'<ul class="alerts">{items}</ul>' if items else '<p class="note">The alert is not acknowledged.</p>'
    acknowledged = any(row["kind"] == "acknowledge" for row in rows)
    asked = "" if form is None else _form(form, alert_id, may_acknowledge=fires and not acknowledged, fires=fires)
    return f'<section class="panel broad" id="people"><h2>Acknowledgement and silences</h2>{shown}{asked}</section>'


def _item(row: Row, now: datetime) -> str:
    author = text_of(row["author"] or "nobody named")
    if row["kind"] == "acknowledge":
        what = f"<b>Acknowledged</b> by {author}"
    elif row["kind"] == "silence":
        what = f"<b>{_ends(row, now)}</b> by {author}"
    elif row["kind"] in VERDICTS:
        what = f"<b>{VERDICTS[row['kind']]}</b> to {author}"
    else:
        what = f"<b>Refused</b>: a request of {author}"
    reason = f'<br><span class="note">{text_of(row["reason"])}</span>' if row["reason"] else ""
    via = _VIA.get(row["via"], "")
    return f'<li data-kind="{text_of(row["kind"])}">{what}, {markup.time_of(row["acted_at"])}{via}{reason}</li>'


def _ends(row: Row, now: datetime) -> str:
    if row["ended"]:
        return "Silence that was ended,"
    if row["until"] is None:
        return (
            "Silenced until resolved" if row["until_resolved"] else f"Silenced until worse than {row['worse_than']:g}"
        )
    word = "Silenced" if row["until"] > now else "Was silenced"
    return f"{word} until {markup.time_of(row['until'])}"


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
