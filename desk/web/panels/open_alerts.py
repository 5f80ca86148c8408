"""The alerts that are open: firing first."""

from __future__ import annotations

from typing import Any

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker, Row
from desk.web import markup
from desk.web.panels.panel import Context, Panel

MOST = 8


def read(asker: Asker, context: Context) -> list[Row]:
    return asker.ask("alerts", "alerts_open")


def draw(found: list[Row], context: Context) -> str:
    firing = [row for row in found if row["state"] == "firing"]
    head = (
        f'<p class="big alert" data-figure="firing">{len(firing)} firing</p>'
        if firing
        else '<p class="big calm" data-figure="firing">0 firing</p>'
    )
    items = [_item(row) for row in found[:MOST]]
    more = f"<p class='note'>and {len(found) - MOST} more</p>" if len(found) > MOST else ""
    return head + (f'<ul class="alerts">{"".join(items)}</ul>' if items else "") + more


def _item(row: dict[str, Any]) -> str:
    state = text_of(row["state"])
    return (
        f'<li class="{state}"><span class="state">{state}</span> {markup.link("alert", row["alert_id"], row["rule_id"])} '
        f"since {markup.time_of(row['event_time'])}<br><span class='note'>{text_of(PAGE.tie(row['summary']))}</span></li>"
    )


PANEL = Panel("alerts", "Alerts", "now", read, draw)
