"""`counterpoise alerts`: what is open, one alert's whole story, the rules, a test message, mutes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.table import Table

from alerts.policy import MAX_AUTHOR, MAX_REASON
from counterpoise.errors import ConfigError, CounterpoiseError, RetryableError
from counterpoise.formats import counted
from counterpoise.runtime.clock import SystemClock
from counterpoise.visible import one_line
from desk.alert_requests import user_name
from desk.cli.alert_actions import acknowledge, list_silences, silence, unsilence
from desk.cli.alert_list import STYLES, mute_lines
from desk.cli.alert_rows import one_alert, reader, sql_command, writer
from desk.cli.completed_names import rule_names
from desk.cli.console import Console, cell
from desk.cli.options import JsonOption, number
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.store.alert_mutes_log import Mute
    from counterpoise.settings.model import Settings

alerts_app = typer.Typer(no_args_is_help=True, add_completion=False)
alerts_app.command("ack")(acknowledge)
alerts_app.command("silence")(silence)
alerts_app.command("unsilence")(unsilence)
alerts_app.command("silences")(list_silences)

RuleArgument = Annotated[
    str,
    typer.Argument(help="A rule's id (see `counterpoise alerts rules`), or `*` for all.", autocompletion=rule_names),
]


@alerts_app.command("list")
def list_alerts(
    *,
    every: Annotated[bool, typer.Option("--all", help="Closed alerts too, not only open ones.")] = False,
    unfired: Annotated[bool, typer.Option("--unfired", help="Also what is pending or possible, or ended so.")] = False,
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule's.", autocompletion=rule_names)] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only this state: firing, resolved, pending, …")] = None,
    chain: Annotated[str | None, typer.Option("--chain", help="Only this chain's.")] = None,
    limit: Annotated[int, number("--limit", least=1, most=100_000, help="At most this many, newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the alerts that are open, with the value as it is now. Episodes that never fired are left out."""
    from alerts.outbox.message_context import Renderer
    from alerts.rules_file import load_judged_rules
    from counterpoise.contracts.alert_transition import AlertState
    from counterpoise.settings.model import Settings
    from desk.cli.alert_list import chosen, lines, listed, marks_of, values_now

    if state is not None and state not in get_args(AlertState):
        raise ConfigError(f"--state is {state!r}, expected one of {', '.join(get_args(AlertState))}")
    settings = Settings.load()
    rules = load_judged_rules(settings.alerts.rules_file)
    with reader() as store:
        rows, mutes = store.events.transitions(), store.mutes.read()
        known = {one.id for one in rules} | {row.rule_id for row in rows}
        if rule is not None and rule not in known:
            raise ConfigError(f"--rule is {rule!r}, expected one of {', '.join(sorted(known))}")
        found, hidden = chosen(listed(rows), closed=every, unfired=unfired, rule=rule, state=state, chain=chain)
        total, found = len(found), found[:limit]
        renderer, at = Renderer(store, rules, settings.dataset), SystemClock().now()
        now, marks = values_now(renderer, found), marks_of(found, store, renderer, rules, at)
    if as_json:
        _print_json([one.latest.model_dump(mode="json") | {"now": now.get(one.latest.alert_id)} for one in found])
        return
    console = Console(soft_wrap=True)
    holding = [mute for mute in mutes.values() if mute.until > at]
    kind = f"{state} " if state else "" if every else "open "
    of_all = f"{total}" if total == len(found) else f"{len(found)} of {total}"
    console.print(f"{of_all} {kind}alert{'' if total == 1 else 's'}", style="bold", highlight=False)
    if found:
        for line in lines(found, now, marks, console, max(60, min(console.width, 120))):
            console.print(line)
    if hidden:
        console.print(
            f"{hidden} that never fired {'is' if hidden == 1 else 'are'} left out: --unfired shows", style="dim"
        )
    for text in mute_lines(holding, at):
        console.print(text, markup=False, highlight=False)


