"""`counterpoise alerts ack`, `silence`, `unsilence` and `silences`: people ask in rows, and the alerter acts on the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from desk.alert_requests import Person, acknowledge_alert, new_action, require_firing, user_name
from desk.cli.alert_rows import one_alert, reader, writer
from desk.cli.completed_names import rule_labels
from desk.cli.console import Console
from desk.cli.options import number
from desk.cli.say import say

if TYPE_CHECKING:
    from alerts.policy import Action, Actions, SilenceSubject
    from alerts.store.alert_store import AlertStore

AlertArgument = Annotated[str, typer.Argument(help="The alert's id, or its first characters.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who asks for it; your user name if left out.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, in one line.")]
MAX_MATCHERS = 16
_SEE = "counterpoise alerts list"


def acknowledge(alert: AlertArgument, author: ByOption = None, reason: ReasonOption = "") -> None:
    """Acknowledge an alert that fires. Its message then shows your name, and it is repeated no more."""
    with writer() as store:
        found = one_alert(store, alert, see=_SEE)
        known = acknowledge_alert(store, found, Person(author or user_name(), reason))
        if known is not None:
            Console().print(
                f"Alert {found} is acknowledged already, by {known.author or 'nobody named'}.", markup=False
            )
            return
    Console().print(f"Alert {found} is acknowledged.", markup=False)


def silence(
    labels: Annotated[
        list[str],
        typer.Argument(
            metavar="LABEL=VALUE…", help="Labels that all have to fit: rule=top4-*", autocompletion=rule_labels
        ),
    ],
    duration: Annotated[str | None, typer.Option("--for", help="How long: 30m, 4h or 7d.")] = None,
    *,
    until_resolved: Annotated[
        bool, typer.Option("--until-resolved", help="For what fires now, until it is resolved.")
    ] = False,
    worse_than: Annotated[
        float | None,
        number("--worse-than", help="Until the value is worse than this: 0.78 for 78 %."),
    ] = None,
    author: ByOption = None,
    reason: ReasonOption = "",
) -> None:
    """Record the transitions of alerts without sending them. What still fires at the end is sent then."""
    from alerts.rules.rule import parse_duration
    from counterpoise.formats import utc_minute

    matchers = _matchers(labels)
    if duration is None and not until_resolved and worse_than is None:
        raise ConfigError("a silence needs an end: --for 4h, --until-resolved or --worse-than VALUE")
    try:
        seconds = None if duration is None else parse_duration(duration)
    except ValueError:
        raise ConfigError(f"--for is {duration!r}, expected a duration such as 30m, 4h or 7d, up to 366d") from None
    now = SystemClock().now()
    with writer() as store:
        if "alert" in matchers:
            matchers = {**matchers, "alert": one_alert(store, matchers["alert"], see=_SEE)}
            require_firing(store, matchers["alert"])
        _require_known_rule(store, matchers.get("rule"))
        made = new_action(
            "silence",
            Person(author or user_name(), reason),
            matchers=matchers,
            until=None if seconds is None else now + seconds,
            until_resolved=until_resolved,
            worse_than=worse_than,
        )
        store.actions.write(made)
    until = f" until {utc_minute(made.until)} UTC" if made.until else ""
    Console().print(f"Silence {made.id} holds{until}: {_labels(matchers)}.", markup=False, highlight=False)


def unsilence(
    name: Annotated[str, typer.Argument(metavar="SILENCE", help="The silence's id, or its first characters.")],
    author: ByOption = None,
) -> None:
    """End a silence. What still fires is sent within a minute."""
    from alerts.policy import Actions

    with writer() as store:
        held = [one.id for one in Actions.of(store.actions.read()).silences if one.id.startswith(name)]
        if len(held) != 1:
            what = "no silence" if not held else f"{len(held)} silences"
            raise ConfigError(f"{what} with an id that begins with {name!r}: see `counterpoise alerts silences`")
        store.actions.write(new_action("unsilence", Person(author or user_name()), target=held[0]))
    Console().print(f"Silence {held[0]} is ended.", markup=False)


def list_silences(
    *,
    every: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a list.")] = False,
) -> None:
    """List silences with their end, author, reason, and the number of alerts that each kept back."""
    from alerts.policy import Actions, is_outgrown, is_over

    now = SystemClock().now()
    with reader() as store:
        rows, used = store.actions.read(), store.deliveries.alerts_silenced()
        actions = Actions.of(rows)
        subjects = _subjects(store, actions, now)
    over = {one.id for one in actions.silences if is_over(one, subjects, now)}
    outgrown = {one.id for one in actions.silences if one.id not in over and is_outgrown(one, subjects, now)}
    found = [
        one for one in rows if one.kind == "silence" and (every or not (one.id in actions.ended or one.id in over))
    ]
    if as_json:
        shown = [
            asdict(one)
            | {"alerts": used.get(one.id, 0), "ended": one.id in actions.ended}
            | {"over": one.id in over, "outgrown": one.id in outgrown}
            for one in found
        ]
        say(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    console = Console(soft_wrap=True)
    console.print(f"{len(found)} silence{'' if len(found) == 1 else 's'}", style="bold", highlight=False)
    for one in found:
        state = "over" if one.id in over else "over for now: the value is worse" if one.id in outgrown else ""
        console.print(silence_line(one, actions, used.get(one.id, 0), state), markup=False, highlight=False)


def _subjects(store: AlertStore, actions: Actions, now: float) -> list[SilenceSubject]:
    """Every alert as silences see it; none where no silence depends on an alert."""
    from alerts.outbox.message_context import Renderer
    from alerts.rules_file import load_judged_rules
    from counterpoise.contracts.alert_transition import OPEN_STATES
    from counterpoise.settings.model import Settings
    from desk.cli.alert_list import listed, silence_subjects

    if not any(one.until_resolved or one.worse_than is not None for one in actions.silences):
        return []
    settings = Settings.load()
    rules = load_judged_rules(settings.alerts.rules_file)
    alerts = [one for one in listed(store.events.transitions()) if one.latest.state in OPEN_STATES]
    return list(silence_subjects(alerts, actions, Renderer(store, rules, settings.dataset), rules, now).values())


def silence_line(silence: Action, actions: Actions, alerts: int, state: str) -> str:
    """One silence: its id, labels, end, `state`, author, reason, and whether it was ever used."""
    from counterpoise.formats import utc_minute
    from counterpoise.visible import visible

    ended = actions.ended.get(silence.id)
    ends = [f"until {utc_minute(silence.until)} UTC"] if silence.until is not None else []
    ends += ["until resolved"] if silence.until_resolved else []
    ends += [f"until worse than {silence.worse_than:g}"] if silence.worse_than is not None else []
    state = f"ended by {visible(ended.author) or 'nobody named'}" if ended else state
    use = f"{alerts} alert{'' if alerts == 1 else 's'} kept back" if alerts else "NEVER USED"
    by = f"by {visible(silence.author) or 'nobody named'}" + (f": {visible(silence.reason)}" if silence.reason else "")
    parts = [silence.id[:8], visible(_labels(silence.matchers)), " and ".join(ends), state, use, by]
    return "  ".join(part for part in parts if part)


def _matchers(labels: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for label in labels:
        name, equals, value = label.partition("=")
        if not equals or not name or not value or not value.isprintable() or len(label) > 200:
            raise ConfigError(f"{label!r} is no label, expected LABEL=VALUE such as rule=top4-share")
        if name in found:
            raise ConfigError(f"the label {name!r} is given twice")
        found[name] = value
    if len(found) > MAX_MATCHERS:
        raise ConfigError(f"{len(found)} labels, expected at most {MAX_MATCHERS}")
    return found


def _require_known_rule(store: AlertStore, pattern: str | None) -> None:
    """ConfigError where no rule, now or in a stored alert, has this name."""
    from alerts.policy import fits
    from alerts.rules_file import load_rules
    from counterpoise.settings.model import Settings

    if pattern is None:
        return
    known = {one.id for one in load_rules(Settings.load().alerts.rules_file)}
    known |= store.events.rule_ids()
    if not any(fits(name, pattern) for name in known):
        raise ConfigError(f"no rule {pattern!r}, expected one of {', '.join(sorted(known))}, or a pattern of them")


def _labels(matchers: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(matchers.items()))
