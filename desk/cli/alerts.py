"""`counterpoise alerts`: what is open, one alert's whole story, the rules, a test message, mutes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError
from counterpoise.runtime.clock import SystemClock
from desk.cli.console import Console, cell
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.store.alert_store import AlertStore
    from counterpoise.contracts.alerts import AlertTransition
    from counterpoise.settings.model import Settings

alerts_app = typer.Typer(help="List, test and mute alerts; check the rules.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RuleArgument = Annotated[str, typer.Argument(help="A rule's id (see `counterpoise alerts rules`), or `*` for all.")]

_STYLES = {"firing": "bold red", "pending": "yellow", "possible": "yellow", "resolved": "green"}


@alerts_app.command("list")
def list_alerts(
    every: Annotated[bool, typer.Option("--all", help="Closed alerts too, not only open ones.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most this many, newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List open alerts: firing, and the pending or possible ones that were not sent yet."""
    from alerts.store.alert_mutes_log import ALL_RULES
    from counterpoise.contracts.alerts import OPEN_STATES
    from counterpoise.formats import utc_minute

    with _reader() as store:
        latest: dict[str, AlertTransition] = {}
        for row in store.events.transitions():
            latest.pop(row.alert_id, None)
            latest[row.alert_id] = row
        mutes = store.mutes.read()
    found = [row for row in reversed(latest.values()) if every or row.state in OPEN_STATES][:limit]
    if as_json:
        _print_json([row.model_dump(mode="json") for row in found])
        return
    muted = {rule_id for rule_id, until in mutes.items() if until > SystemClock().now()}
    _print_table(
        f"{len(found)} {'' if every else 'open '}alert{'' if len(found) == 1 else 's'}",
        ("alert", "rule", "state", "since (UTC)", "value", "what"),
        [
            (
                row.alert_id,
                row.rule_id + (" (muted)" if row.rule_id in muted or ALL_RULES in muted else ""),
                row.state,
                utc_minute(row.event_time),
                "–" if row.value is None else f"{row.value:.4g}",
                row.summary,
            )
            for row in found
        ],
    )


@alerts_app.command("show")
def show_alert(
    alert: Annotated[str, typer.Argument(help="The alert's id, or its first characters.")], as_json: JsonOption = False
) -> None:
    """Show every step of an alert, what was sent, and the SQL that gives its value again."""
    from counterpoise.formats import utc_minute

    with _reader() as store:
        ids = sorted({row.alert_id for row in store.events.transitions() if row.alert_id.startswith(alert)})
        if len(ids) != 1:
            what = "no alert" if not ids else f"{len(ids)} alerts ({', '.join(ids[:5])})"
            raise ConfigError(f"{what} with an id that begins with {alert!r}: see `counterpoise alerts list --all`")
        rows, deliveries = store.events.transitions(alert_id=ids[0]), store.deliveries.read(alert_id=ids[0])
    if as_json:
        _print_json(
            {
                "transitions": [row.model_dump(mode="json") for row in rows],
                "deliveries": [asdict(d) for d in deliveries],
            }
        )
        return
    _print_table(
        f"alert {ids[0]}, rule {rows[0].rule_id} ({rows[0].rule_hash})",
        ("step", "state", "why", "time (UTC)", "height", "what", "sent"),
        [
            (
                str(row.sequence),
                row.state,
                row.reason,
                utc_minute(row.event_time),
                "–" if row.evidence.height is None else str(row.evidence.height),
                row.summary,
                ", ".join(f"{d.receiver} {d.action}: {d.status}" for d in deliveries if d.sequence == row.sequence),
            )
            for row in rows
        ],
    )
    sql = next((row.evidence.sql for row in rows if row.state == "firing" and row.evidence.sql), rows[-1].evidence.sql)
    if sql:
        Console().print(f'\ncounterpoise sql "{sql}"', highlight=False, markup=False, soft_wrap=True)


@alerts_app.command("rules")
def show_rules(
    file: Annotated[Path | None, typer.Argument(help="A rules file; the one in use if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a rules file and show the condition of each rule."""
    from alerts.rules_file import load_rules
    from counterpoise.settings.model import Settings

    rules = load_rules(file or Settings.load().alerts.rules_file)
    if as_json:
        _print_json(
            [{**r.model_dump(mode="json"), "rule_hash": r.rule_hash, "condition": r.condition()} for r in rules]
        )
        return
    _print_table(
        f"{len(rules)} rules, {sum(rule.enabled for rule in rules)} enabled",
        ("rule", "enabled", "hash", "title", "fires on"),
        [(r.id, "yes" if r.enabled else "no", r.rule_hash, r.name, r.condition()) for r in rules],
    )


@alerts_app.command("test")
def send_test() -> None:
    """Send a test message to the receiver of alerts, and check the token, its scopes and the channel."""
    from alerts.outbox.receivers.receivers import choose_receiver, make_receiver
    from alerts.outbox.render import check_message
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    notifier = make_receiver(settings, sys.stdout)
    try:
        access = notifier.check()
        if access is not None:
            Console().print(access, markup=False)
        notifier.post(check_message(settings.dataset), f"test:{SystemClock().now():.6f}", thread=None)
    except (ConfigError, RetryableError):
        raise
    except CounterpoiseError as error:
        raise ConfigError(str(error)) from None
    Console().print(f"A test message went to {choose_receiver(settings)} ({notifier.channel}).", markup=False)


@alerts_app.command("mute")
def mute(
    rule: RuleArgument,
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h or 7d.")] = "2h",
) -> None:
    """Record a rule's transitions without sending them, for a while. They are not sent later."""
    from alerts.rules.rule import parse_duration
    from counterpoise.formats import utc_minute
    from counterpoise.spans import exact_span

    try:
        seconds = parse_duration(duration)
    except ValueError:
        raise ConfigError(f"--for is {duration!r}, expected a duration such as 30m, 2h or 7d, up to 366d") from None
    now = SystemClock().now()
    _write_mute(rule, now + seconds, now)
    Console().print(f"{rule} is muted for {exact_span(seconds)}, until {utc_minute(now + seconds)} UTC.", markup=False)


@alerts_app.command("unmute")
def unmute(rule: RuleArgument) -> None:
    """Send a rule's transitions again from now on."""
    now = SystemClock().now()
    _write_mute(rule, now, now)
    Console().print(f"{rule} is no longer muted.", markup=False)


@contextmanager
def _reader() -> Iterator[AlertStore]:
    """A store of the dataset for reading."""
    from alerts.store.alert_store import AlertStore
    from counterpoise.clickhouse.client import connect
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as ch:
        yield AlertStore(ch)


def _write_mute(rule: str, until: float, now: float) -> None:
    """Mute a rule that exists."""
    from alerts.store.alert_store import AlertStore
    from counterpoise.clickhouse.client import connect_consistent
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    _require_rule(settings, rule)
    with connect_consistent(clickhouse_target(settings), settings.dataset) as ch:
        AlertStore(ch).mutes.write(rule, until, now)


def _require_rule(settings: Settings, rule: str) -> None:
    from alerts.rules_file import load_rules
    from alerts.store.alert_mutes_log import ALL_RULES

    known = [found.id for found in load_rules(settings.alerts.rules_file)]
    if rule != ALL_RULES and rule not in known:
        raise ConfigError(f"no rule {rule!r}, expected one of {', '.join(known)}, or {ALL_RULES!r} for all")


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"alert", "rule", "state"})  # to be copied whole
    for row in rows:
        table.add_row(*(cell(text, _STYLES.get(text, "")) for text in row))
    Console().print(table)


def _print_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))
