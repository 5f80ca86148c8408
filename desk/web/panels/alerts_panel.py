"""The alerts that are open: firing first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from counterpoise.formats import PAGE
from counterpoise.plots.marks import text_of
from desk.asker import Asker
from desk.question import Row
from desk.web import markup
from desk.web.api_link import ApiLink
from desk.web.panels.panel import PageContext, Panel

MOST = 6
LAST = 3


@dataclass(frozen=True, slots=True)
class Alerts:
    """Open alerts, and the newest that fired and cleared."""

    open: list[Row]
    cleared: list[Row]


def read(asker: Asker, context: PageContext) -> Alerts:
    spans = asker.ask("spans", "alert_spans", **context.until)
    found = asker.ask("alerts", "alerts_open", **context.until)
    return Alerts(found, [row for row in spans if row["cleared_at"] is not None][-LAST:])


def draw(alerts: Alerts, context: PageContext) -> str:
    found = alerts.open
    firing = [row for row in found if row["state"] == "firing"]
    head = (
        f'<p class="big alert" data-figure="firing">{len(firing)} firing</p>'
        if firing
        else '<p class="big calm" data-figure="firing">0 firing</p>'
    )
    items = [_item(row) for row in found[:MOST]]
    more = f"<p class='note'>and {len(found) - MOST} more</p>" if len(found) > MOST else ""
    cleared = "".join(_cleared(row) for row in reversed(alerts.cleared))
    return (
        head
        + (f'<ul class="alerts">{"".join(items)}</ul>' if items else "")
        + more
        + (f'<p class="of">Fired before</p><ul class="alerts">{cleared}</ul>' if cleared else "")
    )


def _cleared(row: Row) -> str:
    return (
        f"<li>{markup.link('alert', row['alert_id'], row['rule_id'])} {markup.time_of(row['fired_at'])} to "
        f"{markup.time_of(row['cleared_at'])}</li>"
    )


def _item(row: dict[str, Any]) -> str:
    state = text_of(row["state"])
    return (
        f'<li class="{state}"><span class="state">{state}</span> {markup.link("alert", row["alert_id"], row["rule_id"])} '
        f"since {markup.time_of(row['event_time'])}<br><span class='note'>{text_of(PAGE.tie(row['summary']))}</span></li>"
    )


def api(context: PageContext) -> tuple[ApiLink, ...]:
    """On a page of the past no request gives the same: the API leaves out what was recorded later, the page what happened later."""
    return () if context.height is not None else (ApiLink("alerts", {}),)


PANEL = Panel("alerts", "Alerts", "now", read, draw, api=api)