@alerts_app.command("show")
def show_alert(
    alert: Annotated[str, typer.Argument(help="The alert's id, or its first characters.")], as_json: JsonOption = False
) -> None:
    """Show every step of an alert, what was sent, and the SQL that gives its value again."""
    from counterpoise.contracts.alert_transition import ANNOUNCING_STATES
    from counterpoise.formats import utc_minute

    with reader() as store:
        found = one_alert(store, alert)
        rows, deliveries = store.events.transitions(alert_id=found), store.deliveries.read(alert_id=found)
    if as_json:
        _print_json(
            {
                "transitions": [row.model_dump(mode="json") for row in rows],
                "deliveries": [asdict(d) for d in deliveries],
            }
        )
        return
    _print_table(
        f"alert {found}, rule {rows[0].rule_id} ({rows[0].rule_hash})",
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
    shown = next((row for row in rows if row.state in ANNOUNCING_STATES and row.evidence.sql), rows[-1]).evidence
    if shown.sql:
        command = sql_command(shown.sql, shown.chain)
        Console().print(f"\n{command}", highlight=False, markup=False, soft_wrap=True)


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
        f"{counted(len(rules), 'rule')}, {sum(rule.enabled for rule in rules)} enabled",
        ("rule", "enabled", "hash", "title", "fires on"),
        [(r.id, "yes" if r.enabled else "no", r.rule_hash, r.name, r.condition()) for r in rules],
    )


@alerts_app.command("test")
def send_test() -> None:
    """Send a test message to each receiver of alerts, and check its token or address."""
    from alerts.outbox.receivers.receivers import make_receivers
    from alerts.outbox.render import check_message
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    failures: list[tuple[str, CounterpoiseError]] = []
    receivers = make_receivers(settings, sys.stdout)
    for receiver in receivers:
        try:
            access = receiver.check()
            if access is not None:
                Console().print(access, markup=False)
            receiver.post(check_message(settings.dataset), f"test:{SystemClock().now():.6f}", thread=None)
        except CounterpoiseError as error:
            if len(receivers) == 1 and isinstance(error, ConfigError | RetryableError):
                raise
            failures.append((f"{receiver.name}: {error}" if len(receivers) > 1 else str(error), error))
            continue
        Console().print(f"A test message went to {receiver.name} ({receiver.channel}).", markup=False)
    if failures:
        are_away = all(isinstance(error, RetryableError) for _, error in failures)
        raise (RetryableError if are_away else ConfigError)("; ".join(text for text, _ in failures))


@alerts_app.command("mute")
def mute(
    rule: RuleArgument,
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h or 7d.")] = "2h",
    author: Annotated[str | None, typer.Option("--by", help="Who mutes it; your user name if left out.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, in one line.")] = "",
) -> None:
    """Record a rule's transitions without sending them, for a while. What still fires at its end is sent then."""
    from alerts.rules.rule import parse_duration
    from alerts.store.alert_mutes_log import Mute
    from counterpoise.formats import utc_minute
    from counterpoise.spans import exact_span

    try:
        seconds = parse_duration(duration)
    except ValueError:
        raise ConfigError(f"--for is {duration!r}, expected a duration such as 30m, 2h or 7d, up to 366d") from None
    now = SystemClock().now()
    _write_mute(
        Mute(rule, now + seconds, one_line(author or user_name(), MAX_AUTHOR), one_line(reason, MAX_REASON), now)
    )
    Console().print(f"{rule} is muted for {exact_span(seconds)}, until {utc_minute(now + seconds)} UTC.", markup=False)


@alerts_app.command("unmute")
def unmute(rule: RuleArgument) -> None:
    """Send a rule's transitions again from now on. A mute of all rules still holds, as one of a single rule does after `*`."""
    from alerts.store.alert_mutes_log import ALL_RULES, Mute

    now = SystemClock().now()
    mutes = _write_mute(Mute(rule, now, one_line(user_name(), MAX_AUTHOR), "", now))
    console = Console(soft_wrap=True)
    holding = [mute for name, mute in mutes.items() if name != rule and ALL_RULES in (name, rule) and mute.until > now]
    if rule == ALL_RULES or not holding:
        console.print(f"{rule} is no longer muted.", markup=False, highlight=False)
    else:
        console.print(f"{rule} stays muted, because all rules are muted.", markup=False, highlight=False)
    for text in mute_lines(holding, now):
        console.print(f"Still holds: {text}", markup=False, highlight=False)


def _write_mute(mute: Mute) -> Mapping[str, Mute]:
    """Mute a rule that exists; the mutes as they are then."""
    from counterpoise.settings.model import Settings

    _require_rule(Settings.load(), mute.rule_id)
    with writer() as store:
        store.mutes.write(mute)
        return store.mutes.read()


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
        table.add_row(*(cell(text, STYLES.get(text, "")) for text in row))
    Console().print(table)


def _print_json(value: Any) -> None:
    say(json.dumps(value, ensure_ascii=False, indent=2))
