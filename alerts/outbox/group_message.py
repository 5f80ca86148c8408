"""The message of a group: a list of its alerts with their states over the text of the first one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.outbox.groups import MAX_LINES, GroupedAlert, head_of, name_of
from alerts.outbox.render import MAX_TEXT_CHARACTERS, Message, cut, escape, fit, header, mark_of, section
from counterpoise.formats import utc_minute

LINES_A_SECTION: Final = 10
MAX_LINE_CHARACTERS: Final = 280
"""Ten lines then fit into a section of Slack's."""


@dataclass(frozen=True, slots=True)
class LineText:
    """An alert with what its line shows beside its steps. `acknowledged`: by whom and when, empty without."""

    line: GroupedAlert
    title: str
    acknowledged: str = ""
    page_url: str = ""


def group_message(labels: Mapping[str, str], lines: Sequence[LineText], first_title: str, first: Message) -> Message:
    """`lines` in their order. `first` is the message that the first alert would have alone, and `first_title` its title."""
    name = name_of(labels)
    head = head_of([one.line for one in lines]) + (f": {name}" if name else "")
    shown = [_line(one) for one in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(f"• and {len(lines) - MAX_LINES} more: `counterpoise alerts list --all`")
    pages = [shown[at : at + LINES_A_SECTION] for at in range(0, len(shown), LINES_A_SECTION)]
    blocks = [
        header(head),
        *(section("\n".join(page)) for page in pages),
        section(f"*First alert*: {escape(first_title)}"),
        *first.blocks[1:],
    ]
    titles = ", ".join(escape(one.title) for one in lines if one.line.is_firing)
    text = cut(escape(head) + (f": {titles}" if titles else ""), MAX_TEXT_CHARACTERS)
    return Message(text, fit(blocks), head)


def _line(one: LineText) -> str:
    fired, latest = one.line.fired, one.line.latest
    title = cut(escape(" ".join(one.title.split())), 120)
    when = f"since {utc_minute(fired.event_time)} UTC"
    if not one.line.is_firing:
        when = f"{utc_minute(fired.event_time)} to {utc_minute(latest.event_time)} UTC"
    who = f", acknowledged {escape(' '.join(one.acknowledged.split()))}" if one.acknowledged else ""
    linked = f"<{escape(one.page_url)}|{title}>" if one.page_url and len(one.page_url) < 100 else title
    return f"{mark_of(latest)}: {linked} ({cut(when + who, MAX_LINE_CHARACTERS - 30 - len(linked))})"
