"""`counterpoise rules explain`: why a stored alert fired: its rule then, values, evidence, deliveries and page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterpoise.formats import TEXT, utc_minute
from counterpoise.spans import long_span
from desk.cli.alert_rows import one_alert, reader, sql_command
from desk.cli.console import Console
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.store.delivery import Delivery
    from counterpoise.contracts.alert_transition import AlertTransition


def explain_alert(
    alert: Annotated[str, typer.Argument(help="The alert's id, or its first characters.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Explain a stored alert: the rule as it was, where it began, the value at each step, the SQL, deliveries and the page."""
    from counterpoise.settings.model import Settings

    with reader() as store:
        one = one_alert(store, alert)
        rows, deliveries = store.events.transitions(alert_id=one), store.deliveries.read(alert_id=one)
    public = (Settings.load().desk.public_url or "").rstrip("/")
    found = explanation(rows, deliveries, page=f"{public}/alert/{one}" if public else None)
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=2))
        return
    console = Console(soft_wrap=True)
    for line in lines(found):
        console.print(line, highlight=False, markup=False)


def explanation(rows: Sequence[AlertTransition], deliveries: Sequence[Delivery], *, page: str | None) -> dict[str, Any]:
    """Everything about one alert from its steps, oldest first, and what was sent of them. Pure."""
    from counterpoise.contracts.alert_transition import ANNOUNCING_STATES

    shown = next((row for row in rows if row.state in ANNOUNCING_STATES), rows[0])
    return {
        "alert": shown.alert_id,
        "rule": shown.rule_id,
        "rule_hash": shown.rule_hash,
        "title": shown.evidence.title,
        "condition": shown.evidence.condition,
        "chain": shown.evidence.chain,
        "state": rows[-1].state,
        "start_height": shown.start_height if shown.evidence.height is not None else None,
        "lasted_seconds": rows[-1].event_time - rows[0].event_time,
        "page": page,
        "steps": [_step(row, [one for one in deliveries if one.sequence == row.sequence]) for row in rows],
        "sql": shown.evidence.sql,
    }


def _step(row: AlertTransition, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    found = row.evidence
    return {
        "sequence": row.sequence,
        "state": row.state,
        "reason": row.reason,
        "time": utc_minute(row.event_time),
        "height": found.height,
        "value": row.value,
        "value_high": row.value_high,
        "interval": None if row.interval_low is None else [row.interval_low, row.interval_high],
        "threshold": row.threshold,
        "summary": row.summary,
        "blocks": found.n,
        "unknown": found.unknown,
        "leaders": [list(pair) for pair in found.counts],
        "sent": row.notify,
        "deliveries": [asdict(one) for one in deliveries],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The explanation as text."""
    title = f": {found['title']}" if found["title"] else ""
    text = [
        f"Alert {found['alert']}, {found['state']}",
        f"Rule       {found['rule']} ({found['rule_hash']}){title}",
    ]
    if found["condition"]:
        text.append(f"Condition  {found['condition']}")
    if found["start_height"] is not None:
        text.append(f"Began      at height {found['start_height']} of {found['chain']}")
    if len(found["steps"]) > 1:
        text.append(f"Lasted     {long_span(found['lasted_seconds'])} from the first step to the last")
    for step in found["steps"]:
        height = "" if step["height"] is None else f", height {step['height']}"
        reason = "" if step["reason"] == "observed" else f" ({step['reason']})"
        text += ["", f"{step['time']} UTC{height}: {step['state']}{reason}", f"  {step['summary']}"]
        if step["leaders"] and step["blocks"]:
            shares = ", ".join(f"{name} {TEXT.share(count / step['blocks'])}" for name, count in step["leaders"])
            text.append(f"  Blocks: {step['blocks']}, of unknown origin {step['unknown']}. Largest: {shares}")
        text += [f"  {_delivery(one)}" for one in step["deliveries"]]
        if step["sent"] and not step["deliveries"]:
            text.append("  Not delivered yet")
    if found["page"]:
        text += ["", f"Page       {found['page']}"]
    if found["sql"]:
        text += ["", sql_command(found["sql"], found["chain"])]
    return text


def _delivery(one: dict[str, Any]) -> str:
    at = f", {utc_minute(one['updated_at'])} UTC" if one["updated_at"] else ""
    detail = f" ({one['detail']})" if one["detail"] else ""
    channel = f" {one['channel']}" if one["channel"] else ""
    attempts = "" if one["attempts"] == 1 else f", attempt {one['attempts']}"
    return f"{one['receiver']}{channel}: {one['action']} {one['status']}{detail}{at}{attempts}"
